"""What a method is off by at smaller sizes of a model, whose exact solutions are quick.

One loop serves means over time, steady states and correlations: ``deviations``. Models are made
smaller by ``smaller``: in N, lengths, quanta, or members of arrays.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy
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
from ..phasespace.system import SMALL_NOISE
from ..result import Result
from ..result.accuracy import UNSEEN, Errors, apart, scale
from ..run.automatic import density_elements
from .problem import (
    LONG,
    Problem,
    few_quanta,
    gather,
    has_smaller,
    length,
    members,
    read_problem,
    size_of,
    too_large,
)
from .provenance import NotPlain, read_call, write_call
from .smaller import Shorter, Whole, parted, shrunk

FIRST = 0.8  # of the time that is left is for the way, or the size, that comes next
SIZES = (24, 16, 12, 8, 6, 4, 3, 2)  # emitters or quanta of a smaller one
APART = 1.6  # two of them, at least
FRACTIONS = (0.5, 0.25)  # likewise, of modes that hold few quanta
MEMBERS = (6, 5, 4, 3, 2)  # of an array that is made shorter
FEW, MANY = 512, 20_000  # trajectories of a smaller model
PER_ELEMENT = 2e-5  # seconds per element of a density matrix to set its equations up, about
SHORTER = 4.0  # steps of a smaller model, than those of a run by the scheme for small noise
SAMPLES = 801  # of a coefficient of time
RTOL = 1e-6
#: References: density matrices, p(J, M) of ensembles, higher orders.
DENSE, POPULATED, ORDERS = REFERENCES = ("density matrices", "populations", "orders")
STARTS = "classical trajectories"

Solve = Callable[..., Result]


@dataclass(frozen=True)
class Smaller:
    """A model of a smaller size.

    Attributes:
        call: model, observables and method, as plain data.
        size, whole: its size, and that of the model itself.
        falls: deviations fall up to it.
        shorter: of an array with fewer members.
    """

    call: dict[str, Any]
    size: float
    whole: float
    falls: bool
    shorter: bool


@dataclass(frozen=True)
class Deviation:
    """What a method is off by at a smaller size, in units of the scale there, by name.

    ``scales``: of the exact values and of the method's there.
    """

    at: Smaller
    values: Errors
    noise: Errors = field(default_factory=dict)
    scales: dict[str, tuple[float, float]] = field(default_factory=dict)


def deviations(
    model: Model,
    named: Mapping[str, Any],
    method: Method,
    times: NDArray[np.float64],
    until: float,
    judged: Callable[[Smaller, float], Deviation | None],
    known: Iterable[Deviation] = (),
) -> list[Deviation]:
    """Deviations at up to two smaller sizes, the larger first.

    Args:
        model, named, method: whose.
        times: where callable coefficients are tabulated.
        until: when to stop (``time.process_time``).
        judged: the deviation at a size, found until then; None where it cannot be had.
        known: found before.
    """
    now = time.process_time()
    end = now + FIRST * (until - now)
    found = list(known)
    with contextlib.suppress(NotPlain):
        for small in _made(model, named, method, times):
            if found and small.size > found[0].at.size / APART:
                continue
            if len(found) == 2 or time.process_time() > end:
                break
            deviation = judged(small, end)
            if deviation is not None:
                found.append(deviation)
                end = until
    return found


def _made(
    model: Model, named: Mapping[str, Any], method: Method, times: NDArray[np.float64]
) -> Iterator[Smaller]:
    """Smaller models, the largest first."""
    if not has_smaller(model):
        return
    many = length(model)
    if many > LONG:
        call = write_call(model, named, method, times)
        for m in MEMBERS:
            try:
                made = Shorter(call, many, m)
            except (KeyError, ValueError):  # products of pairs as observables, rings of two
                continue
            yield Smaller(made.call, float(m), float(many), made.wide, True)
        return
    size = size_of(model)
    for some in sizes_below(model, size):
        smaller = shrunk(model, named, method, times, some / (size or 1.0))
        if smaller is not None:
            yield Smaller(smaller, some, size or 1.0, True, False)


def sizes_below(model: Model, size: float) -> list[float]:
    """Sizes of smaller models, largest first: of modes alone any, in units of 1 from the vacuum."""
    if few_quanta(model):
        return [f * (size or 1.0) for f in FRACTIONS]
    return [float(s) for s in SIZES if s < size]


# ---------------------------------------------------------------- means over time


def evidence(
    problem: Problem,
    method: Method,
    result: Result,
    until: float,
    full: bool,
    solve: Solve,
    known: list[Deviation],
) -> list[Deviation]:
    """Deviations at up to two smaller sizes, the larger first; ``known`` from an earlier call."""
    times = problem.times
    dense = np.union1d(times, np.linspace(times[0], times[-1], SAMPLES))
    named, whole = parted(problem.named)
    if getattr(method, "scheme", "") == SMALL_NOISE:  # which it is not in a smaller model
        method = copy.copy(method)
        method.scheme = "auto"  # type: ignore[attr-defined]

    def judged(small: Smaller, end: float) -> Deviation | None:
        return _deviation(small, whole, problem, result, end, full, solve)

    return deviations(problem.model, named, method, dense, until, judged, known)


def _deviation(
    small: Smaller,
    whole: Whole,
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
    try:
        model, parts, method = read_call(small.call)
        ops = whole(parts)
        if populations.refuses(model) is not None:
            if density_elements(model, guess=True) * PER_ELEMENT > left / 2:
                return None
        exact = exact_means(read_problem(model, problem.times, ops), until, full)
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
    return Deviation(replace(small, call={}), values, noise, scales)


# ---------------------------------------------------------------- exact solutions


def load(*references: str) -> None:
    """Load references and compile their loops: once, and not in the time of an estimate."""
    for reference in references:
        _load(reference)


def load_for(model: Model) -> None:
    """The same for what solves a model."""
    load(POPULATED if populations.refuses(model) is None else DENSE)


@functools.cache
def _load(reference: str) -> None:
    mode, atoms = Mode(name="m", cutoff=2), Ensemble(2, name="atoms")
    lossy = Model(mode.n, [Jump(mode.a, 1.0)], initial={mode: vacuum})
    pumped = Model(jumps=[Jump(atoms.Jm, 1.0), LocalJump(atoms.sp, 1.0)], initial={atoms: up})
    if reference == DENSE:
        Exact().solve(lossy, [0.0, 1.0], {"n": mode.n})
    elif reference == POPULATED:
        Exact().solve(pumped, [0.0, 1.0], {"z": atoms.Jz})
    elif reference == STARTS:
        scipy.integrate.solve_ivp(lambda _, y: -y, (0.0, 1.0), [1.0], "LSODA")
    else:
        Cumulant(3).solve(pumped, [0.0, 1.0], {"z": atoms.Jz})


def exact_means(problem: Problem, until: float, full: bool) -> dict[str, NDArray] | None:
    """Means of the exact solution, None where it takes too long."""
    if too_large(problem.model, until - time.process_time()):
        return None
    load_for(problem.model)  # a smaller model may ask another one
    left = until - time.process_time()
    if populations.refuses(problem.model) is not None:
        if density_elements(problem.model, guess=True) * PER_ELEMENT > left:
            return None
    return solved(problem, Exact(rtol=RTOL), until, full)


def solved(problem: Problem, method: Any, until: float, full: bool) -> dict[str, NDArray] | None:
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
