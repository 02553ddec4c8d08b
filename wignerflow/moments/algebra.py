r"""One site's operator algebra: from ordered words to symmetric polynomials in its basic operators.

The basic operators are Hermitian: sigma_x, sigma_y, sigma_z of one two-level emitter (kind
``"spin"``); those of :mod:`wignerflow.moments.level_sites` for one of d levels; J_x, J_y, J_z of a
collective spin; of a mode the quadratures

.. math:: q = (a + a^\dagger)/\sqrt2, \qquad p = (a - a^\dagger)/(i\sqrt2), \qquad [q, p] = i.

A monomial is a sorted tuple of their numbers and stands for the symmetrised product. For one
emitter it has at most one entry.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import comb, factorial, sqrt
from typing import TypeVar

import numpy as np
from numpy.polynomial import polynomial as poly
from numpy.typing import NDArray

from ..model import words
from . import level_sites

ALGEBRAS = {"spin": words.PAULI, "collective": words.ANGULAR, "mode": words.BOSON}
Words = tuple[tuple[str, complex], ...]
Mono = tuple[int, ...]
Symbol = tuple[tuple[Mono, complex], ...]
Key = TypeVar("Key")

LETTERS = {"spin": "xyz", "collective": "xyz", "mode": "qp"}
IDENTITY: Words = (("", 1.0 + 0j),)
ZERO = 1e-15


def count(kind: str) -> int:
    """Number of basic operators."""
    d = level_sites.levels(kind)
    return d * d - 1 if d else len(LETTERS[kind])


def closed(kind: str) -> bool:
    """Whether the site is one emitter: products of its basic operators are sums of such and 1."""
    return kind == "spin" or level_sites.levels(kind) > 0


def multiply(kind: str, left: str, right: str) -> Mapping[str, complex]:
    """Product of two words."""
    algebra = words.LEVEL if level_sites.levels(kind) else ALGEBRAS[kind]
    return algebra.multiply(left, right)


def _summed(terms: Iterable[tuple[Key, complex]]) -> Iterator[tuple[Key, complex]]:
    """Coefficients of equal keys added, without those that are zero."""
    out: dict[Key, complex] = {}
    for key, c in terms:
        out[key] = out.get(key, 0) + c
    return ((key, c) for key, c in out.items() if abs(c) > ZERO)


@lru_cache(maxsize=100_000)
def product(kind: str, left: Words, right: Words) -> Words:
    """Product of two combinations of words."""
    every = itertools.product(left, right)
    terms = ((x, c * d * e) for (v, c), (w, d) in every for x, e in multiply(kind, v, w).items())
    return tuple(sorted(_summed(terms)))


@lru_cache(maxsize=1000)
def basic(kind: str, k: int) -> Words:
    """Basic operator number k as words."""
    if level_sites.levels(kind):
        return level_sites.basic(level_sites.levels(kind), k)
    if kind != "mode":
        return ((LETTERS[kind][k], 1.0 + 0j),)
    r = 1 / sqrt(2)
    return (("a", r + 0j), ("d", r + 0j)) if k == 0 else (("a", -1j * r), ("d", 1j * r))


@lru_cache(maxsize=10_000)
def symmetric(kind: str, mono: Mono) -> Words:
    """The symmetrised product of basic operators as words in normal form."""
    terms: list[tuple[str, complex]] = []
    orders = list(itertools.permutations(mono))
    for order in orders:
        factor = IDENTITY
        for k in order:
            factor = product(kind, factor, basic(kind, k))
        terms += [(w, c / len(orders)) for w, c in factor]
    return tuple(sorted(_summed(terms)))


@lru_cache(maxsize=100_000)
def symbol(kind: str, word: str) -> Symbol:
    """A word in normal form as a polynomial of symmetrised products."""
    if kind == "mode":
        return _weyl(word.count("d"), word.count("a"))
    if level_sites.levels(kind):
        return level_sites.symbol(level_sites.levels(kind), word)
    if kind == "spin":
        return (((LETTERS[kind].index(word),) if word else (), 1.0 + 0j),)
    # the symmetrised product is the word itself and shorter ones
    mono = tuple(LETTERS[kind].index(x) for x in word)
    shorter = ((w, c) for w, c in symmetric(kind, mono) if w != word)
    rest = ((m, -c * d) for w, c in shorter for m, d in symbol(kind, w))
    return tuple(_summed([(mono, 1.0 + 0j), *rest]))


def _weyl(m: int, n: int) -> Symbol:
    """a^+m a^n = sum_k (-1/2)^k k! C(m,k) C(n,k) {a^+(m-k) a^(n-k)}, with a = (q + ip)/sqrt 2."""
    terms: list[tuple[Mono, complex]] = []
    for k in range(min(m, n) + 1):
        c = (-0.5) ** k * factorial(k) * comb(m, k) * comb(n, k)
        # of ups and downs in any order, as many p each has
        both = poly.polymul(poly.polypow([1, -1j], m - k), poly.polypow([1, 1j], n - k))
        for p, d in enumerate(both):
            letters = (0,) * (m + n - 2 * k - p) + (1,) * p
            terms.append((letters, complex(c * 2 ** (k - (m + n) / 2) * d)))
    return tuple(_summed(terms))


@lru_cache(maxsize=100_000)
def sandwich(kind: str, left: str, middle: Words, right: str) -> Symbol:
    """The symbol of ``left`` times ``middle`` times ``right``."""
    ordered = product(kind, product(kind, ((left, 1.0 + 0j),), middle), ((right, 1.0 + 0j),))
    return tuple(_summed((m, c * d) for word, c in ordered for m, d in symbol(kind, word)))


@lru_cache
def squares(kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of one emitter: symmetrised products x_k x_l = a[k, l] + sum_m b[k, l, m] x_m, as (a, b)."""
    n = count(kind)
    a, b = np.zeros((n, n)), np.zeros((n, n, n))
    for k in range(n):
        for m in range(n):
            for word, c in symmetric(kind, (k, m)):
                for mono, d in symbol(kind, word):
                    b_or_a, at = (b, (k, m, *mono)) if mono else (a, (k, m))
                    b_or_a[at] += (c * d).real
    return a, b


@lru_cache(maxsize=10_000)
def emitters(kind: str, word: str) -> tuple[tuple[complex, tuple[str, ...]], ...]:
    r"""A word of collective operators as products of those of different emitters.

    Letters stand for sums over emitters: :math:`J_a = \sum_n \sigma_a/2` of an ensemble (kind
    ``"spin"``), :math:`\sum_n |a\rangle\langle b|` of emitters with levels. Products are sums over
    partitions, :math:`\sum_{n_1\ne n_2\ne\dots}` of one product per part: a list of (factor, one
    letter or identity per emitter).
    """
    unit = 0.5 if kind == "spin" else 1.0
    out: list[tuple[tuple[str, ...], complex]] = [((), 1.0 + 0j)]
    for letter in word:
        longer: list[tuple[tuple[str, ...], complex]] = []
        for parts, c in out:
            longer.append((tuple(sorted((*parts, letter))), c * unit))
            for k, part in enumerate(parts):
                for w, d in multiply(kind, part, letter).items():
                    new = tuple(sorted((*parts[:k], w, *parts[k + 1 :])))
                    longer.append((new, c * d * unit))
        out = list(_summed(longer))
    return tuple((c, parts) for parts, c in out)
