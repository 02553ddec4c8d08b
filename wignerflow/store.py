"""The file format of results: netCDF 4 for every reader, a checksum and a plain record for ours.

Observables, their errors and the axes are ordinary variables; the streaming sums stand in the group
``samples``, kept states in the group ``kept``; everything else is one JSON document in the
character variable ``wignerflow_record``. The SHA-256 of the netCDF bytes follows them (HDF5 readers
ignore what follows), so that a damaged or edited file is known before any of it is interpreted.
Nothing in a file is ever executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _check, files

#: Version of the layout described above.
FORMAT = 1
RECORD = "wignerflow_record"
#: Arrays of an observable, and how their variables' names end.
PARTS = {
    "expect": "",
    "sem": "_sem",
    "std": "_std",
    "step_error": "_step_error",
    "truncation": "_truncation",
}
#: Endings that promise another format.
OTHER_FORMATS = frozenset(
    ".csv .tsv .txt .dat .md .rst .tex .htm .html .xml .json .toml .yaml .yml .ini .log .rtf .doc"
    " .docx .odt .xls .xlsx .ods .pptx .odp .npy .npz .mat .parquet .feather .arrow .avro .zarr"
    " .pkl .pickle .joblib .fits .root .db .sqlite .png .pdf .ps .eps .svg .jpg .jpeg .gif .bmp"
    " .tif .tiff .webp .mp4 .py .ipynb .m .jl .zip .tar .tgz .gz .bz2 .xz .zst .7z".split()
)
_MARK = b"\nwignerflow sha256 "
_TRAILER = len(_MARK) + 65
_SAMPLES = {
    "count": ("time",),
    "mean": ("time", "channel"),
    "m2": ("time", "channel"),
    "batch_count": ("time", "batch"),
    "batch_sum": ("time", "batch", "batched_channel"),
    "batched": ("batched_channel",),
}

Arrays = dict[str, NDArray]


# ---------------------------------------------------------------- JSON


def _tag(value: Any) -> Any:
    """JSON has no infinities and no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": repr(value)}
    if isinstance(value, dict):
        return {k: _tag(v) for k, v in value.items()}
    return [_tag(v) for v in value] if isinstance(value, list) else value


def _untag(value: dict[str, Any]) -> Any:
    if set(value) == {"__float__"} and value["__float__"] in ("inf", "-inf", "nan"):
        return float(value["__float__"])
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def to_json(value: Any) -> str:
    """Plain data as strict, ASCII JSON; floats keep every bit."""
    return json.dumps(_tag(value), allow_nan=False)


def from_json(text: str) -> Any:
    """Inverse of :func:`to_json`."""
    return json.loads(text, object_hook=_untag, parse_constant=_refuse)


# ---------------------------------------------------------------- write


def _free(name: str, used: set[str]) -> str:
    """A netCDF name for ``name`` that is not in ``used``."""
    name = name.strip().replace("/", "∕")
    if name in (".", ".."):
        name = "_" + name
    while name in used:
        name += "_"
    used.add(name)
    return name


