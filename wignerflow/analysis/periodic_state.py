"""States that repeat with the period of a drive: an eigenvector, or averages over periods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..exact import periodic
from ..exact.engine import Exact
from ..model.coefficients import Coef
from ..model.model import Model
from ..observables import assemble_exact
from ..result import Values
from ..solving import gather, members
from ..solving.problem import Problem
from .relaxation import Runner
from .steady_value import SteadyState, certain

PERIODS = 8  # of the first run, at least
LOOKS = 64  # times in a period at which rates are averaged


@dataclass(frozen=True)
class Phases:
    """Times in one period, those of the result.

    Attributes:
        period: of the drive.
        times: in [0, period], ascending.
        own: those modulo the period, each once, ascending.
        index: where each of ``times`` stands among them.
    """

    period: float
    times: NDArray[np.float64]
    own: NDArray[np.float64]
    index: NDArray[np.intp]

    @staticmethod
    def of(model: Model, period: Any, tlist: Any) -> Phases:
        """Checked: the model has this period."""
        T = _check.positive("period", period)
        times = _check.numeric_array("tlist", [] if tlist is None else tlist, float)
        rising = times.ndim == 1 and bool(np.all(np.diff(times) > 0))
        if not (rising and times.size and times[0] >= 0 and times[-1] <= T * (1 + 1e-12)):
            _check.fail("tlist", f"ascend within one period, [0, {T:g}]", tlist)
        periodic.check_period(model, T)
        own, index = np.unique(np.where(times >= T * (1 - 1e-12), 0.0, times), return_inverse=True)
        return Phases(T, times, own, index)

    def repeated(self, model: Model) -> Model:
        """The model with samples of its first period repeated for ever."""
        made: dict[Coef, Coef] = {}

        def again(c: Coef) -> Coef:
            if c.times is None:
                return c
            if c not in made:
                made[c] = Coef(_Again(c, self.period))
            return made[c]

        return model.with_coefficients(again)


class _Again:
    """A sampled coefficient, repeated with a period."""

    def __init__(self, c: Coef, period: float):
        assert c.times is not None
        self.c, self.period, self.real = c, period, c.is_real
        self.own = np.append(c.times[(c.times > 0) & (c.times < period)], 0.0)

    def __call__(self, t: float) -> float | complex:
        value = complex(self.c(t % self.period))
        return value.real if self.real else value

    def corners(self, begin: float, end: float) -> NDArray[np.float64]:
        """Where it has corners."""
        whole = np.arange(np.floor(begin / self.period), np.ceil(end / self.period) + 1)
        return (whole[:, None] * self.period + self.own).ravel()


def alone(given: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """Refuse options that periodic steady states of the exact method make no use of."""
    parameters = inspect.signature(function).parameters
    for name, value in given.items():
        default = parameters[name].default
        if value is not default and value != default:
            must = "be left out with `period` and method='exact', which takes one exact solution"
            _check.fail(name, must, value)


def eigenvector(engine: Exact, problem: Problem, phases: Phases) -> SteadyState:
    """Over one period of a drive, by the exact method."""
    expect, stats = exact_values(engine, problem, phases)
    stats["known"] = (
        f"Eigenvector of one period, which brings it back to {stats['residual']:.0e}; the next "
        f"eigenvalue has size {stats['second']:.3g}."
    )
    return certain(expect, engine.name, stats)


def exact_values(
    engine: Exact, problem: Problem, phases: Phases
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values over one period, and facts."""
    solution = periodic.solve(
        problem.model,
        members(problem.base),
        phases.period,
        np.minimum(phases.times, phases.period),
        rtol=engine.rtol,
        memory=engine.memory,
    )
    expect, _, _ = assemble_exact(problem.plan, gather(problem.base, solution.expect))
    return dict(expect), dict(solution.stats)


class PeriodicRunner(Runner):
    """Averages over quarters of a number of periods, phase by phase."""

    def __init__(self, phases: Phases, *given: Any):
        self.phases = phases
        super().__init__(*given)
        self.looks = np.linspace(0.0, phases.period, LOOKS, endpoint=False)

    def length(self, T: float) -> float:
        """Whole periods, four times as many as there are in a quarter."""
        return self.phases.period * max(PERIODS, 4 * int(np.ceil(T / self.phases.period / 4)))

    def quarters(self, which: int, model: Model, T: float, ntraj: int) -> NDArray[np.float64]:
        """Means over the four quarters of [0, T], (batches, 4, phases * K)."""
        own, period = self.phases.own, self.phases.period
        count = round(T / period)
        later = (period * np.arange(count)[:, None] + own).ravel()
        first = int(own[0] > 0)
        values = self.values(which, model, np.concatenate([[0.0] * first, later]), ntraj)
        values = values[:, first:].reshape(len(values), 4, count // 4, -1)
        return np.asarray(values.mean(axis=2))

    def shaped(self, runs: NDArray[np.float64]) -> NDArray[np.float64]:
        return runs.reshape(len(runs), self.phases.own.size, -1)[:, self.phases.index]

    def whole(self, values: Mapping[str, NDArray]) -> Values:
        return Values(values)
