"""Sums over the members of arrays ("forms"), made in one pass over the members."""

from __future__ import annotations

from collections.abc import Iterable

from ..phasespace.polynomials import Leaf
from .layout import Layout, mono_names, times
from .text import Lines


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

    def load(self, group: int, out: Lines) -> None:
        """Per member, outside the lane loop: its weights."""
        for i in self.of(group):
            spec = self.layout.system.forms[i]
            if not spec.uniform:
                out.add(f"{self.factor(i)} = {self.layout.member_value(spec.weights)}")

    def add(
        self, group: int, names: dict[Leaf, str], out: Lines, without: Iterable[int] = ()
    ) -> None:
        """In the lane loop: add this member, at the named point, to all sums but some."""
        for i in self.of(group):
            if i in without:
                continue
            value = mono_names(self.layout.system.forms[i].mono, names)
            out.add(f"{self.layout.s(f'{self.kept}{i}')} += {times(self.factor(i), value)}")
