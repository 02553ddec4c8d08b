"""Single-site operator words and their exact normal forms.

A word is a string of letters acting on one member of one subsystem:

- ``"ensemble"`` and ``"collective"`` (angular momentum): letters ``x y z`` for J_x, J_y, J_z, sorted
  x <= y <= z (Poincare-Birkhoff-Witt order) with [J_a, J_b] = i eps_abc J_c;
- ``"spin"`` (one spin-1/2): at most one letter ``x y z``, a Pauli matrix;
- ``"mode"``: letters ``d`` (a^+) and ``a``, normal order, [a, a^+] = 1.

The empty word is the identity.
"""

from __future__ import annotations

from functools import lru_cache

Combination = dict[str, complex]

_EPS = {"xy": ("z", 1), "yz": ("x", 1), "zx": ("y", 1), "yx": ("z", -1), "zy": ("x", -1), "xz": ("y", -1)}
ANGULAR = ("ensemble", "collective")


@lru_cache(maxsize=100_000)
def _ordered(kind: str, letters: str) -> tuple[tuple[str, complex], ...]:
    """Normal form of an arbitrary string of letters."""
    rank = "da" if kind == "mode" else "xyz"
    for i in range(len(letters) - 1):
        first, second = letters[i], letters[i + 1]
        head, tail = letters[:i], letters[i + 2 :]
        pieces: list[tuple[str, complex]]
        if kind == "spin":
            if first == second:
                pieces = [("", 1.0)]
            else:
                third, sign = _EPS[first + second]
                pieces = [(third, 1j * sign)]
        elif rank.index(first) <= rank.index(second):
            continue
        elif kind == "mode":
            pieces = [("da", 1.0), ("", 1.0)]
        else:
            third, sign = _EPS[first + second]
            pieces = [(second + first, 1.0), (third, 1j * sign)]
        out: dict[str, complex] = {}
        for middle, c in pieces:
            for word, d in _ordered(kind, head + middle + tail):
                out[word] = out.get(word, 0) + c * d
        return tuple((w, c) for w, c in out.items() if c != 0)
    return ((letters, 1.0),)


def multiply(kind: str, left: str, right: str) -> Combination:
    """Product of two words in normal form."""
    return dict(_ordered(kind, left + right))


def adjoint(kind: str, word: str) -> Combination:
    """Hermitian adjoint of a word in normal form."""
    letters = word[::-1]
    if kind == "mode":
        letters = letters.translate(str.maketrans("da", "ad"))
    return dict(_ordered(kind, letters))
