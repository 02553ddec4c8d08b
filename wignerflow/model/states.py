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
        return {"bloch": [self.x, self.y, self.z]}


@dataclass(frozen=True)
class ModeState(State):
    """A state of one mode: ``kind`` is "coherent", "fock" or "thermal"; ``value`` its parameter."""

    kind: str
    value: complex

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: [self.value.real, self.value.imag] if self.kind == "coherent" else self.value.real}


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
    return ModeState("coherent", complex(_check.numeric_array("alpha", alpha, complex)[()]))


vacuum = ModeState("coherent", 0j)


def fock(n: int) -> ModeState:
    """Number state of a mode with n quanta."""
    return ModeState("fock", complex(_check.integer("n", n, 0)))


def thermal(n: float) -> ModeState:
    """Thermal state of a mode with mean number n."""
    value = _check.real("n", n)
    if value < 0:
        _check.fail("n", "be non-negative", n)
    return ModeState("thermal", complex(value))


def state_from_dict(data: dict[str, Any]) -> State:
    """Inverse of ``State.to_dict``."""
    if not isinstance(data, dict) or len(data) != 1:
        _check.fail("state", 'be a table with one of the keys "bloch", "coherent", "fock", "thermal"', data)
    (kind, value), *_ = data.items()
    _check.one_of("state", kind, ["bloch", "coherent", "fock", "thermal"])
    if kind == "bloch":
        return bloch_vector(*value)
    if kind == "coherent":
        return coherent(complex(*value))
    return fock(value) if kind == "fock" and isinstance(value, int) else (
        fock(int(value)) if kind == "fock" else thermal(value)
    )
