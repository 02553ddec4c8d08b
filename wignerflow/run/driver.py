"""Runs trajectories: chunks on threads or a cluster, sums in order, stopping rules, checkpoints.

A chunk is a fixed set of trajectories. Workers return sums chunk by chunk, and here they are added
strictly in order, so the result has the same bits whatever the threads, the grouping of chunks into
tasks, the workers and the interruptions. Targets are looked at after fixed numbers of chunks.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..estimate import out_of_time
from ..kernels.cpu import Chunks, CpuKernel
from ..kernels.grid import Grid
from ..kernels.kernel import Kernel
from ..kernels.module import KernelText
from .delays import delayed_step
from .interrupts import Interrupts
from .pilot import Wanted
from .pool import Pool, PoolLost, Threads, available_threads
from .schedule import Schedule
from .statistics import Samples
from .stepsize import choose
from .stopping import MIN_CHUNKS_FOR_TARGET, next_check, next_digest
from .units import Units

PILOT_SEED = 0x5EED  # of every pilot: the step follows from what is asked, not from the seed
POLL = 0.2  # seconds between looks at the clock and at Ctrl-C


@dataclass
class State:
    """All that finished chunks leave behind: a run continues from it as if never interrupted."""

    samples: Samples
    done: int = 0  # chunks
    clips: float = 0.0
    short: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    #: Digests of the sums after 1, 4, 16, ... chunks, by that number: what ``verify`` compares.
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Every:
    """How often a checkpoint is written: after so many seconds, or so many chunks."""

    seconds: float | None = 60.0
    chunks: int | None = None


class Keeper(Protocol):
    """Keeps the state of a run on disk."""

    every: Every

    def open(self, kernel: Kernel, dt: float, stats: dict[str, Any], target: str) -> State | None:
        """The state to continue from, or None; refuses what belongs to another run."""

    def save(self, state: State) -> None:
        """Write the state, whole or not at all."""

    def close(self) -> None:
        """Let others write there."""


@dataclass
class Request:
    """What to run and when to stop."""

    ntraj: int
    seed: int
    single: bool
    threads: int | None = None
    timeout: float | None = None
    dt: float | None = None
    #: What is asked of the step where ``dt`` is None; by default of the channels.
    wanted: Wanted | None = None
    #: Called with the sums so far; True once the target standard error is met.
    reached: Callable[[Samples], bool] | None = None
    progress: Callable[[int, Samples], None] | None = None
    #: Keep every trajectory's state at the last time.
    keep: bool = False
    keeper: Keeper | None = None
    #: When the clock of ``timeout`` began (``time.perf_counter``).
    start: float = field(default_factory=time.perf_counter)
    #: Called with the kernel and the number of chunks: a pool of workers elsewhere.
    pool: Callable[[Any, int], Pool] | None = None
    #: States (samples, variables) where trajectories start; None draws the model's own.
    initial: NDArray[np.float64] | None = None
    #: Makes the kernel, in place of ``CpuKernel``.
    kernel: Callable[..., Kernel] = CpuKernel

    def watch(self, compiling: float, done: str = "preparing it and its pilots") -> None:
        """Give up before any trajectory: ``compiling`` seconds do not count.

        Raises:
            TimeoutError: the time is up.
        """
        out_of_time(self.start + compiling, self.timeout, done)


@dataclass(frozen=True)
class Prepared:
    """The step of a run, and what its pilot found.

    Attributes:
        step: the largest.
        even: number of even steps between which outputs are interpolated; 0: they fall on steps.
        scheme: by which a step is made; "" for that of the text.
        stats: facts on the pilot.
        errors: by name of observable, the error of the step as estimated, (T,) or (T, V).
        exact: a step of any length makes none.
    """

    step: float
    even: int = 0
    scheme: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    exact: bool = False


@dataclass
class Outcome:
    """Sums and facts of a run."""

    samples: Samples
    dt: float
    stats: dict[str, Any] = field(default_factory=dict)
    #: Final states (trajectories, variables), in the order of ``Layout``, if asked for.
    final: NDArray[np.float64] | None = None
    #: What was asked of the step; ``dt`` is the largest taken.
    prepared: Prepared = field(default_factory=lambda: Prepared(0.0))


def prepare(text: KernelText, tlist: NDArray[np.float64], request: Request) -> Prepared:
    """The step of a run, and what its pilot found."""
    linked, dt = text.links.active, request.dt
    if linked and (dt is not None or request.initial is not None):
        step, even, where = delayed_step(text, tlist, dt)
        how = "step from the rates and delays of links, not checked"
        if dt is not None:
            how = "as given" if step > 0.999 * dt else f"lowered from {dt:g}"
        return Prepared(step, even, stats={"step_choice": f"{how}; {where}"})
    if dt is not None:
        return Prepared(dt)
    start = time.perf_counter()
    initial = request.initial
    if initial is not None:  # the others failed
        initial = initial[np.isfinite(initial).all(axis=1)]
    threads = request.threads or available_threads()
    wanted = request.wanted or Wanted(request.ntraj)
    what = "preparing it and the pilot of its step"
    watch = partial(request.watch, done=what)
    wanted = replace(wanted, threads=threads, watch=watch)
    choice = choose(text, tlist, PILOT_SEED, request.single, initial, wanted)
    stats: dict[str, Any] = {
        "pilot_time": time.perf_counter() - start - choice.compile_seconds,
        "pilot_work": choice.work,
        "pilot_needed": choice.needed,
        "compile_time": choice.compile_seconds,
        "step_difference": choice.difference,
        "step_difference_sem": choice.sem,
        "step_met": choice.met,
        "step_checked_until": choice.until,
        "step_choice": choice.note,
    }
    step, even = choice.dt, choice.schedule.steps
    if linked:
        step, even, where = delayed_step(text, tlist, step)
        stats["step_choice"] += f"; {where}"
    return Prepared(step, even, choice.scheme, stats, dict(choice.errors), choice.exact)


def simulate(
    text: KernelText,
    tlist: NDArray[np.float64],
    batched: NDArray[np.int64],
    request: Request,
    prepared: Prepared | None = None,
) -> Outcome:
    """Run trajectories until ``ntraj``, the target, the timeout or an interrupt."""
    start = request.start
    stats: dict[str, Any] = {"warnings": []}
    if prepared is None:
        prepared = prepare(text, tlist, request)
    text = text.by(prepared.scheme)
    dt, pilot = prepared.step, prepared.stats
    stats.update(pilot)
    schedule = Schedule.of(tlist, prepared.even)
    grid = Grid.make(schedule.nodes, dt)
    given = {} if request.initial is None else {"start": request.initial}
    kernel = request.kernel(text, grid, single=request.single, batched=batched, **given)
    stats.update(
        steps=int(grid.nsteps.sum()),
        steps_per_trajectory=int(grid.nsteps.sum()),
        compile_time=pilot.get("compile_time", 0.0) + kernel.compile_seconds,
        preparation_time=time.perf_counter() - start,
        precision="single" if request.single else "double",
        lanes=kernel.lanes,
        scheme=text.system.scheme,
    )
    clock = start + stats["compile_time"]  # of ``timeout``
    piloted = (
        f", of that {pilot['pilot_time']:.3g} s into its pilot" if "pilot_time" in pilot else ""
    )
    request.watch(stats["compile_time"], f"preparing it{piloted}")
    with Interrupts(terminate=request.keeper is not None) as interrupts:
        run = _Run(kernel, text, request, interrupts, batched, schedule)
        interrupts.armed = True
        stats["target"], stats["device"] = run.pool.target, run.pool.device
        try:
            state = None
            if request.keeper is not None:
                state = request.keeper.open(kernel, dt, stats, run.pool.target)
            if state is not None:
                stats["resumed"] = state.samples.ntraj
                run.state = state
            run.loop(clock)
        finally:
            run.close()
    if run.lost:
        stats["warnings"].append(f"{run.lost} What was finished is here.")
    samples, fresh = run.state.samples, run.state.samples.ntraj - stats.get("resumed", 0)
    stats.update(
        stopped_because=run.stopped,
        failed=samples.failed,
        threads=run.workers,
        run_time=run.seconds,
        wall_time=time.perf_counter() - start,
        chunks=run.state.done,
        digests=run.state.digests,
        work=samples.ntraj * stats["steps"] * text.work + pilot.get("pilot_work", 0),
        ns_per_trajectory_step=1e9 * run.seconds * run.workers / max(1, fresh * stats["steps"]),
    )
    locals_ = (
        samples.ntraj
        * (stats["steps"] * text.work + grid.nsteps.size)
        * sum(text.system.blocks[s.block].size for s in text.system.local)
    )
    locals_ += samples.ntraj * stats["steps"] * text.roots
    if locals_:
        stats["clipped"] = run.state.clips / locals_
    if text.measures_length:
        length = run.state.short / np.maximum(samples.count, 1)
        stats["length_drift"] = float(np.abs(length / length[0] - 1).max())
    elif text.diagnostic:
        stats["short_spins"] = float(np.max(run.state.short / np.maximum(samples.count, 1)))
    final = None
    if request.keep:
        final = np.concatenate(run.final)[: samples.ntraj].astype(float)
    return Outcome(schedule.outputs(samples), float(grid.hs.max()), stats, final, prepared)


class _Run:
    """One run's moving parts."""

    def __init__(
        self,
        kernel: Kernel,
        text: KernelText,
        request: Request,
        interrupts: Interrupts,
        batched: NDArray[np.int64],
        schedule: Schedule,
    ):
        self.schedule, times = schedule, schedule.nodes.size
        self.kernel, self.text, self.request = kernel, text, request
        self.interrupts = interrupts
        self.chunks = -(-request.ntraj // kernel.lanes)
        self.units = Units.of(kernel, self.chunks)
        self.state = State(Samples.empty(times, text.channels, batched), short=np.zeros(times))
        self.state.samples.nets = kernel.nets
        self.pool: Pool
        if request.pool is None:
            self.pool = Threads(kernel, min(request.threads or available_threads(), self.chunks))
        else:
            self.pool = request.pool(kernel, self.chunks)
        self.workers = self.pool.workers
        self.pending: list[tuple[int, Any]] = []
        self.final: list[NDArray[Any]] = []
        self.stopped = "ntraj"
        self.lost = ""  # why workers are gone
        self.seconds = 0.0
        self.saved = 0
        self.begin = 0.0
        self.absorbing = False

    def close(self) -> None:
        self.kernel.stop()  # if anything is under way still, nobody wants it
        self.pool.close([task for _, task in self.pending])

    def _task_units(self, chunk_seconds: float) -> int:
        """Portions in a task: enough to be worth one, not so many that workers idle at the end."""
        times = self.state.samples.count.size
        each = 8 * times * (2 * self.text.channels_total + 40 + 32 * self.kernel.batched.size)
        portion = chunk_seconds * self.units.largest
        by_time = int(self.pool.task_seconds / max(portion, 1e-9))
        share = -(-self.units.count // (4 * self.workers))
        fitting = max(1, min(self.pool.most, self.pool.task_bytes // each))
        return min(fitting, max(self.pool.least, min(by_time, share)))

    def _absorb(self, out: Chunks, first: int, stop: int) -> None:
        """Add portions ``first`` to ``stop`` of a task, in order: grouping changes no bit."""
        state, K, lanes = self.state, self.text.channels, self.kernel.lanes
        some, unit = slice(first, stop), self.units.at(state.done)
        done = self.units.start(unit + stop - first)
        self.absorbing = True
        started = min(self.request.ntraj, done * lanes) - state.done * lanes
        state.samples.absorb(
            out.count[some],
            out.mean[some, :, :K],
            out.m2[some, :, :K],
            out.batch_sum[some],
            out.batch_count[some],
            ntraj=started,
        )
        if self.text.diagnostic:
            for part in out.mean[some, :, K] * out.count[some]:
                state.short += part
        for clips in out.clips[some].tolist():
            state.clips += clips
        state.done = done
        self.absorbing = False
        if started % lanes == 0 and done == next_digest(done):
            state.digests[str(done)] = state.samples.digest()

    def save(self) -> None:
        """Keep what was done so far, unless it ends within a portion of a longer run."""
        keeper, done = self.request.keeper, self.state.done
        if keeper is not None and done > self.saved and self.units.whole(done):
            if self.state.samples.ntraj == done * self.kernel.lanes:
                keeper.save(self.state)
                self.saved = done

    def _check_due(self) -> bool:
        """Whether targets are looked at now: after the first portion that reaches a check."""
        done = self.state.done
        before = self.units.start(self.units.at(done) - 1)
        return done >= MIN_CHUNKS_FOR_TARGET and next_check(before) <= done

    def _reached(self) -> bool:
        reached, samples = self.request.reached, self.state.samples
        return bool(reached and self._check_due() and reached(self.schedule.outputs(samples)))

    def loop(self, start: float) -> None:
        """Submit tasks, absorb their sums in order, stop when a rule says so."""
        self.saved = done = self.state.done
        self.begin = self.last = time.perf_counter()
        try:
            if done and self._reached():
                self.stopped = "target_sem"
            else:
                self._loop(start)
        except PoolLost as error:
            if self.state.done == 0:
                raise
            self.stopped, self.lost = "cluster lost", str(error)
        except KeyboardInterrupt:
            self.stopped = "interrupted"
            if self.state.done == 0 or self.interrupts.insisted or self.absorbing:
                raise
        finally:
            self.seconds = time.perf_counter() - self.begin
        self.save()

    def _loop(self, start: float) -> None:
        state, units, size = self.state, self.units, self.pool.least
        following = units.at(state.done)
        while state.done < self.chunks:
            while len(self.pending) < 2 * self.workers and following < units.count:
                n = min(size, units.count - following)
                sizes, request = units.sizes(following, n), self.request
                chunk = units.start(following)
                task = self.pool.submit(chunk, sizes, request.ntraj, request.seed, request.keep)
                self.pending.append((n, task))
                following += n
            n, task = self.pending[0]
            try:
                out = self.pool.wait(task, POLL)
            except PoolLost:
                raise
            except Exception:
                with contextlib.suppress(OSError):
                    self.save()
                raise
            if out is not None:
                self.pending.pop(0)
                if self.request.keep:
                    self.final += [final.T for final in out.final]
                u, before = 0, state.done
                while u < n:
                    if units.at(state.done) == units.count - 1:
                        self.save()  # the last portion may be cut off
                    stop = u + self._until_event(n - u)
                    self._absorb(out, u, stop)
                    u = stop
                    if state.done < self.chunks and self._reached():
                        self.stopped = "target_sem"
                        return
                self.workers = self.pool.workers
                size = self._task_units(out.seconds / (state.done - before))
                if self.request.progress is not None:
                    self.request.progress(state.samples.ntraj, state.samples)
                self._save_when_due()
            if state.done == self.chunks:
                continue
            timeout = self.request.timeout
            if state.done == 0:
                spent = time.perf_counter() - self.begin
                out_of_time(start, timeout, f"preparing it, and {spent:.3g} s into its first chunk")
                continue
            if self.interrupts.wanted:
                self.stopped = "interrupted"
                return
            if timeout is not None and time.perf_counter() - start > timeout:
                self.stopped = "timeout"
                return

    def _until_event(self, most: int) -> int:
        """Portions up to the next look at the targets, digest, or last one."""
        units, done = self.units, self.state.done
        looks = [next_check(done)] if self.request.reached else []
        event = min([next_digest(done + 1), *looks])
        here, last = units.at(done), units.count - 1
        upto = units.at(event) + (units.start(units.at(event)) < event)
        if here < last:
            upto = min(upto, last)
        return max(1, min(most, upto - here))

    def _save_when_due(self) -> None:
        keeper = self.request.keeper
        if keeper is None or self.state.done == self.chunks:
            return
        every, now = keeper.every, time.perf_counter()
        if every.chunks is not None:
            due = self.state.done - self.saved >= every.chunks
        else:
            due = every.seconds is not None and now - self.last >= every.seconds
        if due:
            self.save()
            self.last = time.perf_counter()
