"""Single-site operator words and their exact normal forms: one ``Algebra`` per set of rules.

A word is a string of letters acting on one member of one subsystem:

- ``ANGULAR`` momentum: letters ``x y z`` for J_x, J_y, J_z, sorted x <= y <= z
  (Poincare-Birkhoff-Witt order) with [J_a, J_b] = i eps_abc J_c;
- ``PAULI`` (one spin-1/2): at most one letter ``x y z``, a Pauli matrix;
- ``LEVELS``, of emitters with levels: letters for X_ab = sum_n |a><b|_n, sorted, with
  [X_ab, X_cd] = delta_bc X_ad - delta_ad X_cb; ``LEVEL``, of one emitter alone: one letter at most,
  X_ab X_cd = delta_bc X_ad;
- ``BOSON``: letters ``d`` (a^+) and ``a``, normal order, [a, a^+] = 1.

The empty word is the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from math import comb, factorial

MOST = 8  # levels


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


def _multiply_alone(left: str, right: str) -> Combination:
    """Of one emitter: |a><b|c><d|."""
    if not left or not right:
        return {left + right: 1.0}
    (a, b), (c, d) = levels_of(left), levels_of(right)
    return {letter(a, d): 1.0} if b == c else {}


@lru_cache(maxsize=100_000)
def _append_level(word: str, x: str) -> Pieces:
    if not word or word[-1] <= x:
        return ((word + x, 1.0),)
    return _swapped(_append_level, word, x, commutator(word[-1], x))


def _adjoint_levels(word: str) -> Combination:
    turned = "".join(letter(b, a) for a, b in map(levels_of, reversed(word)))
    return chained(_append_level, "", turned)


Combination = dict[str, complex]
Pieces = tuple[tuple[str, complex], ...]

_EPS = {"xy": "z", "yz": "x", "zx": "y", "yx": "-z", "zy": "-x", "xz": "-y"}


@dataclass(frozen=True, eq=False)
class Algebra:
    """Rules for words in normal form.

    Attributes:
        name: of the rules.
        multiply: product of two words, not to be changed.
        adjoint: Hermitian adjoint of a word, likewise.
        ladder: letters in terms of raising and lowering ones, for printing; empty without them.
    """

    name: str
    multiply: Callable[[str, str], Mapping[str, complex]]
    adjoint: Callable[[str], Mapping[str, complex]]
    ladder: Mapping[str, Pieces] = field(default_factory=dict)


def _cross(first: str, second: str) -> tuple[str, complex]:
    """J_a J_b - J_b J_a (or sigma_a sigma_b) for two different letters: a letter and its factor."""
    third = _EPS[first + second]
    return third[-1], -1j if third[0] == "-" else 1j


Append = Callable[[str, str], Pieces]


def chained(append: Append, left: str, right: str) -> Combination:
    """A word times the letters of another, one by one."""
    out: Combination = {left: 1.0}
    for letter in right:
        longer: Combination = {}
        for word, c in out.items():
            for product, d in append(word, letter):
                longer[product] = longer.get(product, 0) + c * d
        out = longer
    return {w: c for w, c in out.items() if c != 0}


@lru_cache(maxsize=100_000)
def _append_angular(word: str, letter: str) -> Pieces:
    """A word in normal form times one letter."""
    if not word or word[-1] <= letter:
        return ((word + letter, 1.0),)
    return _swapped(_append_angular, word, letter, (_cross(word[-1], letter),))


def _swapped(append: Append, word: str, letter: str, commutator: Pieces) -> Pieces:
    """head last letter = (head letter) last + head [last, letter]."""
    head, last = word[:-1], word[-1]
    out: Combination = {}
    for w, c in append(head, letter):
        for v, d in append(w, last):
            out[v] = out.get(v, 0) + c * d
    for third, factor in commutator:
        for w, c in append(head, third):
            out[w] = out.get(w, 0) + c * factor
    return tuple((w, c) for w, c in out.items() if c != 0)


def _append_pauli(word: str, letter: str) -> Pieces:
    if not word:
        return ((letter, 1.0),)
    return (("", 1.0),) if word == letter else (_cross(word, letter),)


def _multiply_boson(left: str, right: str) -> Combination:
    """d^p a^q d^r a^s = sum_k k! C(q, k) C(r, k) d^(p+r-k) a^(q+s-k)."""
    p, q = left.count("d"), left.count("a")
    r, s = right.count("d"), right.count("a")
    return {
        "d" * (p + r - k) + "a" * (q + s - k): complex(factorial(k) * comb(q, k) * comb(r, k))
        for k in range(min(q, r) + 1)
    }


def _adjoint_boson(word: str) -> Combination:
    return {"d" * word.count("a") + "a" * word.count("d"): 1.0}


#: Of results that are looked up the next time.
_kept = lru_cache(maxsize=100_000)

_HALF: dict[str, Pieces] = {
    "x": (("+", 0.5), ("-", 0.5)),
    "y": (("+", -0.5j), ("-", 0.5j)),
    "z": (("z", 1),),
}
_WHOLE: dict[str, Pieces] = {
    "x": (("+", 1), ("-", 1)),
    "y": (("+", -1j), ("-", 1j)),
    "z": (("z", 1),),
}


def _lettered(name: str, append: Append, ladder: Mapping[str, Pieces]) -> Algebra:
    """Rules where letters are Hermitian."""
    product = partial(chained, append)
    return Algebra(name, _kept(product), _kept(lambda w: chained(append, "", w[::-1])), ladder)


ANGULAR = _lettered("angular momentum", _append_angular, _HALF)
PAULI = _lettered("Pauli matrices", _append_pauli, _WHOLE)
BOSON = Algebra("boson", _kept(_multiply_boson), _kept(_adjoint_boson))
LEVELS = Algebra("levels", _kept(partial(chained, _append_level)), _kept(_adjoint_levels))
LEVEL = Algebra("one emitter", _kept(_multiply_alone), _kept(_adjoint_levels))
