"""Kernels whose normals stand in a table: guided sampling hands in where the noise goes.

The table lies behind the parameters in ``p``: a row of lanes for every normal of a run, in the
order initial state, collective steps, local steps. Chunks come in pairs. For the first of a pair
the table is drawn, and its coordinates along r orthonormal directions G are set to z,

    x = xi + G^T (z - G xi),

for the second the rest changes sign: x' = 2 G^T z - x, that is G^T z - (xi - G^T G xi). Or the
caller fills it, or it is drawn for one chunk as it is, and handed back. All else is the same text
as without a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import rng
from .cpu import CpuKernel
from .grid import Grid
from .module import KernelText

#: A chunk: few, so that a table stays in the cache.
LANES = 32
#: Where a table comes from.
PAIRS, GIVEN, DRAWN = range(3)
#: Purpose of the base normals.
GUIDED = 5

GIVEN_RUN = """
def draw(p, x0, pairs, seed0, seed1, t0):
    for r in range(pairs):
        ka, kb = threefry(seed0, seed1, U(r), U(GUIDED))
        at = (x0 + 2 * r * LN) & FAR
        for l in range(LN):
            n0, n1 = normal_pair(ka, kb, U(t0 + l), U(0))
            p[at + l] = n0
            p[at + LN + l] = n1


def guide(p, x0, rows, g, z, zat, c, directions):
    for a in range(directions):
        ia = (a * LN) & FAR
        iz = (zat + a * LN) & FAR
        for l in range(LN):
            c[ia + l] = z[iz + l]
        for d in range(rows):
            weight = g[a * rows + d]
            at = (x0 + d * LN) & FAR
            for l in range(LN):
                c[ia + l] -= weight * p[at + l]
    for a in range(directions):
        ia = (a * LN) & FAR
        for d in range(rows):
            weight = g[a * rows + d]
            at = (x0 + d * LN) & FAR
            for l in range(LN):
                p[at + l] += weight * c[ia + l]


def mirror(p, x0, rows, g, z, zat, directions):
    for d in range(rows):
        at = (x0 + d * LN) & FAR
        for l in range(LN):
            p[at + l] = F(-1) * p[at + l]
    for a in range(directions):
        iz = (zat + a * LN) & FAR
        for d in range(rows):
            weight = F(2) * g[a * rows + d]
            at = (x0 + d * LN) & FAR
            for l in range(LN):
                p[at + l] += weight * z[iz + l]


def run(first: "i64", chunks: "i64", seed0: "u32", seed1: "u32", v: "F[]", q: "F[]", s: "F[]",
        w: "F[]", p: "F[]", o: "i64[]", ct: "F[][]", nsteps: "i64[]", hs: "F[]", rows: "i64[]",
        kd: "u32[]", kl: "u32[]", noise: "F", count: "i64[][]", mean: "f64[][][]",
        m2: "f64[][][]", bcount: "i64[][][]", bsum: "f64[][][][]", bmap: "i64[]",
        clips: "f64[]", places: "i64[]", g: "F[]", z: "F[]", scratch: "F[]", leave: "i64[]"):
    # places: begin of the table, pairs of initial state, collective and local step, of the run,
    # directions, and whether pairs of chunks are guided (0), the table is as it should be (1), or
    # is drawn as it is (2)
    x0 = places[0]
    pairs = places[4]
    directions = places[5]
    for c in range(chunks):
        t0 = (first + c) // 2 * LN
        if places[6] == 0:
            zat = c // 2 * directions * LN
            if c % 2 == 0:
                draw(p, x0, pairs, seed0, seed1, t0)
                guide(p, x0, 2 * pairs, g, z, zat, scratch, directions)
            else:
                mirror(p, x0, 2 * pairs, g, z, zat, directions)
        if places[6] == 2:
            t0 = (first + c) * LN
            draw(p, x0, pairs, seed0, seed1, t0)
        initial(v, s, w, p, o, U(0), U(0), t0)
        for l in range(LN):
            s[ALIVE * LN + l] = F(1)
            s[CLIP * LN + l] = F(0)
        number = 0
        dynamic = places[1]
        counter = places[7]
        for i in range(nsteps.size + 1):
            if fresh(leave[0]) != 0:
                break
            if i > 0:
                h = hs[i - 1]
                kl[0] = U(counter)
                counter += places[3]
                local(v, s, w, p, o, rows[number + i - 1], kl, t0)
                for j in range(nsteps[i - 1]):
                    kd[0] = U(dynamic)
                    kl[0] = U(counter)
                    dynamic += places[2]
                    counter += places[3]
                    row = rows[number + i]
                    now = ct[number % ct.shape[0]]
                    step(v, q, s, w, p, o, now, h, noise, row, kd, kl, t0)
                    number += 1
                    if fresh(leave[0]) != 0:
                        break
            observe(v, s, w, p, o, c, i, count, mean, m2, bcount, bsum, bmap)
        total = 0.0
        for l in range(LN):
            total += np.float64(s[CLIP * LN + l])
        clips[c] = total
