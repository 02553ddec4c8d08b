"""When to stop: target standard errors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check


@dataclass(frozen=True)
class Target:
    """A standard error to reach: ``value``, in units of max_t |mean| if relative.

    At every time, or at the times ``at``, which are the outputs number ``rows`` once it is bound.
    """

    value: float
    is_relative: bool = False
    at: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()

    def __repr__(self) -> str:
        if not self.is_relative:
            return f"{self.value:g}"
        at = f", at={list(self.at)}" if self.at else ""
        return f"relative({self.value:g}{at})"

    def bound(self, argument: str, times: NDArray[np.float64]) -> Target:
        """The same for a run with these outputs.

        Raises:
            ValueError: a time of ``at`` is no output.
        """
        rows = []
        near = 1e-9 * float(times[-1] - times[0])
        for t in self.at:
            k = int(np.argmin(np.abs(times - t)))
            if abs(times[k] - t) > near:
                hint = f"The nearest output is {times[k]:g}."
                _check.fail(argument, "name times of `tlist` in `at`", t, hint)
            rows.append(k)
        return replace(self, rows=tuple(rows))

    def limit(self, mean: NDArray[Any]) -> float:
        """The largest standard error allowed, given the means (T, ...)."""
        if not self.is_relative:
            return self.value
        size = np.abs(mean)
        size = size[np.isfinite(size)]
        return self.value * float(size.max()) if size.size else 0.0


def relative(fraction: float, at: Any = None) -> Target:
    """A relative target for ``target_sem``: a fraction of the observable's largest mean over time.

    Args:
        fraction: positive; ``wf.relative(0.01)`` and "1%" are the same.
        at: a time of ``tlist``, or several, at which the error is to be reached; None: at all.

    Raises:
        ValueError: the fraction is not positive.
    """
    times = () if at is None else tuple(_check.real("at", t) for t in np.atleast_1d(at).tolist())
    return Target(_check.positive("fraction", fraction), True, times)


def _target(argument: str, value: Any) -> Target:
    if isinstance(value, Target):
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*%\s*", value)
        number = None
        if match:
            try:
                number = float(match[1])
            except ValueError:
                number = None
        if number is None or not 0 < number < math.inf:
            hint = "A string states a relative target."
            _check.fail(argument, "be a positive number or a percentage such as '1%'", value, hint)
        return Target(number / 100, True)
    return Target(_check.positive(argument, value))


def targets(value: Any, names: Sequence[str], argument: str = "target_sem") -> dict[str, Target]:
    """Targets by name of observable, from what the user gave as ``argument``.

    Raises:
        ValueError, TypeError: a name is unknown, or a target is no positive number or percentage.
    """
    if isinstance(value, Mapping):
        if not value:
            _check.fail(argument, "name at least one observable", value)
        return {
            _check.one_of(argument, n, names): _target(f"{argument}[{n!r}]", v)
            for n, v in value.items()
        }
    return dict.fromkeys(names, _target(argument, value))


def worst(
    wanted: Mapping[str, Target], mean: Mapping[str, NDArray], sem: Mapping[str, NDArray]
) -> tuple[str, float]:
    """The observable furthest from its target, and its standard error over the allowed one.

    Infinity where an error is not known yet (a jackknife with too few batches).
    """
    name, ratio = "", -1.0
    for own, target in wanted.items():
        error = np.abs(sem[own])
        if target.rows:
            error = error[list(target.rows)]
        finite = error[np.isfinite(error)]
        limit = target.limit(mean[own])
        if finite.size == 0:
            value = math.inf
        elif limit > 0:
            value = float(finite.max()) / limit
        else:
            value = 0.0 if float(finite.max()) == 0 else math.inf
        if value > ratio:
            name, ratio = own, value
    return name, ratio
