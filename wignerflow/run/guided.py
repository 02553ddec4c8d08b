r"""Guided sampling: quasi Monte Carlo along the noise that matters, both signs of the rest.

1. From the noiseless trajectory, finite differences through the kernel itself give the state's
   derivatives by every normal of the run; their leading right singular vectors are the directions
   in which noise moves the state most.
2. The coordinates along r of them come from scrambled Sobol points (a pair of equal singular values
   in polar form), and what is left of the noise is plain, used with both signs.
3. The points of one net depend on each other; nets have scramblings and noise of their own. Errors
   come from the spread of at least 32 nets. Every point has the distribution of plain noise, so
   means are unbiased with any directions.

A pilot of 8 nets measures what it gains over plain trajectories, for several r.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.cpu import CpuKernel, cpu_target
from ..kernels.given import LANES, GivenKernel
from ..kernels.module import Grid, KernelText
from .driver import Outcome, Prepared, Request, available_threads
from .nets import Declined, Directions, given_text
from .schedule import Schedule
from .statistics import BATCHES, Samples

DIRECTIONS = (2, 8)  # numbers of directions that the pilot tries
PILOT_NETS, PILOT_POINTS = 8, 128
LEAST_GAIN = 1.5
LEAST_POINTS = 32  # of a net, each used with both signs
MOST_POINTS = 2**14


@dataclass
class Net:
    """Sums of one net: trajectories, means and squared deviations (T, channels)."""

    count: int
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]


def guided(
    text: KernelText,
    tlist: NDArray[np.float64],
    request: Request,
    prepared: Prepared,
    needed: Callable[[NDArray[np.float64], int], float],
) -> Outcome:
    """A run by nets.

    Args:
        text, tlist, request, prepared: as for ``driver.simulate``.
        needed: from means of nets (nets, T, K) and the trajectories of one, how many the target
            needs; infinity without one.

    Raises:
        Declined: with the reason.
    """
    return _Guided(text, tlist, request, prepared).run(needed)


class _Guided:
    def __init__(
        self, text: KernelText, tlist: NDArray[np.float64], request: Request, prepared: Prepared
    ):
        self.start = time.perf_counter() if request.start is None else request.start
        self.request, self.prepared = request, prepared
        text = text.by(prepared.scheme)
        if request.initial is not None or request.keep:
            raise Declined("it starts from the model's initial state, and keeps none")
        if request.kernel is not CpuKernel or request.pool is not None:
            raise Declined("it runs on the CPU of this machine")
        self.text, self.K = text, text.channels
        self.own = given_text(text)
        self.schedule = Schedule.of(tlist, prepared.even)
        self.grid = Grid.make(self.schedule.nodes, prepared.step)
        every = np.arange(self.own.channels)
        self.kernel = GivenKernel(self.own, self.grid, single=request.single, batched=every)
        self.steps = int(self.grid.nsteps.sum())
        self.work = self.pairs = 0
        self.threads = request.threads or available_threads()

    # -- nets ------------------------------------------------------------------------------------

    def net(self, net: int, first: int, number: int, r: int) -> Net:
        """Run net number ``net``, its noise from pair of chunks ``first`` on."""
        rng = np.random.default_rng([self.request.seed, 0x6E6574, net])
        z, G = self.directions.points(rng, number, r), self.directions.G[:r]
        count, mean, m2, _ = self.kernel.run_table(first, self.request.seed, G, z)
        if not np.all(count == LANES):
            raise Declined("a trajectory became non-finite")
        center = mean.mean(axis=0)
        square = m2.sum(axis=0) + LANES * ((mean - center) ** 2).sum(axis=0)
        return Net(2 * number, center, square)

    def nets(
        self, begin: int, many: int, number: int, r: int, pool: ThreadPoolExecutor
    ) -> list[Net]:
        """So many nets in order."""
        blocks, first = number // LANES, self.pairs
        self.pairs += many * blocks
        self.work += 2 * many * number * self.steps * self.own.work
        jobs = [
            pool.submit(self.net, begin + k, first + k * blocks, number, r) for k in range(many)
        ]
        return [job.result() for job in jobs]

    def pilot(self, pool: ThreadPoolExecutor) -> tuple[int, float, NDArray[np.float64]]:
        """The best number of directions, what it gains, and the means of its nets."""
        best: tuple[int, float, NDArray[np.float64]] | None = None
        begin = 2**40
        for wanted in DIRECTIONS:
            r = min(wanted, len(self.directions.G))
            if best is not None and r <= best[0]:
                continue
            nets = self.nets(begin, PILOT_NETS, PILOT_POINTS, r, pool)
            begin += PILOT_NETS
            n = nets[0].count
            means = np.stack([x.mean[:, : self.K] for x in nets])
            plain = np.mean([x.m2[:, : self.K] for x in nets], axis=0) / (n - 1)
            own = n * means.var(axis=0, ddof=1)
            total, rest = plain.sum(axis=0), own.sum(axis=0)
            some = total > 0
            ratio = np.divide(total, rest, out=np.full_like(total, np.inf), where=rest > 0)
            gain = float(ratio[some].min(initial=np.inf))
            if best is None or gain > best[1]:
                best = r, gain, means
        assert best is not None
        return best

    # -- the run ---------------------------------------------------------------------------------

    def run(self, needed: Callable[[NDArray[np.float64], int], float]) -> Outcome:
        """Directions, pilot, then nets until a rule says stop."""
        request, samples = (
            self.request,
            Samples.empty(self.schedule.nodes.size, self.K, np.arange(self.K)),
        )
        samples.nets = True
        with ThreadPoolExecutor(self.threads) as pool:
            most = max(DIRECTIONS)
            self.directions = Directions(self.own, self.kernel, self.K, most, pool)
            self.work += self.directions.work
            r, gain, means = self.pilot(pool)
            if not gain >= LEAST_GAIN:
                raise Declined(f"a pilot found it {gain:.2g} times as good as plain trajectories")
            asked = needed(means, 2 * PILOT_POINTS)
            # in rounds: until a target is met each has nets twice as large, which are better still
            number = int(min(asked, request.ntraj) / (4 * BATCHES))
            number = 1 << int(np.clip(number, LEAST_POINTS, MOST_POINTS)).bit_length() - 1
            begin, stopped, short = 0, "ntraj", np.zeros(self.schedule.nodes.size)
            while begin == 0 or samples.ntraj + 2 * number * BATCHES <= request.ntraj:
                for k, net in enumerate(self.nets(begin, BATCHES, number, r, pool)):
                    self._add(samples, net, k)
                    if self.text.diagnostic:
                        short += net.mean[:, -1] * net.count
                begin += BATCHES
                largest = number
                if request.progress is not None:
                    request.progress(samples.ntraj, samples)
                out = self.schedule.outputs(samples)
                if request.reached is not None and request.reached(out):
                    stopped = "target_sem"
                    break
                if request.timeout and time.perf_counter() - self.start > request.timeout:
                    stopped = "timeout"
                    break
                if np.isfinite(asked):
                    number = min(2 * number, MOST_POINTS)
        stats = self._stats(samples, stopped, r, gain, largest, begin)
        if self.text.diagnostic and not self.text.measures_length:
            stats["short_spins"] = float(np.max(short / samples.count))
        return Outcome(out, float(self.grid.hs.max()), stats, None, self.prepared)

    def _add(self, samples: Samples, net: Net, batch: int) -> None:
        times, n = self.schedule.nodes.size, net.count
        groups = np.zeros((1, times, BATCHES), np.int64)
        sums = np.zeros((1, times, BATCHES, self.K))
        mean, m2 = net.mean[:, : self.K], net.m2[:, : self.K]
        groups[:, :, batch], sums[:, :, batch] = n, n * mean
        samples.absorb(np.full((1, times), n), mean[None], m2[None], sums, groups)

    def _stats(
        self, samples: Samples, stopped: str, r: int, gain: float, number: int, nets: int
    ) -> dict[str, Any]:
        pilot = self.prepared.stats
        wall = time.perf_counter() - self.start
        return {
            "warnings": [],
            **pilot,
            "steps": self.steps,
            "steps_per_trajectory": self.steps,
            "compile_time": pilot.get("compile_time", 0.0) + self.kernel.compile_seconds,
            "precision": "single" if self.request.single else "double",
            "lanes": LANES,
            "scheme": self.text.system.scheme,
            "target": cpu_target(),
            "device": "cpu",
            "stopped_because": stopped,
            "failed": 0,
            "threads": self.threads,
            "wall_time": wall,
            "run_time": wall,
            "work": self.work + pilot.get("pilot_work", 0),
            "variance": "guided",
            "directions": r,
            "nets": nets,
            "trajectories_per_net": 2 * number,
            "gain": gain,
        }
