"""Nearest neighbours on a chain or a ring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _check
from ..reading_values import flag
from .base import Complex, Coupling, Writer, check_ring


class NearestNeighbour(Coupling):
    """K_{m,m+1} = K_{m+1,m} = 1: both orders, so each bond appears twice in ``couple``.

    Args:
        periodic: also couple the last member to the first (needs M >= 3).
    """

    kind = structure = "nearest"
    optional = ("periodic",)

    def __init__(self, periodic: bool = False):
        if not isinstance(periodic, (bool, np.bool_)):
            _check.fail("periodic", "be True or False", periodic, kind=TypeError)
        self.periodic = bool(periodic)

    def matrix(self, size: int) -> Complex:
        out = np.zeros((size, size), complex)
        m = np.arange(size - 1)
        out[m, m + 1] = out[m + 1, m] = 1
        if self.periodic:
            out[0, -1] = out[-1, 0] = 1
        return out

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(M)."""
        out = np.zeros_like(x)
        out[1:] = x[:-1]
        out[:-1] += x[1:]
        if self.periodic:
            out[0] += x[-1]
            out[-1] += x[0]
        return out

    def row_sum(self, size: int) -> float:
        return 2.0

    def entries(self, size: int) -> int:
        return 2 * size

    def check(self, size: int) -> None:
        """Raise for a ring of fewer than 3 members."""
        check_ring(self.periodic, size)

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.kind, self.periodic)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "periodic": self.periodic}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> NearestNeighbour:
        return cls(flag(f"{where}.periodic", entry.get("periodic", False)))

    def latex(self, writer: Writer, m: str, n: str) -> tuple[str, str]:
        """Neighbours."""
        return rf"|{m} - {n}| = 1" + (r"\,(\mathrm{ring})" if self.periodic else ""), ""

    def __repr__(self) -> str:
        return f"NearestNeighbour(periodic={self.periodic})"
