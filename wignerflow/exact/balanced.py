r"""How many elements of a density matrix of emitters with levels can be reached, from its phases.

In the occupation numbers of |a><b| (see ``occupations``) a set of levels has as many kets as bras
at all times, if it has at first and no term changes that: a term of H within each set, jumps whose
terms all lead from the same sets to the same. Levels that terms mix are one set.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np

from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.model import Model
from ..model.op import Op
from ..model.words import levels_of
from .boxes import PURE

#: Numbers that a count may take; beyond, all elements are counted.
WORK = 2_000_000


def reached(model: Model, sub: Levels, m: int) -> float:
    """Elements that member m of an array of emitters can reach, at most."""
    N, found = int(sub.numbers[m]), tuple(sets(model, sub, m))
    state = model.initial[sub][m]
    assert isinstance(state, LevelState)
    pure = np.linalg.eigvalsh(state.density(sub, "state"))[-1] > 1 - PURE
    if pure and not any(c.sub is sub and c.m == m for c in model.local_channels()):
        return symmetric_count(N, found)
    return count(N, found)


def sets(model: Model, sub: Levels, m: int) -> list[int]:
    """The set of every level, as the number of its first one."""
    found = list(range(sub.d))

    def join(*changes: tuple[int, ...]) -> None:
        """Levels whose numbers differ between changes are of one set."""
        for change in changes:
            off = np.array(change) - np.array(changes[0])
            for a in np.flatnonzero(off)[1:]:
                old, new = found[a], found[np.flatnonzero(off)[0]]
                found[:] = [min(old, new) if s in (old, new) else s for s in found]

    still = (0,) * sub.d
    state = model.initial[sub][m]
    assert isinstance(state, LevelState)
    for a, b in zip(*np.nonzero(np.abs(state.density(sub, "state")) > 1e-16), strict=True):
        join(still, tuple(int(k == a) - int(k == b) for k in range(sub.d)))
    for op in (model.H, *(pulse.op for pulse in model.pulses)):
        for change in _changes(op, sub, m):
            join(still, change)
    for op, _ in model.channels():
        join(*sorted(_changes(op, sub, m)))
    for channel in model.local_channels():
        if channel.sub is sub and channel.m == m:
            pairs = zip(*np.nonzero(channel.op.matrix()), strict=True)
            join(*(tuple(int(k == a) - int(k == b) for k in range(sub.d)) for a, b in pairs))
    return found


def _changes(op: Op, sub: Levels, m: int) -> set[tuple[int, ...]]:
    """By how much every level gains in the terms of an operator."""
    out = set()
    for _, _, factors in op.expand():
        change = [0] * sub.d
        for s, k, letters in factors:
            if s is sub and k == m:
                for word in letters:
                    a, b = levels_of(word)
                    change[a] += 1
                    change[b] -= 1
        out.add(tuple(change))
    return out


@lru_cache(maxsize=256)
def symmetric_count(N: int, sets: tuple[int, ...]) -> float:
    """Pairs of symmetric states (see ``symmetric``) with as many emitters in every set.

    The coefficient of x^N in the product of sum_n C(n + d - 1, d - 1)^2 x^n over sets of d levels.
    """
    out = np.ones(1)
    for name in set(sets):
        d = sets.count(name)
        own = [float(comb(n + d - 1, d - 1)) ** 2 for n in range(N + 1)]
        out = np.convolve(out, own)[: N + 1]
    return float(out[N])


@lru_cache(maxsize=256)
def count(N: int, sets: tuple[int, ...]) -> float:
    """Matrices of numbers of sum N in which every set has equal sums of its rows and columns.

    The constant term of a generating function in one phase per set but the first, on a grid.
    """
    d, names = len(sets), sorted(set(sets))
    whole = float(comb(N + d * d - 1, d * d - 1))
    K, free = 2 * N + 1, len(names) - 1
    if K**free * N * d * d > WORK:
        return whole
    angles = np.meshgrid(*[2 * np.pi * np.arange(K) / K] * free)
    phases = {names[0]: np.ones(K**free, complex)}
    phases |= {n: np.exp(1j * x.ravel()) for n, x in zip(names[1:], angles, strict=True)}
    c = np.zeros((N + 1, K**free), complex)
    c[0] = 1
    for a in sets:
        for b in sets:
            turn = phases[a] * phases[b].conj()
            for n in range(1, N + 1):
                c[n] += turn * c[n - 1]
    return min(whole, float(np.round(c[N].mean().real)))
