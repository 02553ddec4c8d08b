"""Single-site operator words and their exact normal forms.

A word is a string of letters acting on one member of one subsystem:

- ``"ensemble"`` and ``"collective"`` (angular momentum): letters ``x y z`` for J_x, J_y, J_z,
  sorted x <= y <= z (Poincare-Birkhoff-Witt order) with [J_a, J_b] = i eps_abc J_c;
- ``"spin"`` (one spin-1/2): at most one letter ``x y z``, a Pauli matrix;
- ``"levels"`` and ``"level"`` (one emitter): see ``level_words``;
- ``"mode"``: letters ``d`` (a^+) and ``a``, normal order, [a, a^+] = 1.

The empty word is the identity.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb, factorial

from . import level_words

Combination = dict[str, complex]

ANGULAR = ("ensemble", "collective")
LEVELS = ("levels", "level")
_EPS = {"xy": "z", "yz": "x", "zx": "y", "yx": "-z", "zy": "-x", "xz": "-y"}


def _cross(first: str, second: str) -> tuple[str, complex]:
    """J_a J_b - J_b J_a (or sigma_a sigma_b) for two different letters: a letter and its factor."""
    third = _EPS[first + second]
    return third[-1], -1j if third[0] == "-" else 1j


def multiply(kind: str, left: str, right: str) -> Combination:
    """Product of two words in normal form."""
    if not left or not right:
        return {left + right: 1.0}
    if kind in LEVELS:
        return level_words.multiply(left, right, kind == "level")
    return dict(_multiply(kind, left, right))


@lru_cache(maxsize=100_000)
def _multiply(kind: str, left: str, right: str) -> tuple[tuple[str, complex], ...]:
    if kind == "mode":
        return _multiply_mode(left, right)
    out: Combination = {left: 1.0}
    for letter in right:
        longer: Combination = {}
        for word, c in out.items():
            for product, d in _append(kind, word, letter):
                longer[product] = longer.get(product, 0) + c * d
        out = longer
    return tuple((w, c) for w, c in out.items() if c != 0)


@lru_cache(maxsize=100_000)
def _append(kind: str, word: str, letter: str) -> tuple[tuple[str, complex], ...]:
    """A word in normal form times one letter."""
    if not word or (kind != "spin" and word[-1] <= letter):
        return ((word + letter, 1.0),)
    head, last = word[:-1], word[-1]
    if kind == "spin":
        return (("", 1.0),) if last == letter else (_cross(last, letter),)
    # head last letter = (head letter) last + head [last, letter]
    third, c3 = _cross(last, letter)
    out: Combination = {}
    for w, c in _append(kind, head, letter):
        for v, d in _append(kind, w, last):
            out[v] = out.get(v, 0) + c * d
    for w, c in _append(kind, head, third):
        out[w] = out.get(w, 0) + c * c3
    return tuple((w, c) for w, c in out.items() if c != 0)


def _multiply_mode(left: str, right: str) -> tuple[tuple[str, complex], ...]:
    """d^p a^q d^r a^s = sum_k k! C(q, k) C(r, k) d^(p+r-k) a^(q+s-k)."""
    p, q = left.count("d"), left.count("a")
    r, s = right.count("d"), right.count("a")
    return tuple(
        ("d" * (p + r - k) + "a" * (q + s - k), complex(factorial(k) * comb(q, k) * comb(r, k)))
        for k in range(min(q, r) + 1)
    )


def adjoint(kind: str, word: str) -> Combination:
    """Hermitian adjoint of a word in normal form."""
    if kind == "mode":
        return {"d" * word.count("a") + "a" * word.count("d"): 1.0}
    if kind in LEVELS:
        return level_words.adjoint(word)
    out: Combination = {"": 1.0}
    for letter in reversed(word):
        longer: Combination = {}
        for w, c in out.items():
            for product, d in _append(kind, w, letter):
                longer[product] = longer.get(product, 0) + c * d
        out = longer
    return {w: c for w, c in out.items() if c != 0}
