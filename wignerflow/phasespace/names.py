"""Names of the classical variables of a system, and its polynomials as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.numerals import number
from .matrices import matrix_names
from .polynomials import Aux, Coupled, Form, Leaf, Member, Number, Pair, Poly, Var
from .system import AMPLITUDES, MATRIX, MODE, ROTOR, SPIN, PhaseSpaceSystem

Mono = tuple[tuple[int, int], ...]

LETTERS = {
    SPIN: ("Jx", "Jy", "Jz"),
    MODE: ("Re a", "Im a"),
    ROTOR: ("Jx", "Jy", "Jz", "nx", "ny", "nz"),
    AMPLITUDES: ("Re α", "Im α", "Re β", "Im β"),
}
PAULI, BLOCH = ("sx", "sy", "sz"), ("x", "y", "z")


class Names:
    """Names of the classical variables of a system.

    Args:
        system: the system.
        pauli: write single spins as Pauli vectors s = 2 J.
    """

    def __init__(self, system: PhaseSpaceSystem, pauli: bool = False):
        self.system, self.pauli = system, pauli
        #: Roots are numbered through all blocks: those before each block.
        self.roots: dict[int, int] = {}
        for e in system.explicit:
            self.roots[e.block] = sum(len(x.roots) for x in system.explicit[: len(self.roots)])

    def is_pauli(self, block: int) -> bool:
        """Whether a block is written as Pauli vectors."""
        return self.pauli and self.system.blocks[block].source == "spin"

    def scale(self, block: int) -> float:
        """The variables of a block in units of those written."""
        return 0.5 if self.is_pauli(block) else 1.0

    def letters(self, block: int) -> tuple[str, ...]:
        """Names of the components of a block without its own."""
        b = self.system.blocks[block]
        if b.source == "bloch":
            return BLOCH
        if b.kind == MATRIX:
            return matrix_names(b.labels, "R[{},{}]")
        return PAULI if self.is_pauli(block) else LETTERS[b.kind]

    def component(self, block: int, comp: int) -> str:
        """Name of one component of a block; members of an array carry the index m."""
        b = self.system.blocks[block]
        prefix = "" if len(self.system.blocks) == 1 else f"{b.name}."
        return prefix + self.letters(block)[comp] + ("" if b.count is None else "[m]")

    def mono(self, mono: Mono) -> str:
        """Name of a member monomial."""
        return " ".join(self.component(b, c) for b, c in mono)

    def mono_scale(self, mono: Mono) -> float:
        """A member monomial in units of the one written."""
        return float(np.prod([self.scale(b) for b, _ in mono]))

    def leaf(self, leaf: Leaf) -> str:
        """Name of any leaf."""
        if isinstance(leaf, (Var, Member)):
            return self.component(leaf.block, leaf.comp)
        if isinstance(leaf, (Form, Pair)):
            return f"{'S' if isinstance(leaf, Form) else 'K'}{leaf.index + 1}"
        if isinstance(leaf, Aux):
            return f"r{self.roots[leaf.block] + leaf.index + 1}"
        return f"{'n' if isinstance(leaf, Number) else 'c'}{leaf.index + 1}[m]"

    def leaf_scale(self, leaf: Leaf) -> float:
        """A leaf in units of the one written."""
        if isinstance(leaf, (Var, Member)):
            return self.scale(leaf.block)
        if isinstance(leaf, Form):
            return self.mono_scale(self.system.forms[leaf.index].mono)
        if isinstance(leaf, Pair):
            pair = self.system.pairs[leaf.index]
            return self.mono_scale(pair.left + pair.right)
        return 1.0

    def sums(self, polys: list[Poly]) -> list[str]:
        """Definitions of the sums and numbers that occur in polynomials."""
        leaves = {leaf for poly in polys for leaf in poly.leaves}
        out = [self._definition(leaf) for leaf in sorted(leaves, key=lambda x: x[::-1])]
        return [line for line in out if line]

    def _definition(self, leaf: Leaf) -> str:
        if isinstance(leaf, Form):
            form = self.system.forms[leaf.index]
            weight = "" if form.uniform else f"w{leaf.index + 1}[m] "
            return f"{self.leaf(leaf)} = Σ_m {weight}{self.mono(form.mono)}"
        if isinstance(leaf, Pair):
            pair = self.system.pairs[leaf.index]
            weights = ("" if pair.u is None else "u[m] ", "" if pair.v is None else "v[m'] ")
            sides = f"{weights[0]}{self.mono(pair.left)} {weights[1]}{self._other(pair.right)}"
            return f"{self.leaf(leaf)} = Σ_mm' K[m,m'] {sides},  K = {pair.coupling!r}"
        if isinstance(leaf, Coupled):
            spec = self.system.coupled[leaf.index]
            weight = "" if spec.weights is None else "w[m'] "
            sum_ = f"Σ_m' K[m,m'] {weight}{self._other(spec.mono)}"
            return f"{self.leaf(leaf)} = {sum_},  K = {spec.coupling!r}"
        if isinstance(leaf, Number):
            return f"{self.leaf(leaf)} = {span(self.system.numbers[leaf.index])}"
        return ""

    def _other(self, mono: Mono) -> str:
        return self.mono(mono).replace("[m]", "[m']")

    def poly(self, poly: Poly, scale: float = 1.0) -> str:
        """A polynomial times a number, in the variables written."""
        parts = []
        for times, leaves, c in poly.sorted_terms:
            factors = [f"f_{t.part}(t)" for t in times] + [self.leaf(leaf) for leaf in leaves]
            for leaf in leaves:
                c *= self.leaf_scale(leaf)
            parts.append((c * scale, " ".join(factors)))
        return signed(parts)


def signed(parts: list[tuple[complex, str]]) -> str:
    """A sum of products of numbers and names."""
    out = ""
    for c, factors in parts:
        negative = (c.imag == 0 and c.real < 0) or (c.real == 0 and c.imag < 0)
        size = number(-c if negative else c)
        body = factors if size == "1" and factors else f"{size} {factors}".strip()
        sign = (" - " if negative else " + ") if out else ("-" if negative else "")
        out += sign + body
    return out or "0"


def span(values: NDArray[np.float64]) -> str:
    """A number, or from where to where those of the members go."""
    low, high = float(np.min(values)) + 0.0, float(np.max(values)) + 0.0
    return f"{low:.6g}" if low == high else f"{low:.6g} … {high:.6g} (by member)"
