"""Runs with controls: a kernel that takes off every trajectory what martingales explain.

See ``martingales`` for the controls. The pilot fits weights by least squares on one half of its
trajectories, sees on the other half what they gain, and fits on all. The kernel does as other
kernels do (chunks, batches, threads, workers elsewhere), so that everything around it is the same;
its trajectories have the means of plain ones and are independent of each other and of the pilot.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import together
from ..kernels.cpu import Chunks, CpuKernel
from ..kernels.given import LANES, GivenKernel
from ..kernels.grid import Grid, Schedule
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..kernels.rng import INITIAL
from ..phasespace.polynomials import Poly, Var
from ..phasespace.system import AMPLITUDES, MATRIX, MemberObservable, PhaseSpaceSystem
from .bounds import bounds
from .driver import Prepared
from .loop import Request
from .martingales import Array, Features
from .nets import Declined
from .pool import available_threads

CHUNK = 4  # tables of a chunk
CONTROLS = 1200  # at most, about
PER_CONTROL = 12  # trajectories of a pilot, for every control
SHARE = 0.15  # of the trajectories that the run would take, that a pilot may take
LEAST_GAIN = 1.5
RIDGE = 1e-5
NUMBERS = 2**24  # of weights
NORMALS = 40_000  # of a trajectory
PILOT_SEED = 0x6D617274


def readouts(system: PhaseSpaceSystem) -> list[Readout]:
    """The variables, as ``Features`` wants them: by block, component and member."""
    out = []
    for k, block in enumerate(system.blocks):
        for c in range(block.components):
            symbol: Any = Poly.leaf(Var(k, c))
            if block.count is not None:
                symbol = MemberObservable(block.size, {((k, c),): np.ones(block.size, complex)})
            out.append(Readout(symbol, False))
    return out


class ControlledKernel:
    """A kernel whose observables are controlled; without weights it is that of the pilot."""

    lanes, nets = CHUNK * LANES, False

    def __init__(
        self,
        text: KernelText,
        grid: Grid,
        *,
        single: bool,
        batched: NDArray[np.int64],
        most: int,
        equal: dict[int, bool],
        weights: NDArray[np.float32] | None = None,
    ):
        try:
            own = KernelText(text.given, [*text.readouts, *readouts(text.given)], given=True)
        except NotImplementedError as error:
            raise Declined(str(error)) from error
        self.features = Features(own, grid, most, equal)
        every = np.arange(own.channels_total)
        inner = self.features.windows.grid
        self.kernel = GivenKernel(own, inner, single=single, batched=every)
        sizes = zip(own.given.blocks, bounds(own.given), strict=True)
        self.scale = np.concatenate([np.full(b.size * b.components, s.max()) for b, s in sizes])
        self.channels, self.diagnostic = text.channels, text.diagnostic
        self.nsteps, self.batched, self.weights = grid.nsteps, batched, weights
        self.state_slots = self.kernel.state_slots
        self.compile_seconds = self.kernel.compile_seconds

    @property
    def digest(self) -> str:
        """See ``Kernel``."""
        out = hashlib.sha256(self.kernel.digest.encode())
        if self.weights is not None:
            out.update(self.weights.tobytes())
        return out.hexdigest()

    def trajectories(
        self, chunk: int, seed: int
    ) -> tuple[Array, NDArray[np.bool_], NDArray[np.float32], float]:
        """Of one chunk: values (T, lanes, K'), which count (T, lanes), controls, and clips."""
        values, counts, tables, clips = [], [], [], 0.0
        for k in range(CHUNK):
            table, sums, count, clipped = self.kernel.run_drawn(chunk * CHUNK + k, seed)
            values.append(sums)
            counts.append(count > 0)
            tables.append(table)
            clips += clipped
        x, alive = np.concatenate(values, axis=1), np.concatenate(counts, axis=1)
        K, V = self.channels, self.scale.size
        edges, rows = self.features.windows.edges[:-1], self.features.windows.outputs
        states = (x[edges, :, K : K + V] / self.scale).astype(np.float32).swapaxes(1, 2)
        np.nan_to_num(states, copy=False, posinf=0.0, neginf=0.0)
        table = np.concatenate(tables, axis=1).astype(np.float32, copy=False)
        found = self.features(table, np.ascontiguousarray(states))
        return np.delete(x[rows], np.s_[K : K + V], axis=2), alive[rows], found, clips

    @property
    def usable(self) -> NDArray[np.int64]:
        """How many controls are over at every output, (T,)."""
        first = sum(2 * n.rows.shape[1] for n in self.features.noise[INITIAL])
        return first + self.features.windows.before * self.features.each

    def stop(self) -> None:
        """See ``Kernel``."""
        self.kernel.stop()

    def simulate(
        self, first: int, chunks: int, ntraj: int, seed: int, *, keep: bool = False
    ) -> Chunks:
        """See ``Kernel``."""
        start = time.perf_counter()
        parts = [self._chunk(first + c, ntraj, seed) for c in range(chunks)]
        out = Chunks.joined(parts)
        out.seconds = time.perf_counter() - start
        return out

    def _chunk(self, chunk: int, ntraj: int, seed: int) -> Chunks:
        values, alive, found, clips = self.trajectories(chunk, seed)
        T, n, K = len(values), self.lanes, self.channels
        alive = alive & (chunk * n + np.arange(n) < ntraj)
        if self.weights is not None:
            # no BLAS: its threads would wait for each other
            taken = np.einsum("kd,dn->kn", self.weights, found).reshape(T, K, n).swapaxes(1, 2)
            values[:, :, :K] -= taken
        values = np.where(alive[:, :, None], values, 0.0)
        count = alive.sum(axis=1)
        mean = values.sum(axis=1) / np.maximum(count, 1)[:, None]
        square = (np.where(alive[:, :, None], values - mean[:, None], 0.0) ** 2).sum(axis=1)
        groups = alive.reshape(T, CHUNK, LANES).sum(axis=1)
        sums = values[:, :, self.batched].reshape(T, CHUNK, LANES, -1).sum(axis=1)
        none = np.zeros((0, self.state_slots, n))
        return Chunks(
            count[None], mean[None], square[None], groups[None], sums[None], np.array([clips]), none
        )


@dataclass
class Fitted:
    """Weights of a run, and what the pilot saw.

    Attributes:
        make: makes the kernel of the run.
        gain: by channel, the variance of plain values over that of controlled ones, (K,), least
            over the outputs.
        work: of the pilot, trajectories times steps.
        controls: how many.
    """

    make: Callable[..., ControlledKernel]
    gain: Array
    work: int
    controls: int
    compile_seconds: float


def fit(
    text: KernelText,
    times: Array,
    request: Request,
    prepared: Prepared,
    needed: float,
    equal: dict[int, bool],
    average: Callable[[Array], Array] = lambda values: values,
) -> Fitted:
    """Weights from a pilot.

    Args:
        text, times, request, prepared: as for ``driver.simulate``.
        needed: trajectories that the run would take without.
        equal: see ``Features``.
        average: of values (..., K), what symmetries make of them after the run.

    Raises:
        Declined: with the reason.
    """
    text = text.by(prepared.scheme)
    system = text.given
    _check(system, request, equal)
    most = int(min(CONTROLS, SHARE / PER_CONTROL * needed))
    grid = Grid.make(Schedule.of(times, prepared.even).nodes, prepared.step)

    def make(given: KernelText, on: Grid, weights: Any = None, **rest: Any) -> ControlledKernel:
        return ControlledKernel(given, on, most=most, equal=equal, weights=weights, **rest)

    kernel = make(text, grid, single=request.single, batched=np.zeros(0, np.int64))
    if 2 * kernel.kernel.pairs > NORMALS:
        raise Declined(f"a trajectory takes more than {NORMALS} normals")
    usable = kernel.usable
    D, TK = int(usable[-1]), len(usable) * text.channels
    if D * TK > NUMBERS:
        raise Declined("there are too many outputs")
    chunks = -(-PER_CONTROL * D // kernel.lanes)
    workers = request.threads or available_threads()
    compiling = kernel.compile_seconds + prepared.stats.get("compile_time", 0.0)
    how = [kernel], min(workers, chunks), partial(request.watch, compiling)
    parts = together(lambda c: kernel.trajectories(c, PILOT_SEED), range(chunks), *how)
    if not all(np.all(p[1]) for p in parts):
        raise Declined("a trajectory became non-finite")
    K = text.channels
    Y = average(np.concatenate([p[0][:, :, :K] for p in parts], axis=1))  # (T, n, K)
    F = np.concatenate([p[2] for p in parts], axis=1).astype(float)  # (D, n)
    half = F.shape[1] // 2
    trial = _weights(F[:, :half], Y[:, :half], usable)
    gain = _gain(trial, F[:, half:], Y[:, half:])
    best = float(gain[np.isfinite(gain)].max(initial=0.0))
    if not best >= LEAST_GAIN:
        raise Declined(f"a pilot found them {best:.2g} times as good as plain trajectories")
    fitted = _weights(F, Y, usable)
    fitted[:, ~(gain > 1)] = 0.0  # what they do not help stays as it is
    gain = np.where(gain < 1, 1.0, gain)
    weights = fitted.reshape(TK, D).astype(np.float32)

    def of_run(given: KernelText, on: Grid, **rest: Any) -> ControlledKernel:
        return make(given, on, weights=weights, **rest)

    steps = int(grid.nsteps.sum()) * text.work
    return Fitted(of_run, gain, F.shape[1] * steps, D, kernel.compile_seconds)


def _check(system: PhaseSpaceSystem, request: Request, equal: dict[int, bool]) -> None:
    if request.initial is not None or request.keep:
        raise Declined("they start from the model's initial state, and keep none")
    if request.kernel is not CpuKernel:
        raise Declined("they are made on the CPU")
    if system.links:
        raise Declined("links carry noise of earlier steps")
    if system.explicit or not system.noise:
        raise Declined("the method's equations are not of the kind they treat")
    if any(b.kind in (AMPLITUDES, MATRIX) for b in system.blocks):
        raise Declined("the method's equations are not of the kind they treat")
    if system.increments != "gaussian":
        raise Declined("they go with Gaussian noise")
    if any(b.count is not None and b.size not in equal for b in system.blocks):
        raise Declined("the members of an array are not equal, as those of a ring are")


def _weights(F: Array, Y: Array, usable: NDArray[np.int64]) -> Array:
    """Least squares of Y (T, n, K) on the first ``usable`` of F (D, n) at every time, (T, K, D)."""
    T, n, K = Y.shape
    gram = F @ F.T / n
    size = np.maximum(np.diag(gram), 1e-300)
    gram = gram + RIDGE * np.diag(size)
    lower = np.linalg.cholesky(gram)
    centered = Y - Y.mean(axis=1, keepdims=True)
    right = np.einsum("dn,tnk->dtk", F, centered, optimize=True) / n
    first = scipy.linalg.solve_triangular(lower, right.reshape(len(F), -1), lower=True)
    first = first.reshape(right.shape)
    out = np.zeros((T, K, len(F)))
    for d in np.unique(usable):
        at = usable == d
        if d:
            some = first[:d, at].reshape(d, -1)
            back = scipy.linalg.solve_triangular(lower[:d, :d].T, some)
            out[at, :, :d] = np.moveaxis(back.reshape(d, -1, K), 0, 2)
    return out


def _gain(weights: Array, F: Array, Y: Array) -> Array:
    """Largest variance over the outputs without controls, over that with them, (K,)."""
    left = Y - np.moveaxis(weights @ F, 1, 2)
    plain, own = (x.var(axis=1).max(axis=0) for x in (Y, left))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(plain > 0, plain / own, np.nan))
