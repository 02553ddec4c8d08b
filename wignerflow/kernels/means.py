"""Means over trajectories that a run's noise is made from, found by a small run before it.

Blocks of matrices with ``shared`` noise take its covariance at the mean of all trajectories. The
means come from ``TRAJECTORIES`` trajectories of fixed seeds that go on in intervals: the noise in
each is that at the mean where it begins, and they end at pulses. They depend on the system alone,
so that results do not depend on threads, chunks or the run's own step; a later end goes on where it
stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import check_time
from ..phasespace.system import Mean
from .pulses import turned

if TYPE_CHECKING:
    from .grid import Grid
    from .module import KernelText

TRAJECTORIES = 1024
SEED = 0x6D65616E  # of the first interval; one more in every later one
LONGEST = 1e-9  # of the end, by which an interval may miss it


def settle(
    text: KernelText,
    grid: Grid,
    start: NDArray[np.float64] | None,
    make: Callable[[Grid, Any], Any],
    grid_of: Callable[[NDArray[np.float64], float], Grid],
) -> float:
    """Find the means up to the end of ``grid``; the seconds that kernels took to compile.

    ``make`` makes a kernel of the text for a grid and states to start from, ``grid_of`` a grid of
    times and a largest step.
    """
    compiling = 0.0
    steps = text.shared
    means = [s.shared for s in steps if s.shared is not None]
    first = means[0]
    key = None if start is None else start.tobytes()
    end = float(grid.times[-1] + grid.lengths[-1])
    if first.states is None or first.start != key:
        begin = float(grid.times[0])
        for step, mean in zip(steps, means, strict=True):
            values = mean.values[:1]
            if start is not None:
                values = _mean(text, step.block, np.asarray(start, float))[None]
            step.shared = Mean(np.array([begin]), values, mean.step, start=key)
            if start is None:
                _pulse(text, step.block, step.shared, begin)
        means = [s.shared for s in steps if s.shared is not None]
    states: NDArray[np.float64] | None = (
        means[0].states
        if start is None
        else (start if means[0].states is None else means[0].states)
    )
    while means[0].times[-1] < end - LONGEST * max(abs(end), 1e-300):
        check_time()
        t = float(means[0].times[-1])
        stop = min([t + means[0].step, *(p.time for p in text.system.pulses if p.time > t)])
        kernel = make(grid_of(np.array([t, stop]), means[0].step), states)
        compiling += kernel.compile_seconds
        chunks = -(-TRAJECTORIES // kernel.lanes)
        number = means[0].times.size - 1
        out = kernel.simulate(0, chunks, chunks * kernel.lanes, SEED + number, keep=True)
        states = out.final.transpose(0, 2, 1).reshape(-1, out.final.shape[1]).astype(float)
        for step, mean in zip(steps, means, strict=True):
            own = _mean(text, step.block, states)
            mean.times = np.append(mean.times, stop)
            for one in reversed([p for p in text.system.pulses if p.time == stop]):
                own = turned(text.layout, one, step.block, own, back=True)
            mean.values = np.concatenate([mean.values, own[None]])
            _pulse(text, step.block, mean, stop)
            mean.states = states
    return compiling


def _pulse(text: KernelText, k: int, mean: Mean, t: float) -> None:
    """Let means after the pulses at a time stand beside those before them."""
    own = after = mean.values[-1]
    for one in text.system.pulses:
        if one.time == t:
            after = turned(text.layout, one, k, after)
    if after is not own:
        mean.times = np.append(mean.times, t)
        mean.values = np.concatenate([mean.values, after[None]])


def _mean(text: KernelText, k: int, states: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of the variables of block k, (size, d^2), over states (samples, variables)."""
    block, first = text.layout.blocks[k], text.layout.slot[k]
    own = states[:, first : first + block.size * block.components]
    return np.asarray(own.mean(axis=0).reshape(block.size, block.components))
