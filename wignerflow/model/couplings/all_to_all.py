"""Equal couplings between all members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Complex, Coupling, Writer


class AllToAll(Coupling):
    """K_mm' = 1 for m != m'."""

    kind = "all"
    structure = "dense"

    def matrix(self, size: int) -> Complex:
        return np.ones((size, size), complex) - np.eye(size, dtype=complex)

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(M)."""
        return np.asarray(x.sum(axis=0) - x)

    def row_sum(self, size: int) -> float:
        return size - 1.0

    def entries(self, size: int) -> int:
        return size * size

    def sums(self, A: Any, B: Any) -> Any:
        """The product of both sums without what one member does alone."""
        return A.sum() * B.sum() - (A * B).sum()

    def check(self, size: int) -> None:
        """It fits every array."""

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.kind,)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> AllToAll:
        return cls()

    def latex(self, writer: Writer, m: str, n: str) -> tuple[str, str]:
        """All pairs."""
        return rf"{m} \neq {n}", ""

    def __repr__(self) -> str:
        return "AllToAll()"
