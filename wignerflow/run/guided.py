r"""Guided sampling: quasi Monte Carlo along the noise that matters, both signs of the rest.

1. From the noiseless trajectory, finite differences through the kernel itself give the state's
   derivatives by every normal of the run; their leading right singular vectors are the directions
   in which noise moves the state most.
2. The coordinates along r of them come from scrambled Sobol points (a pair of equal singular values
   in polar form), and what is left of the noise is plain, used with both signs.
3. The points of one net depend on each other; nets have scramblings and noise of their own. Errors
   come from the spread of at least 32 nets. Every point has the distribution of plain noise, so
   means are unbiased with any directions.

A pilot of 8 nets measures what it gains over plain trajectories, for several r. In a run, a net is
a chunk of a kernel: everything around it (threads, workers elsewhere, checkpoints, targets) is that
of plain runs, and counts whole nets.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crew import Crew
from ..kernels.cpu import Chunks, CpuKernel
from ..kernels.given import LANES, GivenKernel
from ..kernels.module import Grid, KernelText
from .driver import Prepared, Request, available_threads
from .nets import Declined, Directions, given_text
from .schedule import Schedule
from .statistics import BATCHES

DIRECTIONS = (2, 8)  # numbers of directions that the pilot tries
PILOT_NETS, PILOT_POINTS = 8, 128
LEAST_GAIN = 1.5
LEAST_POINTS = 32  # of a net, each used with both signs
MOST_POINTS = 2**14
FIRST_PILOT = 2**40  # number of its first net


class GuidedKernel:
    """A kernel whose chunks are nets of ``points`` points, each with both signs.

    Args:
        text, grid, single, batched: as for ``CpuKernel``.
        directions: along which noise is guided.
        points: of a net, a multiple of 32.
    """

    nets = True

    def __init__(
        self,
        text: KernelText,
        grid: Grid,
        *,
        single: bool,
        batched: NDArray[np.int64],
        directions: Directions | None = None,
        points: int = PILOT_POINTS,
    ):
        own = given_text(text)
        self.kernel = GivenKernel(own, grid, single=single, batched=np.arange(own.channels))
        self.own, self.K, self.diagnostic = own, text.channels, text.diagnostic
        self.lanes, self.points = 2 * points, points
        self.nsteps, self.batched = grid.nsteps, batched
        self.state_slots = self.kernel.state_slots
        self.compile_seconds = self.kernel.compile_seconds
        self.directions = directions

    @property
    def digest(self) -> str:
        """See ``Kernel``."""
        out = hashlib.sha256(f"{self.kernel.digest} {self.points}".encode())
        if self.directions is not None:
            out.update(np.ascontiguousarray(self.directions.G, np.float32).tobytes())
        return out.hexdigest()

    def net(self, number: int, seed: int) -> tuple[NDArray[np.int64], NDArray, NDArray]:
        """Counts (T,), means and squared deviations (T, channels) of net ``number``."""
        assert self.directions is not None
        rng = np.random.default_rng([seed, 0x6E6574, number])
        z, G = self.directions.points(rng, self.points, len(self.directions.G)), self.directions.G
        first = number * (self.points // LANES)
        count, mean, m2, _ = self.kernel.run_table(first, seed, G, z)
        total = count.sum(axis=0)
        share = count / np.maximum(total, 1)
        center = np.einsum("ct,ctk->tk", share, mean)
        square = m2.sum(axis=0) + np.einsum("ct,ctk->tk", count, (mean - center) ** 2)
        return total, center, square

    def stop(self) -> None:
        """See ``Kernel``."""
        self.kernel.stop()

    def simulate(
        self, first: int, chunks: int, ntraj: int, seed: int, *, keep: bool = False
    ) -> Chunks:
        """See ``Kernel``; ``ntraj`` is a number of whole nets."""
        start = time.perf_counter()
        K, T, some = self.K, self.nsteps.size + 1, self.batched
        last = [self.own.channels] if self.diagnostic else []
        out = []
        for number in range(first, first + chunks):
            count, mean, m2 = self.net(number, seed)
            groups, sums = np.zeros((T, BATCHES), np.int64), np.zeros((T, BATCHES, some.size))
            batch = number % BATCHES
            groups[:, batch], sums[:, batch] = count, count[:, None] * mean[:, some]
            kept = np.r_[np.arange(K), np.array(last, np.int64)]
            none = np.zeros((0, self.state_slots, self.lanes))
            m2 = m2[:, kept]
            parts = (count[None], mean[:, kept][None], m2[None], groups[None], sums[None])
            out.append(Chunks(*parts, np.zeros(1), none))
        found = Chunks.joined(out)
        found.seconds = time.perf_counter() - start
        return found


@dataclass
class Guide:
    """How a run is guided, and what its pilot saw.

    Attributes:
        make: makes the kernel of the run.
        points: of a net.
        directions: how many.
        gain: of a net of the pilot over plain trajectories.
        work: of derivatives and pilot, trajectories times steps.
    """

    make: Callable[..., GuidedKernel]
    points: int
    directions: int
    gain: float
    work: int
    compile_seconds: float


def guide(
    text: KernelText,
    tlist: NDArray[np.float64],
    request: Request,
    prepared: Prepared,
    needed: Callable[[NDArray[np.float64], int], float],
    points: int | None = None,
) -> Guide:
    """Directions, and a pilot.

    Args:
        text, tlist, request, prepared: as for ``driver.simulate``.
        needed: from means of nets (nets, T, K) and the trajectories of one, how many the target
            needs; infinity without one.
        points: of a net, None follows what is needed.

    Raises:
        Declined: with the reason.
    """
    if request.initial is not None or request.keep:
        raise Declined("it starts from the model's initial state, and keeps none")
    if request.kernel is not CpuKernel:
        raise Declined("it runs on the CPU")
    text = text.by(prepared.scheme)
    schedule = Schedule.of(tlist, prepared.even)
    grid = Grid.make(schedule.nodes, prepared.step)
    none = np.zeros(0, np.int64)
    kernel = GuidedKernel(text, grid, single=request.single, batched=none)
    steps, threads = int(grid.nsteps.sum()), request.threads or available_threads()
    compiling = kernel.compile_seconds + prepared.stats.get("compile_time", 0.0)
    with Crew(threads, partial(request.watch, compiling)) as crew:
        found = Directions(kernel.own, kernel.kernel, kernel.K, max(DIRECTIONS), crew)
        work = found.work
        best: tuple[Directions, float, NDArray[np.float64]] | None = None
        begin = FIRST_PILOT
        for wanted in DIRECTIONS:
            some = found.leading(wanted)
            if best is not None and len(some.G) <= len(best[0].G):
                continue
            kernel.directions = some
            numbers = range(begin, begin + PILOT_NETS)
            nets = crew.map(lambda k: kernel.net(k, request.seed), numbers, [kernel])
            begin += PILOT_NETS
            work += PILOT_NETS * kernel.lanes * steps * text.work
            if not all(np.all(count == kernel.lanes) for count, _, _ in nets):
                raise Declined("a trajectory became non-finite")
            gain, means = _gain(nets, kernel.lanes, kernel.K)
            if best is None or gain > best[1]:
                best = some, gain, means
    assert best is not None
    directions, gain, means = best
    if not gain >= LEAST_GAIN:
        raise Declined(f"a pilot found it {gain:.2g} times as good as plain trajectories")
    if points is None:  # larger nets are better still, but a target should not be overshot
        asked = needed(schedule.read(means, 1), kernel.lanes)
        number = int(min(asked, request.ntraj) / (4 * BATCHES))
        points = 1 << int(np.clip(number, LEAST_POINTS, MOST_POINTS)).bit_length() - 1

    def make(given: KernelText, on: Grid, **rest: Any) -> GuidedKernel:
        return GuidedKernel(given, on, directions=directions, points=points, **rest)

    return Guide(make, points, len(directions.G), gain, work, kernel.compile_seconds)


def _gain(
    nets: list[tuple[NDArray[np.int64], NDArray, NDArray]], n: int, K: int
) -> tuple[float, NDArray[np.float64]]:
    """What nets of n trajectories gain over plain ones, and their means (nets, T, K)."""
    means = np.stack([mean[:, :K] for _, mean, _ in nets])
    plain = np.mean([m2[:, :K] for _, _, m2 in nets], axis=0) / (n - 1)
    own = n * means.var(axis=0, ddof=1)
    total, rest = plain.sum(axis=0), own.sum(axis=0)
    ratio = np.divide(total, rest, out=np.full_like(total, np.inf), where=rest > 0)
    return float(ratio[total > 0].min(initial=np.inf)), means
