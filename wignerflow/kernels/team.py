"""How a kernel's text goes over members on a GPU.

``Threads``: a thread runs a whole trajectory. The variables of single subsystems (``vs``, ``qs``)
and the scratch ``s`` are local arrays with constant indices, so they live in registers; arrays lie
in memory with the trajectory innermost.

``Team``: a team of threads runs a trajectory. A thread works on a run of successive members, an
even number of them since neighbours share a pair of normals. What does not belong to a member is
computed by every thread alike. Sums over members are butterflies of shuffles within a warp, then
sums over the warps' parts in shared memory, in an order that never changes; running sums start at
what the threads before have. Every loop begins with a barrier, and no round of a loop reads what
another round writes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .loops import Loops
from .text import LANE_LOOP, Lines

if TYPE_CHECKING:
    from .layout import Layout


class Threads(Loops):
    """A trajectory per thread."""

    #: Threads per trajectory.
    threads = 1
    registers = True

    def __init__(self) -> None:
        self._mark = 0

    def begin_single(self, out: Lines) -> None:
        self._mark = len(out.lines)

    def end_single(self, out: Lines) -> None:
        for n in range(self._mark, len(out.lines)):
            if LANE_LOOP not in out.lines[n]:
                line = re.sub(r"\bv\[([^\]]*) \+ l\]", r"vs[\1]", out.lines[n])
                out.lines[n] = re.sub(r"\bLN\b", "1", line)


class Team(Threads):
    """A trajectory per ``threads`` threads, of which ``warp`` can exchange numbers directly."""

    spread = True

    def __init__(self, threads: int, warp: int, barrier: str):
        super().__init__()
        self.threads, self.warp, self.barrier = threads, warp, barrier
        #: Numbers per warp kept in shared memory while a sum is made.
        self.parts = 0

    def members(self, out: Lines, layout: Layout, bound: str) -> None:
        size = layout.parameters.integers[int(bound[2:-1])]
        per = 2 * -(-size // (2 * self.threads))
        out.add(self.barrier)
        out.open(f"for m in range(min(R * {per}, {bound}), min(R * {per} + {per}, {bound})):")

    def each(self, out: Lines, layout: Layout, name: str, bound: str, first: str) -> None:
        out.add(self.barrier)
        start = f"{first} + R" if first else "R"
        out.open(f"for {name} in range({start}, {bound}, {self.threads}):")

    def total(self, out: Lines, layout: Layout, names: list[str], running: set[str]) -> None:
        slots = {name: layout.s(name) for name in names}
        for name, s in slots.items():
            if name in running:
                ahead = self.ahead(layout, name)
                out.add(f"{s} = inclusive({s})", f"{ahead} = exclusive({s})", f"{s} = at_end({s})")
            else:
                out.add(f"{s} = within({s})")
        if self.threads <= self.warp or not slots:
            return
        first, self.parts = self.parts, self.parts + len(slots)
        places = {name: first + n for n, name in enumerate(slots)}
        out.add(*(f"part[{places[n]} * WARPS + R // WARP] = {s}" for n, s in slots.items()))
        out.add(self.barrier)
        for name, s in slots.items():
            if name in running:
                ahead = self.ahead(layout, name)
                out.add(f"{ahead} += whole(part, {places[name]}, R // WARP)")
            out.add(f"{s} = whole(part, {places[name]}, WARPS)")

    def ahead(self, layout: Layout, name: str) -> str:
        return layout.s(f"ahead_{name}")

    def private(self, layout: Layout, size: int) -> str:
        return f"({layout.wide(size * self.threads)} + {size} * R)"

    def clip(self, layout: Layout, single: bool) -> str:
        # every thread counts those of single subsystems
        return layout.s("clip_single" if single else "clip")
