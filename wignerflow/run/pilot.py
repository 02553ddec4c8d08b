"""Pairs of runs at a step and at half of it, from which the error of the step is seen.

The pilot's coarse noise is the sum of its fine noise, so the difference of the two runs is the step
error almost free of sampling error.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..estimate import together
from ..kernels.cpu import Chunks, CpuKernel
from ..kernels.grid import Grid, Schedule
from ..kernels.module import KernelText
from ..phasespace.system import SMALL_NOISE
from .statistics import BATCHES

BELOW = 0.4  # accepted step error, of the standard error that the run will reach
BELOW_FEW = 0.8  # where steps cost more than trajectories: guided sampling
LARGEST, SMALLEST = 4e-3, 2e-5  # and of the observable's largest root mean square
WITHOUT_NOISE = 2e-4  # accepted there, of the largest value
FLOOR = 0.01  # accepted error of every mean that observables are made of, of its root mean square
SIGNIFICANT = 4.0  # sampling errors of the pilot that a difference must exceed to count
SURE = 2.0  # sampling errors that are added to a difference to bound it
PILOT_CHUNKS = 4  # at least, per run, where that is not
DEAR = 2e8  # steps times trajectories times variables: a second or so
PILOT_WORK = 4_000_000  # steps times trajectories times variables of a pilot run, about
PILOT_WORK_FEW = 1_000_000  # where the run takes few trajectories itself
PILOT_SHARE = 0.02  # of the trajectories of the run, where that is more
MAX_PILOT, FEW = 2**16, 2**11  # trajectories of a pilot run; where the run takes few itself
MAX_WORK, LOOK = 2**32, 2**26  # steps times trajectories times variables; where only asked
PILOT_STEPS = 4000  # at most this many coarse steps in a pilot, from the second output on
FIRST_STEPS = 64_000  # and to the first


class Columns(Protocol):
    """What the user sees, as real columns: how a step's error is judged."""

    #: Whether a standard error is asked for.
    asks: bool

    def read(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (..., T, Q) from the means of all channels (..., T, K)."""

    def allowed(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """The standard error asked for, (Q,), infinite where none is; ``mean`` is (T, Q)."""

    def split(self, columns: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """By name, sizes of errors (T, Q)."""


class Channels:
    """The channels themselves."""

    asks = False

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
        watch: called meanwhile with the seconds that compiling took; may give up.
        plain: the run takes plain trajectories, as many as its errors need.
        work: steps times trajectories times variables of one run of the pilot, at most.
        schemes: another scheme may be taken, where it is cheaper.
    """

    ntraj: int
    tol: float | None = None
    columns: Columns = field(default_factory=Channels)
    free: bool = False
    threads: int = 1
    watch: Callable[[float], None] = lambda compiling: None
    plain: bool = True
    work: float = MAX_WORK
    schemes: bool = False


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
    rough: float = 0.0  # largest error of the means that observables are made of, of ``FLOOR``
    stated: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    #: Whether any difference stands out.
    seen: bool = field(init=False)
    #: The largest difference, of what is allowed; with its sampling error; as it is stated.
    size: float = field(init=False)
    bounded: float = field(init=False)
    over: float = field(init=False)

    def __post_init__(self) -> None:
        noise = SIGNIFICANT * self.error + 1e-12 * self.scale
        self.seen = bool(np.any(self.difference > noise))
        self.size = self.ratio(self.difference)
        self.bounded = self.ratio(self.difference + SURE * self.error)
        self.state(self.stated)

    def state(self, error: NDArray[np.float64]) -> None:
        """Take this for the error of the step, (T, Q) or empty."""
        self.stated = error
        self.over = self.ratio(error) if error.size else 0.0

    def state_least(self, known: NDArray[np.float64], sure: NDArray[np.float64]) -> None:
        """Take errors (Q,) that are known otherwise, where they are less than what is stated.

        They must not be less than what differences say for sure.
        """
        if self.ratio(sure) <= self.ratio(known) < self.over:
            self.state(np.broadcast_to(known, self.stated.shape))

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

    #: Whether errors follow a power of the step between those that were tried.
    powers = True

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
        self.last: tuple[Grid | None, Any] = None, None  # and its kernel
        small = text.system.scheme == SMALL_NOISE
        #: With which errors are taken to fall where that is not seen, at most, and may fall.
        self.orders = (2.0, 3.0, 4.0) if small else (1.0, 2.0, 2.0)

    def level(self, h: float) -> Level | None:
        """The pair at step ``h``; None where a trajectory failed."""
        self.wanted.watch(self.compiling)
        schedule, h = self.plan(h)
        coarse = Grid.make(schedule.nodes, h)
        if schedule.steps:
            halves = Schedule.of(schedule.times, 2 * schedule.steps)
            fine = Grid.make(halves.nodes, float(coarse.hs[0]) / 2)
        else:
            fine, halves = halved(coarse), schedule
        steps = int(fine.nsteps.sum())
        pair = self._pair((coarse, fine), steps)
        if pair is None:
            return None
        means = [
            np.moveaxis(plan.read(sums, 0), 1, 0) / (ntraj / BATCHES)
            for plan, (ntraj, sums) in zip((schedule, halves), pair, strict=True)
        ]
        return self._judged(float(coarse.hs.max()), schedule, means, pair[0][0])

    def plan(self, h: float) -> tuple[Schedule, float]:
        """Records of a pilot with steps of at most ``h``, and the step."""
        return Schedule.make(pilot_times(self.tlist, h), h, self.wanted.free), h

    def _pair(
        self, grids: tuple[Grid, Grid], steps: int
    ) -> list[tuple[int, NDArray[np.float64]]] | None:
        """Trajectories and sums of every batch (R, 32, K) of both runs; None where one failed."""
        out = []
        for grid, draws in zip(grids, self.text.pilot_draws, strict=True):
            run = self._run(grid, steps, draws)
            if run is None:
                return None
            out.append(run)
        return out

    def _run(self, grid: Grid, steps: int, draws: tuple[int, int, int]) -> tuple[int, Any] | None:
        """Trajectories, and sums of every batch (R, 32, K); None where one failed."""
        text = self.text
        every, (last, kernel) = np.arange(text.channels), self.last
        # the fine run of a pair is on the grid of the next coarse one
        same = last is not None and np.array_equal(last.nsteps, grid.nsteps)
        if last is None or not same or not np.array_equal(last.hs, grid.hs):
            given: dict[str, Any] = {"single": self.single, "batched": every, "start": self.start}
            kernel = CpuKernel(text, grid, **given, like=kernel)
            self.compiling += kernel.compile_seconds
        self.last = grid, kernel
        chunks = 1
        if text.system.noise:
            one = kernel.lanes * steps * text.layout.state_slots
            most, work = MAX_PILOT, PILOT_WORK
            if not self.wanted.plain:
                most, work = FEW, PILOT_WORK_FEW
            allowed = min(most, kernel.lanes * self.wanted.work / one)
            share = min(PILOT_SHARE * self.needed, allowed) / kernel.lanes
            least = PILOT_CHUNKS if PILOT_CHUNKS * one <= DEAR else 1
            chunks = int(max(least, min(work / one, 2**14 / kernel.lanes), share))
        ntraj = chunks * kernel.lanes
        workers = min(self.wanted.threads, chunks)
        edges = np.linspace(0, chunks, 4 * workers + 1 if workers > 1 else 2).astype(int)
        pairs = [(a, b - a) for a, b in itertools.pairwise(edges.tolist()) if b > a]

        def some(pair: tuple[int, int]) -> Chunks:
            return kernel.simulate(pair[0], pair[1], ntraj, self.seed, draws=draws)

        parts = together(some, pairs, [kernel], workers, partial(self.wanted.watch, self.compiling))
        self.work += ntraj * int(grid.nsteps.sum()) * text.work
        if not all(np.all(p.count == kernel.lanes) for p in parts):
            return None
        return ntraj, sum(p.batch_sum.sum(axis=0) for p in parts)

    def _judged(
        self, h: float, schedule: Schedule, means: list[NDArray[np.float64]], ntraj: int
    ) -> Level:
        """Differences with jackknife errors over 32 batches, and what is allowed."""
        read, wanted = self.wanted.columns.read, self.wanted
        noisy = self.text.system.noise
        both = np.array(means)
        rest = (both.sum(axis=1, keepdims=True) - both) / (BATCHES - 1)
        values = read(np.concatenate([both.mean(axis=1, keepdims=True), rest], axis=1))
        whole, less = values[:, 0], values[:, 1:]
        factor = np.sqrt(BATCHES - 1.0) if noisy else 0.0
        error = factor * (less[0] - less[1]).std(axis=0)
        spread = factor * less[1].std(axis=0).max(axis=0, initial=0.0)
        size = np.abs(whole[1]).max(axis=0, initial=0.0)
        scale = np.hypot(size, spread * np.sqrt(ntraj))
        scale = np.where(scale > 0, scale, 1.0)
        asked: Any = wanted.columns.allowed(whole[1]) if wanted.columns.asks else np.inf
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
        rough = _rough(means, ntraj, noisy) / max(FLOOR, wanted.tol or 0.0)
        return Level(h, schedule, difference, error, allowed, scale, self.needed, rough)


def _rough(means: list[NDArray[np.float64]], ntraj: int, noisy: bool) -> float:
    """The largest difference of channels (32, T, K) that stands out, of their root mean squares.

    Functions of means may agree at two steps that are both far too long, and means seldom do.
    """
    error = np.sqrt((means[0] - means[1]).var(axis=0) / (BATCHES - 1)) if noisy else 0.0
    spread = np.sqrt(ntraj / BATCHES * means[1].var(axis=0).max(axis=0, initial=0.0))
    fine = means[1].mean(axis=0)
    scale = np.hypot(np.abs(fine).max(axis=0, initial=0.0), spread)
    excess = np.abs(means[0].mean(axis=0) - fine) - SIGNIFICANT * error
    return float((excess / np.where(scale > 0, scale, 1.0)).max(initial=0.0))


def halved(grid: Grid) -> Grid:
    """The grid with every step cut into two."""
    lengths = np.repeat(grid.lengths / 2, 2)
    times = np.repeat(grid.times, 2)
    times[1::2] += lengths[1::2]
    return Grid(grid.nsteps * 2, grid.hs / 2, times, lengths)
