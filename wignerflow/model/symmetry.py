"""Permutations of the members of arrays under which a model stays as it is, and averages over them.

What such a permutation maps onto each other has equal means. ``symmetries`` tries the mirror
m -> M-1-m, the translation m -> m+1 of a ring, and exchanges of members. Whether H is invariant is
seen from its value with random numbers in place of operators; of the jumps the Gram form
sum_k r_k L_k(z) L_k(y)^* is compared, which knows neither their phases nor how they are mixed among
each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .coefficients import Coef
from .jumps import Jump, LocalJump, member_rates
from .model import Model
from .normal import CoupleNode, MemberWord, Site, SumNode
from .operators import ArrayOp, Op, couple
from .products import PairProducts
from .subsystems import Subsystem

Permutation = NDArray[np.int64]

MOST = 2**24  # numbers that comparing may take
PAIRS = 2**18  # pairs of members in an average


@dataclass(frozen=True)
class Symmetry:
    """Permutations of the members of some arrays, all of one size M, under which a model stays.

    Attributes:
        arrays: those that are permuted together.
        kind: "mirror", "translation", "permutation", or "exchange" of equal members.
        orbits: which members have equal means: equal numbers, (M,).
        mirror: whether the mirror is among them.
    """

    arrays: frozenset[Subsystem]
    kind: str
    orbits: NDArray[np.int64]
    mirror: bool

    @property
    def size(self) -> int:
        """M."""
        return int(self.orbits.size)

    def generators(self) -> list[Permutation]:
        """Permutations that make all others but exchanges."""
        out = [mirror(self.size)] if self.mirror else []
        if self.kind in ("translation", "permutation"):
            out.append(np.roll(np.arange(self.size), -1))
        return out

    @cached_property
    def _counts(self) -> NDArray[np.float64]:
        return np.bincount(self.orbits)[self.orbits].astype(float)

    def mean(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Averages over orbits, at every member, (M,)."""
        sums = np.zeros(self.size, weights.dtype)
        np.add.at(sums, self.orbits, weights)
        return sums[self.orbits] / self._counts

    # -- operators -------------------------------------------------------------------------------

    def average(self, op: Op) -> Op:
        """An operator of the same mean, the average over the symmetry as far as it is short."""
        out = Op()
        for (times, factors), c in op.terms.items():
            out = out + self._term(factors) * Op({(times, ()): c})
        return op if out == op else out

    def _term(self, factors: tuple[Any, ...]) -> Op:
        own = [f for f in factors if f.subs & self.arrays]
        rest = [f for f in factors if f not in own]
        same = _product(factors)
        if not own or not all(f.subs <= self.arrays for f in own):
            return same
        # factors of other subsystems commute with them, so their order among each other is kept
        words = _one_member(own)
        if words is not None:
            word, weights = words
            terms = {word: self.mean(weights).astype(complex)}
            return ArrayOp(terms, self.size).sum() * _product(rest)
        pair = self._pair(own)
        if pair is not None:
            return pair * _product(rest)
        if self.mirror:
            image = [_image(f, mirror(self.size)) for f in own]
            if all(f is not None for f in image):
                return 0.5 * (_product(own) + _product(image)) * _product(rest)
        return same

    def _pair(self, own: list[Any]) -> Op | None:
        """Of two different members of a ring, or of equal ones."""
        kind, M = self.kind, self.size
        sites = len(own) == 2 and all(isinstance(f, Site) for f in own)
        if not sites or kind not in ("translation", "permutation"):
            return None
        (a, b), members = own, np.arange(M)
        if kind == "permutation":
            if M * (M - 1) > PAIRS:
                return None
            K: Any = (np.ones((M, M)) - np.eye(M)) / (M * (M - 1))
        else:
            gaps = [b.m - a.m] + ([a.m - b.m] if self.mirror else [])
            rows = np.tile(members, len(gaps))
            columns = np.concatenate([(members + g) % M for g in gaps])
            ones = np.full(rows.size, 1 / rows.size)
            K = scipy.sparse.coo_matrix((ones, (rows, columns)), shape=(M, M)).tocsr()
        every = np.ones(M, complex)
        left, right = (ArrayOp({((f.sub, f.word),): every}, M) for f in (a, b))
        return couple(left, K, right)

    # -- arrays of operators -----------------------------------------------------------------------

    def equal(self, op: ArrayOp) -> NDArray[np.int64] | None:
        """Which entries of an array operator have equal means: equal numbers; None: none have."""
        if not op.subsystems or not op.subsystems <= self.arrays:
            return None
        if isinstance(op, PairProducts):
            labels = self._equal_products(op)
        else:
            one = all(_near(self.mean(w), w) for w in op.terms.values())
            labels = self.orbits if one and op.size == self.size else None
        if labels is None or np.unique(labels).size == labels.size:
            return None
        return labels

    def _equal_products(self, op: PairProducts) -> NDArray[np.int64] | None:
        """Rows of weights that a permutation maps onto each other, but for phases."""
        if op.op.size != self.size or not all(_near(self.mean(w), w) for w in op.op.terms.values()):
            return None
        if op.size**2 * self.size > MOST or op.size * self.size > MOST // 64:
            return None
        U = op.left.toarray()
        V = U if op.right is None else op.right.toarray()
        sizes = [np.sum(np.abs(W) ** 2, axis=1) for W in (U, V)]
        links = []
        for g in self.generators():
            # C_k -> C_k' where U_k o g = e^{ia} U_k' and V_k o g = e^{ia} V_k'
            both = (U[:, g] @ U.conj().T).conj() * (V[:, g] @ V.conj().T)
            right = np.sqrt(np.outer(sizes[0], sizes[0]) * np.outer(sizes[1], sizes[1]))
            links.append(np.argwhere(np.abs(both - right) <= 1e-9 * right.max()))
        pairs = np.concatenate([np.zeros((0, 2), int), *links])
        graph = scipy.sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(op.size, op.size))
        return np.asarray(scipy.sparse.csgraph.connected_components(graph, directed=False)[1])


