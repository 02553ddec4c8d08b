r"""Expectation values in product states as polynomials of the emitters' Bloch vectors r.

Exact for words of any length: with J_a the sum of sigma_a/2 over N emitters,

.. math:: \langle J_{a_1}\cdots J_{a_k}\rangle = 2^{-k} \sum_\pi N(N-1)\cdots(N-|\pi|+1)
   \prod_{B\in\pi}\langle \textstyle\prod_{i\in B}\sigma_{a_i}\rangle_r

over the partitions pi of the k factors into sets that fall on the same emitter. For one and two
factors: N r_a/2 and N(N-1) r_a r_b/4 + N(delta_ab + i eps_abc r_c)/4. Averages of these over a
P-function are the quantum expectation values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..model.couplings import Coupling
from ..model.normal import CoupleNode, Factor, MemberWord
from ..model.operators import ArrayOp, Op
from ..model.subsystems import CollectiveSpin, Ensemble, Subsystem
from ..model.words import PAULI, letter, levels_of
from .moyal import level_symbol
from .polynomials import Pair, Terms, expanded
from .symbols import Mono, SymbolMap

Pieces = dict[Mono, NDArray]


def emitters(sub: Subsystem) -> NDArray[np.float64]:
    """Number of two-level emitters of every member: N, 2S, or one for a spin-1/2."""
    if isinstance(sub, Ensemble):
        return sub.numbers.astype(float)
    if isinstance(sub, CollectiveSpin):
        return 2 * np.asarray(sub.lengths, float)
    return np.ones(sub.size)


def _partitions(items: tuple[int, ...]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for partition in _partitions(rest):
        yield [[first], *partition]
        for i, block in enumerate(partition):
            yield [*partition[:i], [first, *block], *partition[i + 1 :]]


def _pauli_product(letters: list[int]) -> tuple[int | None, complex]:
    """sigma_{a1} sigma_{a2} ... as a phase times one Pauli matrix (or None for the identity)."""
    now: int | None = None
    phase = 1 + 0j
    for a in letters:
        if now is None:
            now = a
        elif now == a:
            now = None
        else:
            phase *= 1j if (a - now) % 3 == 1 else -1j
            now = 3 - now - a
    return now, phase


@lru_cache(maxsize=1000)
def collective_moment(word: str) -> tuple[tuple[tuple[int, ...], int, complex], ...]:
    """<J_word> as terms (components of r, number k of distinct emitters, coefficient).

    A term stands for coefficient * N(N-1)...(N-k+1) * product of r components.
    """
    letters = ["xyz".index(x) for x in word]
    out: dict[tuple[tuple[int, ...], int], complex] = {}
    for partition in _partitions(tuple(range(len(letters)))):
        value, comps = 0.5 ** len(letters) + 0j, []
        for block in partition:
            pauli, phase = _pauli_product([letters[i] for i in block])
            value *= phase
            if pauli is not None:
                comps.append(pauli)
        key = tuple(sorted(comps)), len(partition)
        out[key] = out.get(key, 0) + value
    return tuple((comps, k, c) for (comps, k), c in out.items() if c != 0)


@lru_cache(maxsize=1000)
def level_moment(word: str) -> tuple[tuple[tuple[int, ...], int, complex], ...]:
    """The same of X_ab of emitters with levels, the components being those of their matrix r."""
    pairs = [levels_of(x) for x in word]
    out: dict[tuple[tuple[int, ...], int], complex] = {}
    for partition in _partitions(tuple(range(len(pairs)))):
        chains = [[pairs[i] for i in block] for block in partition]
        if any(one[1] != two[0] for chain in chains for one, two in pairwise(chain)):
            continue
        ends = [level_symbol(letter(chain[0][0], chain[-1][1])) for chain in chains]
        for key, c in expanded(ends).items():
            out[key, len(partition)] = out.get((key, len(partition)), 0) + c
    return tuple((comps, k, c) for (comps, k), c in out.items() if c != 0)


class ProductStates(SymbolMap):
    """Expectation values in product states; the classical variables are Bloch vectors r."""

    def pieces(self, sub: Subsystem, letters: str) -> Pieces:
        """Monomials (block, component) and coefficients per member of a word on one site."""
        block = self.block_of[sub]
        if sub.algebra == PAULI:
            comps = tuple("xyz".index(x) for x in letters)
            return {tuple((block, c) for c in comps): np.ones(sub.size, complex)}
        N = emitters(sub)
        out: Pieces = {}
        for comps, k, c in collective_moment(letters):
            falling = np.prod([N - i for i in range(k)], axis=0) if k else np.ones(sub.size)
            mono = tuple((block, a) for a in comps)
            out[mono] = out.get(mono, 0) + c * falling
        return out

    def word_pieces(self, word: MemberWord, size: int) -> Pieces:
        """The same for a word on several sites of one member."""
        every = [self.pieces(sub, letters).items() for sub, letters in word]
        return expanded([[((), np.ones(size, complex))], *every])

    def array_symbol(self, op: ArrayOp) -> Pieces:
        out: Pieces = {}
        for word, w in op.terms.items():
            for mono, c in self.word_pieces(word, op.size).items():
                out[mono] = out.get(mono, 0) + c * w
        return out

    def word(self, sub: Subsystem, letters: str) -> Iterable[tuple[tuple[int, ...], complex]]:
        return [
            (tuple(c for _, c in mono), complex(v[0]))
            for mono, v in self.pieces(sub, letters).items()
        ]

    def factor_terms(self, f: Factor) -> Terms:
        if not isinstance(f, CoupleNode):
            return super().factor_terms(f)
        out: Terms = {}
        size = next(iter(f.subs)).size
        u, v = (np.ones(size) if w is None else w for w in (f.u, f.v))
        for left, c in self.word_pieces(f.left, size).items():
            for right, d in self.word_pieces(f.right, size).items():
                for one, unit in _real_parts(c * u):
                    for two, other in _real_parts(d * v):
                        part = self._coupled_sum(f.coupling, left, one, right, two)
                        for key, e in part.items():
                            out[key] = out.get(key, 0) + e * (unit * other)
        return out

    def _coupled_sum(
        self,
        K: Coupling,
        left: Mono,
        u: NDArray[np.float64],
        right: Mono,
        v: NDArray[np.float64],
    ) -> Terms:
        """sum_{m != m'} u_m K_mm' v_m' left_m right_m', also where a side is constant."""
        if left and right:
            return {((), (Pair(self.system.pair(left, K, right, u, v)),)): 1.0}
        if left:
            return self.sum_terms({left: (u * K.apply(v)).astype(complex)})
        return self.sum_terms({right: (v * K.transpose().apply(u)).astype(complex)})


def _real_parts(
    values: NDArray,
) -> Iterable[tuple[NDArray[np.float64], complex]]:
    for part, unit in ((values.real, 1 + 0j), (values.imag, 1j)):
        if np.any(part):
            yield np.ascontiguousarray(part), unit


def inexact(op: Op | ArrayOp) -> bool:
    """True if a product of three or more sums over one array is taken to leading order only."""
    if isinstance(op, ArrayOp):
        return False
    for _, factors in op.terms:
        for i, f in enumerate(factors):
            shared = [g for g in factors[i + 1 :] if not f.subs.isdisjoint(g.subs)]
            sites = all(hasattr(g, "m") for g in (f, *shared))
            if not sites and (len(shared) > 1 or (shared and isinstance(f, CoupleNode))):
                return True
            if not sites and any(isinstance(g, CoupleNode) for g in shared):
                return True
    return False
