"""Prints the readout of pair products: P values conj(L_k) R_k + O_k in one loop over k.

L_k and R_k are weighted sums of the members' complex amplitudes and O_k of their on-site
differences. The amplitudes are written out once per readout, the weights lie in arrays of sparse
rows, so neither the text nor its compilation grows with the number of values or of members.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from ..phasespace.polynomials import Leaf, Member
from ..phasespace.system import ProductObservable
from .layout import Layout, Mono, mono_names, times
from .text import LANE_LOOP, Lines

Weighted = dict[Mono, np.ndarray]


class ProductPrinter:
    """One observable's readout; reserves its room in the wide scratch array."""

    def __init__(self, layout: Layout, symbol: ProductObservable, is_complex: bool):
        self.layout, self.symbol, self.is_complex = layout, symbol, is_complex
        M, p = symbol.members, layout.parameters
        self.amplitude = (layout.wide(M), layout.wide(M))
        self.sides = [self._rows(symbol.left)]
        if symbol.right is not None:
            self.sides.append(self._rows(symbol.right))
        self.sums = [(layout.wide(1), layout.wide(1)) for _ in self.sides]
        self.onsite = bool(symbol.onsite)
        if self.onsite:
            self.difference = layout.wide(M)
            other = symbol.left if symbol.right is None else symbol.right
            unique, number = _unique_rows(symbol.left.conj().multiply(other).tocsr())
            self.corrections = (layout.wide(unique.shape[0]), layout.wide(unique.shape[0]))
            self.correction_rows = self._rows(unique)
            self.unique, self.number = p.integer(unique.shape[0]), p.indices(number)
        self.values, self.members = p.integer(symbol.size), p.integer(M)

    def _rows(self, matrix: sp.csr_matrix) -> tuple[str, str, str, str]:
        """Names of row starts, columns, real and imaginary weights."""
        p = self.layout.parameters
        return (
            p.indices(matrix.indptr),
            p.indices(matrix.indices),
            p.array(matrix.data.real),
            p.array(matrix.data.imag),
        )

    def source(self, out: Lines, position: str) -> None:
        """Append the readout; its channels begin at ``position``."""
        self._amplitudes(out)
        if self.onsite:
            out.open(f"for k in range({self.unique}):")
            self._corrections(out, "k")
            self._zero(out, "ir", "ii")
            self._accumulate(out, self.correction_rows, "ir", "ii", (self.difference,))
            out.close()
        out.open(f"for k in range({self.values}):")
        names = []
        for side, (rows, sums) in enumerate(zip(self.sides, self.sums, strict=True)):
            re, im = f"lr{side}", f"li{side}"
            names.append((re, im))
            out.add(f"{re} = {sums[0]} * LN & FAR", f"{im} = {sums[1]} * LN & FAR")
            self._zero(out, re, im)
            self._accumulate(out, rows, re, im, self.amplitude)
        if self.onsite:
            self._corrections(out, f"o[{self.number} + k]")
        (a, b), (c, d) = names[0], names[-1]
        parts = [f"w[{a} + l] * w[{c} + l] + w[{b} + l] * w[{d} + l]"]
        if self.is_complex:
            parts.append(f"w[{a} + l] * w[{d} + l] - w[{b} + l] * w[{c} + l]")
        for part, value in enumerate(parts):
            out.open(LANE_LOOP)
            extra = f" + w[{('ir', 'ii')[part]} + l]" if self.onsite else ""
            out.add(f"w[wb + l] = {value}{extra}")
            out.close()
            channel = f"{position} + {part} * {self.values} + k"
            out.add(f"reduce(w, wb, s, alive, c, i, {channel}, count, mean, m2, bsum, bmap)")
        out.close()

    def _corrections(self, out: Lines, row: str) -> None:
        """Indices of a row of on-site corrections."""
        for name, at in zip(("ir", "ii"), self.corrections, strict=True):
            out.add(f"{name} = ({at} + {row}) * LN & FAR")

    def _zero(self, out: Lines, *names: str) -> None:
        out.open(LANE_LOOP)
        out.add(*(f"w[{n} + l] = F(0)" for n in names))
        out.close()

    def _amplitudes(self, out: Lines) -> None:
        layout, symbol = self.layout, self.symbol
        blocks = sorted({b for mono in (*symbol.amplitude, *symbol.onsite) for b, _ in mono})
        out.open(f"for m in range({self.members}):")
        out.add(*(f"i{k} = {layout.member_index(k, 'm')}" for k in blocks))
        names: dict[Leaf, str] = {}
        loads = []
        for k in blocks:
            for c in range(layout.block(k).components):
                names[Member(k, c)] = f"x{k}_{c}"
                loads.append(f"x{k}_{c} = v[i{k} + {c} * LN + l]")
        targets: list[tuple[str, Weighted, Callable[[np.ndarray], np.ndarray]]] = [
            (self.amplitude[0], symbol.amplitude, np.real),
            (self.amplitude[1], symbol.amplitude, np.imag),
        ]
        if self.onsite:
            targets.append((self.difference, symbol.onsite, np.real))
        body = []
        for t, (at, terms, part) in enumerate(targets):
            sums = []
            for e, (mono, coefficients) in enumerate(terms.items()):
                values = part(coefficients)
                if np.any(values):
                    name = f"r{t}_{e}"
                    out.add(f"{name} = p[{layout.parameters.array(values)} + m]")
                    sums.append(times(name, mono_names(mono, names)) if mono else name)
            out.add(f"j{t} = ({at} + m) * LN & FAR")
            body.append(f"w[j{t} + l] = {' + '.join(sums) or 'F(0)'}")
        out.open(LANE_LOOP)
        out.add(*loads, *body)
        out.close()
        out.close()

    def _accumulate(
        self, out: Lines, rows: tuple[str, str, str, str], re: str, im: str, source: tuple[str, ...]
    ) -> None:
        """Add row k of a complex matrix times a real or complex source, two columns at a time."""
        starts, columns, real, imag = rows
        out.add(f"first = o[{starts} + k]", f"last = o[{starts} + k + 1]")
        for count, bounds in ((2, "first, last - 1, 2"), (1, "last - (last - first) % 2, last")):
            out.open(f"for e in range({bounds}):")
            for u in range(count):
                out.add(f"kr{u} = p[{real} + e + {u}]", f"ki{u} = p[{imag} + e + {u}]")
                column = f"o[{columns} + e + {u}]"
                for n, at in enumerate(source):
                    out.add(f"j{u}_{n} = ({at} + {column}) * LN & FAR")
            up = [f"kr{u} * w[j{u}_0 + l]" for u in range(count)]
            side = [f"ki{u} * w[j{u}_0 + l]" for u in range(count)]
            if len(source) == 2:
                up += [f"(-ki{u} * w[j{u}_1 + l])" for u in range(count)]
                side += [f"kr{u} * w[j{u}_1 + l]" for u in range(count)]
            out.open(LANE_LOOP)
            out.add(f"w[{re} + l] += {' + '.join(up)}", f"w[{im} + l] += {' + '.join(side)}")
            out.close()
            out.close()


def _unique_rows(matrix: sp.csr_matrix) -> tuple[sp.csr_matrix, np.ndarray]:
    """Different rows, and for every row the number of its like."""
    matrix.eliminate_zeros()
    matrix.sort_indices()
    data = np.round(matrix.data, 14) + 0.0
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
