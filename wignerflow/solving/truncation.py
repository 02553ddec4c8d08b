r"""The error of a method itself, estimated: what ``Result.truncation`` holds.

A method whose ``order`` is a number leaves out a part of the master equation. What that does to an
observable is measured, in this order, by what is quick enough:

1. the exact solution of the model itself: |method - exact|, less its sampling error in squares;
2. exact solutions of the model made smaller (see ``smaller``). The same method is run there, at two
   sizes: its deviations, in units of the observable's scale, fall as a power of the size between 0
   and 1, which is followed up to the size of the model (see ``sizes``);
3. cumulants of second, third and fourth order (see ``orders``). For cumulants themselves, mean
   field and modes of few quanta these come second, and smaller models for what is left: all, or
   the observables in which orders part;
4. first of mean field of many emitters, classical trajectories from the fluctuations of the start
   (see ``starts``).

Runs of clusters of spins are compared with clusters of another size first, one spin more where
there is such.

Nothing is begun that is announced to take too long (see ``wignerflow.estimate``), nothing goes on
that does, and nothing is compiled for it. What was found for a smaller model is kept for the next
call.
"""

from __future__ import annotations

import copy
import functools
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import TooLong, within
from ..exact import populations
from ..exact.engine import Exact
from ..method import Method
from ..model.mode_states import vacuum
from ..model.model import Jump, LocalJump, Model
from ..model.states import up
from ..model.subsystems import Ensemble, Mode
from ..moments.method import Cumulant
from ..observables import assemble_exact
from ..phasespace.cluster_twa import MOST, ClusterTWA
from ..phasespace.mean_field import MeanField
from ..phasespace.system import SMALL_NOISE
from ..result import Result
from ..result.accuracy import SHARE as WORTH
from ..result.accuracy import UNSEEN, Errors, Found, apart, distance, scale
from ..run.automatic import density_elements
from .edges import edge_errors
from .orders import from_orders
from .problem import Problem, gather, members, read_problem
from .provenance import read_call
from .sizes import (
    CERTAIN,
    FIRST,
    SAMPLED,
    Deviation,
    Smaller,
    deviations,
    few_quanta,
    followed,
    size_of,
    spelt,
    unseen_scale,
)
from .smaller import Whole, parted
from .starts import from_starts

LARGE = 1000  # emitters or quanta, from which classical fluctuations say most of mean field
SECONDS = 0.3  # of the processor, for an estimate
SHARE = 0.3  # of the time of 10,000 trajectories, if that is more
FULL = 60.0  # with truncation="full"
FEW, MANY = 512, 20_000  # trajectories of a smaller model
POPULATIONS = 150  # emitters whose p(J, M) are tabulated in no time
PER_ELEMENT = 2e-5  # seconds per element of a density matrix to set its equations up, about
SHORTER = 4.0  # steps of a smaller model, than those of a run by the scheme for small noise
SAMPLES = 801  # of a coefficient of time
PILOT = 2000  # trajectories of clusters of another size, at most
KEPT = 64  # answers for smaller models
RTOL = 1e-6
#: References: density matrices, p(J, M) of ensembles, higher orders.
DENSE, POPULATED, ORDERS = REFERENCES = ("density matrices", "populations", "orders")

Solve = Callable[..., Result]
_answers: dict[str, Deviation] = {}


def budget(result: Result, full: bool) -> float:
    """Seconds that an estimate may take."""
    if full:
        return FULL
    run = float(result.stats.get("run_time", 0.0))
    return max(SECONDS, SHARE * run * 10_000 / result.ntraj) if result.ntraj else SECONDS


