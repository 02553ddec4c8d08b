r"""The error of a method itself, estimated: what ``Result.truncation`` holds.

A method whose ``order`` is a number leaves out a part of the master equation. What that does to an
observable is measured, in this order, by what is quick enough:

1. the exact solution of the model itself: |method - exact|, less its sampling error in squares;
2. exact solutions of the model made smaller (see ``smaller``). The same method is run there, at two
   sizes: its deviations, in units of the observable's scale, fall as a power of the size between 0
   and 1, which is followed up to the size of the model;
   Runs of clusters of spins are compared with clusters of another size instead, one spin more where
   there is such;
3. cumulants of second, third and fourth order (see ``orders``). For cumulants themselves and mean
   field these come second.

Nothing is begun that is announced to take too long (see ``wignerflow.estimate``), nothing goes on
that does, and nothing is compiled for it. What was found for a smaller model is kept for the next
call.
"""

from __future__ import annotations

import copy
import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from ..phasespace.cluster_twa import ClusterTWA
from ..phasespace.system import SMALL_NOISE
from ..result import Result
from ..result.accuracy import scale
from ..run.automatic import density_elements
from .comparing import UNSEEN, Errors, apart, widened
from .edges import edge_errors
from .growing import from_other_size
from .orders import from_orders
from .problem import Problem, gather, members, read_problem
from .provenance import NotPlain, read_call, write_call
from .shorter import LONG, Shorter, length
from .smaller import Whole, parted, shrunk

SECONDS = 0.3  # of the processor, for an estimate
SHARE = 0.3  # of the time of 10,000 trajectories, if that is more
FULL = 60.0  # with truncation="full"
FEW, MANY = 512, 20_000  # trajectories of a smaller model
FIRST = 0.8  # of the time that is left is for the way, or the size, that comes next
SIZES = (24, 16, 12, 8, 6, 4, 3, 2)  # emitters or quanta of a smaller one
APART = 1.6  # two of them, at least
FRACTIONS = (0.5, 0.25)  # likewise, of modes that hold few quanta
POPULATIONS = 150  # emitters whose p(J, M) are tabulated in no time
PER_ELEMENT = 2e-5  # seconds per element of a density matrix to set its equations up, about
POWER = 1.0  # with which an error falls with the size, at most
SHORTER = 4.0  # steps of a smaller model, than those of a run by the scheme for small noise
FEWEST = 2  # emitters or quanta, from which errors follow a power at all
TRUSTED, LEAST = 8, 0.5  # a size from which on a power is as it was found, and below it at least
#: What estimates from smaller models are multiplied by, so that true errors stay below: chosen on
#: the families of the atlas that are not held out. Of methods with sampling errors, which hide
#: small ones; of others.
SAMPLED, CERTAIN = 2.0, 3.0
MISSED = 0.5  # of an observable's scale: a method that finds less misses it
SAMPLES = 801  # of a coefficient of time
MEMBERS = (6, 5, 4, 3, 2)  # of an array that is made shorter
ARRAY, PAIRS = 6, 32  # members of a model that is made smaller, or treated by cumulants, at most
KEPT = 64  # answers for smaller models
RTOL = 1e-6

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
    load()
    until = time.process_time() + seconds
    full = seconds >= FULL
    if direct:
        exact = _exact(problem, until, full)
        if exact is not None:
            return apart(result, exact), "the exact solution"
    ways = [_from_smaller, _from_orders]
    # high orders know most, but where they diverge; n = 0 of a laser has no scale; and what is off
    # at less than a few quanta says little
    if not method.stochastic or _few_quanta(problem.model):
        ways.reverse()
    if isinstance(method, ClusterTWA):
        ways.insert(0, _from_clusters)
    for k, way in enumerate(ways):
        now = time.process_time()
        end = until if k == len(ways) - 1 else now + FIRST * (until - now)
        found = way(problem, method, result, end, full, solve)
        if found is not None:
            return found
    nothing = {n: np.full(v.shape, np.nan) for n, v in result.expect.items()}
    return nothing, "nothing: no reference is quick enough"


def _from_clusters(
    problem: Problem, method: Method, result: Result, until: float, full: bool, solve: Solve
) -> tuple[Errors, str] | None:
    try:
        with within(until, full):
            return from_other_size(problem, method, result, solve)
    except TooLong:
        return None


