"""Couplings that fall with a power of the distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ... import _check
from ..reading_values import flag, naming, real
from .base import Complex, Coupling, Writer, check_ring


class PowerLaw(Coupling):
    r"""A power of the distance on a chain or a ring, :math:`K_{mm'} = |m - m'|^{-\alpha}`, m != m'.

    On a ring of M members the distance is the shorter way, :math:`\min(|m - m'|, M - |m - m'|)`.
    Both orders of a pair count, so each bond appears twice in ``couple``. Trapped ions have
    :math:`0 < \alpha < 3`, dipoles 3, van der Waals interactions 6; :math:`\alpha = 0` is
    :class:`wignerflow.AllToAll`.

    Args:
        alpha: exponent, a non-negative number.
        periodic: close the chain to a ring (needs M >= 3).

    Raises:
        TypeError: ``alpha`` is no number, or ``periodic`` neither True nor False.
        ValueError: ``alpha`` is negative or not finite.

    Example:
        >>> import wignerflow as wf
        >>> ions = wf.Spin(name="ions", count=20)
        >>> 0.1 * wf.couple(ions.sx, wf.PowerLaw(1.5), ions.sx)
        0.1*couple(ions.sx, PowerLaw(1.5), ions.sx)
    """

    kind = "power"
    required = ("alpha",)
    optional = ("periodic",)
    structure = "dense"

    def __init__(self, alpha: float, periodic: bool = False):
        self.alpha = _check.real("alpha", alpha) + 0.0
        if self.alpha < 0:
            _check.fail("alpha", "be non-negative", alpha)
        if not isinstance(periodic, (bool, np.bool_)):
            _check.fail("periodic", "be True or False", periodic, kind=TypeError)
        self.periodic = bool(periodic)

    def _by_distance(self, size: int) -> NDArray[np.float64]:
        """K_0m, shape (M,)."""
        distance = np.arange(size, dtype=float)
        if self.periodic:
            distance = np.minimum(distance, size - distance)
        out = np.zeros(size)
        out[1:] = distance[1:] ** -self.alpha
        return out

    def matrix(self, size: int) -> Complex:
        m = np.arange(size)
        return self._by_distance(size)[np.abs(m[:, None] - m)].astype(complex)

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x by Fourier transforms, in O(M log M)."""
        return np.asarray(scipy.linalg.matmul_toeplitz(self._by_distance(x.shape[0]), x))

    def row_sum(self, size: int) -> float:
        """sum_m' K_mm' of a member in the middle."""
        row = self._by_distance(size)
        return float(row.sum() if self.periodic else 2 * row[: size // 2 + 1].sum())

    def entries(self, size: int) -> int:
        return size * size

    def check(self, size: int) -> None:
        """Raise for a ring of fewer than 3 members."""
        check_ring(self.periodic, size)

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.kind, self.alpha, self.periodic)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "alpha": self.alpha, "periodic": self.periodic}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> PowerLaw:
        alpha = real(f"{where}.alpha", entry["alpha"])
        with naming(where):
            return cls(alpha, flag(f"{where}.periodic", entry.get("periodic", False)))

    def latex(self, writer: Writer, m: str, n: str) -> tuple[str, str]:
        """All pairs, with the power of their distance."""
        ring = r"\,(\mathrm{ring})" if self.periodic else ""
        far = rf"|{m} - {n}|^{{{writer.number(complex(-self.alpha))}}}\,"
        return rf"{m} \neq {n}{ring}", far if self.alpha else ""

    def __repr__(self) -> str:
        ring = ", periodic=True" if self.periodic else ""
        return f"PowerLaw({self.alpha:g}{ring})"
