"""Where things live in the flat arrays of a generated kernel."""

from __future__ import annotations

import numpy as np

from ..phasespace.polynomials import Form, Leaf, Member, Poly, Var
from ..phasespace.system import Block, PhaseSpaceSystem
from .draws import Draws
from .loops import Loops
from .text import Lines, Parameters

Mono = tuple[tuple[int, int], ...]


class Layout:
    """Slots of the state (single subsystems first, then arrays) and of the scratch arrays."""

    def __init__(self, system: PhaseSpaceSystem, loops: Loops | None = None):
        self.system = system
        self.loops = Loops() if loops is None else loops
        self.parameters = Parameters()
        self.draws = Draws(self.parameters)
        self.singles = [k for k, b in enumerate(system.blocks) if b.count is None]
        self.arrays = [k for k, b in enumerate(system.blocks) if b.count is not None]
        self.slot: dict[int, int] = {}
        position = 0
        for k in self.singles + self.arrays:
            self.slot[k] = position
            position += system.blocks[k].components * system.blocks[k].size
        self.state_slots = position
        self.base = {k: self.loops.start(self, k) for k in self.arrays}
        self.groups: dict[int, list[int]] = {}
        for k in self.arrays:
            self.groups.setdefault(system.blocks[k].size, []).append(k)
        self.group_size = {M: self.parameters.integer(M) for M in self.groups}
        self.scratch: dict[str, int] = {}
        self.wide_slots = 0

    def block(self, k: int) -> Block:
        """Block number k."""
        return self.system.blocks[k]

    def s(self, name: str) -> str:
        """Scratch entry of this lane under a symbolic name."""
        slot = self.scratch.setdefault(name, len(self.scratch))
        return f"s[{slot} * LN + l]"

    def room(self, name: str, size: int) -> int:
        """First of ``size`` successive slots of scratch under a name; the same for the same one."""
        slots = [self.scratch.setdefault(f"{name}\0{i}", len(self.scratch)) for i in range(size)]
        return slots[0] if slots else 0

    def wide(self, size: int) -> str:
        """Reserve ``size`` slots of the array scratch ``w``; the name of their offset."""
        start = self.wide_slots
        self.wide_slots += size
        return self.parameters.integer(start)

    def private(self, size: int) -> str:
        """Reserve ``size`` slots of ``w`` that no two members use at the same time."""
        return self.loops.private(self, size)

    def clip(self, k: int) -> str:
        """Scratch entry that counts the clipped pivots of block k."""
        return self.loops.clip(self, self.block(k).count is None)

    def members(self, out: Lines, group: int) -> None:
        """Open the loop over the members m of a group of arrays."""
        self.loops.members(out, self, self.group_size[group])

    def each(self, out: Lines, bound: str, name: str = "k", first: str = "") -> None:
        """Open a loop over rows in any order."""
        self.loops.each(out, self, name, bound, first)

    def total(self, out: Lines, names: list[str], running: list[str] | None = None) -> None:
        """Complete sums over members in scratch entries, before they are read."""
        self.loops.total(out, self, names, set(running or ()))

    def single(self, k: int, c: int, source: str) -> str:
        """State entry of component c of single block k."""
        return f"{source}[{self.slot[k] + c} * LN + l]"

    def member_index(self, k: int, m: str) -> str:
        """Index of the first component of member m of array block k (times LN)."""
        return self.loops.index(self, k, self.base[k], m)

    def member_value(self, values: np.ndarray) -> str:
        """In the loop over members m: entry m of a real array of parameters."""
        return self.loops.value(self, values)

    def form_group(self, index: int) -> int:
        """Array size over which a form sums."""
        return self.block(self.system.forms[index].mono[0][0]).size


def needed_forms(polys: list[Poly]) -> list[int]:
    """Forms that occur in polynomials, in order."""
    return sorted({leaf.index for poly in polys for leaf in poly.leaves if isinstance(leaf, Form)})


def mono_names(mono: Mono, names: dict[Leaf, str]) -> str:
    """A member monomial as a product of names."""
    return " * ".join(names[Member(b, c)] for b, c in mono)


def mono_derivative(mono: Mono, leaf: tuple[int, int], names: dict[Leaf, str]) -> str | None:
    """d(monomial)/d(leaf) as source ("1" for one), None where it vanishes."""
    n = mono.count(leaf)
    if n == 0:
        return None
    rest = list(mono)
    rest.remove(leaf)
    factors = ([f"F({n})"] if n > 1 else []) + [names[Member(b, c)] for b, c in rest]
    return " * ".join(factors) or "1"


def times(*factors: str) -> str:
    """Product that leaves out ones."""
    kept = [f for f in factors if f not in ("1", "")]
    return " * ".join(kept) or "F(1)"


def single_names(layout: Layout, prefix: str) -> dict[Leaf, str]:
    """Local names of all variables of single subsystems."""
    return {
        Var(k, c): f"{prefix}{k}_{c}"
        for k in layout.singles
        for c in range(layout.block(k).components)
    }


def member_loads(
    layout: Layout, blocks: list[int], source: str
) -> tuple[dict[Leaf, str], list[str]]:
    """Local names of a member's variables, and the lines of a lane loop that load them."""
    names: dict[Leaf, str] = {}
    loads = []
    for k in blocks:
        for c in range(layout.block(k).components):
            names[Member(k, c)] = f"x{k}_{c}"
            loads.append(f"x{k}_{c} = {source}[i{k} + {c} * LN + l]")
    return names, loads


def uniform(weights: np.ndarray) -> bool:
    """True if every weight is one."""
    return bool(np.all(weights == 1))
