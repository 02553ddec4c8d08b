"""Initial states of modes: what each answers stands in one place."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .coefficients import Coef
from .numerals import number
from .reading_values import real, scalar, sequence
from .states import State


@dataclass(frozen=True)
class ModeState(State, ABC):
    """A state of one mode; every kind is a class here, and a line in ``MODE_STATES``.

    ``value`` is its parameter; that of a coherent one may depend on time, as the input of a jump.
    """

    kind: ClassVar[str]
    value: Any

    @property
    @abstractmethod
    def mean(self) -> complex:
        """<a>."""

    @property
    @abstractmethod
    def covariance(self) -> NDArray[np.float64]:
        """Symmetrised covariance of (Re a, Im a), (2, 2): a quarter of the identity in a vacuum."""

    @property
    def quanta(self) -> float:
        """<a^+ a>."""
        return float(abs(self.mean) ** 2 + np.trace(self.covariance) - 0.5)

    @property
    @abstractmethod
    def circle(self) -> float | None:
        """n where TWA samples |a|^2 = n and n + 1; None for a Gaussian Wigner function."""

    @abstractmethod
    def plain(self) -> Any:
        """Its parameter as plain data."""

    @classmethod
    @abstractmethod
    def read(cls, where: str, data: Any) -> ModeState:
        """Inverse of :meth:`plain`."""

    @property
    @abstractmethod
    def text(self) -> str:
        """As a user types it."""

    def __repr__(self) -> str:
        return f"{self.kind}({self.value!r})" if isinstance(self.value, Coef) else self.text

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: self.plain()}


class Coherent(ModeState):
    """See :func:`coherent`."""

    kind = "coherent"
    circle = None

    @property
    def mean(self) -> complex:
        return complex(self.value)

    @property
    def covariance(self) -> NDArray[np.float64]:
        return np.eye(2) / 4

    def plain(self) -> list[float]:
        return [self.value.real + 0.0, self.value.imag + 0.0]

    @classmethod
    def read(cls, where: str, data: Any) -> ModeState:
        return coherent(scalar(where, data))

    @property
    def text(self) -> str:
        return "vacuum" if self.value == 0 else f"coherent({number(complex(self.value))})"


class _Round(ModeState):
    """``value`` quanta without a phase: the Wigner function is round about zero."""

    mean = 0j

    @property
    def covariance(self) -> NDArray[np.float64]:
        return (self.value.real + 0.5) / 2 * np.eye(2)


class Fock(_Round):
    """See :func:`fock`."""

    kind = "fock"

    @property
    def circle(self) -> float | None:
        return self.value.real if self.value.real > 0 else None

    def plain(self) -> int:
        return int(self.value.real)

    @classmethod
    def read(cls, where: str, data: Any) -> ModeState:
        return fock(_check.integer(where, data, 0))

    @property
    def text(self) -> str:
        return f"fock({self.plain()})"


class Thermal(_Round):
    """See :func:`thermal`."""

    kind = "thermal"
    circle = None

    def plain(self) -> float:
        return float(self.value.real + 0.0)

    @classmethod
    def read(cls, where: str, data: Any) -> ModeState:
        return thermal(real(where, data))

    @property
    def text(self) -> str:
        return f"thermal({self.plain():g})"


class Squeezed(ModeState):
    """See :func:`squeezed`; ``value`` is r e^{i phi}."""

    kind = "squeezed"
    mean, circle = 0j, None

    @property
    def covariance(self) -> NDArray[np.float64]:
        r, turn = abs(self.value), np.exp(1j * np.angle(self.value))
        aa = -turn * np.sinh(r) * np.cosh(r)  # <a^2>
        moved = np.array([[aa.real, aa.imag], [aa.imag, -aa.real]])
        return moved / 2 + np.cosh(2 * r) / 4 * np.eye(2)

    def plain(self) -> list[float]:
        return [float(abs(self.value)), float(np.angle(self.value)) + 0.0]

    @classmethod
    def read(cls, where: str, data: Any) -> ModeState:
        pair = sequence(where, data, 2)
        if len(pair) != 2:
            _check.fail(where, "be [r, phi]", data)
        return squeezed(*(real(f"{where}[{k}]", x) for k, x in enumerate(pair)))

    @property
    def text(self) -> str:
        return "squeezed({:.6g}, {:.6g})".format(*self.plain())


def coherent(alpha: Any) -> ModeState:
    """Coherent state of a mode: a |alpha> = alpha |alpha>.

    <a> = alpha and <a^+ a> = |alpha|^2. Trajectories of TWA start with a Gaussian of variance
    1/4 in Re a and in Im a about alpha.

    Args:
        alpha: one complex number; as the input of a jump also ``wf.coef``.

    Raises:
        TypeError: it is no number.
        ValueError: it is not one number, or not finite.

    Example:
        >>> import wignerflow as wf
        >>> wf.coherent(0) == wf.vacuum
        True
    """
    if isinstance(alpha, Coef):
        return Coherent(alpha)
    value = _check.numeric_array("alpha", alpha, complex)
    if value.ndim:
        _check.fail("alpha", "be one number", alpha, "Give an array of modes a list of states.")
    return Coherent(complex(value))


vacuum = Coherent(0j)


def fock(n: int) -> ModeState:
    """Number state of a mode: a^+ a |n> = n |n>.

    TWA samples it as two circles, |a|^2 = n and n + 1 with equal weight and a uniform phase: mean
    and variance of the number are exact, higher moments are not. Cumulants keep its first and
    second moments. Exact methods take it as it is.

    Args:
        n: number of quanta, from 0 to 10^9.

    Raises:
        TypeError: n is no integer.
        ValueError: n is negative or too large.

    Example:
        >>> import wignerflow as wf
        >>> wf.fock(3).kind
        'fock'
    """
    if _check.integer("n", n, 0) > 10**9:
        _check.fail("n", "be at most 10^9", n)
    return Fock(complex(_check.integer("n", n, 0)))


def thermal(n: float) -> ModeState:
    r"""Thermal state of a mode with mean number n.

    .. math:: \rho = \sum_m \frac{n^m}{(n + 1)^{m + 1}}\,|m\rangle\langle m|,

    with n = 1/(exp(omega/T) - 1) at temperature T (hbar = k_B = 1). Trajectories of TWA start with
    a Gaussian, <|a|^2> = n + 1/2.

    Args:
        n: mean number of quanta, at least 0; 0 is the vacuum.

    Raises:
        TypeError: n is no real number.
        ValueError: n is negative or not finite.

    Example:
        >>> import wignerflow as wf
        >>> wf.thermal(0.5).kind
        'thermal'
    """
    value = _check.real("n", n)
    if value < 0:
        _check.fail("n", "be non-negative", n)
    return Thermal(complex(value))


def squeezed(r: float, phi: float = 0.0) -> ModeState:
    r"""Squeezed vacuum S(z)|0> of a mode, z = r e^{i phi}, or of the field that a jump emits into.

    .. math:: S(z) = \exp\tfrac12(z^* a^2 - z a^{\dagger 2}), \qquad
       \langle a^2\rangle = -e^{i\varphi}\sinh r\cosh r, \qquad
       \langle a^\dagger a\rangle = \sinh^2 r.

    At phi = 0 the quadrature q = (a + a^+)/2 is squeezed, Var q = e^{-2r}/4, and the other one is
    larger, e^{2r}/4. Its Wigner function is a Gaussian, which TWA samples exactly and cumulants of
    second order hold. Of an input it is the same with dB = cosh r dB_1 - e^{i phi} sinh r dB_1^+
    for a, dB_1 the vacuum. (Walls and Milburn, Quantum Optics, section 2.4.)

    Args:
        r: strength, at least 0; 10 log10(e^{2r}) = 8.69 r decibels.
        phi: angle in radians; phi/2 turns the squeezed quadrature.

    Raises:
        TypeError: an argument is no real number.
        ValueError: r is negative or an argument is not finite.

    Example:
        >>> import wignerflow as wf
        >>> mode = wf.Mode(name="mode")
        >>> jump = wf.Jump(mode.a, rate=1.0, input=wf.squeezed(0.6))
        >>> model = wf.Model(mode.n, [jump], initial={mode: wf.squeezed(0.6, 0.2)})
    """
    strength, angle = _check.real("r", r), _check.real("phi", phi)
    if strength < 0:
        _check.fail("r", "be non-negative", r, "Add pi to `phi` for the other quadrature.")
    return Squeezed(strength * complex(math.cos(angle), math.sin(angle)))


MODE_STATES: dict[str, type[ModeState]] = {c.kind: c for c in (Coherent, Fock, Thermal, Squeezed)}