def mirror(size: int) -> Permutation:
    """m -> M-1-m."""
    return np.arange(size)[::-1]


def _near(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= 1e-12 * np.abs(b).max(initial=0.0))


def _product(factors: Any) -> Op:
    out = Op.scalar(1.0)
    for f in factors:
        out = out * Op({((), (f,)): 1.0})
    return out


def _one_member(own: list[Any]) -> tuple[MemberWord, NDArray[np.float64]] | None:
    """A word on one member of the arrays and its weights, if the factors are no more than that."""
    if len(own) == 1 and isinstance(own[0], SumNode):
        return own[0].word, own[0].weights
    if all(isinstance(f, Site) for f in own) and len({f.m for f in own}) == 1:
        word = tuple((f.sub, f.word) for f in sorted(own, key=lambda f: f.sub.order))
        if len({sub for sub, _ in word}) == len(word):
            weights = np.zeros(own[0].sub.size)
            weights[own[0].m] = 1.0
            return word, weights
    return None


def _image(factor: Any, g: Permutation) -> Any:
    """A factor with g(m) for m, g its own inverse; None where K does not allow it."""
    if isinstance(factor, Site):
        return Site(factor.sub, int(g[factor.m]), factor.word)
    if isinstance(factor, SumNode):
        return SumNode(factor.word, np.ascontiguousarray(factor.weights[g]))
    assert isinstance(factor, CoupleNode)
    x = np.random.default_rng(3).standard_normal(g.size)
    if not _near(factor.coupling.apply(x)[g], factor.coupling.apply(x[g])):
        return None
    u, v = (None if w is None else np.ascontiguousarray(w[g]) for w in (factor.u, factor.v))
    return CoupleNode(factor.left, factor.coupling, factor.right, u, v)


def averaged(
    base: Mapping[str, Op | ArrayOp], found: list[Symmetry]
) -> tuple[dict[str, Op | ArrayOp], dict[str, NDArray[np.int64]]]:
    """Base operators averaged over symmetries, and of arrays, by key, which entries are equal."""
    operators: dict[str, Op | ArrayOp] = {}
    equal: dict[str, NDArray[np.int64]] = {}
    for key, op in base.items():
        for symmetry in found:
            if isinstance(op, Op):
                op = symmetry.average(op)
            elif (labels := symmetry.equal(op)) is not None:
                equal[key] = labels
        operators[key] = op
    return operators, equal


SAME = 1e-11  # relative difference of equal values
FEW = 32  # members of an array in which equal ones are looked for pair by pair


