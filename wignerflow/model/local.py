"""LocalOp: an operator of one emitter of an ensemble, for local jumps."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .op import Symbolic

if TYPE_CHECKING:
    from .arrays import ArrayOp
    from .op import Op
    from .subsystems import Subsystem


class LocalOp(Symbolic):
    r"""A one-emitter operator :math:`c_0 + c_x\sigma^x + c_y\sigma^y + c_z\sigma^z` of an ensemble.

    Only :class:`wignerflow.LocalJump` takes it; ``c`` has shape (4,). On an array it stands for the
    same operator on every member, or for one member's where ``member`` is given.
    """

    __hash__ = None  # type: ignore[assignment]
    #: What to say where an operator of all emitters is asked for.
    summed = "Its sum over all emitters is collective: use Jx, Jy, Jz, Jp, Jm."

    def __init__(self, sub: Subsystem, c: Any, member: int | None = None):
        self.sub = sub
        self.c: NDArray[np.complex128] = np.asarray(c, complex)
        self.member = member

    def _made(self, c: Any) -> LocalOp:
        """Another operator of the same emitters."""
        return type(self)(self.sub, c, self.member)

    def _identity(self) -> NDArray[np.complex128]:
        return np.array([1, 0, 0, 0], complex)

    def _times(self, other: LocalOp) -> NDArray[np.complex128]:
        """The product with another operator of the same emitters."""
        a, b = self.c, other.c
        vector = a[0] * b[1:] + b[0] * a[1:] + 1j * np.cross(a[1:], b[1:])
        return np.array([a @ b, *vector])

    def _scalar(self, other: Any, argument: str = "scalar") -> complex | None:
        if isinstance(other, (numbers.Number, np.bool_)) or (
            isinstance(other, np.ndarray) and other.ndim == 0
        ):
            return complex(_check.numeric_array(argument, other, complex))
        return None

    def _like(self, other: LocalOp) -> None:
        if other.sub != self.sub or other.member != self.member:
            _check.fail(
                "operator",
                f"be a one-emitter operator of {self.where}, as the other operand",
                _check.Note(f"one of {other.where}"),
            )

    @property
    def where(self) -> str:
        """Name of the ensemble, with the index of the member if it is one's."""
        return self.sub.name if self.member is None else f"{self.sub.name}[{self.member}]"

    def __add__(self, other: Any) -> LocalOp:
        value = self._scalar(other)
        if value is not None:
            return self._made(self.c + value * self._identity())
        if isinstance(other, LocalOp):
            self._like(other)
            return self._made(self.c + other.c)
        return self._refuse(other)

    __radd__ = __add__

    def __pos__(self) -> LocalOp:
        return self

    def __neg__(self) -> LocalOp:
        return self._made(-self.c)

    def __sub__(self, other: Any) -> LocalOp:
        if self._scalar(other) is None and not isinstance(other, LocalOp):
            return self._refuse(other)
        return self + (-other)

    def __rsub__(self, other: Any) -> LocalOp:
        return (-self) + other

    def __mul__(self, other: Any) -> LocalOp:
        value = self._scalar(other)
        if value is not None:
            return self._made(self.c * value)
        if isinstance(other, LocalOp):
            self._like(other)
            return self._made(self._times(other))
        return self._refuse(other)

    def __rmul__(self, other: Any) -> LocalOp:
        return self._refuse(other) if self._scalar(other) is None else self * other

    def __truediv__(self, other: Any) -> LocalOp:
        value = self._scalar(other, "divisor")
        if value is None:
            return self._refuse(other)
        if value == 0:
            raise ZeroDivisionError("Argument `divisor` of an operator must not be zero.")
        return self._made(self.c / value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LocalOp):
            return NotImplemented
        same = self.sub == other.sub and self.member == other.member
        return same and bool(np.allclose(self.c, other.c, rtol=1e-12, atol=0))

    def dag(self) -> LocalOp:
        """Hermitian adjoint."""
        return LocalOp(self.sub, self.c.conj(), self.member)

    def over_emitters(self) -> Op | ArrayOp:
        """Its sum over the emitters of the ensemble, or of each member of an array."""
        whole: Any = self.sub if self.member is None else self.sub[self.member]  # type: ignore[index]
        c0, cx, cy, cz = self.c
        total = 2 * cx * whole.Jx + 2 * cy * whole.Jy + 2 * cz * whole.Jz
        numbers = np.broadcast_to(self.sub.numbers, (self.sub.count or 1,))  # type: ignore[attr-defined]
        if self.sub.count is None:
            return total + c0 * int(numbers[0])
        if self.member is not None:
            return total + c0 * int(numbers[self.member])
        return total + c0 * numbers

    def matrix(self) -> NDArray[np.complex128]:
        """The 2x2 matrix in the basis (up, down)."""
        c0, cx, cy, cz = self.c
        return np.array([[c0 + cz, cx - 1j * cy], [cx + 1j * cy, c0 - cz]])

    def _refuse(self, other: Any) -> Any:
        raise TypeError(
            f"One-emitter operators of {self.sub.name!r} take numbers and each other only, but the "
            f"other operand was {other!r}; they belong in `wf.LocalJump`. For collective operators "
            "use Jx, Jy, Jz, Jp, Jm."
        )

    def named_terms(self) -> list[tuple[complex, str]]:
        """(coefficient, name) pairs, with ladder operators where that is shorter."""
        c0, cx, cy, cz = (complex(c) for c in self.c)
        plus, minus = cx - 1j * cy, cx + 1j * cy  # c_x sx + c_y sy = plus * sp + minus * sm
        scale = np.abs(self.c).max()
        ladder = [(c, n) for c, n in ((plus, "sp"), (minus, "sm")) if abs(c) > 1e-14 * scale]
        plain = [(c, n) for c, n in ((cx, "sx"), (cy, "sy")) if c != 0]
        terms = [(c, n) for c, n in ((c0, ""), (cz, "sz")) if c != 0]
        return terms + (ladder if len(ladder) < len(plain) else plain)

    def latex_terms(self, index: str) -> list[tuple[complex, str]]:
        """(coefficient, LaTeX) pairs of the operator of one emitter."""
        marks = {"sx": "x", "sy": "y", "sz": "z", "sp": "+", "sm": "-"}
        return [
            (c, rf"\sigma^{{{marks[n]}}}_{{{index}}}" if n else "") for c, n in self.named_terms()
        ]

    def plain_terms(self) -> list[tuple[str, complex]]:
        """(name, coefficient) pairs of the plain form."""
        names = ("identity", "sx", "sy", "sz")
        return list(zip(names, self.c.tolist(), strict=True))
