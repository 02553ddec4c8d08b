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

import hashlib
import json
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import TooLong, within
from ..method import Method
from ..phasespace.cluster_twa import MOST, ClusterTWA
from ..phasespace.mean_field import MeanField
from ..result import Result
from ..result.accuracy import SHARE as WORTH
from ..result.accuracy import UNSEEN, Errors, Found, apart, distance, scale, widened
from .edges import edge_errors
from .orders import from_orders
from .problem import SECONDS, Problem, few_quanta, has_smaller, size_of, too_large
from .sizes import (
    FIRST,
    ORDERS,
    SAMPLES,
    STARTS,
    Deviation,
    Solve,
    evidence,
    exact_means,
    load,
    load_for,
)
from .starts import from_starts

LARGE = 1000  # emitters or quanta, from which classical fluctuations say most of mean field
SHARE = 0.3  # of the time of 10,000 trajectories, if that is more
FULL = 60.0  # with truncation="full"
PILOT = 2000  # trajectories of clusters of another size, at most
KEPT = 64  # answers for smaller models
POWER = 1.0  # with which an error falls with the size, at most
FEWEST = 2  # emitters or quanta, from which errors follow a power at all
TRUSTED, LEAST = 8, 0.5  # a size from which on a power is as it was found, and below it at least
#: What estimates from smaller models are multiplied by, so that true errors stay below: chosen on
#: the families of the atlas that are not held out. Of methods with sampling errors, which hide
#: small ones; of others.
SAMPLED, CERTAIN = 2.0, 3.0
MISSED = 0.5  # of an observable's scale: a method that finds less misses it

_answers: dict[Any, list[Deviation]] = {}


def budget(result: Result) -> float:
    """Seconds that an estimate may take."""
    run = float(result.stats.get("run_time", 0.0))
    return max(SECONDS, SHARE * run * 10_000 / result.ntraj) if result.ntraj else SECONDS


def estimate(
    problem: Problem,
    method: Method,
    result: Result,
    seconds: float | None,
    solve: Solve,
    *,
    direct: bool = True,
) -> tuple[Errors, str]:
    """The truncation error by name, and what it rests on.

    Args:
        problem, method, result: what was solved, how, and what came out.
        seconds: that it may take; None: by the time of the run.
        solve: runs smaller models.
        direct: look at the exact solution of the model itself, if that is quick.
    """
    if method.order is None:
        if result.stats.get("edge"):
            return edge_errors(problem, result), "the populations at the edges of modes"
        return {n: np.zeros(v.shape) for n, v in result.expect.items()}, "none: the method is exact"
    seconds = budget(result) if seconds is None else seconds
    full = seconds >= FULL
    kept = _kept(problem, method, result.dt, full)
    if not kept:
        load_for(problem.model)
    unstable = isinstance(method, MeanField) and size_of(problem.model) >= LARGE
    if unstable:
        load(STARTS)
    until = time.process_time() + seconds
    if direct and not too_large(problem.model, seconds):
        exact = exact_means(problem, until, full)
        if exact is not None:
            return apart(result, exact), "the exact solution"

    def smaller(end: float) -> Found | None:
        return _from_smaller(problem, method, result, end, full, solve, kept)

    def orders(end: float) -> Found | None:
        return from_orders(problem, method, result, end, full)

    ways = [smaller, orders]
    # high orders know most, but where they part; n = 0 of a laser has no scale; and what is off at
    # less than a few quanta says little
    if not method.stochastic or few_quanta(problem.model):
        ways.reverse()
    if unstable:
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
    problem: Problem,
    method: Method,
    result: Result,
    until: float,
    full: bool,
    solve: Solve,
    kept: list[Deviation],
) -> Found | None:
    """From deviations at smaller sizes; ``kept`` are those of an earlier call, and of this one."""
    if len(kept) < 2:
        kept[:] = evidence(problem, method, result, until, full, solve, kept)
    if not (found := kept):
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


