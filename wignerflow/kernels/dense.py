"""Products of a dense real matrix with blocks of trajectories, near the speed of a BLAS.

The matrix is stored in panels of ``ROWS`` rows, column by column within a panel (see ``packed``).
A tile keeps ``ROWS`` times a vector of lanes in registers over up to ``DEPTH`` columns: one load of
the matrix serves all lanes of a vector, one of the state serves ``ROWS`` rows. Sums run over the
columns in order in every tile, so that tiles of any width give the same bits.

``dense_product`` is all that generated text knows of: kernel text (``TEXT``), and NumPy for NumPy
lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import Layout
from .text import Lines

ROWS = 8
DEPTH = 1024


def packed(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A real matrix (M, K) in panels, padded with rows of zeros to a multiple of ``ROWS``.

    Entries below 1e-30 of the largest become zeros: products of numbers too small to be normal ones
    take a CPU many times as long.
    """
    M, K = matrix.shape
    full = np.zeros((padded(M), K))
    full[:M] = np.where(np.abs(matrix) < 1e-30 * np.abs(matrix).max(initial=0.0), 0.0, matrix)
    return np.ascontiguousarray(full.reshape(-1, ROWS, K).transpose(0, 2, 1)).ravel()


def padded(rows: int) -> int:
    """Rows of a target."""
    return -(-rows // ROWS) * ROWS


_R = range(ROWS)
#: As kernel text.
TEXT = f"""
def dense_product(p, a, w, b, c, sign, rows, columns, lanes):
    for start in range(0, columns, {DEPTH}):
        count = min({DEPTH}, columns - start)
        for panel in range((rows + {ROWS - 1}) // {ROWS}):
            first = a + (panel * columns + start) * {ROWS}
            source = (b + start) * LN
            target = (c + panel * {ROWS}) * LN
            for l in range(LN):
                {"; ".join(f"sum{r} = F(0)" for r in _R)}
                for k in range(count):
                    x = w[source + k * LN + l]
                    {"; ".join(f"sum{r} += p[first + k * {ROWS} + {r}] * x" for r in _R)}
                {"; ".join(f"w[target + {r} * LN + l] += sign * sum{r}" for r in _R)}


"""


def dense_product_np(
    p: Any, a: int, w: Any, b: int, c: int, sign: Any, rows: int, columns: int, lanes: int
) -> None:
    """The NumPy twin of ``dense_product``."""
    high = padded(rows)
    panels = p[a : a + high * columns].reshape(-1, columns, ROWS)
    matrix = panels.transpose(0, 2, 1).reshape(high, columns)
    source = w[b * lanes : (b + columns) * lanes].reshape(columns, lanes)
    target = w[c * lanes : (c + high) * lanes].reshape(high, lanes)
    target += sign * (matrix @ source)


class ComplexMatrix:
    """Prints products of a complex matrix (rows, columns) with complex sources in ``w``."""

    def __init__(self, layout: Layout, matrix: NDArray[np.complex128]):
        p = layout.parameters
        self.parts = [p.array(packed(matrix.real))]
        if np.any(matrix.imag):
            self.parts.append(p.array(packed(matrix.imag)))
        self.shape = ", ".join(p.integer(n) for n in matrix.shape)

    def add(self, out: Lines, target: tuple[str, str], source: tuple[str, str]) -> None:
        """Add the product to rows of ``w``, real and imaginary parts apart."""
        (re, im), (a, b) = target, source
        calls = [(self.parts[0], a, re, 1), (self.parts[0], b, im, 1)]
        if len(self.parts) == 2:
            calls += [(self.parts[1], b, re, -1), (self.parts[1], a, im, 1)]
        for matrix, x, y, sign in calls:
            out += [f"dense_product(p, {matrix}, w, {x}, {y}, F({sign}), {self.shape}, LN)"]
