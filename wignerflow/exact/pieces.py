"""Functions of time: values of products of coefficients, and piecewise polynomials.

Runs of wave functions take Taylor steps, and a step needs the Taylor series of every coefficient.
Intervals are halved until all of them are polynomials of degree eight to within 1e-10 of their
largest values, nearly as accurate as rounding allows; a jump of a coefficient ends up in a piece of
1e-12 of the whole time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.coefficients import Coef
from ..model.model import Model

Array = NDArray[np.float64]
Function = Callable[[Array], NDArray[np.complex128]]

DEGREE = 8
EXACT = 1e-10  # of the largest value of a function
SMALLEST = 1e-12  # piece, of the whole time
MOST = 20_000  # pieces between nodes
LOOKS = 1024  # places at which an interval as long as the whole is looked at
FEWEST = 17  # and any other
STRAIGHT = 1e-13  # of the largest value: a function this near to a straight line is one

_NODES = (1 - np.cos(np.pi * np.arange(DEGREE + 1) / DEGREE)) / 2
_FIT = np.linalg.inv(np.vander(_NODES, increasing=True))


class Factors:
    """Values of products, in their order; an empty one is one."""

    def __init__(self, products: Iterable[tuple[Coef, ...]]):
        places: dict[Coef, int] = {}
        self._products = [[places.setdefault(c, len(places)) for c in p] for p in products]
        self._coefs = list(places)

    def __call__(self, t: float) -> list[complex]:
        values = [complex(c(t)) for c in self._coefs]
        return [math.prod((values[i] for i in p), start=1 + 0j) for p in self._products]


class RealFactors:
    """As :class:`Factors` for (product, whether its imaginary part counts): real numbers."""

    def __init__(self, groups: Sequence[tuple[tuple[Coef, ...], bool]]):
        self._factors = Factors(times for times, _ in groups)
        self._imaginary = np.array([imaginary for _, imaginary in groups], bool)

    def __call__(self, t: float) -> NDArray[np.float64]:
        values = np.array(self._factors(t), complex)
        return np.where(self._imaginary, values.imag, values.real)


@dataclass
class Pieces:
    """Polynomials c[f, p, k] ((t - edges[p]) / (edges[p + 1] - edges[p]))^k of functions f."""

    edges: Array
    c: NDArray[np.complex128]
    degree: NDArray[np.int64]  # (F, P)

    @property
    def bound(self) -> Array:
        """What no absolute value exceeds, (F, P)."""
        return np.asarray(np.abs(self.c).sum(axis=2))

    @property
    def arguments(self) -> tuple[NDArray[Any], ...]:
        """In the order of compiled code."""
        return self.edges, self.c, self.degree, self.bound


@dataclass(frozen=True)
class Product:
    """The function of time f(t) = prod c(t) rate(t)."""

    coefficients: tuple[Coef, ...] = ()
    rate: Coef | None = None

    def __call__(self, t: Array) -> NDArray[np.complex128]:
        out = np.ones(np.shape(t), complex)
        for c in self.coefficients:
            out = out * c(t)
        return out if self.rate is None else np.asarray(out * self.rate.rates(t), complex)

    @staticmethod
    def of(right: Sequence[Coef], left: Sequence[Coef] = (), rate: Any = None) -> Product:
        """prod c(t) prod c'(t)^* rate(t), with ``left`` the c'."""
        both = sorted([*right, *(c.conj() for c in left)], key=lambda c: c.order)
        return Product(tuple(both), rate if isinstance(rate, Coef) else None)


def breaks(model: Model, begin: float, end: float) -> Array:
    """Times between begin and end at which sampled coefficients have corners.

    A callable may name its own by a method ``corners(begin, end)``.
    """
    rates = [r for _, r in model.channels()] + [c.rate for c in model.local_channels()]
    every = [*model.coefficients, *(r for r in rates if isinstance(r, Coef))]
    found = [c.times for c in every if c.times is not None]
    named = [getattr(c.function, "corners", None) for c in every]
    found += [corners_of(begin, end) for corners_of in named if corners_of is not None]
    corners = np.unique(np.concatenate(found)) if found else np.zeros(0)
    return corners[(corners > begin) & (corners < end)]


def fit(functions: Sequence[Function], nodes: Array) -> Pieces:
    """Functions on [nodes[0], nodes[-1]]; ``nodes``: where pieces end in any case."""
    begin, end = float(nodes[0]), float(nodes[-1])
    span = end - begin
    todo = [(float(a), float(b)) for a, b in itertools.pairwise(nodes)][::-1]
    largest = np.array([np.abs(f(np.linspace(begin, end, LOOKS + 1))).max() for f in functions])
    edges, rows = [begin], list[NDArray[np.complex128]]()
    while todo:
        if len(rows) + len(todo) > nodes.size + MOST:
            must = f"be smooth on {MOST} pieces of the time at most, for this method"
            hint = "Give samples instead: `wf.coef(values, times)`."
            was = _check.Note(f"one that is not, near t = {todo[-1][0]:.4g}")
            _check.fail("function", must, was, hint)
        a, b = todo.pop()
        width = b - a
        looks = max(FEWEST, int(np.ceil(LOOKS * width / span)))
        at = (np.arange(looks) + 0.5) / looks
        # the last node belongs to the piece, even where a function jumps at its end
        places = np.concatenate([_NODES, at])
        values = np.array([f(a + width * places) for f in functions])
        own, check = values[:, : DEGREE + 1], values[:, DEGREE + 1 :]
        c = own @ _FIT.T
        found = c @ np.vander(at, DEGREE + 1, increasing=True).T
        largest = np.maximum(largest, np.abs(values).max(axis=1))
        good = np.all(np.abs(found - check) <= EXACT * largest[:, None])
        if good or width <= SMALLEST * span:
            edges.append(b)
            line = values[:, :1] + (values[:, DEGREE, None] - values[:, :1]) * places
            flat = np.all(np.abs(values - line) <= STRAIGHT * largest[:, None], axis=1)
            c[flat, 1:] = 0
            c[flat, 1] = values[flat, DEGREE] - values[flat, 0]
            level = np.abs(c[:, 1]) <= STRAIGHT * largest
            c[flat & level, 1] = 0
            rows.append(c)
        else:
            middle = a + width / 2
            todo += [(middle, b), (a, middle)]
    c = np.array(rows).swapaxes(0, 1) if rows else np.zeros((len(functions), 0, DEGREE + 1))
    c = np.ascontiguousarray(c, complex)
    kept = c != 0
    degree = np.where(kept.any(axis=2), DEGREE - kept[:, :, ::-1].argmax(axis=2), 0)
    return Pieces(np.array(edges), c, degree.astype(np.int64))


def constant(begin: float, end: float, values: Sequence[complex]) -> Pieces:
    """Functions that do not change, in one piece."""
    c = np.zeros((len(values), 1, DEGREE + 1), complex)
    c[:, 0, 0] = values
    return Pieces(np.array([begin, end]), c, np.zeros((len(values), 1), np.int64))
