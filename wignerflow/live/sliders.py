"""Sliders, and arrays as smooth functions of where they stand.

An array is computed at Chebyshev nodes of every slider and interpolated between them; the page does
the same. How well that serves is measured at points in between.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check

COUNTS = (3, 5, 9, 17, 33)  # nodes of one slider
MOST = 3000  # nodes of all sliders together
DECADES = 20.0  # ends further apart than this factor: the slider is logarithmic
POINTS = 12  # where the interpolation is checked
Point = dict[str, float]


class Rough(ValueError):
    """An array is no smooth function of a slider."""


@dataclass(frozen=True)
class Slider:
    """A parameter that the reader moves: its range, where it stands first, and whether by integers.

    Positions u run from -1 to 1, linear in the value or in its logarithm.
    """

    name: str
    low: float
    high: float
    value: float
    log: bool
    whole: bool

    @staticmethod
    def of(name: str, entry: Any, whole: bool = False) -> Slider:
        """A slider from (low, high) or (low, high, first value).

        Raises:
            ValueError, TypeError: it is no such tuple, or its numbers are not in order.
        """
        place = f"sliders[{name!r}]"
        if not isinstance(entry, (tuple, list)) or len(entry) not in (2, 3):
            must = "be (low, high) or (low, high, first value)"
            _check.fail(place, must, entry, kind=TypeError)
        low, high, *rest = (_check.real(place, x) for x in entry)
        if not low < high:
            _check.fail(place, "have its low end below its high end", entry)
        log = low > 0 and high / low >= DECADES
        middle = math.sqrt(low * high) if log else (low + high) / 2
        whole = whole or all(isinstance(x, int) for x in entry)
        value = rest[0] if rest else round(middle) if whole else middle
        if not low <= value <= high:
            _check.fail(place, "have its first value between its ends", entry)
        return Slider(name, low, high, value, log, whole)

    def position(self, value: Any) -> Any:
        """u of a value."""
        low, high, x = self.low, self.high, np.asarray(value, float)
        if self.log:
            low, high, x = math.log(low), math.log(high), np.log(x)
        return (2 * x - low - high) / (high - low)

    def at(self, u: Any) -> Any:
        """The value at u, an integer where the slider goes by those."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        x = (low + high) / 2 + (high - low) / 2 * np.asarray(u, float)
        x = np.clip(np.exp(x) if self.log else x, self.low, self.high)
        return np.round(x) if self.whole else x

    def nodes(self, count: int) -> NDArray[np.float64]:
        """Values of so many nodes, fewer where there are not as many integers."""
        if self.whole and self.high - self.low < count:
            return np.arange(self.low, self.high + 1)
        return np.unique(self.at(-np.cos(np.pi * np.arange(count) / (count - 1))))


def between(
    slider: Slider, nodes: NDArray[np.float64], values: NDArray[np.float64], x: float
) -> NDArray[np.float64]:
    """The polynomial through values at nodes of a slider, along the first axis, at x."""
    through = scipy.interpolate.BarycentricInterpolator(
        slider.position(nodes), values, random_state=0
    )
    return np.asarray(through(slider.position(x)))


@dataclass
class Interpolant:
    """An array as a function of the sliders: values (n_1, ..., n_S, size) at the nodes.

    ``error`` is the largest deviation in units of each entry's largest value, as measured.
    """

    sliders: Sequence[Slider]
    nodes: list[NDArray[np.float64]]
    values: NDArray[np.float64]
    error: float

    def at(self, point: Mapping[str, float]) -> NDArray[np.float64]:
        """The array at a point."""
        out = self.values
        for s, nodes in zip(self.sliders, self.nodes, strict=True):
            out = between(s, nodes, out, point[s.name])
        return out


class _Cached:
    def __init__(self, function: Callable[[Point], NDArray[np.float64]], most: int):
        self.function, self.most = function, most
        self.known: dict[tuple[float, ...], NDArray[np.float64]] = {}

    def __call__(self, point: Point) -> NDArray[np.float64]:
        key = tuple(point.values())
        if key not in self.known:
            if len(self.known) >= self.most:
                raise Rough(f"more than {self.most} positions would have to be computed")
            self.known[key] = self.function(point)
        return self.known[key]


def interpolate(
    sliders: Sequence[Slider],
    function: Callable[[Point], NDArray[np.float64]],
    tolerance: float,
    most: int = MOST,
) -> Interpolant:
    """``function`` of the sliders, with as few nodes as the tolerance allows.

    Args:
        sliders: the parameters; ``function`` takes a dict of their values.
        function: gives an array (size,), the same size everywhere.
        tolerance: accepted deviation in units of each entry's largest value.
        most: evaluations.

    Raises:
        Rough: that needs too many nodes; the slider is named.
    """
    call = _Cached(function, most)
    home = {s.name: s.value for s in sliders}
    nodes = [_nodes(s, home, call, tolerance) for s in sliders]
    total = math.prod(n.size for n in nodes)
    if total + POINTS > most:
        each = ", ".join(f"{s.name} {n.size}" for s, n in zip(sliders, nodes, strict=True))
        raise Rough(f"the sliders need {total} nodes together ({each}), {most} are allowed")
    names = [s.name for s in sliders]
    rows = [call(dict(zip(names, p, strict=True))) for p in itertools.product(*nodes)]
    values = np.reshape(rows, (*(n.size for n in nodes), -1))
    out = Interpolant(sliders, nodes, values, 0.0)
    rng = np.random.default_rng(1)
    scale = np.abs(values).reshape(total, -1).max(axis=0) + 1e-300
    for _ in range(POINTS if sliders else 0):
        point = {s.name: float(s.at(rng.uniform(-1, 1))) for s in sliders}
        off = np.abs(out.at(point) - call(point)) / scale
        out.error = max(out.error, float(off.max(initial=0.0)))
    if out.error > 10 * tolerance:
        raise Rough(
            f"between nodes it is off by {out.error:.1g} of its size, where {tolerance:.1g} is "
            "allowed"
        )
    return out


def _nodes(s: Slider, home: Point, call: _Cached, tolerance: float) -> NDArray[np.float64]:
    """Nodes of one slider while the others stand at home."""
    off = math.inf
    for count in COUNTS:
        nodes = s.nodes(count)
        u = s.position(nodes)
        values = np.array([call(home | {s.name: float(x)}) for x in nodes])
        scale = np.abs(values).max(axis=0) + 1e-300
        middle = np.unique(s.at((u[1:] + u[:-1]) / 2))
        off = 0.0
        for x in middle[:: max(1, middle.size // 4)]:
            gap = np.abs(between(s, nodes, values, x) - call(home | {s.name: float(x)})) / scale
            off = max(off, float(gap.max(initial=0.0)))
        if off <= tolerance:
            return nodes
    raise Rough(
        f"as a function of slider {s.name!r} it is off by {off:.1g} of its size between "
        f"{COUNTS[-1]} nodes, where {tolerance:.1g} is allowed"
    )
