r"""Symbols of words of angular momentum and of levels: the symmetrised correspondence, exact.

Symmetrised products of J_x, J_y, J_z have the product of their variables as symbol. One more
letter on the left of an operator with symbol f gives, for every length of the spin and any sum of
spins (the Baker-Campbell-Hausdorff series of su(2) with one linear argument),

.. math::
   J_a \star f = J_a f - \tfrac i2 (J\times\partial)_a f
     - \sum_{m\ge1} \frac{B_{2m}}{(2m)!}\, \Delta^{m-1}
       \Big(\sum_b J_b\partial_b\partial_a - J_a\Delta\Big) f,

with the derivatives acting on f alone and the Bernoulli numbers B_2 = 1/6, B_4 = -1/30, ... So
J^+J^+J^-J^- has the symbol q^2 + 4 q J_z - (4/3) q + 2 J_z^2 - (2/3) J_z, q = J_x^2 + J_y^2.

Of X_ab = sum_n |a><b|_n of emitters with levels a symmetrised product has the product of the
symbols X_ab -> R_ba. An ordered one is brought to symmetrised ones by the product of the
symmetrisation map,

.. math:: X \star (Y_1\cdots Y_n) = \sum_k \frac{B_k}{k!} \sum_{i_1\ldots i_k}
   [\ldots[X, Y_{i_1}],\ldots, Y_{i_k}] \prod_{j\ne i} Y_j,

with distinct indices and the Bernoulli numbers B_1 = +1/2, B_2 = 1/6, B_4 = -1/30, ... (Gutt, Lett.
Math. Phys. 7, 249, 1983).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache
from math import comb, factorial

from ..model.words import chained, commutator, levels_of
from .matrices import imaginary_part, real_part
from .polynomials import expanded

Powers = tuple[int, int, int]
Symbol = dict[Powers, complex]


@cache
def bernoulli(n: int) -> Fraction:
    """The Bernoulli number B_n, with B_1 = -1/2."""
    if n == 0:
        return Fraction(1)
    return -sum((comb(n + 1, k) * bernoulli(k) for k in range(n)), Fraction(0)) / (n + 1)


def derivative(f: Symbol, a: int) -> Symbol:
    """df/dJ_a."""
    out: Symbol = {}
    for powers, c in f.items():
        if powers[a]:
            key = list(powers)
            key[a] -= 1
            out[key[0], key[1], key[2]] = c * powers[a]
    return out


def _times(f: Symbol, a: int, factor: complex, out: Symbol) -> None:
    """Add factor J_a f to ``out``."""
    for powers, c in f.items():
        key = list(powers)
        key[a] += 1
        at = key[0], key[1], key[2]
        out[at] = out.get(at, 0) + factor * c


def letter_star(a: int, f: Symbol) -> Symbol:
    """The symbol of J_a F for an operator F with symbol f."""
    out: Symbol = {}
    _times(f, a, 1.0, out)
    slopes = [derivative(f, b) for b in range(3)]
    b, c = (a + 1) % 3, (a + 2) % 3
    _times(slopes[c], b, -0.5j, out)
    _times(slopes[b], c, 0.5j, out)
    degree = max((sum(p) for p in f), default=0)
    g, m = f, 1  # g = Laplace^(m-1) f
    while 2 * m <= degree:
        factor = -float(bernoulli(2 * m) / factorial(2 * m))
        laplace: Symbol = {}
        for b in range(3):
            slope = derivative(g, b)
            _times(derivative(slope, a), b, factor, out)
            for powers, value in derivative(slope, b).items():
                laplace[powers] = laplace.get(powers, 0) + value
        _times(laplace, a, -factor, out)
        g, m = laplace, m + 1
    return {powers: value for powers, value in out.items() if value != 0}


@lru_cache(maxsize=10_000)
def angular_symbol(word: str) -> tuple[tuple[tuple[int, ...], complex], ...]:
    """Symbol of a word of letters x, y, z: (sorted components, coefficient) pairs."""
    f: Symbol = {(0, 0, 0): 1.0}
    for letter in reversed(word):
        f = letter_star("xyz".index(letter), f)
    scale = max((abs(c) for c in f.values()), default=0.0)
    return tuple(
        ((0,) * p[0] + (1,) * p[1] + (2,) * p[2], c) for p, c in f.items() if abs(c) > 1e-14 * scale
    )


@lru_cache(maxsize=10_000)
def symmetric(word: str) -> tuple[tuple[str, complex], ...]:
    """An ordered product as symmetrised products, of sorted letters."""
    out = chained(lambda product, x: tuple(_star(x, product)), "", word[::-1])
    return tuple((w, c) for w, c in out.items() if abs(c) > 1e-14)


def _star(x: str, product: str) -> list[tuple[str, float]]:
    """A letter times a symmetrised product."""
    out: list[tuple[str, float]] = []
    nested: list[tuple[str, str, float]] = [(x, product, 1.0)]  # nested commutator, rest, factor
    for k in range(len(product) + 1):
        weight = abs(float(bernoulli(k))) if k == 1 else float(bernoulli(k))
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


def _transposed(x: str) -> list[tuple[tuple[int, ...], complex]]:
    """R_ba in its variables, for the letter of X_ab."""
    a, b = levels_of(x)
    if a == b:
        return [((real_part(a, b),), 1.0)]
    part = imaginary_part(min(a, b), max(a, b))
    return [((real_part(a, b),), 1.0), ((part,), -1j if a < b else 1j)]


@lru_cache(maxsize=10_000)
def level_symbol(word: str) -> tuple[tuple[tuple[int, ...], complex], ...]:
    """The symbol of a word: (sorted variables, coefficient) pairs."""
    out: dict[tuple[int, ...], complex] = {}
    for product, c in symmetric(word):
        for key, d in expanded(map(_transposed, product)).items():
            out[key] = out.get(key, 0) + c * d
    return tuple((key, d) for key, d in out.items() if d != 0)
