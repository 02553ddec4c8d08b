"""Initial states of subsystems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .coefficients import Coef


class State:
    """Base of initial states."""

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        raise NotImplementedError


@dataclass(frozen=True)
class BlochState(State):
    """A product state: every emitter (or spin-1/2) has the Bloch vector (x, y, z), abs <= 1.

    For a ``CollectiveSpin`` the vector must have length one (a spin coherent state).
    """

    x: float
    y: float
    z: float

    @property
    def vector(self) -> NDArray[np.float64]:
        """Shape (3,)."""
        return np.array([self.x, self.y, self.z])

    @property
    def is_pure(self) -> bool:
        """True if the vector has length one within 1e-12."""
        return abs(self.x**2 + self.y**2 + self.z**2 - 1) < 1e-12

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        return {"bloch": [self.x + 0.0, self.y + 0.0, self.z + 0.0]}


@dataclass(frozen=True)
class ModeState(State):
    """A state of one mode: ``kind`` is "coherent", "fock" or "thermal"; ``value`` its parameter.

    The amplitude of a coherent one may depend on time, as the input of a jump.
    """

    kind: str
    value: Any

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        if self.kind == "coherent":
            return {"coherent": [self.value.real + 0.0, self.value.imag + 0.0]}
        return {self.kind: int(self.value.real) if self.kind == "fock" else self.value.real + 0.0}


def bloch_vector(x: float, y: float, z: float) -> BlochState:
    r"""Product state with one Bloch vector on every emitter; mixed if shorter than one.

    .. math:: \rho = \bigotimes_n \tfrac12 (1 + x\sigma^x_n + y\sigma^y_n + z\sigma^z_n),

    so that <J> = (N/2)(x, y, z). A ``CollectiveSpin`` takes pure states only.

    Args:
        x: real numbers without unit, as y and z; x^2 + y^2 + z^2 is at most one.
        y: see x.
        z: see x; 1 is ``wf.up``, -1 ``wf.down``.

    Raises:
        TypeError: a component is no real number.
        ValueError: one is not finite, or the vector is longer than one.

    Example:
        >>> import wignerflow as wf
        >>> wf.bloch_vector(0, 0, 0.5).is_pure
        False
    """
    r = [_check.real(n, v) for n, v in zip("xyz", (x, y, z), strict=True)]
    if math.hypot(*r) > 1 + 1e-12:
        _check.fail("(x, y, z)", "have length at most 1", tuple(r))
    return BlochState(*r)


def bloch(theta: float, phi: float = 0.0) -> BlochState:
    r"""Pure product state: every emitter, or a collective spin, points in one direction.

    .. math:: |\psi\rangle = \bigotimes_n \left(\cos\tfrac\theta2\,|{\uparrow}\rangle_n
       + e^{i\phi}\sin\tfrac\theta2\,|{\downarrow}\rangle_n\right),

    with Bloch vector (sin theta cos phi, sin theta sin phi, cos theta).

    Args:
        theta: angle from +z in radians: 0 is up, pi is down.
        phi: azimuth in radians, from +x towards +y.

    Raises:
        TypeError: an angle is no real number.
        ValueError: one is not finite.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> wf.bloch(np.pi / 2, np.pi / 2).vector.round(12)
        array([0., 1., 0.])
    """
    t, p = _check.real("theta", theta), _check.real("phi", phi)
    return BlochState(math.sin(t) * math.cos(p), math.sin(t) * math.sin(p), math.cos(t))


up = BlochState(0.0, 0.0, 1.0)
down = BlochState(0.0, 0.0, -1.0)


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
        return ModeState("coherent", alpha)
    value = _check.numeric_array("alpha", alpha, complex)
    if value.ndim:
        _check.fail("alpha", "be one number", alpha, "Give an array of modes a list of states.")
    return ModeState("coherent", complex(value))


vacuum = ModeState("coherent", 0j)


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
    return ModeState("fock", complex(_check.integer("n", n, 0)))


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
    return ModeState("thermal", complex(value))


def squeezed(r: float, phi: float = 0.0) -> ModeState:
    r"""Squeezed vacuum, as the input of a jump.

    .. math:: dB = \cosh r\,dB_1 - e^{i\varphi}\sinh r\,dB_1^\dagger,

    with dB_1 the vacuum: at phi = 0 the quadrature b + b^+ is squeezed, its variance e^{-2r} of the
    vacuum's, and the other one is larger by e^{2r}.

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
    """
    strength, angle = _check.real("r", r), _check.real("phi", phi)
    if strength < 0:
        _check.fail("r", "be non-negative", r, "Add pi to `phi` for the other quadrature.")
    return ModeState("squeezed", strength * complex(math.cos(angle), math.sin(angle)))


def state_from_dict(data: Any) -> State:
    """Inverse of ``State.to_dict``."""
    from .reading_parts import read_state

    return read_state("state", data)