"""


class GivenKernel(CpuKernel):
    """A kernel whose normals stand in a table, for ``KernelText(..., given=True)``."""

    def __init__(self, text: KernelText, grid: Grid, *, single: bool, batched: NDArray[np.int64]):
        super().__init__(text, grid, single=single, batched=batched, lanes=LANES)

    def _source(self, text: KernelText, single: bool) -> str:
        steps = int(self.nsteps.sum())
        halves = steps + self.nsteps.size
        own = text.pairs
        dynamic = own[0]
        local = dynamic + own[1] * steps
        self.pairs = local + own[2] * halves
        text.place_table(self.o, self.p.size)
        self.places = [self.p.size, dynamic, own[1], own[2], self.pairs]
        self.first_local = local
        return text.module(single, self.lanes, GIVEN_RUN, {"GUIDED": GUIDED})

    def run_table(
        self,
        first: int,
        seed: int,
        directions: NDArray[Any],
        z: NDArray[Any],
        table: NDArray[Any] | None = None,
    ) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Pairs of chunks from number ``first`` (of pairs) on.

        Args:
            directions: (r, 2 pairs), orthonormal.
            z: (chunk pairs, r, lanes).
            table: (2 pairs, lanes) to run as it stands, once, in place of them.

        Returns:
            count (C, T), mean and m2 (C, T, K), batch sums (C, T, 32, Kb) of 2 chunks per pair.
        """
        x = np.zeros(2 * self.pairs * self.lanes, self.dtype) if table is None else table.ravel()
        p = np.concatenate([self.p, x.astype(self.dtype)])
        chunks, how = (1, GIVEN) if table is not None else (2 * len(z), PAIRS)
        return self._run_with(p, 2 * first, chunks, how, seed, directions, z)[:4]

    def run_drawn(
        self, chunk: int, seed: int
    ) -> tuple[NDArray[Any], NDArray, NDArray[np.int64], float]:
        """Chunk number ``chunk`` with plain normals.

        Returns:
            its table (2 pairs, lanes), values (T, lanes, Kb) of every trajectory, whether each
            counts (T, lanes), and how many diffusions were clipped.
        """
        p = np.empty(self.p.size + 2 * self.pairs * self.lanes, self.dtype)
        p[: self.p.size] = self.p
        none = np.zeros((0, 0)), np.zeros((0, 0, self.lanes))
        _, _, _, sums, groups, clips = self._run_with(p, chunk, 1, DRAWN, seed, *none)
        return p[self.p.size :].reshape(-1, self.lanes), sums[0], groups[0], float(clips[0])

    def _run_with(
        self,
        p: NDArray[Any],
        first: int,
        chunks: int,
        how: int,
        seed: int,
        directions: NDArray[Any],
        z: NDArray[Any],
    ) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray, NDArray]:
        """Count, mean, m2, batch sums and counts, clips, with parameters and table in ``p``."""
        n, T, K, Kb = self.lanes, self.nsteps.size + 1, self.channels, self.batched.size
        places = np.array([*self.places, len(directions), how, self.first_local], np.int64)
        k0, k1 = rng.seed_words(seed)
        count, groups = np.zeros((chunks, T), np.int64), np.zeros((chunks, T, 32), np.int64)
        mean, m2 = np.zeros((2, chunks, T, K))
        sums, clips = np.zeros((chunks, T, Kb, 32)), np.zeros(chunks)
        v, q, s, w = (
            np.zeros(m * n, self.dtype)
            for m in (self.state_slots, self.state_slots, self.scratch, self.wide_slots)
        )
        arguments = (
            first, chunks, k0, k1, v, q, s, w, p, self.o, self.ct, self.nsteps, self.hs,
            self.rows, np.zeros(3, np.uint32), np.zeros(3, np.uint32), self.dtype(self.noise),
            count, mean, m2, groups, sums, self.bmap, clips, places,
            np.ascontiguousarray(directions, self.dtype).ravel(),
            np.ascontiguousarray(z, self.dtype).ravel(),
            np.zeros(max(1, len(directions)) * n, self.dtype), self.leave,
        )  # fmt: skip
        self._run(arguments)
        return count, mean, m2, np.swapaxes(sums, 2, 3), groups, clips
