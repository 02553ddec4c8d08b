"""Runs of phase-space methods: trajectories, or the one of mean field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..checkpoint import FileKeeper
from ..kernels.cpu import CpuKernel
from ..kernels.cuda import NoDevice
from ..kernels.kernel import Kernel
from ..kernels.module import Grid, KernelText
from ..kernels.observe import Readout
from ..observables import Plan, assemble, batched
from ..progress import Progress
from ..provenance import identity
from ..result import Result
from ..run.cluster import Cluster
from ..run.driver import Outcome, Prepared, Request, State, prepare, simulate
from ..run.gpus import place
from ..run.schedule import Schedule
from ..run.statistics import Samples
from ..run.stepsize import Wanted
from ..run.stopping import Target, worst
from .columns import PlanColumns, no_error
from .failures import diagnose, few_for_derived
from .methods import runs_trajectories
from .options import Options
from .record import Record
from .task import Task


class Trajectories:
    """One run: where it takes place, its step once that is known, then its result.

    Args:
        engine, options: of the call; any method, so that a device it cannot use is refused.
        begin: when the clock of ``timeout`` began.
    """

    def __init__(self, engine: Any, options: Options, begin: float):
        self.engine, self.options = engine, options
        sampled = runs_trajectories(engine)
        self.request = Request(
            options.ntraj if sampled or not hasattr(engine, "lower") else 2,
            options.seed,
            options.precision == "single",
            options.threads,
            options.timeout,
            options.dt,
            keep=options.keep,
            start=begin,
            initial=None if options.start is None else options.start.states,
        )
        #: Why "auto" took the CPU.
        self.without = place(self.request, options.device, sampled)
        if options.client is not None and self.request.pool is not None:
            must = "be None with device='cuda', which takes the GPUs here"
            _check.fail("client", must, options.client)
        #: Step and pilot; a continued run takes the step that it chose before.
        self.prepared: Prepared | None = None
        if options.dt is not None:
            self.prepared = Prepared(options.dt, options.even)
        if options.found is not None and options.dt is None:
            self.prepared = options.found.known_step()

    def sampling_times(self, task: Task) -> NDArray[np.float64]:
        """Where callables are tabulated: where the kernel will read them, whose step is found."""
        if not hasattr(self.engine, "lower") or not task.has_callables:
            return task.times
        text = self._lowered(self.engine, task)
        return text.coefficient_times(self._grid(text, task), task.times)

    def result(self, task: Task, engine: Any, record: Record) -> Result:
        """Run them; task and method as the record describes them."""
        text, options = self._lowered(engine, task), self.options
        if options.target:
            self.request.reached = _reached(task.plan, options.target)
        if options.client is not None:
            self.request.pool = partial(Cluster, options.client)
        shown = options.progress and engine.stochastic
        bar = Progress(task.plan, options.ntraj, options.target, shown)
        self.request.progress = bar.update
        try:
            self._keep(task, engine, record)
            outcome = self._simulate(text, task, record)
        finally:
            bar.close()
            if self.request.keeper is not None:
                self.request.keeper.close()
        self._complete(outcome, text, record)
        if not engine.stochastic:
            return _deterministic(outcome, task, engine, record, self._step_error())
        outcome.stats["warnings"] += few_for_derived(task.plan, outcome.samples.ntraj)
        variables = text.variables if options.keep else ()
        return self._sampled(
            task,
            engine,
            record,
            outcome.samples,
            outcome.stats,
            outcome.dt,
            final=outcome.final,
            variables=variables,
        )

    def _sampled(
        self,
        task: Task,
        engine: Any,
        record: Record,
        samples: Samples,
        stats: dict[str, Any],
        dt: float,
        **kept: Any,
    ) -> Result:
        """The result of samples, finished or not."""
        return Result.from_samples(
            task.times,
            task.plan,
            samples,
            method=engine.name,
            seed=self.options.seed,
            dt=dt,
            step_error=self._step_error(),
            stats=stats,
            provenance=record.provenance,
            model=record.model,
            **kept,
        )

    def _step_error(self) -> dict[str, Any] | None:
        return self.prepared.errors if self.prepared is not None else None

    def _lowered(self, engine: Any, task: Task) -> KernelText:
        system, symbols = engine.lower(task.model, task.base, task.times)
        readouts = [Readout(symbols[k], task.plan.base[k].is_complex) for k in task.base]
        text = KernelText(system, readouts)
        if self.options.start is not None:
            self.options.start.check_variables(text.variables)
        return text

    def _keep(self, task: Task, engine: Any, record: Record) -> None:
        """Let the run be kept in its checkpoint."""
        options, provenance = self.options, record.provenance
        if options.checkpoint is None:
            return

        def build(state: State, stats: dict[str, Any]) -> Result:
            dt = float(Grid.make(task.times, provenance["step"]).hs.max())
            return self._sampled(task, engine, record, state.samples, stats, dt)

        def who(kernel: Kernel, dt: float, cpu: str) -> dict[str, str]:
            own = {**provenance, "target": cpu}
            return identity(own, record.model, task.plan, kernel.digest, dt, kernel.lanes)

        self.request.keeper = FileKeeper(
            options.checkpoint, build, who, {"dt": options.dt}, options.ntraj, options.found
        )

    def _prepare(self, text: KernelText, task: Task) -> Prepared:
        """The step, chosen once."""
        if self.prepared is None:
            options = self.options
            # a checkpoint holds sums at outputs
            free = options.checkpoint is None and self.engine.stochastic
            columns = PlanColumns(task.plan, options.target)
            self.request.wanted = Wanted(self.request.ntraj, options.tol, columns, free)
            self.prepared = prepare(text, task.times, self.request)
            if self.prepared.exact:
                self.prepared.errors.update(no_error(task.plan, task.times.size))
        return self.prepared

    def _grid(self, text: KernelText, task: Task) -> Grid:
        prepared = self._prepare(text, task)
        return Grid.make(Schedule.of(task.times, prepared.even).nodes, prepared.step)

    def _simulate(self, text: KernelText, task: Task, record: Record) -> Outcome:
        """Run until a rule says stop; on the CPU where "auto" finds that no GPU can run it."""
        prepared = self._prepare(text, task)
        record.provenance |= {"step": prepared.step, "even": prepared.even}
        kept = batched(task.plan, task.plan.slots())
        try:
            return simulate(text, task.times, kept, self.request, prepared)
        except NoDevice as error:  # nothing has run yet
            if self.options.device != "auto":
                raise
            self.without = str(error)
            self.request.pool, self.request.kernel = None, CpuKernel
            return simulate(text, task.times, kept, self.request, prepared)

    def _complete(self, outcome: Outcome, text: KernelText, record: Record) -> None:
        """Say where it ran, warn of what may be wrong, note what the method made of the model."""
        stats = outcome.stats
        record.provenance["target"] = stats["target"]
        record.provenance["device"] = "cpu" if stats["device"] == "cpu" else "cuda"
        stats["warnings"] += [
            *text.system.notes,
            *diagnose(stats, outcome.samples, self.engine.stochastic),
        ]
        notes = list(text.system.facts)
        if self.without is not None:
            notes.append(f"device='auto' took the CPU: {self.without.rstrip('.')}.")
        if notes:
            stats["notes"] = notes


def _deterministic(
    outcome: Outcome, task: Task, engine: Any, record: Record, step_error: dict[str, Any] | None
) -> Result:
    """The result of a method whose trajectories are all the same."""
    slots, means = task.plan.slots(), outcome.samples.average()
    return Result.from_values(
        task.times,
        task.plan,
        {key: slots[key].read(means) for key in task.base},
        method=engine.name,
        dt=outcome.dt,
        step_error=step_error,
        stats={**outcome.stats, "stopped_because": "deterministic"},
        provenance=record.provenance,
        model=record.model,
    )


def _reached(plan: Plan, target: Mapping[str, Target]) -> Callable[[Samples], bool]:
    def reached(samples: Samples) -> bool:
        mean, sem, _ = assemble(plan, samples, plan.slots())
        return worst(target, mean, sem)[1] <= 1

    return reached
