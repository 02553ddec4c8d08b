"""How a kernel's text goes over the members of arrays: here one after the other.

The printers ask the layout's ``Loops`` for every loop over members or rows, for the sums over
members that a loop leaves behind, for scratch that must not be shared, and for the places of
members in memory. In this class, for the CPU and NumPy, a loop is a plain loop, members lie one
after the other, and nothing else is needed. ``team.Team`` spreads the members
over the threads of a GPU block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .text import Lines

if TYPE_CHECKING:
    from .layout import Layout


class Loops:
    """Members one after the other; every statement over all lanes."""

    #: Whether members are spread over threads.
    spread = False
    #: Whether scratch must have constant places, to live in registers.
    registers = False

    def members(self, out: Lines, layout: Layout, bound: str) -> None:
        """Open the loop over members m, in order; ``bound`` is their number."""
        out.open(f"for m in range({bound}):")

    def each(self, out: Lines, layout: Layout, name: str, bound: str, first: str) -> None:
        """Open a loop whose rounds may run in any order and at the same time."""
        out.open(f"for {name} in range({f'{first}, ' if first else ''}{bound}):")

    def total(self, out: Lines, layout: Layout, names: list[str], running: set[str]) -> None:
        """After a loop over members: make the scratch sums ``names`` those over all members.

        Of those in ``running``, sums in the order of members begin there; see ``ahead``.
        """

    def ahead(self, layout: Layout, name: str) -> str:
        """What members of other threads before this one add to a sum, in scratch; "" for none."""
        return ""

    def private(self, layout: Layout, size: int) -> str:
        """Reserve wide scratch that only one member's work uses at a time."""
        return layout.wide(size)

    def clip(self, layout: Layout, single: bool) -> str:
        """The counter of clipped pivots."""
        return layout.s("clip")

    # -- places --------------------------------------------------------------------------------

    def start(self, layout: Layout, k: int) -> str:
        """Register where block k begins in the state; the name of that place."""
        return layout.parameters.integer(layout.slot[k])

    def index(self, layout: Layout, k: int, start: str, m: str) -> str:
        """Index of the first component of member m (times LN); component c lies c * LN further.

        ``& FAR`` changes nothing but tells the compiler that the index is not negative; without it
        lane loops do not vectorise.
        """
        return f"({start} + {layout.block(k).components} * {m}) * LN & FAR"

    def value(self, layout: Layout, values: NDArray[np.float64]) -> str:
        """Register a real array with an entry per member; that of member m in the loop over m."""
        return f"p[{layout.parameters.array(values)} + m]"

    def arrays(self, layout: Layout) -> tuple[int, int]:
        """First place of the state that belongs to arrays, and the number of places."""
        return min(layout.slot[k] for k in layout.arrays), layout.state_slots

    def places(self, layout: Layout) -> NDArray[np.int64]:
        """Place of every slot of the state, (state_slots,)."""
        return np.arange(layout.state_slots)

    # -- single subsystems ---------------------------------------------------------------------

    def begin_single(self, out: Lines) -> None:
        """Before the lines of ``initial`` that draw a single subsystem."""

    def end_single(self, out: Lines) -> None:
        """After them."""
