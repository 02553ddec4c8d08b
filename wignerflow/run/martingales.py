r"""Controls of transients: sums of noise times what was known before, whose mean is zero.

With standard normals :math:`\xi_r(k)` of step k, and functions :math:`\phi_p` of the state at the
begin of window w of time,

.. math:: F_{wrp} = \phi_p(x_{t_w}) \sum_{k \in w} \xi_r(k)

has the mean zero for steps of any length, since noise of a window knows nothing of the state at
its begin; so has every normal (and its sign) of the initial state. What a regression on them
explains of an observable may be taken off without moving its mean. Weights come from a pilot, whose
trajectories are no part of the run: the trajectories of the run stay independent of each other.

The functions are 1 and the variables of subsystems; of the members of an array that are equal, sums
over members of noise times 1, x, y, z of the same member, the z of its neighbours, and products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..kernels.rng import DYNAMICS, INITIAL, LOCAL
from .nets import Declined

WINDOWS, LEAST_WINDOWS = 40, 6

Array = NDArray[Any]


@dataclass(frozen=True)
class Noise:
    """Normals of one step that belong together: rows of the table of a step.

    Attributes:
        rows: (M, rows of a member), M = 1 for what belongs to no array.
    """

    rows: NDArray[np.int64]


def noises(text: KernelText, purpose: int, sizes: frozenset[int]) -> list[Noise]:
    """The normals of a purpose; ``sizes`` of arrays whose members are equal."""
    out, at = [], 0
    for (what, name), pairs in sorted(text.layout.draws.sizes.items()):
        if what != purpose:
            continue
        rows = 2 * at + np.arange(2 * pairs)
        at += pairs
        size = max((m for m in sizes if pairs % m == 0 and pairs >= m), default=1)
        if name.endswith("\0third"):  # a normal for every member, two in a pair
            size = next((m for m in sizes if (m + 1) // 2 == pairs), 1)
            rows = rows[: size * (rows.size // size)]
        out.append(Noise(rows.reshape(size, -1)))
    return out


@dataclass(frozen=True)
class Windows:
    """Windows of time of a run on ``grid``.

    Attributes:
        grid: that of the run, with further records in between.
        outputs: which of its records are those of the run.
        edges: records at which windows begin and end, (W + 1,).
        steps, halves: at which step, and local step, windows begin, (W,).
    """

    grid: Grid
    outputs: NDArray[np.int64]
    edges: NDArray[np.int64]
    steps: NDArray[np.int64]
    halves: NDArray[np.int64]

    @staticmethod
    def of(grid: Grid, most: int) -> Windows:
        """At most ``most`` of about equal numbers of steps."""
        total = int(grid.nsteps.sum())
        pieces = np.clip(np.rint(grid.nsteps * most / total), 1, grid.nsteps).astype(int)
        both = zip(grid.nsteps, pieces, strict=True)
        nsteps = np.concatenate([np.diff(np.linspace(0, n, g + 1).astype(int)) for n, g in both])
        inner = Grid(nsteps, np.repeat(grid.hs, pieces), grid.times, grid.lengths)
        outputs = np.concatenate([[0], np.cumsum(pieces)])
        ends = np.concatenate([[0], np.cumsum(nsteps)])
        wanted = np.linspace(0, total, min(most, nsteps.size) + 1)
        edges = np.unique(np.abs(ends[:, None] - wanted).argmin(axis=0))
        steps = ends[edges[:-1]]
        return Windows(inner, outputs, edges, steps, steps + edges[:-1])

    @property
    def before(self) -> NDArray[np.int64]:
        """How many windows are over at every output, (T,)."""
        return np.searchsorted(self.edges, self.outputs, side="right") - 1


class Features:
    """The controls of a run.

    Args:
        text: the kernel whose normals stand in a table, and whose last readouts are the variables.
        grid: of the run.
        most: controls at most, about.
        equal: by size, whether members of arrays of that size stand in a ring (else any two may be
            exchanged).
    """

    def __init__(self, text: KernelText, grid: Grid, most: int, equal: dict[int, bool]):
        self.equal = equal
        sizes = frozenset(equal)
        small = text.flows is not None
        self.noise = {
            INITIAL: noises(text, INITIAL, sizes),
            DYNAMICS: noises(text, LOCAL if small else DYNAMICS, sizes),
            LOCAL: noises(text, LOCAL, sizes),
        }
        self.pairs = text.pairs
        #: By size (1: subsystems that are no arrays), where their variables are: (components, M).
        self.places: dict[int, NDArray[np.int64]] = {}
        at = 0
        for block in text.given.blocks:
            own = at + np.arange(block.size * block.components).reshape(block.components, -1)
            at += own.size
            size = 1 if block.count is None else block.size
            both = [self.places[size]] if size in self.places else []
            self.places[size] = np.concatenate([*both, own])
        functions = self._functions(np.zeros((1, at, 1)))
        every = [n for p in (DYNAMICS, LOCAL) for n in self.noise[p]]
        #: Controls of a window.
        self.each = sum(n.rows.shape[1] * functions[n.rows.shape[0]].shape[1] for n in every)
        windows = min(WINDOWS, most // max(self.each, 1))
        if windows < LEAST_WINDOWS:
            raise Declined("the run is too short for a pilot of them")
        self.windows = Windows.of(grid, windows)

    def _functions(self, states: Array) -> dict[int, Array]:
        """By size, functions (W, functions, M, lanes) of states (W, V, lanes)."""
        windows, _, lanes = states.shape
        own = {size: states[:, places] for size, places in self.places.items()}
        out = {}
        for size in {1, *self.equal}:
            parts = [np.ones((windows, 1, size, lanes), states.dtype)]
            for other, x in own.items():
                if other in (1, size):
                    parts.append(np.broadcast_to(x, (*x.shape[:2], size, lanes)))
                else:
                    mean = x.mean(axis=2, keepdims=True)
                    parts.append(np.broadcast_to(mean, (*x.shape[:2], size, lanes)))
            if self.equal.get(size):
                x = own[size]
                near = np.roll(x[:, -1:], 1, axis=2) + np.roll(x[:, -1:], -1, axis=2)
                parts += [near, x[:, :-1] * near]
            out[size] = np.concatenate(parts, axis=1)
        return out

    def __call__(self, table: Array, states: Array) -> Array:
        """Controls of the initial state, then of every window, (controls, lanes).

        Args:
            table: the normals of a run (rows, lanes).
            states: the variables at the begin of windows, of a size of about one, (W, V, lanes).
        """
        lanes = table.shape[1]
        start, step, local = (2 * p for p in self.pairs)
        steps = int(self.windows.grid.nsteps.sum())
        initial, dynamic, local_normals = np.split(table, [start, start + step * steps])
        first = [initial[n.rows].sum(axis=0) for n in self.noise[INITIAL]]
        first += [np.sign(initial[n.rows]).sum(axis=0) for n in self.noise[INITIAL]]
        functions = self._functions(states)
        parts = []  # of every kind of noise
        for purpose, normals, rows, begins in (
            (DYNAMICS, dynamic, step, self.windows.steps),
            (LOCAL, local_normals, local, self.windows.halves),
        ):
            if not rows:
                continue
            each = np.split(normals.reshape(-1, rows, lanes), begins[1:])
            sums = np.stack([x.sum(axis=0) for x in each])
            for noise in self.noise[purpose]:
                own = functions[noise.rows.shape[0]]
                # no BLAS: its threads would wait for each other
                new = np.einsum("wmrl,wpml->wrpl", sums[:, noise.rows], own)
                parts.append(new.reshape(len(new), -1, lanes))
        rest = np.concatenate(parts, axis=1).reshape(-1, lanes)
        return np.concatenate([*first, rest])
