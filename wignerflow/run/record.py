"""Values of single trajectories at all output times, reduced chunk by chunk.

A chunk of 32 lanes has one trajectory in each of the 32 batches, so the kernel's batch sums are the
trajectories' own values: nothing but the number of lanes differs from a usual run, and trajectory
k has the same random numbers. What a chunk gives is reduced in the worker at once, so that memory
does not grow with the number of trajectories.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..estimate import LONG, check_memory, duration
from ..kernels.cpu import CpuKernel
from ..kernels.module import Grid, KernelText
from .driver import Request, available_threads
from .statistics import BATCHES

T = TypeVar("T")
U = TypeVar("U")


def records(
    text: KernelText,
    tlist: NDArray[np.float64],
    dt: float,
    request: Request,
    reduce: Callable[..., T],
    keep: bool = False,
) -> Iterator[T]:
    """What ``reduce`` makes of every chunk of 32 trajectories, in order.

    See ``folded``.
    """
    return folded(text, tlist, dt, request, reduce, next, 1, keep)


def folded(
    text: KernelText,
    tlist: NDArray[np.float64],
    dt: float,
    request: Request,
    reduce: Callable[..., T],
    fold: Callable[[Iterator[T]], U],
    together: int,
    keep: bool = False,
) -> Iterator[U]:
    """What ``fold`` makes of ``together`` successive chunks of 32 trajectories each, in order.

    Args:
        text: the kernel.
        tlist: output times, shape (T,).
        dt: largest step.
        request: number of trajectories, seed, precision and threads.
        reduce: called in the worker with the values (32, T, K) of the real channels, and whether
            each trajectory counts: it exists and stayed finite. Others have zeros.
        fold: called in the worker with an iterator over what ``reduce`` makes of some chunks, one
            after the other.
        together: how many, which does not depend on the machine.
        keep: hand it the final states too, (variables, 32), with what is under way on links.

    Raises:
        Beyond: more memory than this machine has.
    """
    channels = np.arange(text.channels)
    chunks = -(-request.ntraj // BATCHES)

    def some(k: int) -> U:
        return fold(chunk(c) for c in range(k * together, min((k + 1) * together, chunks)))

    number = -(-chunks // together)
    workers = min(request.threads or available_threads(), number)
    need = 16.0 * BATCHES * len(tlist) * channels.size * (2 * workers + 1)  # and a copy of each
    check_memory(need, f"Every trajectory at {len(tlist)} times", "ask for fewer times or threads")
    kernel = CpuKernel(
        text, Grid.make(tlist, dt), single=request.single, batched=channels, lanes=BATCHES
    )

    def chunk(c: int) -> T:
        out = kernel.simulate(c, 1, request.ntraj, request.seed, keep=keep)
        counts = out.batch_count[0].min(axis=0) > 0
        values = np.swapaxes(out.batch_sum[0], 0, 1)
        values[~counts] = 0
        return reduce(values, counts, out.final[0]) if keep else reduce(values, counts)

    begin, first = time.perf_counter(), True
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(some, k) for k in range(min(2 * workers, number)))
        following = len(waiting)
        try:
            while waiting:
                out = waiting.popleft().result()
                if first:
                    warn_if_long((time.perf_counter() - begin) * number / workers, request.ntraj)
                    first = False
                if following < number:
                    waiting.append(pool.submit(some, following))
                    following += 1
                yield out
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def warn_if_long(seconds: float, ntraj: int) -> None:
    """Warn of a run of more than an hour, estimated from a part of it or a shorter one."""
    if seconds > LONG:
        warnings.warn(
            f"These {ntraj} trajectories take about {duration(seconds)}. Ask for fewer of them, or "
            "for fewer times.",
            stacklevel=3,
        )
