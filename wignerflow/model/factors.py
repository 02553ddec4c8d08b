"""What a product of operators is made of: a word on one site, a sum over an array, a coupling.

Every factor is immutable and carries a ``key`` that identifies and orders it. Weights are real; a
complex weight is the sum of two nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .coefficients import Coef
from .couplings import Coupling

if TYPE_CHECKING:
    from .subsystems import Subsystem

Real = NDArray[np.float64]
MemberWord = tuple[tuple["Subsystem", str], ...]
"""One word per subsystem, on the same member of each; sorted by subsystem."""


class Site:
    """A word on member ``m`` of a subsystem."""

    __slots__ = ("key", "m", "sub", "word")

    def __init__(self, sub: Subsystem, m: int, word: str):
        self.sub, self.m, self.word = sub, m, word
        self.key: tuple[Any, ...] = (0, (sub.order,), m, word)

    @property
    def subs(self) -> frozenset[Subsystem]:
        """The subsystem, as a set."""
        return frozenset((self.sub,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Site) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class SumNode:
    """sum_m w_m * word_m with real weights w, shape (M,)."""

    __slots__ = ("key", "weights", "word")

    def __init__(self, word: MemberWord, weights: Real):
        self.word, self.weights = word, weights
        self.key: tuple[Any, ...] = (1, *_side(word, weights))

    @property
    def subs(self) -> frozenset[Subsystem]:
        """The arrays it sums over."""
        return frozenset(s for s, _ in self.word)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SumNode) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class CoupleNode:
    """sum_{m != m'} u_m K_mm' v_m' left_m right_m' with real K, u, v (u, v None when all one)."""

    __slots__ = ("coupling", "key", "left", "right", "u", "v")

    def __init__(
        self,
        left: MemberWord,
        coupling: Coupling,
        right: MemberWord,
        u: Real | None = None,
        v: Real | None = None,
    ):
        if _side(left, u) > _side(right, v):
            left, right, u, v, coupling = right, left, v, u, coupling.transpose()
        self.left, self.coupling, self.right, self.u, self.v = left, coupling, right, u, v
        self.key: tuple[Any, ...] = (2, _side(left, u), coupling.key, _side(right, v))

    @property
    def subs(self) -> frozenset[Subsystem]:
        """The arrays it couples."""
        return frozenset(s for s, _ in self.left + self.right)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CoupleNode) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


Factor = Site | SumNode | CoupleNode
Factors = tuple[Factor, ...]
Key = tuple[tuple[Coef, ...], Factors]


def _side(word: MemberWord, weights: Real | None) -> tuple[Any, ...]:
    return (
        tuple(s.order for s, _ in word),
        tuple(w for _, w in word),
        b"" if weights is None else weights.tobytes(),
    )


def array_size(word: MemberWord) -> int:
    """Number of members of the arrays in a member word."""
    return int(word[0][0].size)
