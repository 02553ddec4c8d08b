"""Coefficients and states of a plain form, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import _check
from . import level_states, states
from .coefficients import Coef
from .mode_states import MODE_STATES, vacuum
from .reading_values import (
    MAX_MEMBERS,
    MAX_SUBSYSTEMS,
    ROOT,
    entry_complex,
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
from .subsystems import KINDS, Subsystem
from .words import MOST


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


class SubsystemReader:
    """Reads subsystems, and names such as ``chain[3].Jz`` against them."""

    def __init__(self, top: Mapping[str, Any]):
        self.members = 0
        self.initial: dict[Subsystem, Any] = {}
        self.by_name: dict[str, Subsystem] = {}
        where = f"{ROOT}.subsystems"
        entries = sequence(where, top["subsystems"], MAX_SUBSYSTEMS)
        if not entries:
            _check.fail(where, "list at least one subsystem", entries)
        for k, entry in enumerate(entries):
            self.subsystem(f"{where}[{k}]", entry)

    def subsystem(self, where: str, data: Any) -> None:
        """One entry of ``subsystems``, with its initial state."""
        if not isinstance(data, Mapping):
            _check.fail(where, "be a table with kind, name, initial", data, kind=TypeError)
        if "kind" not in data:
            missing(where, "kind", data, list(data))
        kind = KINDS[name_of(f"{where}.kind", data["kind"], KINDS, "a kind of subsystem")]
        required = ["kind", "name", *kind.required, "initial"]
        entry = table(where, data, required, ["count", *kind.optional])
        name = entry["name"]
        if not isinstance(name, str):
            _check.fail(f"{where}.name", "be text", name, kind=TypeError)
        if name in self.by_name:
            _check.fail(f"{where}.name", "be different from every other name", name)
        count = entry.get("count")
        if "count" in entry:
            count = _check.integer(f"{where}.count", count, 1)
        self.members += 1 if count is None else count
        if self.members > MAX_MEMBERS:
            must = f"leave the members of all subsystems at {MAX_MEMBERS} at most"
            _check.fail(f"{where}.count", must, count)
        arguments = kind.read(where, entry, count)
        with naming(where):
            sub: Subsystem = kind(**arguments, name=name, count=count)
        self.by_name[name] = sub
        self.initial[sub] = self.state(f"{where}.initial", entry["initial"], sub)

    def state(self, where: str, data: Any, sub: Subsystem) -> Any:
        """One state, or a list of one per member."""
        if not isinstance(data, (list, tuple)):
            return read_state(where, data)
        if sub.count is None:
            _check.fail(where, "be one state, as there is no `count`", data)
        if len(data) != sub.size:
            _check.fail(
                where,
                f"have {sub.size} states, one per member",
                _check.Note(f"a list of {len(data)}"),
            )
        return [read_state(f"{where}[{m}]", entry) for m, entry in enumerate(data)]

    def owner(self, where: str, text: str) -> tuple[Subsystem, int | None]:
        """The subsystem (and the member) that a text such as ``chain[3]`` names."""
        match = re.fullmatch(r"(.*)\[(\d{1,9})\]", text, re.DOTALL)
        name, index = (match[1], int(match[2])) if match else (text, None)
        sub = self.by_name[name_of(where, name, self.by_name, "a subsystem")]
        if index is not None and (sub.count is None or index >= sub.count):
            have = "a single subsystem" if sub.count is None else f"an array of {sub.count} members"
            _check.fail(where, f"name a member that exists ({name!r} is {have})", text)
        return sub, index

    def named(self, where: str, data: Any) -> tuple[Subsystem, int | None, str]:
        """The subsystem, member and operator that a text such as ``chain[3].Jz`` names."""
        if not isinstance(data, str):
            must = "be text such as 'atoms.Jm', or a table with `sum` or `couple`"
            _check.fail(where, must, data, kind=TypeError)
        owner, dot, name = data.rpartition(".")
        if not dot:
            _check.fail(where, "name a subsystem and an operator, as in 'atoms.Jm'", data)
        sub, index = self.owner(where, owner)
        known = [*sub.named(), *type(sub).one_emitter]
        return sub, index, name_of(where, name, known, f"an operator of {owner!r}")
