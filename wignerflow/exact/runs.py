"""Runs of the engines that hold a density matrix: in time, to the steady state, held at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import pulse_times
from ..model.subsystems import Mode
from ..model.timescales import points
from . import blocks, occupations, steady
from .cutoffs import EDGE, Cutoffs, Edge, edge_stats, guess_cutoffs, uncertified, widen
from .pulsed import propagated
from .solution import MEMORY, ExactSolution, TooLarge

Array = NDArray[np.float64]
#: From a model, observables and cutoffs of modes to a system: ``y``, ``reads``, ``generator()``, …
Build = Callable[..., Any]
ENGINES: dict[str, Build] = {"blocks": blocks.restricted, "occupations": occupations.build}
LOOKS = 201  # times between outputs at which the edges of modes are looked at


def check_rates(model: Model, times: Array) -> None:
    """Time-dependent rates must be real and not negative.

    Raises:
        ValueError: at the first of ``times`` where one is not.
    """
    rates = [r for _, r in model.channels()] + [c.rate for c in model.local_channels()]
    for rate in rates:
        if isinstance(rate, Coef):
            rate.rates(times)


def certified(
    build: Build, model: Model, ops: dict[str, Op], use: Callable[[Any, Cutoffs], tuple[Any, Array]]
) -> tuple[Any, Any, Array, list[Edge]]:
    """A system whose modes are wide enough, what ``use`` makes of it, and their edges.

    ``use`` returns something and numbers W y, (T, rows), by which modes get wider cutoffs.

    Raises:
        TooLarge: the density matrix does not fit into memory, with the cutoffs that modes need.
    """
    cutoffs, edges = guess_cutoffs(model), list[Edge]()
    while True:
        try:
            system = build(model, ops, cutoffs)
            found, numbers = use(system, cutoffs)
        except TooLarge as error:
            raise uncertified(error, edges) from None
        edges = system.reads.edges_of(numbers)
        if not widen(edges, cutoffs):
            return system, found, numbers, edges


def evolved(
    system: Any, times: Array, rtol: float, cutoffs: Cutoffs
) -> tuple[dict[str, float], Array]:
    """Counts and numbers at all times; ``y`` of the system is then that at the last.

    It gives up as soon as the edge of a mode fills that will get a wider cutoff.
    """
    rows = [row for row, place, *_ in system.reads.edges if place in cutoffs]

    def lost(numbers: Array) -> bool:
        return bool(np.any(numbers[rows] > 100 * EDGE))

    numbers, system.y, counts = propagated(system, times, rtol, lost)
    return counts, numbers


def read(system: Any, times: Array, rtol: float) -> NDArray[np.complex128]:
    """The mean of the one observable of a system at all times, (T,)."""
    numbers, _, _ = propagated(system, times, rtol)
    return np.asarray(system.reads.values(numbers, times, 1)[0])


def _null(system: Any, memory: float) -> tuple[dict[str, Any], Array]:
    """Facts about the null vector, which ``y`` of the system becomes, and its numbers."""
    fill = 45 * system.size ** (4 / 3)
    trace = system.reads.trace
    system.y, facts = steady.null_state(system.generator(), trace, system.y, fill, memory)
    return facts, np.asarray(system.reads.W @ system.y)[None, :]


def solve(
    engine: str,
    model: Model,
    tlist: Array,
    ops: dict[str, Op],
    *,
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> ExactSolution:
    """Expectation values of ``ops`` over time.

    Modes without a cutoff get one such that the population at their edge stays below 1e-7 at all
    times, also between those of ``tlist``; ``stats["cutoffs"]`` and ``stats["edge"]`` report it.

    Raises:
        TooLarge: the density matrix does not fit into memory, with the cutoffs that modes need.
    """
    check_rates(model, points(float(tlist[0]), float(tlist[-1])))
    times = tlist
    if any(isinstance(sub, Mode) for sub in model.initial):
        times = pulse_times(model, np.union1d(tlist, np.linspace(tlist[0], tlist[-1], LOOKS)))

    def use(system: Any, cutoffs: Cutoffs) -> tuple[Any, Array]:
        return evolved(system, times, rtol, cutoffs)

    build = partial(ENGINES[engine], memory=memory)
    system, counts, numbers, edges = certified(build, model, ops, use)
    numbers = numbers[np.searchsorted(times, tlist)]
    error = float(np.abs(numbers[:, 0] - 1).max())
    stats = {**system.facts, **counts, "trace_error": error, **edge_stats(edges)}
    return ExactSolution.build(ops, system.reads.values(numbers, tlist, len(ops)), stats)


def steady_state(
    engine: str, model: Model, ops: dict[str, Op], *, unique: bool, rtol: float, memory: float
) -> ExactSolution:
    """Expectation values in the steady state, arrays of shape ().

    Raises:
        NotUnique: it is not unique and ``unique`` is true, or the residual stays above ``rtol``.
    """
    if model.coefficients:
        raise ValueError("A steady state needs a model that is constant in time.")

    build = partial(ENGINES[engine], memory=memory)
    system, facts, numbers, edges = certified(build, model, ops, lambda s, _: _null(s, memory))
    steady.check(facts, rtol, unique)
    values = system.reads.values(numbers, np.zeros(1), len(ops))[:, 0]
    return ExactSolution.build(ops, values, {**system.facts, **edge_stats(edges), **facts})


def held(
    build: Build,
    model: Model,
    ops: dict[str, Op],
    t: float | None,
    delay: float,
    rtol: float,
    memory: float,
) -> tuple[Any, Array, NDArray[np.complex128], dict[str, Any]]:
    """The density matrix at t (None: steady), with modes wide enough until ``delay`` later.

    Returns:
        The system, its y at t, the means of ``ops`` there, and facts.

    Raises:
        TooLarge: it does not fit into memory.
        NotUnique: the steady state is not unique.
    """
    start = t or 0.0
    check_rates(model, points(0.0, start + delay))

    def use(system: Any, cutoffs: Cutoffs) -> tuple[Any, Array]:
        facts: dict[str, Any] = {}
        numbers = np.asarray(system.reads.W @ system.y)[None, :]
        if t is None:
            facts, numbers = _null(system, memory)
            if not facts["unique"]:
                raise steady.NotUnique("The steady state is not unique; give a time `t`.")
        elif t > 0:
            _, numbers = evolved(system, np.linspace(0.0, t, LOOKS), rtol, cutoffs)
        y, now = system.y, numbers[-1:]
        if t is not None and delay > 0 and system.reads.edges:
            _, later = evolved(system, np.linspace(t, t + delay, LOOKS), rtol, cutoffs)
            numbers = np.concatenate([numbers, later])
        return (y, now, facts), numbers

    system, (y, now, facts), _, edges = certified(build, model, ops, use)
    means = system.reads.values(now, np.array([start]), len(ops))[:, 0]
    kept = {"residual": facts["residual"]} if facts else {}
    return system, y, means, {**system.facts, **edge_stats(edges), **kept}
