"""Subsystems of a plain form with their initial states, and the names by which others call them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import _check
from .limits import MAX_MEMBERS, MAX_SUBSYSTEMS
from .reading_parts import read_state
from .reading_values import ROOT, missing, name_of, naming, sequence, table
from .subsystems import KINDS, Subsystem


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
