r"""The Liouvillian as elementary transitions between elements :math:`|J,M\rangle\langle J,M'|`.

Per site (one ensemble, spin or mode) an element has a block number j and two indices, row and col.
Every piece of the master equation,

.. math:: \dot\rho = K\rho + \rho K^\dagger + \sum_k r_k L_k \rho L_k^\dagger, \qquad
    K = -iH - \tfrac12 \sum_k r_k L_k^\dagger L_k,

written in ladder words, moves all indices by fixed amounts and multiplies by a product of real
tables, one per factor. :func:`lower` collects these moves; :mod:`wignerflow.exact.reach` walks
them.

One-emitter jumps follow :mod:`wignerflow.exact.dicke`. An identity part of a one-emitter jump,
:math:`l = c_0 + l'`, is moved into H as :math:`i(c_0^* L' - c_0 L'^\dagger)/2` with L'
the sum of l'.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.kinds.ensemble import LocalOp
from ..model.model import Model
from ..model.operators import Op
from . import dicke
from .ladder import Basis, Ladder, Times, collective, spherical

#: (site, side, table): side 0 is the row, 1 the col; the table is named by ("w", ladder word) or
#: ("t", component, change of J)
Factor = tuple[int, int, tuple[str, ...]]
#: moves of (block number, row, col) per site
Move = tuple[tuple[int, int, int, int], ...]


class Terms:
    """Elementary transitions, grouped by time coefficients and by move.

    Attributes:
        groups: times -> (dJ, drow, dcol) offsets of the codes -> {factors: coefficient}.
    """

    def __init__(self, basis: Basis):
        self.basis = basis
        sites = basis.sites
        self.blocks = np.array([s.blocks for s in sites], np.int64)
        self.dims = np.array([s.dim for s in sites], np.int64)
        self.block_strides = row_major([s.blocks for s in sites])
        self.strides = row_major([s.dim for s in sites])
        self.kets = math.prod([s.dim for s in sites])
        self.all_blocks = math.prod([s.blocks for s in sites])
        self.groups: dict[Times, dict[tuple[int, int, int], dict[tuple[Factor, ...], complex]]] = {}

    def split(self, codes: Any) -> tuple[Any, Any, Any]:
        """Block, row and column number of codes of elements."""
        return codes // self.kets**2, codes // self.kets % self.kets, codes % self.kets

    def join(self, block: Any, row: Any, col: Any) -> Any:
        """Their codes."""
        return (block * self.kets + row) * self.kets + col

    def digits(self, codes: Any) -> list[list[Any]]:
        """Their block, row and column numbers, site by site."""
        block, row, col = self.split(codes)
        out = [[block // s % n for s, n in zip(self.block_strides, self.blocks, strict=True)]]
        for code in (row, col):
            out.append([code // s % n for s, n in zip(self.strides, self.dims, strict=True)])
        return out

    @property
    def space(self) -> int:
        """Number of codes of elements, allowed or not."""
        return self.all_blocks * self.kets**2

    def add(
        self,
        times: Times,
        coefficient: complex,
        row: Ladder,
        col: Ladder,
        local: tuple[int, str, str, int] | None = None,
    ) -> None:
        """Add coefficient * row rho col^+ (``local``: site, row and col component, change of J)."""
        offset = [0, self._offset(row), self._offset(col)]
        factors: list[Factor] = [(k, 0, ("w", w)) for k, w in row]
        factors += [(k, 1, ("w", w)) for k, w in col]
        if local is not None:
            site, q, q2, dj = local
            offset[0] -= dj * self.block_strides[site]
            offset[1] += dicke.COMPONENTS[q] * self.strides[site]
            offset[2] += dicke.COMPONENTS[q2] * self.strides[site]
            factors += [(site, 0, ("t", q, str(dj))), (site, 1, ("t", q2, str(dj)))]
        ordered = tuple(sorted(times, key=lambda c: c.order))
        move = self.groups.setdefault(ordered, {}).setdefault(tuple(offset), {})  # type: ignore[arg-type]
        key = tuple(factors)
        move[key] = move.get(key, 0) + coefficient

    def _offset(self, word: Ladder) -> int:
        return sum(q * self.strides[k] for k, q in self.basis.shifts(word))

    def table(self, site: int, name: tuple[str, ...]) -> NDArray[np.float64]:
        """The table a factor names, shape (blocks, dim)."""
        s = self.basis.sites[site]
        if name[0] == "w":
            return s.table(name[1])
        return dicke.local_table(s.emitters, name[1], int(name[2]))

    def images(
        self, times: Times, codes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.complex128]]:
        """Targets, positions of their sources, and values of one group of terms."""
        block, row, col = self.split(codes)
        blocks, *digit = self.digits(codes)
        targets, sources = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        values = [np.zeros(0, complex)]
        for (d_block, d_row, d_col), products in self.groups.get(times, {}).items():
            value = np.zeros(codes.size, complex)
            size = np.zeros(codes.size)
            for factors, c in products.items():
                part = np.full(codes.size, complex(c))
                for site, side, name in factors:
                    part *= self.table(site, name)[blocks[site], digit[side][site]]
                value += part
                size = np.maximum(size, np.abs(part))
            hit = np.abs(value) > 1e-14 * size
            targets.append(self.join(block + d_block, row + d_row, col + d_col)[hit])
            sources.append(np.flatnonzero(hit))
            values.append(value[hit])
        return np.concatenate(targets), np.concatenate(sources), np.concatenate(values)

    def plan(self, times: Times) -> Plan:
        """The arrays of one group for compiled code."""
        offsets: dict[tuple[int, tuple[str, ...]], int] = {}
        tables: list[NDArray[np.float64]] = []
        size = 0
        moves, first, coefficients, factor_first, factors = [], [0], [], [0], []
        for offset, products in self.groups[times].items():
            scale = max(abs(c) for c in products.values())
            kept = {k: c for k, c in products.items() if abs(c) > 1e-15 * scale}
            if not kept:
                continue
            moves.append(offset)
            for key, c in kept.items():
                for site, side, name in key:
                    if (site, name) not in offsets:
                        table = self.table(site, name)
                        offsets[site, name] = size
                        tables.append(np.ravel(table))
                        size += table.size
                    factors.append((site, side, offsets[site, name]))
                coefficients.append(c)
                factor_first.append(len(factors))
            first.append(len(coefficients))
        return Plan(
            np.array([self.all_blocks, self.kets], np.int64),
            self.blocks,
            self.dims,
            np.array(moves, np.int64).reshape(-1, 3),
            np.array(first, np.int64),
            np.array(coefficients, complex).view(float).reshape(-1, 2),
            np.array(factor_first, np.int64),
            np.array(factors, np.int64).reshape(-1, 3),
            np.concatenate(tables) if tables else np.zeros(1),
        )


class Plan(NamedTuple):
    """Arrays of one group of terms, in the order of ``wignerflow.exact.reach``."""

    sizes: NDArray[np.int64]
    blocks: NDArray[np.int64]
    dims: NDArray[np.int64]
    moves: NDArray[np.int64]
    first: NDArray[np.int64]
    coefficients: NDArray[np.float64]  # real and imaginary part
    factor_first: NDArray[np.int64]
    factors: NDArray[np.int64]
    tables: NDArray[np.float64]


def row_major(sizes: list[int]) -> list[int]:
    """Row-major strides of a mixed-radix code, in exact integers."""
    return [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]


def with_rate(rate: float | Coef) -> tuple[float, Times]:
    """A number and a time coefficient, of which one is one."""
    return (1.0, (rate,)) if isinstance(rate, Coef) else (float(rate), ())


def lower(model: Model, basis: Basis) -> Terms:
    """All elementary transitions of a model."""
    terms = Terms(basis)
    effective: list[tuple[Op, complex, Times]] = [(model.H, -1j, ())]  # summands of K
    for op, rate in model.channels():
        r, times = with_rate(rate)
        if r == 0:
            continue
        effective.append((op.dag() * op, -0.5 * r, times))
        pieces = [(t, w, c) for t, group in basis.expand(op).items() for w, c in group.items()]
        for t1, w1, c1 in pieces:
            for t2, w2, c2 in pieces:
                both = (*times, *t1, *(t.conj() for t in t2))
                terms.add(both, r * c1 * np.conj(c2), w1, w2)
    for channel in model.local_channels():
        r, times = with_rate(channel.rate)
        if r == 0:
            continue
        site = basis.number[channel.sub, channel.m]
        c0, parts = spherical(channel.op)
        traceless = LocalOp(channel.sub, [0, *channel.op.c[1:]], channel.op.member)
        square = traceless.dag() * traceless
        number = basis.sites[site].emitters
        total = collective(square, channel.m) + Op.scalar(complex(square.c[0]) * number)
        effective.append((total, -0.5 * r, times))
        one = collective(traceless, channel.m)
        # -i times i (c0^* L' - c0 L'^+)/2
        effective.append((one * np.conj(c0) - one.dag() * c0, 0.5 * r, times))
        for q1, a1 in parts.items():
            for q2, a2 in parts.items():
                for dj in (-1, 0, 1):
                    terms.add(times, r * a1 * np.conj(a2), (), (), (site, q1, q2, dj))
    for op, factor, times in effective:
        for t, group in basis.expand(op).items():
            conjugate = tuple(c.conj() for c in t)
            for word, c in group.items():
                terms.add((*times, *t), factor * c, word, ())
                terms.add((*times, *conjugate), np.conj(factor * c), (), word)
    return terms
