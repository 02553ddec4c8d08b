"""Operators: ``Op``, and ``ArrayOp``, one per member of an array.

``couple`` sums over pairs of members. Products are made of factors by the rules in ``normal``.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from . import normal
from .coefficients import Coef
from .couplings import Coupling, as_coupling
from .normal import MemberWord, Real, Weights, array_size
from .op import Measurable, Op, Symbolic, not_finite

if TYPE_CHECKING:
    from .subsystems import Subsystem


class OutOfRange(IndexError, ValueError):
    """An index beyond the members of an array."""


def member_index(argument: str, m: Any, size: int, what: str) -> int:
    """An index 0 <= m < size; negative ones count from the end, as in Python."""
    if isinstance(m, (bool, np.bool_)) or not isinstance(m, (int, np.integer)):
        _check.fail(
            argument, f"be one integer below {size}, the members of {what}", m, "", TypeError
        )
    if not -size <= m < size:
        _check.fail(argument, f"be below {size}, the members of {what}", m, "", OutOfRange)
    return int(m) % size


class ArrayOp(Measurable, Symbolic):
    """One operator per member of an array: ``terms`` maps a member word to weights, shape (M,).

    Arithmetic is element by element, as in NumPy: NumPy arrays of length M multiply from either
    side, ``array_op[m]`` is one member's operator and ``array_op.sum()`` one operator for all.
    """

    __hash__ = None  # type: ignore[assignment]
    is_array_operator = True

    def __init__(self, terms: Mapping[MemberWord, Weights], size: int | None = None):
        if size is None:
            size = next(array_size(k) for k in terms if k)
        self.size = size
        self.terms = {k: np.asarray(w, complex) for k, w in terms.items() if np.any(w)}
        if not all(np.isfinite(w).all() for w in self.terms.values()):
            not_finite()

    @property
    def subsystems(self) -> set[Subsystem]:
        """The arrays it acts on."""
        return {s for word in self.terms for s, _ in word}

    @property
    def degree(self) -> int:
        """Letters of its longest product."""
        return max((sum(len(w) for _, w in word) for word in self.terms), default=0)

    def _weights(self, other: Any, argument: str = "weights") -> Weights | None:
        if isinstance(other, (numbers.Number, np.bool_, np.ndarray, list, tuple)):
            w = _check.numeric_array(argument, other, complex)
            if w.ndim > 1 or (w.ndim == 1 and w.size != self.size):
                _check.fail(
                    argument,
                    f"be a number or have one entry per array member, shape ({self.size},)",
                    _check.Note(f"an array of shape {w.shape}"),
                )
            return np.broadcast_to(w, (self.size,))
        if callable(other):  # Coef is, too
            hint = "" if isinstance(other, Coef) else f" {_check.OF_TIME}"
            raise TypeError(
                "A time coefficient multiplies an operator, not an array operator; "
                f"sum over the array first.{hint}"
            )
        if isinstance(other, Op):
            raise TypeError(
                "Cannot multiply or add an array operator and an operator; sum over the array "
                "first, for example `(weights * chain.Jm).sum()`, or index one member."
            )
        return None

    def _same(self, other: ArrayOp) -> None:
        if other.size != self.size:
            _check.fail(
                "array operator",
                f"belong to an array of {self.size} members, as the other operand",
                _check.Note(f"of {other.size} members"),
            )

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

    def canonical(self) -> ArrayOp:
        """The same operator with its terms in an order that follows from what they hold."""
        words = sorted(self.terms, key=lambda word: [(s.order, w) for s, w in word])
        return ArrayOp({word: self.terms[word] for word in words}, self.size)

    def __neg__(self) -> ArrayOp:
        return ArrayOp({k: -w for k, w in self.terms.items()}, self.size)

    def __sub__(self, other: Any) -> ArrayOp:
        if isinstance(other, ArrayOp):
            return self + (-other)
        weights = self._weights(other)
        return NotImplemented if weights is None else self + (-weights)

    def __rsub__(self, other: Any) -> ArrayOp:
        return (-self) + other

    def __mul__(self, other: Any) -> ArrayOp:
        if isinstance(other, ArrayOp):
            self._same(other)
            return ArrayOp(normal.array_multiply(self.terms, other.terms), self.size)
        weights = self._weights(other)
        if weights is None:
            return NotImplemented
        return ArrayOp({k: w * weights for k, w in self.terms.items()}, self.size)

    def __rmul__(self, other: Any) -> ArrayOp:
        weights = self._weights(other)
        return NotImplemented if weights is None else self * weights

    def __truediv__(self, other: Any) -> ArrayOp:
        weights = self._weights(other, "divisor")
        if weights is None:
            return NotImplemented
        if np.any(weights == 0):
            raise ZeroDivisionError("Argument `divisor` of an array operator must not be zero.")
        return ArrayOp({k: w / weights for k, w in self.terms.items()}, self.size)

    def _one(self) -> ArrayOp:
        return ArrayOp({(): np.ones(self.size, complex)}, self.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArrayOp):
            return NotImplemented
        if other.size != self.size:
            return False
        scale = max(
            (np.abs(w).max() for w in (*self.terms.values(), *other.terms.values())), default=0
        )
        rest = (self - other).terms.values()
        return all(float(np.abs(w).max()) <= 1e-12 * scale for w in rest)

    def __len__(self) -> int:
        return self.size

    def dag(self) -> ArrayOp:
        """Hermitian adjoint, member by member."""
        return ArrayOp(normal.array_adjoint(self.terms), self.size)

    def is_hermitian(self, tolerance: float = 1e-12) -> bool:
        """True if each member's operator is Hermitian within rounding."""
        scale = max((np.abs(w).max() for w in self.terms.values()), default=0.0)
        skew = (self - self.dag()).terms.values()
        return all(np.abs(w).max() <= tolerance * scale for w in skew)

    def __getitem__(self, m: int) -> Op:
        index = member_index("index", m, self.size, "the array")
        return Op({((), f): c for f, c in normal.member(self.terms, index).items()})

    def sum(self, axis: None = None, out: None = None) -> Op:
        """sum over the members, one operator; np.sum gives ``axis`` and ``out``."""
        return Op({((), f): c for f, c in normal.array_sum(self.terms).items()})


