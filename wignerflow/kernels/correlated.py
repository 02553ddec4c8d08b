r"""Correlated dissipation Gamma_ij between members, as one family of channels.

With l_m the symbol of member m's operator, member m sees

.. math:: X_m = \sum_r S_{mr} dW_r + i\,dt \sum_{m'} \Gamma_{m'm} l_{m'}^*, \qquad S S^+ = \Gamma^T,

in place of the increment of a jump of its own. S has as many columns as Gamma has rank. Both
products run in loops over arrays, so neither text nor compile time grows with the number of
members; a step costs O(M * rank) and what the entries of Gamma cost.
"""

from __future__ import annotations

import scipy.sparse as sp

from ..phasespace.system import MatrixChannel
from .layout import Layout
from .local import fill
from .products import Target, accumulate, member_values, sparse_rows, zero
from .text import LANE_LOOP, Lines


class CorrelatedPrinter:
    """Prints the increments of one correlated channel into the wide scratch array."""

    def __init__(self, layout: Layout, channel: MatrixChannel):
        self.layout, self.channel = layout, channel
        M, R, p = channel.size, channel.factor.shape[1], layout.parameters
        self.raw = (layout.wide(R), layout.wide(R))
        self.noise = (layout.wide(M), layout.wide(M))
        self.amplitude = (layout.wide(M), layout.wide(M))
        self.increment = (layout.wide(M), layout.wide(M))
        self.rank, self.members = p.integer(R), p.integer(M)
        self.factor = sparse_rows(layout, sp.csr_matrix(channel.factor))
        self.matrix = sparse_rows(layout, sp.csr_matrix(channel.matrix.T))

    def before(self, out: Lines, first: str, stage: int, source: str) -> None:
        """Before the loop over members: noise (in stage 1) and increments of all of them."""
        if stage == 1:
            out.open(f"for m in range({self.rank}):")
            out.add(f"jr = ({self.raw[0]} + m) * LN & FAR", f"ji = ({self.raw[1]} + m) * LN & FAR")
            fill(out, "kd", f"{first} + m", ["w[jr + l]", "w[ji + l]"])
            out.close()
            self._product(out, self.factor, self.noise, self.raw)
        conjugate: list[Target] = [
            (self.amplitude[0], {k: c.real for k, c in self.channel.terms.items()}),
            (self.amplitude[1], {k: -c.imag for k, c in self.channel.terms.items()}),
        ]
        member_values(out, self.layout, self.members, conjugate, source)
        self._product(out, self.matrix, self.increment, self.amplitude)
        out.open(f"for k in range({self.members}):")
        out.add(*self._at("jr", "ji", self.increment, "k"), *self._at("nr", "ni", self.noise, "k"))
        out.open(LANE_LOOP)
        out.add(
            "yr = w[jr + l]",
            "w[jr + l] = sqh * w[nr + l] - h * w[ji + l]",
            "w[ji + l] = sqh * w[ni + l] + h * yr",
        )
        out.close()
        out.close()

    @staticmethod
    def _at(re: str, im: str, where: tuple[str, str], k: str) -> list[str]:
        """Names of the indices of entry k of a complex array."""
        return [f"{n} = ({at} + {k}) * LN & FAR" for n, at in zip((re, im), where, strict=True)]

    def _product(
        self,
        out: Lines,
        rows: tuple[str, str, str, str],
        target: tuple[str, str],
        source: tuple[str, str],
    ) -> None:
        out.open(f"for k in range({self.members}):")
        out.add(*self._at("jr", "ji", target, "k"))
        zero(out, "jr", "ji")
        accumulate(out, rows, "jr", "ji", source)
        out.close()
