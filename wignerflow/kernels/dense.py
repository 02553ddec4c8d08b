"""Products of a dense real matrix with blocks of trajectories, near the speed of a BLAS.

The matrix is stored in panels of ``ROWS`` rows, column by column within a panel (see ``packed``).
A tile keeps ``ROWS`` times one or two vectors of lanes in registers over up to ``DEPTH`` columns:
one load of the matrix serves all lanes of a vector, one of the state serves ``ROWS`` rows. Sums
run over the columns in order in every tile, so that tiles of any width give the same bits.

``dense_product`` is all that generated text knows of; ``plain_product`` is the same in scalar loops
and ``dense_product_np`` in NumPy, for NumPy lanes.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numba as nb
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from .layout import Layout
from .rng import FASTMATH
from .text import Lines
from .vectors import vector_bits

ROWS = 8
DEPTH = 1024
#: Bytes per vector, and vectors per row of a tile: of 32 vector registers 18 are in use, of 16 ten.
_BYTES, _VECTORS = (64, 2) if vector_bits() == 512 else (32, 1)


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


@intrinsic  # type: ignore[untyped-decorator]
def _tile(  # type: ignore[no-untyped-def]
    typingctx, p, a, w, b, c, count, sign, lanes
):  # pragma: no cover (compiled)
    """w[c + r lanes + l] += sign sum_k p[a + ROWS k + r] w[b + k lanes + l] over one tile."""
    dtype = p.dtype
    element = ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    size = dtype.bitwidth // 8
    vector = ir.VectorType(element, _BYTES // size)
    flags = ("contract",)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        arrays = [
            context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2)
        ]
        matrix, state = arrays
        first, source, target, total, factor, stride = (args[i] for i in (1, 3, 4, 5, 6, 7))
        integer = first.type
        number = lambda n: ir.Constant(integer, n)  # noqa: E731

        def splat(value: Any) -> Any:
            one = builder.insert_element(
                ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
            )
            mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)

        def at(position: Any, row: Any, v: int) -> Any:
            offset = builder.add(builder.mul(row, stride), number(v * vector.count))
            place = builder.gep(state, [builder.add(position, offset)])
            return builder.bitcast(place, vector.as_pointer())

        before = builder.block
        loop = builder.append_basic_block("tile.loop")
        after = builder.append_basic_block("tile.end")
        zero = ir.Constant(vector, [0.0] * vector.count)
        builder.cbranch(builder.icmp_signed(">", total, number(0)), loop, after)
        builder.position_at_end(loop)
        k = builder.phi(integer)
        k.add_incoming(number(0), before)
        sums = []
        for _ in range(ROWS * _VECTORS):
            phi = builder.phi(vector)
            phi.add_incoming(zero, before)
            sums.append(phi)
        values = [builder.load(at(source, k, v), align=size) for v in range(_VECTORS)]
        column = builder.add(first, builder.mul(k, number(ROWS)))
        new = []
        for r in range(ROWS):
            weight = builder.load(builder.gep(matrix, [builder.add(column, number(r))]))
            wide = splat(weight)
            for v in range(_VECTORS):
                product = builder.fmul(wide, values[v], flags=flags)
                new.append(builder.fadd(sums[r * _VECTORS + v], product, flags=flags))
        following = builder.add(k, number(1))
        k.add_incoming(following, loop)
        for phi, value in zip(sums, new, strict=True):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, total), loop, after)
        builder.position_at_end(after)
        done = []
        for value in new:
            phi = builder.phi(vector)
            phi.add_incoming(zero, before)
            phi.add_incoming(value, loop)
            done.append(phi)
        scale = splat(factor)
        for r in range(ROWS):
            for v in range(_VECTORS):
                place = at(target, number(r), v)
                old = builder.load(place, align=size)
                change = builder.fmul(scale, done[r * _VECTORS + v], flags=flags)
                builder.store(builder.fadd(old, change, flags=flags), place, align=size)
        return context.get_dummy_value()

    integers = types.intp
    return types.void(p, integers, w, integers, integers, integers, dtype, integers), codegen


@nb.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def dense_product(  # pragma: no cover (compiled)
    p: Any, a: int, w: Any, b: int, c: int, sign: Any, rows: int, columns: int, lanes: int
) -> None:
    """Add sign times the packed matrix (rows, columns) at ``a`` of ``p`` times a block of ``w``.

    The source begins at row ``b`` of ``lanes`` numbers, the target, of ``padded(rows)`` rows, at
    row ``c``.
    """
    tile = _VECTORS * _BYTES // p.itemsize
    for start in range(0, columns, DEPTH):
        count = min(DEPTH, columns - start)
        for panel in range((rows + ROWS - 1) // ROWS):
            at = a + (panel * columns + start) * ROWS
            for l in range(0, lanes, tile):
                source, target = (b + start) * lanes + l, (c + panel * ROWS) * lanes + l
                _tile(p, at, w, source, target, count, sign, lanes)  # type: ignore[call-arg]


def plain_product(
    p: Any, a: int, w: Any, b: int, c: int, sign: Any, rows: int, columns: int, lanes: int
) -> None:
    """The same in scalar loops, for targets without such vectors."""
    for row in range(rows):
        at = a + row // ROWS * columns * ROWS + row % ROWS
        for l in range(lanes):
            total = sign * 0
            for k in range(columns):
                total += p[at + k * ROWS] * w[(b + k) * lanes + l]
            w[(c + row) * lanes + l] += sign * total


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
            out.add(f"dense_product(p, {matrix}, w, {x}, {y}, F({sign}), {self.shape}, LN)")
