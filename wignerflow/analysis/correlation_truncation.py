"""The error of a method itself in a two-time correlation: ``Correlation.truncation``."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from ..exact import regression
from ..exact.engine import Exact
from ..model.model import Model
from ..model.operators import Op
from ..result import AccuracyWarning
from ..result.accuracy import inaccurate
from ..run.automatic import density_elements
from ..solving.truncation import FULL, PER_ELEMENT, RTOL, SECONDS, SHARE, TooLong, load, within
from .steady_truncation import SLOWER


def state(
    found: Any, model: Model, A: Op, B: Op, start: float | None, connected: bool, full: bool
) -> None:
    """Put the truncation into a correlation, and warn where it is large.

    It is |method - quantum regression|, less the sampling error in squares, where the exact answer
    is quick; NaN elsewhere, as smaller models have other correlation times.
    """
    load()
    limit = FULL if full else max(SECONDS, SHARE * found.stats["wall_time"])
    found.truncation = np.full(found.taus.shape, np.nan)
    found.stats["truncation"] = "nothing: the exact correlation is not quick enough"
    if density_elements(model, guess=True) * PER_ELEMENT * SLOWER > limit:
        return
    if Exact().refuses(model) is not None:
        return
    try:
        with within(time.process_time() + limit, False):
            exact = regression.correlation(model, A, B, found.taus, start, rtol=RTOL)
    except (TooLong, ValueError, MemoryError, ArithmeticError):
        return
    right = exact.symmetric if found.order == "symmetric" else exact.plain
    if connected:
        right = right - exact.mean_a * exact.mean_b
    square = np.abs(found.value - right) ** 2 - np.abs(found.sem) ** 2
    found.truncation = np.sqrt(np.maximum(square, 0.0))
    found.stats["truncation"] = "the exact correlation"
    value, sem, own = ({found.formula: x} for x in (found.value, found.sem, found.truncation))
    off = inaccurate(value, sem, own, found.taus)
    if off is not None:
        found.stats["warnings"] = [off]
        warnings.warn(off, AccuracyWarning, stacklevel=3)
