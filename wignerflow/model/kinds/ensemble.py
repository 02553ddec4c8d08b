"""Ensembles of identical two-level emitters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import words
from ..operators import LocalOp
from ..reading_values import per_member
from .vector import ANGULAR_LETTERS, Vector

_ONE_EMITTER: dict[str, list[complex]] = {
    "sx": [0, 1, 0, 0],
    "sy": [0, 0, 1, 0],
    "sz": [0, 0, 0, 1],
    "sp": [0, 0.5, 0.5j, 0],
    "sm": [0, 0.5, -0.5j, 0],
}


class Ensemble(Vector):
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
    letters = ANGULAR_LETTERS
    algebra = words.ANGULAR  # type: ignore[assignment]
    one_emitter = _ONE_EMITTER
    required = ("N",)

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

    def __getattr__(self, name: str) -> Any:
        if name in _ONE_EMITTER:
            return LocalOp(self, _ONE_EMITTER[name])
        return super().__getattr__(name)

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments besides name and count."""
        n = self.numbers
        return {"N": n[0].item() if np.all(n == n[0]) else n.tolist()}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        """From the plain form."""
        return {"N": per_member(f"{where}.N", entry["N"], count)}
