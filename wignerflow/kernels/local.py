"""Local steps of ensembles: tables of numbers and the lines that use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..phasespace.system import LocalStep, MatrixStep
from .capped import SMALL, clamp
from .grid import distinct
from .layout import Layout
from .matrix_local import MatrixLocal
from .matrix_low import MatrixLow
from .rng import LOCAL
from .text import LANE_LOOP, Lines, Values, fill, fill_one, nested, table_values

AXIAL, GENERAL = 8, 24  # numbers per row of a local table
TOGETHER = 10_000  # rows, times members, that are made at a time
NUMBERS = 2**21  # of matrices that are made at a time
LAST = 4.0  # a variance so many times smaller than both others is factorised last
CLIP_TOLERANCE = 1e-4  # a pivot below -CLIP_TOLERANCE * N/4 counts as clipped (less is rounding)


@dataclass(frozen=True)
class Interval:
    """A local step in time, or several, of shape (steps, 1): rates are averaged over each.

    See ``Coef.average``.
    """

    start: Any
    length: Any
    panels: int = 1

    def rate(self, rate: NDArray[np.float64] | Coef, size: int) -> NDArray[np.float64]:
        """A rate of ``size`` members, (..., size)."""
        if isinstance(rate, Coef):
            value = rate.average(self.start, self.length, self.panels).real
            return np.maximum(value, 0.0) * np.ones(size)  # negative by rounding
        return rate


def generator(step: LocalStep, when: Interval) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lambda (..., size, 3, 3) and c (..., size, 3) on average over an interval, or several."""
    shape = (*np.shape(when.start)[:-1], step.numbers.size)
    lam, c = np.zeros((*shape, 3, 3)), np.zeros((*shape, 3))
    for rate, part_lam, part_c in step.parts:
        value = when.rate(rate, step.numbers.size)
        lam += value[..., None, None] * part_lam
        c += value[..., None] * part_c
    return lam, c


def is_axial(step: LocalStep) -> bool:
    """True if every channel keeps the z axis: Lambda = diag(a, a, b), c along z."""
    for _, lam, c in step.parts:
        off = lam - np.stack([np.diag(np.diag(x)) for x in lam])
        scale = np.abs(lam).max() or 1.0
        if (
            max(
                np.abs(off).max(), np.abs(lam[:, 0, 0] - lam[:, 1, 1]).max(), np.abs(c[:, :2]).max()
            )
            > 1e-13 * scale
        ):
            return False
    return True


def is_constant(step: LocalStep | MatrixStep) -> bool:
    """True if no rate, nor a mean that noise is made from, depends on time."""
    if isinstance(step, MatrixStep) and step.shared is not None:
        return False
    return not any(isinstance(part[0], Coef) for part in step.parts)


