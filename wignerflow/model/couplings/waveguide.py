"""Couplings by the modes of a one-dimensional waveguide, both ways or chiral."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _check
from ..reading_values import naming, real, reals
from .base import Complex, Coupling, Writer


class _Phased(Coupling):
    """A coupling along a line on which member m sits at the accumulated phase theta_m."""

    required = ("phi",)

    def __init__(self, phi: Any):
        p = _check.numeric_array("phi", phi, float)
        if p.ndim > 1:
            _check.fail("phi", "be a number or a one-dimensional array of phases", phi)
        if p.ndim == 1 and np.any(np.diff(p) < 0):
            m = int(np.argmax(np.diff(p) < 0))
            _check.fail(
                "phi",
                "ascend when given as accumulated phases",
                _check.Note(f"{p[m]:g} at member {m} and {p[m + 1]:g} at member {m + 1}"),
                "Number the members by their position.",
            )
        self.phi = np.asarray(p + 0.0)
        self.phi.flags.writeable = False

    def phases(self, size: int) -> NDArray[np.float64]:
        """Accumulated phases theta_m, shape (M,)."""
        return np.asarray(self.phi * np.arange(size) if self.phi.ndim == 0 else self.phi, float)

    def _running(self, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """sum_{m' < m} and sum_{m' > m} of exp(i |theta_m - theta_m'|) x_m', for real x."""
        theta = self.phases(x.shape[0]).reshape(-1, *(1,) * (x.ndim - 1))
        forward, back = np.exp(1j * theta), np.exp(-1j * theta)
        below = forward * (np.cumsum(back * x, axis=0) - back * x)
        above = back * (np.cumsum((forward * x)[::-1], axis=0)[::-1] - forward * x)
        return below, above

    @abstractmethod
    def _summed(self, below: NDArray[Any], above: NDArray[Any]) -> NDArray[Any]:
        """K x from both sums of ``_running``."""

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(M)."""
        if np.iscomplexobj(x):
            return np.asarray(self.apply(x.real) + 1j * self.apply(x.imag))
        return np.asarray(self._summed(*self._running(x)))

    def row_sum(self, size: int) -> float:
        return size / 2

    def entries(self, size: int) -> int:
        return size * size

    def check(self, size: int) -> None:
        """Raise if accumulated phases are not as many as members."""
        if self.phi.ndim == 1 and self.phi.size != size:
            _check.fail(
                "phi",
                f"have one phase per member, shape ({size},)",
                _check.Note(f"an array of shape {self.phi.shape}"),
            )

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.kind, self.sign, self.phi.shape, self.phi.tobytes())

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "phi": self.phi.tolist()}

    @staticmethod
    def _read_phi(where: str, entry: Mapping[str, Any], size: int) -> Any:
        phi, place = entry["phi"], f"{where}.phi"
        return reals(place, phi, size) if isinstance(phi, (list, tuple)) else real(place, phi)

    def _far(self, writer: Writer, m: str, n: str) -> str:
        if self.phi.ndim:
            return rf"(|\theta_{{{m}}} - \theta_{{{n}}}|)"
        return rf"({writer.number(complex(self.phi))}\,|{m} - {n}|)"

    def _phi_text(self) -> str:
        return f"{self.phi.tolist()}" if self.phi.size <= 4 else f"{self.phi.size} phases"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._phi_text()})"


