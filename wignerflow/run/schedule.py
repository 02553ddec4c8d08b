"""When a run records, and how its outputs follow: a step may be longer than the time between two.

Means are smooth functions of time. Where steps are longer than the gaps between outputs, a run
records after every step, and outputs are read from a quintic spline through the recorded means;
variances likewise. All of it is linear in the sums, so batches and jackknives keep their meaning.
The error of the spline falls as the sixth power of the step, and the pilot that chooses the step
compares interpolated means, so it is part of the step's error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..kernels.grid import Grid
from .statistics import Samples

DEGREE = 5
LEAST = 12  # records from which outputs are interpolated
SHARE = 0.75  # of the steps that outputs would force: more are not worth it


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

    def outputs(self, samples: Samples) -> Samples:
        """Sums at the outputs from sums at the records."""
        if not self.steps:
            return samples
        after = np.searchsorted(self.nodes, self.times).clip(max=self.nodes.size - 1)
        count, groups = samples.count[after], samples.batch_count[after]
        square = self.read(samples.m2 / np.maximum(samples.count, 1)[:, None], 0)
        each = samples.batch_sum / np.maximum(samples.batch_count, 1)[:, :, None]
        return replace(
            samples,
            count=count,
            mean=self.read(samples.mean, 0),
            m2=np.maximum(square, 0.0) * count[:, None],
            batch_count=groups,
            batch_sum=self.read(each, 0) * groups[:, :, None],
        )