def _from_smaller(
    problem: Problem, method: Method, result: Result, until: float, full: bool, solve: Solve
) -> tuple[Errors, str] | None:
    found = evidence(problem, method, result, until, full, solve)
    if not found:
        return None
    size, out = found[0].whole, {}
    factor = SAMPLED if method.stochastic else CERTAIN
    for name, value in result.expect.items():
        share = followed(found, name, size)
        if share.shape != value.shape:  # of fewer members: the worst of them
            share = np.broadcast_to(share.max(axis=-1, keepdims=True), value.shape)
        unit = max(scale(np.asarray(value)), unseen_scale(found, name))
        out[name] = factor * share * unit
    sizes = " and ".join(f"{d.size:g}" for d in found)
    return out, f"exact solutions at sizes {sizes}, continued to {size:g}"


def _from_orders(
    problem: Problem, method: Method, result: Result, until: float, full: bool, solve: Solve
) -> tuple[Errors, str] | None:
    if _members(problem.model) > PAIRS and not full:
        return None
    return from_orders(problem, method, result, until, full)


@functools.cache
def load() -> None:
    """Load the exact engines and compile their loops: once, and not in the time of an estimate."""
    mode, atoms = Mode(name="m", cutoff=2), Ensemble(2, name="atoms")
    lossy = Model(mode.n, [Jump(mode.a, 1.0)], initial={mode: vacuum})
    pumped = Model(jumps=[Jump(atoms.Jm, 1.0), LocalJump(atoms.sp, 1.0)], initial={atoms: up})
    Exact().solve(lossy, [0.0, 1.0], {"n": mode.n})
    Cumulant(3).solve(pumped, [0.0, 1.0], {"z": atoms.Jz})
    Exact().solve(pumped, [0.0, 1.0], {"z": atoms.Jz})


def _exact(problem: Problem, until: float, full: bool) -> dict[str, NDArray] | None:
    left = until - time.process_time()
    if populations.refuses(problem.model) is None:
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


def _members(model: Model) -> int:
    """Members of all subsystems."""
    return sum(sub.size for sub in model.subsystems)


# ---------------------------------------------------------------- smaller models


@dataclass(frozen=True)
class Deviation:
    """What a method is off by at a smaller size, in units of the scale there, by name.

    ``scales``: of the exact values and of the method's there; ``whole``: the size of the model
    itself; ``falls``: deviations fall up to it.
    """

    size: float
    values: Errors
    noise: Errors
    scales: dict[str, tuple[float, float]]
    whole: float
    falls: bool = True


def size_of(model: Model) -> float:
    """Emitters of the largest subsystem; without any, quanta of the largest coherent state."""
    sizes = [0.0]
    for sub in model.subsystems:
        for key, unit in (("numbers", 1.0), ("lengths", 2.0)):
            if hasattr(sub, key):
                sizes.append(unit * float(np.max(getattr(sub, key))))
    if max(sizes) == 0.0:
        quanta = [float(getattr(s, "quanta", 0.0)) for v in model.initial.values() for s in v]
        sizes += quanta
    return max(sizes)


Make = Callable[[float], tuple[dict[str, Any] | None, bool]]


def smaller_ways(call: Mapping[str, Any], model: Model) -> tuple[float, list[float], Make]:
    """The size of a model, smaller ones, and what makes a call there: whether errors fall to it."""
    members = length(call)
    if members > LONG:

        def cut(small: float) -> tuple[dict[str, Any] | None, bool]:
            try:
                made = Shorter(call, members, int(small))
            except (KeyError, ValueError):  # products of pairs as observables, rings of two
                return None, False
            return made.call, made.wide

        return float(members), [float(m) for m in MEMBERS if m < members], cut
    size = size_of(model)
    unit = size or 1.0
    some = sizes_below(model, size) if _members(model) <= ARRAY else []
    return unit, some, lambda small: (shrunk(call, small / unit), True)


def _few_quanta(model: Model) -> bool:
    """Modes alone, that begin with as many quanta as a small model has, or fewer."""
    modes = all(isinstance(sub, Mode) for sub in model.subsystems)
    return modes and size_of(model) <= SIZES[-1]


