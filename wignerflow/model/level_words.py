"""Words of emitters with levels: letters X_ab = sum_n |a><b|_n.

[X_ab, X_cd] = delta_bc X_ad - delta_ad X_cb; words are sorted by letter. For one emitter alone
X_ab X_cd = delta_bc X_ad, and a word has one letter at most.
"""

from __future__ import annotations

from functools import lru_cache

MOST = 8  # levels

Combination = dict[str, complex]


def letter(a: int, b: int) -> str:
    """The letter of X_ab."""
    return chr(48 + MOST * a + b)


def levels_of(x: str) -> tuple[int, int]:
    """a and b of a letter."""
    return divmod(ord(x) - 48, MOST)


def commutator(x: str, y: str) -> tuple[tuple[str, int], ...]:
    """[x, y] as letters and factors."""
    (a, b), (c, d) = levels_of(x), levels_of(y)
    out = ((letter(a, d), 1),) if b == c else ()
    return (*out, (letter(c, b), -1)) if a == d else out


def multiply(left: str, right: str, alone: bool) -> Combination:
    """Product of two words in normal form; ``alone``: of one emitter."""
    if not left or not right:
        return {left + right: 1.0}
    if alone:
        (a, b), (c, d) = levels_of(left), levels_of(right)
        return {letter(a, d): 1.0} if b == c else {}
    return dict(_multiply(left, right))


@lru_cache(maxsize=100_000)
def _multiply(left: str, right: str) -> tuple[tuple[str, complex], ...]:
    out: Combination = {left: 1.0}
    for x in right:
        longer: Combination = {}
        for word, c in out.items():
            for product, d in _append(word, x):
                longer[product] = longer.get(product, 0) + c * d
        out = longer
    return tuple((w, c) for w, c in out.items() if c != 0)


@lru_cache(maxsize=100_000)
def _append(word: str, x: str) -> tuple[tuple[str, complex], ...]:
    """A word in normal form times one letter."""
    if not word or word[-1] <= x:
        return ((word + x, 1.0),)
    head, last = word[:-1], word[-1]
    # head last x = (head x) last + head [last, x]
    out: Combination = {}
    for w, c in _append(head, x):
        for v, d in _append(w, last):
            out[v] = out.get(v, 0) + c * d
    for z, sign in commutator(last, x):
        for w, c in _append(head, z):
            out[w] = out.get(w, 0) + c * sign
    return tuple((w, c) for w, c in out.items() if c != 0)


def adjoint(word: str) -> Combination:
    """Hermitian adjoint of a word in normal form."""
    out: Combination = {"": 1.0}
    for x in reversed(word):
        a, b = levels_of(x)
        longer: Combination = {}
        for w, c in out.items():
            for v, d in _append(w, letter(b, a)):
                longer[v] = longer.get(v, 0) + c * d
        out = longer
    return {w: c for w, c in out.items() if c != 0}