def _kept(problem: Problem, method: Method, dt: float | None, full: bool) -> list[Deviation]:
    """What earlier calls found for smaller models: a list that is kept, if the call can be told.

    It is told by the content of model, observables and method; subsystems go by their places.
    """
    model, times = problem.model, problem.times
    if not (has_smaller(model) and problem.plan.known):
        return []
    dense = np.linspace(times[0], times[-1], SAMPLES)
    marks: dict[Any, Any] = {c: ("coefficient", told(c(dense), {})) for c in model.coefficients}
    for k, sub in enumerate(model.subsystems):
        marks |= {sub: k, sub.order: k}
    things = [
        (sub.kind, model.names[sub], sub.count, sub.parameters(), states)
        for sub, states in model.initial.items()
    ]
    jumps = [(type(j), vars(j.op), j.rate, getattr(j, "matrix", None)) for j in model.jumps]
    pulses = [(p.time, p.angle, p.op.terms) for p in model.pulses]
    how = type(method), vars(method), times, json.dumps(problem.plan.to_dict()), dt, full
    try:
        key = told([things, model.H.terms, jumps, pulses, how], marks)
        if key not in _answers and len(_answers) >= KEPT:
            _answers.pop(next(iter(_answers)))
        return _answers.setdefault(key, [])
    except TypeError:  # an option of the method that has no content
        return []


def told(part: Any, marks: dict[Any, Any]) -> Any:
    """Hashable content, with ``marks`` in the place of what has them; tuples get theirs."""
    if isinstance(part, np.ndarray):
        return part.shape, part.dtype.str, told(part.tobytes(), marks)
    if isinstance(part, bytes):
        return hashlib.sha256(part).digest()
    if isinstance(part, (dict, list)):
        return tuple(told(x, marks) for x in (part.items() if isinstance(part, dict) else part))
    try:
        known = marks.get(part)
    except TypeError:  # it holds arrays or tables
        return tuple(told(x, marks) for x in part)
    if known is None and isinstance(part, tuple):
        known = marks[part] = tuple(told(x, marks) for x in part)
    return part if known is None else known


def followed(found: list[Deviation], name: str) -> NDArray[np.float64]:
    """The deviation of an observable at the whole size in units of its scale, from smaller sizes.

    One of a method without sampling that misses most of an observable need not fall: mean field may
    stay where it starts at every size.
    """
    errors = [float(np.sqrt(np.mean(d.values[name] ** 2))) for d in found]
    noise = max(float(np.sqrt(np.mean(d.noise[name] ** 2))) for d in found)
    seen = errors if errors[0] > noise else errors[:1]
    error = widened(found[0].values[name])
    if noise == 0 and error.max(initial=0.0) > MISSED:
        return error
    return error * fall(found, seen)


def unseen_scale(found: list[Deviation], name: str) -> float:
    """The scale of an observable of which a method misses most: n of a laser that stays dark.

    As a power of the size, the one between two sizes, or 1; zero where a method sees its scale.
    """
    exact, own = found[0].scales[name]
    if own > MISSED * exact:
        return 0.0
    power = 1.0
    if len(found) == 2 and found[1].scales[name][0] > 0:
        ratio = exact / found[1].scales[name][0]
        power = float(np.log(ratio) / np.log(found[0].at.size / found[1].at.size))
    return float(exact * (found[0].at.whole / found[0].at.size) ** np.clip(power, 0.0, 2.0))


def fall(found: list[Deviation], errors: list[float]) -> float:
    """By how much an error at the first of two sizes falls up to the whole one.

    As a power of the size between 0 and 1, the one between both where each has an error. Between a
    few emitters and fewer the error may rise before it falls: there the power is at least 1/2. From
    a few quanta on there is no telling.
    """
    first = found[0].at
    if first.size < FEWEST or not first.falls:
        return 1.0
    power = POWER
    if len(errors) == 2 and min(errors) > 0:
        power = float(np.log(errors[1] / errors[0]) / np.log(first.size / found[1].at.size))
    least = 0.0 if first.size >= TRUSTED else LEAST
    return float((first.size / first.whole) ** np.clip(power, least, POWER))


def spelt(found: list[Deviation], what: str) -> str:
    """What an estimate rests on."""
    sizes = " and ".join(f"{d.at.size:g}" for d in found)
    return f"{what} at sizes {sizes}, continued to {found[0].at.whole:g}"
