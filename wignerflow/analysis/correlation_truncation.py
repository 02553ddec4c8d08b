"""The error of a method itself in a two-time correlation: ``Correlation.truncation``."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import TooLong, within
from ..exact.engine import Exact
from ..result import AccuracyWarning
from ..result.accuracy import inaccurate
from ..run.automatic import density_elements
from ..run.statistics import BATCHES
from ..solving.comparing import UNSEEN, distance, widened
from ..solving.provenance import NotPlain, read_call, write_call
from ..solving.remarks import spared
from ..solving.truncation import (
    APART,
    FULL,
    PER_ELEMENT,
    RTOL,
    SAMPLED,
    SAMPLES,
    SECONDS,
    SHARE,
    fall,
    load,
    smaller_ways,
)
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
    load()
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
        warnings.warn(off, AccuracyWarning, stacklevel=3)


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
    sizes, errors, whole, falls = zip(*smaller, strict=True)
    largest = [float(e.max(initial=0.0)) for e in errors]
    share = fall(list(sizes), largest, whole[0]) if falls[0] else 1.0
    scale = float(np.abs(found.value).max(initial=0.0))
    found.truncation = SAMPLED * share * scale * widened(errors[0])
    numbers = " and ".join(f"{n:g}" for n in sizes)
    found.stats["truncation"] = f"exact correlations at sizes {numbers}, continued to {whole[0]:g}"


def _exact(ask: Asked, until: float) -> NDArray[np.complex128] | None:
    """By quantum regression; None where that takes too long."""
    seconds = density_elements(ask.model, guess=True) * PER_ELEMENT * SLOWER
    if time.process_time() + seconds > until or Exact().refuses(ask.model) is not None:
        return None
    try:
        with within(until, False):
            return exact_value(ask, RTOL)[0]
    except (TooLong, ValueError, MemoryError, ArithmeticError):
        return None


def _smaller(
    found: Correlation, ask: Asked, method: Any, until: float, full: bool
) -> list[tuple[float, Array, float, bool]]:
    """Sizes of two smaller models, the larger first, and deviations there in units of the largest.

    Also the size of the model itself, and whether deviations fall up to it.
    """
    if ask.model.links:
        return []
    names = "ABCD"[: len(ask.ops)]
    start, span = ask.start or 0.0, float(ask.taus[-1])
    try:
        times = np.linspace(0.0, start + span, SAMPLES)
        call = write_call(ask.model, dict(zip(names, ask.ops, strict=True)), method, times)
    except NotPlain:
        return []
    whole, candidates, make = smaller_ways(call, ask.model)
    out: list[tuple[float, Array, float, bool]] = []
    for small in candidates:
        if out and small > out[0][0] / APART:
            continue
        if len(out) == 2 or time.process_time() > until:
            break
        made, falls = make(small)
        if made is None:
            continue
        model, ops, engine = read_call(made)
        own = replace(ask, model=model, ops=tuple(ops[n] for n in names))
        exact = _exact(own, until)
        if exact is None:
            continue
        count = max(2 * BATCHES, ask.request.ntraj // (1 if full else FEWER))
        own = replace(own, request=replace(ask.request, ntraj=count))
        try:
            with within(np.inf, full):
                run = by_runs(own, engine, float(found.stats["start"]))
        except REFUSED:
            continue
        error = distance(run.value, exact, UNSEEN * np.abs(run.sem))
        unit = float(np.abs(exact).max(initial=0.0))
        out.append((small, error / unit if unit > 0 else error, whole, falls))
    return out
