"""Op: a symbolic operator, a sum of ordered products of factors, never a matrix."""

from __future__ import annotations

import cmath
import copy
import numbers
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from .. import _check
from . import normal
from .coefficients import Coef
from .couplings import Sparse
from .normal import (
    CoupleNode,
    Factor,
    Factors,
    Key,
    MemberWord,
    Real,
    Site,
    SumNode,
    array_size,
    real_parts,
    words_of,
)

if TYPE_CHECKING:
    from typing import Self

    from .subsystems import Subsystem

MAX_POWER = 64
ROUNDING = 1e-15  # what is left of sums that cancel, in units of their largest part


def not_finite() -> NoReturn:
    """Raise: a coefficient is not finite."""
    raise ValueError(
        "The coefficients of an operator must be finite, but a product or a sum of them "
        "overflowed; measure energies and times in other units."
    )


class Measurable:
    """What has a mean: operators, array operators and derived observables.

    The first base of each, so that type checkers see a dict of them as one of ``Measurable``.
    """


class Symbolic:
    """What is added and multiplied as operators are, also by numbers and arrays of NumPy."""

    _REFLECTED: ClassVar[dict[Any, str]] = {
        np.multiply: "__rmul__",
        np.add: "__radd__",
        np.subtract: "__rsub__",
        np.equal: "__eq__",
        np.not_equal: "__ne__",
        np.matmul: "__rmatmul__",
    }

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """What NumPy's functions make of it: sums and products, nothing else."""
        name = self._REFLECTED.get(ufunc)
        first = inputs[0][()] if isinstance(inputs[0], np.ndarray) else inputs[0]
        if name and method == "__call__" and not options and first is not self:
            out = getattr(self, name)(first)
            if out is NotImplemented and ufunc in (np.equal, np.not_equal):
                return ufunc is np.not_equal
            return out
        if name or ufunc is np.true_divide:
            return NotImplemented
        raise TypeError(
            f"np.{ufunc.__name__} of an operator is no sum of products of operators. A polynomial "
            "is: write it with + and *. The exponential of a drive is a coefficient, "
            "`wf.coef(f) * op`; a unitary that acts at once is `wf.pulse(t, op, angle)`."
        )

    def __matmul__(self, other: Any) -> Any:
        raise TypeError(
            "Operators are multiplied with `*`, as in atoms.Jp * atoms.Jm, not with `@`."
        )

    __rmatmul__ = __matmul__

    def __pos__(self) -> Self:
        return self

    def _one(self) -> Self:
        raise NotImplementedError

    def __pow__(self, power: int) -> Self:
        out: Any = self._one()
        for _ in range(_check.integer("power", power, 0, MAX_POWER)):
            out = out * self
        return out  # type: ignore[no-any-return]


