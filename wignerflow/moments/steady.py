"""Steady states of the moment equations, by integration until nothing changes any more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .higher import HigherOrder
from .integrate import integrate
from .program import Program
from .variables import Array

#: Accepted change of any moment over the second half of the time, in units of the largest or 1.
SETTLED = 1e-6
#: Largest relative tolerance of a step; the integrator's own noise stays far below ``SETTLED``.
RTOL = 1e-10
DOUBLINGS = 16
SAMPLES = 33


class NotSettled(ValueError):
    """The moments did not become constant."""


def relax(
    program: Program | HigherOrder, rtol: float, expired: Callable[[], bool] = lambda: False
) -> tuple[Array, float, float]:
    """Moments that no longer change.

    The time T is doubled until no moment moves by more than ``SETTLED`` between T/2 and T. What
    decays exponentially is then closer to its limit than it moved.

    Args:
        program: the moment equations, constant in time.
        rtol: relative tolerance of one integration step.
        expired: whether to give up.

    Returns:
        The moments, the time T, and the change over its second half.

    Raises:
        NotSettled: the moments diverge, oscillate, or are still changing in the end.
    """
    y = program.initial()
    bounds = program.bounds()
    length = 1.0 / max(_speed(program, y), 1e-12)
    now = 0.0
    for _ in range(DOUBLINGS):
        times = np.linspace(now, now + length, SAMPLES)
        run = integrate(program, times, y, bounds, min(rtol, RTOL))
        if run.diverged is not None:
            raise NotSettled(f"The moment equations diverged at t = {run.diverged:.4g}.")
        now, y = float(times[-1]), run.y[-1]
        scale = max(1.0, float(np.abs(y).max()))
        change = float(np.abs(run.y - y).max()) / scale
        if change < SETTLED:
            return y, now, change
        if expired():
            break
        length = now
    raise NotSettled(
        f"No steady state was reached until t = {now:.4g}: over the last half of that time a "
        f"moment moved by {change:.2g} of the largest. The moments may oscillate for ever, or "
        "relax more slowly: give a longer `timeout`, or solve in time."
    )


def _speed(program: Program | HigherOrder, y: Array) -> float:
    """The fastest rate at which moments of order one change."""
    shifted = y + 0.1 * (1 + np.abs(y)) * np.resize([1.0, -0.7, 0.4], y.size)
    return max(float(np.abs(program(0.0, z)).max() / (1 + np.abs(z).max())) for z in (y, shifted))
