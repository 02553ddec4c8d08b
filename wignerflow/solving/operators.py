"""Runs of methods that work on operators: exact ones, cumulants, quantum jumps."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..exact.jumps import QuantumJumps
from ..observables import batched
from ..result import Result
from ..run.driver import available_threads
from ..run.statistics import Samples
from .columns import no_error
from .failures import few_for_derived
from .members import gather, members
from .options import Options
from .record import Record
from .task import Task


def by_operators(task: Task, engine: Any, record: Record) -> Result:
    """A deterministic method, member by member."""
    start = time.perf_counter()
    solution = engine.solve(task.model, task.times, members(task.base))
    values = gather(task.base, solution.expect)
    stats = {
        **solution.stats,
        "wall_time": time.perf_counter() - start,
        "warnings": list(solution.stats.get("warnings", ())),
        "stopped_because": "deterministic",
    }
    return Result.from_values(
        task.times,
        task.plan,
        values,
        method=engine.name,
        stats=stats,
        provenance=record.provenance,
        model=record.model,
    )


def by_jumps(task: Task, engine: QuantumJumps, options: Options, record: Record) -> Result:
    """Quantum jumps: every run's values are kept, so that derived observables have errors too."""
    keeper = QuantumJumps(engine.engine, memory=engine.memory, keep=True)
    solution = keeper.solve(
        task.model,
        task.times,
        members(task.base),
        ntraj=options.ntraj,
        seed=options.seed,
        threads=options.threads or available_threads(),
        timeout=options.timeout,
    )
    stats = dict(solution.stats)
    runs = gather(task.base, stats.pop("samples"))
    slots = task.plan.slots()
    channels = np.empty((stats["ntraj"], task.times.size, task.plan.channels))
    for key, slot in slots.items():
        value = runs[key].reshape(stats["ntraj"], task.times.size, -1)
        parts = [value.real, value.imag] if slot.is_complex else [value.real]
        channels[:, :, slot.span] = np.concatenate(parts, axis=-1)
    samples = Samples.of_runs(channels, batched(task.plan, slots))
    few = few_for_derived(task.plan, stats["ntraj"])
    stats["warnings"] = [*stats.get("warnings", ()), *few]
    return Result.from_samples(
        task.times,
        task.plan,
        samples,
        method=engine.name,
        seed=options.seed,
        step_error=no_error(task.plan, task.times.size),
        stats=stats,
        provenance=record.provenance,
        model=record.model,
    )
