"""Coefficients, states and couplings of a plain form, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check
from . import level_states, states
from .coefficients import Coef
from .couplings import AllToAll, Cascade, Coupling, NearestNeighbour, Waveguide
from .level_words import MOST
from .mode_states import MODE_STATES, vacuum
from .reading_values import (
    entry_complex,
    indices,
    missing,
    name_of,
    naming,
    real,
    reals,
    rows,
    scalar,
    sequence,
    table,
)
from .states import State


def read_coef(where: str, data: Any) -> Coef:
    """A coefficient from its samples."""
    entry = table(where, data, ["times", "real"], ["imag"])
    times = _check.tlist(reals(f"{where}.times", entry["times"]), f"{where}.times")
    values = reals(f"{where}.real", entry["real"]).astype(complex)
    if "imag" in entry:
        imag = reals(f"{where}.imag", entry["imag"])
        if imag.shape != values.shape:
            must = f"have as many entries as `real`, {values.size}"
            _check.fail(f"{where}.imag", must, _check.Note(f"a list of {imag.size}"))
        values = values + 1j * imag
    if values.shape != times.shape:
        must = f"have as many entries as `times`, {times.size}"
        _check.fail(f"{where}.real", must, _check.Note(f"a list of {values.size}"))
    return Coef(values, times)


_NAMED_STATES: dict[str, State] = {"up": states.up, "down": states.down, "vacuum": vacuum}
_STATE_KEYS = ("bloch", "angles", *MODE_STATES, "levels", "mixture", "density")


def read_state(where: str, data: Any) -> State:
    """A state from its plain form or its name."""
    if isinstance(data, str):
        return _NAMED_STATES[name_of(where, data, _NAMED_STATES, "a state, or be a table")]
    entry = table(where, data, [], _STATE_KEYS)
    if len(entry) != 1:
        _check.fail(where, "have exactly one of the keys " + ", ".join(_STATE_KEYS), data)
    ((kind, value),) = entry.items()
    place = f"{where}.{kind}"
    if kind in ("levels", "mixture", "density"):
        return _level_state(place, kind, value)
    if kind in ("bloch", "angles"):
        numbers = sequence(place, value, 3)
        if len(numbers) != (3 if kind == "bloch" else 2):
            _check.fail(place, "be [x, y, z]" if kind == "bloch" else "be [theta, phi]", value)
        vector = [real(f"{place}[{k}]", x) for k, x in enumerate(numbers)]
        with naming(place):
            return states.bloch_vector(*vector) if kind == "bloch" else states.bloch(*vector)
    with naming(place):
        return MODE_STATES[kind].read(place, value)


def _level_state(where: str, kind: str, data: Any) -> State:
    if kind == "density":
        entry = table(where, data, ["real"], ["imag"])
        count = len(sequence(f"{where}.real", entry["real"], MOST))
        matrix = entry_complex({k: rows(f"{where}.{k}", entry[k], count) for k in entry})
        with naming(where):
            return level_states.density(matrix)
    if not isinstance(data, Mapping):
        _check.fail(where, "be a table of numbers by level", data, kind=TypeError)
    values = {k: scalar(f"{where}.{k}", v) for k, v in data.items()}
    with naming(where):
        if kind == "levels":
            return level_states.levels(values)
        return level_states.mixture({k: real(f"{where}.{k}", data[k]) for k in data})


_COUPLINGS: dict[str, tuple[list[str], list[str]]] = {
    "nearest": ([], ["periodic"]),
    "all": ([], []),
    "waveguide": (["phi"], ["chirality"]),
    "cascade": (["phi"], []),
    "dense": (["real"], ["imag"]),
    "sparse": (["row", "col", "real"], ["imag"]),
}


def read_coupling(
    where: str, data: Any, size: int
) -> Coupling | NDArray[Any] | scipy.sparse.coo_matrix:
    """A coupling for ``couple``: structured, or a matrix with its diagonal."""
    if not isinstance(data, Mapping):
        _check.fail(where, "be a table with the key 'kind'", data, kind=TypeError)
    if "kind" not in data:
        missing(where, "kind", data, list(data))
    kind = name_of(f"{where}.kind", data["kind"], _COUPLINGS, "a kind of coupling")
    required, optional = _COUPLINGS[kind]
    entry = table(where, data, ["kind", *required], optional)
    if kind == "nearest":
        periodic = entry.get("periodic", False)
        if not isinstance(periodic, bool):
            _check.fail(f"{where}.periodic", "be true or false", periodic, kind=TypeError)
        return NearestNeighbour(periodic)
    if kind == "all":
        return AllToAll()
    if kind in ("waveguide", "cascade"):
        phi = entry["phi"]
        place = f"{where}.phi"
        many = isinstance(phi, (list, tuple))
        value: Any = reals(place, phi, size) if many else real(place, phi)
        with naming(where):
            if kind == "cascade":
                return Cascade(value)
            return Waveguide(value, real(f"{where}.chirality", entry.get("chirality", 0.0)))
    keys = [key for key in ("real", "imag") if key in entry]
    if kind == "dense":
        return np.asarray(entry_complex({k: rows(f"{where}.{k}", entry[k], size) for k in keys}))
    index = {key: indices(f"{where}.{key}", entry[key], size) for key in ("row", "col")}
    values = {key: reals(f"{where}.{key}", entry[key]) for key in keys}
    lengths = {key: len(v) for key, v in {**index, **values}.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} of {n}" for key, n in lengths.items())
        _check.fail(where, "have lists of equal length", listed)
    matrix = (entry_complex(values), (index["row"], index["col"]))
    return scipy.sparse.coo_matrix(matrix, shape=(size, size))
