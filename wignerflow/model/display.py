"""Operators rearranged for reading: ladder operators where that is shorter, complex weights.

The result is a list of terms whose factors are the ones of the algebra, with words in the letters
``+ z -`` (J^+, J_z, J^- or their Pauli counterparts) beside ``x y z`` and ``d a``, and with complex
weights. It is for printing only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product

import numpy as np

from .coefficients import Coef
from .normal import CoupleNode, Factor, Factors, Key, MemberWord, Site, SumNode
from .numerals import number
from .op import Op
from .words import ANGULAR, Algebra

MAX_TIDY = 500  # beyond, an operator is shown as it is

Terms = dict[Key, complex]
Term = tuple[complex, tuple[Coef, ...], Factors]

_RANK = {"+": 0, "z": 1, "-": 2}
# [J_z, J^+], [J^-, J_z], [J^-, J^+]
_BRACKET: dict[str, tuple[str, complex]] = {"z+": ("+", 1), "-z": ("-", 1), "-+": ("z", -2)}


def display_terms(op: Op) -> list[Term]:
    """The terms of an operator in the order and form they are printed in."""
    if len(op.terms) > MAX_TIDY:
        return [(c, times, factors) for (times, factors), c in op.terms.items()]
    groups: dict[object, Terms] = {}
    for (times, factors), c in op.terms.items():
        where = frozenset(
            ((f.sub, f.m),) if isinstance(f, Site) else tuple(f.subs) for f in factors
        )
        groups.setdefault((times, where), {})[times, factors] = c
    out: list[Term] = []
    for group in groups.values():
        plain, ladder = _tidy(group), _tidy(_ladder(group))
        best = ladder if len(ladder) < len(plain) else plain
        out += [(c, times, factors) for (times, factors), c in best.items()]
    return out


# ---------------------------------------------------------------- ladder operators


def _ladder(terms: Terms) -> Terms:
    out: Terms = {}
    for (times, factors), c in terms.items():
        for pieces in product(*(_ladder_factor(f) for f in factors)):
            coefficient = c
            for _, d in pieces:
                coefficient *= d
            for ordered, d in _ordered_sums(tuple(f for f, _ in pieces)):
                out[times, ordered] = out.get((times, ordered), 0) + coefficient * d
    return _without_rounding(out)


def _without_rounding(terms: Terms) -> Terms:
    scale = max((abs(c) for c in terms.values()), default=0.0)
    return {k: c for k, c in terms.items() if abs(c) > 1e-13 * scale}


def _ladder_factor(f: Factor) -> list[tuple[Factor, complex]]:
    if isinstance(f, Site):
        return [(Site(f.sub, f.m, w), c) for w, c in ladder_word(f.sub.algebra, f.word)]
    if isinstance(f, SumNode):
        return [(SumNode(w, f.weights), c) for w, c in _ladder_member(f.word)]
    out: list[tuple[Factor, complex]] = []
    for left, c in _ladder_member(f.left):
        for right, d in _ladder_member(f.right):
            if left == right and not f.coupling.symmetric and f.u is f.v:
                continue  # antisymmetric
            node = CoupleNode(left, f.coupling, right, f.u, f.v)
            if node.coupling.sign < 0:
                node = CoupleNode(node.left, -node.coupling, node.right, node.u, node.v)
                d = -d
            out.append((node, c * d))
    return out


def _ladder_member(word: MemberWord) -> list[tuple[MemberWord, complex]]:
    out: list[tuple[MemberWord, complex]] = [((), 1.0)]
    for sub, letters in word:
        out = [
            ((*head, (sub, w)), c * d)
            for head, c in out
            for w, d in ladder_word(sub.algebra, letters)
        ]
    return out


@lru_cache(maxsize=10_000)
def ladder_word(algebra: Algebra, word: str) -> tuple[tuple[str, complex], ...]:
    """A word in the letters x y z as words +..z..-, in this order."""
    if not algebra.ladder:
        return ((word, 1.0),)
    out: dict[str, complex] = {}
    for letters in product(*(algebra.ladder[letter] for letter in word)):
        c = complex(np.prod([d for _, d in letters]))
        for ordered, d in _ladder_order("".join(letter for letter, _ in letters)):
            out[ordered] = out.get(ordered, 0) + c * d
    return tuple((w, c) for w, c in out.items() if abs(c) > 1e-14)


@lru_cache(maxsize=10_000)
def _ladder_order(word: str) -> tuple[tuple[str, complex], ...]:
    for i in range(len(word) - 1):
        pair = word[i : i + 2]
        if _RANK[pair[0]] > _RANK[pair[1]]:
            letter, c = _BRACKET[pair]
            head, tail = word[:i], word[i + 2 :]
            out: dict[str, complex] = dict(_ladder_order(head + pair[::-1] + tail))
            for w, d in _ladder_order(head + letter + tail):
                out[w] = out.get(w, 0) + c * d
            return tuple((w, c) for w, c in out.items() if c != 0)
    return ((word, 1.0),)


def _ordered_sums(factors: Factors) -> list[tuple[Factors, complex]]:
    """A product ending in two sums of one letter each, with J^+ before J_z before J^-."""
    if len(factors) < 2:
        return [(factors, 1.0)]
    *head, a, b = factors
    if not (isinstance(a, SumNode) and isinstance(b, SumNode)):
        return [(factors, 1.0)]
    if a.word == b.word:
        return [((*head, *sorted((a, b))), 1.0)]
    if len(a.word) != 1 or len(b.word) != 1:
        return [(factors, 1.0)]
    (sub, one), (other, two) = a.word[0], b.word[0]
    if sub != other or sub.algebra != ANGULAR or len(one) != 1 or len(two) != 1:
        return [(factors, 1.0)]
    if _RANK[one] <= _RANK[two]:
        return [(factors, 1.0)]
    letter, c = _BRACKET[one + two]
    rest: list[tuple[Factors, complex]] = [((*head, b, a), 1.0)]
    weights = a.weights * b.weights
    if np.any(weights):
        rest.append(((*head, SumNode(((sub, letter),), weights)), c))
    return rest


# ---------------------------------------------------------------- complex weights


def _tidy(terms: Terms) -> Terms:
    """Sums over the same words joined, with complex weights; products of two as one if they are."""
    groups: dict[object, list[tuple[Key, complex]]] = {}
    for key, c in terms.items():
        times, factors = key
        shape = tuple(f.word if isinstance(f, SumNode) else f for f in factors)
        groups.setdefault((times, shape), []).append((key, c))
    out: Terms = {}
    for group in groups.values():
        (times, factors), _ = group[0]
        sums = [i for i, f in enumerate(factors) if isinstance(f, SumNode)]
        if len(sums) == 1:
            out.update(_join_one(group, sums[0]))
        elif len(sums) == 2 and len(group) > 1:
            out.update(_join_two(group, sums[0], sums[1]))
        else:
            out.update({(times, f): c for (_, f), c in group})
    return out


def _node(factors: Factors, i: int) -> SumNode:
    f = factors[i]
    assert isinstance(f, SumNode)
    return f


def _scaled(w: np.ndarray) -> tuple[np.ndarray, complex]:
    """Weights of size one and their scale, if they are equal but for a phase; rounding removed."""
    first = complex(w[0])
    size = float(np.abs(w).max())
    if np.ptp(np.abs(w)) > 1e-12 * size:
        first = 1.0
    unit = size if first == 1.0 else 1.0
    scaled = np.round(w / (first * unit), 13) * unit + 0.0
    return (scaled if np.any(scaled.imag) else scaled.real), first


def _join_one(group: list[tuple[Key, complex]], i: int) -> Terms:
    (times, factors), _ = group[0]
    total = np.asarray(sum(c * _node(f, i).weights for (_, f), c in group))
    if np.abs(total).max() <= 1e-13 * max(abs(c) for _, c in group):
        return {}
    weights, c = _scaled(total)
    node = SumNode(_node(factors, i).word, weights)
    return {(times, (*factors[:i], node, *factors[i + 1 :])): c}


def _join_two(group: list[tuple[Key, complex]], i: int, j: int) -> Terms:
    """sum_k c_k (u_k)(v_k) as one product where the matrix sum_k c_k u_k v_k^T has rank one."""
    U = np.array([_node(f, i).weights for (_, f), _ in group]).T
    V = np.array([_node(f, j).weights for (_, f), _ in group]).T
    (q1, r1), (q2, r2) = np.linalg.qr(U), np.linalg.qr(V)
    left, s, right = np.linalg.svd(r1 @ np.diag([c for _, c in group]) @ r2.T)
    scale = max(abs(c) for _, c in group) * U.shape[0]
    if s[0] <= 1e-13 * scale:
        return {}
    if s.size > 1 and s[1] > 1e-12 * s[0]:
        return dict(group)
    (times, factors), _ = group[0]
    u, a = _scaled(q1 @ left[:, 0])
    v, b = _scaled(q2 @ right[0])
    one, two = SumNode(_node(factors, i).word, u), SumNode(_node(factors, j).word, v)
    new = (*factors[:i], one, *factors[i + 1 : j], two, *factors[j + 1 :])
    return {(times, new): complex(a * b * s[0])}


# ---------------------------------------------------------------- numbers and weights


def phase_ramp(w: np.ndarray) -> tuple[complex, float] | None:
    """(c, phi) if w_m = c exp(i phi m), for three members and more."""
    if w.size < 3 or not np.allclose(np.abs(w), np.abs(w[0]), rtol=1e-10, atol=0):
        return None
    phi = float(np.angle(w[1] / w[0]))
    if not np.allclose(w, w[0] * np.exp(1j * phi * np.arange(w.size)), rtol=0, atol=1e-9):
        return None
    return complex(w[0]), phi


def joined(
    terms: list[tuple[complex, str]], times: str, write: Callable[[complex], str] = number
) -> str:
    """Terms (coefficient, product) as one sum; ``times`` stands between number and product."""
    out = ""
    for c, body in terms:
        text = write(c)
        sign, size = ("-", text[1:]) if text.startswith("-") else ("+", text)
        if body and size == "1":
            size = ""
        elif body:
            size += times
        out += (f" {sign} " if out else sign.strip("+")) + size + body
    return out or "0"
