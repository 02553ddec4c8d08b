"""Runs a printed kernel uncompiled, in NumPy lanes: whole runs, and steps under given noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wignerflow.kernels import numpy_lanes, rng
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText

SEED, INITIAL, DYNAMICS, LOCAL = (0, 0), 0, 1, 2


class _ComplexRoots:
    """``numpy`` with a square root that goes on where the real one ends."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def sqrt(x: Any) -> Any:
        return np.sqrt(np.asarray(x, complex))


def by_order() -> Callable[..., Any]:
    """Normals by the order in which a step asks for them, whatever the names behind them."""
    seen: dict[tuple[int, int], dict[int, int]] = {}

    def normal_pair(k0: Any, k1: Any, trajectory: Any, pair: Any) -> Any:
        order = seen.setdefault((int(k0), int(k1)), {})
        place = order.setdefault(int(pair), len(order))
        return rng.normal_pair_np(k0, k1, trajectory, np.uint32(place))

    return normal_pair


class LaneRun:
    """A kernel with its state, ``lanes`` trajectories wide.

    Args:
        text: the printed kernel.
        grid: the step grid.
        lanes: number of trajectories.
        normal_pair: replaces the random numbers, (key0, key1, trajectory, pair) -> two normals.
        unclipped: noise amplitudes go on analytically (to imaginary values) where a variance is
            negative, so that averages over the noise are the polynomials before clipping.
    """

    def __init__(
        self,
        text: KernelText,
        grid: Grid,
        lanes: int,
        *,
        normal_pair: Callable[..., Any] | None = None,
        unclipped: bool = False,
        edit: Callable[[str], str] = lambda source: source,
    ):
        self.text, self.grid, self.lanes = text, grid, lanes
        layout = text.layout
        dtype: Any = complex if unclipped else float
        self.scope = numpy_lanes.load(edit(text.plain()), lanes)
        if normal_pair is not None:
            self.scope["normal_pair"] = normal_pair
        if unclipped:
            self.scope.update(
                np=_ComplexRoots(),
                fmax0=lambda x: x,
                below=lambda x: 0 * x,
                pick=lambda c, a, b: np.where(c != 0, a, b),
            )
        self.v, self.q = np.zeros((2, layout.state_slots * lanes), dtype)
        self.s = np.zeros(len(layout.scratch) * lanes, dtype)
        rings = text.links.wide(grid.lengths) if text.links else 0
        self.w = np.zeros((text.wide_slots + rings) * lanes, dtype)
        self.p, self.o, self.ct, self.rows = text.tables(grid, np.float64)
        self.noise = 1.0 if text.system.noise else 0.0

    @property
    def state(self) -> np.ndarray:
        """Variables (slots, lanes)."""
        return self.v.reshape(-1, self.lanes)

    def local(self, row: int, keys: Any, t0: int = 0) -> None:
        """One local step."""
        self.scope["local"](self.v, self.s, self.w, self.p, self.o, row, np.asarray(keys), t0)

    def step(self, number: int, h: float, row: int, kd: Any, kl: Any, t0: int = 0) -> None:
        """One collective step and the local step after it."""
        ct = self.ct[number % len(self.ct)]
        kd, kl = np.asarray(kd), np.asarray(kl)
        self.scope["step"](
            self.v, self.q, self.s, self.w, self.p, self.o, ct, h, self.noise, row, kd, kl, t0
        )

    def initial(self, seed: int, t0: int = 0) -> None:
        """Draw the initial state of trajectories t0, t0 + 1, ..."""
        words = rng.run_words(seed, t0)
        k0, k1 = rng.threefry_np(*words, 0, INITIAL)
        self.scope["initial"](self.v, self.s, self.w, self.p, self.o, k0, k1, t0)

    def run(
        self, seed: int, t0: int = 0, draws: tuple[int, int, int] = (1, 1, 1), start: bool = True
    ) -> np.ndarray:
        """States at every output, (times, slots, lanes), as by the compiled ``run``."""
        words = rng.run_words(seed, t0)
        counters = {DYNAMICS: 0, LOCAL: 0}

        def keys(purpose: int, n: int) -> np.ndarray:
            steps = counters[purpose] + np.arange(n)
            counters[purpose] += n
            out = [(*rng.threefry_np(*words, step, purpose), step % 2) for step in steps]
            return np.array(out).ravel()

        if start:
            self.initial(seed, t0)
        states = [self.state.copy()]
        number = 0
        for i, (n, h) in enumerate(zip(self.grid.nsteps, self.grid.hs, strict=True)):
            first = keys(LOCAL, draws[1]) if self.text.strang else np.zeros(3, np.uint32)
            self.local(self.rows[number + i], first, t0)
            for j in range(n):
                kd = keys(DYNAMICS, draws[0])
                last = self.text.strang and j == n - 1
                kl = keys(LOCAL, draws[1] if last else draws[2])
                self.step(number, h, self.rows[number + i + 1], kd, kl, t0)
                number += 1
            states.append(self.state.copy())
        return np.array(states)

    def observe(self) -> np.ndarray:
        """Values of the readouts on the present state, (channels, lanes)."""
        out: dict[int, np.ndarray] = {}
        lanes = np.arange(self.lanes)

        def reduce(w: Any, at: int, *rest: Any) -> None:
            channel = rest[4]
            assert rest[3] == 0, "the time index was overwritten"
            assert channel not in out
            out[channel] = w[at + lanes].copy()

        self.scope.update(tally=lambda *args: None, reduce=reduce)
        none = np.zeros(0)
        self.scope["observe"](
            self.v, self.s, self.w, self.p, self.o, 0, 0, none, none, none, none, none, none
        )
        assert sorted(out) == list(range(self.text.channels_total))
        return np.array([out[k] for k in range(self.text.channels)])


def one_step(h: float) -> Grid:
    """The grid of one step of length h from time zero."""
    return Grid.make(np.array([0.0, h]), h)
