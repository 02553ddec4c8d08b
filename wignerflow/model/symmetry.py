"""Permutations of the members of arrays under which a model stays as it is, and averages over them.

What such a permutation maps onto each other has equal means. ``symmetries`` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .factors import CoupleNode, MemberWord, Site, SumNode
from .operators import ArrayOp, Op, couple
from .products import PairProducts
from .subsystems import Subsystem

Permutation = NDArray[np.int64]

MOST = 2**24  # numbers that comparing products may take
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
