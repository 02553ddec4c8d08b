r"""Weyl symbols of operators, as polynomials in the variables of a ``PhaseSpaceSystem``.

Angular momentum: symmetrised products, so that J_a J_b -> J_a J_b + (i/2) eps_abc J_c, exactly for
words of any length (see ``moyal``). Spin-1/2: Pauli matrices -> 2 J_a, products having been reduced
by the operator algebra. Modes: normally ordered words, exactly, by a^{+m} a^n -> sum_k (-c)^k k!
C(m,k) C(n,k) (a^*)^{m-k} a^{n-k} with c = 1/2. Factors on different sites multiply. Two sums over
one array multiply, with the difference on equal sites added as one more sum, which is exact; in
products of three and more such sums every pair is corrected once (leading order).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import combinations
from math import comb, factorial
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.model import Model
from ..model.normal import CoupleNode, Factor, Key, MemberWord, Site, SumNode, array_size
from ..model.operators import ArrayOp, Op, couple
from ..model.subsystems import Subsystem
from ..model.words import ANGULAR, BOSON, LEVEL, LEVELS, PAULI, Algebra
from .moyal import angular_symbol, level_symbol
from .polynomials import Form, Pair, Poly, Terms, TimePart, Var, expanded, sum_of_products
from .system import PhaseSpaceSystem

Mono = tuple[tuple[int, int], ...]
MemberTerms = dict[Mono, NDArray[np.complex128]]
_COMPONENT = {"x": 0, "y": 1, "z": 2}


@lru_cache(maxsize=10_000)
def word_symbol(algebra: Algebra, word: str) -> tuple[tuple[tuple[int, ...], complex], ...]:
    """Symbol of a single-site word: ((sorted components), coefficient) pairs."""
    if not word:
        return (((), 1.0),)
    return _SYMBOLS[algebra](word)


@lru_cache(maxsize=10_000)
def ordered_symbol(m: int, n: int, shift: float) -> tuple[tuple[tuple[int, ...], complex], ...]:
    """a^{+m} a^n in an ordering: ``shift`` c = 0 normal, 1/2 symmetric, 1 antinormal."""
    out: dict[tuple[int, ...], complex] = {}
    for k in range(min(m, n) + 1):
        c = (-shift) ** k * factorial(k) * comb(m, k) * comb(n, k)
        p, q = m - k, n - k
        for i in range(p + 1):  # (re - i im)^p (re + i im)^q
            for j in range(q + 1):
                d = c * comb(p, i) * comb(q, j) * (-1j) ** i * (1j) ** j
                key = (0,) * (p + q - i - j) + (1,) * (i + j)
                out[key] = out.get(key, 0) + d
    return tuple((key, c) for key, c in out.items() if c != 0)


def _pauli_symbol(word: str) -> tuple[tuple[tuple[int, ...], complex], ...]:
    return ((tuple(_COMPONENT[letter] for letter in word), 2.0),)


def _boson_symbol(word: str) -> tuple[tuple[tuple[int, ...], complex], ...]:
    return ordered_symbol(word.count("d"), word.count("a"), 0.5)


_SYMBOLS: dict[Algebra, Callable[[str], Any]] = {
    ANGULAR: angular_symbol,
    PAULI: _pauli_symbol,
    BOSON: _boson_symbol,
    LEVELS: level_symbol,
    LEVEL: level_symbol,
}


class SymbolMap:
    """Takes symbols of operators, registering sums and couplings in a system."""

    def __init__(self, system: PhaseSpaceSystem, model: Model):
        self.system = system
        self.block_of = {sub: k for k, sub in enumerate(model.subsystems)}
        self.real_coefs = frozenset(c for c in model.coefficients if c.is_real)

    @property
    def names(self) -> dict[Subsystem, str]:
        """The names of the subsystems."""
        return {sub: self.system.blocks[k].name for sub, k in self.block_of.items()}

    # -- member words ------------------------------------------------------------------------

    def member_symbol(self, word: MemberWord) -> dict[Mono, complex]:
        """Symbol of a member word: monomials in (block, component)."""
        return expanded(
            [
                (tuple((self.block_of[sub], k) for k in components), c)
                for components, c in self.letters_symbol(sub, letters)
            ]
            for sub, letters in word
        )

    def array_symbol(self, op: ArrayOp) -> dict[Mono, NDArray[np.complex128]]:
        """Symbol of an array operator: weights per monomial, shape (M,)."""
        out: dict[Mono, NDArray[np.complex128]] = {}
        for word, w in op.terms.items():
            for mono, c in self.member_symbol(word).items():
                out[mono] = out[mono] + c * w if mono in out else c * w
        return out

    def word(self, sub: Subsystem, letters: str) -> Iterable[tuple[tuple[int, ...], complex]]:
        """Symbol of a word on a single subsystem: (sorted components, coefficient) pairs."""
        return self.letters_symbol(sub, letters)

    def letters_symbol(
        self, sub: Subsystem, letters: str
    ) -> Iterable[tuple[tuple[int, ...], complex]]:
        """The same for a subsystem or one member of an array, wherever its letters stand."""
        return word_symbol(sub.algebra, letters)

    # -- sums ----------------------------------------------------------------------------------

    def sum_terms(self, weights: dict[Mono, NDArray[np.complex128]]) -> Terms:
        """sum_m sum_mono weights[mono][m] * mono(v_m), as forms."""
        out: Terms = {}
        for mono, w in weights.items():
            for part, unit in ((w.real, 1.0 + 0j), (w.imag, 1j)):
                scale = float(part[np.argmax(np.abs(part))])
                if scale != 0:
                    leaves = (Form(self.system.form(mono, part / scale)),) if mono else ()
                    c = unit * (scale if mono else float(part.sum()))
                    out[(), leaves] = out.get(((), leaves), 0) + c
        return out

    # -- factors -----------------------------------------------------------------------------

    def factor_terms(self, f: Factor) -> Terms:
        """Symbol of one factor alone."""
        if isinstance(f, Site) and f.sub.count is None:
            block = self.block_of[f.sub]
            return {
                ((), tuple(Var(block, k) for k in comps)): c
                for comps, c in self.word(f.sub, f.word)
            }
        if not isinstance(f, CoupleNode):
            return self.sum_terms(self.array_symbol(_as_array(f)))
        out: Terms = {}
        for left, c in self.member_symbol(f.left).items():
            for right, d in self.member_symbol(f.right).items():
                if left and right:
                    index = self.system.pair(left, f.coupling, right, f.u, f.v)
                    part: Terms = {((), (Pair(index),)): 1.0}
                else:
                    part = self._row_sums(f, left, right)
                for key, e in part.items():
                    out[key] = out.get(key, 0) + e * (c * d)
        return out

    def _row_sums(self, f: CoupleNode, left: Mono, right: Mono) -> Terms:
        """A coupling in which one side's symbol is a constant (from ordering corrections)."""
        size = array_size(f.left)
        one = np.ones(size)
        u, v = (one if w is None else w for w in (f.u, f.v))
        if left:
            return self.sum_terms({left: (u * f.coupling.apply(v)).astype(complex)})
        return self.sum_terms({right: (v * f.coupling.transpose().apply(u)).astype(complex)})

    def _contraction(self, a: Factor, b: Factor) -> Terms:
        """symbol(a b) - symbol(a) symbol(b), nonzero only on common sites."""
        if a.subs.isdisjoint(b.subs) or isinstance(a, CoupleNode) or isinstance(b, CoupleNode):
            return {}
        if isinstance(a, Site) and isinstance(b, Site):
            return {}  # equal sites were merged by the algebra
        one, two = _as_array(a), _as_array(b)
        both = self.array_symbol(one), self.array_symbol(two)
        return self.sum_terms(excess(self.array_symbol(one * two), *both))

    # -- operators ---------------------------------------------------------------------------

    def _coefficient(self, c: Coef) -> Terms:
        """A time coefficient as its real and imaginary parts."""
        base = c.conj() if c.conjugated else c
        out: Terms = {((TimePart(base, "r"),), ()): 1.0}
        if base not in self.real_coefs:
            out[(TimePart(base, "i"),), ()] = -1j if c.conjugated else 1j
        return out

    def symbol(self, op: Op, pairs: bool = True) -> Poly:
        """Weyl symbol of an operator; ``pairs``: products on two members may become couplings."""
        parts = []
        for (times, factors), c in gathered(op, pairs).items():
            stamps = [self._coefficient(t) for t in times]
            single = [self.factor_terms(f) for f in factors]
            parts.append((c, [*single, *stamps]))
            for pair in combinations(range(len(factors)), 2):
                if correction := self._contraction(*(factors[k] for k in pair)):
                    rest = [p for k, p in enumerate(single) if k not in pair]
                    parts.append((c, [correction, *rest, *stamps]))
        return sum_of_products(parts)