class Op(Measurable, Symbolic):
    """A symbolic operator: ``terms`` maps (time coefficients, ordered factors) to a complex number.

    Supports ``+ - *``, integer powers, multiplication by scalars and :func:`wignerflow.coef`
    coefficients, ``dag()`` and comparison. ``*`` is the operator product.
    """

    def __init__(self, terms: Mapping[Key, complex] | None = None):
        self.terms: dict[Key, complex] = merged(
            {k: complex(c) for k, c in (terms or {}).items() if c != 0}
        )
        if not all(map(cmath.isfinite, self.terms.values())):
            not_finite()

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

    @property
    def degree(self) -> int:
        """Letters of its longest product of words on sites."""
        products = ([f.word for f in fs if isinstance(f, Site)] for _, fs in self.terms)
        return max((sum(map(len, words)) for words in products), default=0)

    def _coerce(self, other: Any, what: str) -> Op | None:
        if isinstance(other, Op):
            return other
        value = _check.scalar("scalar", other)
        if value is not None:
            return Op.scalar(value)
        if isinstance(other, Coef):
            unit, factor = other.split()
            return Op({((unit,), ()): factor})
        if getattr(other, "is_array_operator", False):
            raise TypeError(
                f"Cannot {what} an operator and an array operator; sum over the array first, "
                "for example `(weights * chain.Jm).sum()`, or index one member."
            )
        if callable(other):
            raise TypeError(f"Cannot {what} an operator and a function. {_check.OF_TIME}")
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
        left = self._coerce(other, "subtract")
        return NotImplemented if left is None else left + (-self)

    def __mul__(self, other: Any) -> Op:
        right = self._coerce(other, "multiply")
        if right is None:
            return NotImplemented
        return Op(normal.product(self.terms, right.terms))

    def __rmul__(self, other: Any) -> Op:
        left = self._coerce(other, "multiply")
        return NotImplemented if left is None else left * self

    def __truediv__(self, other: Any) -> Op:
        value = _check.scalar("divisor", other)
        if value is None:
            return NotImplemented
        if value == 0:
            raise ZeroDivisionError("Argument `divisor` of an operator must not be zero.")
        return Op({k: c / value for k, c in self.terms.items()})

    def _one(self) -> Op:
        return Op.scalar(1)

    def canonical(self) -> Op:
        """The same operator with its terms in an order that follows from what they hold."""

        def order(item: tuple[Key, complex]) -> tuple[Any, ...]:
            (times, factors), _ = item
            return len(times), [c.order for c in times], len(factors), factors

        out = copy.copy(self)
        out.terms = dict(sorted(self.terms.items(), key=order))
        return out

    def with_coefficients(self, change: Callable[[Coef], Coef]) -> Op:
        """The same operator with other time coefficients in place of its own."""
        out: dict[Key, complex] = {}
        for (coefs, factors), c in self.terms.items():
            key = normal.sorted_times(map(change, coefs)), factors
            out[key] = out.get(key, 0) + c
        return Op(out)

    def dag(self) -> Op:
        """Hermitian adjoint."""
        return Op(normal.conjugated(self.terms))

    def is_zero(self, scale: float = 1.0, tolerance: float = 1e-12) -> bool:
        """True if all coefficients are below ``tolerance * scale``, however terms are written."""
        return largest_residue(self.terms) <= tolerance * max(scale, 1e-300)

    def is_hermitian(self, tolerance: float = 1e-12) -> bool:
        """True if the operator equals its adjoint within rounding.

        A time coefficient is its own conjugate if it is real: samples without imaginary part, or a
        callable that returns real numbers.
        """
        return (self - self.dag()).is_zero(self._scale(), tolerance)

    def _scale(self) -> float:
        return max((abs(c) for c in self.terms.values()), default=0.0)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Op, numbers.Number)):
            right = self._coerce(other, "compare")
            assert right is not None
            return (self - right).is_zero(max(self._scale(), right._scale()))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def expand(
        self,
    ) -> list[tuple[complex, tuple[Coef, ...], tuple[tuple[Subsystem, int, str], ...]]]:
        """All sums written out: a list of (coefficient, times, ((subsystem, m, word), ...)).

        Costs O(M) per sum and O(M^2) per coupling: for exact methods on small models.
        """
        out: dict[Key, complex] = {}
        for (times, factors), c in self.terms.items():
            for product, d in normal.replaced(factors, _written_out, c).items():
                out[times, product] = out.get((times, product), 0) + d
        return [
            (c, times, tuple((f.sub, f.m, f.word) for f in factors if isinstance(f, Site)))
            for (times, factors), c in out.items()
            if c != 0
        ]


def _written_out(f: Factor) -> normal.Terms:
    """A factor as products of words on sites."""
    if isinstance(f, Site):
        return {(f,): 1.0}
    out: normal.Terms = {}
    if isinstance(f, SumNode):
        for m in np.flatnonzero(f.weights):
            normal.add(out, normal.member_factors(f.word, int(m)), complex(f.weights[m]))
        return out
    matrix = f.coupling.matrix(array_size(f.left)).real
    if f.u is not None:
        matrix = f.u[:, None] * matrix
    if f.v is not None:
        matrix = matrix * f.v[None, :]
    for m, n in zip(*np.nonzero(matrix), strict=True):
        pair = normal.member_factors(f.left, int(m)) + normal.member_factors(f.right, int(n))
        for factors, c in normal.normal(pair):
            normal.add(out, factors, c * float(matrix[m, n]))
    return out


# ---------------------------------------------------------------- terms that are merged


