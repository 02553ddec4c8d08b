"""Reading a model from its plain form, strictly: every message names the place in the file.

Nothing is evaluated and nothing large is built before its size has been checked. The format is
described in ``serialize``. From the bottom up: ``reading_values`` (tables, lists, numbers),
``reading_parts`` (coefficients, states, subsystems), and here operators, jumps and the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import scipy

from .. import _check
from .coefficients import Coef
from .couplings import read_coupling
from .levels import LevelOp, Levels
from .links import Link
from .model import Jump, LocalJump, Model
from .normal import Key
from .op import Op
from .operators import ArrayOp, couple
from .outputs import Output
from .products import FourierProducts, PairProducts
from .pulses import Pulse
from .reading_parts import SubsystemReader, read_coef
from .reading_values import (
    FORMAT,
    MAX_JUMPS,
    MAX_LETTERS,
    MAX_MEMBERS,
    MAX_SUMS,
    MAX_TERMS,
    MAX_WORK,
    ROOT,
    entry_complex,
    missing,
    name_of,
    naming,
    nearest,
    real,
    reals,
    rows,
    scalar,
    sequence,
    table,
)
from .subsystems import Ensemble, LocalOp

E_OPS = "e_ops"
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


def read_with(data: Any, ops: Iterable[Any]) -> tuple[Model, list[Op | ArrayOp]]:
    """A model from its plain form, and operators on its subsystems from theirs.

    Raises:
        ValueError, TypeError: the plain forms are not what ``serialize`` writes.
    """
    model, reader = read_model(data)
    return model, [_read(reader, f"{E_OPS}[{k}]", entry) for k, entry in enumerate(ops)]


def _read(reader: Reader, where: str, data: Any) -> Op | ArrayOp:
    kinds = {
        "single": [],
        "array": ["members"],
        "pairs": ["members", "left"],
        "fourier": ["members", "start", "step", "momenta"],
    }
    if not isinstance(data, dict):
        _check.fail(where, "be a table with type and op", data, kind=TypeError)
    kind = name_of(f"{where}.type", data.get("type"), kinds, "a type of operator")
    entry = table(where, data, ["type", "op", *kinds[kind]], ["right"] if kind == "pairs" else [])
    if kind == "single":
        return reader.op(f"{where}.op", entry["op"])
    op = reader.array_terms(where, entry)
    if kind == "array":
        return op
    if kind == "fourier":
        start, step = (_check.real(f"{where}.{k}", entry[k]) for k in ("start", "step"))
        size = _check.integer(f"{where}.momenta", entry["momenta"], 1, MAX_MEMBERS)
        return FourierProducts(op, start, step, size)
    sides = [
        _sparse_rows(f"{where}.{k}", entry[k], op.size) for k in ("left", "right") if k in entry
    ]
    return PairProducts(op, *sides)


def _sparse_rows(where: str, data: Any, members: int) -> scipy.sparse.csr_matrix:
    entry = table(where, data, ["rows", "row", "col", "real"], ["imag"])
    size = _check.integer(f"{where}.rows", entry["rows"], 1, MAX_MEMBERS)
    values = {k: reals(f"{where}.{k}", entry[k]) for k in ("real", "imag") if k in entry}
    places = []
    for key, limit in (("row", size), ("col", members)):
        numbers = sequence(f"{where}.{key}", entry[key], MAX_WORK)
        if len(numbers) != len(values["real"]):
            must = f"have as many entries as `real`, {len(values['real'])}"
            _check.fail(f"{where}.{key}", must, f"a list of {len(numbers)}")
        if any(type(n) is not int or not 0 <= n < limit for n in numbers):
            _check.fail(f"{where}.{key}", f"hold indices from 0 to {limit - 1}", numbers)
        places.append(np.array(numbers, np.int64))
    weights = np.asarray(entry_complex(values), complex)
    return scipy.sparse.csr_matrix((weights, tuple(places)), shape=(size, members))


class Reader(SubsystemReader):
    """Reads operators and jumps against the subsystems and coefficients of one model."""

    def __init__(self, top: Mapping[str, Any]):
        super().__init__(top)
        self.work = 0
        self.coefs: dict[str, Coef] = {}
        self.used: set[str] = set()
        place = f"{ROOT}.coefficients"
        coefficients = top.get("coefficients", {})
        if not isinstance(coefficients, Mapping):
            _check.fail(place, "be a table of named coefficients", coefficients, kind=TypeError)
        for name, entry in coefficients.items():
            if not isinstance(name, str):
                _check.fail(place, "have names as keys", name, kind=TypeError)
            self.coefs[name] = read_coef(f"{place}.{name}", entry)

    def site(self, where: str, data: Any) -> Op:
        """A named operator of one subsystem or member."""
        sub, index, name = self.named(where, data)
        if name not in sub.named():
            hint = "Such operators stand in jumps of the type 'local' only."
            _check.fail(where, "be a collective operator, not one emitter's", data, hint)
        if sub.count is not None and index is None:
            hint = (
                f"Index one member ('{sub.name}[0].{name}') or sum over all: {{sum = ['{data}']}}."
            )
            _check.fail(where, "be one operator, not one per member", data, hint)
        op = sub.collective(name, index)
        assert isinstance(op, Op)
        return op

    def array(self, where: str, data: Any) -> ArrayOp:
        """A product of operators of arrays, member by member."""
        names = [data] if isinstance(data, str) else sequence(where, data, MAX_LETTERS)
        if not names:
            _check.fail(where, "name at least one operator of an array", names)
        out: ArrayOp | None = None
        for k, name in enumerate(names):
            place = f"{where}[{k}]"
            sub, index, letter = self.named(place, name)
            if sub.count is None or index is not None:
                _check.fail(place, "be an operator of an array, without index", name)
            if letter not in sub.named():
                _check.fail(place, "be a collective operator, not one emitter's", name)
            if out is not None and out.size != sub.size:
                must = f"belong to an array of {out.size} members, as the others"
                _check.fail(place, must, _check.Note(f"{name} of {sub.size}"))
            factor = sub.collective(letter, None)
            out = factor if out is None else out * factor
        assert out is not None
        return out

    def array_terms(self, where: str, entry: Mapping[str, Any]) -> ArrayOp:
        """The operator of an array jump: a name, or a list of weighted products."""
        place, data = f"{where}.op", entry["op"]
        size: int | None = None
        if "members" in entry:
            size = _check.integer(f"{where}.members", entry["members"], 1, MAX_MEMBERS)
        if isinstance(data, str):
            data = [{"factors": [data]}]
        terms = []
        for k, term in enumerate(sequence(place, data, 1000)):
            fields = table(f"{place}[{k}]", term, ["factors"], ["weights", "phase"])
            names = sequence(f"{place}[{k}].factors", fields["factors"], MAX_LETTERS)
            op = self.array(f"{place}[{k}].factors", names) if names else None
            if op is not None and size is not None and op.size != size:
                must = f"belong to an array of {size} members, as the others"
                _check.fail(f"{place}[{k}].factors", must, _check.Note(f"one of {op.size}"))
            size = size if op is None else op.size
            terms.append((op, fields, f"{place}[{k}]"))
        if size is None:
            _check.fail(place, "name an operator of an array, or come with `members`", data)
        self.work += size * len(terms)
        if self.work > MAX_WORK:
            _check.fail(
                place, "belong to a model of bounded size", _check.Note(f"{len(terms)} terms")
            )
        out = ArrayOp({}, size)
        one = ArrayOp({(): np.ones(size, complex)}, size)
        for op, fields, spot in terms:
            out = out + self.weights(spot, fields, size) * (one if op is None else op)
        return out

    def weights(self, where: str, entry: Mapping[str, Any], size: int) -> Any:
        """``weights`` and ``phase`` of a sum: a number or an array of shape (size,)."""
        w: Any = 1.0
        if "weights" in entry:
            w = self.numbers(f"{where}.weights", entry["weights"], size)
        if "phase" in entry:
            w = w * np.exp(1j * real(f"{where}.phase", entry["phase"]) * np.arange(size))
        return w

    def numbers(self, where: str, data: Any, size: int) -> Any:
        """A number, one number per member, or a table of real and imaginary parts of either."""
        if isinstance(data, Mapping):
            entry = table(where, data, ["real"], ["imag"])
            parts = [self.numbers(f"{where}.{key}", entry[key], size) for key in entry]
            if any(np.iscomplexobj(part) for part in parts):
                _check.fail(where, "have numbers as its real and imaginary parts", data)
            return entry_complex(dict(zip(entry, parts, strict=True)))
        return reals(where, data, size) if isinstance(data, (list, tuple)) else real(where, data)

    def factor(self, where: str, data: Any) -> tuple[Op, int]:
        """A factor of a term, and the number of entries it holds."""
        if not isinstance(data, Mapping):
            return self.site(where, data), 0
        if "couple" in data:
            entry = table(
                where, data, ["couple", "left", "right"], ["left_weights", "right_weights"]
            )
            left = self.array(f"{where}.left", entry["left"])
            right = self.array(f"{where}.right", entry["right"])
            if left.size != right.size:
                must = f"belong to an array of {left.size} members, as `left`"
                _check.fail(f"{where}.right", must, _check.Note(f"one of {right.size}"))
            sides = []
            for op, key in ((left, "left_weights"), (right, "right_weights")):
                w = self.numbers(f"{where}.{key}", entry[key], op.size) if key in entry else 1.0
                sides.append(op if isinstance(w, float) and w == 1.0 else w * op)
            K = read_coupling(f"{where}.couple", entry["couple"], left.size)
            with naming(where):
                return couple(sides[0], K, sides[1]), left.size
        if "sum" in data:
            entry = table(where, data, ["sum"], ["weights", "phase"])
            op = self.array(f"{where}.sum", entry["sum"])
            return (self.weights(where, entry, op.size) * op).sum(), op.size
        keys = ", ".join(map(str, data)) or "no keys"
        hint = nearest(next(iter(data), ""), ["sum", "couple"])
        _check.fail(
            where, "have the key 'sum' or 'couple'", _check.Note(f"a table with {keys}"), hint
        )

    def op(self, where: str, data: Any) -> Op:
        """An operator: a list of terms, or the name of one."""
        if isinstance(data, str):
            return self.site(where, data)
        out: dict[Key, complex] = {}
        for k, entry in enumerate(sequence(where, data, MAX_TERMS)):
            for key, c in self.term(f"{where}[{k}]", entry).terms.items():
                out[key] = out.get(key, 0) + c
        return Op(out)

    def term(self, where: str, data: Any) -> Op:
        """One term: coefficient, functions of time and factors."""
        entry = table(where, data, ["factors"], ["coef", "times"])
        place = f"{where}.factors"
        factors = sequence(place, entry["factors"], MAX_LETTERS + MAX_SUMS)
        sums = [f for f in factors if isinstance(f, Mapping)]
        if len(sums) > MAX_SUMS or len(factors) - len(sums) > MAX_LETTERS:
            must = f"have at most {MAX_LETTERS} operators and {MAX_SUMS} sums"
            _check.fail(place, must, _check.Note(f"a list of {len(factors)}"))
        out = Op.scalar(scalar(f"{where}.coef", entry.get("coef", 1.0)))
        names = sequence(f"{where}.times", entry.get("times", []), MAX_SUMS)
        for k, name in enumerate(names):
            out = out * self.coef(f"{where}.times[{k}]", name)
        size = 0
        for k, factor in enumerate(factors):
            op, entries = self.factor(f"{place}[{k}]", factor)
            size = max(size, entries)
            self.work += size * 4 ** len(sums)
            if self.work > MAX_WORK:
                _check.fail(
                    place,
                    "belong to a model of bounded size",
                    _check.Note(f"{len(sums)} sums over {size}"),
                )
            out = out * op
        return out

    def coef(self, where: str, data: Any) -> Coef:
        """A coefficient by name."""
        name = name_of(where, data, self.coefs, "a coefficient")
        self.used.add(name)
        return self.coefs[name]

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
