"""Time and memory that trajectories need, from a few steps of the kernel itself."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ..estimate import LISTENER, announce, check_memory
from ..kernels.cpu import CpuKernel, lanes_for
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from .loop import Request
from .pool import available_threads

LEAST = 1e-9  # seconds per trajectory, step and variable, at least
CRUDE = 1.0  # seconds below which that lower bound will do
LOOK = 2e6  # trajectories times steps times variables that are timed
_REMEDY = "ask for fewer output times, observables or kept samples, or shorter delays of links"


def memory(
    text: KernelText,
    times: int,
    batched: int,
    steps: float,
    request: Request,
    dt: float | None = None,
) -> float:
    """Bytes at least: sums of every task under way, the step grid, what is kept."""
    threads = request.threads or available_threads()
    sums = 8.0 * times * (2 * text.channels_total + 40 + 32 * batched)
    grid = steps * (24.0 + 8 * len(text.layout.parameters.time_parts))
    state = text.layout.state_slots
    rings = 0.0
    if dt is not None and text.links.active:
        wide = text.links.wide(np.array([dt]))
        state += wide
        rings = float(wide) * lanes_for(text) * (4 if request.single else 8)  # of a task
    kept = 12.0 * state * request.ntraj if request.keep else 0.0
    return sums * (2 * threads + 2) + rings * threads + grid + kept


def check_outputs(text: KernelText, tlist: NDArray[np.float64], request: Request) -> None:
    """Refuse what already the outputs of a run would need.

    Raises:
        Beyond: more memory than this machine has.
    """
    need = memory(text, tlist.size, 0, 0.0, request)
    check_memory(need, f"A run of {request.ntraj} trajectories and {tlist.size} times", _REMEDY)


def announce_run(
    text: KernelText,
    tlist: NDArray[np.float64],
    batched: NDArray[np.int64],
    request: Request,
    dt: float,
) -> float:
    """Say what a run at steps of ``dt`` needs; seconds that compiling took for that.

    Raises:
        Beyond: more memory than this machine has.
    """
    steps = float(np.sum(Grid.checked(tlist, dt)))
    threads = request.threads or available_threads()
    need = memory(text, tlist.size, batched.size, steps, request, dt)
    what = f"{request.ntraj} trajectories of {steps:.0f} steps and {tlist.size} times"
    check_memory(need, what, _REMEDY)  # before any is timed
    seconds = LEAST * request.ntraj * steps * text.layout.state_slots / threads
    listener, compiling = LISTENER.get(), 0.0
    if listener is not None and (listener.precise or listener.number * seconds > CRUDE):
        seconds, compiling = _timed(text, tlist, batched, request, dt, steps)
        seconds /= min(threads, -(-request.ntraj // 32))
    announce(seconds, need, what, _REMEDY)
    return compiling


def _timed(
    text: KernelText,
    tlist: NDArray[np.float64],
    batched: NDArray[np.int64],
    request: Request,
    dt: float,
    steps: float,
) -> tuple[float, float]:
    """Seconds of one thread, and of compiling, from as many of the first steps as are quick."""
    some = max(2.0, LOOK / (128 * text.layout.state_slots))
    counted = np.cumsum(Grid.count(tlist, dt))
    if counted[0] > some:
        times = np.array([tlist[0], tlist[0] + some * dt])
    else:
        times = tlist[: 1 + int(np.searchsorted(counted, some, "right"))]
    grid = Grid.make(times, dt)
    given = {} if request.initial is None else {"start": request.initial}
    kernel = request.kernel(text, grid, single=request.single, batched=batched, **given)
    # of this thread's processor time, since others may be at work; a GPU has none of that
    clock = time.thread_time if isinstance(kernel, CpuKernel) else time.perf_counter
    each = []
    for _ in range(3):
        begin = clock()
        kernel.simulate(0, 1, request.ntraj, request.seed)
        each.append(clock() - begin)
    share = steps / float(grid.nsteps.sum())
    seconds = min(each) * share * -(-request.ntraj // kernel.lanes)
    return seconds, kernel.compile_seconds
