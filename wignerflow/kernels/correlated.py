r"""Correlated dissipation Gamma_ij between members, as one family of channels.

With l_m the symbol of member m's operator, member m sees

.. math:: X_m = \sum_r S_{mr} dW_r + i\,dt \sum_{m'} \Gamma_{m'm} l_{m'}^*, \qquad S S^+ = \Gamma^T,

in place of the increment of a jump of its own. S has as many columns as Gamma has rank. Where that
is low both terms go through S, as S (dW + i dt S^+ l^*), at a cost of O(M * rank); else Gamma
itself stands in the second. All products are dense ones over blocks of trajectories (``dense``),
but for those with a sparse Gamma; neither text nor compile time grows with the number of members.
"""

from __future__ import annotations

import numpy as np
import scipy

from ..phasespace.channels import MatrixChannel
from .dense import ComplexMatrix, padded
from .layout import Layout
from .products import Target, accumulate, member_values, sparse_rows, zero
from .text import DRIFT, LANE_LOOP, NOISE, WHOLE, Lines, fill

#: A matrix with at most this share of entries is multiplied entry by entry.
SPARSE = 1 / 16
COMBINED = {
    WHOLE: ("w[jr + l] = sqh * w[nr + l] - h * w[ji + l]", "w[ji + l] = sqh * w[ni + l] + h * yr"),
    DRIFT: ("w[jr + l] = F(-1) * h * w[ji + l]", "w[ji + l] = h * yr"),
    NOISE: ("w[jr + l] = sqh * w[nr + l]", "w[ji + l] = sqh * w[ni + l]"),
}


class CorrelatedPrinter:
    """Prints the increments of one correlated channel into the wide scratch array."""

    def __init__(self, layout: Layout, channel: MatrixChannel, part: str = WHOLE):
        self.layout, self.channel, self.part = layout, channel, part
        (M, R), p = channel.factor.shape, layout.parameters
        sparse = np.count_nonzero(channel.matrix) <= SPARSE * M**2
        self.low = not sparse and 3 * R < 2 * M
        self.raw = (layout.wide(R), layout.wide(R))
        self.amplitude = (layout.wide(M), layout.wide(M))
        self.increment = (layout.wide(padded(M)), layout.wide(padded(M)))
        self.rank, self.members = p.integer(R), p.integer(M)
        self.factor = ComplexMatrix(layout, channel.factor)
        if self.low:
            self.sums = (layout.wide(padded(R)), layout.wide(padded(R)))
            self.adjoint = ComplexMatrix(layout, channel.factor.conj().T)
            return
        self.noise = (layout.wide(padded(M)), layout.wide(padded(M)))
        self.sparse = (
            sparse_rows(layout, scipy.sparse.csr_matrix(channel.matrix.T)) if sparse else None
        )
        self.matrix = None if sparse else ComplexMatrix(layout, channel.matrix.T)

    def before(self, out: Lines, first: str, stage: int, source: str, keys: str = "kd") -> None:
        """Before the loop over members: noise (in stage 1) and increments of all of them."""
        if stage == 1 and self.part != DRIFT:
            loop = self.layout.each(out, self.rank, "m")
            loop += self._at("jr", "ji", self.raw, "m")
            fill(loop, keys, f"{first} + m", ["w[jr + l]", "w[ji + l]"])
            if not self.low:
                self._zero(out, self.noise, self.members)
                self.factor.add(out, self.noise, self.raw)
        conjugate: list[Target] = [
            (self.amplitude[0], {k: c.real for k, c in self.channel.terms.items()}),
            (self.amplitude[1], {k: -c.imag for k, c in self.channel.terms.items()}),
        ]
        if self.part != NOISE:
            member_values(out, self.layout, self.members, conjugate, source)
        self._zero(out, self.increment, self.members)
        if self.low:
            self._zero(out, self.sums, self.rank)
            if self.part != NOISE:
                self.adjoint.add(out, self.sums, self.amplitude)
            self._combine(out, self.sums, self.raw, self.rank)
            self.factor.add(out, self.increment, self.sums)
            return
        if self.part != NOISE and self.matrix is not None:
            self.matrix.add(out, self.increment, self.amplitude)
        elif self.part != NOISE:
            assert self.sparse is not None
            loop = self.layout.each(out, self.members)
            loop += self._at("jr", "ji", self.increment, "k")
            accumulate(loop, self.sparse, "jr", "ji", self.amplitude)
        self._combine(out, self.increment, self.noise, self.members)

    @staticmethod
    def _at(re: str, im: str, where: tuple[str, str], k: str) -> list[str]:
        """Names of the indices of entry k of a complex array."""
        return [f"{n} = ({at} + {k}) * LN & FAR" for n, at in zip((re, im), where, strict=True)]

    def _zero(self, out: Lines, where: tuple[str, str], count: str) -> None:
        loop = self.layout.each(out, count)
        loop += self._at("jr", "ji", where, "k")
        zero(loop, "jr", "ji")

    def _combine(
        self, out: Lines, where: tuple[str, str], noise: tuple[str, str], count: str
    ) -> None:
        """y -> sqrt(h) noise + i h y, or one of the two, entry by entry."""
        loop = self.layout.each(out, count)
        loop += [*self._at("jr", "ji", where, "k"), *self._at("nr", "ni", noise, "k")]
        loop += [LANE_LOOP, ["yr = w[jr + l]", *COMBINED[self.part]]]
