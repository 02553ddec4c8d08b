r"""Emitters that only act together: one system of all symmetric states.

N emitters of d levels in one pure state stay symmetric under H and collective jumps. They are then
one system with the C(N + d - 1, d - 1) states of N bosons in d boxes, and

.. math:: \sum_n |a\rangle\langle b|_n = b^\dagger_a b_b .
"""

from __future__ import annotations

from math import comb

import numpy as np
import scipy
from numpy.typing import NDArray

from .one_emitter import Emitters, Matrix

#: The largest eigenvalue of a pure state lies closer to one; amplitudes below are none.
PURE = 1e-12
PER_ENTRY = 100  # bytes, while operators are made


def compositions(total: int, parts: int) -> NDArray[np.int64]:
    """All ways to write ``total`` as an ordered sum of ``parts`` numbers, (ways, parts)."""
    if parts == 1:
        return np.array([[total]])
    out = []
    for first in range(total + 1):
        rest = compositions(total - first, parts - 1)
        out.append(np.concatenate([np.full((len(rest), 1), first), rest], axis=1))
    return np.concatenate(out)


def symmetric(site: Emitters, memory: float) -> Emitters:
    """The same emitters as one of all symmetric states.

    As they are where their state is mixed, or where the operators need more than a quarter of
    ``memory``, in bytes.
    """
    d = site.levels
    if PER_ENTRY * d**2 * comb(site.number + d - 1, d - 1) > memory / 4:
        return site
    values, vectors = np.linalg.eigh(site.state)
    if values[-1] < 1 - PURE:
        return site
    one = np.where(np.abs(vectors[:, -1]) > PURE, vectors[:, -1], 0)
    occupied = compositions(site.number, site.levels)
    psi = site.norm(occupied) * np.prod(one**occupied, axis=1)
    moves = {(a, b): _move(occupied, a, b) for a in range(site.levels) for b in range(site.levels)}
    letters = {name: _collective(A, moves) for name, A in site.letters.items()}
    return Emitters(site.label, site.kind, 1, psi, letters)


def _move(occupied: NDArray[np.int64], a: int, b: int) -> scipy.sparse.csc_matrix:
    """b_a^+ b_b between states of these occupation numbers."""
    n = len(occupied)
    column = np.flatnonzero(occupied[:, b])
    moved = occupied[column].copy()
    value = np.sqrt(moved[:, b])
    moved[:, b] -= 1
    moved[:, a] += 1
    value = value * np.sqrt(moved[:, a])
    base = (occupied[0].sum() + 1) ** np.arange(occupied.shape[1])[::-1]  # ascending, as they are
    row = np.searchsorted(occupied @ base, moved @ base)
    return scipy.sparse.csc_matrix((value, (row, column)), shape=(n, n))


def _collective(
    A: Matrix, moves: dict[tuple[int, int], scipy.sparse.csc_matrix]
) -> scipy.sparse.csc_matrix:
    """The sum over all emitters of a matrix of one."""
    n = moves[0, 0].shape[0]
    parts = (A[ab] * move for ab, move in moves.items() if A[ab] != 0)
    return scipy.sparse.csc_matrix(sum(parts, scipy.sparse.csc_matrix((n, n), dtype=complex)))
