"""Choice of the step: a pilot run at a step and at half of it, from coarse to fine.

The pilot's coarse noise is the sum of its fine noise, so the difference of the two runs is the step
error almost free of sampling error. Coarse steps are cheap to try, and their error is large enough
to be seen; from two that are seen the order follows, and with it the error of finer steps whose
difference drowns in sampling error. The first step is taken whose error, so bounded, stays below a
fraction of the standard error that the run will reach (or below what ``tol`` allows).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels.cpu import Chunks, CpuKernel
from ..kernels.module import MAX_STEPS, Grid, KernelText
from .bounds import guess, varying
from .schedule import LEAST, Schedule
from .statistics import BATCHES

COARSEST = 32  # times the first guess, where the search begins
BELOW = 0.4  # accepted step error, of the standard error that the run will reach
BELOW_FEW = 0.8  # where steps cost more than trajectories: guided sampling
LARGEST, SMALLEST = 4e-3, 2e-5  # and of the observable's largest root mean square
WITHOUT_NOISE = 2e-4  # accepted there, of the largest value
SIGNIFICANT = 4.0  # sampling errors of the pilot that a difference must exceed to count
SURE = 2.0  # sampling errors that are added to a difference to bound it
PILOT_CHUNKS = 4  # at least, per run
PILOT_WORK = 4_000_000  # steps times trajectories times variables of a pilot run, about
PILOT_SHARE = 0.02  # of the trajectories of the run, where that is more
MAX_PILOT, FEW = 2**16, 2**11  # trajectories of a pilot run; where the run takes few itself
MAX_WORK, LOOK = 2**32, 2**26  # steps times trajectories times variables; where only asked
PILOT_STEPS = 4000  # at most this many coarse steps in a pilot, from the second output on
FIRST_STEPS = 64_000  # and to the first
LEVELS = 18  # steps that are tried


class Columns(Protocol):
    """What the user sees, as real columns: how a step's error is judged."""

    def read(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (..., T, Q) from the means of all channels (..., T, K)."""

    def allowed(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """The standard error asked for, (Q,), infinite where none is; ``mean`` is (T, Q)."""

    def split(self, columns: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """By name, sizes of errors (T, Q)."""


class Channels:
    """The channels themselves."""

    def read(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``Columns``."""
        return means

    def allowed(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``Columns``."""
        return np.full(mean.shape[1], np.inf)

    def split(self, columns: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """See ``Columns``."""
        return {}


@dataclass(frozen=True)
class Wanted:
    """What is asked of the step of a run.

    Attributes:
        ntraj: trajectories of the run, at most.
        tol: accepted error, of the largest mean; None follows the standard error to be reached.
        columns: the observables.
        free: steps need not end at outputs.
        threads: of the pilot.
        watch: called before every pair with the seconds that compiling took; may give up.
        plain: the run takes plain trajectories, as many as its errors need.
        work: steps times trajectories times variables of one run of the pilot, at most.
    """

    ntraj: int
    tol: float | None = None
    columns: Columns = field(default_factory=Channels)
    free: bool = False
    threads: int = 1
    watch: Callable[[float], None] = lambda compiling: None
    plain: bool = True
    work: float = MAX_WORK


@dataclass
class StepChoice:
    """The step taken and how it was found."""

    dt: float
    note: str
    until: float  # the pilot's last time
    schedule: Schedule
    met: bool = True
    difference: float = 0.0  # of the pilot's runs, above its sampling error, of the largest rms
    sem: float = 0.0  # that sampling error
    errors: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    work: int = 0  # trajectories times steps
    needed: float = 0.0  # plain trajectories that the run will take
    compile_seconds: float = 0.0
    exact: bool = False


@dataclass
class Level:
    """A pilot at one step: differences of the means there and at half of it, (T, Q)."""

    h: float
    schedule: Schedule
    difference: NDArray[np.float64]
    error: NDArray[np.float64]
    allowed: NDArray[np.float64]  # (Q,)
    scale: NDArray[np.float64]  # (Q,)
    needed: float  # trajectories that the run will take
    stated: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def seen(self) -> bool:
        """Whether any difference stands out."""
        return bool(np.any(self.difference > SIGNIFICANT * self.error + 1e-12 * self.scale))

    @property
    def size(self) -> float:
        """The largest difference, of what is allowed."""
        return float((self.difference / self.allowed).max(initial=0.0))

    def ratio(self, error: NDArray[np.float64]) -> float:
        """The largest of errors, of what is allowed."""
        return float((error / self.allowed).max(initial=0.0))


def pilot_times(tlist: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
    """The first output times, so many that steps ``dt`` to them take no long time."""
    steps = np.cumsum(Grid.count(tlist, dt))
    if steps[-1] <= PILOT_STEPS:
        return tlist
    if steps[0] > FIRST_STEPS:
        return np.array([tlist[0], tlist[0] + FIRST_STEPS * dt])
    return tlist[: max(2, int(np.searchsorted(steps, PILOT_STEPS)) + 1)]


class Pilot:
    """Runs pairs of a step and its half."""

    def __init__(
        self,
        text: KernelText,
        tlist: NDArray[np.float64],
        seed: int,
        single: bool,
        start: NDArray[np.float64] | None,
        wanted: Wanted,
    ):
        self.text, self.tlist, self.seed, self.single = text, tlist, seed, single
        self.start, self.wanted = start, wanted
        self.needed = 0.0  # trajectories of the run, as far as is known
        self.work, self.compiling = 0, 0.0

    def level(self, h: float) -> Level | None:
        """The pair at step ``h``; None where a trajectory failed."""
        text = self.text
        self.wanted.watch(self.compiling)
        times = pilot_times(self.tlist, h)
        schedule = Schedule.make(times, h, self.wanted.free)
        coarse = Grid.make(schedule.nodes, h)
        fine, halves = halved(coarse), schedule
        if schedule.steps:
            halves = Schedule.of(times, 2 * schedule.steps)
            fine = Grid.make(halves.nodes, float(coarse.hs[0]) / 2)
        steps = int(fine.nsteps.sum())
        means, ntraj = [], 2
        for grid, plan, draws in zip(
            (coarse, fine), (schedule, halves), text.pilot_draws, strict=True
        ):
            out = self._run(grid, steps, draws)
            if out is None:
                return None
            ntraj, sums = out[0], plan.read(out[1], 0)
            means.append(np.moveaxis(sums, 1, 0) / (ntraj / BATCHES))
        return self._judged(float(coarse.hs.max()), schedule, means, ntraj)

    def _run(self, grid: Grid, steps: int, draws: tuple[int, int, int]) -> tuple[int, Any] | None:
        """Trajectories, and sums of every batch (R, 32, K); None where one failed."""
        text = self.text
        every = np.arange(text.channels)
        kernel = CpuKernel(text, grid, single=self.single, batched=every, start=self.start)
        self.compiling += kernel.compile_seconds
        chunks = 1
        if text.system.noise:
            one = kernel.lanes * steps * text.layout.state_slots
            most = MAX_PILOT if self.wanted.plain else FEW
            share = (
                min(PILOT_SHARE * self.needed, most, kernel.lanes * self.wanted.work / one)
                / kernel.lanes
            )
            chunks = int(max(PILOT_CHUNKS, min(PILOT_WORK / one, 2**14 / kernel.lanes), share))
        ntraj = chunks * kernel.lanes
        workers = min(self.wanted.threads, chunks)
        edges = np.linspace(0, chunks, 4 * workers + 1 if workers > 1 else 2).astype(int)
        pairs = [(a, b - a) for a, b in itertools.pairwise(edges.tolist()) if b > a]

        def some(pair: tuple[int, int]) -> Chunks:
            return kernel.simulate(pair[0], pair[1], ntraj, self.seed, draws=draws)

        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(some, pairs))
        self.work += ntraj * int(grid.nsteps.sum())
        if not all(np.all(p.count == kernel.lanes) for p in parts):
            return None
        return ntraj, sum(p.batch_sum.sum(axis=0) for p in parts)

    def _judged(
        self, h: float, schedule: Schedule, means: list[NDArray[np.float64]], ntraj: int
    ) -> Level:
        """Differences with jackknife errors over 32 batches, and what is allowed."""
        read, wanted = self.wanted.columns.read, self.wanted
        noisy = self.text.system.noise
        whole = [read(m.mean(axis=0)) for m in means]
        less = [read((m.sum(axis=0) - m) / (BATCHES - 1)) for m in means]
        factor = np.sqrt(BATCHES - 1.0) if noisy else 0.0
        error = factor * (less[0] - less[1]).std(axis=0)
        spread = factor * less[1].std(axis=0).max(axis=0, initial=0.0)
        size = np.abs(whole[1]).max(axis=0, initial=0.0)
        scale = np.hypot(size, spread * np.sqrt(ntraj))
        scale = np.where(scale > 0, scale, 1.0)
        asked = wanted.columns.allowed(whole[1])
        reached = spread * np.sqrt(ntraj / wanted.ntraj)
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.nan_to_num(ntraj * (spread / asked) ** 2)
        some = bool(np.isfinite(asked).any())
        self.needed = min(wanted.ntraj, float(needed.max(initial=0.0)) if some else wanted.ntraj)
        if wanted.tol is not None:
            allowed = np.maximum(wanted.tol * size, 1e-7 * scale)
        elif not noisy:
            allowed = WITHOUT_NOISE * scale
        else:
            sem = np.where(np.isfinite(asked), np.maximum(asked, reached), reached)
            below = BELOW if wanted.plain else BELOW_FEW
            allowed = np.clip(below * sem, SMALLEST * scale, LARGEST * scale)
        difference = np.abs(whole[0] - whole[1])
        return Level(h, schedule, difference, error, allowed, scale, self.needed)


def choose(
    text: KernelText,
    tlist: NDArray[np.float64],
    seed: int,
    single: bool,
    start: NDArray[np.float64] | None = None,
    wanted: Wanted | None = None,
) -> StepChoice:
    """The largest step whose error is small enough, see the module's docstring.

    ``start`` are the states from which trajectories start, None the model's initial ones.
    """
    system = text.system
    wanted = wanted or Wanted(1000)
    first = min(guess(system, tlist), varying(system, tlist))
    rotors = any(step.rotor for step in system.local)
    jumps = system.channels or system.member_channels or system.diffusions
    moved = bool(jumps or system.hamiltonian or system.explicit)
    if not (moved or rotors or system.coefficients()):
        note = "all of it is stepped exactly"
        return StepChoice(first, note, float(tlist[-1]), Schedule(tlist, tlist), exact=True)
    if system.coefficients() or system.explicit:
        wanted = replace(wanted, free=False)
    longest = float(np.diff(tlist).max())
    if wanted.free:
        longest = max(longest, float(tlist[-1] - tlist[0]) / LEAST)
    h = first
    if not system.explicit:  # those may fail in ways that a pilot does not see
        h = max(first, min(COARSEST * first, longest, varying(system, tlist)))
    pilot = Pilot(text, tlist, seed, single, start, wanted)
    return _search(pilot, h, first)


def _search(pilot: Pilot, h: float, first: float) -> StepChoice:
    """From coarse to fine until a step passes; ``first`` is what the model's rates suggest."""
    before: Level | None = None
    waiting: tuple[Level, float] | None = None  # the coarsest, if it passed at once
    order: float | None = None
    for _ in range(LEVELS):
        level = pilot.level(h)
        jump = 1
        if level is None:
            before, order = None, None
        else:
            if before is not None and before.seen and level.seen and level.size > 0:
                found = np.log(before.size / level.size) / np.log(before.h / level.h)
                order = float(min(found, 2.0)) if found > 0.8 else None
            halving = 2.0 ** (order if order is not None else 1.0)
            level.stated = (level.difference + SURE * level.error) * halving / (halving - 1)
            if before is not None and order is not None:
                fallen = before.stated.max(axis=0) * (level.h / before.h) ** order
                if level.ratio(fallen) < level.ratio(level.stated):
                    level.stated = np.broadcast_to(fallen, level.stated.shape)
            ratio = level.ratio(level.stated)
            if waiting is not None:
                if ratio <= 1:
                    return _choice(pilot, waiting[0], True)
                waiting = None
            elif ratio <= 1:
                if before is not None or h <= first:
                    return _choice(pilot, level, True)
                waiting = level, ratio
            if h <= first and not level.seen:
                return _choice(pilot, level, True)
            h = level.h
            if level.seen and np.isfinite(ratio) and order is not None and h <= first:
                jump = int(np.clip(np.floor(np.log2(ratio) / 2), 1, 3))
            before = level
        finer = h / 2.0**jump
        if np.sum(Grid.count(pilot.tlist, finer)) > MAX_STEPS:
            break
        h = finer
    if before is None:
        note = "no step was found at which no trajectory failed"
        until, schedule = float(pilot.tlist[-1]), Schedule(pilot.tlist, pilot.tlist)
        return StepChoice(
            h, note, until, schedule, False, work=pilot.work, compile_seconds=pilot.compiling
        )
    return _choice(pilot, before, False)


def _choice(pilot: Pilot, level: Level, met: bool) -> StepChoice:
    """The choice of a level."""
    until, tlist = float(level.schedule.times[-1]), pilot.tlist
    note = "the longest step whose error stays below the sampling error, by a pilot"
    if pilot.wanted.tol is not None:
        note = "the longest step whose error stays below `tol`, by a pilot"
    errors: Mapping[str, NDArray[np.float64]] = {}
    if level.stated.size:
        missing = tlist.size - len(level.stated)
        last = level.stated.max(axis=0)
        if pilot.text.system.coefficients():  # what they do later, the pilot has not seen
            last = np.full_like(last, np.nan)
        rest = np.broadcast_to(last, (max(0, missing), level.stated.shape[1]))
        stated = np.concatenate([level.stated, rest])[: tlist.size]
        errors = pilot.wanted.columns.split(stated)
    if not met:
        note = "no step was found whose error is small enough"
    excess = np.maximum(level.difference - SIGNIFICANT * level.error, 0.0) / level.scale
    return StepChoice(
        level.h,
        note,
        until,
        Schedule.make(tlist, level.h, pilot.wanted.free),
        met,
        float(excess.max(initial=0.0)),
        float((level.error / level.scale).max(initial=0.0)),
        errors,
        pilot.work,
        pilot.needed,
        pilot.compiling,
    )


def halved(grid: Grid) -> Grid:
    """The grid with every step cut into two."""
    lengths = np.repeat(grid.lengths / 2, 2)
    times = np.repeat(grid.times, 2)
    times[1::2] += lengths[1::2]
    return Grid(grid.nsteps * 2, grid.hs / 2, times, lengths)
