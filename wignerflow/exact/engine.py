"""Method objects of the exact engines, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .. import _check
from ..model.model import Model
from ..model.operators import Op
from . import populations
from .solution import ExactSolution

ENGINES = ("populations",)


def checked_ops(model: Model, ops: Mapping[str, Op]) -> dict[str, Op]:
    """Observables as a plain dict; every one an operator on subsystems of the model."""
    out: dict[str, Op] = {}
    for name, op in ops.items():
        if not isinstance(op, Op):
            _check.fail(f"e_ops[{name!r}]", "be an operator", op, kind=TypeError)
        for sub in op.subsystems:
            if sub not in model.initial:
                _check.fail(f"e_ops[{name!r}]", "act on subsystems of the model", sub.name)
        out[str(name)] = op
    return out


class Exact:
    r"""The exact solution of the master equation, by the cheapest engine that treats the model.

    Args:
        engine: None chooses; "populations" solves the classical master equation of p(J, M).

    Raises:
        ValueError: the engine is unknown.
    """

    name = "exact"

    def __init__(self, engine: str | None = None):
        self.engine = None if engine is None else _check.one_of("engine", engine, ENGINES)

    def __repr__(self) -> str:
        return "Exact()" if self.engine is None else f"Exact({self.engine!r})"

    def refuses(self, model: Model) -> str | None:
        """Why this method cannot treat ``model``; None if it can. Does no work."""
        return populations.refuses(model)

    def solve(self, model: Model, tlist: Any, ops: Mapping[str, Op]) -> ExactSolution:
        """Expectation values of ``ops`` at the times ``tlist``; ``initial`` holds at ``tlist[0]``.

        Args:
            model: the master equation.
            tlist: times, strictly increasing, shape (T,).
            ops: name -> operator.

        Raises:
            ValueError: no engine treats the model; the message says why and what does.
        """
        times = _check.tlist(tlist)
        named = checked_ops(model, ops)
        reason = self.refuses(model)
        if reason is not None:
            raise ValueError(f"Exact cannot treat this model: {reason}.")
        begin = time.perf_counter()
        out = populations.solve(model, times, named)
        out.stats["why"] = "H and every jump keep M definite, so populations p(J, M) are closed."
        out.stats["wall_time"] = time.perf_counter() - begin
        return out