def encode(
    times: NDArray[np.float64],
    observables: Mapping[str, Mapping[str, NDArray]],
    axes: Mapping[str, tuple[str, NDArray[np.float64]]],
    record: Mapping[str, Any],
    samples: Arrays | None,
    attributes: Mapping[str, Any],
    final: NDArray[np.float64] | None,
) -> bytes:
    """The bytes of a file.

    Args:
        times: (T,).
        observables: by name, the arrays of ``PARTS``, each (T,) or (T, V).
        axes: by name of an observable of shape (T, V), the dimension name and coordinates (V,).
        record: plain data.
        samples: the arrays of a ``Samples``, or None.
        attributes: global attributes, for people: strings and numbers.
        final: kept states (trajectories, variables), or None; ``record["final"]`` names them.
    """
    import h5netcdf

    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as f:
        f.dimensions = {"time": len(times)}
        used = {"time", RECORD, "record_length", "samples", "kept"}
        f.create_variable("time", ("time",), data=times)
        names = dimension_names(axes)
        sizes: dict[str, str] = {}
        for name, (_, coordinates) in axes.items():
            if names[name] not in sizes:
                sizes[names[name]] = _free(names[name], used)
                f.dimensions[sizes[names[name]]] = len(coordinates)
                f.create_variable(sizes[names[name]], (sizes[names[name]],), data=coordinates)
        variables: dict[str, Any] = {}
        for name, parts in observables.items():
            dims = ("time", sizes[names[name]]) if name in axes else ("time",)
            variables[name] = {"dims": list(dims)}
            for part, ending in PARTS.items():
                value = parts[part]
                pieces = (
                    {"_real": value.real, "_imag": value.imag}
                    if np.iscomplexobj(value)
                    else {"": value}
                )
                variables[name][part] = []
                for tail, piece in pieces.items():
                    own = _free(name + ending + tail, used)
                    f.create_variable(own, dims, data=np.ascontiguousarray(piece))
                    f[own].attrs["long_name"] = name + LONG[part] + LONG[tail]
                    variables[name][part].append(own)
        full = {**record, "format": FORMAT, "variables": variables}
        text = np.frombuffer(to_json(full).encode(), "S1")
        f.dimensions["record_length"] = len(text)
        f.create_variable(RECORD, ("record_length",), data=text)
        if samples is not None:
            group = f.create_group("samples")
            channels, some = samples["mean"].shape[1], len(samples["batched"])
            group.dimensions = {"channel": channels, "batch": samples["batch_sum"].shape[1]}
            group.dimensions["batched_channel"] = some
            for name, axis in _SAMPLES.items():
                if samples[name].size:
                    group.create_variable(name, axis, data=samples[name])
        if final is not None:
            group = f.create_group("kept")
            group.dimensions = dict(zip(("trajectory", "variable"), final.shape, strict=True))
            group.create_variable("final", ("trajectory", "variable"), data=final)
        for name, value in attributes.items():
            f.attrs[name] = value
    data = buffer.getvalue()
    return data + _MARK + hashlib.sha256(data).hexdigest().encode() + b"\n"


LONG = {
    "expect": "",
    "sem": ", standard error of the mean",
    "std": ", standard deviation over trajectories",
    "step_error": ", error of the step",
    "truncation": ", error of the method",
    "": "",
    "_real": ", real part",
    "_imag": ", imaginary part",
}


def dimension_names(axes: Mapping[str, tuple[str, NDArray]]) -> dict[str, str]:
    """A dimension for each observable: shared where coordinates are equal, else made distinct."""
    out: dict[str, str] = {}
    known: dict[str, NDArray] = {}
    for name, (dim, coordinates) in axes.items():
        own = dim
        while own in known and not np.array_equal(known[own], coordinates):
            own = f"{dim}_{name}" if own == dim else own + "_"
        known[own] = coordinates
        out[name] = own
    return out


