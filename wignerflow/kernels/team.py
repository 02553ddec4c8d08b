"""How a kernel's text goes over members on a GPU.

``Threads``: a thread runs a whole trajectory. The variables of single subsystems (``vs``, ``qs``)
and the scratch ``s`` are local arrays with constant indices, so they live in registers; arrays lie
in memory with the trajectory innermost.

``Team``: a team of threads runs a trajectory. A thread works on a run of successive members, an
even number of them since neighbours share a pair of normals. What member ``mj`` of every run needs
lies side by side, thread by thread (``mg`` is the thread that has a member): so threads read
neighbouring places at the same time. What does not belong to a member is computed by every thread
alike. Sums over members are butterflies of shuffles within a warp, then
sums over the warps' parts in shared memory, in an order that never changes; running sums start at
what the threads before have. Every loop begins with a barrier, and no round of a loop reads what
another round writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .layout import Loops
from .text import Lines, index_of, nested

if TYPE_CHECKING:
    from .layout import Layout


#: The test of a block that draws a single subsystem, whose place in ``v`` is one in ``vs``.
ALONE = "SINGLE"


class Threads(Loops):
    """A trajectory per thread."""

    #: Threads per trajectory.
    threads = 1
    registers = True

    def alone(self, out: Lines) -> Lines:
        return nested(out, f"if {ALONE}:")


class Team(Threads):
    """A trajectory per ``threads`` threads, of which ``warp`` can exchange numbers directly."""

    spread = True

    def __init__(self, threads: int, warp: int, barrier: str):
        self.threads, self.warp, self.barrier = threads, warp, barrier
        #: Numbers per warp kept in shared memory while a sum is made.
        self.parts = 0

    def run_length(self, size: int) -> int:
        """Members per thread, of so many."""
        return 2 * -(-size // (2 * self.threads))

    def members(self, out: Lines, layout: Layout, bound: str) -> Lines:
        per = self.run_length(_size(layout, bound))
        out += [self.barrier]
        body = nested(out, f"for mj in range(min(max({bound} - R * {per}, 0), {per})):")
        body += [f"m = R * {per} + mj & FAR", "mg = R", "mt = mj * TEAM + R & FAR"]
        return body

    def each(self, out: Lines, layout: Layout, name: str, bound: str, first: str) -> Lines:
        out += [self.barrier]
        start = f"{first} + R" if first else "R"
        body = nested(out, f"for {name} in range({start}, {bound}, TEAM):")
        if name == "m" and not first:
            per = self.run_length(_size(layout, bound))
            body += [f"mj = m % {per}", f"mg = m // {per}"]
        return body

    # -- places --------------------------------------------------------------------------------

    def start(self, layout: Layout, k: int) -> str:
        if layout.blocks[k].count is None:
            return super().start(layout, k)
        return layout.parameters.integer(self._rows(layout, before=k))

    def index(self, layout: Layout, k: int, start: str, m: str) -> str:
        block = layout.blocks[k]
        if block.count is None:
            return super().index(layout, k, start, m)
        per = self.run_length(block.size)
        row, thread = ("mj", "mg") if m == "m" else (f"({m}) % {per}", f"({m}) // {per}")
        return f"({start} + {block.components} * ({row})) * TEAM + {thread} & FAR"

    def value(self, layout: Layout, values: NDArray[np.float64]) -> str:
        """As for the state: row ``mj``, thread by thread."""
        table = np.zeros((self.threads, self.run_length(values.size)))
        table.flat[: values.size] = values
        return f"p[{layout.parameters.array(table.T)} + mt]"

    def arrays(self, layout: Layout) -> tuple[int, int]:
        # an odd number of rows: then trajectories of a block lie in different banks of memory
        return 0, self.threads * (self._rows(layout) | 1)

    def places(self, layout: Layout) -> NDArray[np.int64]:
        out = super().places(layout)
        for k in layout.arrays:
            block = layout.blocks[k]
            per = self.run_length(block.size)
            m, c = np.divmod(np.arange(block.size * block.components), block.components)
            rows = self._rows(layout, before=k) + block.components * (m % per) + c
            out[layout.slot[k] : layout.slot[k] + m.size] = rows * self.threads + m // per
        return out

    def _rows(self, layout: Layout, before: int | None = None) -> int:
        """Rows of the state that the arrays, or those before one, fill."""
        blocks = [layout.blocks[k] for k in layout.arrays if before is None or k < before]
        return sum(self.run_length(b.size) * b.components for b in blocks)

    # -- sums ----------------------------------------------------------------------------------

    def total(self, out: Lines, layout: Layout, names: list[str], running: set[str]) -> None:
        slots = {name: layout.s(name) for name in names}
        for name, s in slots.items():
            if name in running:
                ahead = self.ahead(layout, name)
                out += [f"{s} = inclusive({s})", f"{ahead} = exclusive({s})", f"{s} = at_end({s})"]
            else:
                out += [f"{s} = within({s})"]
        if self.threads <= self.warp or not slots:
            return
        first, self.parts = self.parts, self.parts + len(slots)
        places = {name: first + n for n, name in enumerate(slots)}
        out += (f"part[{places[n]} * WARPS + R // WARP] = {s}" for n, s in slots.items())
        out += [self.barrier]
        for name, s in slots.items():
            if name in running:
                ahead = self.ahead(layout, name)
                out += [f"{ahead} += whole(part, {places[name]}, R // WARP)"]
            out += [f"{s} = whole(part, {places[name]}, WARPS)"]

    def ahead(self, layout: Layout, name: str) -> str:
        return layout.s(f"ahead_{name}")

    def private(self, layout: Layout, size: int) -> str:
        return f"({layout.wide(size * self.threads)} + {size} * R)"

    def clip(self, layout: Layout, single: bool) -> str:
        # every thread counts those of single subsystems
        return layout.s("clip_single" if single else "clip")


def _size(layout: Layout, bound: str) -> int:
    """Number that an integer's name stands for."""
    return layout.parameters.integers[index_of(bound)]
