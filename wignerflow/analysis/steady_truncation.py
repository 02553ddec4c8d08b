"""The error of a method itself in a steady state: ``SteadyState.truncation``.

As ``solving.truncation``, with null vectors of the Lindbladian in place of solutions over time: of
the model itself, of the model made smaller, or steady states of second-order cumulants.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

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
from ..observables import Plan, assemble_exact, flatten
from ..result import AccuracyWarning, Values
from ..result.accuracy import UNSEEN, apart, inaccurate
from ..run.automatic import density_elements
from ..solving import gather, members
from ..solving.orders import ENOUGH, MOST, ORDERS, SEEN, beyond
from ..solving.provenance import read_call
from ..solving.remarks import spared
from ..solving.sizes import CERTAIN, SAMPLED, Deviation, Smaller, deviations, fall, spelt
from ..solving.truncation import FULL, PER_ELEMENT, REFERENCES, RTOL, SECONDS, SHARE, load
from .periodic_state import Phases, exact_values
from .relaxation import Base

SLOWER = 5.0  # times as long as one step through its density matrix takes the null vector of one
FEWER = 8  # times fewer trajectories at smaller sizes
REFUSED = (TooLong, ValueError, RuntimeError, MemoryError, ArithmeticError)

Means = dict[str, NDArray[Any]]


def steady_truncation(
    found: Any,
    method: Method,
    model: Model,
    named: Mapping[str, Any],
    base: Base,
    plan: Plan,
    until: float,
    again: Callable[..., Any],
) -> tuple[Means, str]:
    """The truncation error by name, and what it rests on.

    Args:
        found: the steady state.
        method, model, named, base, plan: how it was found, and of what.
        until: when to stop (``time.process_time``).
        again: finds the steady state of another model with the same options.
    """
    if method.order is None:
        return {n: np.zeros(np.shape(v)) for n, v in found.expect.items()}, "none: it is exact"
    exact = _null_vector(model, base, plan, until)
    if exact is not None:
        return apart(found, exact), "the exact steady state"
    smaller = _smaller(method, model, named, found.ntraj, until, again)
    if smaller:
        return _continued(found, method, smaller)
    by_orders = _from_orders(found, method, model, base, plan, until)
    if by_orders is not None:
        return by_orders
    nothing = {n: np.full(np.shape(v), np.nan) for n, v in found.expect.items()}
    return nothing, "nothing: no reference is quick enough"


def state(
    found: Any,
    method: Method,
    model: Model,
    named: Mapping[str, Any],
    base: Base,
    plan: Plan,
    full: bool,
    again: Callable[..., Any],
    phases: Phases | None = None,
) -> None:
    """Put the truncation into a steady state, and warn where it is large."""
    load(*REFERENCES)
    limit = FULL if full else max(SECONDS, SHARE * found.stats["wall_time"])
    until = time.process_time() + limit
    found.truncation = Values({n: np.full(np.shape(v), np.nan) for n, v in found.expect.items()})
    with spared(found.stats):
        if phases is None or method.order is None:
            errors, basis = steady_truncation(found, method, model, named, base, plan, until, again)
        else:
            errors, basis = _over_a_period(found, model, base, plan, until, phases)
        found.truncation, found.stats["truncation"] = Values(errors), basis
    times = None if phases is None else phases.times
    off = inaccurate(found.expect, found.sem, found.truncation, times)
    if off is not None:
        found.stats["warnings"] = [*found.stats.get("warnings", ()), off]
        _check.warn(off, AccuracyWarning)


def _over_a_period(
    found: Any, model: Model, base: Base, plan: Plan, until: float, phases: Phases
) -> tuple[Means, str]:
    """From the exact state that repeats, where that is quick."""
    nothing = {n: np.full(np.shape(v), np.nan) for n, v in found.expect.items()}
    seconds = density_elements(model, guess=True) * PER_ELEMENT * SLOWER
    if time.process_time() + seconds < until and Exact().refuses(model) is None:
        try:
            with within(until, False):
                exact, _ = exact_values(Exact(rtol=RTOL), model, base, plan, phases)
        except REFUSED:
            return nothing, "nothing: the exact state is not quick enough"
        return apart(found, exact), "the exact state that repeats"
    return nothing, "nothing: the exact state is not quick enough"


def _assembled(base: Base, plan: Plan, expect: Mapping[str, Any]) -> Means:
    values = {k: np.asarray(v)[None] for k, v in gather(base, expect).items()}
    return {n: v[0] for n, v in assemble_exact(plan, values)[0].items()}


def _null_vector(model: Model, base: Base, plan: Plan, until: float) -> Means | None:
    seconds = density_elements(model, guess=True) * PER_ELEMENT * SLOWER
    if time.process_time() + seconds > until or Exact().refuses(model) is not None:
        return None
    try:
        with within(until, False):
            solution = Exact().steady_state(model, members(base), unique=False)
    except REFUSED:
        return None
    return _assembled(base, plan, solution.expect)


def _from_orders(
    found: Any, method: Method, model: Model, base: Base, plan: Plan, until: float
) -> tuple[Means, str] | None:
    """From steady states of cumulants of other orders: see ``solving.orders``."""
    own = method.order if isinstance(method, Cumulant) else 0
    known: dict[int, Means] = {}
    for order in ORDERS[own]:
        other = _cumulants(order, model, base, plan, until) if len(known) < ENOUGH else None
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


def _cumulants(order: int, model: Model, base: Base, plan: Plan, until: float) -> Means | None:
    engine = Cumulant(order)
    if engine.refuses(model, base) is not None or time.process_time() > until:
        return None
    if order > 2 and size(Variables(model).size, order) > MOST:
        return None
    try:
        with within(until, False):
            solution = engine.steady_state(
                model, members(base), lambda: time.process_time() > until
            )
    except REFUSED:
        return None
    if solution.stats.get("warnings"):
        return None  # moments that are unphysical judge nothing
    return _assembled(base, plan, solution.expect)


def _smaller(
    method: Method,
    model: Model,
    named: Mapping[str, Any],
    ntraj: int,
    until: float,
    again: Callable[..., Any],
) -> list[Deviation]:
    """Deviations at smaller sizes, in units of the exact value."""

    def judged(small: Smaller, end: float) -> Deviation | None:
        own, ops, engine = read_call(small.call)
        _, base, plan = flatten(ops, own.subsystems, own)
        exact = _null_vector(own, base, plan, end)
        if exact is None:
            return None
        try:
            with within(np.inf, False):
                run = again(own, ops, engine, ntraj=max(64, ntraj // FEWER))
        except REFUSED:
            return None
        errors = apart(run, exact, UNSEEN)
        for name, error in errors.items():
            unit = np.abs(exact[name])
            errors[name] = np.where(unit > 0, error / np.where(unit > 0, unit, 1.0), 0.0)
        return Deviation(small, errors)

    return deviations(model, named, method, np.array([0.0, 1.0]), until, judged)


def _continued(found: Any, method: Method, smaller: list[Deviation]) -> tuple[Means, str]:
    factor, out = (SAMPLED if method.stochastic else CERTAIN), {}
    for name, value in found.expect.items():
        share = fall(smaller, [float(np.max(d.values[name])) for d in smaller])
        own = smaller[0].values[name]
        if own.shape != np.shape(value):  # of fewer members: the worst of them
            own = own.max(axis=-1, keepdims=True)
        out[name] = factor * share * own * np.abs(value)
    return out, spelt(smaller, "exact steady states")