def merged(terms: dict[Key, complex]) -> dict[Key, complex]:
    """Add up sums over the same words, and lone general couplings, where all else is equal."""
    groups: dict[object, list[Key]] = {}
    for key in terms:
        times, factors = key
        if not factors or isinstance(factors[-1], Site):
            continue
        last, sites = factors[-1], factors[:-1]
        if isinstance(last, SumNode) and all(isinstance(f, Site) for f in sites):
            groups.setdefault((times, sites, last.word), []).append(key)
        elif not sites and isinstance(last, CoupleNode) and isinstance(last.coupling, Sparse):
            groups.setdefault((times, last.left, last.right), []).append(key)
    for keys in groups.values():
        if len(keys) < 2:
            continue
        nodes = [(k[1][-1], terms[k]) for k in keys]
        rounding = ROUNDING * max(_size(f, c) for f, c in nodes)
        if len(keys) == 2 and all(_size(f, c) > rounding for f, c in nodes):
            (_, c), (_, d) = nodes
            if (c.imag == 0 == d.real) or (c.real == 0 == d.imag):
                continue  # merging would give the same again, but for rounding
        times, sites = keys[0][0], keys[0][1][:-1]
        for key in keys:
            del terms[key]
        for node, c in _merge_nodes(nodes, rounding):
            key = (times, (*sites, node))
            terms[key] = terms.get(key, 0) + c
    return terms


def _size(f: Factor, c: complex) -> float:
    if isinstance(f, CoupleNode) and isinstance(f.coupling, Sparse):
        return abs(c) * f.coupling.largest
    return abs(c)


def _merge_nodes(
    nodes: list[tuple[Factor, complex]], rounding: float
) -> Iterable[tuple[Factor, complex]]:
    first = nodes[0][0]
    if isinstance(first, SumNode):
        total = np.zeros(first.weights.size, complex)
        for f, c in nodes:
            assert isinstance(f, SumNode)
            total += c * f.weights
        for weights, c in real_parts(total):
            if abs(c) > rounding:
                yield SumNode(first.word, weights), c
        return
    assert isinstance(first, CoupleNode) and isinstance(first.coupling, Sparse)
    make = first.coupling._make
    matrix: Any = sum(c * f.coupling.csr for f, c in nodes)  # type: ignore[union-attr]
    for part, unit in ((matrix.real, 1.0 + 0j), (matrix.imag, 1j)):
        scale = float(np.abs(part.data).max()) if part.nnz else 0.0
        if scale > rounding:
            node = CoupleNode(first.left, make((part / scale).astype(complex)), first.right)
            yield node, unit * scale


# ---------------------------------------------------------------- is it zero?


def largest_residue(terms: Mapping[Key, complex]) -> float:
    """How far a combination is from zero, in units of its coefficients.

    Terms over the same words are linear forms in their weights, and different weights may cancel
    (two phases of one sum, say). Each group of them is contracted with fixed random vectors, which
    is zero for all vectors only if the group is: O(M), and independent of how it was written.
    """
    groups: dict[object, list[tuple[Factors, complex]]] = {}
    for (times, factors), c in terms.items():
        shape = tuple(f if isinstance(f, Site) else words_of(f) for f in factors)
        groups.setdefault((times, shape), []).append((factors, c))
    worst = 0.0
    for group in groups.values():
        if len(group) == 1:
            worst = max(worst, abs(group[0][1]))
            continue
        for trial in range(2):
            total, size = 0j, 0.0
            for factors, c in group:
                value, norm = 1.0, 1.0
                for f in factors:
                    p, n = _project(f, trial)
                    value, norm = value * p, norm * n
                total += c * value
                size = max(size, norm)
            if size > 0:
                worst = max(worst, abs(total) / size)
    return worst


def _project(f: Factor, trial: int) -> tuple[float, float]:
    """The contraction of a factor's weights with random vectors, and its expected size."""
    if isinstance(f, Site):
        return 1.0, 1.0
    if isinstance(f, SumNode):
        terms = f.weights * _probe(f.word, trial)
    else:
        right = _probe(f.right, trial) * (1.0 if f.v is None else f.v)
        terms = _probe(f.left, trial) * (1.0 if f.u is None else f.u) * f.coupling.apply(right).real
    return float(terms.sum()), float(np.linalg.norm(terms))


@lru_cache(maxsize=64)
def _probe(word: MemberWord, trial: int) -> Real:
    # unnamed ones of a kind by their number, so that no two words have the same vector
    label = "".join(f"{s.name}{s.uid % 2**32 if s.unnamed else ''}.{w}," for s, w in word)
    rng = np.random.default_rng([zlib.crc32(label.encode()), trial])
    out = rng.uniform(0.5, 1.5, array_size(word)) * rng.choice([-1.0, 1.0], array_size(word))
    out.flags.writeable = False
    return out


def _times_coef(first: Coef, second: Coef) -> Op:
    """A product of two coefficients is a number times the identity that depends on time."""
    return (first * Op.scalar(1)) * second


Coef.times_coef = _times_coef  # type: ignore[method-assign,assignment]
