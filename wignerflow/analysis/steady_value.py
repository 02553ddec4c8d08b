"""What ``wf.steady_state`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..html import table
from ..model.model import Model
from ..observables import Observables, assemble_exact, flatten
from ..result import ByName, Values, format_value, stated
from ..solving import gather
from ..solving.problem import Problem

if TYPE_CHECKING:
    import xarray


@dataclass
class SteadyState(ByName):
    """Expectation values in a steady state with their standard errors.

    Attributes:
        expect: by name, a number or (V,); with ``period`` (T,) or (T, V).
        sem: standard errors of the same shapes; zero for exact methods.
        method: name of the method.
        ntraj: trajectories, 0 for a deterministic method.
        seed: of the random numbers, None without any.
        dt: largest step, or None.
        step_error: estimates of the error of the step, of the same shapes; zero for exact methods.
        truncation: estimates of the error of the method itself, likewise; empty where not asked
            for, NaN where no reference was quick enough (``stats["truncation"]`` says what it rests
            on).
        efficiency: by name, how many times as many trajectories had the same errors without
            controls (the least over several values).
        stats: "known" (how it is known that this is the steady state, a sentence), "unique", and
            numbers: for null vectors "residual"; for trajectories "relaxed" (time left out),
            "averaged" (time averaged over), "drift" and "difference" (largest of both tests in
            standard errors), "limit" (what they had to stay below).
        model: the canonical form of the model.
    """

    expect: Values
    sem: Values
    method: str
    ntraj: int = 0
    seed: int | None = None
    dt: float | None = None
    step_error: Values = field(default_factory=Values)
    efficiency: dict[str, float] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] | None = None
    truncation: Values = field(default_factory=Values)

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name:<{width}}   {text}" for name, text in rows]
        return "\n".join([self._title(), *lines, f"  {self.stats['known']}"])

    def to_xarray(self) -> xarray.Dataset:
        """Every observable with ``_sem``, ``_step_error`` and ``_truncation``.

        Several values have a dimension ``member``, those over a period ``time``.
        """
        import xarray

        variables: dict[str, Any] = {}
        for name, value in self.expect.items():
            dims = ["time", "member"] if "times" in self.stats else ["member"]
            own = dims[: np.ndim(value)]
            parts = {"": self.expect, "_sem": self.sem, "_step_error": self.step_error}
            for ending, part in {**parts, "_truncation": self.truncation}.items():
                if name in part:
                    variables[name + ending] = (own, part[name])
        facts = {"method": self.method, "known": self.stats["known"]}
        times = {"time": self.stats["times"]} if "times" in self.stats else None
        return xarray.Dataset(variables, times, facts)

    def _repr_html_(self) -> str:
        notes = [self.stats["known"]]
        return table(self._title(), ("observable", "mean"), self._rows(), notes)

    def _title(self) -> str:
        head = f"SteadyState(method={self.method!r}"
        if self.ntraj:
            head += f", ntraj={self.ntraj}, seed={self.seed}"
        return head + ")"

    def _rows(self) -> list[tuple[str, str]]:
        rows = []
        for name, value in self.expect.items():
            if np.ndim(value):
                text = f"{np.size(value)} values"
            else:
                text = format_value(value, self.sem[name])
            errors = stated(self.step_error.get(name), self.truncation.get(name))
            rows.append((name, text + errors))
        return rows


def asked(model: Model, e_ops: Observables, end: float = 1.0) -> Problem:
    """Of a steady state, where times mean nothing, or of one that repeats after ``end``."""
    names, base, plan = flatten(e_ops, model.subsystems, model)
    values = e_ops.values() if isinstance(e_ops, Mapping) else e_ops
    named = dict(zip(names, values, strict=True))
    return Problem(model, np.array([0.0, end]), named, base, plan)


def assembled(problem: Problem, expect: Mapping[str, Any]) -> dict[str, Any]:
    """Observables from means of operators that have no sampling errors."""
    values = {k: np.asarray(v)[None] for k, v in gather(problem.base, expect).items()}
    return {n: v[0] for n, v in assemble_exact(problem.plan, values)[0].items()}


def certain(expect: Mapping[str, Any], method: str, stats: dict[str, Any]) -> SteadyState:
    """Values without errors of sampling and step."""
    none = Values({n: np.zeros(np.shape(v)) for n, v in expect.items()})
    return SteadyState(Values(expect), none, method, step_error=none, stats=stats)
