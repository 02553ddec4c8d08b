"""The error of a method itself in a two-time correlation: ``Correlation.truncation``."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from ..estimate import TooLong, within
from ..exact.engine import Exact
from ..result import AccuracyWarning
from ..result.accuracy import inaccurate
from ..run.automatic import density_elements
from ..solving.truncation import FULL, PER_ELEMENT, RTOL, SECONDS, SHARE, load
from .correlation_result import Asked, Correlation, exact_value
from .steady_truncation import SLOWER


def state(found: Correlation, ask: Asked, method: Any, full: bool) -> None:
    """Put the truncation into a correlation, and warn where it is large.

    It is |method - quantum regression|, less the sampling error in squares, where the exact answer
    is quick; NaN elsewhere, as smaller models have other correlation times; zero for exact methods.
    """
    if method.order is None:
        found.truncation = np.zeros(found.taus.shape)
        found.deviation = np.zeros(found.taus.shape, complex)
        found.stats["truncation"] = "none: the method is exact"
        return
    load()
    limit = FULL if full else max(SECONDS, SHARE * found.stats["wall_time"])
    found.truncation = np.full(found.taus.shape, np.nan)
    found.stats["truncation"] = "nothing: the exact correlation is not quick enough"
    if density_elements(ask.model, guess=True) * PER_ELEMENT * SLOWER > limit:
        return
    if Exact().refuses(ask.model) is not None:
        return
    try:
        with within(time.process_time() + limit, False):
            right, _ = exact_value(ask, RTOL)
    except (TooLong, ValueError, MemoryError, ArithmeticError):
        return
    found.deviation = found.value - right
    square = np.abs(found.deviation) ** 2 - np.abs(found.sem) ** 2
    found.truncation = np.sqrt(np.maximum(square, 0.0))
    found.stats["truncation"] = "the exact correlation"
    value, sem, own = ({found.formula: x} for x in (found.value, found.sem, found.truncation))
    off = inaccurate(value, sem, own, found.taus, "τ")
    if off is not None:
        found.stats["warnings"].append(off)
        warnings.warn(off, AccuracyWarning, stacklevel=3)
