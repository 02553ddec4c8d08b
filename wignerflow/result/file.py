"""Results as ``xarray`` datasets, pandas tables and files; what a file means to a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check, store
from ..observables import Plan
from ..run.statistics import Samples

if TYPE_CHECKING:
    import pandas
    import xarray

    from .result import Result
#: Attributes of a result that are plain data.
PLAIN = ("method", "ntraj", "seed", "dt", "stats", "provenance", "model", "trajectories")


def dataset(result: Result, units: Mapping[str, str]) -> xarray.Dataset:
    """See ``Result.to_xarray``."""
    import xarray

    dims = store.dimension_names(result.axes)
    variables: dict[str, Any] = {}
    of_time = {"long_name": "time", **({"units": units["time"]} if "time" in units else {})}
    coordinates: dict[str, Any] = {"time": ("time", result.times, of_time)}
    for name in units:
        if name != "time":
            result.expect[name]  # an unknown name raises with the nearest one
    for name in result.expect:
        own = ("time", dims[name]) if name in dims else ("time",)
        if name in dims:
            dim, where = result.axes[name]
            whole = dim in ("member", "pair")
            coordinates[dims[name]] = where.astype(np.int64) if whole else where
        for part, ending in store.PARTS.items():
            attributes = {"long_name": name + store.LONG[part]}
            if name in units:
                attributes["units"] = units[name]
            variables[name + ending] = (own, getattr(result, part)[name], attributes)
    return xarray.Dataset(variables, coordinates, attributes_of(result))


def attributes_of(result: Result) -> dict[str, Any]:
    """The attributes of a dataset, as numbers and strings."""
    seeds = result.seed if isinstance(result.seed, tuple) else (result.seed,)
    out: dict[str, Any] = {"method": result.method, "ntraj": result.ntraj}
    if result.seed is not None:
        out["seed"] = ", ".join(map(str, seeds))
    if result.dt is not None:
        out["dt"] = result.dt
    for name in ("stats", "provenance", "model"):
        out[name] = store.to_json(getattr(result, name))
    return out


def encode(result: Result, plain: Mapping[str, Any]) -> bytes:
    """See ``Result.encoded``; ``plain`` is its plain data."""
    axes = {name: dim for name, (dim, _) in result.axes.items()}
    record: dict[str, Any] = {**plain, "axes": axes, "samples": None}
    arrays = None
    if result.samples is not None:
        every = {f.name: getattr(result.samples, f.name) for f in fields(result.samples)}
        arrays = {n: v for n, v in every.items() if isinstance(v, np.ndarray)}
        record["samples"] = {n: list(v.shape) for n, v in arrays.items()}
        record["samples"] |= {n: int(v) for n, v in every.items() if n not in arrays}
    if result.final is not None:
        record["final"] = list(result.variables)
    observables = {
        n: {part: getattr(result, part)[n] for part in store.PARTS} for n in result.expect
    }
    attributes = {
        k: v for k, v in attributes_of(result).items() if k in ("method", "ntraj", "seed", "dt")
    }
    attributes["title"] = "wignerflow result"
    return store.encode(
        result.times, observables, result.axes, record, arrays, attributes, result.final
    )


def decode(
    record: Mapping[str, Any],
    axes: Mapping[str, Any],
    observables: Mapping[str, Any],
    arrays: Mapping[str, Any] | None,
    final: Any,
) -> dict[str, Any]:
    """The arguments of the ``Result`` that a file holds, from what ``store.read`` found there."""
    plan = None if record["plan"] is None else Plan.from_dict(record["plan"])
    samples = None
    if arrays is not None:
        counts = {n: _check.integer(n, record["samples"][n], 0) for n in ("failed", "ntraj")}
        nets = bool(record["samples"].get("nets", 0))
        samples = Samples(**arrays, **counts, nets=nets)  # type: ignore[arg-type]
    return {
        "times": axes["time"],
        **{part: {n: o[part] for n, o in observables.items()} for part in store.PARTS},
        **{n: record[n] for n in PLAIN},
        "plan": plan,
        "samples": samples,
        "axes": {n: (d, axes[observables[n]["dims"][1]]) for n, d in record["axes"].items()},
        "final": final,
        "variables": record.get("final", ()),
    }


def frame(result: Result) -> pandas.DataFrame:
    """See ``Result.to_pandas``."""
    import pandas

    columns: dict[str, Any] = {}
    for name, value in result.expect.items():
        places = [("", ...)] if value.ndim == 1 else _places(result, name)
        for label, at in places:
            for part, ending in store.PARTS.items():
                columns[name + label + ending] = getattr(result, part)[name][:, at].reshape(-1)
    data = pandas.DataFrame(columns, index=pandas.Index(result.times, name="time"))
    data.attrs = {"method": result.method, "ntraj": result.ntraj}
    return data


def _places(result: Result, name: str) -> list[tuple[str, Any]]:
    return [(f"[{where:.6g}]", k) for k, where in enumerate(result.axes[name][1])]


def csv(result: Result) -> bytes:
    """The table as CSV: times, and real and imaginary parts of complex columns."""
    data = frame(result)
    for name in [n for n in data.columns if np.iscomplexobj(data[n])]:
        values = data.pop(name).to_numpy()
        data[f"{name}_real"], data[f"{name}_imag"] = values.real, values.imag
    return data.to_csv().encode()
