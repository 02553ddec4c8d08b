"""The gradient of h at a member of an array, as source: one list of terms per component.

Terms come from array sums and couplings that stand alone in H (times scalars), and from sums that
are factors of other terms, whose derivatives ("forces") the single subsystems left in scratch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..phasespace.polynomials import Form, Leaf, Member, Pair, Poly
from .array_sums import ArraySums
from .fields import Fields
from .layout import Layout, Mono, mono_derivative, times
from .text import Lines, Prologue

if TYPE_CHECKING:
    from .member_channels import MemberChannels

#: By component (block, number): terms of its gradient times dt.
Terms = dict[tuple[int, int], list[str]]


def derivatives(
    mono: Mono, terms: Terms, names: dict[Leaf, str]
) -> Iterator[tuple[list[str], str]]:
    """Of every component on which a monomial depends: its terms, and the monomial's derivative."""
    for at, found in terms.items():
        d = mono_derivative(mono, at, names)
        if d is not None:
            yield found, d


class MemberGradient:
    """Prints it.

    Args:
        layout, prologue: of the kernel.
        static: terms of H that are one array sum or coupling times scalars.
        pairs: the couplings, as numbered in ``fields``.
        fields: their fields.
        sums: the array sums that are kept.
    """

    def __init__(
        self,
        layout: Layout,
        prologue: Prologue,
        static: Poly,
        pairs: list[Pair],
        fields: Fields,
        sums: ArraySums,
    ):
        self.layout, self.prologue, self.static = layout, prologue, static
        self.pairs, self.fields, self.sums = pairs, fields, sums

    def begin(
        self,
        group: int,
        stage: int,
        source: str,
        names: dict[Leaf, str],
        channels: MemberChannels,
        out: Lines,
    ) -> tuple[Terms, Lines]:
        """In the loop over members: what turns them, by H and by jumps; lines of its lane loop."""
        lane = Lines(0)
        terms: Terms = {(leaf.block, leaf.comp): [] for leaf in names if isinstance(leaf, Member)}
        self.add_static(group, names, terms, out)
        self.add_forces(group, names, terms, out, lane)
        self.fields.member(out, group)
        lane.add(*self.fields.lane(group, source, names))
        self.add_pairs(group, names, terms, out)
        channels.add(group, stage, names, terms, out, lane)
        return terms, lane

    def add_static(self, group: int, names: dict[Leaf, str], terms: Terms, out: Lines) -> None:
        """Array sums: fields without other members; constant ones are summed into one array."""
        parameters = self.layout.parameters
        constant: dict[Mono, np.ndarray] = {}
        scalars: dict[Mono, list[str]] = {}
        for t, leaves, c in self.static.sorted_terms():
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
            out.add(f"st{j} = " + " + ".join(parts))
            for found, d in derivatives(mono, terms, names):
                found.append(times(f"st{j}", d))

    def add_forces(
        self, group: int, names: dict[Leaf, str], terms: Terms, out: Lines, lane: Lines
    ) -> None:
        """Forces of terms that hold an array sum as a factor; ``lane``: lines of the lane loop."""
        self.sums.load(group, out)
        for i in self.sums.of(group):
            if f"force{i}" not in self.layout.scratch:
                continue
            lane.add(f"f{i} = {times(self.sums.factor(i), self.layout.s(f'force{i}'))}")
            for found, d in derivatives(self.layout.system.forms[i].mono, terms, names):
                found.append(times(f"f{i}", d))

    def add_pairs(self, group: int, names: dict[Leaf, str], terms: Terms, out: Lines) -> None:
        """Couplings, by their fields at this member."""
        for t, leaves, c in self.static.sorted_terms():
            if not isinstance(leaves[0], Pair):
                continue
            j = self.pairs.index(leaves[0])
            for e, (mono, weights, field, factor) in enumerate(self.fields.uses[j]):
                if self.layout.block(mono[0][0]).size != group:
                    continue
                scalar = self.prologue.number(c.real * factor, t)
                name = f"pc{j}_{e}_{len(t)}"
                weight = "" if weights is None else f" * {self.layout.member_value(weights)}"
                out.add(f"{name} = {scalar}{weight}")
                for found, d in derivatives(mono, terms, names):
                    found.append(times(name, field.name, d))
