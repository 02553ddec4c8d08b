"""Where things live in the flat arrays of a generated kernel, and how it goes over members.

The printers ask the layout's ``Loops`` for every loop over members or rows, for the sums over
members that a loop leaves behind, for scratch that must not be shared, and for the places of
members in memory. In this class, for the CPU and NumPy, a loop is a plain loop, members lie one
after the other, and nothing else is needed. ``team.Team`` spreads the members over the threads of
a GPU block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..phasespace.polynomials import Form, Leaf, Member, Poly, Var
from ..phasespace.system import PhaseSpaceSystem
from .text import Draws, Lines, Parameters, fill, nested

Mono = tuple[tuple[int, int], ...]
#: By component (block, number): terms of its gradient times dt.
Terms = dict[tuple[int, int], list[str]]


class Loops:
    """Members one after the other; every statement over all lanes."""

    #: Whether members are spread over threads.
    spread = False
    #: Whether scratch must have constant places, to live in registers.
    registers = False

    def members(self, out: Lines, layout: Layout, bound: str) -> Lines:
        """Open the loop over members m, in order; ``bound`` is their number."""
        return nested(out, f"for m in range({bound}):")

    def each(self, out: Lines, layout: Layout, name: str, bound: str, first: str) -> Lines:
        """Open a loop whose rounds may run in any order and at the same time."""
        return nested(out, f"for {name} in range({f'{first}, ' if first else ''}{bound}):")

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
        return f"({start} + {layout.blocks[k].components} * {m}) * LN & FAR"

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

    def alone(self, out: Lines) -> Lines:
        """Where the lines of ``initial`` that draw a single subsystem go."""
        return out


class Layout:
    """Slots of the state (single subsystems first, then arrays) and of the scratch arrays."""

    def __init__(self, system: PhaseSpaceSystem, loops: Loops | None = None):
        self.system = system
        self.loops = Loops() if loops is None else loops
        self.parameters = Parameters()
        self.draws = Draws(self.parameters)
        self.blocks = system.blocks
        self.singles = [k for k, b in enumerate(system.blocks) if b.count is None]
        self.arrays = [k for k, b in enumerate(system.blocks) if b.count is not None]
        self.slot: dict[int, int] = {}
        position = 0
        for k in self.singles + self.arrays:
            self.slot[k] = position
            position += system.blocks[k].components * system.blocks[k].size
        self.state_slots = position
        self.single_slots = sum(system.blocks[k].components for k in self.singles)
        self.base = {k: self.loops.start(self, k) for k in self.arrays}
        self.groups: dict[int, list[int]] = {}
        for k in self.arrays:
            self.groups.setdefault(system.blocks[k].size, []).append(k)
        self.group_size = {M: self.parameters.integer(M) for M in self.groups}
        self.scratch: dict[str, int] = {}
        self.wide_slots = 0

    def s(self, name: str) -> str:
        """Scratch entry of this lane under a symbolic name."""
        slot = self.scratch.setdefault(name, len(self.scratch))
        return f"s[{slot} * LN + l]"

    def slots(self, name: str, size: int) -> list[str]:
        """Scratch entries of this lane under a name and numbers."""
        return [self.s(f"{name}_{i}") for i in range(size)]

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
        return self.loops.clip(self, self.blocks[k].count is None)

    def members(self, out: Lines, group: int) -> Lines:
        """Open the loop over the members m of a group of arrays."""
        return self.loops.members(out, self, self.group_size[group])

    def each(self, out: Lines, bound: str, name: str = "k", first: str = "") -> Lines:
        """Open a loop over rows in any order."""
        return self.loops.each(out, self, name, bound, first)

    def total(self, out: Lines, names: list[str], running: list[str] | None = None) -> None:
        """Complete sums over members in scratch entries, before they are read."""
        self.loops.total(out, self, names, set(running or ()))

    def single(self, k: int, c: int, source: str) -> str:
        """State entry of component c of single block k."""
        return f"{source}[{self.slot[k] + c} * LN + l]"

    def place(self, leaf: Leaf, source: str) -> str:
        """State entry of a variable of a single subsystem, or of member m where i{block} is it."""
        if isinstance(leaf, Var):
            return self.single(leaf.block, leaf.comp, source)
        assert isinstance(leaf, Member)
        return f"{source}[i{leaf.block} + {leaf.comp} * LN + l]"

    def load(self, names: Mapping[Leaf, str], source: str) -> list[str]:
        """In a lane loop: the named variables from their places."""
        return [f"{name} = {self.place(leaf, source)}" for leaf, name in names.items()]

    def store(self, names: Mapping[Leaf, str], target: str) -> list[str]:
        """In a lane loop: the named variables to their places."""
        return [f"{self.place(leaf, target)} = {name}" for leaf, name in names.items()]

    def member_index(self, k: int, m: str) -> str:
        """Index of the first component of member m of array block k (times LN)."""
        return self.loops.index(self, k, self.base[k], m)

    def member_value(self, values: np.ndarray) -> str:
        """In the loop over members m: entry m of a real array of parameters."""
        return self.loops.value(self, values)

    def normals(
        self, out: Lines, keys: str, purpose: int, names: list[str], size: int, slot: int
    ) -> None:
        """Draw ``size`` pairs of normals of every name, into scratch from ``slot`` on."""
        draws, count = self.draws, size * len(names)
        if count == 1 or self.loops.registers:
            for n, name in enumerate(names):
                first = draws.first(purpose, name, size)
                for j in range(size):
                    at = slot + 2 * (n * size + j)
                    places = [f"s[{at + i} * LN + l]" for i in range(2)]
                    fill(out, keys, f"{first} + {j}" if j else first, places)
            return
        numbers = draws.table(purpose, dict.fromkeys(names, size))
        loop = nested(out, f"for pair in range({count}):")
        loop += [f"at = ({slot} + 2 * pair) * LN & FAR"]
        fill(loop, keys, f"o[{numbers} + pair]", ["s[at + l]", "s[at + LN + l]"])

    def form_group(self, index: int) -> int:
        """Array size over which a form sums."""
        return self.blocks[self.system.forms[index].mono[0][0]].size


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


def derivatives(
    mono: Mono, terms: Terms, names: dict[Leaf, str]
) -> Iterator[tuple[list[str], str]]:
    """Of every component on which a monomial depends: its terms, and the monomial's derivative."""
    for at, found in terms.items():
        d = mono_derivative(mono, at, names)
        if d is not None:
            yield found, d


