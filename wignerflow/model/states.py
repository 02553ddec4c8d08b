"""Initial states of subsystems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check


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
    """A state of one mode: ``kind`` is "coherent", "fock" or "thermal"; ``value`` its parameter."""

    kind: str
    value: complex

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        if self.kind == "coherent":
            return {"coherent": [self.value.real + 0.0, self.value.imag + 0.0]}
        return {self.kind: int(self.value.real) if self.kind == "fock" else self.value.real + 0.0}


def bloch_vector(x: float, y: float, z: float) -> BlochState:
    """Product state with Bloch vector (x, y, z) on every emitter; mixed if shorter than one."""
    r = [_check.real(n, v) for n, v in zip("xyz", (x, y, z), strict=True)]
    if math.hypot(*r) > 1 + 1e-12:
        _check.fail("(x, y, z)", "have length at most 1", tuple(r))
    return BlochState(*r)


def bloch(theta: float, phi: float = 0.0) -> BlochState:
    """Pure product state with mean spin along (sin theta cos phi, sin theta sin phi, cos theta)."""
    t, p = _check.real("theta", theta), _check.real("phi", phi)
    return BlochState(math.sin(t) * math.cos(p), math.sin(t) * math.sin(p), math.cos(t))


up = BlochState(0.0, 0.0, 1.0)
down = BlochState(0.0, 0.0, -1.0)


def coherent(alpha: complex) -> ModeState:
    """Coherent state of a mode, <a> = alpha."""
    value = _check.numeric_array("alpha", alpha, complex)
    if value.ndim:
        _check.fail("alpha", "be one number", alpha, "Give an array of modes a list of states.")
    return ModeState("coherent", complex(value))


vacuum = ModeState("coherent", 0j)


def fock(n: int) -> ModeState:
    """Number state of a mode with n quanta."""
    if _check.integer("n", n, 0) > 10**9:
        _check.fail("n", "be at most 10^9", n)
    return ModeState("fock", complex(_check.integer("n", n, 0)))


def thermal(n: float) -> ModeState:
    """Thermal state of a mode with mean number n."""
    value = _check.real("n", n)
    if value < 0:
        _check.fail("n", "be non-negative", n)
    return ModeState("thermal", complex(value))


def state_from_dict(data: Any) -> State:
    """Inverse of ``State.to_dict``."""
    from .reading_parts import read_state

    return read_state("state", data)
