"""What error budgets share: their units, the error of the step, their text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import _check
from ..html import table
from ..result import AccuracyWarning, Result, aligned
from ..result.accuracy import inaccurate


class Errors:
    """The budget of one observable."""

    truncation: float
    sampling: float
    step: float

    @property
    def total(self) -> float:
        """All three, added in squares; without the step where that was not checked."""
        step = 0.0 if math.isnan(self.step) else self.step
        return math.sqrt(self.truncation**2 + self.sampling**2 + step**2)


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


def bound(step: float) -> str:
    """A step's error as text."""
    return "0" if step == 0 else "unchecked" if math.isnan(step) else f"< {step:.2g}"


def notes(
    run: Result, lines: Mapping[str, Errors], where: str, more: Iterable[str] = ()
) -> tuple[str, ...]:
    """What a run had to say, and ``more``; a warning first where ``lines`` tell of large errors."""
    found = (*run.stats.get("warnings", ()), *run.stats.get("notes", ()), *more)
    sampling, truncation = (
        {n: np.array([getattr(line, part)]) for n, line in lines.items()}
        for part in ("sampling", "truncation")
    )
    off = inaccurate({n: np.ones(1) for n in lines}, sampling, truncation)
    if off is None:
        return found
    text = f"{where}, {off.split(';')[0]}."
    _check.warn(text, AccuracyWarning)
    return (text, *found)
