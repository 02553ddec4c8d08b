"""What error budgets share: their units, the error of the step, their text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..html import table
from ..result import Result, aligned
from ..result.accuracy import inaccurate


class Budget:
    """What certificates have in common: a title, a table and notes, as text and as HTML."""

    notes: tuple[str, ...]

    def _title(self) -> str:
        raise NotImplementedError

    def _rows(self) -> list[tuple[str, ...]]:
        """The head of the table, then its rows."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return "\n".join([self._title(), *aligned(self._rows()), *self.notes])

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        return table(self._title(), head, rows, self.notes)


def largest(values: Any) -> float:
    """The largest finite size."""
    size = np.abs(np.asarray(values))
    return float(size[np.isfinite(size)].max(initial=0.0))


def step_error(result: Result, name: str, scale: float) -> float:
    """The step error of an observable, in units of ``scale``; NaN where it is not known."""
    if result.dt is None:
        return 0.0
    error = result.step_error[name]
    if not np.any(np.isfinite(error)):
        return math.nan
    return largest(error) / scale if scale else 0.0


def total(*parts: float) -> float:
    """Errors added in squares; without those that were not checked."""
    return math.sqrt(sum(part**2 for part in parts if not math.isnan(part)))


def bound(step: float) -> str:
    """A step's error as text."""
    return "0" if step == 0 else "unchecked" if math.isnan(step) else f"< {step:.2g}"


def expected_inaccurate(lines: Mapping[str, Any], where: str) -> str | None:
    """The message of an ``AccuracyWarning`` on budgets in units of the largest mean, or None."""
    sampling, truncation = (
        {n: np.array([getattr(line, part)]) for n, line in lines.items()}
        for part in ("sampling", "truncation")
    )
    off = inaccurate({n: np.ones(1) for n in lines}, sampling, truncation)
    return None if off is None else f"{where}, {off.split(';')[0]}."
