"""``wf.solve``: one function for every method."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _check
from . import result as results
from .checkpoint import Checkpoint, FileKeeper, Found
from .exact.engine import Exact
from .exact.jumps import QuantumJumps
from .kernels.cpu import CpuKernel
from .kernels.cuda import NoDevice
from .kernels.kernel import Kernel
from .kernels.module import Grid, KernelText
from .kernels.observe import Readout
from .model.coefficients import Coef
from .model.model import Model
from .model.operators import ArrayOp, Op
from .moments.method import Cumulant
from .observables import Plan, assemble, batched, flatten
from .phasespace.generalized_p import GeneralizedP
from .phasespace.mean_field import MeanField
from .phasespace.schwinger import Schwinger
from .phasespace.twa import TWA, SpinTWA
from .progress import Progress
from .provenance import NotPlain, identity, read_call, versions, write_call
from .result import Result
from .run.automatic import choose_method
from .run.cluster import Cluster, check_client
from .run.driver import Request, State, available_threads, prepare, simulate
from .run.gpus import default_device, place
from .run.statistics import Samples
from .run.stopping import Target, targets, worst

METHODS: dict[str, Callable[[], Any]] = {
    "twa": TWA,
    "spin-twa": SpinTWA,
    "mean-field": MeanField,
    "cumulant": Cumulant,
    "exact": Exact,
    "jumps": QuantumJumps,
    "generalized-p": GeneralizedP,
    "schwinger-w": partial(Schwinger, "W"),
    "schwinger-p": partial(Schwinger, "P"),
    "schwinger-q": partial(Schwinger, "Q"),
}

FAILED_LIMIT = 0.01
CLIP_WARNING = 0.05
SHORT_WARNING = 0.05


class FailedTrajectories(RuntimeError):
    """More than one trajectory in a hundred became non-finite; ``result`` holds the others."""

    def __init__(self, message: str, result: Result):
        super().__init__(message)
        self.result = result


def resolve_method(method: Any) -> Any:
    """A method object from its name, or the object itself."""
    if isinstance(method, str):
        return METHODS[_check.one_of("method", method, [*METHODS, "auto"])]()
    if not hasattr(method, "name") or not (hasattr(method, "lower") or hasattr(method, "solve")):
        _check.fail(
            "method", "be a name or a method object such as wf.TWA()", method, kind=TypeError
        )
    return method


def solve(
    model: Model,
    tlist: Any,
    *,
    e_ops: Any,
    method: Any = "twa",
    ntraj: int = 1000,
    seed: int | None = None,
    dt: float | None = None,
    precision: str = "single",
    device: str | None = None,
    threads: int | None = None,
    target_sem: Any = None,
    timeout: float | None = None,
    keep: str | None = None,
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
        dt: largest step; outputs fall exactly on ``tlist``. None derives it from the model's rates
            and checks it by halving on a pilot run.
        precision: "single" or "double", of the state of a trajectory; sums are always double.
        device: "cpu", "cuda" (every visible NVIDIA GPU), or "auto", which takes the CPU where no
            GPU can be used, and says so in ``stats["notes"]``. The same seed gives the same
            trajectories on both, up to rounding. None: "cpu", or what ``--device`` says.
        threads: worker threads; None uses the cores at hand. Results do not depend on it.
        target_sem: stop once the standard error of every observable is at most this at every time:
            a number, "1%" or ``wf.relative(0.01)`` (of the observable's largest mean over time), or
            a dict of those by name of observable. Looked at after 10, 11, ... 16, 18, ... chunks.
        timeout: stop after this many seconds and return what is done. Ctrl-C does the same.
        keep: "final" keeps every trajectory's classical variables at the last time, as
            ``result.final`` (phase-space methods only).
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
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    times = _check.tlist(tlist)
    names, base, plan = flatten(e_ops, model.subsystems)
    if isinstance(method, str) and method == "auto":
        engine, why = choose_method(model, times, base)
        if not _samples(engine):  # nothing to keep or to spread
            checkpoint = every = client = None
        result = solve(
            model,
            tlist,
            e_ops=e_ops,
            method=engine,
            ntraj=ntraj,
            seed=seed,
            dt=dt,
            precision=precision,
            device=device,
            threads=threads,
            target_sem=target_sem,
            timeout=timeout,
            keep=keep,
            progress=progress,
            checkpoint=checkpoint,
            every=every,
            client=client,
        )
        result.stats["why"] = why
        return result
    engine = resolve_method(method)
    count = _check.integer("ntraj", ntraj, 2)
    kept, found = _checkpoint(checkpoint, every, engine, keep)
    number = found.seed if found is not None and seed is None else _seed(seed)
    step = None if dt is None else _check.positive("dt", dt)
    single = _check.one_of("precision", precision, ["single", "double"]) == "single"
    if device is None:
        device = default_device() if _samples(engine) else "cpu"
    workers = None if threads is None else _check.integer("threads", threads, 1)
    limit = None if timeout is None else _check.positive("timeout", timeout)
    target = targets(target_sem, names)
    if client is not None:
        check_client(client)
        if not _samples(engine):
            _check.fail("client", "be None for a method without phase-space trajectories", client)
    if keep is not None:
        _check.one_of("keep", keep, ["final"])
        if not getattr(engine, "stochastic", False):
            _check.fail("keep", "be None for a method without phase-space trajectories", keep)
    for name, op in base.items():
        if isinstance(op, Op) and op.coefficients:
            _check.fail("e_ops", "not contain time coefficients", f"{name} with some")
    for coefficient in model.coefficients:
        coefficient(times)  # raises here, not in the middle of a run
    _check_rates(model, times)
    reason = engine.refuses(model)
    if reason is not None:
        raise ValueError(f"Method {engine!r} cannot treat this model: {reason}.")
    provenance: dict[str, Any] = {
        **versions(),
        "method": repr(engine),
        "tlist": times.tolist(),
        "dt": step,
        "seed": number,
        "precision": precision,
        "device": "cpu",
    }
    named = dict(zip(names, e_ops.values() if isinstance(e_ops, Mapping) else e_ops, strict=True))
    lowers = hasattr(engine, "lower")
    # a continued run takes the step that it chose before
    known = found.known_step() if found is not None and step is None else None
    prepared = known
    request = Request(
        count if _samples(engine) or not lowers else 2,
        number,
        single,
        workers,
        limit,
        step,
        keep=keep == "final",
        start=begin,
    )
    without = place(request, device, _samples(engine))
    if client is not None and request.pool is not None:
        _check.fail("client", "be None with device='cuda', which takes the GPUs here", client)
    sampling = times
    if lowers and any(c.function is not None for c in model.coefficients):
        # callables are tabulated where the kernel will read them, once the step is known
        text = _lowered(engine, model, base, plan, times)
        prepared = known or prepare(text, times, request)
        sampling = text.coefficient_times(Grid.make(times, prepared[0]), times)
    form: dict[str, Any] | None = None
    try:
        if not lowers and any(c.function is not None for c in model.coefficients):
            raise NotPlain(
                "a coefficient is a callable, which this method reads at times of its own"
            )
        call = write_call(model, named, engine, sampling)
        form = call["model"]
        provenance |= {"repeatable": True, "e_ops": call["e_ops"], "engine": call["method"]}
        # run what the plain form describes, so that running it again gives the same bits
        model, named, engine = read_call(call, METHODS)
        names, base, plan = flatten(named, model.subsystems)
    except NotPlain as error:
        provenance["repeatable"] = str(error)
        if form is None:
            form = _plain(model, times)
    if isinstance(engine, QuantumJumps):
        return _solve_jumps(
            engine, model, times, base, plan, provenance, count, number, workers, limit, form
        )
    if not lowers:
        return _solve_exact(engine, model, times, base, plan, provenance, form)
    text = _lowered(engine, model, base, plan, times)
    if target:
        request.reached = _reached(plan, target)
    if client is not None:
        request.pool = partial(Cluster, client)
    bar = Progress(plan, count, target, progress and engine.stochastic)
    request.progress = bar.update

    def build(state: State, stats: dict[str, Any]) -> Result:
        return Result.from_samples(
            times,
            plan,
            state.samples,
            method=engine.name,
            seed=number,
            stats=stats,
            dt=float(Grid.make(times, provenance["step"]).hs.max()),
            provenance=provenance,
            model=form,
        )

    def who(kernel: Kernel, dt: float, cpu: str) -> dict[str, str]:
        return identity({**provenance, "target": cpu}, form, plan, kernel.digest, dt, kernel.lanes)

    if kept is not None:
        given = {"dt": step}
        request.keeper = FileKeeper(kept, build, who, given, count, found)
    try:
        if prepared is None:
            prepared = prepare(text, times, request)
        provenance["step"] = prepared[0]
        kept_batches = batched(plan, plan.slots())
        try:
            outcome = simulate(text, times, kept_batches, request, prepared)
        except NoDevice as error:  # nothing has run yet
            if device != "auto":
                raise
            without = str(error)
            request.pool, request.kernel = None, CpuKernel
            outcome = simulate(text, times, kept_batches, request, prepared)
    finally:
        bar.close()
    provenance["target"] = outcome.stats["target"]
    provenance["device"] = "cpu" if outcome.stats["device"] == "cpu" else "cuda"
    stats = outcome.stats
    stats["warnings"] += [*text.system.notes, *_diagnose(stats, outcome.samples)]
    notes = list(text.system.facts)
    if without is not None:
        notes.append(f"device='auto' took the CPU: {without.rstrip('.')}.")
    if notes:
        stats["notes"] = notes
    if not engine.stochastic:
        stats["stopped_because"] = "deterministic"
        slots, means = plan.slots(), outcome.samples.average()
        values = {key: slots[key].read(means) for key in base}
        return Result.from_values(
            times,
            plan,
            values,
            method=engine.name,
            dt=outcome.dt,
            stats=stats,
            provenance=provenance,
            model=form,
        )
    result = Result.from_samples(
        times,
        plan,
        outcome.samples,
        method=engine.name,
        seed=number,
        dt=outcome.dt,
        stats=stats,
        provenance=provenance,
        model=form,
    )
    result.final, result.variables = outcome.final, text.variables
    for message in stats["warnings"]:
        warnings.warn(message, UserWarning, stacklevel=2)
    if outcome.samples.failed > FAILED_LIMIT * outcome.samples.ntraj:
        raise FailedTrajectories(
            f"{outcome.samples.failed} of {outcome.samples.ntraj} trajectories became "
            "non-finite (limit 1 %); "
            "use a smaller `dt`. The result of the others is the `result` of this error.",
            result,
        )
    return result


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
    return solve(
        model,
        what["tlist"],
        e_ops=e_ops,
        method=engine,
        seed=what["seed"],
        dt=what.get("step"),
        ntraj=max(2, result.ntraj) if ntraj is None else ntraj,
        precision=what["precision"],
        **{"device": what.get("device", "cpu"), **options},
    )


results.HOOKS["rerun"] = rerun


def _samples(engine: Any) -> bool:
    """Whether a method runs phase-space trajectories."""
    return hasattr(engine, "lower") and bool(engine.stochastic)


def _checkpoint(
    checkpoint: Any, every: Any, engine: Any, keep: Any
) -> tuple[Checkpoint | None, Found | None]:
    """The checkpoint asked for, and what stands in it."""
    if checkpoint is None:
        if every is not None:
            _check.fail("every", "be None without `checkpoint`", every)
        return None, None
    if not _samples(engine):
        _check.fail(
            "checkpoint", "be None for a method without phase-space trajectories", checkpoint
        )
    if keep is not None:
        _check.fail("keep", "be None with `checkpoint`, which holds sums only", keep)
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint, every)
    elif every is not None:
        _check.fail("every", "be given to wf.Checkpoint", every)
    return checkpoint, Found.read(checkpoint.path)


def _lowered(
    engine: Any, model: Model, base: Mapping[str, Any], plan: Plan, times: NDArray[np.float64]
) -> KernelText:
    system, symbols = engine.lower(model, base, times)
    return KernelText(system, [Readout(symbols[k], plan.base[k].is_complex) for k in base])


def _seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(63)
    number = _check.integer("seed", seed, 0)
    if number >= 2**64:
        _check.fail("seed", "be below 2**64", seed)
    return number


def _reached(plan: Plan, target: Mapping[str, Target]) -> Callable[[Samples], bool]:
    def reached(samples: Samples) -> bool:
        mean, sem, _ = assemble(plan, samples, plan.slots())
        return worst(target, mean, sem)[1] <= 1

    return reached


def _check_rates(model: Model, times: NDArray[np.float64]) -> None:
    for k, jump in enumerate(model.jumps):
        if isinstance(jump.rate, Coef):
            values = jump.rate(times)
            if np.any(values.real < 0) or np.any(
                np.abs(values.imag) > 1e-12 * np.abs(values).max()
            ):
                bad = int(np.argmin(values.real))
                _check.fail(
                    f"jumps[{k}].rate",
                    "be real and non-negative at every time",
                    f"{values[bad]} at t = {times[bad]}",
                )


def _plain(model: Model, times: NDArray[np.float64]) -> dict[str, Any] | None:
    try:
        return model.to_dict(times)
    except (ValueError, TypeError):  # too large for the format
        return None


def _diagnose(stats: Mapping[str, Any], samples: Samples) -> list[str]:
    """Plain warnings about a run."""
    out = []
    if samples.failed:
        out.append(
            f"{samples.failed} of {samples.ntraj} trajectories became non-finite and "
            "were left out from then on."
        )
    difference = stats.get("step_difference")
    if difference is not None and difference > 2e-3:
        out.append(
            f"The step error may be {difference:.2g} of the largest mean: "
            "no step met the tolerance."
        )
    if stats.get("short_spins", 0) > SHORT_WARNING:
        out.append(
            f"Up to {stats['short_spins']:.0%} of the spins have a length of order one, where "
            "the truncated Wigner approximation is not controlled: compare with an exact method at "
            "smaller N."
        )
    return out


def _solve_exact(
    engine: Any,
    model: Model,
    times: NDArray[np.float64],
    base: Mapping[str, Op | ArrayOp],
    plan: Plan,
    provenance: dict[str, Any],
    form: dict[str, Any] | None,
) -> Result:
    """Run a method that works on operators, member by member."""
    start = time.perf_counter()
    solution = engine.solve(model, times, _members(base))
    values = _gather(base, solution.expect)
    stats = {
        **solution.stats,
        "wall_time": time.perf_counter() - start,
        "warnings": list(solution.stats.get("warnings", ())),
        "stopped_because": "deterministic",
    }
    for message in stats["warnings"]:
        warnings.warn(message, UserWarning, stacklevel=3)
    return Result.from_values(
        times, plan, values, method=engine.name, stats=stats, provenance=provenance, model=form
    )


def _members(base: Mapping[str, Op | ArrayOp]) -> dict[str, Op]:
    """Array operators written out member by member."""
    out: dict[str, Op] = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out.update({f"{key}[{m}]": op[m] for m in range(op.size)})
        else:
            out[key] = op
    return out


def _gather(base: Mapping[str, Op | ArrayOp], values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Inverse of ``_members`` for values: members on the last axis."""
    out = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out[key] = np.stack([values[f"{key}[{m}]"] for m in range(op.size)], axis=-1)
        else:
            out[key] = values[key]
    return out


