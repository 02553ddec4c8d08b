"""The symbolic operator algebra: sums of ordered products of factors, never a matrix.

Three kinds of factor exist: a word on one site, a weighted sum over the members of an array (one
node, whatever the number of members), and a coupling sum over pairs of members. A product is kept
in a normal form: factors that commute are sorted, words on one site are merged exactly, and two
sums over one array are sorted with their commutator, again a sum. Weights are real; a complex
weight is the sum of two nodes. All of it costs O(M) for arrays of M members.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from . import words
from .coefficients import Coef
from .couplings import AllToAll, Coupling, Dense, Sparse, as_coupling

if TYPE_CHECKING:
    from .subsystems import Subsystem

MemberWord = tuple[tuple["Subsystem", str], ...]  # one word per subsystem, sorted by subsystem


class Site:
    """A word on member ``m`` of a subsystem."""

    __slots__ = ("key", "m", "sub", "word")

    def __init__(self, sub: Subsystem, m: int, word: str):
        self.sub, self.m, self.word = sub, m, word
        self.key = (0, (sub.uid,), m, word)

    @property
    def subs(self) -> frozenset[Subsystem]:
        return frozenset((self.sub,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Site) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class SumNode:
    """sum_m w_m * word_m with real weights w, shape (M,)."""

    __slots__ = ("key", "weights", "word")

    def __init__(self, word: MemberWord, weights: NDArray[np.float64]):
        self.word, self.weights = word, weights
        self.key = (1, tuple(s.uid for s, _ in word), tuple(w for _, w in word), weights.tobytes())

    @property
    def subs(self) -> frozenset[Subsystem]:
        return frozenset(s for s, _ in self.word)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SumNode) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class CoupleNode:
    """sum_{m != m'} u_m K_mm' v_m' left_m right_m' with real K, u, v (u, v None when all one)."""

    __slots__ = ("coupling", "key", "left", "right", "u", "v")

    def __init__(
        self,
        left: MemberWord,
        coupling: Coupling,
        right: MemberWord,
        u: NDArray[np.float64] | None = None,
        v: NDArray[np.float64] | None = None,
    ):
        def side(word: MemberWord, w: NDArray[np.float64] | None) -> tuple[Any, ...]:
            return (tuple((s.uid, t) for s, t in word), b"" if w is None else w.tobytes())

        if side(left, u) > side(right, v):
            left, right, u, v, coupling = right, left, v, u, coupling.transpose()
        self.left, self.coupling, self.right, self.u, self.v = left, coupling, right, u, v
        self.key = (2, side(left, u), coupling.key, side(right, v))

    @property
    def subs(self) -> frozenset[Subsystem]:
        return frozenset(s for s, _ in self.left + self.right)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CoupleNode) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


Factor = Site | SumNode | CoupleNode
Key = tuple[tuple[Coef, ...], tuple[Factor, ...]]


def _times_key(times: tuple[Coef, ...]) -> tuple[Coef, ...]:
    return tuple(sorted(times, key=lambda c: (hash(c), id(c))))


@lru_cache(maxsize=50_000)
def _normal(factors: tuple[Factor, ...]) -> tuple[tuple[tuple[Factor, ...], complex], ...]:
    """Normal form of an ordered product of factors."""
    for i in range(len(factors) - 1):
        a, b = factors[i], factors[i + 1]
        head, tail = factors[:i], factors[i + 2 :]
        pieces: list[tuple[tuple[Factor, ...], complex]] | None = None
        if isinstance(a, Site) and isinstance(b, Site) and (a.sub, a.m) == (b.sub, b.m):
            product = words.multiply(a.sub.kind, a.word, b.word)
            pieces = [((Site(a.sub, a.m, w),) if w else (), c) for w, c in product.items()]
        elif a.key > b.key:
            if a.subs.isdisjoint(b.subs) or (isinstance(a, Site) and isinstance(b, Site)):
                pieces = [((b, a), 1.0)]
            elif not isinstance(a, CoupleNode) and not isinstance(b, CoupleNode):
                pieces = [((b, a), 1.0)]
                pieces += [(f, c) for (_, f), c in _commutator(a, b).terms.items()]
        if pieces is not None:
            out: dict[tuple[Factor, ...], complex] = {}
            for middle, c in pieces:
                for product_factors, d in _normal(head + middle + tail):
                    out[product_factors] = out.get(product_factors, 0) + c * d
            return tuple((f, c) for f, c in out.items() if c != 0)
    return ((factors, 1.0),)


def _commutator(a: Factor, b: Factor) -> Op:
    """[a, b] for factors that are site words or sums, as an operator of lower degree."""
    if isinstance(a, SumNode) and isinstance(b, SumNode):
        one, two = ArrayOp({a.word: a.weights + 0j}), ArrayOp({b.word: b.weights + 0j})
        return (one * two - two * one).sum()
    if isinstance(a, Site):
        return -_commutator(b, a)
    assert isinstance(a, SumNode) and isinstance(b, Site)
    left = member_product(a.word, b.m) * float(a.weights[b.m])
    right = Op({((), (b,)): 1.0})
    return left * right - right * left


def member_product(word: MemberWord, m: int) -> Op:
    """The product of one word per subsystem on member m."""
    return Op({((), tuple(Site(s, m if s.count is not None else 0, w) for s, w in word if w)): 1.0})


def _merged(terms: dict[Key, complex]) -> dict[Key, complex]:
    """Add up the weights of lone sums, and the matrices of lone general couplings, over the same words."""
    groups: dict[Any, list[Key]] = {}
    for key in terms:
        times, factors = key
        if len(factors) == 1:
            f = factors[0]
            if isinstance(f, SumNode):
                groups.setdefault((times, f.word), []).append(key)
            elif isinstance(f, CoupleNode) and isinstance(f.coupling, Sparse):
                groups.setdefault((times, f.left, f.right), []).append(key)
    for (times, *_), keys in groups.items():
        if len(keys) < 2:
            continue
        nodes = [(k[1][0], terms.pop(k)) for k in keys]
        first = nodes[0][0]
        if isinstance(first, SumNode):
            total = sum(c * f.weights for f, c in nodes if isinstance(f, SumNode))
            merged = [(SumNode(first.word, w), c) for w, c in _real_parts(total)]  # type: ignore[arg-type]
            terms.update({(times, (f,)): c for f, c in merged})
        elif isinstance(first, CoupleNode):
            make = type(first.coupling)
            matrix = sum(c * f.coupling.csr for f, c in nodes)  # type: ignore[union-attr]
            for part, unit in ((matrix.real, 1.0), (matrix.imag, 1j)):
                scale = float(np.abs(part.data).max()) if part.nnz else 0.0
                if scale > 0:
                    terms[times, (CoupleNode(first.left, make(part / scale), first.right),)] = unit * scale  # type: ignore[arg-type]
    return terms


class Op:
    """A symbolic operator: ``terms`` maps (time coefficients, ordered factors) to a complex number.

    Supports ``+ - *``, multiplication by scalars and :func:`wignerflow.coef` coefficients, ``dag()``
    and comparison. ``*`` is the operator product.
    """

    __array_ufunc__ = None

    def __init__(self, terms: Mapping[Key, complex] | None = None):
        self.terms: dict[Key, complex] = _merged({k: complex(c) for k, c in (terms or {}).items() if c != 0})

    @staticmethod
    def scalar(value: complex) -> Op:
        """``value`` times the identity."""
        return Op({((), ()): value})

    @property
    def subsystems(self) -> set[Subsystem]:
        """Every subsystem the operator acts on."""
        return {s for (_, factors) in self.terms for f in factors for s in f.subs}

    @property
    def coefficients(self) -> set[Coef]:
        """Every time-dependent coefficient in it."""
        return {c for (times, _) in self.terms for c in times}

    def _coerce(self, other: Any, what: str) -> Op | None:
        if isinstance(other, Op):
            return other
        if isinstance(other, numbers.Number) or (isinstance(other, np.ndarray) and other.ndim == 0):
            value = complex(_check.numeric_array("scalar", other, complex))
            return Op.scalar(value)
        if isinstance(other, Coef):
            return Op({((other,), ()): 1.0})
        if isinstance(other, ArrayOp):
            raise TypeError(
                f"Cannot {what} an operator and an array operator; sum over the array first, "
                "for example `(weights * chain.Jm).sum()`, or index one member."
            )
        return None

    def __add__(self, other: Any) -> Op:
        right = self._coerce(other, "add")
        if right is None:
            return NotImplemented
        out = dict(self.terms)
        for k, c in right.terms.items():
            out[k] = out.get(k, 0) + c
        return Op(out)

    __radd__ = __add__

    def __neg__(self) -> Op:
        return Op({k: -c for k, c in self.terms.items()})

    def __sub__(self, other: Any) -> Op:
        right = self._coerce(other, "subtract")
        return NotImplemented if right is None else self + (-right)

    def __rsub__(self, other: Any) -> Op:
        return (-self) + other

    def __mul__(self, other: Any) -> Op:
        right = self._coerce(other, "multiply")
        if right is None:
            return NotImplemented
        out: dict[Key, complex] = {}
        for (t1, f1), c1 in self.terms.items():
            for (t2, f2), c2 in right.terms.items():
                times = _times_key(t1 + t2)
                for factors, c in _normal(f1 + f2):
                    out[times, factors] = out.get((times, factors), 0) + c1 * c2 * c
        return Op(out)

    def __rmul__(self, other: Any) -> Op:
        left = self._coerce(other, "multiply")
        return NotImplemented if left is None else left * self

    def __truediv__(self, other: Any) -> Op:
        if isinstance(other, numbers.Number):
            return self * (1 / complex(other))  # type: ignore[arg-type]
        return NotImplemented

    def __pow__(self, power: int) -> Op:
        out = Op.scalar(1)
        for _ in range(_check.integer("power", power, 0)):
            out = out * self
        return out

    def dag(self) -> Op:
        """Hermitian adjoint."""
        out = Op()
        for (times, factors), c in self.terms.items():
            term = Op({(_times_key(tuple(t.conj() for t in times)), ()): c.conjugate()})
            for f in reversed(factors):
                term = term * _adjoint(f)
            out = out + term
        return out

    def is_zero(self, scale: float = 1.0, tolerance: float = 1e-12) -> bool:
        """True if every coefficient is below ``tolerance * scale``."""
        return all(abs(c) <= tolerance * max(scale, 1e-300) for c in self.terms.values())

    def is_hermitian(self, tolerance: float = 1e-12) -> bool:
        """True if the operator equals its adjoint within rounding (time coefficients taken as they are)."""
        scale = max((abs(c) for c in self.terms.values()), default=0.0)
        return (self - self.dag()).is_zero(scale, tolerance)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Op, numbers.Number)):
            right = other if isinstance(other, Op) else Op.scalar(complex(other))  # type: ignore[arg-type]
            scale = max((abs(c) for c in (*self.terms.values(), *right.terms.values())), default=0.0)
            return (self - right).is_zero(scale)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def expand(self) -> list[tuple[complex, tuple[Coef, ...], tuple[tuple[Subsystem, int, str], ...]]]:
        """All sums written out: a list of (coefficient, time coefficients, ((subsystem, m, word), ...)).

        Costs O(M) per sum and O(M^2) per coupling: for exact methods on small models.
        """
        out = Op()
        for (times, factors), c in self.terms.items():
            term = Op({(times, ()): c})
            for f in factors:
                term = term * _expand_factor(f)
            out = out + term
        return [
            (c, times, tuple((f.sub, f.m, f.word) for f in factors if isinstance(f, Site)))
            for (times, factors), c in out.terms.items()
        ]

    def __repr__(self) -> str:
        from .printing import text

        return text(self)


def _adjoint(f: Factor) -> Op:
    if isinstance(f, Site):
        return Op(
            {((), (Site(f.sub, f.m, w),) if w else ()): c for w, c in words.adjoint(f.sub.kind, f.word).items()}
        )
    if isinstance(f, SumNode):
        return ArrayOp({f.word: f.weights + 0j}).dag().sum()
    left = ArrayOp({f.left: np.ones(array_size(f.left), complex)}).dag()
    right = ArrayOp({f.right: np.ones(array_size(f.right), complex)}).dag()
    return _couple(left, f.coupling, right, f.u, f.v)


def _expand_factor(f: Factor) -> Op:
    if isinstance(f, Site):
        return Op({((), (f,)): 1.0})
    out = Op()
    if isinstance(f, SumNode):
        for m in np.flatnonzero(f.weights):
            out = out + member_product(f.word, int(m)) * float(f.weights[m])
        return out
    matrix = f.coupling.matrix(array_size(f.left)).real
    if f.u is not None:
        matrix = f.u[:, None] * matrix
    if f.v is not None:
        matrix = matrix * f.v[None, :]
    for m, n in zip(*np.nonzero(matrix), strict=True):
        pair = member_product(f.left, int(m)) * member_product(f.right, int(n))
        out = out + pair * float(matrix[m, n])
    return out


def array_size(word: MemberWord) -> int:
    """Number of members of the arrays in a member word."""
    return int(word[0][0].size)


class ArrayOp:
    """One operator per member of an array: ``terms`` maps a member word to weights, shape (M,).

    Arithmetic is element by element, as in NumPy: NumPy arrays of length M multiply from either
    side, ``array_op[m]`` is one member's operator and ``array_op.sum()`` one operator for all.
    """

    __array_ufunc__ = None

    def __init__(self, terms: Mapping[MemberWord, NDArray[np.complex128]], size: int | None = None):
        self.terms = {k: np.asarray(w, complex) for k, w in terms.items() if np.any(w)}
        if size is None:
            size = next(array_size(k) for k in terms if k)
        self.size = size

    @property
    def subsystems(self) -> set[Subsystem]:
        """The arrays it acts on."""
        return {s for word in self.terms for s, _ in word}

    def _weights(self, other: Any) -> NDArray[np.complex128] | None:
        if isinstance(other, (numbers.Number, np.ndarray, list, tuple)):
            w = _check.numeric_array("weights", other, complex)
            if w.ndim > 1 or (w.ndim == 1 and w.size != self.size):
                _check.fail(
                    "weights",
                    f"be a number or have one entry per array member, shape ({self.size},)",
                    f"an array of shape {w.shape}",
                )
            return np.broadcast_to(w, (self.size,))
        if isinstance(other, Coef):
            raise TypeError("A time coefficient multiplies an operator, not an array operator; sum over the array first.")
        if isinstance(other, Op):
            raise TypeError(
                "Cannot multiply or add an array operator and an operator; sum over the array first, "
                "for example `(weights * chain.Jm).sum()`, or index one member."
            )
        return None

    def _same(self, other: ArrayOp) -> None:
        if other.size != self.size:
            _check.fail("array operator", f"belong to an array of {self.size} members", f"of {other.size} members")

    def __add__(self, other: Any) -> ArrayOp:
        if isinstance(other, ArrayOp):
            self._same(other)
            out = dict(self.terms)
            for k, w in other.terms.items():
                out[k] = out[k] + w if k in out else w
            return ArrayOp(out, self.size)
        weights = self._weights(other)
        return NotImplemented if weights is None else self + ArrayOp({(): weights}, self.size)

    __radd__ = __add__

    def __neg__(self) -> ArrayOp:
        return ArrayOp({k: -w for k, w in self.terms.items()}, self.size)

    def __sub__(self, other: Any) -> ArrayOp:
        return self + (-other if isinstance(other, ArrayOp) else -np.asarray(other))

    def __rsub__(self, other: Any) -> ArrayOp:
        return (-self) + other

    def __mul__(self, other: Any) -> ArrayOp:
        if isinstance(other, ArrayOp):
            self._same(other)
            out: dict[MemberWord, NDArray[np.complex128]] = {}
            for k1, w1 in self.terms.items():
                for k2, w2 in other.terms.items():
                    for word, c in _member_multiply(k1, k2).items():
                        out[word] = out.get(word, 0) + c * w1 * w2
            return ArrayOp(out, self.size)
        weights = self._weights(other)
        if weights is None:
            return NotImplemented
        return ArrayOp({k: w * weights for k, w in self.terms.items()}, self.size)

    def __rmul__(self, other: Any) -> ArrayOp:
        weights = self._weights(other)
        return NotImplemented if weights is None else self * weights

    def __truediv__(self, other: Any) -> ArrayOp:
        return self * (1 / np.asarray(other))

    def __pow__(self, power: int) -> ArrayOp:
        out = ArrayOp({(): np.ones(self.size, complex)}, self.size)
        for _ in range(_check.integer("power", power, 0)):
            out = out * self
        return out

    def __len__(self) -> int:
        return self.size

    def dag(self) -> ArrayOp:
        """Hermitian adjoint, member by member."""
        out: dict[MemberWord, NDArray[np.complex128]] = {}
        for word, w in self.terms.items():
            pieces: dict[MemberWord, complex] = {(): 1.0}
            for s, t in word:
                pieces = {
                    (*p, (s, v)) if v else p: c * d
                    for p, c in pieces.items()
                    for v, d in words.adjoint(s.kind, t).items()
                }
            for k, c in pieces.items():
                out[k] = out.get(k, 0) + c * w.conj()
        return ArrayOp(out, self.size)

    def __getitem__(self, m: int) -> Op:
        index = _check.integer("index", m, -self.size)
        if index >= self.size:
            raise IndexError(f"Argument `index` must be below the {self.size} members of the array, but was {m}.")
        index %= self.size
        out = Op()
        for word, w in self.terms.items():
            out = out + member_product(word, index) * complex(w[index])
        return out

    def sum(self) -> Op:
        """sum over the members, one operator."""
        out: dict[Key, complex] = {}

        def add(factors: tuple[Factor, ...], c: complex) -> None:
            out[(), factors] = out.get(((), factors), 0) + c

        for word, w in self.terms.items():
            if not word:
                add((), complex(w.sum()))
                continue
            for part, c in _real_parts(w):
                add((SumNode(word, part),), c)
        return Op(out)

    def __repr__(self) -> str:
        names = ", ".join(sorted(s.name for s in self.subsystems))
        return f"<array operator on {names}, {self.size} members>"


def _member_multiply(left: MemberWord, right: MemberWord) -> dict[MemberWord, complex]:
    out: dict[MemberWord, complex] = {(): 1.0}
    one, two = dict(left), dict(right)
    for s in sorted({*one, *two}, key=lambda s: s.uid):
        product = words.multiply(s.kind, one.get(s, ""), two.get(s, ""))
        out = {
            (*k, (s, w)) if w else k: c * d for k, c in out.items() for w, d in product.items()
        }
    return out


def couple(A: ArrayOp, K: Any, B: ArrayOp) -> Op:
    r"""The operator :math:`\sum_{mm'} K_{mm'} A_m B_{m'}`.

    Args:
        A, B: array operators of arrays with M members each (one array or two).
        K: dense array or SciPy sparse array of shape (M, M), diagonal included (it is reduced by the
            operator algebra), or a structured coupling: ``NearestNeighbour``, ``AllToAll``,
            ``Waveguide`` (no diagonal).

    Raises:
        ValueError: the shapes of A, B and K do not fit; both are named.
    """
    for name, value in (("A", A), ("B", B)):
        if not isinstance(value, ArrayOp):
            _check.fail(name, "be an array operator such as `chain.Jp`", value, kind=TypeError)
    if A.size != B.size:
        _check.fail("B", f"have as many members as A, {A.size}", f"an array operator of {B.size} members")
    coupling, diagonal = as_coupling(K)
    coupling.check(A.size)
    if isinstance(coupling, AllToAll):
        return A.sum() * B.sum() - (A * B).sum()
    out = Op()
    if diagonal is not None and np.any(diagonal):
        out = (A * B * diagonal).sum()
    if isinstance(coupling, Sparse):
        make = type(coupling)
        for part, unit in ((coupling.csr.real, 1.0), (coupling.csr.imag, 1j)):
            if part.nnz and np.any(part.data):
                out = out + unit * _couple(A, make(part), B, None, None)
        return out
    return out + _couple(A, coupling, B, None, None)


def _couple(
    A: ArrayOp,
    coupling: Coupling,
    B: ArrayOp,
    u0: NDArray[np.float64] | None,
    v0: NDArray[np.float64] | None,
) -> Op:
    """Couple without diagonal; weights are absorbed into general matrices, kept beside structured ones."""
    out: dict[Key, complex] = {}
    for left, wl in A.terms.items():
        for right, wr in B.terms.items():
            for u, cu in _real_parts(wl if u0 is None else wl * u0):
                for v, cv in _real_parts(wr if v0 is None else wr * v0):
                    if not left or not right:
                        raise ValueError("Argument `A` and `B` of `couple` must not contain multiples of the identity.")
                    node = _couple_node(left, coupling, right, u, v)
                    if node is not None:
                        key = ((), (node,))
                        out[key] = out.get(key, 0) + cu * cv
    return Op(out)


def _couple_node(
    left: MemberWord,
    coupling: Coupling,
    right: MemberWord,
    u: NDArray[np.float64],
    v: NDArray[np.float64],
) -> CoupleNode | None:
    """One node, symmetrised where left and right are the same word; None where nothing is left."""
    if not isinstance(coupling, Sparse):
        return CoupleNode(left, coupling, right, None if np.all(u == 1) else u, None if np.all(v == 1) else v)
    if np.all(u == 1) and np.all(v == 1) and (left != right or coupling.symmetric):
        return CoupleNode(left, coupling, right) if coupling.csr.nnz else None
    matrix = coupling.csr.multiply(u[:, None]).multiply(v[None, :]).tocsr()
    if left == right:
        matrix = (matrix + matrix.T) / 2
        matrix.eliminate_zeros()
    return CoupleNode(left, type(coupling)(matrix), right) if matrix.nnz else None


def _real_parts(w: NDArray[np.complex128]) -> Iterable[tuple[NDArray[np.float64], complex]]:
    """Split w into real weights of largest entry one, each with its complex factor."""
    for part, unit in ((w.real, 1.0 + 0j), (w.imag, 1j)):
        scale = float(part[np.argmax(np.abs(part))])
        if scale != 0:
            # rounding makes weights that differ in their last bit one node; adding 0.0 removes -0.0
            yield np.round(part / scale, 14) + 0.0, unit * scale


def commutator(A: Any, B: Any) -> Any:
    """``A * B - B * A``, for operators or array operators."""
    return A * B - B * A


class LocalOp:
    """A one-emitter operator c_0 1 + c_x sigma_x + c_y sigma_y + c_z sigma_z of an ensemble.

    Only :class:`wignerflow.LocalJump` takes it; ``c`` has shape (4,).
    """

    __array_ufunc__ = None

    def __init__(self, sub: Subsystem, c: Any, member: int | None = None):
        self.sub = sub
        self.c = np.asarray(c, complex)
        self.member = member

    def _like(self, other: LocalOp) -> None:
        if other.sub is not self.sub or other.member != self.member:
            _check.fail("operator", f"be a one-emitter operator of {self.sub.name!r}", f"one of {other.sub.name!r}")

    def __add__(self, other: Any) -> LocalOp:
        if isinstance(other, LocalOp):
            self._like(other)
            return LocalOp(self.sub, self.c + other.c, self.member)
        if isinstance(other, numbers.Number):
            return LocalOp(self.sub, self.c + np.array([complex(other), 0, 0, 0]), self.member)  # type: ignore[arg-type]
        return self._refuse(other)

    __radd__ = __add__

    def __neg__(self) -> LocalOp:
        return LocalOp(self.sub, -self.c, self.member)

    def __sub__(self, other: Any) -> LocalOp:
        return self + (-other)

    def __mul__(self, other: Any) -> LocalOp:
        if isinstance(other, numbers.Number):
            return LocalOp(self.sub, self.c * complex(other), self.member)  # type: ignore[arg-type]
        if isinstance(other, LocalOp):
            self._like(other)
            a, b = self.c, other.c
            scalar = a @ b
            vector = a[0] * b[1:] + b[0] * a[1:] + 1j * np.cross(a[1:], b[1:])
            return LocalOp(self.sub, [scalar, *vector], self.member)
        return self._refuse(other)

    def __rmul__(self, other: Any) -> LocalOp:
        if isinstance(other, numbers.Number):
            return self * other
        return self._refuse(other)

    def __truediv__(self, other: complex) -> LocalOp:
        return self * (1 / complex(other))

    def dag(self) -> LocalOp:
        """Hermitian adjoint."""
        return LocalOp(self.sub, self.c.conj(), self.member)

    def matrix(self) -> NDArray[np.complex128]:
        """The 2x2 matrix in the basis (up, down)."""
        c0, cx, cy, cz = self.c
        return np.array([[c0 + cz, cx - 1j * cy], [cx + 1j * cy, c0 - cz]])

    def _refuse(self, other: Any) -> Any:
        raise TypeError(
            f"One-emitter operators of {self.sub.name!r} take numbers and each other only, but the other operand "
            f"was {other!r}; they belong in `wf.LocalJump`. For collective operators use Jx, Jy, Jz, Jp, Jm."
        )

    def __repr__(self) -> str:
        parts = [f"({c:.6g}) s{n}" for c, n in zip(self.c, "1xyz", strict=True) if c != 0]
        return f"<one-emitter operator of {self.sub.name}: {' + '.join(parts) or 0}>"
