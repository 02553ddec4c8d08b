"""Moments through pulses: their own equations, of unit length, between two runs in time.

Operators of one site, and quadratic ones of modes, map cumulants of every order onto those of the
same or of smaller ones, so that nothing is left out beyond what the closure leaves out anyway.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..model.coefficients import Coef
from ..model.model import Model
from ..model.pulses import alone
from .generator import Family, generator
from .integrate import Bounds, Trajectory, Trial, integrate
from .variables import Array, Variables


class Moments(Protocol):
    """Moment equations: a right-hand side, its state at first, and that of other generators."""

    v: Variables
    times: list[Coef]

    def __call__(self, t: float, y: Array) -> Array:
        """dy/dt."""

    def initial(self) -> Array:
        """The moments of the initial state."""

    def of(self, terms: list[Family]) -> Moments:
        """The equations of the same moments under another generator."""


def through(
    model: Model,
    program: Moments,
    times: Array,
    bounds: Bounds,
    rtol: float,
    largest: float,
    trial: Trial | None = None,
) -> Trajectory:
    """Moments of a model at ``times``, from its initial state, after the pulses at each.

    Args:
        model: the model.
        program: its moment equations.
        times, bounds, rtol, largest, trial: see ``integrate``.
    """
    start = program.initial()
    if not model.pulses:
        return integrate(program, times, start, bounds, rtol, largest, trial)
    total = Trajectory(np.full((times.size, start.size), np.nan), 0, 0)

    def run(rhs: Moments, when: Array, y: Array, most: float) -> Array:
        # the time within a pulse is none
        part = integrate(rhs, when, y, bounds, rtol, most, trial if rhs is program else None)
        total.evaluations += part.evaluations
        total.steps += part.steps
        if rhs is program:
            total.unphysical = total.unphysical or part.unphysical
            total.diverged = part.diverged
            total.warnings += part.warnings
        return part.y

    def kicked(y: Array, t: float) -> Array:
        for one in model.pulses:
            if one.time == t:
                families = generator(alone(model, one.generator), program.v)
                y = run(program.of(families), np.array([0.0, 1.0]), y, np.inf)[-1]
        return y

    t, end = float(times[0]), float(times[-1])
    y = kicked(start, t)
    total.y[0] = y
    for stop in sorted({p.time for p in model.pulses if t < p.time <= end} | {end}):
        inside = (times > t) & (times < stop)
        found = run(program, np.array([t, *times[inside], stop]), y, largest)
        total.y[inside] = found[1:-1]
        if total.diverged is not None:
            break
        y = kicked(found[-1], stop)
        total.y[times == stop] = y
        t = stop
    return total
