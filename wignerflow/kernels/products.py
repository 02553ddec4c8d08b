r"""Prints the readout of pair products: P values conj(L_k) R_k + O_k in one loop over k.

L_k and R_k are weighted sums of the members' complex amplitudes and O_k of their on-site
differences. The amplitudes are written out once per readout, the weights lie in arrays of sparse
rows, so neither the text nor its compilation grows with the number of values or of members.

A regular grid of momenta is read by a fast transform, Bluestein's chirp transform: with
km = (k^2 + m^2 - (k - m)^2)/2,

.. math:: F_k = \sum_m a_m e^{-i(p + k\delta)m}
          = e^{-i\delta k^2/2} \sum_m \big[a_m e^{-ipm - i\delta m^2/2}\big]\, e^{i\delta(k-m)^2/2},

a convolution, made by two transforms of length L, the power of two not below M + P - 1. The first
leaves its output in bit-reversed order, the second takes it so, and the factor between them is kept
in that order. The factor before the sum is of modulus one and left out: only \|F_k\|^2 is read.
"""

from __future__ import annotations

import numpy as np
import scipy

from ..phasespace.system import ProductObservable
from .layout import Layout, Mono, member_loads, mono_names, times
from .text import LANE_LOOP, Lines, nested

#: Offset in the wide scratch array, and real weights per monomial.
Target = tuple[str, dict[Mono, np.ndarray]]
#: Names of row starts, columns, real and imaginary weights.
Rows = tuple[str, str, str, str]


class ProductPrinter:
    """One observable's readout; reserves its room in the wide scratch array."""

    def __init__(self, layout: Layout, symbol: ProductObservable, is_complex: bool):
        self.layout, self.symbol, self.is_complex = layout, symbol, is_complex
        M, p = symbol.members, layout.parameters
        self.amplitude = (layout.wide(M), layout.wide(M))
        self.transform = None
        self.sides: list[Rows] = []
        if symbol.grid is not None:
            self.transform = Transform(layout, M, symbol.size, *symbol.grid)
        else:
            self.sides += [sparse_rows(layout, symbol.left)]
            if symbol.right is not None:
                self.sides.append(sparse_rows(layout, symbol.right))
        self.sums = [(layout.private(1), layout.private(1)) for _ in self.sides]
        self.onsite = bool(symbol.onsite)
        if self.onsite:
            self.difference = layout.wide(M)
            if symbol.grid is not None:
                unique, number = (
                    scipy.sparse.csr_matrix(np.ones((1, M))),
                    np.zeros(symbol.size, np.int64),
                )
            else:
                other = symbol.left if symbol.right is None else symbol.right
                unique, number = _unique_rows(symbol.left.conj().multiply(other).tocsr())
            self.corrections = (layout.wide(unique.shape[0]), layout.wide(unique.shape[0]))
            self.correction_rows = sparse_rows(layout, unique)
            self.unique, self.number = p.integer(unique.shape[0]), p.indices(number)
        self.values, self.members = p.integer(symbol.size), p.integer(M)

    def source(self, out: Lines, position: str) -> None:
        """Append the readout; its channels begin at ``position``."""
        self._amplitudes(out)
        if self.onsite:
            loop = self.layout.each(out, self.unique)
            self._corrections(loop, "k")
            zero(loop, "ir", "ii")
            accumulate(loop, self.correction_rows, "ir", "ii", (self.difference,))
        names = []
        if self.transform is not None:
            self.transform.source(out, self.members, self.amplitude)
            names.append(("lr", "li"))
        loop = self.layout.each(out, self.values)
        if self.transform is not None:
            self.transform.row(loop, "lr", "li")
        for side, (rows, sums) in enumerate(zip(self.sides, self.sums, strict=True)):
            re, im = f"lr{side}", f"li{side}"
            names.append((re, im))
            loop += [f"{re} = {sums[0]} * LN & FAR", f"{im} = {sums[1]} * LN & FAR"]
            zero(loop, re, im)
            accumulate(loop, rows, re, im, self.amplitude)
        if self.onsite:
            self._corrections(loop, f"o[{self.number} + k]")
        (a, b), (c, d) = names[0], names[-1]
        parts = [f"w[{a} + l] * w[{c} + l] + w[{b} + l] * w[{d} + l]"]
        if self.is_complex:
            parts.append(f"w[{a} + l] * w[{d} + l] - w[{b} + l] * w[{c} + l]")
        for part, value in enumerate(parts):
            lane = nested(loop, LANE_LOOP)
            extra = f" + w[{('ir', 'ii')[part]} + l]" if self.onsite else ""
            lane += [f"w[wb + l] = {value}{extra}"]
            channel = f"{position} + {part} * {self.values} + k"
            loop += [f"reduce(w, wb, s, alive, c, i, {channel}, count, mean, m2, bsum, bmap)"]

    def _corrections(self, out: Lines, row: str) -> None:
        """Indices of a row of on-site corrections."""
        for name, at in zip(("ir", "ii"), self.corrections, strict=True):
            out += [f"{name} = ({at} + {row}) * LN & FAR"]

    def _amplitudes(self, out: Lines) -> None:
        symbol = self.symbol
        targets: list[Target] = [
            (self.amplitude[0], {k: c.real for k, c in symbol.amplitude.items()}),
            (self.amplitude[1], {k: c.imag for k, c in symbol.amplitude.items()}),
        ]
        if self.onsite:
            targets.append((self.difference, {k: c.real for k, c in symbol.onsite.items()}))
        member_values(out, self.layout, self.members, targets, "v")


