"""Who runs chunks: threads of this process and GPUs; clusters do by the same protocol."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import _check
from ..kernels.cpu import Chunks, Kernel, cpu_target
from .statistics import Samples

if TYPE_CHECKING:
    from ..kernels.cuda import CudaKernel

DEVICES = ("cpu", "cuda", "auto")
_DEFAULT: ContextVar[str] = ContextVar("device", default="cpu")


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


class Gpus(Threads):
    """A pool of GPUs: a thread for each, which talks to no other."""

    def __init__(self, kernel: CudaKernel, chunks: int):
        from ..kernels.card import free_memory
        from ..kernels.cuda import devices, resident

        found = devices()[: max(1, chunks)]
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in found:
            self._free.put(number)
        super().__init__(kernel, len(found), initializer=self._bind)
        self.target = kernel.target
        self.device = f"{kernel.target.removeprefix('cuda ')} x {len(found)}"
        self.most = min(kernel.fitting(free_memory(k)) for k in found)
        wanted = -(-resident() // (kernel.lanes * kernel.shape.threads))
        self.least = max(1, min(wanted, self.most, -(-chunks // len(found))))

    def _bind(self) -> None:
        from ..kernels.card import use

        use(self._free.get())


def available_threads() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def known_device(device: str) -> str:
    """A device's name, if it is one."""
    if device in ("gpu", "GPU", "CUDA"):
        _check.fail("device", "be one of 'cpu', 'cuda', 'auto'", device, "GPUs are 'cuda'.")
    return _check.one_of("device", device, DEVICES)


def default_device() -> str:
    """The device where none is given: "cpu", unless :func:`using_device` says otherwise."""
    return _DEFAULT.get()


@contextlib.contextmanager
def using_device(device: str) -> Iterator[None]:
    """Make a device the default, for code that does not ask for one."""
    token = _DEFAULT.set(known_device(device))
    try:
        yield
    finally:
        _DEFAULT.reset(token)


def choose_device(device: str, samples: bool) -> tuple[str, str | None]:
    """The device to take, "cpu" or "cuda"; and where "auto" takes the CPU, why.

    Args:
        device: "cpu", "cuda" or "auto".
        samples: whether the method runs phase-space trajectories.

    Raises:
        ValueError: "cuda" is asked for and cannot be had.
    """
    known_device(device)
    if device == "cpu":
        return "cpu", None
    if not samples:
        if device == "cuda":
            must = "be 'cpu' or 'auto' for a method without phase-space trajectories"
            _check.fail("device", must, device)
        return "cpu", "the method runs no phase-space trajectories"
    from ..kernels.card import unavailable

    reason = unavailable()
    if reason is None:
        return "cuda", None
    if device == "cuda":
        why = f"{reason[:1].upper()}{reason[1:]}."
        _check.fail("device", "be 'cpu' or 'auto' on this machine", device, why)
    return "cpu", reason
