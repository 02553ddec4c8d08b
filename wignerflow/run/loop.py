"""The loop of a run: chunks on threads or a cluster, sums in order, stopping rules, checkpoints.

A chunk is a fixed set of trajectories. Workers return sums chunk by chunk, and here they are added
strictly in order, so the result has the same bits whatever the threads, the grouping of chunks into
tasks, the workers and the interruptions. Targets are looked at after fixed numbers of chunks.

The first chunks are added one by one. After them, where a chunk is little work, some are added to
each other first, by whoever ran them, and their sum to the rest: less to carry from worker to
worker and less to add. The portions follow from the model and the step grid alone, so bits depend
on neither who runs what nor where a run is interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from types import FrameType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..estimate import out_of_time
from ..kernels.cpu import Chunks, CpuKernel, Kernel
from ..kernels.grid import Schedule
from ..kernels.module import KernelText
from .pilot import Wanted
from .pool import Pool, PoolLost, Threads, available_threads
from .statistics import Samples

POLL = 0.2  # seconds between looks at the clock and at Ctrl-C
MIN_CHUNKS_FOR_TARGET = 10
#: Chunks that are added one by one.
SINGLE = 128
#: Most chunks in a portion; divides ``SINGLE``, so that portions end at powers of two.
LARGEST = 16
#: Trajectories of a chunk of which several may be in a portion (a GPU's chunks are larger).
SMALL = 128
#: Most work in a portion of several chunks, in trajectories times variables times steps.
WORK = 2**25


@dataclass(frozen=True)
class Units:
    """The portions of a run: ``SINGLE`` chunks, then ``size`` at a time."""

    chunks: int
    size: int

    @staticmethod
    def of(kernel: Kernel, chunks: int) -> Units:
        """Portions of a run of so many chunks."""
        work = kernel.lanes * kernel.state_slots * int(kernel.nsteps.sum())
        size = LARGEST if kernel.lanes <= SMALL else 1
        while size > 1 and size * work > WORK:
            size //= 2
        return Units(chunks, size)

    def start(self, unit: int) -> int:
        """The first chunk of a portion (the number of chunks, behind the last)."""
        chunk = unit if unit <= SINGLE else SINGLE + (unit - SINGLE) * self.size
        return min(chunk, self.chunks)

    def at(self, chunk: int) -> int:
        """The portion that begins with ``chunk``, or holds it."""
        return chunk if chunk <= SINGLE else SINGLE + (chunk - SINGLE) // self.size

    @cached_property
    def count(self) -> int:
        """Number of portions."""
        last = self.at(self.chunks)
        return last + (self.start(last) < self.chunks)

    @property
    def largest(self) -> int:
        """Chunks in the largest portion."""
        return self.size if self.chunks > SINGLE else 1

    def sizes(self, first: int, units: int) -> list[int]:
        """Chunks in each of ``units`` portions."""
        return [self.start(u + 1) - self.start(u) for u in range(first, first + units)]

    def whole(self, chunk: int) -> bool:
        """Whether a portion of any longer run ends before ``chunk``."""
        return chunk <= SINGLE or (chunk - SINGLE) % self.size == 0


def next_check(chunks: int) -> int:
    """The first chunk count after ``chunks`` at which targets are looked at.

    10, 11, … 16, 18, … : steps of one eighth. The counts are fixed, so that where a run stops does
    not depend on threads, speed or interruptions.
    """
    count = MIN_CHUNKS_FOR_TARGET
    while count <= chunks:
        count += max(1, count // 8)
    return count


def next_digest(chunks: int) -> int:
    """The first number of chunks from ``chunks`` on at which a digest is kept: 1, 4, 16, ..."""
    out = 1
    while out < chunks:
        out *= 4
    return out


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


class Interrupts:
    """Ctrl-C and SIGTERM as wishes, so that no sum is ever cut in half.

    While it is ``armed``, the first Ctrl-C is noted in ``wanted``; the second raises.

    Before, when nothing is done yet that could be lost, the first one raises too. With
    ``terminate``, SIGTERM (which queues send before they kill) is noted too, and sent again on
    leaving, when what was done is safe. In other threads than the main one nothing changes.
    """

    def __init__(self, *, terminate: bool = False):
        self.wanted = False
        self.insisted = False
        self.armed = False
        self._terminated = False
        self._signals = [signal.SIGINT, signal.SIGTERM] if terminate else [signal.SIGINT]
        self._before: dict[signal.Signals, Any] = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._terminated = True
        elif self.wanted:
            self.insisted = True
        if not self.armed or self.insisted:
            raise KeyboardInterrupt
        self.wanted = True

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                # None: set by other code than Python's; ignored: to be left so (nohup)
                if signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._terminated:
            os.kill(os.getpid(), signal.SIGTERM)


class Loop:
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
        return bool(reached and self._check_due() and reached(samples.outputs(self.schedule)))

    def run(self, start: float) -> None:
        """Submit tasks, absorb their sums in order, stop when a rule says so."""
        self.saved = done = self.state.done
        self.begin = self.last = time.perf_counter()
        try:
            if done and self._reached():
                self.stopped = "target_sem"
            else:
                self._submit_and_absorb(start)
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

    def _submit_and_absorb(self, start: float) -> None:
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
