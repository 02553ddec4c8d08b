"""Op: a symbolic operator, a sum of ordered products of factors, never a matrix."""

from __future__ import annotations

import cmath
import copy
import numbers
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from .. import _check
from . import normal
from .coefficients import Coef
from .factors import Factors, Key, Site

if TYPE_CHECKING:
    from .subsystems import Subsystem

MAX_POWER = 64


def _times_key(times: tuple[Coef, ...]) -> tuple[Coef, ...]:
    return tuple(sorted(times, key=lambda c: c.order)) if len(times) > 1 else times


def _term_order(times: tuple[Coef, ...], factors: Factors) -> tuple[Any, ...]:
    return len(times), [c.order for c in times], len(factors), [f.key for f in factors]


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


class Op(Measurable, Symbolic):
    """A symbolic operator: ``terms`` maps (time coefficients, ordered factors) to a complex number.

    Supports ``+ - *``, integer powers, multiplication by scalars and :func:`wignerflow.coef`
    coefficients, ``dag()`` and comparison. ``*`` is the operator product.
    """

    def __init__(self, terms: Mapping[Key, complex] | None = None):
        self.terms: dict[Key, complex] = normal.merged(
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

    def _coerce(self, other: Any, what: str) -> Op | None:
        if isinstance(other, Op):
            return other
        if isinstance(other, (numbers.Number, np.bool_)) or (
            isinstance(other, np.ndarray) and other.ndim == 0
        ):
            return Op.scalar(complex(_check.numeric_array("scalar", other, complex)))
        if isinstance(other, Coef):
            unit, factor = other.split()
            return Op({((unit,), ()): factor})
        if getattr(other, "is_array_operator", False):
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

    def __pos__(self) -> Op:
        return self

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
        out: dict[Key, complex] = {}
        for (t1, f1), c1 in self.terms.items():
            for (t2, f2), c2 in right.terms.items():
                times = _times_key(t1 + t2)
                for factors, c in normal.normal(f1 + f2):
                    out[times, factors] = out.get((times, factors), 0) + c1 * c2 * c
        return Op(out)

    def __rmul__(self, other: Any) -> Op:
        left = self._coerce(other, "multiply")
        return NotImplemented if left is None else left * self

    def __truediv__(self, other: Any) -> Op:
        if isinstance(other, (numbers.Number, np.bool_)) or (
            isinstance(other, np.ndarray) and other.ndim == 0
        ):
            value = complex(_check.numeric_array("divisor", other, complex))
            if value == 0:
                raise ZeroDivisionError("Argument `divisor` of an operator must not be zero.")
            return Op({k: c / value for k, c in self.terms.items()})
        return NotImplemented

    def __pow__(self, power: int) -> Op:
        if _check.integer("power", power, 0) > MAX_POWER:
            _check.fail("power", f"be at most {MAX_POWER}", power)
        out = Op.scalar(1)
        for _ in range(power):
            out = out * self
        return out

    def canonical(self) -> Op:
        """The same operator with its terms in an order that follows from what they hold."""
        out = copy.copy(self)
        out.terms = dict(sorted(self.terms.items(), key=lambda item: _term_order(*item[0])))
        return out

    def with_coefficients(self, change: Callable[[Coef], Coef]) -> Op:
        """The same operator with other time coefficients in place of its own."""
        out: dict[Key, complex] = {}
        for (coefs, factors), c in self.terms.items():
            key = _times_key(tuple(map(change, coefs))), factors
            out[key] = out.get(key, 0) + c
        return Op(out)

    def dag(self) -> Op:
        """Hermitian adjoint."""
        out: dict[Key, complex] = {}
        for (times, factors), c in self.terms.items():
            conjugate = _times_key(tuple(t.conj() for t in times))
            pieces: normal.Terms = {(): c.conjugate()}
            for f in reversed(factors):
                pieces = normal.multiply(pieces, normal.adjoint(f))
            for product, d in pieces.items():
                out[conjugate, product] = out.get((conjugate, product), 0) + d
        return Op(out)

    def is_zero(self, scale: float = 1.0, tolerance: float = 1e-12) -> bool:
        """True if all coefficients are below ``tolerance * scale``, however terms are written."""
        return normal.largest_residue(self.terms) <= tolerance * max(scale, 1e-300)

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
            pieces: normal.Terms = {(): c}
            for f in factors:
                pieces = normal.multiply(pieces, normal.expand_factor(f))
            for product, d in pieces.items():
                out[times, product] = out.get((times, product), 0) + d
        return [
            (c, times, tuple((f.sub, f.m, f.word) for f in factors if isinstance(f, Site)))
            for (times, factors), c in out.items()
            if c != 0
        ]


def _times_coef(first: Coef, second: Coef) -> Op:
    """A product of two coefficients is a number times the identity that depends on time."""
    return (first * Op.scalar(1)) * second


Coef.times_coef = _times_coef  # type: ignore[method-assign,assignment]
