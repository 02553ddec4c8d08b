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

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from ..compiler.loops import Loop

Ints = NDArray[np.int64]
Arguments = tuple[NDArray[np.generic], ...]  # of a plan, see `liouvillian.Plan`


def _expand(  # type: ignore[no-untyped-def]
    component, turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors, tables,
    places, targets, values,
):  # fmt: skip
    """All components that ``component`` drives, with weights; returns how many.

    ``turn``: 1 where every coefficient is times i (the imaginary part of a time coefficient), else
    0. ``places``: room for the states of every site, of the row and of the column.
    """
    kets = sizes[1]
    row_at, col_at = places[0], places[1]
    part = component & 1
    code = component >> 1
    col = code % kets
    row = (code // kets) % kets
    block = code // (kets * kets)
    a, b, c = row, col, block
    for back in range(dims.size):
        s = dims.size - 1 - back
        j = c % blocks[s]
        row_at[s] = j * dims[s] + a % dims[s]
        col_at[s] = j * dims[s] + b % dims[s]
        a //= dims[s]
        b //= dims[s]
        c //= blocks[s]
    count = 0
    for t in range(moves.shape[0]):
        re, im, largest = 0.0, 0.0, 0.0
        for p in range(first[t], first[t + 1]):
            x = 1.0
            for f in range(factor_first[p], factor_first[p + 1]):
                site = factors[f, 0]
                at = row_at[site] if factors[f, 1] == 0 else col_at[site]
                x *= tables[factors[f, 2] + at]
                if x == 0.0:
                    break
            if x != 0.0:
                re += x * coefficients[p, 0]
                im += x * coefficients[p, 1]
                largest = max(largest, abs(x * coefficients[p, 0]) + abs(x * coefficients[p, 1]))
        for _ in range(turn + part):
            re, im = -im, re
        re = re if abs(re) > 1e-14 * largest else 0.0  # rounding is not motion
        im = im if abs(im) > 1e-14 * largest else 0.0
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
            values[count] = 2.0 * re if new_ket == new_bra and row != col else re
            count += 1
        if im != 0.0 and new_ket != new_bra:
            targets[count] = new + 1
            values[count] = im
            count += 1
    return count


def _find(table, key):  # type: ignore[no-untyped-def]
    """Slot of ``key`` in an open-addressing table, or of the hole where it belongs."""
    h = np.uint64(key) * np.uint64(11400714819323198485)
    slot = np.int64((h ^ (h >> np.uint64(29))) & np.uint64(table.size - 1))
    while table[slot] != -1 and table[slot] != key:
        slot = (slot + 1) & (table.size - 1)
    return slot


@Loop
def _enter(table, known, begin, end):  # type: ignore[no-untyped-def]
    """Put known[begin:end] into a table."""
    for n in range(begin, end):
        table[_find(table, known[n])] = known[n]


@Loop
def _grow(  # type: ignore[no-untyped-def]
    known, table, state, end, limit, most, turn, sizes, blocks, dims, moves, first, coefficients,
    factor_first, factors, tables, places, targets, values,
):  # fmt: skip
    """One pass of the walk over known[state[0]:end]; ``state``: next, how many known, entries.

    Stops where ``known`` or ``table`` could become too small, or more than ``limit`` components are
    known or ``most`` entries found.
    """
    n, filled, entries = state[0], state[1], state[2]
    while n < end and filled <= limit and entries <= most:
        most_filled = filled + targets.size
        if most_filled > known.size or 2 * most_filled > table.size:
            break
        count = _expand(
            known[n], turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors,
            tables, places, targets, values,
        )  # fmt: skip
        entries += count
        for k in range(count):
            slot = _find(table, targets[k])
            if table[slot] == -1:
                table[slot] = targets[k]
                known[filled] = targets[k]
                filled += 1
        n += 1
    state[0], state[1], state[2] = n, filled, entries


def _room(arguments: Arguments) -> tuple[NDArray[np.generic], ...]:
    """Places, targets and values for :func:`_expand`."""
    dims, moves = arguments[2], arguments[3]
    most = 2 * len(moves) + 2
    return np.zeros((2, dims.size), np.int64), np.zeros(most, np.int64), np.zeros(most)


def walk(
    start: Ints, plans: Sequence[tuple[int, Arguments]], limit: int, most: int
) -> tuple[Ints, int]:
    """Sorted components reachable from ``start``, and the number of matrix entries.

    Args:
        start: components that are non-zero at the start.
        plans: (turn, arguments of a plan) of every group of terms.
        limit: stop beyond this number of components (the caller then refuses),
        most: or beyond this number of entries.
    """
    filled, entries, begin = start.size, 0, 0
    rooms = [_room(arguments) for _, arguments in plans]
    known, table = np.concatenate([start, np.empty(1024, np.int64)]), np.zeros(0, np.int64)
    while begin < filled <= limit and entries <= most:
        end = filled
        for (turn, arguments), room in zip(plans, rooms, strict=True):
            # every group sees the same stretch of components, then all that it added
            state = np.array([begin, filled, entries])
            while state[0] < end and state[1] <= limit and state[2] <= most:
                least = int(state[1]) + room[1].size
                if least > known.size:
                    known = np.concatenate([known, np.empty(max(least, known.size), np.int64)])
                if 2 * least > table.size:
                    table = np.full(1 << (4 * least).bit_length(), -1, np.int64)
                    _enter(table, known, 0, int(state[1]))
                _grow(known, table, state, end, limit, most, turn, *arguments, *room)
            filled, entries = int(state[1]), int(state[2])
        begin = end
    return np.sort(known[:filled]), entries


@Loop
def _count(  # type: ignore[no-untyped-def]
    known, starts, turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors,
    tables, places, targets, values,
):  # fmt: skip
    """Where the entries of every column begin, into ``starts``."""
    for n in range(known.size):
        starts[n + 1] = starts[n] + _expand(
            known[n], turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors,
            tables, places, targets, values,
        )  # fmt: skip


@Loop
def _fill(  # type: ignore[no-untyped-def]
    known, starts, rows, data, turn, sizes, blocks, dims, moves, first, coefficients, factor_first,
    factors, tables, places, targets, values,
):  # fmt: skip
    """Rows and values of the entries of every column."""
    for n in range(known.size):
        count = _expand(
            known[n], turn, sizes, blocks, dims, moves, first, coefficients, factor_first, factors,
            tables, places, targets, values,
        )  # fmt: skip
        for k in range(count):
            low, high = 0, known.size
            while low < high:
                middle = (low + high) >> 1
                if known[middle] < targets[k]:
                    low = middle + 1
                else:
                    high = middle
            rows[starts[n] + k] = low
            data[starts[n] + k] = values[k]


def matrix(known: Ints, turn: int, arguments: Arguments) -> scipy.sparse.csr_matrix:
    """The real matrix of one group of terms on the components ``known`` (sorted, closed)."""
    room, starts = _room(arguments), np.zeros(known.size + 1, np.int64)
    _count(known, starts, turn, *arguments, *room)
    kind = np.int32 if max(starts[-1], known.size) < 2**31 else np.int64
    rows, data = np.empty(starts[-1], kind), np.empty(starts[-1])
    _fill(known, starts, rows, data, turn, *arguments, *room)
    out = scipy.sparse.csc_matrix(
        (data, rows, starts.astype(kind)), shape=(known.size, known.size)
    ).tocsr()
    out.sum_duplicates()
    return out


@Loop
def _mark(indptr, indices, marked, queue, filled):  # type: ignore[no-untyped-def]
    """Mark all that marked ones depend on; ``filled`` of them are in the queue."""
    n, last = 0, filled
    while n < last:
        for k in range(indptr[queue[n]], indptr[queue[n] + 1]):
            i = indices[k]
            if marked[i] == 0:
                marked[i] = 1
                queue[last] = i
                last += 1
        n += 1


def needed(matrices: list[scipy.sparse.csr_matrix], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Components on which the ``wanted`` ones ever depend."""
    pattern = matrices[0]
    if len(matrices) > 1:
        pattern = sum(abs(m) for m in matrices)
    marked = wanted.astype(np.int32)
    queue = np.empty(marked.size, np.int64)
    filled = int(wanted.sum())
    queue[:filled] = np.flatnonzero(wanted)
    _mark(pattern.indptr, pattern.indices, marked, queue, filled)
    return marked > 0
