"""The gradient of h and of the jumps at single subsystems and array sums, as source.

With X_k the increment of jump k (see ``splitting``), the gradient times dt of a variable x is

    g_x = dh/dx dt + sum_k (dRe[l_k]/dx Re[X_k] - dIm[l_k]/dx Im[X_k]).
"""

from __future__ import annotations

import numpy as np

from ..model.coefficients import Coef
from ..phasespace.polynomials import Leaf, Pair, Poly
from ..phasespace.system import PhaseSpaceSystem
from .links import Links
from .text import DRIFT, NOISE, WHOLE, Lines, Prologue, expression, plus

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
        channels = []
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
                    lines.add(f"{name}{k}_{stage} = {value}")
                    terms[i].append(f"{rdt} * {name}{k}_{stage}")
            x = [f"x{part}{k}_{stage}" if terms[i] else "" for i, part in enumerate("ri")]
            lines.add(*(f"{x[i]} = {plus(*terms[i])}" for i in range(2) if x[i]))
            channels.append((re, im, x[0], x[1]))
        slopes = self._slopes(names)
        out: dict[Leaf, str] = {}
        for leaf in [*names]:
            parts = slopes.get(leaf, [])
            for re, im, xr, xi in channels:
                for poly, factor in ((re, xr), (im * -1, xi)):
                    d = expression(poly.derivative(leaf), names, pro) if factor else ""
                    if d:
                        parts.append(f"({d}) * {factor}" if " + " in d else f"{d} * {factor}")
            out[leaf] = plus(*parts)
        return out

    def _slopes(self, names: dict[Leaf, str]) -> dict[Leaf, list[str]]:
        """Terms of the gradient of H (times dt) by leaf; one number per term of H serves all."""
        if self.numbers is None:
            self.numbers = [
                (self.prologue.number(c.real, times), leaves)
                for times, leaves, c in self.rest.sorted_terms()
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
