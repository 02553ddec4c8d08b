"""Timing on a machine that may be busy: repeats, medians and minima, interleaved ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .report import Entry


class Time(NamedTuple):
    """Wall and processor time of one piece of work (all threads together)."""

    wall: float
    cpu: float

    def __mul__(self, factor: Any) -> Time:  # type: ignore[override]
        return Time(self.wall * factor, self.cpu * factor)


def measure(work: Callable[[], Any]) -> Time:
    """Seconds of one call.

    Processor time is what the work costs; on a machine that others use too, wall time is more.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Time(time.perf_counter() - wall, time.process_time() - cpu)


def seconds(work: Callable[[], Any]) -> float:
    """Wall seconds of one call."""
    return measure(work).wall


def entry(key: str, what: str, values: Sequence[float], unit: str = "", **options: Any) -> Entry:
    """The median of repeats, with their range."""
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    return Entry(key, what, statistics.median(values), unit, low=low, high=high, **options)


class Race(NamedTuple):
    """Times of two implementations taken in turn; ratios are theirs / ours, one per repeat."""

    ours: list[Time]
    theirs: list[Time]

    def ratios(self, kind: str) -> list[float]:
        """Ratios of "wall" or "cpu" times.

        Each takes the mean of our times just before and just after theirs, so that a slow spell of
        the machine strikes both.
        """
        mine = [getattr(t, kind) for t in self.ours]
        other = [getattr(t, kind) for t in self.theirs]
        return [2 * b / (mine[k] + mine[k + 1]) for k, b in enumerate(other)]


def race(ours: Callable[[], Time], theirs: Callable[[], Time], repeats: int) -> Race:
    """Run both in turn, ours first and last."""
    out = Race([ours()], [])
    for _ in range(repeats):
        out.theirs.append(theirs())
        out.ours.append(ours())
    return out
