"""Ensembles of identical two-level emitters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import _check
from .. import words
from ..operators import ArrayOp, LocalOp, Op
from ..reading_values import per_member
from .base import Angular, LocalWord, Member, O, Vector


class OneEmitter:
    """Operators of one emitter of an ensemble, which ``LocalJump`` takes."""

    sx = LocalWord("Pauli x of one emitter.", 0, 1, 0, 0)
    sy = LocalWord("Pauli y of one emitter.", 0, 0, 1, 0)
    sz = LocalWord("Pauli z of one emitter.", 0, 0, 0, 1)
    sp = LocalWord("Raises one emitter: (sx + i sy)/2.", 0, 0.5, 0.5j, 0)
    sm = LocalWord("Lowers one emitter: (sx - i sy)/2.", 0, 0.5, -0.5j, 0)


class EnsembleMember(Member, Angular, OneEmitter):
    """One ensemble of an array."""

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
