"""Reading a model from its plain form, strictly: every message names the place in the file.

Nothing is evaluated and nothing large is built before its size has been checked. The format is
described in ``serialize``. From the bottom up: ``reading_values`` (tables, lists, numbers),
``reading_parts`` (coefficients, states, couplings), ``reading_subsystems``, ``reading_operators``,
and here jumps and the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _check
from .arrays import ArrayOp
from .levels import LevelOp, Levels
from .limits import FORMAT, MAX_JUMPS
from .links import Link
from .local import LocalOp
from .model import Jump, LocalJump, Model
from .op import Op
from .outputs import Output
from .pulses import Pulse
from .reading_operators import OperatorReader
from .reading_values import (
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
from .subsystems import Ensemble

OPTIONAL = ["format", "coefficients", "H", "jumps", "links", "pulses"]


def model_from_dict(data: Any) -> Model:
    """The model of a plain form, canonical or spelt shorter (see ``serialize``).

    Raises:
        ValueError, TypeError: a key is unknown or missing, or a value has the wrong type, shape or
            size; the place, the requirement and the value are named.
    """
    return read_model(data)[0]


def read_model(data: Any) -> tuple[Model, Reader]:
    """The model of a plain form, and the reader that knows its subsystems (for observables)."""
    top = table(ROOT, data, ["subsystems"], OPTIONAL)
    if top.get("format", FORMAT) != FORMAT or isinstance(top.get("format"), (bool, float)):
        _check.fail(f"{ROOT}.format", f"be {FORMAT}, the version this library reads", top["format"])
    reader = Reader(top)
    H = reader.op(f"{ROOT}.H", top.get("H", []))
    entries = sequence(f"{ROOT}.jumps", top.get("jumps", []), MAX_JUMPS)
    jumps = [reader.jump(f"{ROOT}.jumps[{k}]", entry) for k, entry in enumerate(entries)]
    unused = set(reader.coefs) - reader.used
    if unused:
        name = min(unused)
        _check.fail(f"{ROOT}.coefficients", "be used by a term or a rate", name)
    entries = sequence(f"{ROOT}.links", top.get("links", []), MAX_JUMPS)
    links = [reader.link(f"{ROOT}.links[{k}]", entry, jumps) for k, entry in enumerate(entries)]
    entries = sequence(f"{ROOT}.pulses", top.get("pulses", []), MAX_JUMPS)
    pulses = [reader.pulse(f"{ROOT}.pulses[{k}]", entry) for k, entry in enumerate(entries)]
    return Model(H, jumps, initial=reader.initial, links=links, pulses=pulses), reader


class Reader(OperatorReader):
    """Reads jumps and operators against the subsystems and coefficients of one model."""

    def jump(self, where: str, data: Any) -> Jump | LocalJump:
        """One entry of ``jumps``."""
        if not isinstance(data, Mapping):
            _check.fail(where, "be a table with type, op, rate", data, kind=TypeError)
        if "type" not in data:
            missing(where, "type", data, list(data))
        kinds = ["collective", "array", "local"]
        kind = name_of(f"{where}.type", data["type"], kinds, "a type of jump")
        options = {"collective": [], "array": ["members"], "local": ["on"]}[kind]
        entry = table(where, data, ["type", "op", "rate"], options)
        if kind == "local":
            local = self.local(where, entry)
            size = local.sub.count if local.member is None else None
            rate = self.rate(f"{where}.rate", entry["rate"], size, matrix=False)
            with naming(where):
                return LocalJump(local, rate)
        op: Op | ArrayOp
        if kind == "collective":
            op = self.op(f"{where}.op", entry["op"])
            rate = self.rate(f"{where}.rate", entry["rate"], None, matrix=False)
        else:
            op = self.array_terms(where, entry)
            rate = self.rate(f"{where}.rate", entry["rate"], op.size, matrix=True)
        with naming(where):
            return Jump(op, rate)

    def link(self, where: str, data: Any, jumps: list[Jump | LocalJump]) -> Link:
        """One entry of ``links``."""
        entry = table(where, data, ["source", "target", "delay"], ["phase", "transmission"])
        ends = []
        for name in ("source", "target"):
            place = sequence(f"{where}.{name}", entry[name], 2)
            for k, number in enumerate(place):
                _check.integer(f"{where}.{name}[{k}]", number, 0)
            if not place or place[0] >= len(jumps):
                _check.fail(f"{where}.{name}", f"begin with one of {len(jumps)} jumps", place)
            with naming(f"{where}.{name}"):
                ends.append(Output(jumps[place[0]], *place[1:]))
        given = {"phase": 0.0, "transmission": 1.0, **entry}
        numbers = [real(f"{where}.{k}", given[k]) for k in ("delay", "phase", "transmission")]
        with naming(where):
            return Link(ends[0], ends[1], *numbers)

    def pulse(self, where: str, data: Any) -> Pulse:
        """One entry of ``pulses``."""
        entry = table(where, data, ["time", "op", "angle"])
        time, angle = (real(f"{where}.{k}", entry[k]) for k in ("time", "angle"))
        op = self.op(f"{where}.op", entry["op"])
        with naming(where):
            return Pulse(time, op, angle)

    def rate(self, where: str, data: Any, size: int | None, matrix: bool) -> Any:
        """A rate: a number, a coefficient's name, one number per member, or a matrix."""
        if isinstance(data, str):
            return self.coef(where, data)
        if isinstance(data, Mapping):
            if not matrix or size is None:
                _check.fail(where, "be a number or a name, not a matrix", data)
            entry = table(where, data, ["real"], ["imag"])
            parts = {key: rows(f"{where}.{key}", entry[key], size) for key in entry}
            return entry_complex(parts)
        if isinstance(data, (list, tuple)):
            if size is None:
                _check.fail(where, "be one number", data)
            return reals(where, data, size)
        return real(where, data)

    def level_op(self, where: str, parts: Any, sub: Levels, index: int | None) -> LevelOp:
        """An operator of one emitter with levels, from a table of numbers by |a><b|."""
        known = sub.named()
        table(where, parts, [], known)
        c = np.zeros((sub.d, sub.d), complex)
        for name, value in parts.items():
            c[known[name]] = scalar(f"{where}.{name}", value)
        return LevelOp(sub, c, index)

    def local(self, where: str, entry: Mapping[str, Any]) -> LocalOp:
        """The operator of a local jump: a name, or a table of Pauli and ladder parts."""
        data = entry["op"]
        if isinstance(data, str) and "." in data:
            sub, index, name = self.named(f"{where}.op", data)
            if "on" in entry:
                _check.fail(f"{where}.on", "be omitted where `op` names it", entry["on"])
            parts: dict[str, Any] = {name: 1.0}
        else:
            if "on" not in entry:
                missing(where, "on", entry, [])
            if not isinstance(entry["on"], str):
                must = "be the name of an ensemble"
                _check.fail(f"{where}.on", must, entry["on"], kind=TypeError)
            sub, index = self.owner(f"{where}.on", entry["on"])
            parts = {data: 1.0} if isinstance(data, str) else data
        if isinstance(sub, Levels):
            return self.level_op(f"{where}.op", parts, sub, index)
        if not isinstance(sub, Ensemble):
            _check.fail(where, "act on an ensemble", _check.Note(f"a {sub.kind}"))
        known = ["identity", *Ensemble.one_emitter]
        place = f"{where}.op"
        if isinstance(data, str):
            name_of(place, next(iter(parts)), known, "a one-emitter operator")
        table(place, parts, [], known)
        c = np.zeros(4, complex)
        for name, value in parts.items():
            unit = [1, 0, 0, 0] if name == "identity" else Ensemble.one_emitter[name]
            c = c + scalar(f"{place}.{name}", value) * np.array(unit)
        return LocalOp(sub, c, index)