def symmetries(model: Model) -> list[Symmetry]:
    """Those of arrays of the same size together, or else of each array by itself."""
    if model.links:
        return []
    arrays: dict[int, list[Subsystem]] = {}
    for sub in model.subsystems:
        if sub.count is not None and sub.size > 1:
            arrays.setdefault(sub.size, []).append(sub)
    out = []
    for own in arrays.values():
        found = _find(model, frozenset(own))
        if found is not None:
            out.append(found)
        elif len(own) > 1:
            out += [s for sub in own if (s := _find(model, frozenset([sub]))) is not None]
    return out


def _find(model: Model, arrays: frozenset[Subsystem]) -> Symmetry | None:
    look = _Look(model, arrays)
    M, members = look.size, np.arange(look.size)
    if look.work > MOST:
        return None
    swap = members.copy()
    swap[[0, 1]] = 1, 0
    mirrored = look.stays(mirror(M))
    if look.stays(np.roll(members, -1)):
        kind = "permutation" if look.stays(swap) else "translation"
        return Symmetry(arrays, kind, np.zeros(M, np.int64), mirrored)
    if mirrored:
        return Symmetry(arrays, "mirror", np.minimum(members, M - 1 - members), True)
    if M > FEW:
        return None
    orbits = np.full(M, -1)
    first: list[int] = []
    for m in range(M):
        for k, other in enumerate(first):
            exchanged = members.copy()
            exchanged[[m, other]] = other, m
            if look.stays(exchanged):
                orbits[m] = k
                break
        else:
            orbits[m] = len(first)
            first.append(m)
    return None if len(first) == M else Symmetry(arrays, "exchange", orbits, False)