def _solve_jumps(
    engine: QuantumJumps,
    model: Model,
    times: NDArray[np.float64],
    base: Mapping[str, Op | ArrayOp],
    plan: Plan,
    provenance: dict[str, Any],
    ntraj: int,
    seed: int,
    threads: int | None,
    timeout: float | None,
    form: dict[str, Any] | None,
) -> Result:
    """Quantum jumps: every run's values are kept, so that derived observables have errors too."""
    keeper = QuantumJumps(engine.engine, memory=engine.memory, keep=True)
    solution = keeper.solve(
        model,
        times,
        _members(base),
        ntraj=ntraj,
        seed=seed,
        threads=threads or available_threads(),
        timeout=timeout,
    )
    stats = dict(solution.stats)
    runs = _gather(base, stats.pop("samples"))
    slots = plan.slots()
    channels = np.empty((stats["ntraj"], times.size, plan.channels))
    for key, slot in slots.items():
        value = runs[key].reshape(stats["ntraj"], times.size, -1)
        parts = [value.real, value.imag] if slot.is_complex else [value.real]
        channels[:, :, slot.span] = np.concatenate(parts, axis=-1)
    samples = Samples.of_runs(channels, batched(plan, slots))
    stats["warnings"] = list(stats.get("warnings", ()))
    for message in stats["warnings"]:
        warnings.warn(message, UserWarning, stacklevel=3)
    return Result.from_samples(
        times,
        plan,
        samples,
        method=engine.name,
        seed=seed,
        stats=stats,
        provenance=provenance,
        model=form,
    )
