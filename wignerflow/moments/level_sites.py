r"""One emitter of d levels, kind ``"level{d}"``: Hermitian basic operators, and words in them.

With :math:`n_0 = 1 - \sum_{a>0} n_a` for the first level, the d^2 - 1 basic operators are

.. math:: n_a = |a\rangle\langle a|\ (a > 0), \qquad
          x_{ab} = |a\rangle\langle b| + |b\rangle\langle a|, \qquad
          y_{ab} = -i\,|a\rangle\langle b| + i\,|b\rangle\langle a| \quad (a < b).

Words are those of one emitter, one letter :math:`|a\rangle\langle b|` at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..model.words import letter, levels_of

Words = tuple[tuple[str, complex], ...]
Symbol = tuple[tuple[tuple[int, ...], complex], ...]

PREFIX = "level"


def kind(d: int) -> str:
    """The kind of a site of d levels."""
    return f"{PREFIX}{d}"


def levels(kind: str) -> int:
    """d, or 0 if the kind is another one."""
    return int(kind[len(PREFIX) :]) if kind.startswith(PREFIX) else 0


@lru_cache
def basics(d: int) -> tuple[tuple[str, int, int], ...]:
    """What every basic operator is: ("n", a, a), ("x", a, b) or ("y", a, b)."""
    pairs = [(a, b) for b in range(d) for a in range(b)]
    return (*(("n", a, a) for a in range(1, d)), *((x, a, b) for a, b in pairs for x in "xy"))


def names(labels: Sequence[str]) -> list[str]:
    """Printed names of the basic operators."""
    return [
        f"n_{labels[a]}" if what == "n" else f"{what}_{labels[a]},{labels[b]}"
        for what, a, b in basics(len(labels))
    ]


def basic(d: int, k: int) -> Words:
    """Basic operator number k as words."""
    what, a, b = basics(d)[k]
    if what == "n":
        return ((letter(a, a), 1.0 + 0j),)
    c = 1.0 + 0j if what == "x" else -1j
    return ((letter(a, b), c), (letter(b, a), c.conjugate()))


def symbol(d: int, word: str) -> Symbol:
    """A word as a combination of basic operators and 1."""
    if not word:
        return (((), 1.0 + 0j),)
    place = {what: (k,) for k, what in enumerate(basics(d))}
    a, b = levels_of(word)
    if a == b:
        if a > 0:
            return ((place["n", a, a], 1.0 + 0j),)
        return (((), 1.0 + 0j), *((place["n", c, c], -1.0 + 0j) for c in range(1, d)))
    i, j = min(a, b), max(a, b)
    return ((place["x", i, j], 0.5 + 0j), (place["y", i, j], 0.5j if a < b else -0.5j))


def means(rho: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Means of the basic operators in a state of one emitter, shape (d^2 - 1,)."""
    out = []
    for what, a, b in basics(len(rho)):
        z = rho[b, a]  # <|a><b|>
        out.append(z.real if what == "n" else 2 * (z.real if what == "x" else z.imag))
    return np.array(out)


def state(mean: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The matrix of one emitter with these means, shape (d, d)."""
    d = round((mean.size + 1) ** 0.5)
    rho = np.zeros((d, d), complex)
    for (what, a, b), value in zip(basics(d), mean, strict=True):
        if what == "n":
            rho[a, a] = value
        else:
            rho[b, a] += value / 2 * (1 if what == "x" else 1j)
            rho[a, b] = rho[b, a].conjugate()
    rho[0, 0] = 1 - np.trace(rho)
    return rho
