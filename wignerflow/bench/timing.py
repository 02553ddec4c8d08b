"""Timing on a machine that may be busy: repeats, medians and minima, interleaved ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from .report import Entry


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def entry(key: str, what: str, values: Sequence[float], unit: str = "", **options: Any) -> Entry:
    """The median of repeats, with their range."""
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    return Entry(key, what, statistics.median(values), unit, low=low, high=high, **options)


def ratios(
    ours: Callable[[], float], theirs: Callable[[], float], repeats: int
) -> tuple[list[float], list[float], list[float]]:
    """Times of two implementations taken in turn, and their ratios, one per repeat.

    Each ratio takes the mean of our times just before and just after theirs, so that a slow spell
    of the machine strikes both.
    """
    mine, other, quotient = [ours()], [], []
    for _ in range(repeats):
        other.append(theirs())
        mine.append(ours())
        quotient.append(2 * other[-1] / (mine[-2] + mine[-1]))
    return mine, other, quotient
