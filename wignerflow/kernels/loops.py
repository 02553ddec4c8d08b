"""How a kernel's text goes over the members of arrays: here one after the other.

The printers ask the layout's ``Loops`` for every loop over members or rows, for the sums over
members that a loop leaves behind, and for scratch that must not be shared. In this class, for the
CPU and NumPy, a loop is a plain loop and nothing else is needed. ``team.Team`` spreads the members
over the threads of a GPU block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    def begin_single(self, out: Lines) -> None:
        """Before the lines of ``initial`` that draw a single subsystem."""

    def end_single(self, out: Lines) -> None:
        """After them."""
