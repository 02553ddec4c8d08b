"""The steps of a run, and its outputs: a step may be longer than the time between two.

Means are smooth functions of time. Where steps are longer than the gaps between outputs, a run
records after every step, and outputs are read from a quintic spline through the recorded means;
variances likewise. All of it is linear in the sums, so batches and jackknives keep their meaning.
The error of the spline falls as the sixth power of the step, and the pilot that chooses the step
compares interpolated means, so it is part of the step's error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .. import _check

MAX_STEPS = 50_000_000  # of a run: their times take a gigabyte
PANELS, MAX_PANELS = 1024, 8  # of all steps and of one, in which time coefficients are averaged
DEGREE = 5
LEAST = 12  # records from which outputs are interpolated
SHARE = 0.75  # of the steps that outputs would force: more are not worth it


@dataclass
class Grid:
    """The step grid of a run: step counts and lengths per output interval.

    Attributes:
        nsteps: steps of every interval.
        hs: their lengths.
        times: where every step starts.
        lengths: of every step.
        records: where output intervals begin, and where the last one ends.
        panels: in how many of them time coefficients are averaged over a step: more over a few.
    """

    nsteps: NDArray[np.int64]
    hs: NDArray[np.float64]
    times: NDArray[np.float64]
    lengths: NDArray[np.float64]
    records: NDArray[np.float64] = field(init=False)
    panels: int = field(init=False)

    def __post_init__(self) -> None:
        first = np.cumsum([0, *self.nsteps[:-1]])
        self.records = np.append(self.times[first], self.times[-1] + self.lengths[-1])
        self.panels = max(1, min(MAX_PANELS, PANELS // max(1, self.times.size)))

    @staticmethod
    def count(tlist: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
        """Steps per output interval, as whole floats: there may be too many for an integer."""
        with np.errstate(over="ignore"):
            return np.maximum(1, np.ceil(np.diff(tlist) / dt - 1e-9))

    @staticmethod
    def checked(tlist: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
        """Steps per output interval.

        Raises:
            ValueError: there are more than ``MAX_STEPS`` steps.
        """
        count = Grid.count(tlist, dt)
        if count.sum() > MAX_STEPS:
            shortest = float(tlist[-1] - tlist[0]) / MAX_STEPS
            _check.fail(
                "dt",
                f"be at least {shortest:.2g} for these times, which makes {MAX_STEPS:.0e} steps",
                dt,
            )
        return count

    @staticmethod
    def make(tlist: NDArray[np.float64], dt: float) -> Grid:
        """Largest step ``dt``; outputs fall exactly on ``tlist``.

        Raises:
            ValueError: there are more than ``MAX_STEPS`` steps.
        """
        count = Grid.checked(tlist, dt)
        gaps, nsteps = np.diff(tlist), count.astype(np.int64)
        hs = gaps / nsteps
        starts = [t + h * np.arange(n) for t, h, n in zip(tlist[:-1], hs, nsteps, strict=True)]
        return Grid(nsteps, hs, np.concatenate(starts), np.repeat(hs, nsteps))


def distinct(lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Lengths that differ by more than the rounding of output times, and which is which."""
    logarithm, rows = np.unique(np.round(np.log(lengths), 12), return_inverse=True)
    return np.exp(logarithm), np.asarray(rows, np.int64)


def spline(nodes: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of values at ``nodes`` in their not-a-knot spline at ``times``, (T, R).

    What SciPy's ``make_interp_spline`` gives, whose import takes longer than a short run. The
    matrix of a spline basis at its nodes is banded and totally positive: no pivots are needed (de
    Boor, A Practical Guide to Splines, chapter 13).
    """
    half = (DEGREE + 1) // 2
    ends = [np.repeat(x, DEGREE + 1) for x in (nodes[0], nodes[-1])]
    knots = np.concatenate([ends[0], nodes[half:-half], ends[1]])
    matrix, out = _basis(knots, nodes).T, _basis(knots, times).T
    size = nodes.size
    for k in range(size):
        below = slice(k + 1, k + DEGREE + 1)
        factor = matrix[below, k] / matrix[k, k]
        matrix[below, k : k + DEGREE + 1] -= np.outer(factor, matrix[k, k : k + DEGREE + 1])
        out[below] -= np.outer(factor, out[k])
    for k in reversed(range(size)):
        out[k] -= matrix[k, k + 1 : k + DEGREE + 1] @ out[k + 1 : k + DEGREE + 1]
        out[k] /= matrix[k, k]
    return np.ascontiguousarray(out.T)


def _basis(knots: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The B-splines of some knots at points x, (x, splines), by Cox and de Boor's recursion."""
    size = knots.size - DEGREE - 1
    place = np.searchsorted(knots, x, side="right").clip(DEGREE + 1, size) - 1
    one = np.zeros((DEGREE + 1, x.size))  # the splines that are not zero between two knots
    one[0] = 1.0
    for d in range(1, DEGREE + 1):
        rest = np.zeros(x.size)
        for r in range(d):
            left, right = knots[place + r + 1 - d], knots[place + r + 1]
            part = one[r] / (right - left)
            one[r] = rest + (right - x) * part
            rest = (x - left) * part
        one[d] = rest
    out = np.zeros((x.size, size))
    for r in range(DEGREE + 1):
        out[np.arange(x.size), place - DEGREE + r] = one[r]
    return out


@dataclass(frozen=True)
class Schedule:
    """Outputs at ``times`` from records at ``nodes``, the ends of so many even ``steps``.

    Where outputs fall on steps, both are the same, and ``steps`` is 0.
    """

    times: NDArray[np.float64]
    nodes: NDArray[np.float64]
    steps: int = 0

    @staticmethod
    def make(times: NDArray[np.float64], dt: float, free: bool) -> Schedule:
        """Records for steps of at most ``dt``; ``free``: steps need not end at outputs."""
        if free:
            span = float(times[-1] - times[0])
            steps = np.ceil(span / dt - 1e-9)
            if LEAST <= steps <= SHARE * np.sum(Grid.count(times, dt)):
                return Schedule.of(times, int(steps))
        return Schedule(times, times)

    @staticmethod
    def of(times: NDArray[np.float64], steps: int) -> Schedule:
        """So many even steps, with a record after each; 0: outputs fall on steps."""
        if not steps:
            return Schedule(times, times)
        return Schedule(times, np.linspace(times[0], times[-1], steps + 1), steps)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Of the records in the outputs, (T, R)."""
        return spline(self.nodes, self.times)

    def read(self, records: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        """Outputs from records along an axis."""
        if not self.steps:
            return records
        out = np.tensordot(self.weights, np.moveaxis(records, axis, 0), 1)
        return np.moveaxis(out, 0, axis)
