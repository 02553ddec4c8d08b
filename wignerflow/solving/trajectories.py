"""Runs of phase-space methods: trajectories, or the one of mean field."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..checkpoint import FileKeeper
from ..compiler.build import TooLarge
from ..estimate import LISTENER, MINUTE, out_of_time, showing_compilation
from ..kernels.cpu import CpuKernel, Kernel, NoDevice
from ..kernels.grid import Grid, Schedule
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..model.model import Model
from ..model.pulses import pulse_times
from ..observables import Plan, assemble, batched
from ..phasespace.method import TrajectoryMethod
from ..progress import Progress
from ..result import Result
from ..result.accuracy import (
    PlanColumns,
    diagnose,
    few_for_derived,
    missed,
    negative_noise,
    no_error,
)
from ..run.bounds import guess, varying
from ..run.delays import even
from ..run.driver import Outcome, Prepared, announce_run, check_outputs, place, prepare, simulate
from ..run.extrapolated import coefficient_times, extrapolated
from ..run.loop import Request, State
from ..run.pilot import LOOK, MAX_WORK, Wanted
from ..run.statistics import BATCHES, Samples
from ..run.stopping import Target, worst
from .options import Options
from .problem import Problem
from .provenance import Record, identity
from .symmetrized import Equal, Symmetrized, equal_members

WORTH = 20_000  # plain trajectories, from which on "auto" tries nets


class Trajectories:
    """One run of a problem by a method with ``lower``."""

    def __init__(self, problem: Problem, method: TrajectoryMethod, options: Options):
        self.problem, self.method, self.options = problem, method, options
        #: Outputs and pulses.
        self.times = problem.times
        if problem.model.pulses:
            self.times = pulse_times(problem.model, problem.times)
        self.outputs = np.searchsorted(self.times, problem.times)
        self.symmetrized = Symmetrized(problem.base)
        arrays = any(sub.count is not None for sub in problem.model.subsystems)
        if options.symmetrize and options.start is None and arrays:
            self.symmetrized = Symmetrized.of(
                problem.model, problem.base, problem.plan, method, problem.times.size
            )
        self.request = Request(
            options.ntraj if method.stochastic else 2,
            options.seed,
            options.precision == "single",
            options.threads,
            options.timeout,
            options.dt,
            keep=options.keep,
            start=options.begin,
            initial=None if options.start is None else options.start.states,
        )
        #: Why guided sampling was not used.
        self.declined: str | None = None
        #: Why "auto" took the CPU.
        self.without = self._place(options.device)
        #: Step and pilot; a continued run takes the step that it chose before.
        self.prepared: Prepared | None = None
        if problem.model.links and options.checkpoint is not None and not even(problem.times):
            # it holds sums at outputs, and these lie between steps
            must = "be evenly spaced for a checkpoint with delayed links"
            _check.fail("tlist", must, problem.times)
        if options.dt is not None and not problem.model.links:
            chosen = options.chosen
            self.prepared = Prepared(options.dt)
            if chosen is not None:
                self.prepared = Prepared(options.dt, chosen.even, chosen.scheme)
        if options.found is not None and options.dt is None:
            self.prepared = options.found.known_step()

    def _place(self, device: str) -> str | None:
        """Let the run take a device, here or on the cluster; why "auto" took CPUs, or None."""
        options = self.options
        end = None if options.timeout is None else options.begin + options.timeout
        return place(self.request, device, self.method.stochastic, options.client, end)

    def result(self) -> Result:
        """Run them."""
        options = self.options
        try:
            if not (options.progress and self.method.stochastic):
                return self._result()
            with Progress(self.problem.plan, options.ntraj, options.target) as bar:
                self.request.progress = bar.update if bar.wanted else None
                with showing_compilation(bar.compiling):
                    return self._result()
        except TooLarge as error:
            raise TooLarge(f"{counts(self.problem.model)} {error}") from None
        finally:
            if self.request.keeper is not None:
                self.request.keeper.close()

    def _result(self) -> Result:
        options, sampling = self.options, self.times
        if self.problem.has_callables:  # tabulated where the kernel will read them
            text = self._lowered()
            if self.extrapolates:
                sampling = coefficient_times(text, sampling, self._prepare(text).step)
            else:
                sampling = text.coefficient_times(self._grid(text), sampling)
            self.problem = self.problem.tabulated(sampling)
        facts = {**options.facts, "symmetrize": options.symmetrize}
        self.record = Record(self.problem, self.method, sampling, facts)
        text = self._lowered()
        if options.target:
            equal = self.symmetrized.equal
            self.request.reached = _reached(self.problem.plan, options.target, equal, self.outputs)
        self._keep()
        outcome = self._simulate(text)
        self._average(outcome)
        self._complete(outcome, text)
        if not self.method.stochastic:
            return self._deterministic(outcome)
        outcome.stats["warnings"] += few_for_derived(self.problem.plan, outcome.samples.ntraj)
        if options.target and outcome.stats["stopped_because"] == "ntraj":
            said = missed(self.problem.plan, options.target, outcome.samples.at(self.outputs))
            if said is not None:
                outcome.stats["notes"] = [*outcome.stats.get("notes", ()), said]
        kept = {"final": outcome.final, "variables": self._variables(text) if options.keep else ()}
        return self._sampled(outcome.samples, outcome.stats, outcome.dt, **kept)

    def _average(self, outcome: Outcome) -> None:
        """Average channels of equal means, and say what that saved."""
        equal, before = self.symmetrized.equal, outcome.samples
        if not equal.groups.size:
            return
        outcome.samples = equal.samples(before)
        if before.ntraj and not before.nets and "efficiency" not in outcome.stats:
            columns, gains = self._columns(), equal.gains(before, outcome.samples)
            names = [o.name for o in self.problem.plan.observables if o.rule is None]
            outcome.stats["efficiency"] = dict.fromkeys(names, 1.0) | columns.gains(gains)

    def _sampled(self, samples: Samples, stats: dict[str, Any], dt: float, **kept: Any) -> Result:
        """The result of samples, finished or not."""
        return Result.from_samples(
            self.problem.times,
            self.problem.plan,
            samples.at(self.outputs),
            method=self.method.name,
            seed=self.options.seed,
            dt=dt,
            step_error=self._step_error(),
            stats=stats,
            provenance=self.record.provenance,
            model=self.record.model,
            **kept,
        )

    def _step_error(self) -> dict[str, Any] | None:
        if self.prepared is None:
            return None
        return {name: error[self.outputs] for name, error in self.prepared.errors.items()}

    def _lowered(self) -> KernelText:
        begin, limit = self.options.begin, self.options.timeout
        out_of_time(begin, limit, "reading the arguments")
        system, symbols = self.method.lower(self.problem.model, self.symmetrized.base, self.times)
        readouts = [
            Readout(symbols[k], self.problem.plan.base[k].is_complex) for k in self.problem.base
        ]
        text = KernelText(system, readouts)
        if self.options.start is not None and not text.links:
            self.options.start.check_variables(text.variables)
        out_of_time(begin, limit, "deriving the equations of a trajectory")
        return text

    def _variables(self, text: KernelText) -> tuple[str, ...]:
        """Names of the state variables, light under way on links included."""
        if not text.links:
            return text.variables
        return (*text.variables, *text.links.names(self._grid(text).lengths))

    def _keep(self) -> None:
        """Let the run be kept in its checkpoint."""
        options, facts = self.options, self.record.facts
        if options.checkpoint is None:
            return
        if self.times.size > self.outputs.size:
            missing = float(np.setdiff1d(self.times, self.problem.times)[0])
            must = f"hold the times of all pulses (t = {missing:g}) with a checkpoint"
            _check.fail("tlist", must, self.problem.times)

        def build(state: State, stats: dict[str, Any]) -> Result:
            dt = float(Grid.make(self.times, facts["step"]).hs.max())
            return self._sampled(state.samples, stats, dt)

        def who(kernel: Kernel, dt: float, cpu: str) -> dict[str, str]:
            own = {**self.record.provenance(), "target": cpu}
            return identity(
                own, self.record.model(), self.problem.plan, kernel.digest, dt, kernel.lanes
            )

        self.request.keeper = FileKeeper(
            options.checkpoint, build, who, {"dt": options.dt}, options.ntraj, options.found
        )

    @property
    def extrapolates(self) -> bool:
        """Whether the run has no noise, and its step goes to none."""
        return not self.method.stochastic and not self.problem.model.links

    def _prepare(self, text: KernelText) -> Prepared:
        """The step, chosen once; where it is extrapolated, the first."""
        if self.prepared is None and self.extrapolates:
            times = self.times
            step = min(guess(text.system, times), varying(text.system, times))
            self.prepared = Prepared(step)
        elif self.prepared is None:
            options, plan, times = self.options, self.problem.plan, self.times
            # a checkpoint holds sums at outputs
            free = options.checkpoint is None and self.method.stochastic
            # and GPUs know one scheme
            here = options.checkpoint is None and self.request.kernel is CpuKernel
            listener, limit = LISTENER.get(), options.timeout
            hurried = (listener is not None and listener.precise) or (
                limit is not None and limit < MINUTE
            )
            self.request.wanted = Wanted(
                self.request.ntraj,
                options.tol,
                self._columns(),
                free,
                plain=options.variance == "plain",
                work=LOOK if hurried else MAX_WORK,
                schemes=here,
            )
            self.prepared = prepare(text, times, self.request)
            if self.prepared.exact:
                self.prepared.errors.update(no_error(plan, times.size))
        return self.prepared

    def _columns(self) -> PlanColumns:
        equal = self.symmetrized.equal
        averaged = equal.channels if equal.groups.size else None
        return PlanColumns(self.problem.plan, self.options.target, averaged)

    def _grid(self, text: KernelText) -> Grid:
        prepared = self._prepare(text)
        return Grid.make(Schedule.of(self.times, prepared.even).nodes, prepared.step)

    def _simulate(self, text: KernelText) -> Outcome:
        """Run until a rule says stop; on the CPU where "auto" finds that no GPU can run it."""
        check_outputs(text, self.times, self.request)
        prepared = self._prepare(text)
        text = text.by(prepared.scheme)
        if self.options.start is not None and text.links:
            self.options.start.check_variables(self._variables(text))
        self.record.facts |= {"step": prepared.step, "even": prepared.even}
        if prepared.scheme:
            self.record.facts["scheme"] = prepared.scheme
        kept = batched(self.problem.plan)
        if self.symmetrized.equal.groups.size:
            kept = np.union1d(kept, self.symmetrized.equal.changed)
        if self.request.pool is None:  # else it is not this machine that works
            nodes = Schedule.of(self.times, prepared.even).nodes
            asked = replace(self.request, ntraj=max(2, math.ceil(self._needed(prepared))))
            compiling = announce_run(text, nodes, kept, asked, prepared.step)
            compiling += prepared.stats.get("compile_time", 0.0)
            prepared = replace(prepared, stats={**prepared.stats, "compile_time": compiling})
        guided = None
        if self.options.variance != "plain":
            guided = self._guided(text, prepared)
        if guided is not None:  # every error is that of batches
            prepared, kept = guided, np.arange(self.problem.plan.channels)
        elif self.options.controls:
            prepared = self._controlled(text, prepared)
        if self.extrapolates:
            columns = PlanColumns(self.problem.plan, {})
            outcome = extrapolated(text, self.times, kept, self.request, prepared, columns)
            self.prepared = outcome.prepared
            return outcome
        try:
            return simulate(text, self.times, kept, self.request, prepared)
        except NoDevice as error:  # nothing has run yet
            if self.options.device != "auto":
                raise
            self._place("cpu")
            self.without = str(error)
            return simulate(text, self.times, kept, self.request, prepared)

    def _guided(self, text: KernelText, prepared: Prepared) -> Prepared | None:
        """Let the run be one by nets; None where that cannot be or does not pay."""
        from ..run.guided import Declined, guide

        options, request = self.options, self.request
        known = {} if options.found is None else options.found.pilot
        try:
            if not self.method.stochastic:
                raise Declined("there is a single trajectory")
            if text.links:
                raise Declined("links carry noise of earlier steps")
            if options.variance == "auto" and not self._needed(prepared) > WORTH:
                raise Declined("the run is too short for it to pay")
            run = text, self.times, request, prepared
            found = guide(*run, self._columns().needed, known.get("net_points"))
        except Declined as reason:
            self.declined = f"variance={options.variance!r} took plain trajectories: {reason}."
            return None
        round_ = 2 * found.points * BATCHES
        reached, request.kernel = request.reached, found.make
        request.ntraj = max(1, request.ntraj // round_) * round_
        if reached is not None:  # errors are known from a net in every batch on
            request.reached = lambda samples: samples.ntraj >= round_ and reached(samples)
        self.record.facts["nets"] = found.points
        facts = {"variance": "guided", "directions": found.directions, "gain": found.gain}
        return _with_pilot(prepared, found, net_points=found.points, **facts)

    def _controlled(self, text: KernelText, prepared: Prepared) -> Prepared:
        """Let the run be one with controls; not where that cannot be or does not pay."""
        from ..run.controlled import fit
        from ..run.guided import Declined

        needed, found = self._needed(prepared), self.options.found
        if found is not None:  # the same controls
            needed = float(found.pilot.get("pilot_needed", needed))
        prepared = replace(prepared, stats={**prepared.stats, "pilot_needed": needed})
        try:
            equal = equal_members(self.problem.model)
            run = text, self.times, self.request, prepared
            fitted = fit(*run, needed, equal, self.symmetrized.equal.channels)
        except Declined as reason:
            self.declined = f"controls=True took plain trajectories: {reason}."
            return prepared
        self.request.kernel = fitted.make
        facts = {"controls": fitted.controls, "efficiency": self._columns().gains(fitted.gain)}
        return _with_pilot(prepared, fitted, variance="controls", **facts)

    def _needed(self, prepared: Prepared) -> float:
        """Plain trajectories that the run will take, as its pilot expects."""
        most = self.request.ntraj
        return float(min(most, prepared.stats.get("pilot_needed", most)))

    def _complete(self, outcome: Outcome, text: KernelText) -> None:
        """Say where it ran, warn of what may be wrong, note what the method made of the model."""
        stats = outcome.stats
        self.record.facts["target"] = stats["target"]
        self.record.facts["device"] = "cpu" if stats["device"] == "cpu" else "cuda"
        stats["warnings"] += [
            *text.system.notes,
            *diagnose(stats, outcome.samples, self.method.stochastic),
            *(negative_noise(stats) if text.system.diffusions else []),
        ]
        notes = list(text.system.facts)
        if self.without is not None:
            notes.append(f"device='auto' took the CPU: {self.without.rstrip('.')}.")
        notes += [note for note in (self.declined, self.symmetrized.note) if note is not None]
        if notes:
            stats["notes"] = notes

    def _deterministic(self, outcome: Outcome) -> Result:
        """The result of a method whose trajectories are all the same."""
        plan, means = self.problem.plan, outcome.samples.at(self.outputs).average()
        slots = plan.slots
        return Result.from_values(
            self.problem.times,
            plan,
            {key: slots[key].read(means) for key in self.problem.base},
            method=self.method.name,
            dt=outcome.dt,
            step_error=self._step_error(),
            stats={**outcome.stats, "stopped_because": "deterministic"},
            provenance=self.record.provenance,
            model=self.record.model,
        )


def _with_pilot(prepared: Prepared, pilot: Any, **facts: Any) -> Prepared:
    """What is prepared, with the work of another pilot and what it found."""
    own = prepared.stats
    work = own.get("pilot_work", 0) + pilot.work
    seconds = own.get("compile_time", 0.0) + pilot.compile_seconds
    stats = {**own, "pilot_work": work, "compile_time": seconds, **facts}
    return replace(prepared, stats=stats)


def _reached(
    plan: Plan, target: Mapping[str, Target], equal: Equal, outputs: NDArray[np.int64]
) -> Callable[[Samples], bool]:
    def reached(samples: Samples) -> bool:
        mean, sem, _ = assemble(plan, equal.samples(samples.at(outputs)))
        return worst(target, mean, sem)[1] <= 1

    return reached


def counts(model: Model) -> str:
    """How many terms a model has written out, in a sentence."""
    terms, jumps, things = len(model.H.terms), len(model.jumps), len(model.subsystems)
    return f"The model has {terms} terms in H and {jumps} jumps on {things} subsystems."
