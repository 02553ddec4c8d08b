"""What turns the members of arrays: H and jumps, by coupling fields and by sums over all members.

At a member the gradient is one list of terms per component: terms come from array sums and
couplings that stand alone in H (times scalars), from jumps, and from sums that are factors of other
terms, whose derivatives ("forces") the single subsystems left in scratch.
"""

from __future__ import annotations

import numpy as np

from ..phasespace.channels import MatrixChannel
from ..phasespace.polynomials import Form, Leaf, Member, Pair, Poly
from .fields import Fields
from .layout import ArraySums, Layout, Mono, Terms, derivatives, needed_forms, times
from .links import Links
from .member_channels import MemberChannels
from .text import WHOLE, Lines, Prologue


class Members:
    """Prints the gradient of members.

    Args:
        layout, prologue: of the kernel.
        static: terms of H that are one array sum or coupling times scalars.
        links: of the kernel; None without any.
        part: what of jumps is printed.
        seen: polynomials whose sums show members each other within a step; None where no group
            makes its step in one pass.
    """

    def __init__(
        self,
        layout: Layout,
        prologue: Prologue,
        static: Poly,
        links: Links | None = None,
        part: str = WHOLE,
        seen: list[Poly] | None = None,
    ):
        self.layout, self.prologue, self.static = layout, prologue, static
        leaves = layout.system.hamiltonian.leaves
        self.pairs = [leaf for leaf in leaves if isinstance(leaf, Pair)]
        self.fields = Fields(layout, [layout.system.pairs[leaf.index] for leaf in self.pairs])
        #: Groups whose members make both evaluations of a step in one pass.
        self.apart = set() if seen is None else self._apart(seen)
        self.channels = MemberChannels(layout, prologue, links, part, self.apart)

    def _apart(self, seen: list[Poly]) -> set[int]:
        """Groups of arrays whose members do not see each other within a step.

        Both evaluations of such a member are made in one pass, and nothing between them is kept.
        """
        layout = self.layout
        sizes = {layout.form_group(i) for i in [*needed_forms(seen), *self.fields.forms()]}
        sizes |= {layout.blocks[use[0][0][0]].size for uses in self.fields.uses for use in uses}
        families = layout.system.member_channels
        sizes |= {f.size for f in families if isinstance(f, MatrixChannel)}
        return {*layout.groups} - sizes

    def total(self, out: Lines, sums: ArraySums) -> None:
        """Complete the sums over members, before single subsystems read them."""
        running = [f"form{i}" for i in self.fields.forms()]
        self.layout.total(out, [f"form{i}" for i in sums.forms], running)

    def start(self, out: Lines, sums: ArraySums) -> None:
        """In the lane loop of single subsystems, where sums have their local names."""
        self.fields.begin(out, {i: f"T{i}" for i in sums.forms}, self.prologue)

    def begin(
        self,
        group: int,
        stage: int,
        source: str,
        names: dict[Leaf, str],
        sums: ArraySums,
        out: Lines,
    ) -> tuple[Terms, Lines]:
        """In the loop over members: what turns them, by H and by jumps; lines of its lane loop."""
        lane: Lines = []
        terms: Terms = {(leaf.block, leaf.comp): [] for leaf in names if isinstance(leaf, Member)}
        self.add_static(group, names, terms, out)
        self.add_forces(group, names, terms, sums, out, lane)
        self.fields.member(out, group)
        lane += self.fields.lane(group, source, names)
        self.add_pairs(group, names, terms, out)
        self.channels.add(group, stage, names, terms, out, lane)
        return terms, lane

    def add_static(self, group: int, names: dict[Leaf, str], terms: Terms, out: Lines) -> None:
        """Array sums: fields without other members; constant ones are summed into one array."""
        parameters = self.layout.parameters
        constant: dict[Mono, np.ndarray] = {}
        scalars: dict[Mono, list[str]] = {}
        for t, leaves, c in self.static.sorted_terms:
            leaf = leaves[0]
            if not isinstance(leaf, Form) or self.layout.form_group(leaf.index) != group:
                continue
            spec = self.layout.system.forms[leaf.index]
            if not t:
                constant[spec.mono] = constant.get(spec.mono, 0) + c.real * spec.weights
                continue
            scalar = self.prologue.number(c.real, t)
            weight = "" if spec.uniform else f" * {self.layout.member_value(spec.weights)}"
            scalars.setdefault(spec.mono, []).append(scalar + weight)
        for mono, w in constant.items():
            if np.all(w == w[0]):
                value = self.prologue.name(f"h * {parameters.scalar(w[0])}")
            else:
                value = f"h * {self.layout.member_value(w)}"
            scalars.setdefault(mono, []).append(value)
        for j, (mono, parts) in enumerate(scalars.items()):
            out += [f"st{j} = " + " + ".join(parts)]
            for found, d in derivatives(mono, terms, names):
                found.append(times(f"st{j}", d))

    def add_forces(
        self,
        group: int,
        names: dict[Leaf, str],
        terms: Terms,
        sums: ArraySums,
        out: Lines,
        lane: Lines,
    ) -> None:
        """Forces of terms that hold an array sum as a factor; ``lane``: lines of the lane loop."""
        sums.load(group, out)
        for i in sums.of(group):
            if f"force{i}" not in self.layout.scratch:
                continue
            lane += [f"f{i} = {times(sums.factor(i), self.layout.s(f'force{i}'))}"]
            for found, d in derivatives(self.layout.system.forms[i].mono, terms, names):
                found.append(times(f"f{i}", d))

    def add_pairs(self, group: int, names: dict[Leaf, str], terms: Terms, out: Lines) -> None:
        """Couplings, by their fields at this member."""
        for t, leaves, c in self.static.sorted_terms:
            if not isinstance(leaves[0], Pair):
                continue
            j = self.pairs.index(leaves[0])
            for e, (mono, weights, field, factor) in enumerate(self.fields.uses[j]):
                if self.layout.blocks[mono[0][0]].size != group:
                    continue
                scalar = self.prologue.number(c.real * factor, t)
                name = f"pc{j}_{e}_{len(t)}"
                weight = "" if weights is None else f" * {self.layout.member_value(weights)}"
                out += [f"{name} = {scalar}{weight}"]
                for found, d in derivatives(mono, terms, names):
                    found.append(times(name, field.name, d))
