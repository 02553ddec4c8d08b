"""Who runs chunks: the protocol of a pool of workers, and threads of this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from ..kernels.cpu import Chunks, Kernel, cpu_target
from .statistics import Samples


def portions(
    kernel: Kernel, first: int, sizes: list[int], ntraj: int, seed: int, keep: bool
) -> Chunks:
    """Sums of portions of chunks from number ``first``; the leading axis is the portion."""
    if max(sizes) == 1:
        return kernel.simulate(first, len(sizes), ntraj, seed, keep=keep)
    parts = []
    for size in sizes:
        part = kernel.simulate(first, size, ntraj, seed, keep=keep)
        parts.append(part if size == 1 else _folded(part, kernel))
        first += size
    return Chunks.joined(parts)


def _folded(out: Chunks, kernel: Kernel) -> Chunks:
    times, channels = out.mean.shape[1:]
    sums = Samples.empty(times, channels, kernel.batched)
    sums.absorb(out.count, out.mean, out.m2, out.batch_sum, out.batch_count)
    clips = np.array([sum(out.clips.tolist())])
    return Chunks(
        sums.count[None], sums.mean[None], sums.m2[None], sums.batch_count[None],
        sums.batch_sum[None], clips, out.final, out.seconds,
    )  # fmt: skip


class PoolLost(RuntimeError):
    """The workers of a run are gone; what they finished is kept."""


class Pool(Protocol):
    """Workers that run chunks."""

    target: str
    #: What a task should take, and at most leave behind.
    task_seconds: float
    task_bytes: int
    device: str
    #: Chunks of a task: as many as make good use of a worker, and as fit into its memory.
    least: int
    most: int

    @property
    def workers(self) -> int:
        """Tasks that run at the same time."""

    def submit(self, first: int, sizes: list[int], ntraj: int, seed: int, keep: bool) -> Any:
        """Start portions of so many chunks from number ``first``."""

    def wait(self, task: Any, seconds: float) -> Chunks | None:
        """The sums of a task, or None if it is not done after ``seconds``."""

    def close(self, tasks: list[Any]) -> None:
        """Give up what is still waiting."""


class Threads:
    """A pool of threads in this process."""

    task_seconds = 0.1  # so that stopping rules act promptly
    task_bytes = 2**21
    device = "cpu"
    least, most = 1, 2**62

    def __init__(self, kernel: Kernel, workers: int, initializer: Callable[[], None] | None = None):
        self.kernel, self.workers, self.target = kernel, workers, cpu_target()
        self.pool = ThreadPoolExecutor(workers, initializer=initializer)

    def submit(
        self, first: int, sizes: list[int], ntraj: int, seed: int, keep: bool
    ) -> Future[Chunks]:
        return self.pool.submit(portions, self.kernel, first, sizes, ntraj, seed, keep)

    def wait(self, task: Future[Chunks], seconds: float) -> Chunks | None:
        try:
            return task.result(seconds)
        except TimeoutError:
            return task.result() if task.done() else None

    def close(self, tasks: list[Future[Chunks]]) -> None:
        for task in tasks:
            task.cancel()
        self.pool.shutdown(wait=True, cancel_futures=True)


def available_threads() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
