"""The algebra behind :class:`Op` and :class:`ArrayOp`: products, adjoints and the normal form.

A product is kept in a normal form: factors that commute are sorted, words on one site are merged
exactly, and two sums over one array, or a sum and a coupling, are sorted with their commutator,
again a sum or a coupling. Two couplings over one array keep their order, unless they commute. All
of it costs O(M) for arrays of M members (the cost of K times a vector where a coupling is touched).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .coefficients import Coef
from .couplings import Coupling, Sparse

if TYPE_CHECKING:
    from .subsystems import Subsystem

Real = NDArray[np.float64]
MemberWord = tuple[tuple["Subsystem", str], ...]
"""One word per subsystem, on the same member of each; sorted by subsystem."""


class _Factor(tuple[Any, ...]):
    """A tuple that identifies and orders a factor, with what it is made of by name."""

    subs: frozenset[Subsystem]


class Site(_Factor):
    """A word on member ``m`` of a subsystem."""

    sub: Subsystem
    m: int
    word: str

    def __new__(cls, sub: Subsystem, m: int, word: str) -> Site:
        new = super().__new__(cls, (0, (sub.order,), m, word))
        new.sub, new.m, new.word, new.subs = sub, m, word, frozenset((sub,))
        return new

    def __getnewargs__(self) -> Any:
        return self.sub, self.m, self.word


class SumNode(_Factor):
    """sum_m w_m * word_m with real weights w, shape (M,)."""

    word: MemberWord
    weights: Real

    def __new__(cls, word: MemberWord, weights: Real) -> SumNode:
        new = super().__new__(cls, (1, *_side(word, weights)))
        new.word, new.weights, new.subs = word, weights, frozenset(s for s, _ in word)
        return new

    def __getnewargs__(self) -> Any:
        return self.word, self.weights


class CoupleNode(_Factor):
    """sum_{m != m'} u_m K_mm' v_m' left_m right_m' with real K, u, v (u, v None when all one)."""

    left: MemberWord
    coupling: Coupling
    right: MemberWord
    u: Real | None
    v: Real | None

    def __new__(
        cls,
        left: MemberWord,
        coupling: Coupling,
        right: MemberWord,
        u: Real | None = None,
        v: Real | None = None,
    ) -> CoupleNode:
        if _side(left, u) > _side(right, v):
            left, right, u, v, coupling = right, left, v, u, coupling.transpose()
        new = super().__new__(cls, (2, _side(left, u), coupling.key, _side(right, v)))
        new.left, new.coupling, new.right, new.u, new.v = left, coupling, right, u, v
        new.subs = frozenset(s for s, _ in left + right)
        return new

    def __getnewargs__(self) -> Any:
        return self.left, self.coupling, self.right, self.u, self.v


Factor = Site | SumNode | CoupleNode
Factors = tuple[Factor, ...]
Key = tuple[tuple[Coef, ...], Factors]


def _side(word: MemberWord, weights: Real | None) -> tuple[Any, ...]:
    return (
        tuple(s.order for s, _ in word),
        tuple(w for _, w in word),
        b"" if weights is None else weights.tobytes(),
    )


def array_size(word: MemberWord) -> int:
    """Number of members of the arrays in a member word."""
    return int(word[0][0].size)


Weights = NDArray[np.complex128]
MemberTerms = Mapping[MemberWord, Weights]
Terms = dict[Factors, complex]
OpTerms = dict[Key, complex]

# ---------------------------------------------------------------- one word per member


@lru_cache(maxsize=10_000)
def _member_multiply(left: MemberWord, right: MemberWord) -> tuple[tuple[MemberWord, complex], ...]:
    out: dict[MemberWord, complex] = {(): 1.0}
    one, two = dict(left), dict(right)
    for s in sorted({*one, *two}, key=lambda s: s.order):
        product = s.algebra.multiply(one.get(s, ""), two.get(s, ""))
        out = {(*k, (s, w)) if w else k: c * d for k, c in out.items() for w, d in product.items()}
    return tuple(out.items())


def array_multiply(A: MemberTerms, B: MemberTerms) -> dict[MemberWord, Weights]:
    """A_m B_m for every member m."""
    out: dict[MemberWord, Weights] = {}
    for k1, w1 in A.items():
        for k2, w2 in B.items():
            w = w1 * w2
            for word, c in _member_multiply(k1, k2):
                out[word] = out[word] + c * w if word in out else c * w
    return {k: w for k, w in out.items() if np.any(w)}


def array_commutator(A: MemberTerms, B: MemberTerms) -> dict[MemberWord, Weights]:
    """[A_m, B_m] for every member m."""
    out = array_multiply(A, B)
    for word, w in array_multiply(B, A).items():
        out[word] = out[word] - w if word in out else -w
    return {k: w for k, w in out.items() if np.any(w)}


def array_adjoint(A: MemberTerms) -> dict[MemberWord, Weights]:
    """Hermitian adjoint of A_m for every member m."""
    out: dict[MemberWord, Weights] = {}
    for word, w in A.items():
        pieces: dict[MemberWord, complex] = {(): 1.0}
        for s, t in word:
            pieces = {
                (*p, (s, v)) if v else p: c * d
                for p, c in pieces.items()
                for v, d in s.algebra.adjoint(t).items()
            }
        for k, c in pieces.items():
            out[k] = out[k] + c * w.conj() if k in out else c * w.conj()
    return out


def real_parts(w: Weights) -> Iterable[tuple[Real, complex]]:
    """Split w into real weights of largest entry one, each with its complex factor."""
    for part, unit in ((w.real, 1.0 + 0j), (w.imag, 1j)):
        scale = float(part[np.argmax(np.abs(part))])
        if scale != 0:
            # rounding makes weights that differ in their last bit one node; adding 0.0 removes -0.0
            weights = np.round(part / scale, 14) + 0.0
            weights.flags.writeable = False
            yield weights, unit * scale


# ---------------------------------------------------------------- from members to factors


def add(out: dict[Any, complex], key: Any, c: complex) -> None:
    """Add to the coefficient of a key."""
    out[key] = out.get(key, 0) + c


def on_site(sub: Subsystem, m: int, combination: Mapping[str, complex]) -> OpTerms:
    """A sum of words on one member."""
    return {((), (Site(sub, m, w),)): c for w, c in combination.items()}


def member_factors(word: MemberWord, m: int) -> Factors:
    """The product of one word per subsystem on member m."""
    sites = (Site(s, m if s.count is not None else 0, w) for s, w in word if w)
    return tuple(sorted(sites))


def member(A: MemberTerms, m: int) -> Terms:
    """A_m."""
    out: Terms = {}
    for word, w in A.items():
        add(out, member_factors(word, m), complex(w[m]))
    return out


def array_sum(A: MemberTerms) -> Terms:
    """sum_m A_m."""
    out: Terms = {}
    for word, w in A.items():
        if not word:
            add(out, (), complex(w.sum()))
            continue
        for part, c in real_parts(w):
            add(out, (SumNode(word, part),), c)
    return out


def couple_terms(
    A: MemberTerms, coupling: Coupling, B: MemberTerms, u: Real | None = None, v: Real | None = None
) -> Terms:
    """sum_{m != m'} u_m K_mm' v_m' A_m B_m' for real K.

    Weights are absorbed into general matrices and kept beside structured ones.
    """
    out: Terms = {}
    for left, wl in A.items():
        for right, wr in B.items():
            ul, vr = wl if u is None else wl * u, wr if v is None else wr * v
            if not left or not right:
                for factors, c in _row_sums(left, ul, coupling, right, vr).items():
                    add(out, factors, c)
                continue
            if isinstance(coupling, Sparse):
                for factors, c in _general(left, ul, coupling, right, vr).items():
                    add(out, factors, c)
                continue
            for one, cu in real_parts(np.asarray(ul)):
                for two, cv in real_parts(np.asarray(vr)):
                    node, sign = couple_node(left, coupling, right, one, two)
                    if node is not None:
                        add(out, (node,), cu * cv * sign)
    return out


def _row_sums(
    left: MemberWord, u: Weights, coupling: Coupling, right: MemberWord, v: Weights
) -> Terms:
    """The coupling where the operator on one side is the identity: a weighted sum."""
    if left:
        return array_sum({left: u * coupling.apply(v)})
    return array_sum({right: v * coupling.transpose().apply(u)})


def couple_node(
    left: MemberWord, coupling: Coupling, right: MemberWord, u: Real, v: Real
) -> tuple[CoupleNode | None, float]:
    """One node with a structured coupling and its sign; None where nothing is left."""
    if left == right and not coupling.symmetric and np.array_equal(u, v):
        return None, 0.0  # antisymmetric
    one, two = (None if np.all(w == 1) else w for w in (u, v))
    node = CoupleNode(left, coupling, right, one, two)
    if node.coupling.sign < 0:
        return CoupleNode(node.left, -node.coupling, node.right, node.u, node.v), -1.0
    return node, 1.0


def _general(left: MemberWord, u: Weights, K: Sparse, right: MemberWord, v: Weights) -> Terms:
    """Nodes with a general matrix: weights absorbed, symmetrised where both words agree."""
    c, d = complex(u[0]), complex(v[0])
    if np.all(u == c) and np.all(v == d):
        if left != right or K.symmetric:
            return {(CoupleNode(left, part, right),): c * d * e for e, part in K.parts()}
        u, v = np.ones_like(u), np.ones_like(v)
    else:
        c = d = 1.0
    absorbed = K.scaled(u, v, symmetrise=left == right)
    return {(CoupleNode(left, part, right),): c * d * e for e, part in absorbed.parts()}


def _arrays(f: SumNode | CoupleNode) -> tuple[dict[MemberWord, Weights], dict[MemberWord, Weights]]:
    """Both sides of a coupling (of a sum: itself, and nothing) as member terms without u, v."""
    if isinstance(f, SumNode):
        return {f.word: f.weights.astype(complex)}, {}
    one = np.ones(array_size(f.left), complex)
    return {f.left: one}, {f.right: one}


# ---------------------------------------------------------------- products


def multiply(X: Mapping[Factors, complex], Y: Mapping[Factors, complex]) -> Terms:
    """Product of two combinations of factors, in normal form."""
    out: Terms = {}
    for f1, c1 in X.items():
        for f2, c2 in Y.items():
            for factors, c in normal(f1 + f2):
                add(out, factors, c1 * c2 * c)
    return out


def normal(factors: Factors) -> tuple[tuple[Factors, complex], ...]:
    """Normal form of an ordered product of factors."""
    if all(isinstance(f, Site) for f in factors):
        return _normal_sites(factors)
    return _normal(factors)


def _normal(factors: Factors) -> tuple[tuple[Factors, complex], ...]:
    i = 0
    while i < len(factors) - 1:
        a, b = factors[i], factors[i + 1]
        head, tail = factors[:i], factors[i + 2 :]
        pieces: Terms | None = None
        if isinstance(a, Site) and isinstance(b, Site) and a[:3] == b[:3]:
            product = a.sub.algebra.multiply(a.word, b.word)
            pieces = {((Site(a.sub, a.m, w),) if w else ()): c for w, c in product.items()}
        elif a > b:
            if _commute(a, b):
                factors = (*head, b, a, *tail)
                i = max(i - 1, 0)
                continue
            if not (isinstance(a, CoupleNode) and isinstance(b, CoupleNode)):
                pieces = {(b, a): 1.0, **commutator(a, b)}
        if pieces is not None:
            out: Terms = {}
            for middle, c in pieces.items():
                for product_factors, d in normal(head + middle + tail):
                    add(out, product_factors, c * d)
            return tuple((f, c) for f, c in out.items() if c != 0)
        i += 1
    return ((factors, 1.0),)


# Sums hold arrays, which a large cache would keep alive; words on sites are small.
_normal_sites = lru_cache(maxsize=50_000)(_normal)


def _commute(a: Factor, b: Factor) -> bool:
    if isinstance(a, Site) and isinstance(b, Site):
        return (a.sub, a.m) != (b.sub, b.m)
    if a.subs.isdisjoint(b.subs):
        return True
    return all(_words_commute(s, t) for s in words_of(a) for t in words_of(b))


def words_of(f: Factor) -> tuple[MemberWord, ...]:
    """The words of one factor."""
    if isinstance(f, Site):
        return (((f.sub, f.word),),)
    return (f.word,) if isinstance(f, SumNode) else (f.left, f.right)


@lru_cache(maxsize=10_000)
def _words_commute(s: MemberWord, t: MemberWord) -> bool:
    one, two = dict(_member_multiply(s, t)), dict(_member_multiply(t, s))
    return one == two


def commutator(a: Factor, b: Factor) -> Terms:
    """[a, b] in normal form, for any two factors but two couplings."""
    if isinstance(a, Site):
        if isinstance(b, Site):
            raise AssertionError("sites are multiplied, not commuted")
        return {f: -c for f, c in commutator(b, a).items()}
    if isinstance(a, SumNode) and isinstance(b, CoupleNode):
        return {f: -c for f, c in commutator(b, a).items()}
    A, B = _arrays(a)
    if isinstance(b, SumNode):
        W, _ = _arrays(b)
        if isinstance(a, SumNode):
            return array_sum(array_commutator(A, W))
        return _sum_of(
            couple_terms(array_commutator(A, W), a.coupling, B, a.u, a.v),
            couple_terms(A, a.coupling, array_commutator(B, W), a.u, a.v),
        )
    assert isinstance(b, Site)
    n = b.m
    one = np.ones(array_size(words_of(a)[0]), complex)
    S: MemberTerms = {((b.sub, b.word),): one}
    if isinstance(a, SumNode):
        return member(array_commutator(A, S), n)
    unit = np.zeros(one.size)
    unit[n] = 1.0
    u, v = (np.ones(one.size) if w is None else w for w in (a.u, a.v))
    row = u[n] * v * a.coupling.transpose().apply(unit)
    column = u * v[n] * a.coupling.apply(unit)
    return _sum_of(
        multiply(member(array_commutator(A, S), n), array_sum({a.right: row + 0j})),
        multiply(array_sum({a.left: column + 0j}), member(array_commutator(B, S), n)),
    )


def _sum_of(*parts: Terms) -> Terms:
    out: Terms = {}
    for part in parts:
        for f, c in part.items():
            add(out, f, c)
    return {f: c for f, c in out.items() if c != 0}


# ---------------------------------------------------------------- of whole operators


def sorted_times(times: Iterable[Coef]) -> tuple[Coef, ...]:
    """A product of time coefficients in its one order."""
    return tuple(sorted(times, key=lambda c: c.order))


def product(X: Mapping[Key, complex], Y: Mapping[Key, complex]) -> OpTerms:
    """Product of the terms of two operators."""
    out: OpTerms = {}
    for (t1, f1), c1 in X.items():
        for (t2, f2), c2 in Y.items():
            times = sorted_times(t1 + t2) if t1 and t2 else t1 or t2
            for factors, c in normal(f1 + f2):
                add(out, (times, factors), c1 * c2 * c)
    return out


def conjugated(X: Mapping[Key, complex]) -> OpTerms:
    """Hermitian adjoint of the terms of an operator."""
    out: OpTerms = {}
    for (times, factors), c in X.items():
        bar = sorted_times(t.conj() for t in times)
        for new, d in replaced(factors[::-1], adjoint, c.conjugate()).items():
            add(out, (bar, new), d)
    return out


def replaced(factors: Factors, by: Callable[[Factor], Terms], c: complex) -> Terms:
    """c times a product in which every factor is replaced by a combination."""
    out: Terms = {(): c}
    for f in factors:
        out = multiply(out, by(f))
    return out


def adjoint(f: Factor) -> Terms:
    """Hermitian adjoint of one factor."""
    if isinstance(f, Site):
        pieces = f.sub.algebra.adjoint(f.word)
        return {((Site(f.sub, f.m, w),) if w else ()): c for w, c in pieces.items()}
    A, B = _arrays(f)
    if isinstance(f, SumNode):
        return array_sum(array_adjoint(A))
    return couple_terms(array_adjoint(A), f.coupling, array_adjoint(B), f.u, f.v)
