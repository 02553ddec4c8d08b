"""What is to be solved: a model, times and observables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.coefficients import Coef
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.timescales import points
from ..observables import Plan, flatten

#: Callables are tabulated at no more times than this, so that files stay small.
MAX_SAMPLES = 200_000


@dataclass
class Problem:
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

    def tabulated(self, times: NDArray[np.float64]) -> Problem:
        """The same problem with samples at ``times`` in place of callables, if not too many."""
        if times.size > MAX_SAMPLES:
            return self
        return replace(self, model=self.model.tabulated(times))


def read_problem(model: Any, tlist: Any, e_ops: Any) -> Problem:
    """The problem of a call of ``solve``.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    times = _check.tlist(tlist)
    names, base, plan = flatten(e_ops, model.subsystems, model, times)
    values = e_ops.values() if isinstance(e_ops, Mapping) else e_ops
    return Problem(model, times, dict(zip(names, values, strict=True)), base, plan)


def check_problem(problem: Problem) -> None:
    """Raise here, not in the middle of a run, where coefficients of time cannot be used."""
    for name, op in problem.base.items():
        if isinstance(op, Op) and op.coefficients:
            _check.fail("e_ops", "not contain time coefficients", f"{name} with some")
    for coefficient in problem.model.coefficients:
        coefficient(problem.times)
    _check_rates(problem.model, problem.times)


def _check_rates(model: Model, times: NDArray[np.float64]) -> None:
    varying = {k: j.rate for k, j in enumerate(model.jumps) if isinstance(j.rate, Coef)}
    if varying:
        when = np.union1d(times, points(float(times[0]), float(times[-1])))
        for k, rate in varying.items():
            rate.rates(when, f"jumps[{k}].rate")


# ---------------------------------------------------------------- arrays member by member


def members(base: Mapping[str, Op | ArrayOp]) -> dict[str, Op]:
    """Array operators written out member by member, for methods that know single ones only."""
    out: dict[str, Op] = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out.update({f"{key}[{m}]": op[m] for m in range(op.size)})
        else:
            out[key] = op
    return out


def gather(base: Mapping[str, Op | ArrayOp], values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Inverse of :func:`members` for values: members on the last axis."""
    out = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out[key] = np.stack([values[f"{key}[{m}]"] for m in range(op.size)], axis=-1)
        else:
            out[key] = values[key]
    return out