class Waveguide(_Phased):
    r"""The coherent part of a one-dimensional waveguide, optionally chiral.

    With the phase :math:`\Delta = \theta_m - \theta_{m'}` and the sign s of :math:`m - m'`,

    .. math:: K_{mm'} = \tfrac{s}{2}(\sin\Delta + i\chi\cos\Delta) ,

    so that for equal distances K is :math:`\sin(\varphi|m - m'|)/2` plus the chiral part.

    ``couple(chain.Jp, Waveguide(phi, chirality), chain.Jm)`` times the rate Gamma is the coherent
    coupling that belongs to the jumps :math:`\sum_m e^{+i\theta_m}J^-_m` of plain rate
    :math:`(1+\chi)\Gamma/2` and :math:`\sum_m e^{-i\theta_m}J^-_m` of plain rate
    :math:`(1-\chi)\Gamma/2`; :func:`wignerflow.waveguide` builds all three. The second term is not
    symmetric, so the order of the operators (raising first) matters where the chirality is not
    zero.

    Args:
        phi: phase between neighbours (radians), or the M accumulated phases :math:`\theta_m` of
            members at arbitrary, ascending positions.
        chirality: :math:`\chi` between -1 and 1; at +1 and -1 the members form a cascade.
    """

    kind = structure = "waveguide"
    optional = ("chirality",)

    def __init__(self, phi: Any, chirality: float = 0.0):
        super().__init__(phi)
        self.chirality = _check.real("chirality", chirality) + 0.0
        if abs(self.chirality) > 1:
            _check.fail("chirality", "lie between -1 and 1", chirality)
        self.real = self.symmetric = self.chirality == 0

    def matrix(self, size: int) -> Complex:
        theta = self.phases(size)
        ahead = np.maximum.outer(np.arange(size), np.arange(size))
        behind = np.minimum.outer(np.arange(size), np.arange(size))
        out = (np.sin(theta[ahead] - theta[behind]) / 2).astype(complex)
        if self.chirality:
            out += 1j * self.chirality * Cascade(self.phi).matrix(size)
        return out

    def _summed(self, below: NDArray[Any], above: NDArray[Any]) -> NDArray[Any]:
        out = (below.imag + above.imag) / 2
        return out + 1j * self.chirality * (below.real - above.real) / 2 if self.chirality else out

    def parts(self) -> list[tuple[complex, Coupling]]:
        """The symmetric part, and i times the chirality times the antisymmetric one."""
        if not self.chirality:
            return [(1.0, self)]
        return [(1.0, Waveguide(self.phi)), (1j * self.chirality, Cascade(self.phi))]

    def transpose(self) -> Coupling:
        """K^T: the chirality changes sign."""
        return Waveguide(self.phi, -self.chirality) if self.chirality else self

    def conj(self) -> Coupling:
        """K^*: the chirality changes sign."""
        return self.transpose()

    @property
    def key(self) -> tuple[Any, ...]:
        return (*super().key, self.chirality)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "chirality": self.chirality}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> Waveguide:
        phi = cls._read_phi(where, entry, size)
        with naming(where):
            return cls(phi, real(f"{where}.chirality", entry.get("chirality", 0.0)))

    def latex(self, writer: Writer, m: str, n: str) -> tuple[str, str]:
        """All pairs, with the sine of their distance."""
        return rf"{m} \neq {n}", rf"\frac{{1}}{{2}}\sin{self._far(writer, m, n)}\,"

    def __repr__(self) -> str:
        chirality = f", chirality={self.chirality:g}" if self.chirality else ""
        return f"Waveguide({self._phi_text()}{chirality})"


class Cascade(_Phased):
    r"""The antisymmetric part of a chiral waveguide.

    .. math:: K_{mm'} = \tfrac12\,\mathrm{sign}(m - m')\cos(\theta_m - \theta_{m'})

    ``Waveguide(phi, chirality)`` is split into ``Waveguide(phi)`` and i times its chirality times
    this, since the couplings kept in operators are real.
    """

    kind = structure = "cascade"
    symmetric = False

    def __init__(self, phi: Any, sign: float = 1.0):
        super().__init__(phi)
        self.sign = float(sign)

    def matrix(self, size: int) -> Complex:
        theta, m = self.phases(size), np.arange(size)
        out = np.sign(m[:, None] - m[None, :]) * np.cos(theta[:, None] - theta[None, :]) / 2
        return (self.sign * out).astype(complex)

    def _summed(self, below: NDArray[Any], above: NDArray[Any]) -> NDArray[Any]:
        return self.sign * (below.real - above.real) / 2

    def transpose(self) -> Coupling:
        return -self

    def __neg__(self) -> Cascade:
        return Cascade(self.phi, -self.sign)

    def to_dict(self) -> dict[str, Any]:
        """Plain form; the sign is kept outside, in the coefficient of the term."""
        assert self.sign > 0
        return super().to_dict()

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> Cascade:
        phi = cls._read_phi(where, entry, size)
        with naming(where):
            return cls(phi)

    def latex(self, writer: Writer, m: str, n: str) -> tuple[str, str]:
        """All pairs, with the sign of their order and the cosine of their distance."""
        far = self._far(writer, m, n)
        return rf"{m} \neq {n}", rf"\frac{{1}}{{2}}\mathrm{{sgn}}({m} - {n})\cos{far}\,"
