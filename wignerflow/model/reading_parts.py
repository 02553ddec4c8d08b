"""Coefficients and states of a plain form, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _check
from . import level_states, states
from .coefficients import Coef
from .level_words import MOST
from .mode_states import MODE_STATES, vacuum
from .reading_values import (
    entry_complex,
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


def read_state(where: str, data: Any) -> State:
    """A state from its plain form or its name."""
    if isinstance(data, str):
        return _NAMED_STATES[name_of(where, data, _NAMED_STATES, "a state, or be a table")]
    keys = ("bloch", "angles", *MODE_STATES, "levels", "mixture", "density")
    entry = table(where, data, [], keys)
    if len(entry) != 1:
        _check.fail(where, "have exactly one of the keys " + ", ".join(keys), data)
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
