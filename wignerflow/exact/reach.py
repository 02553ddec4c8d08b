r"""Which elements of the density matrix take part, and the sparse real matrix of their motion.

A Hermitian density matrix is stored as real numbers: the real part of every element on and below
the diagonal, the imaginary part of every element below it. Starting from those that are not zero at
the start, a breadth-first walk over the elementary transitions finds all that can ever become
non-zero. Conserved quantities (J without local jumps, M, total M, parities, phases that stay real)
need no special treatment: what they forbid is never reached.

A component is the integer 2 * code + part, with part 1 for an imaginary part and
code = (block * kets + row) * kets + col.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@njit(cache=True)
def expand(  # type: ignore[no-untyped-def]
    component, turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors, tables,
    row_at, col_at, targets, values,
):  # fmt: skip
    """All components that ``component`` drives, with weights; returns how many.

    ``turn`` multiplies every coefficient (1, or i for the imaginary part of a time coefficient).
    """
    kets = sizes[1]
    part = component & 1
    code = component >> 1
    col = code % kets
    row = (code // kets) % kets
    block = code // (kets * kets)
    a, b, c = row, col, block
    for s in range(dims.size - 1, -1, -1):
        j = c % blocks[s]
        row_at[s] = j * dims[s] + a % dims[s]
        col_at[s] = j * dims[s] + b % dims[s]
        a //= dims[s]
        b //= dims[s]
        c //= blocks[s]
    count = 0
    for t in range(moves.shape[0]):
        value = 0j
        largest = 0.0
        for p in range(first[t], first[t + 1]):
            x = 1.0
            for f in range(factor_first[p], factor_first[p + 1]):
                site = factors[f, 0]
                at = row_at[site] if factors[f, 1] == 0 else col_at[site]
                x *= tables[factors[f, 2] + at]
                if x == 0.0:
                    break
            if x != 0.0:
                piece = x * coefficients[p]
                value += piece
                largest = max(largest, abs(piece.real) + abs(piece.imag))
        value *= turn
        if part == 1:
            value *= 1j
        re = value.real if abs(value.real) > 1e-14 * largest else 0.0  # rounding is not motion
        im = value.imag if abs(value.imag) > 1e-14 * largest else 0.0
        if re == 0.0 and im == 0.0:
            continue
        new_block, new_ket, new_bra = block + moves[t, 0], row + moves[t, 1], col + moves[t, 2]
        if new_ket < new_bra:
            if row == col:
                continue  # the Hermitian partner of another transition
            new_ket, new_bra = new_bra, new_ket
            im = -im
        new = 2 * ((new_block * kets + new_ket) * kets + new_bra)
        if re != 0.0:
            targets[count] = new
            values[count] = 2 * re if new_ket == new_bra and row != col else re
            count += 1
        if im != 0.0 and new_ket != new_bra:
            targets[count] = new + 1
            values[count] = im
            count += 1
    return count


@njit(cache=True)
def _find(table, key):  # type: ignore[no-untyped-def]
    """Slot of ``key`` in an open-addressing table, or of the hole where it belongs."""
    mask = table.size - 1
    h = key * np.int64(-7046029254386353131)
    slot = (h ^ (h >> 29)) & mask
    while table[slot] != -1 and table[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def grow(  # type: ignore[no-untyped-def]
    known, table, filled, begin, end, limit, most, turn, sizes, blocks, dims, moves, first,
    coefficients, factor_first, factors, tables,
):  # fmt: skip
    """One pass of the walk over known[begin:end]; returns (known, table, filled, entries).

    Stops when more than ``limit`` components are known, or ``most`` entries found.
    """
    row_at, col_at = np.zeros(dims.size, np.int64), np.zeros(dims.size, np.int64)
    targets, values = np.zeros(2 * moves.shape[0] + 2, np.int64), np.zeros(2 * moves.shape[0] + 2)
    entries = 0
    n = begin
    while n < end:
        count = expand(
            known[n], turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors,
            tables, row_at, col_at, targets, values,
        )  # fmt: skip
        entries += count
        for k in range(count):
            slot = _find(table, targets[k])
            if table[slot] == -1:
                table[slot] = targets[k]
                if filled == known.size:
                    bigger = np.empty(2 * known.size, np.int64)
                    bigger[:filled] = known
                    known = bigger
                known[filled] = targets[k]
                filled += 1
                if 2 * filled > table.size:
                    new = np.full(2 * table.size, -1, np.int64)
                    for i in range(filled):
                        new[_find(new, known[i])] = known[i]
                    table = new
        if filled > limit or entries > most:
            break
        n += 1
    return known, table, filled, entries


def walk(
    start: Ints,
    plans: list[tuple[complex, tuple[NDArray[np.generic], ...]]],
    limit: int,
    most: int,
) -> tuple[Ints, int]:
    """Sorted components reachable from ``start``, and the number of matrix entries.

    Args:
        start: components that are non-zero at the start.
        plans: (turn, arguments of a plan) of every group of terms.
        limit: stop beyond this number of components (the caller then refuses),
        most: or beyond this number of entries.
    """
    filled = start.size
    table = np.full(1 << max(10, int(4 * filled + 16).bit_length()), -1, np.int64)
    known = np.concatenate([start, np.empty(max(filled, 1024), np.int64)])
    for key in start:
        table[_find(table, key)] = key
    begin, entries = 0, 0
    while begin < filled <= limit and entries <= most:
        end = filled
        for turn, arguments in plans:
            # every group sees the same stretch of components, then all that it added
            known, table, filled, more = grow(
                known, table, filled, begin, end, limit, most - entries, turn, *arguments
            )
            entries += more
        begin = end
    return np.sort(known[:filled]), entries


@njit(cache=True)
def _count(  # type: ignore[no-untyped-def]
    known, turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors, tables
):  # fmt: skip
    row_at, col_at = np.zeros(dims.size, np.int64), np.zeros(dims.size, np.int64)
    targets, values = np.zeros(2 * moves.shape[0] + 2, np.int64), np.zeros(2 * moves.shape[0] + 2)
    starts = np.zeros(known.size + 1, np.int64)
    for n in range(known.size):
        starts[n + 1] = starts[n] + expand(
            known[n], turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors,
            tables, row_at, col_at, targets, values,
        )  # fmt: skip
    return starts


@njit(cache=True)
def _fill(  # type: ignore[no-untyped-def]
    known, starts, rows, data, turn, sizes, blocks, dims, moves, first, coefficients, factor_first,
    factors, tables,
):  # fmt: skip
    row_at, col_at = np.zeros(dims.size, np.int64), np.zeros(dims.size, np.int64)
    targets, values = np.zeros(2 * moves.shape[0] + 2, np.int64), np.zeros(2 * moves.shape[0] + 2)
    for n in range(known.size):
        count = expand(
            known[n], turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors,
            tables, row_at, col_at, targets, values,
        )  # fmt: skip
        for k in range(count):
            rows[starts[n] + k] = np.searchsorted(known, targets[k])
            data[starts[n] + k] = values[k]


def matrix(known: Ints, turn: complex, arguments: tuple[NDArray[np.generic], ...]) -> sp.csr_matrix:
    """The real matrix of one group of terms on the components ``known`` (sorted, closed)."""
    starts = _count(known, turn, *arguments)
    kind = np.int32 if max(starts[-1], known.size) < 2**31 else np.int64
    rows, data = np.empty(starts[-1], kind), np.empty(starts[-1])
    _fill(known, starts, rows, data, turn, *arguments)
    out = sp.csc_matrix((data, rows, starts.astype(kind)), shape=(known.size, known.size)).tocsr()
    out.sum_duplicates()
    return out


@njit(cache=True)
def _mark(indptr, indices, marked, queue, filled):  # type: ignore[no-untyped-def]
    n = 0
    while n < filled:
        for k in range(indptr[queue[n]], indptr[queue[n] + 1]):
            i = indices[k]
            if not marked[i]:
                marked[i] = True
                queue[filled] = i
                filled += 1
        n += 1


def needed(matrices: list[sp.csr_matrix], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Components on which the ``wanted`` ones ever depend."""
    pattern = matrices[0]
    if len(matrices) > 1:
        pattern = sum(abs(m) for m in matrices)
    marked = wanted.copy()
    queue = np.empty(marked.size, np.int64)
    filled = int(wanted.sum())
    queue[:filled] = np.flatnonzero(wanted)
    _mark(pattern.indptr, pattern.indices, marked, queue, filled)
    return marked
