"""The pilot of a step by nets: both runs of a pair on guided noise.

The whole noise of a pair stands in units, a normal each for every quarter of a coarse step: both
tables of normals are sums of units. Directions are those of the coarse grid, units move along them
by Sobol points, and the rest has both signs; so the difference of the runs is known
better than from many times more plain trajectories.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import Crew
from ..kernels.given import LANES, GivenKernel
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from .nets import Declined, directions, given_text
from .pilot import Level, Pilot
from .statistics import BATCHES

MOST = 8  # directions
SHARE = 0.005  # of what plain trajectories take, for a pair, but not
FEWEST, MOST_WORK = 300_000, 1_500_000  # less or more: trajectories times drifts
LEAST, LARGEST = 32, 1024  # points of a net, each used with both signs


class NetPilot(Pilot):
    """Runs pairs by nets, one for every batch.

    Raises:
        Declined: nets do not treat the system.
    """

    def __init__(self, text: KernelText, *args: Any):
        super().__init__(text, *args)
        self.own = given_text(text)

    def _pair(
        self, grids: tuple[Grid, Grid], steps: int
    ) -> list[tuple[int, NDArray[np.float64]]] | None:
        """Trajectories and batch sums of the coarse and the fine run; plain ones of long runs."""
        try:
            return self._nets(grids)
        except Declined:
            return super()._pair(grids, steps)

    def _nets(self, grids: tuple[Grid, Grid]) -> list[tuple[int, NDArray[np.float64]]] | None:
        """The same by nets."""
        none = np.zeros(0, np.int64)
        kernels = [GivenKernel(self.own, g, single=self.single, batched=none) for g in grids]
        self.compiling += sum(k.compile_seconds for k in kernels)
        draws = self.text.pilot_draws
        sums = [units(self.own, g, d) for g, d in zip(grids, draws, strict=True)]
        drifts = sum(int(g.nsteps.sum()) for g in grids) * self.own.work
        work = np.clip(SHARE * self.needed * drifts, FEWEST, MOST_WORK)
        points = 1 << int(np.clip(work / (2 * BATCHES * drifts), LEAST, LARGEST)).bit_length() - 1
        K, n = self.text.channels, 2 * points
        fine_of_coarse = (sums[1] @ sums[0].T).tocsr()
        with Crew(self.wanted.threads, lambda: self.wanted.watch(self.compiling)) as crew:
            found = directions(self.own, grids[0], K, MOST, crew, self.single)
            G = found.G

            def net(number: int) -> list[NDArray[np.float64]]:
                rng = np.random.default_rng([self.seed, 0x70696C, number])
                out = [np.zeros((g.nsteps.size + 1, K)) for g in grids]
                for z in found.points(rng, points, len(G)):
                    x = rng.standard_normal((sums[0].shape[1], LANES))
                    tables = [A @ x for A in sums]
                    # no BLAS: its threads would wait for each other
                    shift = np.einsum("rd,rl->dl", G, z - np.einsum("rd,dl->rl", G, tables[0]))
                    along = np.einsum("rd,rl->dl", G, z)
                    every = ((shift, along), (fine_of_coarse @ shift, fine_of_coarse @ along))
                    for k, kernel in enumerate(kernels):
                        first = tables[k] + every[k][0]
                        for table in (first, 2 * every[k][1] - first):
                            mean = kernel.run_table(0, 0, *NOTHING, table)[1]
                            out[k] += LANES * mean[0, :, :K]
                return out

            nets = crew.map(net, range(BATCHES), kernels)
        self.work += found.work + BATCHES * n * drifts
        both = [np.stack([x[k] for x in nets], axis=1) for k in range(2)]
        if not all(np.all(np.isfinite(x)) for x in both):
            return None
        return [(BATCHES * n, x) for x in both]

    def _judged(self, *args: Any) -> Level:
        """Differences and what is allowed; nets say nothing on how many plain trajectories."""
        needed = self.needed
        level = super()._judged(*args)
        self.needed = level.needed = needed
        return level


NOTHING = np.zeros((0, 0)), np.zeros((0, 0, LANES))


def units(text: KernelText, grid: Grid, draws: tuple[int, int, int]) -> Any:
    """The rows of a table of normals as sums of units, (rows, units); its own rows orthonormal."""
    pairs = [2 * number for number in text.pairs]
    step, half, full = draws
    kicks = [c for n in grid.nsteps.tolist() for c in (half, *[full] * (n - 1), half)]
    parts = [
        scipy.sparse.identity(pairs[0]),
        _sums([step] * int(grid.nsteps.sum()), pairs[1]),
        _sums(kicks, pairs[2]),
    ]
    return scipy.sparse.block_diag([p for p in parts if min(p.shape)], format="csr")


def _sums(counts: list[int], width: int) -> Any:
    """Sums of ``counts`` successive units each, over the root of that, of every number."""
    rows = np.repeat(np.arange(len(counts)), counts)
    values = 1 / np.sqrt(np.repeat(np.asarray(counts, float), counts))
    one = scipy.sparse.csr_matrix((values, (rows, np.arange(rows.size))))
    return scipy.sparse.kron(one, scipy.sparse.identity(width), format="csr")