def estimate(
    problem: Problem,
    method: Method,
    result: Result,
    seconds: float,
    solve: Solve,
    *,
    direct: bool = True,
) -> tuple[Errors, str]:
    """The truncation error by name, and what it rests on.

    Args:
        problem, method, result: what was solved, how, and what came out.
        seconds: that it may take.
        solve: runs smaller models.
        direct: look at the exact solution of the model itself, if that is quick.
    """
    if method.order is None:
        if result.stats.get("edge"):
            return edge_errors(problem, result), "the populations at the edges of modes"
        return {n: np.zeros(v.shape) for n, v in result.expect.items()}, "none: the method is exact"
    load(POPULATED if populations.refuses(problem.model) is None else DENSE)
    until = time.process_time() + seconds
    full = seconds >= FULL
    if direct:
        exact = _exact(problem, until, full)
        if exact is not None:
            return apart(result, exact), "the exact solution"

    def smaller(end: float) -> Found | None:
        return _from_smaller(problem, method, result, end, full, solve)

    def orders(end: float) -> Found | None:
        return from_orders(problem, method, result, end, full)

    ways = [smaller, orders]
    # high orders know most, but where they part; n = 0 of a laser has no scale; and what is off at
    # less than a few quanta says little
    if not method.stochastic or few_quanta(problem.model):
        ways.reverse()
    if isinstance(method, MeanField) and size_of(problem.model) >= LARGE:
        ways.insert(0, lambda end: from_starts(problem, result, end))
    if isinstance(method, ClusterTWA):
        ways.insert(0, lambda end: _from_clusters(problem, method, result, end, full, solve))
    best: Found | None = None
    for k, way in enumerate(ways):
        now = time.process_time()
        if way is orders:
            load(ORDERS)
            until += time.process_time() - now
            now = time.process_time()
        end = until if k == len(ways) - 1 else now + FIRST * (until - now)
        found = way(end)
        if found is not None:
            best = found if best is None else best.settled(found)
            if not best.unsure:
                break
    if best is not None:
        return best.errors, best.basis
    nothing = {n: np.full(v.shape, np.nan) for n, v in result.expect.items()}
    return nothing, "nothing: no reference is quick enough"


def _from_clusters(
    problem: Problem, method: ClusterTWA, result: Result, until: float, full: bool, solve: Solve
) -> Found | None:
    """|size k - size k + 1| (k - 1 for the largest) by name, and what it rests on.

    Sampling errors of both are taken off in squares. None for a partition of the user's, and where
    the other size makes the same clusters.
    """
    size = method.size + 1 if method.size < MOST else method.size - 1
    other = ClusterTWA(size=size)
    if method.partition is not None:
        return None
    if other.clusters(problem.model) == method.clusters(problem.model):
        return None
    try:
        with within(until, full), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = solve(
                problem.model, problem.times, e_ops=problem.named, method=other,
                ntraj=max(2, min(result.ntraj, PILOT)), seed=1, dt=result.dt, truncation=False,
                progress=False,
            )  # fmt: skip
    except (TooLong, ValueError, RuntimeError, ArithmeticError):
        return None
    out = {}
    for name, value in result.expect.items():
        noise = np.hypot(np.abs(result.sem[name]), np.abs(run.sem[name]))
        out[name] = distance(value, run.expect[name], noise)
    return Found(out, f"clusters of {size} instead of {method.size}")


def _from_smaller(
    problem: Problem, method: Method, result: Result, until: float, full: bool, solve: Solve
) -> Found | None:
    found = evidence(problem, method, result, until, full, solve)
    if not found:
        return None
    out, unsure = {}, set()
    factor = SAMPLED if method.stochastic else CERTAIN
    for name, value in result.expect.items():
        hidden = UNSEEN * float(np.sqrt(np.mean(found[0].noise[name] ** 2)))
        if hidden > max(WORTH, float(found[0].values[name].max(initial=0.0))):
            unsure.add(name)  # sampling there hides what a warning is for
            out[name] = np.full(value.shape, np.nan)
            continue
        share = followed(found, name)
        if share.shape != value.shape:  # of fewer members: the worst of them
            share = np.broadcast_to(share.max(axis=-1, keepdims=True), value.shape)
        unit = max(scale(np.asarray(value)), unseen_scale(found, name))
        out[name] = factor * share * unit
    basis = spelt(found, "exact solutions")
    if unsure:
        basis += f"; of {', '.join(sorted(unsure))}: hidden by sampling there"
    return Found(out, basis, frozenset(unsure))


def load(*references: str) -> None:
    """Load references and compile their loops: once, and not in the time of an estimate."""
    for reference in references:
        _load(reference)


@functools.cache
def _load(reference: str) -> None:
    mode, atoms = Mode(name="m", cutoff=2), Ensemble(2, name="atoms")
    lossy = Model(mode.n, [Jump(mode.a, 1.0)], initial={mode: vacuum})
    pumped = Model(jumps=[Jump(atoms.Jm, 1.0), LocalJump(atoms.sp, 1.0)], initial={atoms: up})
    if reference == DENSE:
        Exact().solve(lossy, [0.0, 1.0], {"n": mode.n})
    elif reference == POPULATED:
        Exact().solve(pumped, [0.0, 1.0], {"z": atoms.Jz})
    else:
        Cumulant(3).solve(pumped, [0.0, 1.0], {"z": atoms.Jz})