class _Look:
    """Values of a model with random numbers in place of the operators of its members."""

    def __init__(self, model: Model, arrays: frozenset[Subsystem]):
        self.model, self.arrays = model, arrays
        self.size = next(iter(arrays)).size
        self.rng = np.random.default_rng(20)
        self.letters: tuple[dict[Any, Any], ...] = ({}, {}, {})
        jumps = sum(len(j.op.terms) if isinstance(j.op, Op) else 1 for j in model.jumps)
        dense = any(isinstance(j, Jump) and j.matrix is not None for j in model.jumps)
        self.unitary = [model.H, *(p.generator for p in model.pulses)]
        terms = sum(len(op.terms) for op in self.unitary) + jumps
        self.work = self.size * max(terms, self.size if dense else 1)
        self.before = self._values(None)

    def stays(self, g: Permutation) -> bool:
        """Whether the model is the same with member m called g(m)."""
        if not (self._same_states(g) and self._same_local(g)):
            return False
        after = self._values(g)
        return all(
            abs(a - b) <= SAME * scale
            for (a, scale), (b, _) in zip(self.before, after, strict=True)
        ) and self._same_order(g)

    # -- values ------------------------------------------------------------------------------------

    def _number(self, which: int, key: Any, shape: int) -> NDArray[np.complex128]:
        known = self.letters[which]
        if key not in known:
            known[key] = self.rng.standard_normal(shape) + 1j * self.rng.standard_normal(shape)
        out: NDArray[np.complex128] = known[key]
        return out

    def _letter(self, which: int, sub: Subsystem, word: str, g: Any) -> NDArray[np.complex128]:
        out = self._number(which, (sub, word), sub.size)
        return out if g is None or sub not in self.arrays else out[g]

    def _word(self, which: int, word: MemberWord, g: Any) -> NDArray[np.complex128]:
        out: Any = 1.0
        for sub, letters in word:
            out = out * self._letter(which, sub, letters, g)
        return np.asarray(out)

    def _factor(self, which: int, f: Any, g: Any) -> complex:
        if isinstance(f, Site):
            return complex(self._letter(which, f.sub, f.word, g)[f.m])
        if isinstance(f, SumNode):
            return complex(f.weights @ self._word(which, f.word, g))
        left, right = self._word(which, f.left, g), self._word(which, f.right, g)
        left, right = (x if w is None else w * x for x, w in ((left, f.u), (right, f.v)))
        return complex(left @ f.coupling.apply(right))

    def _coef(self, coef: Coef) -> complex:
        return complex(self._number(2, coef, 1)[0])

    def _op(self, which: int, op: Op, g: Any) -> tuple[complex, float]:
        """Its value, and the sum of the sizes of its terms."""
        total, size = 0j, 0.0
        for (times, factors), c in op.terms.items():
            value = complex(c)
            for coef in times:
                value *= self._coef(coef)
            for f in factors:
                value *= self._factor(which, f, g)
            total, size = total + value, size + abs(value)
        return total, size

    def _values(self, g: Any) -> list[tuple[complex, float]]:
        """Of H and pulses, and of the Gram form of the jumps that are not local."""
        total, size = 0j, 0.0
        for jump in self.model.collective_jumps:
            value, own = self._gram(jump, g)
            total, size = total + value, size + own
        return [*(self._op(0, op, g) for op in self.unitary), (total, size)]

    def _gram(self, jump: Jump, g: Any) -> tuple[complex, float]:
        rate: Any = jump.rate
        if isinstance(rate, Coef):
            rate = self._coef(rate)
        if isinstance(jump.op, Op):
            (a, s), (b, t) = (self._op(k, jump.op, g) for k in (0, 1))
            return rate * a * b.conjugate(), abs(rate) * s * t
        z, y = (
            sum((w * self._word(k, word, g) for word, w in jump.op.terms.items()), 0j)
            for k in (0, 1)
        )
        z, y = (np.broadcast_to(x, (jump.op.size,)) for x in (z, y))
        if jump.matrix is not None:
            return complex(y.conj() @ jump.matrix @ z), float(
                np.abs(y) @ np.abs(jump.matrix) @ np.abs(z)
            )
        each = rate * z * y.conj()
        return complex(each.sum()), float(np.abs(each).sum())

    # -- what is no number -------------------------------------------------------------------------

    def _same_states(self, g: Permutation) -> bool:
        """Initial states and parameters such as the number of emitters."""
        for sub in self.arrays:
            forms = [state.to_dict() for state in self.model.initial[sub]]
            values: list[Any] = [forms]
            values += [v for v in sub.parameters().values() if isinstance(v, list)]
            if any(len(v) == self.size and v != [v[m] for m in g.tolist()] for v in values):
                return False
        return True

    def _same_local(self, g: Permutation) -> bool:
        """What every emitter does: sum_k r_k l_k l_k^* of every member."""
        sums: dict[Any, Any] = {}
        for jump in self.model.local_jumps:
            if jump.op.sub in self.arrays:
                self._add_local(jump, sums)
        return all(np.abs(x - x[g]).max() <= SAME * np.abs(x).max() for x in sums.values())

    def _add_local(self, jump: LocalJump, sums: dict[Any, Any]) -> None:
        l = jump.op.matrix().ravel()
        form = np.outer(l, l.conj())
        rates = np.zeros(self.size, complex)
        where = slice(None) if jump.op.member is None else jump.op.member
        if isinstance(jump.rate, Coef):
            rates[where] = self._coef(jump.rate)
        else:
            rates[where] = np.array(member_rates(jump.rate, self.size))[where]
        own = rates[:, None, None] * form
        sums[jump.op.sub] = sums.get(jump.op.sub, 0) + own

    def _same_order(self, g: Permutation) -> bool:
        """Whether words on one and the same member stand in an order that is the same, too.

        Numbers commute. So, of one array at a time, matrices stand for the words on one member,
        and all others are one.
        """
        for sub, op in itertools.product(self.arrays, self.unitary):
            values = np.zeros((self.size, 3, 3), complex)
            size = 0.0
            for (times, factors), c in op.terms.items():
                part = self._at_members(sub, factors)
                if part is not None:
                    weight = complex(c) * np.prod([self._coef(t) for t in times])
                    values += weight * part
                    size = max(size, float(np.abs(weight * part).max()))
            if np.abs(values - values[g]).max() > 1e-9 * size:
                return False
        return True

    def _at_members(self, sub: Subsystem, factors: Any) -> NDArray[np.complex128] | None:
        """A product where all of it is on member m, for every m; None: it has less than two."""
        if sum(sub in f.subs for f in factors) < 2:
            return None
        out = np.broadcast_to(np.eye(3, dtype=complex), (self.size, 3, 3))
        for f in factors:
            if isinstance(f, CoupleNode):
                return None
            word = ((f.sub, f.word),) if isinstance(f, Site) else f.word
            weights = np.zeros(self.size)
            if isinstance(f, Site):
                if f.sub.count is None:
                    continue
                weights[f.m] = 1.0
            else:
                weights = f.weights
            letter = np.eye(3, dtype=complex)
            for own, letters in word:
                if own == sub:
                    letter = self._number(2, ("matrix", own, letters), 9).reshape(3, 3)
            out = weights[:, None, None] * (out @ letter)
        return out