def sparse_rows(layout: Layout, matrix: scipy.sparse.csr_matrix) -> Rows:
    """Names of row starts, columns, real and imaginary weights of a complex matrix."""
    p = layout.parameters
    return (
        p.indices(matrix.indptr),
        p.indices(matrix.indices),
        p.array(matrix.data.real),
        p.array(matrix.data.imag),
    )


def zero(out: Lines, *names: str) -> None:
    """Set rows of the wide scratch array to zero."""
    out += [LANE_LOOP, [f"w[{n} + l] = F(0)" for n in names]]


def member_values(
    out: Lines, layout: Layout, members: str, targets: list[Target], source: str
) -> None:
    """Write real sums of monomials of every member to the wide scratch array."""
    blocks = sorted({b for _, terms in targets for mono in terms for b, _ in mono})
    loop = layout.each(out, members, "m")
    loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
    names, loads = member_loads(layout, blocks, source)
    body = []
    for t, (at, terms) in enumerate(targets):
        sums = []
        for e, (mono, values) in enumerate(terms.items()):
            if np.any(values):
                name = f"r{t}_{e}"
                loop += [f"{name} = p[{layout.parameters.array(values)} + m]"]
                sums.append(times(name, mono_names(mono, names)) if mono else name)
        loop += [f"j{t} = ({at} + m) * LN & FAR"]
        body.append(f"w[j{t} + l] = {' + '.join(sums) or 'F(0)'}")
    loop += [LANE_LOOP, [*loads, *body]]


def accumulate(out: Lines, rows: Rows, re: str, im: str, source: tuple[str, ...]) -> None:
    """Add row k of a complex matrix times a real or complex source, two columns at a time."""
    starts, columns, real, imag = rows
    out += [f"first = o[{starts} + k]", f"last = o[{starts} + k + 1]"]
    for count, bounds in ((2, "first, last - 1, 2"), (1, "last - (last - first) % 2, last")):
        loop = nested(out, f"for e in range({bounds}):")
        for u in range(count):
            loop += [f"kr{u} = p[{real} + e + {u}]", f"ki{u} = p[{imag} + e + {u}]"]
            column = f"o[{columns} + e + {u}]"
            for n, at in enumerate(source):
                loop += [f"j{u}_{n} = ({at} + {column}) * LN & FAR"]
        up = [f"kr{u} * w[j{u}_0 + l]" for u in range(count)]
        side = [f"ki{u} * w[j{u}_0 + l]" for u in range(count)]
        if len(source) == 2:
            up += [f"(-ki{u} * w[j{u}_1 + l])" for u in range(count)]
            side += [f"kr{u} * w[j{u}_1 + l]" for u in range(count)]
        loop += [
            LANE_LOOP,
            [f"w[{re} + l] += {' + '.join(up)}", f"w[{im} + l] += {' + '.join(side)}"],
        ]