@_check.called("wf.couple(chain.Jp, K, chain.Jm)")
def couple(A: ArrayOp, K: Any, B: ArrayOp) -> Op:
    r"""The operator :math:`\sum_{mm'} K_{mm'} A_m B_{m'}`.

    Args:
        A, B: array operators of arrays with M members each (one array or two).
        K: dense array or SciPy sparse array of shape (M, M), diagonal included (it is reduced by
            the operator algebra), or a structured coupling: ``NearestNeighbour``, ``AllToAll``,
            ``Waveguide`` (no diagonal). Structured and sparse couplings stay so.

    Raises:
        ValueError: the shapes of A, B and K do not fit (both are named), or K is not finite.
        TypeError: A or B is not an array operator.
    """
    for name, value in (("A", A), ("B", B)):
        if not isinstance(value, ArrayOp):
            _check.fail(name, "be an array operator such as `chain.Jp`", value, kind=TypeError)
    if A.size != B.size:
        _check.fail(
            "B", f"have as many members as A, {A.size}", _check.Note(f"one of {B.size} members")
        )
    coupling, diagonal = as_coupling(K)
    coupling.check(A.size)
    short = coupling.sums(A, B)
    if short is not None:
        return short
    out = Op()
    if diagonal is not None and np.any(diagonal):
        out = (A * B * diagonal).sum()
    for factor, part in coupling.parts():
        out = out + factor * _couple(A, part, B, None, None)
    return out


def _couple(A: ArrayOp, coupling: Coupling, B: ArrayOp, u: Real | None, v: Real | None) -> Op:
    """sum_{m != m'} u_m K_mm' v_m' A_m B_m' for real K."""
    terms = normal.couple_terms(A.terms, coupling, B.terms, u, v)
    return Op({((), f): c for f, c in terms.items()})


def commutator(A: Any, B: Any) -> Any:
    """The commutator [A, B] = A B - B A, reduced by the algebra.

    Args:
        A: an operator, or an array operator (the result is then member by member).
        B: an operator or array operator; arrays must be of one size.

    Raises:
        TypeError, ValueError: the two cannot be multiplied.

    Example:
        >>> import wignerflow as wf
        >>> spin = wf.CollectiveSpin(3, name="spin")
        >>> wf.commutator(spin.Jx, spin.Jy) - 1j * spin.Jz
        0
    """
    return A * B - B * A
