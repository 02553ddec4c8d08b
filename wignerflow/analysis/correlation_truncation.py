"""The error of a method itself in a two-time correlation: ``Correlation.truncation``."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import TooLong, within
from ..exact.engine import Exact
from ..result import AccuracyWarning
from ..result.accuracy import UNSEEN, distance, inaccurate, widened
from ..run.automatic import density_elements
from ..run.statistics import BATCHES
from ..solving.provenance import read_call
from ..solving.remarks import spared
from ..solving.sizes import SAMPLED, Deviation, Smaller, deviations, fall, spelt
from ..solving.truncation import FULL, PER_ELEMENT, REFERENCES, RTOL, SAMPLES, SECONDS, SHARE, load
from .correlation_result import Asked, Correlation, exact_value
from .correlation_runs import by_runs
from .steady_truncation import FEWER, REFUSED, SLOWER

Array = NDArray[np.float64]


def state(found: Correlation, ask: Asked, method: Any, full: bool) -> None:
    """Put the truncation into a correlation, and warn where it is large.

    It is |method - quantum regression|, less the sampling error in squares: of the model itself
    where that is quick, else of the model made smaller, where the largest deviation in units of the
    largest correlation is followed to the size of the model. NaN where neither is; zero for exact
    methods.
    """
    if method.order is None:
        found.truncation = np.zeros(found.taus.shape)
        found.deviation = np.zeros(found.taus.shape, complex)
        found.stats["truncation"] = "none: the method is exact"
        return
    load(*REFERENCES)
    limit = FULL if full else max(SECONDS, SHARE * found.stats["wall_time"])
    until = time.process_time() + limit
    found.truncation = np.full(found.taus.shape, np.nan)
    found.stats["truncation"] = "nothing: the exact correlation is not quick enough"
    with spared(found.stats):
        _estimate(found, ask, method, until, full)
    value, sem, own = ({found.formula: x} for x in (found.value, found.sem, found.truncation))
    off = inaccurate(value, sem, own, found.taus, "τ")
    if off is not None:
        found.stats["warnings"].append(off)
        _check.warn(off, AccuracyWarning)


def _estimate(found: Correlation, ask: Asked, method: Any, until: float, full: bool) -> None:
    """From the exact correlation of the model, or of smaller ones."""
    right = _exact(ask, until)
    if right is not None:
        found.deviation = found.value - right
        found.truncation = distance(found.value, right, np.abs(found.sem))
        found.stats["truncation"] = "the exact correlation"
        return
    smaller = _smaller(found, ask, method, until, full)
    if not smaller:
        return
    errors = [d.values[found.formula] for d in smaller]
    share = fall(smaller, [float(e.max(initial=0.0)) for e in errors])
    scale = float(np.abs(found.value).max(initial=0.0))
    found.truncation = SAMPLED * share * scale * widened(errors[0])
    found.stats["truncation"] = spelt(smaller, "exact correlations")


def _exact(ask: Asked, until: float) -> NDArray[np.complex128] | None:
    """By quantum regression; None where that takes too long."""
    seconds = density_elements(ask.model, guess=True) * PER_ELEMENT * SLOWER
    if time.process_time() + seconds > until or Exact().refuses(ask.model) is not None:
        return None
    try:
        with within(until, False):
            return exact_value(ask, Exact(rtol=RTOL))[0]
    except (TooLong, ValueError, MemoryError, ArithmeticError):
        return None


def _smaller(
    found: Correlation, ask: Asked, method: Any, until: float, full: bool
) -> list[Deviation]:
    """Deviations at smaller sizes, in units of the largest correlation there."""
    names = "ABCD"[: len(ask.ops)]
    times = np.linspace(0.0, (ask.start or 0.0) + float(ask.taus[-1]), SAMPLES)

    def judged(small: Smaller, end: float) -> Deviation | None:
        model, ops, engine = read_call(small.call)
        own = replace(ask, model=model, ops=tuple(ops[n] for n in names))
        exact = _exact(own, end)
        if exact is None:
            return None
        count = max(2 * BATCHES, ask.request.ntraj // (1 if full else FEWER))
        own = replace(own, request=replace(ask.request, ntraj=count))
        try:
            with within(np.inf, full):
                run = by_runs(own, engine, float(found.stats["start"]))
        except REFUSED:
            return None
        error = distance(run.value, exact, UNSEEN * np.abs(run.sem))
        unit = float(np.abs(exact).max(initial=0.0))
        return Deviation(small, {found.formula: error / unit if unit > 0 else error})

    named = dict(zip(names, ask.ops, strict=True))
    return deviations(ask.model, named, method, times, until, judged)
