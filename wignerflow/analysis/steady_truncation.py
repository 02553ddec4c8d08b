"""The error of a method itself in a steady state: ``SteadyState.truncation``.

As ``solving.truncation``, with null vectors of the Lindbladian in place of solutions over time: of
the model itself, of the model made smaller, or steady states of second-order cumulants.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import TooLong, within
from ..exact.engine import Exact
from ..method import Method
from ..model.model import Model
from ..moments.method import Cumulant
from ..observables import Plan, assemble_exact, flatten
from ..result import AccuracyWarning, Values
from ..result.accuracy import inaccurate
from ..run.automatic import density_elements
from ..solving import gather, members
from ..solving.comparing import UNSEEN, apart
from ..solving.orders import ALONE
from ..solving.provenance import NotPlain, read_call, write_call
from ..solving.smaller import shrunk
from ..solving.truncation import (
    APART,
    CERTAIN,
    FULL,
    PER_ELEMENT,
    RTOL,
    SAMPLED,
    SECONDS,
    SHARE,
    SIZES,
    fall,
    load,
    size_of,
)
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
        return _continued(found, method, smaller, size_of(model))
    other = None if method.name == "cumulant" else _cumulants(model, base, plan, until)
    if other is not None:
        return {n: ALONE * e for n, e in apart(found, other).items()}, "second-order cumulants"
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
    load()
    limit = FULL if full else max(SECONDS, SHARE * found.stats["wall_time"])
    until = time.process_time() + limit
    if phases is None or method.order is None:
        errors, basis = steady_truncation(found, method, model, named, base, plan, until, again)
    else:
        errors, basis = _over_a_period(found, model, base, plan, until, phases)
    found.truncation, found.stats["truncation"] = Values(errors), basis
    times = None if phases is None else phases.times
    off = inaccurate(found.expect, found.sem, found.truncation, times)
    if off is not None:
        found.stats["warnings"] = [*found.stats.get("warnings", ()), off]
        warnings.warn(off, AccuracyWarning, stacklevel=3)


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


def _cumulants(model: Model, base: Base, plan: Plan, until: float) -> Means | None:
    engine = Cumulant()
    if engine.refuses(model, base) is not None:
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
) -> list[tuple[float, Means]]:
    """Sizes and deviations there, in units of the exact value; two at most, the larger first."""
    size = size_of(model)
    try:
        call = write_call(model, named, method, np.array([0.0, 1.0]))
    except NotPlain:
        return []
    out: list[tuple[float, Means]] = []
    for small in SIZES:
        if small >= size or (out and small > out[0][0] / APART):
            continue
        made = shrunk(call, small / size)
        if made is None or time.process_time() > until or len(out) == 2:
            break
        own, ops, engine = read_call(made)
        _, base, plan = flatten(ops, own.subsystems, own)
        exact = _null_vector(own, base, plan, until)
        if exact is None:
            continue
        try:
            with within(np.inf, False):
                run = again(own, ops, engine, ntraj=max(64, ntraj // FEWER))
        except REFUSED:
            continue
        errors = apart(run, exact, UNSEEN)
        for name, error in errors.items():
            unit = np.abs(exact[name])
            errors[name] = np.where(unit > 0, error / np.where(unit > 0, unit, 1.0), 0.0)
        out.append((float(small), errors))
    return out


def _continued(
    found: Any, method: Method, smaller: list[tuple[float, Means]], size: float
) -> tuple[Means, str]:
    factor, out = (SAMPLED if method.stochastic else CERTAIN), {}
    for name, value in found.expect.items():
        errors = [float(np.max(d[name])) for _, d in smaller]
        share = fall([n for n, _ in smaller], errors, size)
        out[name] = factor * share * smaller[0][1][name] * np.abs(value)
    sizes = " and ".join(f"{n:.0f}" for n, _ in smaller)
    return out, f"exact steady states at sizes {sizes}, continued to {size:.0f}"