def check_ending(argument: str, path: str | os.PathLike[str]) -> None:
    """Refuse the name of a file whose ending says that it is something else.

    Raises:
        ValueError: the ending is that of another format.
    """
    name = os.path.basename(os.fsdecode(path))
    if "\0" in os.fsdecode(path):
        _check.fail(argument, "be the name of a file, without null characters", os.fspath(path))
    if os.path.splitext(f"_{name}")[1].lower() in OTHER_FORMATS:  # of ".csv", too
        hint = "`result.save` also writes tables, '.csv'; for others take `result.to_pandas()`."
        _check.fail(argument, "end in '.nc': results are netCDF files", os.fspath(path), hint)


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        OSError: with the name of the file; nothing is left behind, and what stood there stays.
    """
    reason = ": the result could not be written, but is still in memory; save it elsewhere"
    files.write_atomic(path, lambda draft: draft.write_bytes(data), reason)


# ---------------------------------------------------------------- read


class _Reader:
    """Reads datasets of an open file that are exactly what ``encode`` writes."""

    def __init__(self, file: Any, limit: int):
        self.file, self.limit = file, limit

    def __call__(self, name: Any, shape: tuple[int, ...] | None, dtype: str) -> NDArray:
        import h5py  # type: ignore[import-untyped]

        if not isinstance(name, str):
            raise ValueError(f"a variable name is {name!r}")
        where = self.file
        for part in name.split("/"):
            if not isinstance(where, h5py.Group):
                raise ValueError(f"{name!r} is missing")
            link = where.get(part, getlink=True) if part not in ("", ".", "..") else None
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{name!r} is missing or a link")
            where = where[part]
        if not isinstance(where, h5py.Dataset) or where.dtype != np.dtype(dtype):
            raise ValueError(f"{name!r} is no variable of type {dtype}")
        if where.shape is None or (shape is not None and where.shape != shape):
            raise ValueError(f"{name!r} has shape {where.shape}, not {shape}")
        size = math.prod(where.shape) * where.dtype.itemsize
        stored = where.chunks is None and where.external is None and not where.is_virtual
        if size > self.limit or not stored or where.id.get_storage_size() != size:
            raise ValueError(f"{name!r} is not stored plainly")
        return np.asarray(where[()])


def read(
    path: str | os.PathLike[str],
) -> tuple[dict[str, Any], Arrays, dict[str, Any], Arrays | None, NDArray[np.float64] | None]:
    """The record, times and axes, observables, samples and kept states of a file, all checked.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no undamaged result of wignerflow; the message says what is wrong.
    """
    info = os.stat(path)
    if not stat.S_ISREG(info.st_mode):
        raise ValueError(f"{os.fspath(path)!r} is not a file with a result: it is no regular file.")
    with open(path, "rb") as f:
        data = f.read()
    try:
        return decode(data)
    except MemoryError:
        raise
    except Exception as error:
        raise refusal(path, error) from error


def refusal(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """What to raise when ``error`` shows that a file holds no result."""
    detail = str(error) or type(error).__name__
    if isinstance(error, KeyError):
        detail = f"the entry {detail} is missing"
    return ValueError(f"{os.fspath(path)!r} is not a file with a result: {detail.rstrip('.')}.")


def decode(
    data: bytes,
) -> tuple[dict[str, Any], Arrays, dict[str, Any], Arrays | None, NDArray[np.float64] | None]:
    """Inverse of :func:`encode`: record, axes (with "time"), observables, samples, final."""
    import h5py  # type: ignore[import-untyped]

    body, trailer = data[:-_TRAILER], data[-_TRAILER:]
    if not trailer.startswith(_MARK):
        raise ValueError("it is truncated, or was not written by wignerflow")
    if trailer != _MARK + hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise ValueError("its checksum does not fit: it was damaged or edited")
    with h5py.File(io.BytesIO(body), "r") as f:
        get = _Reader(f, len(body))
        record = from_json(b"".join(get(RECORD, None, "S1").ravel().tolist()).decode("ascii"))
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            version = record.get("format") if isinstance(record, dict) else None
            raise ValueError(f"its format is {version!r}, and this version reads {FORMAT}")
        times = get("time", None, "<f8")
        axes: Arrays = {"time": times}
        observables: dict[str, Any] = {}
        for name, entry in record.pop("variables").items():
            shape: tuple[int, ...] = times.shape
            for dim in entry["dims"][1:]:
                axes[dim] = get(dim, None, "<f8")
                shape += axes[dim].shape
            parts: dict[str, Any] = {"dims": entry["dims"]}
            for part in PARTS:
                pieces = [get(own, shape, "<f8") for own in entry[part]]
                if len(pieces) not in (1, 2):
                    raise ValueError(f"{name!r} has {len(pieces)} parts")
                parts[part] = pieces[0] if len(pieces) == 1 else _complex(*pieces)
            observables[name] = parts
        samples = None
        if record.get("samples") is not None:
            shapes = {n: tuple(int(k) for k in record["samples"][n]) for n in _SAMPLES}
            samples = {}
            for name, shape in shapes.items():
                dtype = "<i8" if name in ("count", "batch_count", "batched") else "<f8"
                if min(shape) < 0 or math.prod(n or 1 for n in shape) > len(body):
                    raise ValueError(f"the shape of {name!r} is {shape}")
                empty = math.prod(shape) == 0
                value = np.zeros(shape, dtype) if empty else get(f"samples/{name}", shape, dtype)
                samples[name] = value
        final = None if record.get("final") is None else get("kept/final", None, "<f8")
    return record, axes, observables, samples, final


def _complex(real: NDArray[np.float64], imag: NDArray[np.float64]) -> NDArray[np.complex128]:
    out = np.empty(real.shape, complex)
    out.real, out.imag = real, imag
    return out
