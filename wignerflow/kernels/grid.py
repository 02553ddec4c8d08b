"""The step grid of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .. import _check

MAX_STEPS = 50_000_000  # of a run: their times take a gigabyte
PANELS, MAX_PANELS = 1024, 8  # of all steps and of one, in which time coefficients are averaged


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
