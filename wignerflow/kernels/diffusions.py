r"""Nonlinear jumps at the end of a step: Itô, with the root of a matrix that may be negative.

With A and D of a ``Diffusion`` at the point x that the rest of the step has come to,

.. math:: x' = x + A(x) h + F n, \qquad F F^T = D(x) h,

F being a Cholesky factor. Where D is not positive no noise has it: a pivot below zero is taken as
zero (and counted), and an entry of a column as no more than what is left of its own variance, so
that variances are max(D_ii, 0) h and only correlations shrink. Weak order one.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..phasespace.polynomials import Leaf, Number
from ..phasespace.system import Diffusion
from .capped import clamp
from .layout import Layout
from .rng import DYNAMICS
from .text import Lines, Prologue, expression, fill

CLIP_TOLERANCE = 1e-5  # a pivot below this times the scale of its diffusion counts as clipped


class DiffusionPrinter:
    """Prints them, for single subsystems and for members of arrays."""

    def __init__(self, layout: Layout, prologue: Prologue):
        self.layout, self.prologue = layout, prologue
        self.first: list[str] = []
        for d in layout.system.diffusions:
            pairs = self._pairs(d) * layout.blocks[d.leaves[0].block].size
            self.first.append(layout.draws.first(DYNAMICS, d.name, pairs) if pairs else "")

    def _of(self, group: int | None) -> list[tuple[int, Diffusion]]:
        blocks = self.layout.blocks
        return [
            (k, d)
            for k, d in enumerate(self.layout.system.diffusions)
            if blocks[d.leaves[0].block].group == group
        ]

    @staticmethod
    def _pairs(d: Diffusion) -> int:
        return (len(d.noisy) + 1) // 2

    def _slots(self, k: int, e: int) -> list[str]:
        return [self.layout.s(f"diffusion{k}_{2 * e + i}") for i in range(2)]

    def before_singles(self, out: Lines) -> None:
        """Normals of single subsystems into scratch."""
        for k, d in self._of(None):
            for e in range(self._pairs(d)):
                fill(out, "kd", f"{self.first[k]} + {e}", self._slots(k, e))

    def before_member(self, group: int, out: Lines) -> None:
        """In the loop over members: normals of member m into scratch, its numbers by name."""
        for k, d in self._of(group):
            pairs = self._pairs(d)
            for e in range(pairs):
                fill(out, "kd", f"{self.first[k]} + {pairs} * m + {e}", self._slots(k, e))
            for leaf in self._numbers(d):
                values = self.layout.system.numbers[leaf.index]
                out += [f"c{leaf.index} = {self.layout.member_value(values)}"]

    @staticmethod
    def _numbers(d: Diffusion) -> list[Number]:
        polys = [*d.drift, *(p for row in d.lower for p in row)]
        return list(dict.fromkeys(x for p in polys for x in p.leaves if isinstance(x, Number)))

    def lines(self, group: int | None, state: Mapping[Leaf, str], out: Lines) -> dict[Leaf, str]:
        """In lane: emit the motion from the named state; the names of what moves."""
        end: dict[Leaf, str] = {}
        for k, d in self._of(group):
            names: dict[Leaf, str] = {leaf: state[leaf] for leaf in d.leaves}
            names.update({leaf: f"c{leaf.index}" for leaf in self._numbers(d)})
            self._root(k, d, names, out)
            for i, leaf in enumerate(d.leaves):
                drift = expression(d.drift[i], names, self.prologue, "h")
                noise = [f"F{k}_{i}_{j} * g{k}_{j}" for j in d.noisy if j <= i and i in d.noisy]
                if drift or noise:
                    end[leaf] = f"d{k}_{i}"
                    out += [
                        f"d{k}_{i} = " + " + ".join([names[leaf], *filter(None, [drift]), *noise])
                    ]
        return end

    def _root(self, k: int, d: Diffusion, names: dict[Leaf, str], out: Lines) -> None:
        """The factor F{k}_i_j and the normals g{k}_j."""
        clip = self.layout.clip(d.leaves[0].block)
        for n, i in enumerate(d.noisy):
            slot = self._slots(k, n // 2)[n % 2]
            out += [f"g{k}_{i} = noise * {slot}"]
        for i in d.noisy:
            out += [f"V{k}_{i} = {expression(d.lower[i][i], names, self.prologue, 'h')}"]
            for j in (x for x in d.noisy if x < i):
                entry = expression(d.lower[i][j], names, self.prologue, "h") or "F(0)"
                for m in (x for x in d.noisy if x < j):
                    entry += f" - F{k}_{i}_{m} * F{k}_{j}_{m}"
                out += [
                    f"W{k}_{i} = np.sqrt(fmax0(V{k}_{i}))",
                    f"F{k}_{i}_{j} = {clamp(f'({entry}) * r{k}_{j}', f'W{k}_{i}')}",
                    f"V{k}_{i} = V{k}_{i} - F{k}_{i}_{j} * F{k}_{i}_{j}",
                ]
            tolerance = self.layout.parameters.scalar(CLIP_TOLERANCE * d.scale[i])
            tolerance = self.prologue.name(f"{tolerance} * h")
            out += [
                f"{clip} += below(V{k}_{i} + {tolerance})",
                f"F{k}_{i}_{i} = np.sqrt(fmax0(V{k}_{i}))",
            ]
            if i < d.noisy[-1]:
                root = f"F(1) / np.sqrt(fmax0(V{k}_{i}) + F(1e-30))"
                out += [f"r{k}_{i} = pick(V{k}_{i}, {root}, F(0) * V{k}_{i})"]
