"""Large matrices of variables: the lines of ``turn`` and of shared noise as loops over tables.

Printed term by term, the step of d levels has some d^6 lines, and compiling them takes minutes from
d = 6 on. The same arithmetic in loops is as short for every d. Loops lie within that over lanes, so
every number is a vector of lanes; what they address lies in scratch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..phasespace.matrices import imaginary_part, real_part
from .text import Lines, nested
from .turn import turning

if TYPE_CHECKING:
    from .layout import Layout
    from .matrix_local import MatrixLocal

#: Levels up to which everything is printed term by term.
PRINTED = 4


class Room:
    """Numbers of every lane side by side in scratch, found by an index."""

    def __init__(self, first: int):
        self.first = first

    def __getitem__(self, index: str | int) -> str:
        return f"s[({self.first} + {index}) * LN + l]"


def rows(layout: Layout, lists: Iterable[Iterable[int]]) -> tuple[str, str]:
    """Names of the starts of rows and of their entries, of lists of numbers."""
    each = [list(x) for x in lists]
    starts = np.concatenate([[0], np.cumsum([len(x) for x in each])])
    entries = np.array([i for x in each for i in x] or [0])
    return layout.parameters.indices(starts), layout.parameters.indices(entries)


# -- turns -------------------------------------------------------------------------------------


def turn_in_loops(
    layout: Layout, tag: str, g: list[str], x: list[str], y: list[str], stage: int
) -> list[str]:
    """What ``turn.turn`` does, for many levels that turn."""
    d, p = round(len(x) ** 0.5), layout.parameters
    parts = [(a, b) for b in range(d) for a in range(b + 1)]
    given = {
        pair: (g[real_part(*pair)], g[imaginary_part(*pair)] if pair[0] < pair[1] else "")
        for pair in parts
    }
    turned = turning(g)
    m, at = len(turned), {level: k for k, level in enumerate(turned)}
    count, every, levels = p.integer(m), p.integer(d), p.indices(np.array(turned))
    U, R, T = (
        [Room(layout.room(f"turn {name}{part} {size}", size)) for part in "ri"]
        for name, size in (("U", m * m), ("R", m * d), ("T", m * d))
    )
    half, quarter = ("F(0.25)", "F(0.125)") if stage == 1 else ("F(0.5)", "F(0.25)")
    out: Lines = []
    out += [f"for tj in range({count} * {count}):", [f"{part['tj']} = F(0)" for part in U]]
    for (a, b), (re, im) in given.items():  # U = 1 + iF/2
        if a not in at or b not in at:
            continue
        low, high = at[a] * m + at[b], at[b] * m + at[a]
        if a == b:
            out += [f"{U[0][low]} = F(1)"]
            if re:
                out += [f"{U[1][low]} = {half} * ({re})"]
            continue
        for part, text, sign in ((0, im, "-"), (1, re, "")):
            if text:
                name = f"Rg{tag}_{low}_{part}"
                out += [f"{name} = {quarter} * ({text})", f"{U[part][high]} = {name}"]
                out += [f"{U[part][low]} = {sign}{name}"]
    for a in turned:
        for b in range(d):
            re, im = x[real_part(a, b)], "F(0)"
            if a != b:
                im = x[imaginary_part(min(a, b), max(a, b))]
            place = at[a] * d + b
            out += [f"{R[0][place]} = {re}", f"{R[1][place]} = {'-' if a > b else ''}{im}"]
    _invert(out, U, count)
    loop = nested(out, f"for ta in range({count}):")
    _product(
        loop, (T, f"ta * {every} + tb"), every, count,
        (U, f"ta * {count} + tk"), (R, f"tk * {every} + tb"), 1,
    )  # fmt: skip
    loop = nested(out, f"for ta in range({count}):")
    loop += [
        f"for tb in range({every}):",
        [f"{R[i][f'ta * {every} + tb']} = {T[i][f'ta * {every} + tb']}" for i in (0, 1)],
    ]
    _product(
        loop, (R, f"ta * {every} + o[{levels} + tb]"), count, count,
        (T, f"ta * {every} + o[{levels} + tk]"), (U, f"tb * {count} + tk"), -1,
    )  # fmt: skip
    for a, b in parts:
        if a in at:
            place, sign = at[a] * d + b, ""
        elif b in at:
            place, sign = at[b] * d + a, "-"
        else:
            place, sign = -1, ""
        for part, k in ((0, real_part(a, b)), (1, imaginary_part(a, b) if a < b else -1)):
            if k >= 0:
                source = x[k] if place < 0 else f"{sign if part else ''}{R[part][place]}"
                out += [f"{y[k]} = {source}"]
    return out


def _invert(out: Lines, U: list[Room], count: str) -> None:
    """U -> 2 U^{-1} - 1 in place; U has the Hermitian part 1, so no pivot vanishes."""
    loop = nested(out, f"for tc in range({count}):")
    own = f"tc * {count} + tc"
    loop += [f"tr = {U[0][own]}", f"ti = {U[1][own]}", "tn = F(1) / (tr * tr + ti * ti)"]
    loop += ["tr = tr * tn", "ti = -ti * tn", f"{U[0][own]} = F(1)", f"{U[1][own]} = F(0)"]
    body = nested(loop, f"for tb in range({count}):")
    entry = f"tc * {count} + tb"
    body += [f"tu = {U[0][entry]}", f"tv = {U[1][entry]}"]
    body += [f"{U[0][entry]} = tr * tu - ti * tv", f"{U[1][entry]} = tr * tv + ti * tu"]
    body = nested(loop, f"for tj in range(1, {count}):")
    body += [f"ta = (tc + tj) % {count}"]
    first = f"ta * {count} + tc"
    body += [f"tu = {U[0][first]}", f"tv = {U[1][first]}"]
    body += [f"{U[0][first]} = F(0)", f"{U[1][first]} = F(0)"]
    loop = nested(body, f"for tb in range({count}):")
    place = f"ta * {count} + tb"
    loop += [f"tr = {U[0][entry]}", f"ti = {U[1][entry]}"]
    loop += [f"{U[0][place]} = {U[0][place]} - (tu * tr - tv * ti)"]
    loop += [f"{U[1][place]} = {U[1][place]} - (tu * ti + tv * tr)"]
    out += [
        f"for tj in range({count} * {count}):",
        [f"{part['tj']} = F(2) * {part['tj']}" for part in U],
    ]
    loop = nested(out, f"for tj in range({count}):")
    own = f"tj * {count} + tj"
    loop += [f"{U[0][own]} = {U[0][own]} - F(1)"]


def _product(
    out: Lines, target: tuple[list[Room], str], columns: str, terms: str,
    left: tuple[list[Room], str], right: tuple[list[Room], str], sign: int,
) -> None:  # fmt: skip
    """A row of a product: entries tb are the sum over tk of left times right, or its conjugate."""
    loop = nested(out, f"for tb in range({columns}):")
    loop += ["tr = F(0)", "ti = F(0)"]
    body = nested(loop, f"for tk in range({terms}):")
    (a, i), (b, j) = left, right
    body += [f"tu = {a[0][i]}", f"tv = {a[1][i]}", f"tp = {b[0][j]}"]
    body += [f"tq = {'-' if sign < 0 else ''}{b[1][j]}"]
    body += ["tr = tr + (tu * tp - tv * tq)", "ti = ti + (tu * tq + tv * tp)"]
    (c, k) = target
    loop += [f"{c[0][k]} = tr", f"{c[1][k]} = ti"]


# -- local steps -------------------------------------------------------------------------------


class Stepping(Protocol):
    """Prints a step in loops."""

    def lines(self, x: list[str], y: list[str]) -> Lines:
        """In lane: names ``y`` from names ``x``."""


def row_sum(out: Lines, table: tuple[str, str], row: str, base: str, values: Room) -> None:
    """cs = the sum of a row: numbers from ``base`` on times values, see ``rows``."""
    start, entries = table
    out += ["cs = F(0)", f"for ci in range(o[{start} + {row}], o[{start} + {row} + 1]):"]
    out += [[f"cs = cs + p[{base} + ci] * {values[f'o[{entries} + ci]']}"]]


class LocalLoops:
    """Lines of a local step of many levels, its tables in the order of ``MatrixLocal``."""

    def __init__(self, local: MatrixLocal):
        assert local.shared or not local.order
        self.local, self.layout = local, local.layout
        layout, k, n = self.layout, local.k, len(local.order)
        self.moved = [j for j, keep in enumerate(local.kept) if not keep]
        self.flow = rows(layout, (local.flow[j] for j in self.moved))
        self.targets = layout.parameters.indices(np.array([*self.moved, 0]))
        self.order = layout.parameters.indices(np.array([*local.order, 0]))
        self.sizes = [layout.parameters.integer(v) for v in (len(self.moved), n)]
        self.old, self.new = (Room(layout.room(f"local{k} {x}", local.levels**2)) for x in "xy")
        self.z = Room(layout.room(f"local{k} z", n))
        self.normal = Room(layout.scratch.get(f"local{k}_0", 0))

    def lines(self, x: list[str], y: list[str]) -> Lines:
        """In lane: names ``y`` from names ``x``."""
        local, out, k = self.local, Lines(), self.local.k
        out += (f"{self.old[j]} = {name}" for j, name in enumerate(x))
        out += (f"{self.new[j]} = {x[j]}" for j, keep in enumerate(local.kept) if keep)
        loop = nested(out, f"for cj in range({self.sizes[0]}):")
        row_sum(loop, self.flow, "cj", f"b{k}", self.old)
        loop += [f"{self.new[f'o[{self.targets} + cj]']} = cs"]
        if local.order:
            self._shared(out, f"b{k} + {local.moving}")
            self._add_noise(out)
        out += (f"{name} = {self.new[j]}" for j, name in enumerate(y))
        return out

    def _shared(self, out: Lines, base: str) -> None:
        """Noise by a factor that stands in the table, row after row."""
        out += ["cn = 0"]
        loop = nested(out, f"for cj in range({self.sizes[1]}):")
        loop += ["cs = F(0)"]
        loop += [
            "for ci in range(cj + 1):",
            [f"cs = cs + p[{base} + cn + ci] * {self.normal['ci']}"],
        ]
        loop += [f"{self.z['cj']} = cs", "cn = cn + cj + 1"]

    def _add_noise(self, out: Lines) -> None:
        """New variables take their noise; that of the last population is what others lack."""
        spread = [self.local.order.index(i) for i in self.local.spread[:-1]]
        loop = nested(out, f"for cj in range({self.sizes[1]}):")
        place = self.new[f"o[{self.order} + cj]"]
        loop += [f"{place} = {place} + {self.z['cj']}"]
        if spread:
            last = self.new[self.local.spread[-1]]
            out += [f"{last} = {last} - ({' + '.join(self.z[q] for q in spread)})"]
