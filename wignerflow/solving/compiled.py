"""``model.compile``: a run as code for other machines."""

from __future__ import annotations

from typing import Any

from .. import _check
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..kernels.wasm import Channels, WasmKernel, WasmModule
from ..model.model import Model
from ..model.pulses import refuse_pulses
from ..phasespace.method import TrajectoryMethod
from ..result.accuracy import PlanColumns
from ..run.driver import prepare
from ..run.loop import Request
from ..run.pilot import Wanted
from .options import trajectories_of
from .problem import check_problem, check_treats, read_problem, resolve_method

TARGETS = ("wasm32",)


def compiled(
    model: Model,
    method: Any,
    *,
    tlist: Any,
    e_ops: Any,
    target: str,
    dt: float | None,
    ntraj: int,
    precision: str,
    chunks: int,
) -> WasmModule:
    """See ``wignerflow.views.compile_model``."""
    _check.one_of("target", target, TARGETS)
    _check.integer("chunks", chunks, 1)
    problem = read_problem(model, tlist, e_ops)
    for observable in problem.plan.observables:
        if observable.rule is not None:
            _check.fail(
                "e_ops",
                "hold operators and array operators only",
                observable.rule,
                "Ask for the operators it is made of: functions of means are made by the host.",
            )
    refuse_pulses(model, "a WebAssembly module or a live page")
    engine = resolve_method(method)
    check_problem(problem)
    check_treats(engine, model, problem.base)
    if not isinstance(engine, TrajectoryMethod) or not engine.stochastic:
        _check.fail("method", "be one with stochastic trajectories, such as 'twa'", method)
    count = trajectories_of(ntraj, 2)
    longest = None if dt is None else _check.positive("dt", dt)
    single = _check.one_of("precision", precision, ["single", "double"]) == "single"
    system, symbols = engine.lower(model, problem.base, problem.times)
    base = problem.plan.base
    text = KernelText(system, [Readout(symbols[k], base[k].is_complex) for k in problem.base])
    columns = PlanColumns(problem.plan, {})
    wanted = Wanted(count, columns=columns, free=False)
    request = Request(count, 0, single, dt=longest, wanted=wanted)
    step = prepare(text, problem.times, request).step
    kernel = WasmKernel(text, Grid.make(problem.times, step), single=single)
    slots = problem.plan.slots
    observables = []
    for o in problem.plan.observables:
        slot = slots[o.inputs[""]]
        size = (slot.span.stop - slot.span.start) // (2 if slot.is_complex else 1)
        first = slot.span.start
        observables.append(Channels(o.name, size, first, first + size if slot.is_complex else None))
    return kernel.module(problem.times, observables, text.variables, chunks)
