"""Single spins 1/2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from .. import words
from ..operators import ArrayOp, Op
from .base import Member, O, Vector, Word


class Pauli:
    """Operators of one spin-1/2."""

    sx = Word("Pauli x.", x=1)
    sy = Word("Pauli y.", y=1)
    sz = Word("Pauli z.", z=1)
    sp = Word("Raises: (sx + i sy)/2.", x=0.5, y=0.5j)
    sm = Word("Lowers: (sx - i sy)/2.", x=0.5, y=-0.5j)


class SpinMember(Member, Pauli):
    """One spin of an array."""


class Spin(Vector[O], Pauli):
    r"""One spin-1/2: Pauli ``sx sy sz`` and ladder ``sp sm``.

    :math:`\sigma^\pm = (\sigma^x \pm i\sigma^y)/2`, so ``sp`` takes ``wf.down`` to ``wf.up``.

    Args:
        name: label used in results and messages.
        count: None for one spin, M for an array of M.
    """

    kind = "spin"
    prefix, symbol = "s", r"\sigma"
    algebra = words.PAULI  # type: ignore[assignment]

    @overload
    def __init__(self: Spin[Op], name: str | None = None, *, count: None = None) -> None: ...
    @overload
    def __init__(self: Spin[ArrayOp], name: str | None = None, *, count: int) -> None: ...
    @overload
    def __init__(self: Spin[Any], name: str | None = None, *, count: int | None) -> None: ...
    def __init__(self, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)

    def __getitem__(self, m: int) -> SpinMember:
        return SpinMember(self, self._index(m))

    def parameters(self) -> dict[str, Any]:
        """There are none."""
        return {}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        return {}
