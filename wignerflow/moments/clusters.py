"""Sums over sites: operators written as sums over *different* sites of one word per site.

A :class:`Clusters` holds many terms of one form as arrays: S slots with one kind and one word each,
and entries e with the class of every slot and a coefficient. It stands for

    sum_e coef_e  sum over different sites (n_1 in class index_1e, n_2 in class index_2e, ...)
                  word_1(n_1) word_2(n_2) ...

A word is a pair (left, right), so that the same arithmetic serves operators, (word, ""), and maps
X -> left X right. Nothing is expanded over the emitters of an ensemble, and the members of an array
are entries of the arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.kinds.ensemble import LocalOp
from ..model.levels import LevelOp
from ..model.normal import CoupleNode, Factor, MemberWord, Site, SumNode, array_size
from ..model.op import Op
from ..model.operators import ArrayOp
from ..model.words import letter
from .algebra import emitters
from .algebra import multiply as product_of_words
from .variables import Variables, kind_of

Word = tuple[str, str]
Index = NDArray[np.int64]
#: Entries that one operator may have.
LIMIT = 20_000_000


class TooMany(ValueError):
    """An operator has more terms than can be written out."""


@dataclass
class Clusters:
    """Terms of one form; ``label`` is the array member that an entry belongs to."""

    kinds: tuple[str, ...]
    words: tuple[Word, ...]
    index: Index  # (S, E)
    coef: NDArray[np.complex128]  # (E,)
    label: Index  # (E,)

    def keep(self, mask: NDArray[np.bool_]) -> Clusters:
        """The entries where ``mask`` holds."""
        return replace(
            self, index=self.index[:, mask], coef=self.coef[mask], label=self.label[mask]
        )

    def slots(self, some: list[int]) -> Clusters:
        """Some of the slots, in another order."""
        kinds, words = tuple(self.kinds[t] for t in some), tuple(self.words[t] for t in some)
        return replace(self, kinds=kinds, words=words, index=self.index[some])

    def scaled(self, factor: complex | NDArray[Any]) -> Clusters:
        """Coefficients times ``factor``."""
        return replace(self, coef=self.coef * factor)


def remaining(index: Index, number: Index, fixed: Iterable[int] = ()) -> NDArray[np.float64]:
    """Ways to choose different sites for all slots but the ``fixed`` ones, shape (E,)."""
    seen = list(fixed)
    out = np.ones(index.shape[1])
    for s in range(index.shape[0]):
        if s in seen:
            continue
        used = np.zeros(index.shape[1])
        for t in seen:
            used += index[t] == index[s]
        out *= np.maximum(number[index[s]] - used, 0)
        seen.append(s)
    return out


def _tidy(c: Clusters, number: Index, reduce: bool = True) -> Clusters | None:
    """Slots sorted by kind, empty and impossible entries dropped, identities summed."""
    for s in reversed(range(len(c.words))):
        if reduce and c.words[s] == ("", ""):
            rest = [t for t in range(len(c.words)) if t != s]
            c = c.slots(rest).scaled(remaining(c.index, number, rest))
    possible = (c.coef != 0) & (remaining(c.index, number) > 0)
    if not possible.any():
        return None
    return c.slots(sorted(range(len(c.kinds)), key=lambda t: c.kinds[t])).keep(possible)


def multiply(
    A: Clusters,
    B: Clusters,
    number: Index,
    pairs: tuple[Index, Index] | None = None,
    weights: NDArray[np.complex128] | None = None,
    distinct: bool = True,
    reduce: bool = True,
) -> Iterator[Clusters]:
    """A B, with every way in which sites of both may coincide.

    Args:
        A, B: the factors, A to the left of B.
        number: sites per class.
        pairs: which entries of A meet which of B; None: all with all.
        weights: factor of every pair.
        distinct: False leaves only the terms in which every site of B is one of A.
        reduce: sum over sites on which nothing acts. A map keeps them: only all its terms together
            leave an operator on other sites alone.
    """
    if pairs is None:
        count = A.coef.size * B.coef.size
        if count > LIMIT:
            raise TooMany(f"a product has {count:.3g} terms")
        pairs = (
            np.repeat(np.arange(A.coef.size), B.coef.size),
            np.tile(np.arange(B.coef.size), A.coef.size),
        )
    left, right = A.index[:, pairs[0]], B.index[:, pairs[1]]
    coef, label = A.coef[pairs[0]] * B.coef[pairs[1]], A.label[pairs[0]]
    if weights is not None:
        coef = coef * weights
    for match in _matchings(A.kinds, B.kinds):
        if len(match) < len(B.kinds) and not distinct:
            continue
        same = np.ones(coef.size, bool)
        for t, s in match.items():
            same &= left[s] == right[t]
        if not same.any():
            continue
        extra = [t for t in range(len(B.kinds)) if t not in match]
        index = np.concatenate([left, right[extra]])[:, same]
        kinds = A.kinds + tuple(B.kinds[t] for t in extra)
        forms: list[tuple[complex, list[Word]]] = [(1.0, list(A.words))]
        for t, s in match.items():
            merged = _merge(A.kinds[s], A.words[s], B.words[t])
            forms = [(c * d, [*w[:s], v, *w[s + 1 :]]) for c, w in forms for v, d in merged]
        for c, w in forms:
            product = Clusters(
                kinds, (*w, *(B.words[t] for t in extra)), index, c * coef[same], label[same]
            )
            tidy = _tidy(product, number, reduce)
            if tidy is not None:
                yield tidy


def _matchings(left: tuple[str, ...], right: tuple[str, ...]) -> Iterator[dict[int, int]]:
    """Every way to identify some slots of ``right`` with slots of ``left``: {right: left}."""

    def go(t: int, taken: frozenset[int]) -> Iterator[dict[int, int]]:
        if t == len(right):
            yield {}
            return
        yield from go(t + 1, taken)
        for s, kind in enumerate(left):
            if kind == right[t] and s not in taken:
                for rest in go(t + 1, taken | {s}):
                    yield {t: s, **rest}

    return go(0, frozenset())


def _merge(kind: str, one: Word, two: Word) -> list[tuple[Word, complex]]:
    """The product of two words on one site: left parts and right parts each in order."""
    out = []
    for v, c in product_of_words(kind, one[0], two[0]).items():
        for w, d in product_of_words(kind, one[1], two[1]).items():
            out.append(((v, w), c * d))
    return out


# ---------------------------------------------------------------- from operators


def _member_word(
    word: MemberWord, members: Index, coef: NDArray[np.complex128], v: Variables
) -> Iterator[Clusters]:
    """One word per subsystem on the same member of each, for many members."""
    forms: list[tuple[complex, list[tuple[str, str, Index]]]] = [(1.0, [])]
    for sub, w in word:
        where = v.first[sub] + (members if sub.count is not None else np.zeros_like(members))
        kind = kind_of(sub)
        if sub.kind in ("ensemble", "levels"):
            parts = [(c, [(kind, x, where) for x in p]) for c, p in emitters(kind, w)]
        else:
            parts = [(1.0 + 0j, [(kind, w, where)])]
        forms = [(c * d, [*f, *g]) for c, f in forms for d, g in parts]
    for c, slots in forms:
        index = np.array([i for _, _, i in slots], np.int64).reshape(len(slots), members.size)
        raw = Clusters(
            tuple(k for k, _, _ in slots), tuple((w, "") for _, w, _ in slots),
            index, c * coef, members,
        )  # fmt: skip
        tidy = _tidy(raw, v.number)
        if tidy is not None:
            yield tidy


def _factor(f: Factor, v: Variables) -> list[Clusters]:
    if isinstance(f, Site):
        one = np.array([f.m])
        return list(_member_word(((f.sub, f.word),), one, np.ones(1, complex), v))
    if isinstance(f, SumNode):
        members = np.flatnonzero(f.weights)
        return list(_member_word(f.word, members, f.weights[members].astype(complex), v))
    return _couple(f, v)


def _couple(f: CoupleNode, v: Variables) -> list[Clusters]:
    size = array_size(f.left)
    matrix = f.coupling.matrix(size)
    for weights, shape in ((f.u, (-1, 1)), (f.v, (1, -1))):
        if weights is not None:
            matrix = matrix * weights.reshape(shape)
    rows, columns = np.nonzero(matrix)
    every, one = np.arange(size), np.ones(size, complex)
    out: list[Clusters] = []
    for A in _member_word(f.left, every, one, v):
        for B in _member_word(f.right, every, one, v):
            a, b = places(A.label, size)[rows], places(B.label, size)[columns]
            both = (a >= 0) & (b >= 0)
            values = matrix[rows[both], columns[both]]
            out += multiply(A, B, v.number, (a[both], b[both]), values)
    return out


def places(label: Index, size: int) -> Index:
    """The entry of every member, -1 for one without."""
    out = np.full(size, -1, np.int64)
    out[label] = np.arange(label.size)
    return out


def operator(op: Op, v: Variables) -> dict[tuple[Coef, ...], list[Clusters]]:
    """An operator as sums over different sites, by its time coefficients.

    Raises:
        TooMany: it has more than ``LIMIT`` terms.
    """
    out: dict[tuple[Coef, ...], list[Clusters]] = {}
    for (times, factors), c in op.terms.items():
        pieces = [_number(complex(c))]
        for f in factors:
            own = _factor(f, v)
            pieces = [p for a in pieces for b in own for p in multiply(a, b, v.number)]
        out.setdefault(times, []).extend(pieces)
    return {times: merged(pieces) for times, pieces in out.items()}


def array_operator(op: ArrayOp, v: Variables) -> list[Clusters]:
    """The operators of all members; ``label`` says whose a term is."""
    out: list[Clusters] = []
    for word, w in op.terms.items():
        members = np.flatnonzero(w)
        if word:
            out += _member_word(word, members, w[members], v)
        else:
            out.append(Clusters((), (), np.empty((0, members.size), np.int64), w[members], members))
    return out


def local_operator(op: LocalOp, v: Variables) -> list[Clusters]:
    """One emitter's operator, for the emitters of every member that it acts on."""
    members = np.arange(op.sub.size) if op.member is None else np.array([op.member])
    where = (v.first[op.sub] + members)[None]
    if isinstance(op, LevelOp):
        pairs = zip(*np.nonzero(op.c), strict=True)
        combination = [(letter(int(a), int(b)), op.c[a, b]) for a, b in pairs]
    else:
        combination = list(zip(("", "x", "y", "z"), op.c, strict=True))
    return [
        Clusters((kind_of(op.sub),), ((w, ""),), where, np.full(members.size, complex(c)), members)
        for w, c in combination
        if c != 0
    ]


def _number(c: complex) -> Clusters:
    zero = np.zeros(1, np.int64)
    return Clusters((), (), np.empty((0, 1), np.int64), np.array([c]), zero)


def turned(c: Clusters) -> Clusters:
    """The operator on the other side: X -> X word."""
    return replace(c, words=tuple((r, l) for l, r in c.words))


def merged(pieces: Iterable[Clusters]) -> list[Clusters]:
    """Terms of one form put together."""
    groups: dict[tuple[tuple[str, ...], tuple[Word, ...]], list[Clusters]] = {}
    for c in pieces:
        groups.setdefault((c.kinds, c.words), []).append(c)
    return [
        Clusters(
            kinds,
            names,
            np.concatenate([c.index for c in group], axis=1),
            np.concatenate([c.coef for c in group]),
            np.concatenate([c.label for c in group]),
        )
        for (kinds, names), group in groups.items()
    ]
