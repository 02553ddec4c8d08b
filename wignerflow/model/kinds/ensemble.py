"""Ensembles of identical two-level emitters, and the operators of one emitter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import _check
from .. import words
from ..op import Symbolic
from ..operators import ArrayOp, Op
from ..reading_values import per_member
from .base import Angular, LocalWord, Member, O, Subsystem, Vector


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

    def _one(self) -> LocalOp:
        return self._made(self._identity())

    def _times(self, other: LocalOp) -> NDArray[np.complex128]:
        """The product with another operator of the same emitters."""
        a, b = self.c, other.c
        vector = a[0] * b[1:] + b[0] * a[1:] + 1j * np.cross(a[1:], b[1:])
        return np.array([a @ b, *vector])

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
        value = _check.scalar("scalar", other)
        if value is not None:
            return self._made(self.c + value * self._identity())
        if isinstance(other, LocalOp):
            self._like(other)
            return self._made(self.c + other.c)
        return self._refuse(other)

    __radd__ = __add__

    def __neg__(self) -> LocalOp:
        return self._made(-self.c)

    def __sub__(self, other: Any) -> LocalOp:
        if _check.scalar("scalar", other) is None and not isinstance(other, LocalOp):
            return self._refuse(other)
        return self + (-other)

    def __rsub__(self, other: Any) -> LocalOp:
        return (-self) + other

    def __mul__(self, other: Any) -> LocalOp:
        value = _check.scalar("scalar", other)
        if value is not None:
            return self._made(self.c * value)
        if isinstance(other, LocalOp):
            self._like(other)
            return self._made(self._times(other))
        return self._refuse(other)

    def __rmul__(self, other: Any) -> LocalOp:
        return self._refuse(other) if _check.scalar("scalar", other) is None else self * other

    def __truediv__(self, other: Any) -> LocalOp:
        value = _check.scalar("divisor", other)
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


class OneEmitter:
    """Operators of one emitter of an ensemble, which ``LocalJump`` takes."""

    sx = LocalWord("Pauli x of one emitter.", 0, 1, 0, 0)
    sy = LocalWord("Pauli y of one emitter.", 0, 0, 1, 0)
    sz = LocalWord("Pauli z of one emitter.", 0, 0, 0, 1)
    sp = LocalWord("Raises one emitter: (sx + i sy)/2.", 0, 0.5, 0.5j, 0)
    sm = LocalWord("Lowers one emitter: (sx - i sy)/2.", 0, 0.5, -0.5j, 0)


class EnsembleMember(Member, Angular, OneEmitter):
    """One ensemble of an array."""

    def _local(self, c: list[complex]) -> LocalOp:
        return LocalOp(self.sub, c, self.m)

    @property
    def N(self) -> int:
        """Number of its emitters."""
        return int(self.sub.numbers[self.m])


class Ensemble(Vector[O], Angular, OneEmitter):
    r"""N identical two-level emitters, treated as permutation invariant.

    Operators: collective ``Jx Jy Jz Jp Jm`` with :math:`J_a = \sum_n \sigma^a_n/2` and
    :math:`J^\pm = J_x \pm i J_y`; one-emitter ``sx sy sz sp sm`` (Pauli and ladder,
    :math:`\sigma^\pm = (\sigma^x \pm i\sigma^y)/2`), which only ``LocalJump`` takes.

    Args:
        N: number of emitters, or one number per member, shape (count,).
        name: label used in results and messages.
        count: None for one ensemble, M for an array of M.

    Raises:
        ValueError: N is not a positive integer.
    """

    kind = "ensemble"
    algebra = words.ANGULAR  # type: ignore[assignment]
    required = ("N",)

    @overload
    def __init__(
        self: Ensemble[Op], N: float, name: str | None = None, *, count: None = None
    ) -> None: ...
    @overload
    def __init__(
        self: Ensemble[ArrayOp], N: ArrayLike, name: str | None = None, *, count: int
    ) -> None: ...
    @overload
    def __init__(
        self: Ensemble[Any], N: ArrayLike, name: str | None = None, *, count: int | None
    ) -> None: ...
    @_check.called("wf.Ensemble(100, name='atoms')")
    def __init__(self, N: Any, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)
        numbers = self._per_member("N", N, 1, 1)
        whole = bool(np.all(numbers == np.round(numbers)))
        self.numbers: NDArray[Any] = numbers.astype(np.int64) if whole else numbers
        self.numbers.flags.writeable = False

    @property
    def N(self) -> Any:
        """Number of emitters: an integer, or an integer array of shape (count,)."""
        return self.numbers[0].item() if self.count is None else self.numbers

    def _local(self, c: list[complex]) -> LocalOp:
        return LocalOp(self, c)

    def __getitem__(self, m: int) -> EnsembleMember:
        return EnsembleMember(self, self._index(m))

    def parameters(self) -> dict[str, Any]:
        n = self.numbers
        return {"N": n[0].item() if np.all(n == n[0]) else n.tolist()}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        return {"N": per_member(f"{where}.N", entry["N"], count)}
