"""Runs repeated from their results."""

from __future__ import annotations

from typing import Any

from .. import _check
from .. import result as results
from ..provenance import read_call
from ..result import Result
from .methods import METHODS
from .options import Even
from .steps import solve


def rerun(result: Result, ntraj: int | None = None, **options: Any) -> Result:
    """Repeat the run that made a result; see :meth:`wignerflow.Result.rerun`."""
    known = {"threads", "timeout", "checkpoint", "every", "client", "progress", "device"}
    for name in options:
        _check.one_of("options", name, known)
    what = result.provenance
    if "merged" in what:
        _check.fail(
            "result", "be of one run", "a merged one", "Run its parts again, and merge them."
        )
    repeatable = what.get("repeatable", "it does not say what it was run on")
    if repeatable is not True or result.model is None:
        _check.fail("result", "hold all that it was run on", f"one that does not: {repeatable}")
    call = {"model": result.model, "e_ops": what["e_ops"], "method": what["engine"]}
    model, e_ops, engine = read_call(call, METHODS)
    step: Any = what.get("step")
    if step is not None and what.get("even"):
        step = Even(step, what["even"])
    out = solve(
        model,
        what["tlist"],
        e_ops=e_ops,
        method=engine,
        seed=what["seed"],
        dt=step,
        ntraj=max(2, result.ntraj) if ntraj is None else ntraj,
        precision=what["precision"],
        **{"device": what.get("device", "cpu"), **options},
    )
    out.step_error = result.step_error
    return out


results.HOOKS["rerun"] = rerun
