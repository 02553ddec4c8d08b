"""Polynomials in the real classical variables of a phase-space system.

A polynomial maps (time coefficients, sorted leaves) to a number. Leaves are variables of single
subsystems, variables of "this member" of an array, sums over an array (forms) and coupling sums
over pairs of members (pairs); the last two are named by their index in the system that owns them.
Explicit equations also use numbers that differ between members, sums over the other members, and
square roots of polynomials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef


class Var(NamedTuple):
    """Component ``comp`` of the single subsystem in block ``block`` (x, y, z or Re a, Im a)."""

    block: int
    comp: int
    tag: str = "var"


class Member(NamedTuple):
    """Component ``comp`` of the current member of array block ``block``."""

    block: int
    comp: int
    tag: str = "member"


class Form(NamedTuple):
    """The weighted sum number ``index`` of the system."""

    index: int  # type: ignore[assignment]
    tag: str = "form"


class Pair(NamedTuple):
    """The coupling sum number ``index`` of the system."""

    index: int  # type: ignore[assignment]
    tag: str = "pair"


class Number(NamedTuple):
    """The number of this member in ``system.numbers[index]``."""

    index: int  # type: ignore[assignment]
    tag: str = "number"


class Coupled(NamedTuple):
    """The sum over other members ``system.coupled[index]``, at this member."""

    index: int  # type: ignore[assignment]
    tag: str = "coupled"


class Aux(NamedTuple):
    """The root number ``index`` of the explicit equations of block ``block``."""

    block: int
    index: int  # type: ignore[assignment]
    tag: str = "aux"


class Record(NamedTuple):
    """The record number ``index`` of the output fields, see ``kernels.records``."""

    index: int  # type: ignore[assignment]
    tag: str = "record"


class TimePart(NamedTuple):
    """Real ("r") or imaginary ("i") part of a time coefficient."""

    coef: Coef
    part: str

    def average(
        self, starts: NDArray[np.float64], lengths: NDArray[np.float64], panels: int
    ) -> NDArray[np.float64]:
        """Averages over steps, see ``Coef.average``."""
        mean = self.coef.average(starts, lengths, panels)
        return np.asarray(mean.real if self.part == "r" else mean.imag, float)


Leaf = Var | Member | Form | Pair | Number | Coupled | Aux | Record
Times = tuple[TimePart, ...]
Monomial = tuple[Times, tuple[Leaf, ...]]
Terms = dict[Monomial, complex]


def _leaf_key(leaf: Leaf) -> tuple[str, tuple[int, ...]]:
    return leaf.tag, tuple(leaf[:-1])  # type: ignore[arg-type]


def _product(X: Terms, Y: Terms) -> Terms:
    out: Terms = {}
    for (t1, l1), c1 in X.items():
        for (t2, l2), c2 in Y.items():
            times = tuple(sorted(t1 + t2, key=lambda c: (c.coef.order, c.part)))
            key = times, tuple(sorted(l1 + l2, key=_leaf_key))
            out[key] = out.get(key, 0) + c1 * c2
    return out


class Poly:
    """A polynomial with complex coefficients; immutable in use."""

    def __init__(self, terms: Mapping[Monomial, complex] | None = None):
        self.terms: Terms = {k: complex(c) for k, c in (terms or {}).items() if c != 0}

    @staticmethod
    def leaf(leaf: Leaf, coefficient: complex = 1.0) -> Poly:
        """One leaf times a number."""
        return Poly({((), (leaf,)): coefficient})

    @staticmethod
    def constant(value: complex) -> Poly:
        """A number."""
        return Poly({((), ()): value})

    def __add__(self, other: Poly) -> Poly:
        out = dict(self.terms)
        for k, c in other.terms.items():
            out[k] = out.get(k, 0) + c
        return Poly(out)

    def __sub__(self, other: Poly) -> Poly:
        return self + other * -1

    def __mul__(self, other: Poly | complex) -> Poly:
        if not isinstance(other, Poly):
            return Poly({k: c * other for k, c in self.terms.items()})
        return Poly(_product(self.terms, other.terms))

    @cached_property
    def leaves(self) -> list[Leaf]:
        """Every leaf, sorted."""
        return sorted({leaf for _, leaves in self.terms for leaf in leaves}, key=_leaf_key)

    @cached_property
    def coefficients(self) -> frozenset[Coef]:
        """Every time-dependent coefficient."""
        return frozenset(c.coef for times, _ in self.terms for c in times)

    def real(self) -> Poly:
        """Real part."""
        return Poly({k: c.real for k, c in self.terms.items()})

    def imag(self) -> Poly:
        """Imaginary part."""
        return Poly({k: c.imag for k, c in self.terms.items()})

    def conj(self) -> Poly:
        """Complex conjugate: leaves and parts of coefficients are real."""
        return Poly({k: c.conjugate() for k, c in self.terms.items()})

    def varying(self) -> Poly:
        """Without its constant: one that vanishes in some models only makes kernels differ."""
        return Poly({k: c for k, c in self.terms.items() if k[1]})

    def derivative(self, leaf: Leaf) -> Poly:
        """Partial derivative with respect to a leaf."""
        out: Terms = {}
        for (times, leaves), c in self.terms.items():
            n = leaves.count(leaf)
            if n:
                i = leaves.index(leaf)
                key = times, leaves[:i] + leaves[i + 1 :]
                out[key] = out.get(key, 0) + n * c
        return Poly(out)

    def gradient(self) -> dict[Leaf, Poly]:
        """The partial derivatives with respect to all of its leaves."""
        out: dict[Leaf, dict[Monomial, complex]] = {}
        for (times, leaves), c in self.terms.items():
            for i, leaf in enumerate(leaves):
                terms, key = out.setdefault(leaf, {}), (times, leaves[:i] + leaves[i + 1 :])
                terms[key] = terms.get(key, 0) + c
        return {leaf: Poly(terms) for leaf, terms in out.items()}

    @cached_property
    def sorted_terms(self) -> list[tuple[Times, tuple[Leaf, ...], complex]]:
        """Terms in an order that depends on the structure only."""
        keys = sorted(
            self.terms,
            key=lambda k: (
                len(k[1]),
                [_leaf_key(leaf) for leaf in k[1]],
                len(k[0]),
                [(t.coef.order, t.part) for t in k[0]],
            ),
        )
        return [(t, leaves, self.terms[t, leaves]) for t, leaves in keys]

    def clean(self, tolerance: float = 1e-14) -> Poly:
        """Drop coefficients that rounding left behind."""
        scale = max((abs(c) for c in self.terms.values()), default=0.0)
        return Poly({k: c for k, c in self.terms.items() if abs(c) > tolerance * scale})

    def __bool__(self) -> bool:
        return bool(self.terms)


def expanded(sums: Iterable[Iterable[tuple[tuple[Any, ...], Any]]]) -> dict[Any, Any]:
    """A product of sums of (sorted key, coefficient) pairs, written out by the joint sorted key."""
    out: dict[Any, Any] = {(): 1.0}
    for pieces in sums:
        longer: dict[Any, Any] = {}
        pairs = list(pieces)
        for key, c in out.items():
            for more, d in pairs:
                joint = tuple(sorted(key + more))
                longer[joint] = longer.get(joint, 0) + c * d
        out = longer
    return out


def poly_sum(parts: Iterable[Poly]) -> Poly:
    """Sum of polynomials."""
    out: Terms = {}
    for part in parts:
        for k, c in part.terms.items():
            out[k] = out.get(k, 0) + c
    return Poly(out)


def sum_of_products(parts: Iterable[tuple[complex, Iterable[Terms]]]) -> Poly:
    """sum_k c_k prod_j p_kj of the terms of polynomials, without what rounding leaves."""
    out, one = Terms(), Terms({((), ()): 1.0})
    for c, factors in parts:
        for k, d in reduce(_product, factors, one).items():
            out[k] = out.get(k, 0) + d * c
    return Poly(out).clean()
