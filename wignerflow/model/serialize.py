"""The one plain form of a model: nested dicts and lists of strings and numbers, nothing else.

Model files (TOML or JSON), provenance, checkpoints and workers all use it. It holds no code: a
callable coefficient is tabulated, and reading evaluates no expression. ``model_to_dict`` writes the
canonical form, which is unique: ``model_to_dict(model_from_dict(d)) == d`` for every canonical d.
``model_from_dict`` also takes shorter spellings, for people. In TOML::

    [[subsystems]]
    kind = "ensemble"              # ensemble (N), collective (S), spin, mode (cutoff, optional),
                                   # levels (N, labels) with operators such as "atoms.|g><e|"
    name = "atoms"
    N = 1000                       # a number, or one per member
    count = 2                      # left out: one subsystem, not an array
    initial = "up"                 # up, down, vacuum, {bloch = [x, y, z]}, {angles = [theta, phi]},
                                   # {coherent = [re, im]}, {fock = 3}, {thermal = 0.5},
                                   # {squeezed = [r, phi]}, {levels = {g = 0.6, e = [0.0, 0.8]}},
                                   # {mixture = {g = 1.0}}, {density = {real = rows, imag = rows}},
                                   # or a list

    [[H]]                          # one term: coef * f(t) ... * factor * factor ...
    coef = [0.5, 0.0]              # a number or [re, im]; 1 if left out
    times = ["ramp"]               # functions of time from [coefficients]
    factors = ["atoms[0].Jz", "atoms[1].Jz"]

    [[H]]
    factors = [{ sum = ["atoms.Jz"], weights = 2.0 }]          # sum over members; weights, phase

    [[H]]
    factors = [
        { couple = { kind = "waveguide", phi = 0.3 }, left = "atoms.Jp", right = "atoms.Jm" },
    ]

    [[jumps]]
    type = "collective"            # L is one operator: terms as in H, or one name
    op = [{ factors = [{ sum = ["atoms.Jm"], phase = 0.3 }] }] # weights e^{i phase m}
    rate = 0.5                     # a plain rate, or the name of a coefficient

    [[jumps]]
    type = "array"                 # one L per member; rate: one, one per member, or a matrix
    op = "atoms.Jm"
    rate = { real = [[1.0, 0.2], [0.2, 1.0]] }

    [[jumps]]
    type = "local"                 # the same L on every emitter
    op = "atoms.sp"
    rate = 250.0

    [coefficients.ramp]            # samples, interpolated linearly
    times = [0.0, 1.0]
    real = [0.0, 5.0]              # imag = [...] where complex

    [[links]]                      # what leaves a jump enters another one later
    source = [0]                   # number of the jump; of an array the member too
    target = [0]
    delay = 0.5                    # phase = 0.3 and transmission = 0.9, if not 0 and 1

Couplings: nearest (periodic), all, power (alpha, periodic), waveguide (phi, chirality), cascade
(phi), dense (real, imag: rows) and sparse (row, col, real, imag: entries). Numbers stand where
numbers are asked for; text such as "2*pi" is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from .. import _check
from .coefficients import Coef
from .kinds.ensemble import LocalOp
from .normal import CoupleNode, Factor, Key, MemberWord, Real, Site, SumNode
from .op import Op
from .operators import ArrayOp
from .products import FourierProducts, PairProducts
from .reading_values import FORMAT, MAX_LETTERS, MAX_SIZE, MAX_SUMS, MAX_TERMS, complex_plain

if TYPE_CHECKING:
    from .model import Jump, LocalJump, Model
    from .pulses import Pulse


def model_to_dict(model: Model, times: Any = None) -> dict[str, Any]:
    """The canonical plain form of a model.

    Args:
        model: the model.
        times: sample times for callable coefficients, strictly increasing; without them a callable
            is refused.

    Raises:
        ValueError: a coefficient is a callable and ``times`` is missing, or an operator is too
            large for the format.
    """
    writer = _Writer(model, times)
    out: dict[str, Any] = {"format": FORMAT, "subsystems": writer.subsystems()}
    if writer.names:
        ordered = sorted(writer.names.items(), key=lambda item: int(item[1][1:]))
        out["coefficients"] = {name: coef.to_dict() for coef, name in ordered}
    out["H"] = writer.op("H", model.H)
    out["jumps"] = [writer.jump(f"jumps[{k}]", jump) for k, jump in enumerate(model.jumps)]
    if model.links:
        out["links"] = [link.to_dict(model) for link in model.links]
    if model.pulses:
        out["pulses"] = [writer.pulse(f"pulses[{k}]", p) for k, p in enumerate(model.pulses)]
    return out


def ops_to_dicts(model: Model, ops: Iterable[Op | ArrayOp], times: Any) -> list[dict[str, Any]]:
    """The plain forms of operators on the subsystems of ``model``.

    Args:
        model: whose subsystems they act on.
        ops: operators without time coefficients.
        times: as for ``model_to_dict``.

    Raises:
        ValueError: an operator is too large for the format.
    """
    writer = _Writer(model, times)
    return [_write(writer, f"e_ops[{k}]", op) for k, op in enumerate(ops)]


def _write(writer: _Writer, where: str, op: Op | ArrayOp) -> dict[str, Any]:
    if isinstance(op, Op):
        return {"type": "single", "op": writer.op(where, op)}
    if isinstance(op, FourierProducts):
        grid = {"start": op.start, "step": op.step, "momenta": op.size}
        return {"type": "fourier", **_array(writer, where, op.op), **grid}
    if isinstance(op, PairProducts):
        out = {"type": "pairs", **_array(writer, where, op.op), "left": _matrix(op.left)}
        return out if op.right is None else {**out, "right": _matrix(op.right)}
    return {"type": "array", **_array(writer, where, op)}


def _array(writer: _Writer, where: str, op: ArrayOp) -> dict[str, Any]:
    return {"members": op.size, "op": writer.array(where, op)}


def _matrix(matrix: scipy.sparse.csr_matrix) -> dict[str, Any]:
    entries = matrix.tocoo()
    shape = {"rows": int(matrix.shape[0]), "row": entries.row.tolist(), "col": entries.col.tolist()}
    return {**shape, **complex_plain(entries.data)}


def copied(plain: Any) -> Any:
    """A copy of a plain form to change; lists of many numbers are copied at once."""
    if isinstance(plain, dict):
        return {key: copied(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return plain.copy() if _numbers(plain) else [copied(entry) for entry in plain]
    return plain


def _numbers(entries: list[Any]) -> bool:
    return all(isinstance(entry, (float, int)) for entry in entries)


def digest(data: dict[str, Any]) -> str:
    """SHA-256 of a plain form, as 64 hexadecimal digits: equal for equal models."""
    plain = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()


class _Writer:
    """Writes operators with subsystems in the order of the model and coefficients by name."""

    def __init__(self, model: Model, times: Any):
        self.model = model
        self.sampled: dict[Coef, Coef] = {}
        for coef in model.coefficients:
            unit = coef.split()[0]
            for c in (coef, unit):
                self.sampled[c] = _sampled(c, times)
        for k, jump in enumerate(model.jumps):
            if isinstance(jump.rate, Coef):
                self.sampled[jump.rate].check_rate(f"jumps[{k}].rate")
        used = self._used(model.jumps)
        forms = {c: c.to_dict() for c in used}

        def samples(c: Coef) -> tuple[Any, ...]:
            return forms[c]["times"], forms[c]["real"], forms[c].get("imag", [])

        self.names = {c: f"f{k}" for k, c in enumerate(sorted(used, key=samples), 1)}

    def _used(self, jumps: Iterable[Jump | LocalJump]) -> set[Coef]:
        ops = [self.model.H, *(j.op for j in jumps if isinstance(j.op, Op))]
        inside = {c for op in ops for c in self.rebuilt(op).coefficients}
        return inside | {self.sampled[j.rate] for j in jumps if isinstance(j.rate, Coef)}

    def rebuilt(self, op: Op) -> Op:
        """The operator with sampled coefficients."""
        if not op.coefficients:
            return op
        out: dict[Key, complex] = {}
        for (times, factors), c in op.terms.items():
            stamp = Op.scalar(1)
            for coef in times:
                stamp = stamp * self.sampled[coef]
            for (sampled, _), scale in stamp.terms.items():
                out[sampled, factors] = out.get((sampled, factors), 0) + scale * c
        return Op(out)

    # -- plain forms -------------------------------------------------------------------------------

    def subsystems(self) -> list[dict[str, Any]]:
        out = []
        for sub, states in self.model.initial.items():
            entry: dict[str, Any] = {"kind": sub.kind, "name": self.model.names[sub]}
            if sub.count is not None:
                entry["count"] = sub.count
            entry.update(sub.parameters())
            plain = [s.to_dict() for s in dict.fromkeys(states)]
            if len(plain) > 1:
                plain = [s.to_dict() for s in states]
            entry["initial"] = plain if len(plain) > 1 else plain[0]
            out.append(entry)
        return out

    def op(self, where: str, op: Op) -> list[dict[str, Any]]:
        terms = self.rebuilt(op).terms
        if len(terms) > MAX_TERMS:
            _check.fail(
                where,
                f"have at most {MAX_TERMS} terms to be written",
                _check.Note(f"{len(terms)} terms"),
            )
        out = []
        for (times, factors), c in terms.items():
            _check_size(where, factors)
            _check_number(where, c)
            term: dict[str, Any] = {"coef": _pair(c)}
            if times:
                term["times"] = sorted(self.names[t] for t in times)
            term["factors"] = [plain for f in factors for plain in self.factor(f)]
            out.append(term)

        def order(term: dict[str, Any]) -> tuple[Any, ...]:
            return term.get("times", []), len(term["factors"]), json.dumps(term["factors"])

        return sorted(out, key=order)

    def jump(self, where: str, jump: Jump | LocalJump) -> dict[str, Any]:
        op = jump.op
        if isinstance(op, LocalOp):
            c = {name: _pair(x) for name, x in op.plain_terms() if x != 0}
            on = self.model.names[op.sub] + ("" if op.member is None else f"[{op.member}]")
            return {"type": "local", "on": on, "op": c, "rate": self.rate(jump.rate)}
        if isinstance(op, Op):
            terms = self.op(f"{where}.op", op)
            return {"type": "collective", "op": terms, "rate": self.rate(jump.rate)}
        out = {"type": "array", "members": op.size, "op": self.array(where, op)}
        matrix = getattr(jump, "matrix", None)
        rate = self.rate(jump.rate) if matrix is None else complex_plain(matrix)
        return {**out, "rate": rate}

    def pulse(self, where: str, pulse: Pulse) -> dict[str, Any]:
        terms = self.op(f"{where}.op", pulse.op)
        return {"time": pulse.time + 0.0, "op": terms, "angle": pulse.angle + 0.0}

    def array(self, where: str, op: ArrayOp) -> list[dict[str, Any]]:
        out = []
        for word, w in op.terms.items():
            constant = np.all(w == w[0])
            _check_number(where, w[np.argmax(np.abs(w))])
            plain = complex_plain(w[0] if constant else w)
            if constant and "imag" not in plain:
                plain = plain["real"]
            if sum(len(letters) for _, letters in word) > MAX_LETTERS:
                _check.fail(where, f"have at most {MAX_LETTERS} factors per term to be written", op)
            out.append({"factors": self.word(word), "weights": plain})
        return sorted(out, key=lambda term: json.dumps(term["factors"]))

    def rate(self, rate: Any) -> Any:
        if isinstance(rate, Coef):
            return self.names[self.sampled[rate]]
        return (rate + 0.0).tolist() if isinstance(rate, np.ndarray) else rate + 0.0

    def factor(self, f: Factor) -> list[Any]:
        if isinstance(f, Site):
            return self.word(((f.sub, f.word),), "" if f.sub.count is None else f"[{f.m}]")
        if isinstance(f, SumNode):
            out: dict[str, Any] = {"sum": self.word(f.word)}
            return [out if np.all(f.weights == 1) else {**out, "weights": f.weights.tolist()}]
        sides = {"left": self.word(f.left), "right": self.word(f.right)}
        return [{"couple": f.coupling.to_dict(), **sides, **_side_weights(f)}]

    def word(self, word: MemberWord, index: str = "") -> list[str]:
        names = self.model.names
        return [
            f"{names[s]}{index}.{s.plain_name(letter)}" for s, letters in word for letter in letters
        ]


def _sampled(coef: Coef, times: Any) -> Coef:
    if coef.function is not None:
        if times is None:
            _check.fail(
                "times",
                f"be given to tabulate {coef!r}, a callable",
                times,
                "Pass `times=`, or build it from samples: `wf.coef(values, times)`.",
            )
        return coef.tabulated(times)
    assert coef.times is not None
    return Coef(coef(coef.times), coef.times)


def _check_size(where: str, factors: tuple[Factor, ...]) -> None:
    sums = sum(not isinstance(f, Site) for f in factors)
    letters = sum(len(f.word) for f in factors if isinstance(f, Site))
    if letters > MAX_LETTERS or sums > MAX_SUMS:
        must = f"have at most {MAX_LETTERS} factors and {MAX_SUMS} sums per term to be written"
        _check.fail(where, must, _check.Note(f"a term of {letters} factors and {sums} sums"))


def _check_number(where: str, c: complex) -> None:
    if not max(abs(c.real), abs(c.imag)) <= MAX_SIZE:
        _check.fail(where, f"have numbers of at most {MAX_SIZE:g} in size to be written", c)


def _pair(c: complex) -> list[float]:
    return [c.real + 0.0, c.imag + 0.0]


def _side_weights(f: CoupleNode) -> dict[str, list[float]]:
    sides: tuple[tuple[str, Real | None], ...] = (("left_weights", f.u), ("right_weights", f.v))
    return {name: w.tolist() for name, w in sides if w is not None}
