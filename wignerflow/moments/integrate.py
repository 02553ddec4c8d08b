"""Integration of the moment equations in time, through pulses and to steady states.

In a pulse moments follow their own equations, of unit length, between two runs in time. Operators
of one site, and quadratic ones of modes, map cumulants of every order onto those of the same or of
smaller ones, so that nothing is left out beyond what the closure leaves out anyway.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import numpy as np
import scipy

from ..estimate import check_time
from ..model.coefficients import Coef
from ..model.model import Model
from ..model.pulses import alone
from ..model.timescales import Looks
from .generator import Family, generator
from .physical import Bounds
from .variables import Array, Variables


class Moments(Protocol):
    """Moment equations: a right-hand side, its state at first, and that of other generators."""

    v: Variables
    times: list[Coef]

    def __call__(self, t: float, y: Array) -> Array:
        """dy/dt."""

    def initial(self) -> Array:
        """The moments of the initial state."""

    def bounds(self) -> Bounds:
        """What they may be."""

    def of(self, terms: list[Family]) -> Moments:
        """The equations of the same moments under another generator."""


#: Absolute tolerance in units of the relative one: correlations grow from small seeds.
ATOL = 1e-3
#: Moments up to which the method may build Jacobians, so that stiff models cost no more.
SMALL = 500
#: Steps in which time must advance by this share of the whole; it stands still where moments
#: become infinite.
STALLED, ADVANCE = 2000, 1e-9
#: Steps, or share of the whole, after which the time is looked at, which takes as long as a step of
#: a small model.
LOOK, SHARE = 8, 0.05
#: Seconds of the processor after which a run tells how long it takes.
TRIAL = 0.2
#: LSODA solves one problem at a time.
_ALONE = Lock()


@dataclass
class Trajectory:
    """Moments over time, shape (T, length), and what was noticed."""

    y: Array
    evaluations: int
    steps: int
    unphysical: tuple[float, str] | None = None
    diverged: float | None = None
    warnings: list[str] = field(default_factory=list)


class Trial:
    """Tells once how long a run takes: from how far it comes in the second half of a moment.

    What is left is taken in steps as long as the next, or at the pace of that half where that is
    faster: steps grow at first.

    Args:
        end: time up to which it runs.
        say: takes the seconds of all of it.
    """

    def __init__(self, end: float, say: Callable[[float], None]):
        self.end, self.say, self.told = end, say, False
        self.begin, self.steps, self.half = time.thread_time(), 0, (0.0, 0, -np.inf)

    def look(self, t: float, step: float) -> None:
        """One more step has led to time t; the next is as long as ``step``."""
        if self.told:
            return
        self.steps += 1
        spent, (before, mark, since) = time.thread_time() - self.begin, self.half
        if mark == 0 or spent < TRIAL / 2:
            self.half = (spent, self.steps, t)
        elif spent > TRIAL:
            steps = self.steps - mark
            each = (spent - before) / steps
            self.told = True
            self.say(spent + (self.end - t) * each / max(step, (t - since) / steps))

    def over(self) -> None:
        """The run has ended."""
        if not self.told:
            self.told = True
            self.say(time.thread_time() - self.begin)


def integrate(
    rhs: Moments,
    times: Array,
    start: Array,
    bounds: Bounds,
    rtol: float,
    largest: float = np.inf,
    trial: Trial | None = None,
) -> Trajectory:
    """Moments at ``times``: LSODA for small models, which also treats stiff ones, else DOP853.

    After a divergence they are NaN.

    Args:
        rhs: dy/dt.
        times: shape (T,), ``start`` holds at the first.
        start: initial moments.
        bounds: what moments may be.
        rtol: relative tolerance of one step.
        largest: largest step.
        trial: is told how far it has come.

    Raises:
        ValueError: a coefficient is noise, which no integrator can follow.
    """
    out = np.full((times.size, start.size), np.nan)
    out[0] = start
    small, integrate = start.size <= SMALL, scipy.integrate
    method: Any = integrate.LSODA if small else integrate.DOP853
    with _ALONE if small else nullcontext(), _quiet():
        solver = method(
            rhs, times[0], start, times[-1], max_step=largest, rtol=rtol, atol=ATOL * rtol
        )
        done, steps, diverged, mark = 1, 0, None, float(times[0])
        whole = float(times[-1] - times[0])
        looks = Looks(rhs.times, float(times[0]), whole)
        least, seen = ADVANCE * whole, float(times[0])
        while done < times.size:
            if steps % LOOK == 0 or solver.t - seen > SHARE * whole:
                check_time(solver.t - times[0], whole)
                seen = float(solver.t)
            solver.step()
            steps += 1
            looks.look(steps, float(solver.t))
            if trial is not None:
                trial.look(float(solver.t), getattr(solver, "h_abs", solver.step_size))
            stalled = False
            if steps % STALLED == 0:
                stalled, mark = solver.t - mark < least, float(solver.t)
            if stalled or solver.status == "failed" or bounds.diverged(solver.y):
                diverged = float(solver.t)
                break
            upto = int(np.searchsorted(times, solver.t, side="right"))
            if upto > done:
                dense = solver.dense_output()
                out[done:upto] = dense(times[done:upto]).T
                done = upto
    run = Trajectory(out, int(solver.nfev), steps, diverged=diverged)
    _look(run, times[:done], bounds)
    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """No words about overflows, or LSODA's about a step that fails."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _look(run: Trajectory, times: Array, bounds: Bounds) -> None:
    """Note the first time at which moments are unphysical."""
    for k, t in enumerate(times):
        reason = bounds.violated(run.y[k])
        if reason is not None:
            run.unphysical = (float(t), reason)
            run.warnings.append(
                f"The moments are unphysical from t = {t:.4g} on: {reason}. Cumulants of this "
                "order fail for this model at such times: compare with wf.Exact() at a smaller "
                "size, or use wf.TWA()."
            )
            break
    if run.diverged is not None:
        run.warnings.append(
            f"The moment equations diverged at t = {run.diverged:.4g}; values from then on are NaN."
        )


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


#: Accepted change of any moment over the second half of the time, in units of the largest or 1.
SETTLED = 1e-6
#: Largest relative tolerance of a step; the integrator's own noise stays far below ``SETTLED``.
RTOL = 1e-10
DOUBLINGS = 16
SAMPLES = 33


class NotSettled(ValueError):
    """The moments did not become constant."""


def relax(
    program: Moments, rtol: float, expired: Callable[[], bool] = lambda: False
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


def _speed(program: Moments, y: Array) -> float:
    """The fastest rate at which moments of order one change."""
    shifted = y + 0.1 * (1 + np.abs(y)) * np.resize([1.0, -0.7, 0.4], y.size)
    return max(float(np.abs(program(0.0, z)).max() / (1 + np.abs(z).max())) for z in (y, shifted))
