r"""The closure: means of products when all joint cumulants of order above two vanish.

A monomial of basic operators on different sites (symmetrised on one site) then has the mean of a
Gaussian variable with means r and covariances C,

.. math:: \langle x_1 x_2 x_3\rangle = r_1r_2r_3 + C_{12}r_3 + C_{13}r_2 + C_{23}r_1, \ \dots

A variable is (slot, letter), a factor is a variable (its mean) or a sorted pair (their covariance),
and a polynomial maps sorted tuples of factors to one coefficient per map of a family.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from . import algebra
from .algebra import Symbol
from .clusters import Word

Variable = tuple[int, int]
Factor = tuple[Variable, ...]
Factors = tuple[Factor, ...]
Monomial = tuple[Variable, ...]
Vector = NDArray[np.complex128]
Polynomial = dict[Factors, Vector]
#: Highest degree of a polynomial in the basic operators.
MAX_DEGREE = 8


class TooHigh(ValueError):
    """A polynomial in the basic operators of too high a degree."""


@lru_cache(maxsize=100_000)
def mean(mono: Monomial) -> tuple[tuple[Factors, int], ...]:
    """The mean of a monomial: products of factors and how often each occurs."""
    if len(mono) > MAX_DEGREE:
        raise TooHigh(
            f"its moment equations hold products of {len(mono)} operators (limit {MAX_DEGREE})"
        )

    def go(rest: Monomial) -> Counter[Factors]:
        if not rest:
            return Counter({(): 1})
        first, others = rest[0], rest[1:]
        out: Counter[Factors] = Counter()
        for factors, n in go(others).items():
            out[tuple(sorted(((first,), *factors)))] += n
        for k, other in enumerate(others):
            pair = tuple(sorted((first, other)))
            for factors, n in go(others[:k] + others[k + 1 :]).items():
                out[tuple(sorted((pair, *factors)))] += n
        return out

    return tuple(go(mono).items())


def _add(out: Polynomial, factors: Factors, c: Vector) -> None:
    out[factors] = out[factors] + c if factors in out else c


def expectation(symbols: dict[Monomial, Vector]) -> Polynomial:
    """The mean of a combination of monomials."""
    out: Polynomial = {}
    for mono, c in symbols.items():
        for factors, n in mean(mono):
            _add(out, factors, n * c)
    return out


def derivative(symbols: dict[Monomial, Vector], variable: Variable) -> Polynomial:
    """The mean of the derivative with respect to a variable."""
    out: Polynomial = {}
    for mono, c in symbols.items():
        n = mono.count(variable)
        if n:
            k = mono.index(variable)
            for factors, times in mean(mono[:k] + mono[k + 1 :]):
                _add(out, factors, n * times * c)
    return out


def with_other(symbols: dict[Monomial, Vector], y: Variable) -> Polynomial:
    """The mean of the product with one more variable: E[g y] = E[g] r_y + sum E[dg/dx] C_xy."""
    out: Polynomial = {}
    for factors, c in expectation(symbols).items():
        _add(out, tuple(sorted((*factors, (y,)))), c)
    for x in {x for mono in symbols for x in mono}:
        pair = tuple(sorted((x, y)))
        for factors, c in derivative(symbols, x).items():
            _add(out, tuple(sorted((*factors, pair))), c)
    return out


def acted(
    kinds: tuple[str, ...],
    maps: list[tuple[Word, ...]],
    observed: dict[int, tuple[int, ...]],
    weights: NDArray[np.complex128] | None = None,
) -> dict[Monomial, Vector]:
    """left X right of every map, for X the (symmetrised) product of the observed letters.

    Args:
        kinds: of the slots.
        maps: a word (left, right) per slot, for every map.
        observed: slot -> letters of X there.
        weights: of every map, shape (maps, E), where sums over maps are wanted, shape (E,); None
            keeps maps apart.
    """
    length = len(maps) if weights is None else weights.shape[1]
    out: dict[Monomial, Vector] = {}
    for t, slots in enumerate(maps):
        product: dict[Monomial, complex] = {(): 1.0 + 0j}
        for s, (kind, (left, right)) in enumerate(zip(kinds, slots, strict=True)):
            middle = algebra.symmetric(kind, observed.get(s, ()))
            product = _times(product, algebra.sandwich(kind, left, middle, right), s)
        for mono, c in product.items():
            if mono not in out:
                out[mono] = np.zeros(length, complex)
            if weights is None:
                out[mono][t] += c
            else:
                out[mono] += c * weights[t]
    return out


def _times(product: dict[Monomial, complex], symbol: Symbol, slot: int) -> dict[Monomial, complex]:
    return {
        (*mono, *((slot, k) for k in letters)): c * d
        for mono, c in product.items()
        for letters, d in symbol
    }


def letters(kinds: tuple[str, ...], slot: int) -> range:
    """Numbers of the basic operators on a slot."""
    return range(algebra.count(kinds[slot]))


def pair_source(
    g: dict[tuple[int, int], dict[Monomial, Vector]],
    both: dict[Monomial, Vector],
    x: Variable,
    y: Variable,
) -> Polynomial:
    """What a map on the sites of both x and y adds to the rate of their covariance.

    The rate of <xy> less what ``A C + C A^T`` and the rates of the means count for it already.
    """
    out = expectation(both)
    for own, other in ((g[x], y), (g[y], x)):
        for factors, c in with_other(own, other).items():
            _add(out, factors, -c)
    return out
