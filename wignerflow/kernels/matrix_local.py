"""The local step of a block of Hermitian matrices: tables of numbers, and the lines that use them.

New variables are linear in the old, and so is the covariance of the noise; only what can be other
than zero for some rates has a place in the tables and in the text. This is the step of two levels,
of clusters, which share the factor of a covariance, and without noise; others: ``matrix_low``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..compiler.loops import Loop
from ..phasespace.matrices import covariance, covariance_at, imaginary_part, real_part
from ..phasespace.system import MatrixInitial
from .capped import SMALL, Entries, capped_noise
from .matrix_loops import PRINTED, LocalLoops, Stepping
from .rng import LOCAL
from .text import Lines, fill, nested

if TYPE_CHECKING:
    from ..phasespace.system import MatrixStep
    from .layout import Layout

#: Entries below this share of the largest vanish in exact arithmetic.
NOTHING = 1e-12


class MatrixLocal:
    """Prints the local step of block k.

    Args:
        layout: of the kernel.
        step: generators ``parts`` = (rate, where, G) of the block, see ``phasespace.matrices``.
    """

    share = 1.0  # of a step, in which the table's flow acts
    shared = False  # a factor stands in the table that is the same for all trajectories
    #: Variables whose noise has a covariance of its own in the table, and what it depends on.
    entries: Sequence[tuple[int, int, NDArray[np.int64]]] = ()

    def __init__(self, layout: Layout, step: MatrixStep):
        self.layout, self.step, self.k = layout, step, step.block
        block = layout.blocks[self.k]
        self.levels = block.levels
        flow, self.noisy = self._structure()
        self.flow = [np.flatnonzero(column) for column in flow.T]
        self.kept: list[bool] = [  # variables that do not move
            bool(rows.size == 1 and rows[0] == j and not self.moves[j])
            for j, rows in enumerate(self.flow)
        ]
        moving = sum(rows.size for j, rows in enumerate(self.flow) if not self.kept[j])
        self.moving = moving
        self.width = moving + self._plan()
        self.first = ""
        if self.pairs:
            self.first = layout.draws.first(LOCAL, block.name, self.pairs * block.size)
        for i in range(2 * self.pairs):  # in one piece
            layout.s(f"local{self.k}_{i}")
        self.loops = self._loops()

    def _plan(self) -> int:
        """Variables with noise and what their covariance depends on; numbers in the table."""
        populations = [real_part(a, a) for a in range(self.levels)]
        self.spread = [i for i in populations if self.noisy[i, i].any()]
        #: Variables with noise of their own, in groups: both parts of coherences, then populations
        #: but the last, whose noise is minus the sum of theirs.
        self.groups = [*self._coherences(), *((i,) for i in self.spread[:-1])]
        self.order = [i for group in self.groups for i in group]
        self.entries = [
            (i, j, np.flatnonzero(self.noisy[i, j]))
            for at, i in enumerate(self.order)
            for j in self.order[: at + 1]
            if i == j or self.noisy[i, j].any()
        ]
        self.shared = self.step.shared is not None and bool(self.order)
        size = len(self.order)
        self.pairs = (size + 1) // 2
        if self.shared:  # the lower triangle of a factor
            return size * (size + 1) // 2
        return sum(m.size for _, _, m in self.entries)

    @property
    def numbers(self) -> int:
        """Of the matrices of which a row is made."""
        return int(self.levels ** (6 if self.entries else 4))

    def _loops(self) -> Stepping | None:
        """Prints the step of many levels."""
        return LocalLoops(self) if self.levels > PRINTED else None

    def _structure(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which entries of flow and covariance are not zero for some rates."""
        rng = np.random.default_rng(0)
        n = self.levels**2
        flow, noise = np.zeros((n, n), bool), np.zeros((n, n, n), bool)
        self.moves = np.zeros(n, bool)
        for _ in range(2):
            G = sum(
                (rng.uniform(0.5, 1.5) * G / np.abs(G).max() for *_, G in self.step.parts),
                np.zeros((n, n)),
            )
            self.moves |= np.any(np.abs(G) > NOTHING, axis=0)
            one = scipy.linalg.expm(0.3 * G)
            flow |= np.abs(one) > NOTHING * np.abs(one).max()
            if self.layout.system.noise:
                C = covariance(one)
                noise |= np.abs(C) > NOTHING * max(np.abs(C).max(), NOTHING)
        return flow, noise

    def _coherences(self) -> list[tuple[int, ...]]:
        """Coherences with noise, those first whose variance is large: beside occupied levels."""
        spec = self.layout.system.initial[self.k]
        assert isinstance(spec, MatrixInitial)
        pairs = [(a, b) for b in range(self.levels) for a in range(b)]
        pairs.sort(key=lambda pair: -int(spec.occupied[list(pair)].sum()))
        both = [(real_part(a, b), imaginary_part(a, b)) for a, b in pairs]
        return [tuple(i for i in pair if self.noisy[i, i].any()) for pair in both]

    # -- tables --------------------------------------------------------------------------------

    def rows(
        self,
        rates: NDArray[np.float64],
        lengths: NDArray[np.float64],
        flows: NDArray[np.float64],
        starts: NDArray[np.float64],
        place: NDArray[np.int64],
        noise: bool,
    ) -> NDArray[np.float64]:
        """The table rows of steps, (steps, members, width).

        Args:
            rates: of every different step, (different, parts).
            lengths: theirs.
            flows: of the means in ``share`` of it, (different, d^2, d^2).
            starts: of the steps.
            place: which of them a step of a member is, (steps, members).
            noise: whether there is any.
        """
        own = self._noise_columns(rates, lengths, flows, noise)
        rows: NDArray[np.float64] = np.column_stack([self._moving(flows), *own])[place]
        if self.shared:
            factors = self._factors(flows, starts, place, noise)
            rows = np.concatenate([rows, factors], axis=-1)
        return rows

    def _moving(self, flows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers of the means' flows, (different, numbers)."""
        moving = [flows[:, own, j] for j, own in enumerate(self.flow) if not self.kept[j]]
        return np.concatenate([*moving, np.zeros((len(flows), 0))], axis=1)

    def _noise_columns(
        self,
        rates: NDArray[np.float64],
        lengths: NDArray[np.float64],
        flows: NDArray[np.float64],
        noise: bool,
    ) -> list[NDArray[np.float64]]:
        """The numbers of the noise that follow from a step alone, (different,) or more of each."""
        if self.shared or not self.entries:
            return []
        C = covariance(flows) * float(noise)
        return [C[:, i, j, m] for i, j, m in self.entries]

    def _factors(
        self,
        flows: NDArray[np.float64],
        starts: NDArray[np.float64],
        place: NDArray[np.int64],
        noise: bool,
    ) -> NDArray[np.float64]:
        """Factors of the noise at the mean of all trajectories, (steps, members, numbers)."""
        mean, lower = self.step.shared, np.tril_indices(len(self.order))
        assert mean is not None
        out = np.zeros((*place.shape, lower[0].size))
        for step in range(len(starts) if noise else 0):
            values = mean.at(float(starts[step]))
            for u in np.unique(place[step]):
                members = np.flatnonzero(place[step] == u)
                C = covariance_at(flows[u], values[members])[:, self.order][:, :, self.order]
                out[step, members] = capped_factor(C)[:, lower[0], lower[1]]
        return out

    # -- text ----------------------------------------------------------------------------------

    def load(self, base: str) -> list[str]:
        """Scalar loads of a table row that begins at ``base``."""
        if self.loops is not None:
            return []
        return [f"L{self.k}_{i} = p[{base} + {i}]" for i in range(self.width)]

    def noise(self, m: str, out: Lines) -> None:
        """Normals of member m into scratch."""
        first = self.layout.scratch.get(f"local{self.k}_0", 0)
        if self.pairs and self.layout.loops.registers:
            for j in range(self.pairs):
                slots = [self.layout.s(f"local{self.k}_{2 * j + i}") for i in range(2)]
                fill(out, "kl", f"{self.first} + {m} * {self.pairs} + {j}", slots)
        elif self.pairs:
            loop = nested(out, f"for pair in range({self.pairs}):")
            loop += [f"at = ({first} + 2 * pair) * LN & FAR"]
            fill(
                loop,
                "kl",
                f"{self.first} + {m} * {self.pairs} + pair",
                ["s[at + l]", "s[at + LN + l]"],
            )

    def read_noise(self) -> list[str]:
        """In lane: the normals by name."""
        if self.loops is not None:
            return []
        names = [f"n{self.k}_{i}" for i in range(len(self.order))]
        return [f"{n} = {self.layout.s(f'local{self.k}_{i}')}" for i, n in enumerate(names)]

    def lines(self, x: list[str], y: list[str]) -> Lines:
        """In lane: names ``y`` from names ``x``, normals and loaded numbers."""
        if self.loops is not None:
            return self.loops.lines(x, y)
        k, at = self.k, 0
        means: list[str] = []
        for j, rows in enumerate(self.flow):
            if self.kept[j]:
                means.append(x[j])
                continue
            means.append(" + ".join(f"L{k}_{at + e} * {x[i]}" for e, i in enumerate(rows)))
            at += rows.size
        if self.shared:
            return self._shared_lines(means, at, y)
        entries: Entries = {}
        for i, j, variables in self.entries:
            text = " + ".join(f"L{k}_{at + e} * {x[m]}" for e, m in enumerate(variables))
            entries[i, j] = text or f"F(0) * {x[i]}"
            at += variables.size
        lines: list[str] = []
        noise: dict[int, str] = {}
        if self.order:
            normals = [f"n{k}_{i}" for i in range(len(self.order))]
            clip = self.layout.clip(k)
            lines, noise = capped_noise(f"c{k}", self.groups, entries, normals, clip)
        return self._ends(means, noise, lines, y)

    def _shared_lines(self, means: list[str], at: int, y: list[str]) -> list[str]:
        """The same with a factor from the table, its entries from number ``at`` on."""
        k, noise = self.k, {}
        for row, i in enumerate(self.order):
            first = at + row * (row + 1) // 2
            terms = [f"L{k}_{first + q} * n{k}_{q}" for q in range(row + 1)]
            noise[i] = " + ".join(terms)
        return self._ends(means, noise, [], y)

    def _ends(
        self, means: list[str], noise: dict[int, str], lines: list[str], y: list[str]
    ) -> list[str]:
        """New variables from means and noise; that of the last population is what others lack."""
        k = self.k
        if self.spread[:-1]:
            lines += [f"c{k}z{i} = {noise[i]}" for i in self.spread[:-1]]
            noise |= {i: f"c{k}z{i}" for i in self.spread[:-1]}
            noise[self.spread[-1]] = f"(-({' + '.join(f'c{k}z{i}' for i in self.spread[:-1])}))"
        parts = ([mean, noise[j]] if j in noise else [mean] for j, mean in enumerate(means))
        return lines + [f"{y[j]} = {' + '.join(p)}" for j, p in enumerate(parts)]


def capped_factor(C: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower triangular F with F F^T = C where C is no less than zero, capped else; (members, n, n).

    Without LAPACK, whose last digits may depend on the number of its threads.
    """
    A = np.ascontiguousarray((C + C.swapaxes(-1, -2)) / 2)
    whole = np.ascontiguousarray(np.maximum(np.diagonal(A, axis1=-2, axis2=-1), 0))
    F = np.zeros_like(A)
    _factor(A, whole, whole.copy(), F)
    return F


@Loop
def _factor(A: Any, whole: Any, left: Any, F: Any) -> None:
    """F of A, both (members, n, n), with variances ``whole``; ``left`` begins as these."""
    n = A.shape[1]
    for m in range(A.shape[0]):
        for q in range(n):
            root = np.sqrt(left[m, q])
            F[m, q, q] = root
            if root > 0.0:
                for i in range(q + 1, n):
                    x = A[m, i, q]
                    for p in range(q):
                        x -= F[m, i, p] * F[m, q, p]
                    bound = np.sqrt(left[m, i])
                    x = min(max(x / root, -bound), bound)
                    F[m, i, q] = x
                    rest = left[m, i] - x * x
                    left[m, i] = rest if rest > SMALL * whole[m, i] else 0.0
