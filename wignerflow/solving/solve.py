"""The function ``solve``, step by step, and the task that it gives to a method."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .._check import Times
from ..estimate import LongRun, out_of_time, watching
from ..method import AnyMethod, Device, Precision
from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import check_pulses
from ..observables import Observables, batched
from ..result import AccuracyWarning, Result, Values
from ..result.accuracy import few_for_derived, inaccurate, no_error
from ..run.statistics import Samples
from .options import Options
from .problem import (
    Problem,
    check_problem,
    check_treats,
    choose,
    gather,
    members,
    read_problem,
    runs_trajectories,
)
from .provenance import Record
from .trajectories import Trajectories

FAILED_LIMIT = 0.01


class FailedTrajectories(RuntimeError):
    """More than one trajectory in a hundred became non-finite; ``result`` holds the others.

    Also raised where the one solution of mean field did.
    """

    def __init__(self, message: str, result: Result):
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[FailedTrajectories], tuple[str, Result]]:
        return type(self), (self.args[0], self.result)  # from worker processes


class Task:
    """What a method is given, and its ways to make a result; see ``wignerflow.method.Task``."""

    def __init__(self, problem: Problem, method: Any, options: Options):
        self.problem, self.method, self.options = problem, method, options
        self.model, self.times, self.base = problem.model, problem.times, problem.base

    @property
    def operators(self) -> dict[str, Op]:
        """The operators by name, those of arrays member by member."""
        return members(self.base)

    def means(self, values: Mapping[str, NDArray], stats: Mapping[str, Any]) -> Result:
        """See ``wignerflow.method.Task``."""
        return Result.from_values(
            self.times,
            self.problem.plan,
            gather(self.base, values),
            method=self.method.name,
            **self._about({"stopped_because": "deterministic", **stats}),
        )

    def runs(self, values: Mapping[str, NDArray], stats: Mapping[str, Any]) -> Result:
        """See ``wignerflow.method.Task``."""
        plan = self.problem.plan
        whole, slots = gather(self.base, values), plan.slots
        count = len(next(iter(whole.values())))
        channels = np.empty((count, self.times.size, plan.channels))
        for key, slot in slots.items():
            value = whole[key].reshape(count, self.times.size, -1)
            parts = [value.real, value.imag] if slot.is_complex else [value.real]
            channels[:, :, slot.span] = np.concatenate(parts, axis=-1)
        few = few_for_derived(plan, count)
        return Result.from_samples(
            self.times,
            plan,
            Samples.of_runs(channels, batched(plan)),
            method=self.method.name,
            seed=self.options.seed,
            step_error=no_error(plan, self.times.size),
            **self._about({**stats, "warnings": [*stats.get("warnings", ()), *few]}),
        )

    def trajectories(self) -> Result:
        """See ``wignerflow.method.Task``."""
        return Trajectories(self.problem, self.method, self.options).result()

    def _about(self, stats: Mapping[str, Any]) -> dict[str, Any]:
        record = Record(self.problem, self.method, self.times, self.options.facts)
        elapsed = time.perf_counter() - self.options.begin
        return {
            "stats": {"wall_time": elapsed, "warnings": [], **stats},
            "provenance": record.provenance,
            "model": record.model,
        }


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No warnings of single runs, which somebody else collects; but of long ones, before them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("always", LongRun)
        yield


def whole(result: Result) -> Result:
    """The result, for whoever needs all of it.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
    """
    if result.stats.get("stopped_because") == "interrupted":
        raise KeyboardInterrupt
    return result


@contextlib.contextmanager
def spared(stats: dict[str, Any]) -> Iterator[None]:
    """A result is there, and stands, whatever becomes of the estimate of its truncation inside."""
    try:
        yield
    except KeyboardInterrupt:  # nobody waits for more
        stats["truncation"] = "nothing: interrupted"
    except Exception as error:
        stats["truncation"] = "nothing: its estimate failed"
        said = (
            f"The error of the method itself could not be estimated ({type(error).__name__}: "
            f"{error}); the result stands. Please report the model and this."
        )
        stats["warnings"] = [*(stats.get("warnings") or ()), said]
        _check.warn(said)


def _watching(engine: Any, options: Options) -> contextlib.AbstractContextManager[None]:
    """Watch over a run; only trajectories end with the timeout."""

    def clock() -> None:
        if options.runs:
            out_of_time(options.begin, options.timeout, "preparing it")

    return watching(
        engine.name,
        told=options.progress and not options.runs,
        timeout=options.timeout if options.runs else None,
        upto="up to " if options.target else "",
        advice="Set `timeout` or `checkpoint`, or ask for less.",
        clock=clock,
    )


@_check.called("wf.solve(model, t, {'z': atoms.Jz}, ntraj=1000)")
def solve(
    model: Model,
    tlist: Times,
    e_ops: Observables,
    *,
    method: AnyMethod = "twa",
    ntraj: int | None = None,
    seed: int | None = None,
    dt: float | None = None,
    tol: float | None = None,
    variance: Literal["plain", "guided", "auto"] = "plain",
    controls: bool = False,
    symmetrize: bool = True,
    precision: Precision = "single",
    device: Device | None = None,
    threads: int | None = None,
    target_sem: Any = None,
    timeout: float | None = None,
    keep: Literal["final"] | None = None,
    start: Result | None = None,
    checkpoint: Any = None,
    every: Any = None,
    client: Any = None,
    truncation: bool | Literal["full"] | None = None,
    progress: bool = True,
) -> Result:
    """Expectation values of a model over time, with standard errors.

    Args:
        model: the master equation and its initial state, which holds at ``tlist[0]``.
        tlist: times, strictly increasing, shape (T,), in units of an inverse rate (hbar = 1).
        e_ops: dict from name to operator, array operator or derived observable, or a list of them.
        method: "twa", "mean-field", "cumulant", "exact", "jumps", "generalized-p", "schwinger-w"
            (p, q), "auto" (exact where that is cheap, the generalised P-function where that is
            exact, else the truncated Wigner approximation; the result says which and why), or a
            method object such as ``wf.TWA(sampling="fixed")``.
        ntraj: trajectories to run at most (at least 2); ignored by deterministic methods. None:
            1000, or with ``target_sem`` as many as it takes, up to ten million.
        seed: of the random numbers, 0 <= seed < 2**64; None draws one, kept in the result.
        dt: largest step; outputs fall exactly on ``tlist``. None takes the longest step whose error
            stays well below the standard error that ``ntraj`` or ``target_sem`` will reach, as
            seen by a pilot run; steps may then be longer than the time between outputs, which are
            interpolated. ``result.step_error`` holds its error, estimated.
        tol: accepted error of the step instead, as a fraction of an observable's largest mean.
        variance: "plain" trajectories; "guided", quasi Monte Carlo along the noise that moves the
            state most and both signs of the rest, in nets whose spread gives the errors (see the
            page on precision); or "auto", guided where a pilot finds that it pays. ``ntraj`` counts
            single trajectories, and ``result.efficiency`` how many plain ones each stands for.
            Where guided sampling cannot be used, ``stats["notes"]`` says why. CPU only.
        controls: take off what sums of noise of mean zero explain, with weights that a pilot of
            15 % of the run fits: fewer trajectories (each of which takes about four times as long)
            for models of small noise or rings of spins. Not where it gains less than 1.5 times, or
            the members of an array are not equal, which ``stats["notes"]`` says. CPU only.
        symmetrize: average over exact symmetries of the model that permute members of arrays
            (mirror of a chain, translation of a ring, exchange of equal members), which it looks
            for; ``stats["notes"]`` says which. Means are the same, errors and ``std`` smaller.
            Entries of an array that have equal means become equal, with errors from the spread of
            32 batches.
        precision: "single" or "double", of the state of a trajectory; sums are always double, and
            so is mean field.
        device: "cpu", "cuda" (every visible NVIDIA GPU), or "auto", which takes the CPU where no
            GPU can be used, and says so in ``stats["notes"]``. The same seed gives the same
            trajectories on both, up to rounding. None: "cpu", or what ``--device`` says.
        threads: worker threads; None uses the cores at hand. Results do not depend on it.
        target_sem: stop once the standard error of every observable is at most this at every time:
            a number, "1%" or ``wf.relative(0.01)`` (of the observable's largest mean over time;
            ``wf.relative(0.01, at=t)`` asks for it at some times of ``tlist`` alone), or
            a dict of those by name of observable. Looked at after 10, 11, ... 16, 18, ... chunks.
            A run that ends before says in ``stats["notes"]`` how many trajectories it takes.
            Of this and ``dt``, ``precision``, ``timeout``, ``stats["notes"]`` names what the method
            has no use for.
        timeout: stop after this many seconds and return what is done. Ctrl-C does the same, once a
            first chunk is done (a second one raises). Setting
            up, pilots and chunks count (compiling does not). Methods without trajectories run to
            their end; where that takes more than a minute they say so first on standard error.
        keep: "final" keeps every trajectory's classical variables at the last time, as
            ``result.final``, in files too (methods with phase-space trajectories only).
        start: a result of the same method and subsystems with ``keep="final"``: trajectory k starts
            from its sample k instead of the model's initial state, with random numbers of its own
            (another ``seed``). Everything else may differ: rates, times, observables. CPU only.
        checkpoint: a file (or ``wf.Checkpoint``) in which finished chunks are kept. The same call
            with the same file continues, and ends with the same bits as without interruption;
            ``ntraj`` may grow. A file of another run is refused. ``wf.load`` reads it as a result.
        every: how often it is written: "60s" (the default), "5min", seconds, or "100 chunks".
        client: a ``dask.distributed.Client``: chunks run on its workers, with the same bits.
        truncation: whether to estimate the error of the method itself, ``result.truncation``, from
            what is quick: the exact solution, of the model or of smaller ones, or another method.
            It takes at most 0.3 s of the processor, or 30 % of the time of 10,000 trajectories if
            that is more, and compiles nothing; "full" gives it a minute, and lets it. None does it
            unless the environment variable WIGNERFLOW_TRUNCATION is "off". The page "Atlas" of the
            documentation says how good it is.
        progress: show a progress bar on standard error when that is a terminal, or in a notebook.

    Returns:
        A :class:`wignerflow.Result`.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, or the method cannot treat
            the model, or it needs more memory than this machine has; before any work starts. A run
            of more than an hour is warned about (see :meth:`wignerflow.Model.estimate`).
        TimeoutError: no trajectory was finished within ``timeout``.
        FailedTrajectories: more than 1 % of the trajectories became non-finite.
        wf.CheckpointFailed: the checkpoint could not be written; what is done is attached.
    """
    given, begin = dict(locals()), time.perf_counter()
    problem = read_problem(model, tlist, e_ops)
    engine, why = choose(problem, method)
    if why is not None and not runs_trajectories(engine):  # nothing to keep or to spread
        given |= {"checkpoint": None, "every": None, "client": None}
    options = Options(engine, problem, begin, given)
    check_problem(problem)
    if model.pulses and start is None:  # else earlier ones have acted
        check_pulses(problem.model, problem.times)
    check_treats(engine, problem.model, problem.base)
    with _watching(engine, options):
        result: Result = engine.run(Task(problem, engine, options), options)
    if why is not None:
        result.stats["why"] = why
    if options.idle is not None:  # a target of a method with errors would be missed silently
        missed = engine.stochastic and options.target
        kind = "warnings" if missed else "notes"
        result.stats[kind] = [*result.stats.get(kind, ()), options.idle]
    for message in result.stats["warnings"]:
        _check.warn(message)
    if options.truncation:
        from .truncation import FULL, estimate

        def again(*arguments: Any, **options: Any) -> Result:
            return whole(solve(*arguments, **options))

        with spared(result.stats):
            seconds = FULL if options.truncation == "full" else None
            errors, basis = estimate(problem, engine, result, seconds, again)
            result.truncation, result.stats["truncation"] = Values(errors), basis
    off = inaccurate(result.expect, result.sem, result.truncation, result.times)
    if off is not None:
        result.stats["warnings"].append(off)
        _check.warn(off, AccuracyWarning)
    check_failed(result)
    return result


def check_failed(result: Result) -> None:
    """Raise if too many trajectories failed."""
    failed = result.stats.get("failed", 0)
    if failed and result.ntraj == 0:
        raise FailedTrajectories(
            "The solution became non-finite: use a smaller `dt`, or end `tlist` before it "
            "diverges. The values before are in the `result` of this error.",
            result,
        )
    if failed > FAILED_LIMIT * result.ntraj:
        raise FailedTrajectories(
            f"{failed} of {result.ntraj} trajectories became "
            "non-finite (limit 1 %); "
            "use a smaller `dt`. The result of the others is the `result` of this error.",
            result,
        )