def excess(joint: MemberTerms, left: MemberTerms, right: MemberTerms) -> MemberTerms:
    """What the symbol of a product has beyond the product of symbols, but for rounding."""
    out = dict(joint)
    for mono1, w1 in left.items():
        for mono2, w2 in right.items():
            mono = tuple(sorted(mono1 + mono2))
            out[mono] = out.get(mono, 0) - w1 * w2
    sizes = [max((np.abs(w).max() for w in x.values()), default=0.0) for x in (left, right)]
    return {k: w for k, w in out.items() if np.abs(w).max() > 1e-13 * sizes[0] * sizes[1]}


def _as_array(f: Site | SumNode) -> ArrayOp:
    if isinstance(f, SumNode):
        return ArrayOp({f.word: f.weights.astype(np.complex128)})
    weights: NDArray[np.complex128] = np.zeros(f.sub.size, np.complex128)
    weights[f.m] = 1
    return ArrayOp({((f.sub, f.word),): weights}, f.sub.size)


def gathered(op: Op, pairs: bool = True) -> Mapping[Key, complex]:
    """Terms on single members of arrays collected into sums and (``pairs``) sparse couplings.

    A Hamiltonian written with Python loops over members then costs the same as one written with
    arrays. Terms with time coefficients or more than two sites stay as they are.
    """
    rest: dict[Key, complex] = {}
    ones: dict[MemberWord, NDArray[np.complex128]] = {}
    twos: dict[tuple[MemberWord, MemberWord], dict[tuple[int, int], complex]] = {}
    for key, c in op.terms.items():
        times, factors = key
        sites = [f for f in factors if isinstance(f, Site) and f.sub.count is not None]
        plain = not times and len(sites) == len(factors)
        if plain and len(sites) == 1:
            f = sites[0]
            ones.setdefault(((f.sub, f.word),), np.zeros(f.sub.size, complex))[f.m] += c
        elif (
            plain
            and pairs
            and len(sites) == 2
            and sites[0].m != sites[1].m
            and sites[0].sub.size == sites[1].sub.size
        ):
            words = ((sites[0].sub, sites[0].word),), ((sites[1].sub, sites[1].word),)
            entries = twos.setdefault(words, {})
            at = sites[0].m, sites[1].m
            entries[at] = entries.get(at, 0) + c
        else:
            rest[key] = c
    if not ones and not twos:
        return rest
    out = Op(rest)
    for word, w in ones.items():
        out = out + ArrayOp({word: w}).sum()
    for (left, right), entries in twos.items():
        size = array_size(left)
        row, col = np.array(list(entries)).T
        matrix = scipy.sparse.coo_matrix(
            (np.array(list(entries.values())), (row, col)), shape=(size, size)
        ).tocsr()
        A, B = (ArrayOp({w: np.ones(size, complex)}) for w in (left, right))
        out = out + couple(A, matrix, B)
    return out.terms
