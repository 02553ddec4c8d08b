r"""Guided sampling: quasi Monte Carlo along the noise that matters, both signs of the rest.

1. From the noiseless trajectory, finite differences through the kernel itself give the state's
   derivatives by every normal of the run; their leading right singular vectors are the directions
   in which noise moves the state most.
2. The coordinates along r of them come from scrambled Sobol points (a pair of equal singular values
   in polar form), and what is left of the noise is plain, used with both signs.
3. The points of one net depend on each other; nets have scramblings and noise of their own. Errors
   come from the spread of at least 32 nets. Every point has the distribution of plain noise, so
   means are unbiased with any directions.
4. What low polynomials of the coordinates explain is taken off the means of nets, see
   ``nets.Sums``.

A pilot of 8 nets measures what it gains over plain trajectories, for several r and polynomials
(fitted to one half of the nets and judged by the other). In a run, a net is
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

from ..estimate import Crew
from ..kernels.cpu import Chunks, CpuKernel
from ..kernels.given import LANES, GivenKernel
from ..kernels.grid import Grid, Schedule
from ..kernels.module import KernelText
from .driver import Prepared
from .loop import Request
from .nets import MOST, Declined, Directions, Sums, count, directions, given_text, polynomials
from .pool import available_threads
from .statistics import BATCHES

DIRECTIONS = (2, 8, 16)  # numbers of directions that the pilot tries
DEGREES = (1, 2, 3)  # and degrees of polynomials
PILOT_NETS, PILOT_POINTS = 8, 128
LEAST_GAIN = 1.5
LEAST_POINTS = 32  # of a net, each used with both signs
MOST_POINTS = 2**14
MOST_POWER = 1.5  # of the points, with which the trajectories that a target needs are taken to fall
SHORT = 0.7  # of them are a round of nets at most
FIRST_PILOT = 2**40  # number of its first net


class GuidedKernel:
    """A kernel whose chunks are nets of ``points`` points, each with both signs.

    Args:
        text, grid, single, batched: as for ``CpuKernel``.
        directions: along which noise is guided.
        points: of a net, a multiple of 32.
        weights: of the polynomials of the coordinates, (number, T K); None for none.
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
        weights: NDArray[np.float64] | None = None,
    ):
        own = given_text(text)
        self.kernel = GivenKernel(own, grid, single=single, batched=np.arange(own.channels))
        self.own, self.K, self.diagnostic = own, text.channels, text.diagnostic
        self.lanes, self.points = 2 * points, points
        self.nsteps, self.batched = grid.nsteps, batched
        self.state_slots = self.kernel.state_slots
        self.compile_seconds = self.kernel.compile_seconds
        self.directions, self.weights = directions, weights

    @property
    def digest(self) -> str:
        """See ``Kernel``."""
        out = hashlib.sha256(f"{self.kernel.digest} {self.points}".encode())
        if self.directions is not None:
            out.update(np.ascontiguousarray(self.directions.G, np.float32).tobytes())
        if self.weights is not None:
            out.update(np.ascontiguousarray(self.weights, np.float32).tobytes())
        return out.hexdigest()

    def run(self, number: int, seed: int) -> tuple[NDArray[np.float64], tuple[NDArray, ...]]:
        """Coordinates (blocks, r, lanes) of net ``number``, and sums of its chunks."""
        assert self.directions is not None
        rng = np.random.default_rng([seed, 0x6E6574, number])
        z, G = self.directions.points(rng, self.points, len(self.directions.G)), self.directions.G
        return z, self.kernel.run_table(number * (self.points // LANES), seed, G, z)

    def net(self, number: int, seed: int) -> tuple[NDArray[np.int64], NDArray, NDArray]:
        """Counts (T,), means and squared deviations (T, channels) of net ``number``."""
        z, sums = self.run(number, seed)
        total, center, square = _together(*sums[:3])
        center[:, : self.K] -= self.explained(z)
        return total, center, square

    def explained(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """What polynomials explain of the means (T, K) of a net."""
        if self.weights is None:
            return np.zeros((self.nsteps.size + 1, self.K))
        found = polynomials(_flat(z), len(self.weights)).mean(axis=1)
        return np.einsum("f,fw->w", found, self.weights).reshape(-1, self.K)

    def trial(self, number: int, seed: int, polynomials_: int) -> Trial:
        """Net ``number`` with what weights are fitted to."""
        z, sums = self.run(number, seed)
        total, _, square = _together(*sums[:3])
        found = polynomials(_flat(z), polynomials_)
        values = sums[3][:, :, :, : self.K].reshape(len(z), 2, total.size, LANES, -1).mean(axis=1)
        values = np.moveaxis(values, 1, 2).reshape(self.points, -1)
        fit = Sums(polynomials_, values.shape[1])
        fit.add(found, values)
        means, each = (a.reshape(-1, LANES, a.shape[1]).mean(axis=1) for a in (values, found.T))
        whole = bool(np.all(total == self.lanes))
        return Trial(whole, square[:, : self.K] / (self.lanes - 1), means, each, fit)

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
class Trial:
    """A net of the pilot.

    Attributes:
        whole: no trajectory was lost.
        variance: of single trajectories, (T, K).
        means: of every 32 points, (blocks, T K).
        found: likewise of polynomials, (blocks, number).
        sums: from which weights follow.
    """

    whole: bool
    variance: NDArray[np.float64]
    means: NDArray[np.float64]
    found: NDArray[np.float64]
    sums: Sums


def _flat(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates (r, points) from (blocks, r, lanes)."""
    return np.moveaxis(z, 1, 0).reshape(z.shape[1], -1)


def _together(
    count: NDArray[np.int64], mean: NDArray[np.float64], m2: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray, NDArray]:
    """Counts (T,), means and squared deviations (T, channels) of all chunks."""
    total = count.sum(axis=0)
    share = count / np.maximum(total, 1)
    center = np.einsum("ct,ctk->tk", share, mean)
    square = m2.sum(axis=0) + np.einsum("ct,ctk->tk", count, (mean - center) ** 2)
    return total, center, square


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
    best: _Candidate | None = None
    with Crew(threads, partial(request.watch, compiling)) as crew:
        every = directions(kernel.own, grid, kernel.K, max(DIRECTIONS), crew, request.single)
        work, begin = every.work, FIRST_PILOT
        for wanted in DIRECTIONS:
            some = every.leading(wanted)
            if best is not None and len(some.G) <= len(best.directions.G):
                continue
            kernel.directions = some
            most = _polynomials(len(some.G), kernel.K * (grid.nsteps.size + 1))
            numbers = range(begin, begin + PILOT_NETS)
            trial = partial(kernel.trial, seed=request.seed, polynomials_=max(most))
            trials = crew.map(trial, numbers, [kernel])
            begin += PILOT_NETS
            work += PILOT_NETS * kernel.lanes * steps * text.work
            if not all(t.whole for t in trials):
                raise Declined("a trajectory became non-finite")
            for number in most:
                found = _Candidate.of(some, number, trials)
                if best is None or found.gain > best.gain:
                    best = found
    assert best is not None
    gain = best.gain
    if not gain >= LEAST_GAIN:
        raise Declined(f"a pilot found it {gain:.2g} times as good as plain trajectories")
    if points is None:
        asked = best.needed(needed, schedule, kernel.K)
        points = _points(asked, request.ntraj)

    def make(given: KernelText, on: Grid, **rest: Any) -> GuidedKernel:
        own = best.weights if best.number else None
        return GuidedKernel(
            given, on, directions=best.directions, points=points, weights=own, **rest
        )

    return Guide(make, points, len(best.directions.G), gain, work, kernel.compile_seconds)


def _polynomials(r: int, width: int) -> list[int]:
    """Numbers of polynomials that are tried, of r coordinates for ``width`` values."""
    numbers = [count(r, degree) for degree in DEGREES]
    return [0, *(n for n in numbers if n * width <= MOST)]


@dataclass
class _Candidate:
    """Directions and polynomials, and what they gain.

    Attributes:
        directions: along which noise is guided.
        number: of polynomials.
        weights: theirs.
        gain: over plain trajectories.
        means: of every 32 points of nets, (nets, blocks, T K).
    """

    directions: Directions
    number: int
    weights: NDArray[np.float64]
    gain: float
    means: NDArray[np.float64]

    @staticmethod
    def of(some: Directions, number: int, trials: list[Trial]) -> _Candidate:
        """Judged by nets to which its weights were not fitted."""
        means = np.stack([t.means for t in trials])
        fits = [Sums.added([t.sums for t in trials[k::2]]) for k in range(2)]
        if number:
            for k, fit in enumerate(fits):
                found = np.stack([t.found[:, :number] for t in trials[1 - k :: 2]])
                means[1 - k :: 2] -= np.einsum("nbf,fw->nbw", found, fit.weights(number))
        plain = np.mean([t.variance for t in trials], axis=0)
        own = 2 * LANES * means.shape[1] * means.mean(axis=1).var(axis=0, ddof=1)
        total, rest = plain.sum(axis=0), own.reshape(plain.shape).sum(axis=0)
        ratio = np.divide(total, rest, out=np.full_like(total, np.inf), where=rest > 0)
        gain = float(ratio[total > 0].min(initial=np.inf))
        return _Candidate(some, number, Sums.added(fits).weights(number), gain, means)

    def needed(
        self,
        needed: Callable[[NDArray[np.float64], int], float],
        schedule: Schedule,
        channels: int,
    ) -> list[tuple[int, float]]:
        """Points of a net, and trajectories that a target then needs."""
        out, blocks = [], self.means.shape[1]
        for joined in (1, blocks):
            nets = self.means.reshape(-1, joined, self.means.shape[2]).mean(axis=1)
            means = nets.reshape(len(nets), -1, channels)
            points = joined * LANES
            out.append((points, needed(schedule.read(means, 1), 2 * points)))
        return out


def _points(asked: list[tuple[int, float]], most: int) -> int:
    """The largest nets of which a round is enough for a target, at most.

    Larger nets are better, by a power that two sizes show, but a target should not be overshot.
    """
    (small, more), (large, less) = asked
    power = 0.0
    if np.isfinite(less) and less > 0:
        power = float(np.clip(np.log(more / less) / np.log(large / small), 0, MOST_POWER))
    points = LEAST_POINTS
    while 2 * points <= MOST_POINTS:
        needs = less * (large / (2 * points)) ** power
        if 2 * BATCHES * 2 * points > min(most, SHORT * needs):
            break
        points *= 2
    return points
