"""Initial states of subsystems."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check


class State(ABC):
    """Base of initial states."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain form."""

    @property
    @abstractmethod
    def text(self) -> str:
        """As a user types it."""


@dataclass(frozen=True)
class BlochState(State):
    """A product state: every emitter (or spin-1/2) has the Bloch vector (x, y, z), abs <= 1.

    For a ``CollectiveSpin`` the vector must have length one (a spin coherent state).
    """

    x: float
    y: float
    z: float

    @cached_property
    def vector(self) -> NDArray[np.float64]:
        """Shape (3,)."""
        out = np.array([self.x, self.y, self.z])
        out.flags.writeable = False
        return out

    @cached_property
    def is_pure(self) -> bool:
        """True if the vector has length one within 1e-12."""
        return abs(self.x**2 + self.y**2 + self.z**2 - 1) < 1e-12

    @property
    def text(self) -> str:
        named = {(0.0, 0.0, 1.0): "up", (0.0, 0.0, -1.0): "down"}.get((self.x, self.y, self.z))
        return named or f"bloch_vector({self.x:.6g}, {self.y:.6g}, {self.z:.6g})"

    def to_dict(self) -> dict[str, Any]:
        return {"bloch": [self.x + 0.0, self.y + 0.0, self.z + 0.0]}


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