def sizes_below(model: Model, size: float) -> list[float]:
    """Sizes of smaller models, largest first: of modes alone any, in units of 1 from the vacuum."""
    out = [float(s) for s in SIZES if s < size]
    if _few_quanta(model):
        out = [f * (size or 1.0) for f in FRACTIONS]
    return out


def evidence(
    problem: Problem,
    method: Method,
    result: Result,
    until: float,
    full: bool,
    solve: Solve,
) -> list[Deviation]:
    """Deviations at up to two smaller sizes, the larger first."""
    if problem.model.links:
        return []
    times = problem.times
    dense = np.union1d(times, np.linspace(times[0], times[-1], SAMPLES))
    named, whole = parted(problem.named)
    if getattr(method, "scheme", "") == SMALL_NOISE:  # which it is not in a smaller model
        method = copy.copy(method)
        method.scheme = "auto"  # type: ignore[attr-defined]
    try:
        call = write_call(problem.model, named, method, dense)
    except NotPlain:
        return []
    size, candidates, make = smaller_ways(call, problem.model)
    begin = time.process_time()
    found: list[Deviation] = []
    for small in candidates:
        if found and small > found[0].size / APART:
            continue
        end = until if found else begin + (until - begin) * FIRST
        shared = len(named) == len(problem.named)  # what is found can be kept
        deviation = _deviation(make, whole, shared, small, size, problem, result, end, full, solve)
        if deviation is not None:
            found.append(deviation)
        if len(found) == 2 or time.process_time() > (until if found else end):
            break
    return found


def _deviation(
    make: Make,
    whole: Whole,
    shared: bool,
    small: float,
    size: float,
    problem: Problem,
    result: Result,
    until: float,
    full: bool,
    solve: Solve,
) -> Deviation | None:
    made, falls = make(small)
    left = until - time.process_time()
    if made is None or left <= 0:
        return None
    ntraj = 0
    if result.ntraj:
        each = float(result.stats.get("run_time", 0.0)) / result.ntraj
        each *= small / size if length(made) else 1.0
        ntraj = int(min(MANY, 0.5 * left / max(each, 1e-9)))
        if ntraj < FEW and not full:
            return None
        ntraj = max(FEW, 1 << (ntraj.bit_length() - 1))
    key = json.dumps([made, problem.times.tolist(), result.dt, full], sort_keys=True, default=str)
    if shared and key in _answers:
        return replace(_answers[key], whole=size, falls=falls)
    try:
        model, parts, method = read_call(made)
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
        with within(np.inf, full, result.stats.get("lanes") if length(made) else None):
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
    found = Deviation(small, values, noise, scales, size, falls)
    if shared:
        while len(_answers) >= KEPT:
            _answers.pop(next(iter(_answers)))
        _answers[key] = found
    return found


def followed(found: list[Deviation], name: str, size: float) -> NDArray[np.float64]:
    """The deviation of an observable at a size in units of its scale, from smaller sizes.

    One of a method without sampling that misses most of an observable need not fall: mean field may
    stay where it starts at every size.
    """
    errors = [float(np.sqrt(np.mean(d.values[name] ** 2))) for d in found]
    noise = max(float(np.sqrt(np.mean(d.noise[name] ** 2))) for d in found)
    seen = errors if errors[0] > noise else errors[:1]
    error = widened(found[0].values[name])
    if not found[0].falls or (noise == 0 and error.max(initial=0.0) > MISSED):
        return error
    return error * fall([d.size for d in found], seen, size)


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
        power = float(np.clip(np.log(ratio) / np.log(found[0].size / found[1].size), 0.0, 2.0))
    return float(exact * (found[0].whole / found[0].size) ** power)


def fall(sizes: list[float], errors: list[float], size: float) -> float:
    """By how much an error at the first of two sizes falls up to ``size``.

    As a power of the size between 0 and 1, the one between both where each has an error. Between a
    few emitters and fewer the error may rise before it falls: there the power is at least 1/2. From
    a few quanta on there is no telling.
    """
    if sizes[0] < FEWEST:
        return 1.0
    power = POWER
    if len(errors) == 2 and min(errors) > 0:
        power = float(np.log(errors[1] / errors[0]) / np.log(sizes[0] / sizes[1]))
    least = 0.0 if sizes[0] >= TRUSTED else LEAST
    return float((sizes[0] / size) ** np.clip(power, least, POWER))
