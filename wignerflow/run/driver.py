"""Runs trajectories: chunks on threads, sums in order, stopping rules."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.cpu import Chunks, CpuKernel, cpu_target
from ..kernels.module import Grid, KernelText
from .statistics import Samples
from .stepsize import choose

TASK_SECONDS = 0.1  # aimed length of one task, so that stopping rules act promptly
TASK_BYTES = 2**26
MIN_CHUNKS_FOR_TARGET = 10


@dataclass
class Request:
    """What to run and when to stop."""

    ntraj: int
    seed: int
    single: bool
    threads: int | None = None
    timeout: float | None = None
    dt: float | None = None
    #: Called with the sums so far; True once the target standard error is met.
    reached: Callable[[Samples], bool] | None = None
    progress: Callable[[int, Samples], None] | None = None
    #: Keep every trajectory's state at the last time.
    keep: bool = False


@dataclass
class Outcome:
    """Sums and facts of a run."""

    samples: Samples
    dt: float
    stats: dict[str, Any] = field(default_factory=dict)
    #: Final states (trajectories, variables), in the order of ``Layout``, if asked for.
    final: NDArray[np.float64] | None = None


def available_threads() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def simulate(
    text: KernelText, tlist: NDArray[np.float64], batched: NDArray[np.int64], request: Request
) -> Outcome:
    """Run trajectories until ``ntraj``, the target, the timeout or an interrupt."""
    start = time.perf_counter()
    stats: dict[str, Any] = {"warnings": []}
    dt = request.dt
    if dt is None:
        choice = choose(text, tlist, request.seed, request.single)
        dt = choice.dt
        stats.update(
            step_difference=choice.difference,
            step_difference_sem=choice.error,
            step_choice=choice.note,
        )
    grid = Grid.make(tlist, dt)
    kernel = CpuKernel(text, grid, single=request.single, batched=batched)
    pilot = time.perf_counter() - start
    stats.update(
        steps=int(grid.nsteps.sum()),
        steps_per_trajectory=int(grid.nsteps.sum()),
        compile_time=kernel.compile_seconds,
        preparation_time=pilot,
        precision="single" if request.single else "double",
        target=cpu_target(),
        lanes=kernel.lanes,
    )
    samples = Samples.empty(tlist.size, text.channels, batched)
    run = _Run(kernel, text, request, samples)
    run.loop(start)
    stats.update(
        stopped_because=run.stopped,
        failed=samples.failed,
        threads=run.threads,
        run_time=run.seconds,
        wall_time=time.perf_counter() - start,
        chunks=run.done,
        ns_per_trajectory_step=1e9
        * run.seconds
        * run.threads
        / max(1, samples.ntraj * stats["steps"]),
    )
    locals_ = (
        samples.ntraj
        * (stats["steps"] + grid.nsteps.size)
        * sum(s.numbers.size for s in text.system.local)
    )
    locals_ += samples.ntraj * stats["steps"] * text.roots
    if locals_:
        stats["clipped"] = run.clips / locals_
    if text.diagnostic:
        stats["short_spins"] = float(np.max(run.short / np.maximum(samples.count, 1)))
    final = None
    if request.keep:
        final = np.concatenate(run.final)[: samples.ntraj].astype(float)
    return Outcome(samples, float(grid.hs.max()), stats, final)


class _Run:
    """One run's moving parts."""

    def __init__(self, kernel: CpuKernel, text: KernelText, request: Request, samples: Samples):
        self.kernel, self.text, self.request, self.samples = kernel, text, request, samples
        self.chunks = -(-request.ntraj // kernel.lanes)
        self.threads = min(request.threads or available_threads(), self.chunks)
        self.done = 0
        self.clips = 0.0
        self.final: list[NDArray[Any]] = []
        self.short = np.zeros(samples.count.size)
        self.stopped = "ntraj"
        self.seconds = 0.0

    def _task_chunks(self, chunk_seconds: float) -> int:
        per_chunk = (
            8
            * self.samples.count.size
            * (2 * self.text.channels_total + 40 + 32 * self.kernel.batched.size)
        )
        by_time = int(TASK_SECONDS / max(chunk_seconds, 1e-9))
        share = -(-self.chunks // (4 * self.threads))
        return max(1, min(by_time, share, TASK_BYTES // per_chunk))

    def _absorb(self, first: int, out: Chunks) -> None:
        chunks, K, lanes = len(out.count), self.text.channels, self.kernel.lanes
        started = min(self.request.ntraj, (first + chunks) * lanes) - first * lanes
        self.samples.absorb(
            out.count,
            out.mean[:, :, :K],
            out.m2[:, :, :K],
            out.batch_sum,
            out.batch_count,
            ntraj=started,
        )
        if self.text.diagnostic:
            self.short += (out.mean[:, :, K] * out.count).sum(axis=0)
        self.clips += float(out.clips.sum())
        if self.request.keep:
            self.final += list(out.final.transpose(0, 2, 1))
        self.done += chunks

    def loop(self, start: float) -> None:
        """Submit tasks, absorb their sums in order, stop when a rule says so."""
        begin = time.perf_counter()
        request, size = self.request, 1
        pending: list[tuple[int, Future[Chunks]]] = []
        following = 0
        pool = ThreadPoolExecutor(self.threads)
        try:
            while self.done < self.chunks:
                while len(pending) < 2 * self.threads and following < self.chunks:
                    n = min(size, self.chunks - following)
                    job = pool.submit(
                        self.kernel.simulate,
                        following,
                        n,
                        request.ntraj,
                        request.seed,
                        keep=request.keep,
                    )
                    pending.append((following, job))
                    following += n
                first, job = pending.pop(0)
                self._absorb(first, job.result())
                elapsed = time.perf_counter() - begin
                size = self._task_chunks(elapsed * self.threads / self.done)
                if request.progress is not None:
                    request.progress(self.samples.ntraj, self.samples)
                if self.done < self.chunks:
                    if (
                        request.reached is not None
                        and self.done >= MIN_CHUNKS_FOR_TARGET
                        and request.reached(self.samples)
                    ):
                        self.stopped = "target_sem"
                        break
                    if (
                        request.timeout is not None
                        and time.perf_counter() - start > request.timeout
                    ):
                        self.stopped = "timeout"
                        break
        except KeyboardInterrupt:
            self.stopped = "interrupted"
            if self.done == 0:
                raise
        finally:
            for _, job in pending:
                job.cancel()
            pool.shutdown(wait=True, cancel_futures=True)
            self.seconds = time.perf_counter() - begin
