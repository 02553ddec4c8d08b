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
import scipy
from numpy.typing import NDArray

from ..kernels.cpu import CpuKernel, cpu_target
from ..kernels.given import LANES, GivenKernel
from ..kernels.module import Grid, KernelText
from ..kernels.observe import Readout
from ..phasespace.polynomials import Poly, Var
from ..phasespace.system import AMPLITUDES, MATRIX
from .bounds import bounds
from .driver import Outcome, Prepared, Request, available_threads
from .schedule import Schedule
from .statistics import BATCHES, Samples

DIRECTIONS = (2, 8)  # numbers of directions that the pilot tries
PILOT_NETS, PILOT_POINTS = 8, 128
LEAST_GAIN = 1.5
LEAST_POINTS = 64  # of a net, each used with both signs
MOST_POINTS = 2**14
NORMALS = 20_000  # of a run: more make the derivatives dear
STEP = 2e-3  # of finite differences, in standard deviations
EQUAL = 0.97  # ratio of singular values that count as a degenerate pair
TIMES = 64  # records whose derivatives are looked at


class Declined(Exception):
    """Guided sampling cannot be used, or does not pay."""


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
        system = text.given
        if any(b.count is not None for b in system.blocks):
            raise Declined("the model has arrays of subsystems")
        if system.links:
            raise Declined("the model has links with delays")
        if system.explicit or any(b.kind in (AMPLITUDES, MATRIX) for b in system.blocks):
            raise Declined("the method's equations are not of the kind it treats")
        if system.increments != "gaussian" or request.initial is not None or request.keep:
            raise Declined(
                "it goes with Gaussian noise from the model's initial state, and keeps none"
            )
        if request.kernel is not CpuKernel or request.pool is not None:
            raise Declined("it runs on the CPU of this machine")
        self.text, self.K = text, text.channels
        blocks = enumerate(system.blocks)
        leaves = [Poly.leaf(Var(k, c)) for k, b in blocks for c in range(b.components)]
        variables = [Readout(leaf, False) for leaf in leaves]
        try:
            self.own = KernelText(system, [*text.readouts, *variables], given=True)
        except NotImplementedError as error:
            raise Declined(str(error)) from error
        self.schedule = Schedule.of(tlist, prepared.even)
        self.grid = Grid.make(self.schedule.nodes, prepared.step)
        every = np.arange(self.own.channels)
        self.kernel = GivenKernel(self.own, self.grid, single=request.single, batched=every)
        self.rows = 2 * self.kernel.pairs
        if self.rows > NORMALS:
            raise Declined(f"a trajectory takes {self.rows} normals, more than {NORMALS}")
        self.steps = int(self.grid.nsteps.sum())
        self.work = self.pairs = 0
        self.threads = request.threads or available_threads()

    # -- directions ------------------------------------------------------------------------------

    def directions(self, most: int, pool: ThreadPoolExecutor) -> None:
        """Right singular vectors and values of the state's derivatives by the normals."""
        times = np.unique(np.linspace(1, self.schedule.nodes.size - 1, TIMES).astype(int))
        blocks = self.text.given.blocks
        sizes = bounds(self.text.given)
        scale = np.concatenate(
            [np.full(b.components, s.max()) for b, s in zip(blocks, sizes, strict=True)]
        )
        none = np.zeros((0, self.rows)), np.zeros((0, 0, LANES))

        def columns(first: int) -> NDArray[np.float64]:
            found = []
            for sign in (STEP, -STEP):
                table = np.zeros((self.rows, LANES))
                own = np.arange(min(LANES, self.rows - first))
                table[first + own, own] = sign
                sums = self.kernel.run_table(0, 0, *none, table)[3]
                found.append(sums[0][times][:, :, self.K : self.K + scale.size])
            return ((found[0] - found[1]) / (2 * STEP * scale))[:, : own.size]

        parts = list(pool.map(columns, range(0, self.rows, LANES)))
        self.work += 2 * self.rows * self.steps
        J = np.concatenate(parts, axis=1).transpose(0, 2, 1).reshape(-1, self.rows)
        if not np.all(np.isfinite(J)):
            raise Declined("the noiseless trajectory has no derivatives")
        _, self.values, right = np.linalg.svd(J, full_matrices=False)
        used = int(np.sum(self.values > 1e-6 * self.values[:1].max(initial=1e-300)))
        self.G = right[: min(most, used)]

    # -- nets ------------------------------------------------------------------------------------

    def points(self, net: int, number: int, r: int) -> NDArray[np.float64]:
        """Coordinates (blocks, r, lanes) of the scrambled Sobol points of a net."""
        rng = np.random.default_rng([self.request.seed, 0x6E6574, net])
        u = scipy.stats.qmc.Sobol(r, scramble=True, rng=rng).random(number).T.clip(1e-12, 1 - 1e-12)
        z, i = np.empty_like(u), 0
        while i < r:
            if i + 1 < r and self.values[i + 1] > EQUAL * self.values[i]:
                radius, angle = np.sqrt(-2 * np.log(u[i])), 2 * np.pi * u[i + 1]
                z[i], z[i + 1] = radius * np.cos(angle), radius * np.sin(angle)
                i += 2
            else:
                z[i] = scipy.special.ndtri(u[i])
                i += 1
        return z.reshape(r, -1, LANES).swapaxes(0, 1)

    def net(self, net: int, first: int, number: int, r: int) -> Net:
        """Run net number ``net``, its noise from pair of chunks ``first`` on."""
        z = self.points(net, number, r)
        count, mean, m2, _ = self.kernel.run_table(first, self.request.seed, self.G[:r], z)
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
        self.work += 2 * many * number * self.steps
        jobs = [
            pool.submit(self.net, begin + k, first + k * blocks, number, r) for k in range(many)
        ]
        return [job.result() for job in jobs]

    def pilot(self, pool: ThreadPoolExecutor) -> tuple[int, float, NDArray[np.float64]]:
        """The best number of directions, what it gains, and the means of its nets."""
        best: tuple[int, float, NDArray[np.float64]] | None = None
        begin = 2**40
        for wanted in DIRECTIONS:
            r = min(wanted, len(self.G))
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
            self.directions(max(DIRECTIONS), pool)
            r, gain, means = self.pilot(pool)
            if not gain >= LEAST_GAIN:
                raise Declined(f"a pilot found it {gain:.2g} times as good as plain trajectories")
            asked = needed(means, 2 * PILOT_POINTS)
            total, rounds = min(asked, request.ntraj), 1 if np.isfinite(asked) else 2
            number = int(total / (2 * BATCHES * rounds))
            number = 1 << int(np.clip(number, LEAST_POINTS, MOST_POINTS)).bit_length() - 1
            begin, stopped, short = 0, "ntraj", np.zeros(self.schedule.nodes.size)
            while begin == 0 or samples.ntraj + 2 * number * BATCHES <= request.ntraj:
                for k, net in enumerate(self.nets(begin, BATCHES, number, r, pool)):
                    self._add(samples, net, k)
                    if self.text.diagnostic:
                        short += net.mean[:, -1] * net.count
                begin += BATCHES
                if request.progress is not None:
                    request.progress(samples.ntraj, samples)
                out = self.schedule.outputs(samples)
                if request.reached is not None and request.reached(out):
                    stopped = "target_sem"
                    break
                if request.timeout and time.perf_counter() - self.start > request.timeout:
                    stopped = "timeout"
                    break
        stats = self._stats(samples, stopped, r, gain, number, begin)
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