def _unique_rows(matrix: scipy.sparse.csr_matrix) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """Different rows, and for every row the number of its like."""
    matrix.eliminate_zeros()
    matrix.sort_indices()
    # |e^{ix}|^2 is one: equal rows and equal arrays must not differ by rounding
    matrix.data = data = np.round(matrix.data, 13) + 0.0
    seen: dict[bytes, int] = {}
    first: list[int] = []
    number = np.empty(matrix.shape[0], np.int64)
    for k in range(matrix.shape[0]):
        span = slice(matrix.indptr[k], matrix.indptr[k + 1])
        key = matrix.indices[span].tobytes() + b"|" + data[span].tobytes()
        if key not in seen:
            seen[key] = len(first)
            first.append(k)
        number[k] = seen[key]
    return matrix[first], number


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
        loop = self.layout.each(out, self.length)
        self.row(loop, "fr", "fi")
        loop += [f"inside = k < {members}", "at = k if inside else 0"]
        loop += (f"a{x} = ({at} + at) * LN & FAR" for x, at in zip("ri", amplitude, strict=True))
        for x, at in zip("ri", self.chirp, strict=True):
            loop += [f"c{x} = p[{at} + at] if inside else F(0)"]
        lane = nested(loop, LANE_LOOP)
        lane += ["w[fr + l] = cr * w[ar + l] - ci * w[ai + l]"]
        lane += ["w[fi + l] = cr * w[ai + l] + ci * w[ar + l]"]
        out += [f"half = {self.length} // 2"]
        loop = nested(out, "while half >= 1:")
        self._butterflies(loop, forward=True)
        loop += ["half = half // 2"]
        loop = self.layout.each(out, self.length)
        self.row(loop, "fr", "fi")
        loop += (f"c{x} = p[{at} + k]" for x, at in zip("ri", self.factor, strict=True))
        lane = nested(loop, LANE_LOOP)
        lane += ["xr = w[fr + l]", "xi = w[fi + l]"]
        lane += ["w[fr + l] = cr * xr - ci * xi", "w[fi + l] = cr * xi + ci * xr"]
        out += ["half = 1"]
        loop = nested(out, f"while half < {self.length}:")
        self._butterflies(loop, forward=False)
        loop += ["half = half * 2"]

    def row(self, out: Lines, re: str, im: str) -> None:
        """Indices of entry k."""
        out += [f"{re} = ({self.re} + k) * LN & FAR", f"{im} = ({self.im} + k) * LN & FAR"]

    def _butterflies(self, out: Lines, forward: bool) -> None:
        """One stage over pairs at distance ``half``."""
        out += [f"stride = {self.length} // (2 * half)"]
        loop = self.layout.each(out, f"{self.length} // 2")
        loop += ["j = k % half", "at = k // half * 2 * half + j"]
        for name, where in (("r", self.re), ("i", self.im)):
            loop += [f"u{name} = ({where} + at) * LN & FAR"]
            loop += [f"v{name} = ({where} + at + half) * LN & FAR"]
        sign = "" if forward else "-"
        re, im = self.roots
        loop += [f"cr = p[{re} + j * stride]", f"ci = {sign}p[{im} + j * stride]"]
        lane = nested(loop, LANE_LOOP)
        lane += ["xr = w[ur + l]", "xi = w[ui + l]", "yr = w[vr + l]", "yi = w[vi + l]"]
        if forward:
            lane += ["w[ur + l] = xr + yr", "w[ui + l] = xi + yi", "dr = xr - yr", "di = xi - yi"]
            lane += ["w[vr + l] = cr * dr - ci * di", "w[vi + l] = cr * di + ci * dr"]
        else:
            lane += ["dr = cr * yr - ci * yi", "di = cr * yi + ci * yr"]
            lane += ["w[ur + l] = xr + dr", "w[ui + l] = xi + di"]
            lane += ["w[vr + l] = xr - dr", "w[vi + l] = xi - di"]


def _bit_reversed(length: int) -> np.ndarray:
    """The order in which decimation in frequency leaves its output."""
    order = np.zeros(1, np.int64)
    while order.size < length:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