def times(*factors: str) -> str:
    """Product that leaves out ones."""
    kept = [f for f in factors if f not in ("1", "")]
    return " * ".join(kept) or "F(1)"


def single_names(layout: Layout, prefix: str, blocks: list[int] | None = None) -> dict[Leaf, str]:
    """Local names of all variables of single subsystems, or of some."""
    return {
        Var(k, c): f"{prefix}{k}_{c}"
        for k in (layout.singles if blocks is None else blocks)
        for c in range(layout.blocks[k].components)
    }


def member_loads(
    layout: Layout, blocks: list[int], source: str
) -> tuple[dict[Leaf, str], list[str]]:
    """Local names of a member's variables, and the lines of a lane loop that load them."""
    names: dict[Leaf, str] = {}
    loads = []
    for k in blocks:
        for c in range(layout.blocks[k].components):
            names[Member(k, c)] = f"x{k}_{c}"
            loads.append(f"x{k}_{c} = {source}[i{k} + {c} * LN + l]")
    return names, loads


def uniform(weights: np.ndarray) -> bool:
    """True if every weight is one."""
    return bool(np.all(weights == 1))


class ArraySums:
    """Prints how members add to the forms.

    Args:
        layout: of the kernel.
        forms: their numbers.
        weight: prefix of the local names of weights.
        kept: prefix of the scratch entries in which they are summed.
    """

    def __init__(self, layout: Layout, forms: list[int], weight: str, kept: str = "form"):
        self.layout, self.forms, self.weight, self.kept = layout, forms, weight, kept

    def of(self, group: int) -> list[int]:
        """Those over the members of a group."""
        return [i for i in self.forms if self.layout.form_group(i) == group]

    def factor(self, i: int) -> str:
        """Name of the present member's weight in form i, "1" where all are."""
        return "1" if self.layout.system.forms[i].uniform else f"{self.weight}{i}"

    def take(self, out: Lines) -> dict[Leaf, str]:
        """In a lane loop: the sums' local names; they begin again."""
        for i in self.forms:
            kept = self.layout.s(f"{self.kept}{i}")
            out += [f"T{i} = {kept}", f"{kept} = F(0)"]
        return {Form(i): f"T{i}" for i in self.forms}

    def load(self, group: int, out: Lines) -> None:
        """Per member, outside the lane loop: its weights."""
        for i in self.of(group):
            spec = self.layout.system.forms[i]
            if not spec.uniform:
                out += [f"{self.factor(i)} = {self.layout.member_value(spec.weights)}"]

    def add(
        self, group: int, names: dict[Leaf, str], out: Lines, without: Iterable[int] = ()
    ) -> None:
        """In the lane loop: add this member, at the named point, to all sums but some."""
        for i in self.of(group):
            if i in without:
                continue
            value = mono_names(self.layout.system.forms[i].mono, names)
            out += [f"{self.layout.s(f'{self.kept}{i}')} += {times(self.factor(i), value)}"]
