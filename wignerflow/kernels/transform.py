r"""Prints a fast transform of the members' amplitudes to any regular grid of momenta.

Bluestein's chirp transform: with km = (k^2 + m^2 - (k - m)^2)/2,

.. math:: F_k = \sum_m a_m e^{-i(p + k\delta)m}
          = e^{-i\delta k^2/2} \sum_m \big[a_m e^{-ipm - i\delta m^2/2}\big]\, e^{i\delta(k-m)^2/2},

a convolution, made by two transforms of length L, the power of two not below M + P - 1. The first
leaves its output in bit-reversed order, the second takes it so, and the factor between them is kept
in that order. The factor before the sum is of modulus one and left out: only \|F_k\|^2 is read.
"""

from __future__ import annotations

import numpy as np

from .layout import Layout
from .text import LANE_LOOP, Lines


class Transform:
    """Prints the transform; reserves 2 L slots of the wide scratch array."""

    def __init__(self, layout: Layout, members: int, size: int, start: float, step: float):
        self.layout, p = layout, layout.parameters
        length = 1 << int(members + size - 2).bit_length()
        self.re, self.im = layout.wide(length), layout.wide(length)
        m = np.arange(members)
        chirp = np.exp(-1j * (start * m + step * m * m / 2))
        kernel = np.zeros(length, complex)
        k = np.arange(size)
        kernel[:size] = np.exp(0.5j * step * k * k)
        kernel[length - members + 1 :] = np.exp(0.5j * step * m[:0:-1] ** 2)
        order = _bit_reversed(length)
        factor = np.fft.fft(kernel)[order] / length
        roots = np.exp(-2j * np.pi * np.arange(length // 2) / length)
        self.chirp, self.factor, self.roots = (
            (p.array(x.real), p.array(x.imag)) for x in (chirp, factor, roots)
        )
        self.length = p.integer(length)

    def source(self, out: Lines, members: str, amplitude: tuple[str, str]) -> None:
        """Append the transform of the amplitudes in the wide scratch array."""
        self.layout.each(out, self.length)
        self.row(out, "fr", "fi")
        out.add(f"inside = k < {members}", "at = k if inside else 0")
        out.add(*(f"a{x} = ({at} + at) * LN & FAR" for x, at in zip("ri", amplitude, strict=True)))
        for x, at in zip("ri", self.chirp, strict=True):
            out.add(f"c{x} = p[{at} + at] if inside else F(0)")
        out.open(LANE_LOOP)
        out.add("w[fr + l] = cr * w[ar + l] - ci * w[ai + l]")
        out.add("w[fi + l] = cr * w[ai + l] + ci * w[ar + l]")
        out.close()
        out.close()
        out.add(f"half = {self.length} // 2")
        out.open("while half >= 1:")
        self._butterflies(out, forward=True)
        out.add("half = half // 2")
        out.close()
        self.layout.each(out, self.length)
        self.row(out, "fr", "fi")
        out.add(*(f"c{x} = p[{at} + k]" for x, at in zip("ri", self.factor, strict=True)))
        out.open(LANE_LOOP)
        out.add("xr = w[fr + l]", "xi = w[fi + l]")
        out.add("w[fr + l] = cr * xr - ci * xi", "w[fi + l] = cr * xi + ci * xr")
        out.close()
        out.close()
        out.add("half = 1")
        out.open(f"while half < {self.length}:")
        self._butterflies(out, forward=False)
        out.add("half = half * 2")
        out.close()

    def row(self, out: Lines, re: str, im: str) -> None:
        """Indices of entry k."""
        out.add(f"{re} = ({self.re} + k) * LN & FAR", f"{im} = ({self.im} + k) * LN & FAR")

    def _butterflies(self, out: Lines, forward: bool) -> None:
        """One stage over pairs at distance ``half``."""
        out.add(f"stride = {self.length} // (2 * half)")
        self.layout.each(out, f"{self.length} // 2")
        out.add("j = k % half", "at = k // half * 2 * half + j")
        for name, where in (("r", self.re), ("i", self.im)):
            out.add(f"u{name} = ({where} + at) * LN & FAR")
            out.add(f"v{name} = ({where} + at + half) * LN & FAR")
        sign = "" if forward else "-"
        re, im = self.roots
        out.add(f"cr = p[{re} + j * stride]", f"ci = {sign}p[{im} + j * stride]")
        out.open(LANE_LOOP)
        out.add("xr = w[ur + l]", "xi = w[ui + l]", "yr = w[vr + l]", "yi = w[vi + l]")
        if forward:
            out.add("w[ur + l] = xr + yr", "w[ui + l] = xi + yi")
            out.add("dr = xr - yr", "di = xi - yi")
            out.add("w[vr + l] = cr * dr - ci * di", "w[vi + l] = cr * di + ci * dr")
        else:
            out.add("dr = cr * yr - ci * yi", "di = cr * yi + ci * yr")
            out.add("w[ur + l] = xr + dr", "w[ui + l] = xi + di")
            out.add("w[vr + l] = xr - dr", "w[vi + l] = xi - di")
        out.close()
        out.close()


def _bit_reversed(length: int) -> np.ndarray:
    """The order in which decimation in frequency leaves its output."""
    order = np.zeros(1, np.int64)
    while order.size < length:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
