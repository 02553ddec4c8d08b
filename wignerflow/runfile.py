"""Model files: the canonical form of a model, observables and run options, in TOML or JSON.

Nothing in a file is evaluated: numbers stand where numbers are asked for. The format is described
in docs/model-files.md.
"""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import _check
from .checkpoint import parse_every
from .derived import DERIVED
from .model.model import Model
from .model.reading import model_from_dict, read_model
from .model.reading_values import name_of, real, reals, sequence, table
from .run.pool import DEVICES
from .run.stopping import targets
from .solving import METHODS

MODEL_KEYS = ("format", "subsystems", "coefficients", "H", "jumps", "pulses")
RUN_KEYS = (
    "method", "ntraj", "seed", "dt", "precision", "device", "threads", "target_sem", "timeout",
    "checkpoint", "every", "truncation", "output",
)  # fmt: skip
MAX_TIMES = 10**7
#: Of a file, and of a dotted key in it: reading takes time in proportion to the square of those.
MAX_BYTES, MAX_PARTS = 2**28, 16
_PART = rb"""(?:(?<![\w-])[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*"""
_LONG_KEY = re.compile(rb"(?:%s\.[ \t]*){%d}" % (_PART, MAX_PARTS))
MAX_PAIRS = 10**6
#: Derived observables of subsystems, of operators, and of arrays with the options they take.
OF_SUBSYSTEM = ("Squeezing", "WinelandSqueezing", "Subradiance")
OF_OPERATOR = ("g2", "Fano")
OF_ARRAY = {
    "StructureFactor": ("momenta", "normalise"),
    "Coherence": ("reference", "pairs"),
    "CorrelationLength": ("momentum",),
}

__all__ = ["RunFile", "model_from_dict", "parse", "read_run", "read_run_file"]


@dataclass
class RunFile:
    """A model file: arguments of :func:`wignerflow.solve` and where the result goes.

    Attributes:
        model, tlist, e_ops, method: as for ``solve``.
        options: its keyword arguments.
        output: stem of the files to write, or None.
    """

    model: Model
    tlist: np.ndarray
    e_ops: dict[str, Any]
    method: Any
    options: dict[str, Any]
    output: str | None


def read_run_file(path: str | Path) -> RunFile:
    """Read and check a model file.

    Raises:
        OSError: it cannot be read.
        ValueError, TypeError: it is no TOML (or JSON), a key is unknown or missing, or a value has
            the wrong type; the place, the requirement and the nearest valid key are named.
    """
    path = Path(path)
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)  # a device has no end
    return read_run(parse(raw, path.suffix.lower() == ".json"))


def parse(raw: bytes, is_json: bool = False) -> dict[str, Any]:
    """Plain data from the bytes of a file."""
    kind = "JSON" if is_json else "TOML"
    if len(raw) > MAX_BYTES:
        must = f"have at most {MAX_BYTES} bytes"
        _check.fail("file", must, _check.Note("larger"))
    if not is_json and _LONG_KEY.search(raw):
        raise ValueError(
            f"The file is no model file: a dotted key in it has more than {MAX_PARTS} parts."
        )
    try:
        text = raw.decode("utf-8")
        data = json.loads(text) if is_json else tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"The file is no readable {kind}: it is nested too deeply.") from None
    except ValueError as error:  # of both parsers, and of the decoding
        hint = "" if is_json else " Values are numbers, text in quotes, lists and tables only."
        raise ValueError(f"The file is no readable {kind}: {error}.{hint}") from None
    if not isinstance(data, dict):
        _check.fail("file", "be a table", data, kind=TypeError)
    return data


def read_run(data: Mapping[str, Any]) -> RunFile:
    """Arguments of ``solve`` from plain data."""
    optional = [k for k in MODEL_KEYS if k != "subsystems"]
    top = table("file", data, ["subsystems", "run", "e_ops"], optional)
    run = table("run", top["run"], ["tlist"], RUN_KEYS)
    model, reader = read_model({k: top[k] for k in MODEL_KEYS if k in top})
    entries = top["e_ops"]
    if not isinstance(entries, Mapping) or not entries:
        _check.fail("e_ops", "be a table with at least one observable", entries, kind=TypeError)
    e_ops = {name: _observable(f"e_ops.{name}", entry, reader) for name, entry in entries.items()}
    apart = ("tlist", "method", "target_sem", "output")
    options = {k: _option(f"run.{k}", k, value) for k, value in run.items() if k not in apart}
    if "target_sem" in run:
        targets(run["target_sem"], list(e_ops), "run.target_sem")
        options["target_sem"] = run["target_sem"]
    for key, what in (("output", "the files"), ("checkpoint", "the file")):
        name = run.get(key)
        if name is not None and (not isinstance(name, str) or not name.strip()):
            _check.fail(f"run.{key}", f"be the name of {what} to write", name, kind=TypeError)
    return RunFile(
        model,
        _times("run.tlist", run["tlist"]),
        e_ops,
        _method("run.method", run.get("method", "twa")),
        options,
        run.get("output"),
    )


