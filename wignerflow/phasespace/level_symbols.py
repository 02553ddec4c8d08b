r"""Exact Weyl symbols of products of X_ab = sum_n |a><b|_n.

A symmetrised product has the product of the symbols X_ab -> R_ba. An ordered one is brought to
symmetrised ones by the product of the symmetrisation map,

.. math:: X \star (Y_1\cdots Y_n) = \sum_k \frac{B_k}{k!} \sum_{i_1\ldots i_k}
   [\ldots[X, Y_{i_1}],\ldots, Y_{i_k}] \prod_{j\ne i} Y_j,

with distinct indices and the Bernoulli numbers B_1 = +1/2, B_2 = 1/6, B_4 = -1/30, ... (Gutt, Lett.
Math. Phys. 7, 249, 1983).
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import scipy

from ..model.words import commutator, levels_of
from .matrices import imaginary_part, real_part

#: Sorted letters of a symmetrised product -> coefficient.
Symmetric = dict[str, float]


@lru_cache(maxsize=10_000)
def symmetric(word: str) -> tuple[tuple[str, float], ...]:
    """An ordered product as symmetrised products."""
    out: Symmetric = {"": 1.0}
    for x in reversed(word):
        longer: Symmetric = {}
        for product, c in out.items():
            for w, d in _star(x, product):
                longer[w] = longer.get(w, 0) + c * d
        out = longer
    return tuple((w, c) for w, c in out.items() if abs(c) > 1e-14)


def _star(x: str, product: str) -> list[tuple[str, float]]:
    """A letter times a symmetrised product."""
    numbers = scipy.special.bernoulli(len(product))
    out: list[tuple[str, float]] = []
    nested: list[tuple[str, str, float]] = [(x, product, 1.0)]  # nested commutator, rest, factor
    for k in range(len(product) + 1):
        weight = abs(numbers[k]) if k == 1 else numbers[k]
        if weight:
            for y, rest, c in nested:
                out.append(("".join(sorted(y + rest)), c * weight / factorial(k)))
        nested = [
            (z, rest[:i] + rest[i + 1 :], c * sign)
            for y, rest, c in nested
            for i in range(len(rest))
            for z, sign in commutator(y, rest[i])
        ]
    return out


@lru_cache(maxsize=10_000)
def level_symbol(word: str) -> tuple[tuple[tuple[int, ...], complex], ...]:
    """The symbol of a word: (sorted variables, coefficient) pairs."""
    out: dict[tuple[int, ...], complex] = {}
    for product, c in symmetric(word):
        pieces: dict[tuple[int, ...], complex] = {(): c}
        for x in product:
            a, b = levels_of(x)
            parts = [(real_part(a, b), 1.0 + 0j)]
            if a != b:  # R_ba
                parts.append((imaginary_part(min(a, b), max(a, b)), -1j if a < b else 1j))
            longer: dict[tuple[int, ...], complex] = {}
            for key, d in pieces.items():
                for variable, unit in parts:
                    new = tuple(sorted((*key, variable)))
                    longer[new] = longer.get(new, 0) + d * unit
            pieces = longer
        for key, d in pieces.items():
            out[key] = out.get(key, 0) + d
    return tuple((key, d) for key, d in out.items() if d != 0)