def _exact(problem: Problem, until: float, full: bool) -> dict[str, NDArray] | None:
    populated = populations.refuses(problem.model) is None
    load(POPULATED if populated else DENSE)  # a smaller model may ask another one
    left = until - time.process_time()
    if populated:
        if size_of(problem.model) > POPULATIONS * np.sqrt(max(left, SECONDS) / SECONDS):
            return None
    elif density_elements(problem.model, guess=True) * PER_ELEMENT > left:
        return None
    return _solved(problem, Exact(rtol=RTOL), until, full)


def _solved(problem: Problem, method: Any, until: float, full: bool) -> dict[str, NDArray] | None:
    """Means of a deterministic method, or None where it refuses or takes too long."""
    if method.refuses(problem.model, problem.base) is not None:
        return None
    try:
        with within(until, full):
            solution = method.solve(problem.model, problem.times, members(problem.base))
    except (TooLong, ValueError, MemoryError, ArithmeticError):
        return None
    means = {k: np.asarray(v) for k, v in gather(problem.base, solution.expect).items()}
    if not all(np.all(np.isfinite(v)) for v in means.values()):
        return None
    return dict(assemble_exact(problem.plan, means)[0])


# ---------------------------------------------------------------- smaller models


def evidence(
    problem: Problem,
    method: Method,
    result: Result,
    until: float,
    full: bool,
    solve: Solve,
) -> list[Deviation]:
    """Deviations at up to two smaller sizes, the larger first."""
    times = problem.times
    dense = np.union1d(times, np.linspace(times[0], times[-1], SAMPLES))
    named, whole = parted(problem.named)
    if getattr(method, "scheme", "") == SMALL_NOISE:  # which it is not in a smaller model
        method = copy.copy(method)
        method.scheme = "auto"  # type: ignore[attr-defined]
    shared = len(named) == len(problem.named)  # what is found can be kept

    def judged(small: Smaller, end: float) -> Deviation | None:
        return _deviation(small, whole, shared, problem, result, end, full, solve)

    return deviations(problem.model, named, method, dense, until, judged)


def _deviation(
    small: Smaller,
    whole: Whole,
    shared: bool,
    problem: Problem,
    result: Result,
    until: float,
    full: bool,
    solve: Solve,
) -> Deviation | None:
    left = until - time.process_time()
    if left <= 0:
        return None
    ntraj = 0
    if result.ntraj:
        each = float(result.stats.get("run_time", 0.0)) / result.ntraj
        each *= small.size / small.whole if small.shorter else 1.0
        ntraj = int(min(MANY, 0.5 * left / max(each, 1e-9)))
        if ntraj < FEW and not full:
            return None
        ntraj = max(FEW, 1 << (ntraj.bit_length() - 1))
    key = json.dumps(
        [small.call, problem.times.tolist(), result.dt, full], sort_keys=True, default=str
    )
    if shared and key in _answers:
        return replace(_answers[key], at=small)
    try:
        model, parts, method = read_call(small.call)
        ops = whole(parts)
        if populations.refuses(model) is not None:
            if density_elements(model, guess=True) * PER_ELEMENT > left / 2:
                return None
        exact = _exact(read_problem(model, problem.times, ops), until, full)
        if exact is None:
            return None
        options: dict[str, Any] = {}
        if ntraj:
            dt = result.dt
            if dt is not None and result.stats.get("scheme") == SMALL_NOISE:
                dt /= SHORTER
            options = {"ntraj": ntraj, "seed": 1, "dt": dt}
        with within(np.inf, full, result.stats.get("lanes") if small.shorter else None):
            run = solve(
                model, problem.times, e_ops=ops, method=method, truncation=False, progress=False,
                **options,
            )  # fmt: skip
    except (TooLong, ValueError, RuntimeError, ArithmeticError):
        return None
    values, noise, scales = apart(run, exact, UNSEEN), {}, {}
    for name, error in values.items():
        unit = scale(np.asarray(exact[name]))
        scales[name] = unit, scale(np.asarray(run.expect[name]))
        values[name] = error / unit if unit > 0 else np.zeros(error.shape)
        noise[name] = np.abs(run.sem[name]) / unit if unit > 0 else np.zeros(error.shape)
    found = Deviation(small, values, noise, scales)
    if shared:
        while len(_answers) >= KEPT:
            _answers.pop(next(iter(_answers)))
        _answers[key] = found
    return found