# ---------------------------------------------------------------- run options


def _times(where: str, data: Any) -> np.ndarray:
    if not isinstance(data, Mapping):
        return _check.tlist(reals(where, data), where)
    entry = table(where, data, ["start", "stop", "points"], ["spacing"])
    start, stop = (real(f"{where}.{key}", entry[key]) for key in ("start", "stop"))
    points = _check.integer(f"{where}.points", entry["points"], 2, MAX_TIMES)
    if stop <= start:
        _check.fail(f"{where}.stop", "be later than `start`", stop)
    kinds = ["linear", "logarithmic"]
    spacing = name_of(f"{where}.spacing", entry.get("spacing", "linear"), kinds, "a spacing")
    if spacing == "linear":
        return np.linspace(start, stop, points)
    if start <= 0:
        hint = "The initial state holds at the first time."
        _check.fail(f"{where}.start", 'be positive with spacing = "logarithmic"', start, hint)
    return np.geomspace(start, stop, points)


def _method(where: str, data: Any) -> Any:
    """A method's name, or an object from its name and options."""
    names = [*METHODS, "auto"]
    if not isinstance(data, Mapping):
        return name_of(where, data, names, "a method")
    if "name" not in data:
        table(where, data, ["name"], list(data))
    name = name_of(f"{where}.name", data["name"], names, "a method")
    options = {key: value for key, value in data.items() if key != "name"}
    if name == "auto":
        table(where, data, ["name"])
        return name
    make = METHODS[name]
    known = list(inspect.signature(make).parameters)
    table(where, data, ["name"], known)
    for key, value in options.items():
        if not isinstance(value, (bool, int, float, str)):
            _check.fail(f"{where}.{key}", "be a number, text, true or false", value, kind=TypeError)
    return make(**options)


def _option(where: str, key: str, value: Any) -> Any:
    if key in ("ntraj", "seed", "threads"):
        return _check.integer(where, value, {"ntraj": 2, "seed": 0, "threads": 1}[key])
    if key in ("dt", "timeout"):
        number = real(where, value)
        return _check.positive(where, number)
    if key == "checkpoint":
        return value  # checked with ``output``
    if key == "every":
        parse_every(value, where)
        return value
    if key == "truncation":
        if value != "full" and not isinstance(value, bool):
            _check.fail(where, 'be true, false or "full"', value)
        return value
    if key == "device":
        return name_of(where, value, DEVICES, "a device")
    return name_of(where, value, ["single", "double"], "a precision")


# ---------------------------------------------------------------- observables


def _observable(where: str, data: Any, reader: Any) -> Any:
    """An operator (text or terms as in H), one per member, or a derived observable."""
    if not isinstance(data, Mapping):
        return reader.op(where, data)
    if "derived" in data:
        return _derived(where, data, reader)
    if "each" in data:
        entry = table(where, data, ["each"])
        return reader.array(f"{where}.each", entry["each"])
    if data and not {"coef", "times", "factors"} & set(data):
        table(where, data, [], ["factors", "coef", "each", "derived", "of"])
    return reader.op(where, [data])


def _derived(where: str, data: Mapping[str, Any], reader: Any) -> Any:
    known = [*OF_SUBSYSTEM, *OF_OPERATOR, *OF_ARRAY, "Ratio"]
    name = name_of(f"{where}.derived", data["derived"], known, "a derived observable")
    make: Any = DERIVED[name]
    options = OF_ARRAY.get(name, ())
    entry = table(where, data, ["derived", "of"], options)
    place, of = f"{where}.of", entry["of"]
    if options:
        given = {
            key: _array_option(f"{where}.{key}", key, entry[key]) for key in options if key in entry
        }
        return make(reader.array(place, of), **given)
    if name in OF_SUBSYSTEM:
        if not isinstance(of, str):
            _check.fail(place, "be the name of a subsystem", of, kind=TypeError)
        sub, index = reader.owner(place, of)
        return make(sub if index is None else sub[index])
    if name == "Ratio":
        parts = sequence(place, of, 2)
        if len(parts) != 2:
            _check.fail(place, "list two operators, [A, B] for <A>/<B>", of)
        return make(*(_operator(f"{place}[{k}]", part, reader) for k, part in enumerate(parts)))
    return make(_operator(place, of, reader))


def _array_option(where: str, key: str, value: Any) -> Any:
    if key == "momenta":
        return reals(where, value)
    if key == "momentum":
        return real(where, value)
    if key == "normalise":
        return value if value == "diagonal" else _check.positive(where, real(where, value))
    if key == "reference":
        return _check.integer(where, value, 0)
    rows = sequence(where, value, MAX_PAIRS)
    return [sequence(f"{where}[{k}]", row, 2) for k, row in enumerate(rows)]


def _operator(where: str, data: Any, reader: Any) -> Any:
    return reader.op(where, [data] if isinstance(data, Mapping) else data)
