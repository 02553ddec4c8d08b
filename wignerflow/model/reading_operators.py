"""Operators of a plain form: terms, sums over members, couplings, time coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _check
from .arrays import ArrayOp, couple
from .coefficients import Coef
from .couplings import read_coupling
from .factors import Key
from .limits import MAX_LETTERS, MAX_MEMBERS, MAX_SUMS, MAX_TERMS, MAX_WORK
from .op import Op
from .reading_parts import read_coef
from .reading_subsystems import SubsystemReader
from .reading_values import (
    ROOT,
    entry_complex,
    name_of,
    naming,
    nearest,
    real,
    reals,
    scalar,
    sequence,
    table,
)


class OperatorReader(SubsystemReader):
    """Reads operators against the subsystems and coefficients of one model."""

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
            size = _check.integer(f"{where}.members", entry["members"], 1)
            if size > MAX_MEMBERS:
                _check.fail(f"{where}.members", f"be at most {MAX_MEMBERS}", size)
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
