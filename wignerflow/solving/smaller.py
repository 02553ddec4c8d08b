r"""The same classical equations at a smaller size: models whose exact solution is quick.

A factor s < 1 multiplies N, lengths, quanta and numbers of spins in sums. A coefficient of an
operator of weight w is multiplied by :math:`s^{1-w}`, a rate of a jump of weight w by
:math:`s^{1-2w}` (the weight counts one for every J or sum of spins, a half for every a or a^+;
jumps of single emitters and the squeezing of a mode stay), which leaves the classical equations as
they are: what differs is the size of quantum fluctuations, which truncation gets wrong.

Of arrays of single emitters, spins or modes, members in the middle are kept, with their states,
rates and couplings; what acts on others is left out. Where the field of all others on a member
falls with their number (the largest sum over a row of a coupling or of the rates of a shared jump),
the coefficient is raised as much, and with it those of sums coupled to modes, by the square root
for every ``a`` or ``a^+``: the classical equations of a member are about the same.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..derived import Derived
from ..derived.function import function
from ..method import Method
from ..model.coefficients import Coef
from ..model.couplings import as_coupling, read_coupling
from ..model.model import Jump, Model
from ..model.normal import Factor, words_of
from ..model.op import Op
from ..model.operators import ArrayOp
from ..model.products import PairProducts
from ..model.pulses import Pulse
from ..model.serialize import copied
from ..model.words import BOSON, PAULI
from ..phasespace.ensemble import GAUSSIAN_BELOW
from .problem import single
from .provenance import write_call

LISTS = (("N", 1), ("S", 2))  # sizes in a plain form, and how many emitters one of each is
SAMPLED_BY_SIZE = ("TWA", "SpinTWA")  # methods whose start is sampled as its size has it
WEIGHTS = {BOSON: 0.5, PAULI: 0.0}  # of a letter; of others one
Whole = Callable[[Mapping[str, Any]], dict[str, Any]]


def weight(factors: Iterable[Factor]) -> float:
    """The weight of a product."""
    words = [pair for f in factors for word in words_of(f) for pair in word]
    return sum(WEIGHTS.get(sub.algebra, 1.0) * len(letters) for sub, letters in words)


def _times(coefficient: Any, factor: float) -> Any:
    if isinstance(coefficient, list):
        return [_times(c, factor) for c in coefficient]
    if isinstance(coefficient, dict):
        return {k: _times(v, factor) for k, v in coefficient.items()}
    return coefficient * factor


def _scaled(H: Op, s: float) -> Op:
    """A Hermitian operator with the same classical equations.

    Ordering leaves terms of smaller weight, J_x J_y - i J_z / 2, which are no longer Hermitian when
    weights are multiplied by different numbers: they are made so.
    """
    out = Op({(times, f): c * s ** (1 - weight(f)) for (times, f), c in H.terms.items()})
    return out if out.is_hermitian() else 0.5 * (out + out.dag())


def _levelled(op: Op | ArrayOp, s: float, vacuum: bool = False) -> tuple[Any, float]:
    """An operator with its constant in proportion to its largest weight, and that weight.

    Other terms of smaller weight come from the order of operators, and stay; so does a constant
    beside modes where it is their ``vacuum``.
    """
    if isinstance(op, PairProducts):
        return op, 0.0
    if isinstance(op, ArrayOp):
        words = [sum(WEIGHTS.get(x.algebra, 1.0) * len(w) for x, w in word) for word in op.terms]
        return op, max(words, default=0.0)
    heaviest = max((weight(factors) for _, factors in op.terms), default=0.0)
    modes = any(sub.algebra == BOSON for sub in op.subsystems)
    if vacuum and (modes or any(weight(factors) % 1 for _, factors in op.terms)):
        return op, heaviest
    terms = {k: c if k[1] else c * s**heaviest for k, c in op.terms.items()}
    return Op(terms), heaviest


def shrunk(
    model: Model, named: Mapping[str, Any], method: Method, times: NDArray[np.float64], s: float
) -> dict[str, Any] | None:
    """A call (see ``write_call``) at a size smaller by ``s``; None where there is no such model.

    Raises:
        NotPlain: a part has no plain form.
    """
    if any(map(single, model.subsystems)):
        return None
    jumps = []
    for jump in model.jumps:
        new = copy.copy(jump)
        if isinstance(jump, Jump):
            if jump.rate is None or isinstance(jump.rate, Coef):
                return None
            new.op, heaviest = _levelled(jump.op, s)
            new.rate = jump.rate * s ** (1 - 2 * heaviest)
        jumps.append(new)
    pulses = tuple(Pulse(p.time, _scaled(p.op, s), p.angle) for p in model.pulses)
    small = model.changed(H=_scaled(model.H, s), jumps=tuple(jumps), pulses=pulses)
    observables = {}
    for name, value in named.items():
        if isinstance(value, Derived):
            observables[name] = copy.copy(value)
            inputs = {n: _levelled(op, s, vacuum=True)[0] for n, op in value.inputs().items()}
            observables[name]._inputs = inputs
        else:
            observables[name] = _levelled(value, s, vacuum=True)[0]
    out = write_call(small, observables, method, times)
    subsystems, plain = out["model"]["subsystems"], out["method"]
    if plain["class"] in SAMPLED_BY_SIZE and plain["options"]["sampling"] == "auto":
        sizes = [np.min(sub[key]) * unit for sub in subsystems for key, unit in LISTS if key in sub]
        if sizes and min(sizes) >= GAUSSIAN_BELOW:
            plain["options"]["sampling"] = "fixed"
    if not all(_subsystem(sub, s) for sub in subsystems):
        return None
    for entry in out["e_ops"]:
        number = entry.get("parameters", {}).get("N")
        if number is not None:
            entry["parameters"]["N"] = _number(number, s, 1)
    return out


def parted(named: Mapping[str, Any]) -> tuple[dict[str, Any], Whole]:
    """Observables that are functions of the user's own, which no file holds, as their operators.

    Also what puts the functions together again, of the operators of another model.
    """
    out: dict[str, Any] = {}
    places: dict[str, dict[str, str]] = {}
    for name, value in named.items():
        if type(value) is not function:
            out[name] = value
            continue
        places[name] = {n: f"{name}\0{n}" for n in value.inputs()}
        out |= {places[name][n]: op for n, op in value.inputs().items()}

    def whole(ops: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value.of({n: ops[key] for n, key in places[name].items()})
            if name in places
            else ops[name]
            for name, value in named.items()
        }

    return out, whole


def _number(value: Any, s: float, unit: int) -> Any:
    """A number of emitters (unit 1) or length (unit 2) times s, and at least one emitter."""
    whole = np.maximum(np.round(np.asarray(value, float) * s * unit), 1) / unit
    return (whole if unit == 2 else whole.astype(int)).tolist()


def _subsystem(sub: dict[str, Any], s: float) -> bool:
    """Shrink one in place; False where that cannot be."""
    for key, unit in LISTS:
        if key in sub:
            sub[key] = _number(sub[key], s, unit)
    states = sub["initial"] if isinstance(sub["initial"], list) else [sub["initial"]]
    for state in states:
        if "fock" in state:
            return False
        if "coherent" in state:
            state["coherent"] = _times(state["coherent"], float(np.sqrt(s)))
        if "thermal" in state:
            state["thermal"] = _times(state["thermal"], s)
    return True


SITE = re.compile(r"^(.+)\[(\d+)\](\..+)?$")


class Shorter:
    """A call whose arrays of M members have m.

    Attributes:
        call: the plain form; None where there is no such model.
        wide: whether a coefficient was raised: fluctuations fall with the number of members.
    """

    def __init__(self, call: Mapping[str, Any], M: int, m: int):
        self.M, self.m, self.first = M, m, (M - m) // 2
        self.wide = False
        out = copied(dict(call))
        model = out["model"]
        self.single = {s["name"] for s in model["subsystems"] if "count" not in s}
        for sub in model["subsystems"]:
            if "count" in sub:
                sub["count"] = m
                sub |= {k: self._cut(sub[k]) for k in ("initial", "N") if k in sub}
        model["H"] = [t for t in (self._term(t) for t in model.get("H", [])) if t is not None]
        for pulse in model.get("pulses", []):
            pulse["op"] = [t for t in (self._term(t) for t in pulse["op"]) if t is not None]
        if "pulses" in model:
            model["pulses"] = [pulse for pulse in model["pulses"] if pulse["op"]]
        jumps = [self._jump(jump) for jump in model.get("jumps", [])]
        model["jumps"] = [jump for jump in jumps if jump is not None]
        for entry in out["e_ops"]:
            for operator in entry["operators"].values():
                self._observable(operator)
            number = entry.get("parameters", {}).get("N")
            if number is not None:
                entry["parameters"]["N"] = _times(number, m / M)
        self.call = out

    def _cut(self, values: Any) -> Any:
        """Entries of the members that stay, in lists, matrices and real and imaginary parts."""
        if isinstance(values, Mapping):
            return {k: self._cut(v) for k, v in values.items()}
        if isinstance(values, list) and len(values) == self.M:
            some = values[self.first : self.first + self.m]
            return [self._cut(v) if isinstance(v, list) else v for v in some]
        return values

    def _index(self, text: str, near: bool) -> str | None:
        """A name with the new number of its member; None for one that is left out."""
        found = SITE.match(text)
        if found is None:
            return text
        k = int(found[2]) - self.first
        if near:
            k = min(max(k, 0), self.m - 1)
        return f"{found[1]}[{k}]{found[3] or ''}" if 0 <= k < self.m else None

    def _factors(self, factors: list[Any], near: bool = False) -> tuple[list[Any], float] | None:
        """Factors on members that stay, and the weight by which a coefficient is raised."""
        out: list[Any] = []
        raised, sums, letters = 1.0, 0, 0
        for f in factors:
            if isinstance(f, str):
                name = self._index(f, near)
                if name is None:
                    return None
                letters += f.split(".")[0] in self.single
                out.append(name)
            elif "sum" in f:
                sums += 1
                out.append({k: self._cut(v) if k == "weights" else v for k, v in f.items()})
            else:
                own = self._couple(f)
                out.append(own)
                raised *= self._field(f, self.M) / max(self._field(own, self.m), 1e-300)
        if sums:
            raised *= (self.M / self.m) ** (sums - 1 + letters / 2)
        return out, raised

    def _couple(self, f: Mapping[str, Any]) -> dict[str, Any]:
        out = {k: self._cut(v) if k.endswith("_weights") else v for k, v in f.items()}
        K = dict(f["couple"])
        if "row" in K:
            rows, columns = np.array(K["row"]) - self.first, np.array(K["col"]) - self.first
            kept = (rows >= 0) & (rows < self.m) & (columns >= 0) & (columns < self.m)
            K["row"], K["col"] = rows[kept].tolist(), columns[kept].tolist()
            for part in ("real", "imag"):
                if part in K:
                    K[part] = np.array(K[part])[kept].tolist()
        elif "phi" in K and isinstance(K["phi"], list):
            K["phi"] = K["phi"][self.first : self.first + len(K["phi"]) - self.M + self.m]
        else:
            K = {k: self._cut(v) for k, v in K.items()}
        out["couple"] = K
        return out

    def _field(self, f: Mapping[str, Any], size: int) -> float:
        K, _ = as_coupling(read_coupling("couple", f["couple"], size))
        return float(np.abs(K.matrix(size)).sum(axis=1).max())

    def _raise(self, coefficient: Any, by: float) -> Any:
        if abs(by - 1) < 1e-9:
            return coefficient
        self.wide |= by > 1.5
        return _times(coefficient, by)

    def _term(self, term: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self._factors(term["factors"])
        if found is None:
            return None
        out = {**term, "factors": found[0]}
        if "weights" in term:
            out["weights"] = self._cut(term["weights"])
        if "coef" in term:
            out["coef"] = self._raise(term["coef"], found[1])
        return out

    def _jump(self, jump: dict[str, Any]) -> dict[str, Any] | None:
        if jump["type"] == "local":
            on = self._index(jump["on"], False)
            return None if on is None else {**jump, "on": on, "rate": self._cut(jump["rate"])}
        if jump["type"] == "array":
            op = [{**t, "weights": self._cut(t["weights"])} for t in jump["op"]]
            rate = self._cut(jump["rate"])
            out = {**jump, "members": self.m, "op": op, "rate": rate}
            if isinstance(rate, dict):  # a matrix
                by = _largest_row(jump["rate"]) / max(_largest_row(rate), 1e-300)
                out["rate"] = self._raise(rate, by)
            return out
        found = [self._factors(t["factors"]) for t in jump["op"]]
        op = [
            {**t, "factors": f[0]} for t, f in zip(jump["op"], found, strict=True) if f is not None
        ]
        if not op:
            return None
        out = {**jump, "op": op}
        if any(not isinstance(f, str) for t in op for f in t["factors"]) and not isinstance(
            jump["rate"], str
        ):
            out["rate"] = self._raise(jump["rate"], self.M / self.m)
        return out

    def _observable(self, operator: dict[str, Any]) -> None:
        if operator["type"] == "array":
            operator["members"] = self.m
            for term in operator["op"]:
                term["weights"] = self._cut(term["weights"])
            return
        for term in operator["op"]:
            found = self._factors(term["factors"], near=True)
            assert found is not None
            term["factors"] = found[0]


def _largest_row(matrix: Mapping[str, Any]) -> float:
    parts = [np.abs(np.array(v, float)) for v in matrix.values()]
    return float(np.sqrt(sum(p**2 for p in parts)).sum(axis=-1).max())
