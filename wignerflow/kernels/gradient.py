"""The gradient of h and of the jumps, as source.

With X_k the increment of jump k (see ``splitting``), the gradient times dt of a variable x of a
single subsystem, or of an array sum, is

    g_x = dh/dx dt + sum_k (dRe[l_k]/dx Re[X_k] - dIm[l_k]/dx Im[X_k]).

At a member of an array it is one list of terms per component: terms come from array sums and
couplings that stand alone in H (times scalars), and from sums that are factors of other terms,
whose derivatives ("forces") the single subsystems left in scratch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..model.coefficients import Coef
from ..phasespace.polynomials import Form, Leaf, Member, Pair, Poly
from ..phasespace.system import PhaseSpaceSystem
from .fields import Fields
from .layout import ArraySums, Layout, Mono, mono_derivative, times
from .links import Links
from .text import DRIFT, NOISE, WHOLE, Lines, Prologue, expression, plus

if TYPE_CHECKING:
    from .member_channels import MemberChannels

Symbol = tuple[Poly, Poly, float | Coef, float]


def symbols_of(system: PhaseSpaceSystem) -> list[Symbol]:
    """Real and imaginary part of every jump's symbol, with a constant rate's root; rate, sign."""
    out: list[Symbol] = []
    for channel in system.channels:
        scale = 1.0 if isinstance(channel.rate, Coef) else float(np.sqrt(channel.rate))
        symbol = channel.symbol * scale
        if any(isinstance(leaf, Pair) for leaf in symbol.leaves):
            raise NotImplementedError(
                "A jump operator that contains a coupling sum over pairs has no kernel."
            )
        out.append((symbol.real(), symbol.imag(), channel.rate, channel.sign))
    return out


class SingleGradient:
    """Prints it, from the part ``rest`` of H that is no array sum or coupling times scalars."""

    def __init__(
        self,
        system: PhaseSpaceSystem,
        prologue: Prologue,
        rest: Poly,
        links: Links,
        part: str = WHOLE,
    ):
        self.prologue, self.rest, self.part = prologue, rest, part
        self.symbols = symbols_of(system)
        self.slopes = [(re.gradient(), (im * -1).gradient()) for re, im, _, _ in self.symbols]
        #: Channels whose input comes through links, which holds the strength of its noise.
        self.given = {k for k, c in enumerate(system.channels) if links.is_port(c)}
        self.links = links
        self.numbers: list[tuple[str, tuple[Leaf, ...]]] | None = None

    @property
    def polynomials(self) -> list[Poly]:
        """All that it is the gradient of."""
        return [self.rest, *(p for re, im, _, _ in self.symbols for p in (re, im))]

    def emit(self, names: dict[Leaf, str], stage: int, lines: Lines) -> dict[Leaf, str]:
        """Emit the channels' amplitudes; return the gradient (times dt) of every leaf."""
        pro = self.prologue
        channels: list[tuple[dict[Leaf, Poly], str]] = []
        for k, (re, im, rate, sign) in enumerate(self.symbols):
            root, rdt = self.links.root if k in self.given else "sqh", "h"
            if isinstance(rate, Coef):
                root, rdt = pro.rate(rate)
            if sign < 0:
                rdt = pro.name(f"F(-1) * {rdt}")
            lr, li = (expression(p, names, pro) for p in (re, im))
            terms = [[f"{root} * w{k}_{i}"] if self.part != DRIFT else [] for i in range(2)]
            for i, (name, value) in enumerate((("li", li), ("lr", lr))):
                if value and self.part != NOISE:
                    lines += [f"{name}{k}_{stage} = {value}"]
                    terms[i].append(f"{rdt} * {name}{k}_{stage}")
            x = [f"x{part}{k}_{stage}" if terms[i] else "" for i, part in enumerate("ri")]
            lines += (f"{x[i]} = {plus(*terms[i])}" for i in range(2) if x[i])
            channels += zip(self.slopes[k], x, strict=True)
        slopes = self._slopes(names)
        out: dict[Leaf, str] = {}
        for leaf in [*names]:
            parts = slopes.get(leaf, [])
            for gradient, factor in channels:
                if factor and leaf in gradient:
                    d = expression(gradient[leaf], names, pro)
                    parts.append(f"({d}) * {factor}" if " + " in d else f"{d} * {factor}")
            out[leaf] = plus(*parts)
        return out

    def _slopes(self, names: dict[Leaf, str]) -> dict[Leaf, list[str]]:
        """Terms of the gradient of H (times dt) by leaf; one number per term of H serves all."""
        if self.numbers is None:
            self.numbers = [
                (self.prologue.number(c.real, times), leaves)
                for times, leaves, c in self.rest.sorted_terms
                if c.real != 0
            ]
        out: dict[Leaf, list[str]] = {}
        for number, leaves in self.numbers:
            for leaf in dict.fromkeys(leaves):
                others = list(leaves)
                others.remove(leaf)
                n = leaves.count(leaf)
                factors = [number, *([f"F({n})"] if n > 1 else []), *(names[x] for x in others)]
                out.setdefault(leaf, []).append(" * ".join(factors))
        return out


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
        lane: Lines = []
        terms: Terms = {(leaf.block, leaf.comp): [] for leaf in names if isinstance(leaf, Member)}
        self.add_static(group, names, terms, out)
        self.add_forces(group, names, terms, out, lane)
        self.fields.member(out, group)
        lane += self.fields.lane(group, source, names)
        self.add_pairs(group, names, terms, out)
        channels.add(group, stage, names, terms, out, lane)
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
        self, group: int, names: dict[Leaf, str], terms: Terms, out: Lines, lane: Lines
    ) -> None:
        """Forces of terms that hold an array sum as a factor; ``lane``: lines of the lane loop."""
        self.sums.load(group, out)
        for i in self.sums.of(group):
            if f"force{i}" not in self.layout.scratch:
                continue
            lane += [f"f{i} = {times(self.sums.factor(i), self.layout.s(f'force{i}'))}"]
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
