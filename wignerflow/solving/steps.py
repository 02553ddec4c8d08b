"""The function ``solve``, step by step."""

from __future__ import annotations

import time
import warnings
from typing import Any

from ..exact.jumps import QuantumJumps
from ..model.model import Model
from ..result import Result
from .failures import check_failed
from .methods import check_treats, choose, runs_trajectories
from .operators import by_jumps, by_operators
from .options import read_options, unused
from .record import recorded
from .task import check_task, read_task
from .trajectories import Trajectories


def solve(
    model: Model,
    tlist: Any,
    *,
    e_ops: Any,
    method: Any = "twa",
    ntraj: int = 1000,
    seed: int | None = None,
    dt: float | None = None,
    tol: float | None = None,
    precision: str = "single",
    device: str | None = None,
    threads: int | None = None,
    target_sem: Any = None,
    timeout: float | None = None,
    keep: str | None = None,
    start: Result | None = None,
    checkpoint: Any = None,
    every: Any = None,
    client: Any = None,
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
        ntraj: trajectories to run at most (at least 2); ignored by deterministic methods.
        seed: of the random numbers, 0 <= seed < 2**64; None draws one, kept in the result.
        dt: largest step; outputs fall exactly on ``tlist``. None takes the longest step whose error
            stays well below the standard error that ``ntraj`` or ``target_sem`` will reach, as
            seen by a pilot run; steps may then be longer than the time between outputs, which are
            interpolated. ``result.step_error`` holds its error, estimated.
        tol: accepted error of the step instead, as a fraction of an observable's largest mean.
        precision: "single" or "double", of the state of a trajectory; sums are always double, and
            so is mean field.
        device: "cpu", "cuda" (every visible NVIDIA GPU), or "auto", which takes the CPU where no
            GPU can be used, and says so in ``stats["notes"]``. The same seed gives the same
            trajectories on both, up to rounding. None: "cpu", or what ``--device`` says.
        threads: worker threads; None uses the cores at hand. Results do not depend on it.
        target_sem: stop once the standard error of every observable is at most this at every time:
            a number, "1%" or ``wf.relative(0.01)`` (of the observable's largest mean over time), or
            a dict of those by name of observable. Looked at after 10, 11, ... 16, 18, ... chunks.
            Of this and ``dt``, ``precision``, ``timeout``, ``stats["notes"]`` names what the method
            has no use for.
        timeout: stop after this many seconds and return what is done. Ctrl-C does the same.
            Methods without trajectories run to their end.
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
        progress: show a progress bar on standard error when that is a terminal, or in a notebook.

    Returns:
        A :class:`wignerflow.Result`.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, or the method cannot treat
            the model; before any work starts.
        FailedTrajectories: more than 1 % of the trajectories became non-finite.
        wf.CheckpointFailed: the checkpoint could not be written; what is done is attached.
    """
    begin = time.perf_counter()
    task = read_task(model, tlist, e_ops)
    engine, why = choose(task, method)
    if why is not None and not runs_trajectories(engine):  # nothing to keep or to spread
        checkpoint = every = client = None
    options = read_options(
        engine,
        task.model,
        list(task.named),
        ntraj=ntraj,
        seed=seed,
        dt=dt,
        tol=tol,
        precision=precision,
        device=device,
        threads=threads,
        target_sem=target_sem,
        timeout=timeout,
        keep=keep,
        start=start,
        checkpoint=checkpoint,
        every=every,
        client=client,
        progress=progress,
    )
    check_task(task)
    check_treats(engine, task.model)
    run = Trajectories(engine, options, begin)
    task, engine, record = recorded(task, engine, options, run.sampling_times(task))
    if isinstance(engine, QuantumJumps):
        result = by_jumps(task, engine, options, record)
    elif not hasattr(engine, "lower"):
        result = by_operators(task, engine, record)
    else:
        result = run.result(task, engine, record)
    if why is not None:
        result.stats["why"] = why
    idle = unused(engine, options)
    if idle is not None:  # a target of a method with errors would be missed silently
        missed = isinstance(engine, QuantumJumps) and options.target
        kind = "warnings" if missed else "notes"
        result.stats[kind] = [*result.stats.get(kind, ()), idle]
    for message in result.stats["warnings"]:
        warnings.warn(message, UserWarning, stacklevel=2)
    check_failed(result)
    return result