def exponential(A: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp of small matrices (..., n, n), by a Taylor series of A/2^s and s squarings.

    One call serves many matrices, without LAPACK: time-dependent rates need one per step.
    """
    size = float(np.abs(A).sum(axis=-1).max(initial=0.0))
    squarings = max(0, int(np.ceil(np.log2(size))) + 2) if size > 0 else 0
    A = A / 2.0**squarings  # norm at most 1/4: 13 terms leave 1e-19
    one = np.eye(A.shape[-1])
    out = one + A / 13
    for k in range(12, 0, -1):
        out = one + A @ out / k
    for _ in range(squarings):
        out = out @ out
    return out


def step_moments(
    lam: NDArray[np.float64], c: NDArray[np.float64], h: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """M (..., size, 3, 3) and d of steps of length h, (..., 1), for such generators."""
    generator = np.zeros((*lam.shape[:-2], 4, 4))
    generator[..., :3, :3] = -lam
    generator[..., :3, 3] = c
    flow = exponential(generator * np.asarray(h)[..., None, None])
    return flow[..., :3, :3], flow[..., :3, 3]


def rows(step: LocalStep, axial: bool, when: Interval, noise: bool) -> NDArray[np.float64]:
    """Rows of the table of a step, or of several: (..., size, AXIAL) or (..., size, GENERAL)."""
    N, strength = step.numbers, float(noise)
    M, d = step_moments(*generator(step, when), when.length)
    tolerance = CLIP_TOLERANCE * N / 4
    if axial:
        u, v, dz = M[..., 0, 0], M[..., 2, 2], d[..., 2]
        a = strength * np.sqrt(N / 4 * np.maximum(1 - u**2, 0))
        xz = np.divide(-0.5 * u * dz, a, out=np.zeros_like(a), where=a > 0)
        zz = strength * N / 4 * (1 - v**2 - dz**2)
        columns = [u, v, N / 2 * dz, a, xz, zz, -strength * v * dz, tolerance]
        return np.stack(np.broadcast_arrays(*columns), axis=-1)
    C = np.eye(3) - M @ M.swapaxes(-1, -2) - d[..., :, None] * d[..., None, :]
    C *= strength * N[:, None, None] / 4
    i, j = np.tril_indices(3)
    out = np.zeros((*d.shape[:-1], GENERAL))
    out[..., :9] = M.reshape(*d.shape[:-1], 9)
    out[..., 9:12], out[..., 12:18] = strength * d, C[..., i, j]
    out[..., 18:21], out[..., 21] = N[:, None] / 2 * d, tolerance
    return out


class LocalPrinter:
    """Prints the local steps of a system."""

    #: Whether local steps have successive numbers: two of them may share normals.
    counted = True

    def __init__(self, layout: Layout):
        self.layout = layout
        self.steps = {step.block: step for step in layout.system.local}
        self.spins = {k: s for k, s in self.steps.items() if isinstance(s, LocalStep)}
        self.axial = {k: is_axial(step) for k, step in self.spins.items()}
        # per block: offset of the table in p, members per row, stride per member
        parameters = layout.parameters
        self.slots = {}
        for k in self.steps:
            self.slots[k] = parameters.table()
        self.pairs = {k: self._reserve(k) for k in self.spins}
        #: Blocks of matrices have a printer each.
        self.matrices = {
            k: (MatrixLow if s.low else MatrixLocal)(layout, s)
            for k, s in self.steps.items()
            if isinstance(s, MatrixStep)
        }

    def _reserve(self, k: int) -> tuple[str, ...]:
        """Pair numbers: of the first two components of every member, and of the third of two."""
        draws, block = self.layout.draws, self.layout.blocks[k]
        own = draws.first(LOCAL, block.name, block.size)
        return own, draws.first(LOCAL, f"{block.name}\0third", (block.size + 1) // 2)

    def tables(
        self, starts: NDArray[np.float64], lengths: NDArray[np.float64], panels: int, noise: bool
    ) -> tuple[Values, NDArray[np.int64]]:
        """The tables for local steps, and the row of each."""
        if all(is_constant(step) for step in self.steps.values()):
            lengths, rows = distinct(lengths)
            starts = np.zeros_like(lengths)
        else:
            rows = np.arange(lengths.size)
        values: Values = {}
        for k, names in self.slots.items():
            values |= table_values(names, self._table(k, starts, lengths, panels, noise))
        return values, rows.astype(np.int64)

    def _table(
        self,
        k: int,
        starts: NDArray[np.float64],
        lengths: NDArray[np.float64],
        panels: int,
        noise: bool,
    ) -> NDArray[np.float64]:
        """Table rows of block k for steps, (steps, members, width)."""
        size, out = self.layout.blocks[k].size, []
        most, rows = TOGETHER, self.rows
        if k in self.matrices:
            most, rows = NUMBERS // self.matrices[k].numbers, self._matrix_rows
        some = max(1, most // size)
        for first in range(0, starts.size, some):
            t, h = (x[first : first + some, None] for x in (starts, lengths))
            out.append(rows(k, Interval(t, h, panels), noise))
        return np.concatenate(out)

    def _matrix_rows(self, k: int, when: Interval, noise: bool) -> NDArray[np.float64]:
        """Table rows of matrices, (steps, members, width); the same rates and length share one."""
        own, shape = self.matrices[k], (len(when.start), self.layout.blocks[k].size)
        lengths, which = distinct(when.length[:, 0])
        parts = own.step.parts
        keys = [where * when.rate(rate, shape[1]) for rate, where, _ in parts]
        keys.append(lengths[which][:, None])
        table = np.stack([np.broadcast_to(key, shape) for key in keys], axis=-1)
        table, place = np.unique(table.reshape(-1, len(keys)), axis=0, return_inverse=True)
        rates, length = table[:, :-1], table[:, -1]
        G = np.tensordot(rates, np.stack([G for *_, G in parts]), 1)
        flows = exponential(own.share * length[:, None, None] * G)
        return own.rows(rates, length, flows, when.start[:, 0], place.reshape(shape), noise)

    def rows(self, k: int, when: Interval, noise: bool) -> NDArray[np.float64]:
        """Table rows of spins, (steps, members, width)."""
        return rows(self.spins[k], self.axial[k], when, noise)

    def width(self, k: int) -> int:
        """Numbers per table row and member."""
        if k in self.matrices:
            return self.matrices[k].width
        return AXIAL if self.axial[k] else GENERAL

    def load(self, k: int, m: str) -> list[str]:
        """Scalar loads of the table row ``lr`` of block k, member m."""
        offset, members, stride = self.slots[k]
        out = [f"b{k} = {offset} + (lr * {members} + {m} * {stride}) * {self.width(k)}"]
        if k in self.matrices:
            return out + self.matrices[k].load(f"b{k}")
        return out + [f"L{k}_{i} = p[b{k} + {i}]" for i in range(AXIAL if self.axial[k] else 22)]

    def noise_single(self, k: int, out: Lines) -> None:
        """Normals of a single block into scratch; where steps are counted as one row, two share a
        pair for the third.
        """
        if k in self.matrices:
            self.matrices[k].noise("0", out)
            return
        slots = self.layout.slots(f"local{k}", 4)
        fill(out, "kl", self.pairs[k][0], slots[:2])
        if self.counted:
            fill_one(out, "kl", self.pairs[k][1], *slots[2:])
        else:
            fill(out, "kl", self.pairs[k][1], slots[2:3])

    def noise_member(self, k: int, out: Lines) -> None:
        """Normals of member m into scratch; two members share a pair for the third component."""
        if k in self.matrices:
            self.matrices[k].noise("m", out)
            return
        one, two = self.pairs[k]
        slots = self.layout.slots(f"local{k}", 4)
        third, spare = slots[2:]
        loop = nested(out, "if m % 2 == 0:")
        fill(loop, "kl", f"{two} + m // 2", [third, spare])
        out += ["else:", [LANE_LOOP, [f"{third} = {spare}"]]]
        fill(out, "kl", f"{one} + m", slots[:2])

    def read_noise(self, k: int) -> list[str]:
        """In lane: the normals by name."""
        if k in self.matrices:
            return self.matrices[k].read_noise()
        return [f"n{k}_{i} = {slot}" for i, slot in enumerate(self.layout.slots(f"local{k}", 3))]

    def lines(self, k: int, x: list[str], y: list[str]) -> Lines:
        """In lane: names ``y`` from names ``x``, normals n{k}_i and loaded numbers L{k}_i."""
        if k in self.matrices:
            return self.matrices[k].lines(x, y)
        c = [f"L{k}_{i}" for i in range(GENERAL)]
        n0, n1, n2 = (f"n{k}_{i}" for i in range(3))
        clip = self.layout.clip(k)
        if self.axial[k]:
            u, v, drift, width, xz, zz, zslope, tol = c[:8]
            return [
                f"ex = {xz} * {x[0]}",
                f"ey = {xz} * {x[1]}",
                f"dd = {zz} + {zslope} * {x[2]} - ex * ex - ey * ey",
                f"{clip} += below(dd + {tol})",
                f"ez = np.sqrt(fmax0(dd)) * {n2}",
                f"{y[2]} = {v} * {x[2]} + {drift} + ex * {n0} + ey * {n1} + ez",
                f"{y[0]} = {u} * {x[0]} + {width} * {n0}",
                f"{y[1]} = {u} * {x[1]} + {width} * {n1}",
            ]
        M, d, C, shift, tol = c[0:9], c[9:12], c[12:18], c[18:21], c[21]
        out = [
            f"m{a} = " + " + ".join(f"{M[3 * a + b]} * {x[b]}" for b in range(3)) for a in range(3)
        ]
        lower = [(row, column) for row in range(3) for column in range(row + 1)]
        for e, (a, b) in enumerate(lower):
            out.append(f"v{a}{b} = {C[e]} - F(0.5) * (m{a} * {d[b]} + m{b} * {d[a]})")
        out += [
            # what is clearly the smallest variance comes last: its column must not decide about
            # the two large ones, whose covariance is that of amplitudes which grow from noise
            f"vo0 = below(F({LAST}) * v00 - v11) * below(F({LAST}) * v00 - v22)",
            f"vo1 = below(F({LAST}) * v11 - v00) * below(F({LAST}) * v11 - v22)",
            *(
                f"vs{entry} = pick(vo0, v{first}, pick(vo1, v{second}, v{entry}))"
                for entry, first, second in (
                    ("00", "22", "00"),
                    ("10", "21", "20"),
                    ("11", "11", "22"),
                    ("20", "20", "10"),
                    ("21", "10", "21"),
                    ("22", "00", "11"),
                )
            ),
            "d0 = np.sqrt(fmax0(vs00))",
            "r0 = pick(vs00, F(1) / np.sqrt(fmax0(vs00) + F(1e-30)), F(0) * vs00)",
            # where a variance is negative its column could be of any size: no entry is more than
            # what is left of its own variance
            "w1 = np.sqrt(fmax0(vs11))",
            "w2 = np.sqrt(fmax0(vs22))",
            f"e10 = {clamp('vs10 * r0', 'w1')}",
            f"e20 = {clamp('vs20 * r0', 'w2')}",
            "vs11 = vs11 - e10 * e10",
            # of an entry that was limited, and of a direction without noise, rounding is left,
            # whose root would be noise of its own and whose sign would decide what follows
            f"vo2 = vs11 - F({SMALL}) * w1 * w1",
            "d1 = pick(vo2, np.sqrt(fmax0(vs11)), F(0) * vs11)",
            "r1 = pick(vo2, F(1) / np.sqrt(fmax0(vs11) + F(1e-30)), F(0) * vs11)",
            f"vo2 = F({SMALL}) * w2 * w2",
            "vs22 = vs22 - e20 * e20",
            "w2 = pick(vs22 - vo2, np.sqrt(fmax0(vs22)), F(0) * vs22)",
            f"e21 = {clamp('(vs21 - e20 * e10) * r1', 'w2')}",
            "vs22 = vs22 - e21 * e21",
            f"{clip} += below(vs00 + {tol}) + below(vs11 + {tol}) + below(vs22 + {tol})",
            f"vg0 = d0 * {n0}",
            f"vg1 = e10 * {n0} + d1 * {n1}",
            f"vg2 = e20 * {n0} + e21 * {n1} "
            f"+ pick(vs22 - vo2, np.sqrt(fmax0(vs22)), F(0) * vs22) * {n2}",
            f"{y[0]} = m0 + {shift[0]} + pick(vo0, vg2, vg0)",
            f"{y[1]} = m1 + {shift[1]} + pick(vo1, vg2, vg1)",
            f"{y[2]} = m2 + {shift[2]} + pick(vo0, vg0, pick(vo1, vg1, vg2))",
        ]
        return out
