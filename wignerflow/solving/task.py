"""What is to be solved: a model, times and observables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.coefficients import Coef
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.timescales import points
from ..observables import Plan, flatten


@dataclass
class Task:
    """A model, output times (T,), observables by name, and what :func:`flatten` made of them."""

    model: Model
    times: NDArray[np.float64]
    named: dict[str, Any]
    base: Mapping[str, Op | ArrayOp]
    plan: Plan

    @property
    def has_callables(self) -> bool:
        """Whether a coefficient of time is a function that knows no grid of times."""
        return any(c.function is not None for c in self.model.coefficients)


def read_task(model: Any, tlist: Any, e_ops: Any) -> Task:
    """The task of a call of ``solve``.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    times = _check.tlist(tlist)
    names, base, plan = flatten(e_ops, model.subsystems)
    values = e_ops.values() if isinstance(e_ops, Mapping) else e_ops
    return Task(model, times, dict(zip(names, values, strict=True)), base, plan)


def check_task(task: Task) -> None:
    """Raise here, not in the middle of a run, where coefficients of time cannot be used."""
    for name, op in task.base.items():
        if isinstance(op, Op) and op.coefficients:
            _check.fail("e_ops", "not contain time coefficients", f"{name} with some")
    for coefficient in task.model.coefficients:
        coefficient(task.times)
    _check_rates(task.model, task.times)


def _check_rates(model: Model, times: NDArray[np.float64]) -> None:
    when = np.union1d(times, points(float(times[0]), float(times[-1])))
    for k, jump in enumerate(model.jumps):
        if isinstance(jump.rate, Coef):
            jump.rate.rates(when, f"jumps[{k}].rate")
