"""The error of a method itself in steady states and in two-time correlations.

As ``solving.truncation``, with null vectors of the Lindbladian, or quantum regression, in place of
solutions over time: of the model itself, of the model made smaller; or steady states of cumulants
of other orders.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import TooLong, within
from ..exact.engine import Exact
from ..method import Method
from ..model.model import Model
from ..moments.higher import size
from ..moments.method import Cumulant
from ..moments.variables import Variables
from ..result import AccuracyWarning, Values
from ..result.accuracy import UNSEEN, apart, distance, inaccurate, widened
from ..run.automatic import density_elements
from ..run.statistics import BATCHES
from ..solving import members
from ..solving.orders import ENOUGH, MOST, ORDERS, SEEN, beyond
from ..solving.problem import SECONDS, Problem
from ..solving.provenance import read_call
from ..solving.sizes import (
    PER_ELEMENT,
    REFERENCES,
    RTOL,
    SAMPLES,
    Deviation,
    Smaller,
    deviations,
    load,
)
from ..solving.solve import spared
from ..solving.truncation import CERTAIN, FULL, SAMPLED, SHARE, fall, spelt
from .correlation_result import Asked, Correlation, exact_value
from .correlation_runs import by_runs
from .periodic_state import Phases, exact_values
from .steady_value import asked, assembled

SLOWER = 5.0  # times as long as one step through its density matrix takes the null vector of one
FEWER = 8  # times fewer trajectories at smaller sizes
REFUSED = (TooLong, ValueError, RuntimeError, MemoryError, ArithmeticError)

Means = dict[str, NDArray[Any]]
Value = TypeVar("Value")


def time_limit(full: bool, wall_time: float) -> float:
    """When an estimate must end (``time.process_time``); what it needs is imported before."""
    load(*REFERENCES)
    return time.process_time() + (FULL if full else max(SECONDS, SHARE * wall_time))


def exactly(model: Model, until: float, work: Callable[[], Value]) -> Value | None:
    """What an exact solution of the model gives; None where that takes too long."""
    seconds = density_elements(model, guess=True) * PER_ELEMENT * SLOWER
    if time.process_time() + seconds > until or Exact().refuses(model) is not None:
        return None
    return _tried(until, work)


def _tried(until: float, work: Callable[[], Value], lost: bool = False) -> Value | None:
    try:
        with within(until, lost):
            return work()
    except REFUSED:
        return None


def warn(
    stats: dict[str, Any], value: Any, sem: Any, truncation: Any, times: Any, axis: str = "t"
) -> None:
    """Warn where errors by the method are large, and state it."""
    off = inaccurate(value, sem, truncation, times, axis)
    if off is not None:
        stats["warnings"] = [*stats.get("warnings", ()), off]
        _check.warn(off, AccuracyWarning)


# ---------------------------------------------------------------- steady states


def _unknown(found: Any) -> Means:
    return {n: np.full(np.shape(v), np.nan) for n, v in found.expect.items()}


def steady_truncation(
    found: Any, method: Method, problem: Problem, until: float, again: Callable[..., Any]
) -> tuple[Means, str]:
    """The truncation error by name, and what it rests on.

    Args:
        found: the steady state.
        method, problem: how it was found, and of what.
        until: when to stop (``time.process_time``).
        again: finds the steady state of another model with the same options.
    """
    if method.order is None:
        return {n: np.zeros(np.shape(v)) for n, v in found.expect.items()}, "none: it is exact"
    exact = _null_vector(problem, until)
    if exact is not None:
        return apart(found, exact), "the exact steady state"
    smaller = _smaller(method, problem, found.ntraj, until, again)
    if smaller:
        return _continued(found, method, smaller)
    by_orders = _from_orders(found, method, problem, until)
    if by_orders is not None:
        return by_orders
    return _unknown(found), "nothing: no reference is quick enough"


def state_steady(
    found: Any,
    method: Method,
    problem: Problem,
    full: bool,
    again: Callable[..., Any],
    phases: Phases | None = None,
) -> None:
    """Put the truncation into a steady state, and warn where it is large."""
    until = time_limit(full, found.stats["wall_time"])
    found.truncation = Values(_unknown(found))
    with spared(found.stats):
        if phases is None or method.order is None:
            errors, basis = steady_truncation(found, method, problem, until, again)
        else:
            errors, basis = _over_a_period(found, problem, until, phases)
        found.truncation, found.stats["truncation"] = Values(errors), basis
    times = None if phases is None else phases.times
    warn(found.stats, found.expect, found.sem, found.truncation, times)


def _over_a_period(found: Any, problem: Problem, until: float, phases: Phases) -> tuple[Means, str]:
    """From the exact state that repeats, where that is quick."""

    def solved() -> Any:
        return exact_values(Exact(rtol=RTOL), problem, phases)[0]

    exact = exactly(problem.model, until, solved)
    if exact is None:
        return _unknown(found), "nothing: the exact state is not quick enough"
    return apart(found, exact), "the exact state that repeats"


def _null_vector(problem: Problem, until: float) -> Means | None:
    def solved() -> Means:
        found = Exact().steady_state(problem.model, members(problem.base), unique=False)
        return assembled(problem, found.expect)

    return exactly(problem.model, until, solved)


def _from_orders(
    found: Any, method: Method, problem: Problem, until: float
) -> tuple[Means, str] | None:
    """From steady states of cumulants of other orders: see ``solving.orders``."""
    own = method.order if isinstance(method, Cumulant) else 0
    known: dict[int, Means] = {}
    for order in ORDERS[own]:
        other = _cumulants(order, problem, until) if len(known) < ENOUGH else None
        if other is not None:
            known[order] = other
    if not known:
        return None
    orders, out, differ = sorted(known, reverse=True), {}, False
    for name, value in found.expect.items():
        noise = UNSEEN * np.abs(np.asarray(found.sem[name]))
        others = [np.asarray(known[k][name]) for k in orders]
        out[name] = beyond(np.asarray(value), noise, others)
        differ |= bool(np.any(out[name] > SEEN * np.abs(value)))
    if own and orders[0] == own + 1 and not differ:
        return None  # odd cumulants may vanish by symmetry
    return out, f"steady cumulants of order {' and '.join(map(str, sorted(orders)))}"


def _cumulants(order: int, problem: Problem, until: float) -> Means | None:
    engine, model, base = Cumulant(order), problem.model, problem.base
    if engine.refuses(model, base) is not None or time.process_time() > until:
        return None
    if order > 2 and size(Variables(model).size, order) > MOST:
        return None

    def solved() -> Any:
        return engine.steady_state(model, members(base), lambda: time.process_time() > until)

    solution = _tried(until, solved)
    if solution is None or solution.stats.get("warnings"):
        return None  # moments that are unphysical judge nothing
    return assembled(problem, solution.expect)


def _smaller(
    method: Method, problem: Problem, ntraj: int, until: float, again: Callable[..., Any]
) -> list[Deviation]:
    """Deviations at smaller sizes, in units of the exact value."""

    def judged(small: Smaller, end: float) -> Deviation | None:
        own, ops, engine = read_call(small.call)
        exact = _null_vector(asked(own, ops), end)
        if exact is None:
            return None
        run = _tried(np.inf, lambda: again(own, ops, engine, ntraj=max(64, ntraj // FEWER)))
        if run is None:
            return None
        errors = apart(run, exact, UNSEEN)
        for name, error in errors.items():
            unit = np.abs(exact[name])
            errors[name] = np.where(unit > 0, error / np.where(unit > 0, unit, 1.0), 0.0)
        return Deviation(small, errors)

    times = np.array([0.0, 1.0])
    return deviations(problem.model, problem.named, method, times, until, judged)


def _continued(found: Any, method: Method, smaller: list[Deviation]) -> tuple[Means, str]:
    factor, out = (SAMPLED if method.stochastic else CERTAIN), {}
    for name, value in found.expect.items():
        share = fall(smaller, [float(np.max(d.values[name])) for d in smaller])
        own = smaller[0].values[name]
        if own.shape != np.shape(value):  # of fewer members: the worst of them
            own = own.max(axis=-1, keepdims=True)
        out[name] = factor * share * own * np.abs(value)
    return out, spelt(smaller, "exact steady states")


# ---------------------------------------------------------------- two-time correlations


def state_correlation(found: Correlation, ask: Asked, method: Any, full: bool) -> None:
    """Put the truncation into a correlation, and warn where it is large.

    It is |method - quantum regression|, less the sampling error in squares: of the model itself
    where that is quick, else of the model made smaller, where the largest deviation in units of the
    largest correlation is followed to the size of the model. NaN where neither is; zero for exact
    methods.
    """
    if method.order is None:
        found.truncation = np.zeros(found.taus.shape)
        found.deviation = np.zeros(found.taus.shape, complex)
        found.stats["truncation"] = "none: the method is exact"
        return
    until = time_limit(full, found.stats["wall_time"])
    found.truncation = np.full(found.taus.shape, np.nan)
    found.stats["truncation"] = "nothing: the exact correlation is not quick enough"
    with spared(found.stats):
        _estimate(found, ask, method, until, full)
    value, sem, own = ({found.formula: x} for x in (found.value, found.sem, found.truncation))
    warn(found.stats, value, sem, own, found.taus, "τ")


def _estimate(found: Correlation, ask: Asked, method: Any, until: float, full: bool) -> None:
    """From the exact correlation of the model, or of smaller ones."""
    right = _exact(ask, until)
    if right is not None:
        found.deviation = found.value - right
        found.truncation = distance(found.value, right, np.abs(found.sem))
        found.stats["truncation"] = "the exact correlation"
        return
    smaller = _smaller_models(found, ask, method, until, full)
    if not smaller:
        return
    errors = [d.values[found.formula] for d in smaller]
    share = fall(smaller, [float(e.max(initial=0.0)) for e in errors])
    scale = float(np.abs(found.value).max(initial=0.0))
    found.truncation = SAMPLED * share * scale * widened(errors[0])
    found.stats["truncation"] = spelt(smaller, "exact correlations")


def _exact(ask: Asked, until: float) -> NDArray[np.complex128] | None:
    """By quantum regression; None where that takes too long."""
    return exactly(ask.model, until, lambda: exact_value(ask, Exact(rtol=RTOL))[0])


def _smaller_models(
    found: Correlation, ask: Asked, method: Any, until: float, full: bool
) -> list[Deviation]:
    """Deviations at smaller sizes, in units of the largest correlation there."""
    names = "ABCD"[: len(ask.ops)]
    times = np.linspace(0.0, (ask.start or 0.0) + float(ask.taus[-1]), SAMPLES)

    def judged(small: Smaller, end: float) -> Deviation | None:
        model, ops, engine = read_call(small.call)
        own = replace(ask, model=model, ops=tuple(ops[n] for n in names))
        exact = _exact(own, end)
        if exact is None:
            return None
        count = max(2 * BATCHES, ask.request.ntraj // (1 if full else FEWER))
        own = replace(own, request=replace(ask.request, ntraj=count))
        run = _tried(np.inf, lambda: by_runs(own, engine, float(found.stats["start"])), full)
        if run is None:
            return None
        error = distance(run.value, exact, UNSEEN * np.abs(run.sem))
        unit = float(np.abs(exact).max(initial=0.0))
        return Deviation(small, {found.formula: error / unit if unit > 0 else error})

    named = dict(zip(names, ask.ops, strict=True))
    return deviations(ask.model, named, method, times, until, judged)
