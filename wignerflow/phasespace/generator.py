r"""The generator of a system's equations as an object: L f for polynomials f of the state.

With h and :math:`l = u + i w` real and complex symbols, r a rate and {,} the brackets of
``system``, the mean of a polynomial f over trajectories obeys d<f>/dt = <L f> with

.. math:: L f = \{f, h\} + \sum_k r_k \big( w\{f, u\} - u\{f, w\}
   + \tfrac12 \{\{f, u\}, u\} + \tfrac12 \{\{f, w\}, w\} \big) + L_\mathrm{local} f,

the Itô form of the Stratonovich equation there, and for every ensemble with local channels
:math:`\Lambda, c`

.. math:: L_\mathrm{local} f = (-\Lambda J + \tfrac N2 c)\cdot\nabla f
   + \tfrac12 D_{ab} \partial_a \partial_b f, \qquad
   D = \tfrac N4 (\Lambda + \Lambda^T) - \tfrac12 (c J^T + J c^T).

D is taken as it stands, without the clipping of negative pivots in a step. Systems of single
subsystems whose rates are constant are treated; see ``refuses``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..model.coefficients import Coef
from .polynomials import Poly, Var, poly_sum
from .system import MODE, SPIN, LocalStep, PhaseSpaceSystem


def refuses(system: PhaseSpaceSystem) -> str | None:
    """Why there is no generator object for a system, or None."""
    if system.explicit:
        return "its equations are given block by block"
    if any(b.count is not None for b in system.blocks):
        return "it has arrays of subsystems"
    if any(b.kind not in (SPIN, MODE) for b in system.blocks):
        return "it has other variables than spins and modes"
    if system.coefficients():
        return "it depends on time"
    if system.links:
        return "it has links with delays"
    if system.diffusions or any(not c.noisy or c.sign != 1 for c in system.channels):
        return "it has nonlinear jumps, whose noise is written out"
    if not system.noise:
        return "it has no noise"
    return None


def bracket(system: PhaseSpaceSystem, f: Poly, g: Poly) -> Poly:
    """{f, g} of polynomials in the variables of spins and modes."""
    return poly_sum(_brackets(system, f, g))


def _brackets(system: PhaseSpaceSystem, f: Poly, g: Poly) -> Iterator[Poly]:
    one, two = ({x.block for x in h.leaves if isinstance(x, Var)} for h in (f, g))
    for k in sorted(one & two):
        block = system.blocks[k]
        df = [f.derivative(Var(k, c)) for c in range(block.components)]
        dg = [g.derivative(Var(k, c)) for c in range(block.components)]
        if block.kind == MODE:
            yield (df[0] * dg[1] - df[1] * dg[0]) * 0.5
            continue
        for c in range(3):
            a, b = (c + 1) % 3, (c + 2) % 3
            cross = df[a] * dg[b] - df[b] * dg[a]
            if cross:
                yield cross * Poly.leaf(Var(k, c))


class Generator:
    """L of a system that ``refuses`` does not refuse."""

    def __init__(self, system: PhaseSpaceSystem):
        self.system = system
        self.symbols = []
        for channel in system.channels:
            assert not isinstance(channel.rate, Coef)
            rate = float(channel.rate)
            self.symbols.append((channel.symbol.real(), channel.symbol.imag(), rate))

    @property
    def variables(self) -> list[Var]:
        """All of them, in order."""
        blocks = enumerate(self.system.blocks)
        return [Var(k, c) for k, b in blocks for c in range(b.components)]

    def __call__(self, f: Poly) -> Poly:
        """L f."""
        parts = [bracket(self.system, f, self.system.hamiltonian)]
        for u, w, rate in self.symbols:
            fu, fw = bracket(self.system, f, u), bracket(self.system, f, w)
            second = bracket(self.system, fu, u) + bracket(self.system, fw, w)
            parts.append((w * fu - u * fw + second * 0.5) * rate)
        local = [step for step in self.system.local if isinstance(step, LocalStep)]
        parts += [self._local(step, f) for step in local]
        return poly_sum(parts).clean()

    def _local(self, step: LocalStep, f: Poly) -> Poly:
        N, k = float(step.numbers[0]), step.block
        lam, c = np.zeros((3, 3)), np.zeros(3)
        for rate, part, shift in step.parts:
            assert not isinstance(rate, Coef)
            lam, c = lam + rate[0] * part[0], c + rate[0] * shift[0]
        J = [Poly.leaf(Var(k, a)) for a in range(3)]
        first = [f.derivative(Var(k, a)) for a in range(3)]
        out = []
        for a in range(3):
            drift = poly_sum([J[b] * -lam[a, b] for b in range(3)])
            out.append((drift + Poly.constant(N / 2 * c[a])) * first[a])
            for b in range(3):
                second = first[a].derivative(Var(k, b))
                if second:
                    D = Poly.constant(N / 4 * (lam[a, b] + lam[b, a]))
                    D = D - (J[b] * c[a] + J[a] * c[b]) * 0.5
                    out.append(D * second * 0.5)
        return poly_sum(out)
