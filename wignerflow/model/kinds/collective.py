"""Angular momenta of fixed length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from ... import _check
from .. import words
from ..operators import ArrayOp, Op
from ..reading_values import per_member
from .base import Angular, Member, O, Vector


class CollectiveMember(Member, Angular):
    """One collective spin of an array."""

    @property
    def S(self) -> float:
        """Its length."""
        return float(self.sub.lengths[self.m])


class CollectiveSpin(Vector[O], Angular):
    r"""An angular momentum of fixed length S (a positive multiple of 1/2).

    Operators ``Jx Jy Jz Jp Jm`` with :math:`[J_x, J_y] = i J_z`.

    Args:
        S: length, or one per member, shape (count,).
        name: label used in results and messages.
        count: None for one spin, M for an array of M.

    Raises:
        ValueError: S is not a positive multiple of 1/2.
    """

    kind = "collective"
    algebra = words.ANGULAR  # type: ignore[assignment]
    required = ("S",)

    @overload
    def __init__(
        self: CollectiveSpin[Op], S: float, name: str | None = None, *, count: None = None
    ) -> None: ...
    @overload
    def __init__(
        self: CollectiveSpin[ArrayOp], S: ArrayLike, name: str | None = None, *, count: int
    ) -> None: ...
    @overload
    def __init__(
        self: CollectiveSpin[Any], S: ArrayLike, name: str | None = None, *, count: int | None
    ) -> None: ...
    @_check.called("wf.CollectiveSpin(10, name='spin')")
    def __init__(self, S: Any, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)
        self.lengths = self._per_member("S", S, 0.5, 0.5)
        self.lengths.flags.writeable = False

    @property
    def S(self) -> Any:
        """Spin length: a number, or an array of shape (count,)."""
        return float(self.lengths[0]) if self.count is None else self.lengths

    def __getitem__(self, m: int) -> CollectiveMember:
        return CollectiveMember(self, self._index(m))

    def parameters(self) -> dict[str, Any]:
        s = self.lengths
        return {"S": float(s[0]) if np.all(s == s[0]) else s.tolist()}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        return {"S": per_member(f"{where}.S", entry["S"], count)}

    def check_state(self, argument: str, state: Any) -> None:
        """It takes pure coherent states."""
        super().check_state(argument, state)
        if not state.is_pure:
            hint = "Use wf.Ensemble for mixed product states."
            _check.fail(argument, "be a pure spin coherent state for a CollectiveSpin", state, hint)
