r"""The Lindblad generator as a sum over sites: maps X -> left X right on clusters of sites.

.. math:: \mathcal L^\dagger(X) = i[H, X]
          + \sum_k r_k (L_k^\dagger X L_k - \tfrac12\{L_k^\dagger L_k, X\})

Every term is written out by :mod:`wignerflow.moments.clusters`; terms on the same kinds of sites
make a :class:`Family`, whose maps are then applied to basic operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.model import Jump, LocalJump, Model
from ..model.op import Op
from .clusters import (
    Clusters,
    Index,
    Word,
    array_operator,
    local_operator,
    merged,
    multiply,
    operator,
    places,
    turned,
)
from .variables import Variables

Times = tuple[Coef, ...]


@dataclass
class Family:
    """All maps on S sites of given kinds: entry e has the coefficient ``coef[t, e]`` of map t."""

    times: Times
    kinds: tuple[str, ...]
    words: list[tuple[Word, ...]]  # one per map
    index: Index  # (S, E)
    coef: NDArray[np.complex128]  # (maps, E)


def families(times: Times, pieces: Iterable[Clusters], classes: int) -> list[Family]:
    """Terms over the same kinds of sites, put on common entries."""
    groups: dict[tuple[str, ...], list[Clusters]] = {}
    for c in merged(pieces):
        groups.setdefault(c.kinds, []).append(c)
    out = []
    for kinds, group in groups.items():
        codes = []
        for c in group:
            code = np.zeros(c.coef.size, np.int64)
            for row in c.index:
                code = code * classes + row
            codes.append(code)
        unique = np.unique(np.concatenate(codes))
        coef = np.zeros((len(group), unique.size), complex)
        index = np.empty((len(kinds), unique.size), np.int64)
        for t, (c, code) in enumerate(zip(group, codes, strict=True)):
            place = np.searchsorted(unique, code)
            np.add.at(coef[t], place, c.coef)
            index[:, place] = c.index
        out.append(Family(times, kinds, [c.words for c in group], index, coef))
    return out


def generator(model: Model, v: Variables) -> list[Family]:
    """The families of the generator of a model.

    Raises:
        TooMany: a term of H or of a jump has too many terms when written out.
    """
    out: dict[Times, list[Clusters]] = {}
    for times, pieces in operator(model.H, v).items():
        for c in pieces:
            out.setdefault(times, []).extend([c.scaled(1j), turned(c.scaled(-1j))])
    for jump in model.jumps:
        for times, c in _dissipator(jump, v):
            out.setdefault(times, []).append(c)
    return [
        family for times, pieces in out.items() for family in families(times, pieces, len(v.kinds))
    ]


def _dissipator(jump: Jump | LocalJump, v: Variables) -> Iterator[tuple[Times, Clusters]]:
    rate: Any = jump.rate
    times: Times = (rate,) if isinstance(rate, Coef) else ()
    scale = 1.0 if isinstance(rate, Coef) else rate
    if isinstance(jump.op, Op):
        left, right = operator(jump.op.dag(), v), operator(jump.op, v)
        for t1, one in left.items():
            for t2, two in right.items():
                key = tuple(sorted((*times, *t1, *t2), key=lambda f: f.order))
                for c in _maps(one, two, scale, v):
                    yield key, c
        return
    if isinstance(jump, LocalJump):
        one, two = (local_operator(op, v) for op in (jump.op.dag(), jump.op))
        pairing = partial(_same, np.broadcast_to(scale, (jump.op.sub.size,)))
    else:
        one, two = (array_operator(op, v) for op in (jump.op.dag(), jump.op))
        pairing = partial(_same, np.broadcast_to(scale, (jump.op.size,)))
        if jump.matrix is not None:
            pairing = partial(_correlated, jump.matrix)
    for c in _maps(one, two, 1.0, v, pairing, distinct=not isinstance(jump, LocalJump)):
        yield times, c


def _same(rates: NDArray[Any], A: Clusters, B: Clusters) -> Any:
    """Independent jumps: a member meets itself, with its own rate."""
    b = places(B.label, rates.size)[A.label]
    a = np.flatnonzero(b >= 0)
    return (a, b[a]), rates[A.label[a]]


def _correlated(matrix: NDArray[Any], A: Clusters, B: Clusters) -> Any:
    """Correlated jumps: entry (i, j) multiplies L_i^+ ... L_j."""
    block = matrix[np.ix_(A.label, B.label)]
    a, b = np.nonzero(block)
    return (a, b), block[a, b]


def _maps(
    one: list[Clusters],
    two: list[Clusters],
    scale: float,
    v: Variables,
    pairing: Callable[[Clusters, Clusters], Any] = lambda A, B: (None, None),
    distinct: bool = True,
) -> Iterator[Clusters]:
    """r (L^+ X L - {L^+ L, X}/2) for L^+ = ``one`` and L = ``two``.

    ``pairing``: which entries of both meet, and their rates; all with all where it says nothing.
    ``distinct`` False leaves out pairs of different emitters, which a local jump does not connect.
    """
    for A in one:
        for B in two:
            pairs, weights = pairing(A, B)
            if weights is not None and not weights.size:
                continue
            for c in multiply(A, turned(B), v.number, pairs, weights, distinct, False):
                yield c.scaled(scale)
            for c in multiply(A, B, v.number, pairs, weights, distinct, False):
                yield c.scaled(-0.5 * scale)
                yield turned(c.scaled(-0.5 * scale))
