"""Values of single trajectories at all output times, reduced chunk by chunk.

A chunk of 32 lanes has one trajectory in each of the 32 batches, so the kernel's batch sums are the
trajectories' own values: nothing but the number of lanes differs from a usual run, and trajectory
k has the same random numbers. What a chunk gives is reduced in the worker at once, so that memory
does not grow with the number of trajectories.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..estimate import announce, check_memory, tell
from ..kernels.cpu import CpuKernel
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from .driver import announce_run
from .loop import Interrupts, Request
from .pool import available_threads
from .statistics import BATCHES

FEWER = "ask for fewer trajectories, fewer times or fewer threads"
T = TypeVar("T")
Seen = tuple[NDArray[Any], ...]  # of a group of chunks, see ``folded``


def records(
    text: KernelText,
    tlist: NDArray[np.float64],
    dt: float,
    request: Request,
    reduce: Callable[..., T],
    keep: bool = False,
) -> Generator[T, None, None]:
    """What ``reduce`` makes of every chunk of 32 trajectories, in order.

    It is called with the values (32, T, K) of the real channels, and whether each trajectory
    counts; else as ``folded``.
    """

    def one(seen: Iterator[Seen]) -> T:
        values, counts, *final = next(seen)
        return reduce(np.moveaxis(values[0], 2, 0), counts[0], *(f[0] for f in final))

    return folded(text, Grid.make(tlist, dt), request, one, 1, 1, keep)


def folded(
    text: KernelText,
    grid: Grid,
    request: Request,
    fold: Callable[[Iterator[Seen]], T],
    together: int,
    groups: int,
    keep: bool = False,
    draws: tuple[int, int, int] = (1, 1, 1),
) -> Generator[T, None, None]:
    """What ``fold`` makes of successive chunks of 32 trajectories, in order.

    Args:
        text: the kernel.
        grid: steps between T output times.
        request: number of trajectories, seed, precision and threads.
        fold: called in the worker with an iterator over groups of chunks: the values
            (chunks, T, K, 32) of the real channels, and whether each trajectory counts,
            (chunks, 32): it exists and stayed finite. Others have zeros. The next group takes
            the place of the values in memory.
        together: chunks of a group, which are run in one call.
        groups: how many one call of ``fold`` takes. Neither depends on the machine.
        keep: hand it the final states too, (chunks, variables, 32), with what is under way on
            links.
        draws: normals that are summed, see ``CpuKernel.simulate``.

    Raises:
        Beyond: more memory than this machine has.
    """
    channels = np.arange(text.channels)
    chunks = -(-request.ntraj // BATCHES)
    number = -(-chunks // (together * groups))
    workers = min(request.threads or available_threads(), number)
    times = grid.nsteps.size + 1
    each = 16.0 * BATCHES * times * channels.size  # and a copy
    need = each * (2 * workers + 1) * min(together, chunks)
    check_memory(need, f"Every trajectory at {times} times", FEWER)
    kernel = CpuKernel(
        text, grid, single=request.single, batched=channels, lanes=BATCHES, moments=False
    )

    def group(c: int, stop: int, into: NDArray[np.float64]) -> Seen:
        few = min(together, stop - c)
        out = kernel.simulate(
            c, few, request.ntraj, request.seed, keep=keep, draws=draws, into=into
        )
        counts = out.batch_count.min(axis=1) > 0
        values = np.swapaxes(out.batch_sum, 2, 3)  # as they lie in memory: nothing is copied
        if not counts.all():
            np.copyto(values, 0, where=~counts[:, None, None])
        return (values, counts, out.final) if keep else (values, counts)

    def some(k: int) -> T:
        start = k * together * groups
        stop = min(start + together * groups, chunks)
        into = np.empty((min(together, stop - start), times, channels.size, BATCHES))
        return fold(group(c, stop, into) for c in range(start, stop, together))

    announce_run(text, grid.records, channels, request, float(grid.hs.max()) * (1 + 1e-12))
    begin, first = time.perf_counter(), True
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(some, k) for k in range(min(2 * workers, number)))
        following, done = len(waiting), 0
        try:
            while waiting:
                out = waiting.popleft().result()
                if first:
                    seconds = (time.perf_counter() - begin) * number / workers
                    announce(seconds, need, f"{request.ntraj} trajectories", FEWER)
                    first = False
                if following < number:
                    waiting.append(pool.submit(some, following))
                    following += 1
                yield out
                done += 1
                tell(done, number)
        finally:
            kernel.stop()
            pool.shutdown(wait=True, cancel_futures=True)


class UntilCtrlC(Generic[T]):
    """Parts of runs that go together, up to the first Ctrl-C once there is one of each.

    Args:
        runs: generators of as many parts, which are closed on leaving.

    Attributes:
        parts: how many there were.
        interrupted: whether they ended before they were through.
    """

    def __init__(self, *runs: Generator[T, None, None]):
        self.runs, self.parts, self.interrupted = runs, 0, False
        self._wish = Interrupts()

    def __enter__(self) -> UntilCtrlC[T]:
        self._wish.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            for run in self.runs:
                run.close()
        finally:
            self._wish.__exit__(*error)

    def __iter__(self) -> Iterator[tuple[T, ...]]:
        for part in zip(*self.runs, strict=True):
            yield part
            self.parts += 1
            self._wish.armed = True
            if self._wish.wanted:
                self.interrupted = True
                return
