"""``wf.solve``: one function for every method."""

from __future__ import annotations

import secrets
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _check
from ._version import __version__
from .exact.engine import Exact
from .exact.jumps import QuantumJumps
from .kernels.module import KernelText
from .kernels.observe import Readout
from .model.coefficients import Coef
from .model.model import Model
from .model.operators import ArrayOp, Op
from .observables import Plan, assemble, batched, flatten
from .phasespace.generalized_p import GeneralizedP
from .phasespace.mean_field import MeanField
from .phasespace.twa import TWA
from .result import Result
from .run.automatic import choose_method
from .run.driver import Request, available_threads, simulate
from .run.statistics import Samples

METHODS: dict[str, Callable[[], Any]] = {
    "twa": TWA,
    "mean-field": MeanField,
    "exact": Exact,
    "jumps": QuantumJumps,
    "generalized-p": GeneralizedP,
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
        _check.fail("method", "be a name or a method object such as wf.TWA()", method, kind=TypeError)
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
    device: str = "cpu",
    threads: int | None = None,
    target_sem: Any = None,
    timeout: float | None = None,
    keep: str | None = None,
    progress: bool = True,
) -> Result:
    """Expectation values of a model over time, with standard errors.

    Args:
        model: the master equation and its initial state, which holds at ``tlist[0]``.
        tlist: times, strictly increasing, shape (T,), in units of an inverse rate (hbar = 1).
        e_ops: dict from name to operator, array operator or derived observable, or a list of them.
        method: "twa", "mean-field", "exact", "jumps", "generalized-p", "auto" (exact where that is cheap,
            the generalised P-function where that is exact, else the truncated Wigner approximation; the
            result says which and why), or a method object such as ``wf.TWA(sampling="fixed")``.
        ntraj: trajectories to run at most (at least 2); ignored by deterministic methods.
        seed: of the random numbers, 0 <= seed < 2**64; None draws one (it is kept in the result).
        dt: largest step; outputs fall exactly on ``tlist``. None derives it from the model's rates and
            checks it by halving on a pilot run.
        precision: "single" or "double", of the state of a trajectory; sums are always double.
        device: "cpu".
        threads: worker threads; None uses the cores at hand. Results do not depend on it.
        target_sem: stop once the standard error of every observable is below this number at every
            time; or a dict of numbers by name of observable.
        timeout: stop after this many seconds and return what is done.
        keep: "final" keeps every trajectory's classical variables at the last time, as ``result.final``
            (phase-space methods only).
        progress: show a progress bar on standard error when that is a terminal.

    Returns:
        A :class:`wignerflow.Result`.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, or the method cannot treat
            the model; before any work starts.
        FailedTrajectories: more than 1 % of the trajectories became non-finite.
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    times = _check.tlist(tlist)
    names, base, plan = flatten(e_ops, model.subsystems)
    if isinstance(method, str) and method == "auto":
        engine, why = choose_method(model, times, base)
        result = solve(
            model, tlist, e_ops=e_ops, method=engine, ntraj=ntraj, seed=seed, dt=dt, precision=precision,
            device=device, threads=threads, target_sem=target_sem, timeout=timeout, keep=keep, progress=progress,
        )  # fmt: skip
        result.stats["why"] = why
        return result
    engine = resolve_method(method)
    count = _check.integer("ntraj", ntraj, 2)
    number = _seed(seed)
    step = None if dt is None else _check.positive("dt", dt)
    single = _check.one_of("precision", precision, ["single", "double"]) == "single"
    _check.one_of("device", device, ["cpu"])
    workers = None if threads is None else _check.integer("threads", threads, 1)
    limit = None if timeout is None else _check.positive("timeout", timeout)
    target = _targets(target_sem, names)
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
    provenance = {
        "wignerflow": __version__,
        "method": repr(engine),
        "tlist": times.tolist(),
        "dt": step,
        "seed": number,
        "precision": precision,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
    }
    if isinstance(engine, QuantumJumps):
        return _solve_jumps(engine, model, times, base, plan, provenance, count, number, workers, limit)
    if not hasattr(engine, "lower"):
        return _solve_exact(engine, model, times, base, plan, provenance)
    if not engine.stochastic:
        count = 2
    system, symbols = engine.lower(model, base, times)
    text = KernelText(system, [Readout(symbols[k], plan.base[k].is_complex) for k in base])
    request = Request(count, number, single, workers, limit, step, keep=keep == "final")
    if target:
        request.reached = _reached(plan, target)
    bar = _Bar(count, progress and engine.stochastic)
    request.progress = bar.update
    try:
        outcome = simulate(text, times, batched(plan, plan.slots()), request)
    finally:
        bar.close()
    stats = outcome.stats
    stats["warnings"] += [*system.notes, *_diagnose(stats, outcome.samples)]
    if system.facts:
        stats["notes"] = list(system.facts)
    if not engine.stochastic:
        stats["stopped_because"] = "deterministic"
        slots, means = plan.slots(), outcome.samples.average()
        values = {key: slots[key].read(means) for key in base}
        return Result.from_values(
            times, plan, values, method=engine.name, dt=outcome.dt, stats=stats, provenance=provenance,
            model=_plain(model, times),
        )  # fmt: skip
    result = Result.from_samples(
        times, plan, outcome.samples, method=engine.name, seed=number, dt=outcome.dt, stats=stats,
        provenance=provenance, model=_plain(model, times),
    )  # fmt: skip
    result.final, result.variables = outcome.final, text.variables
    for message in stats["warnings"]:
        warnings.warn(message, UserWarning, stacklevel=2)
    if outcome.samples.failed > FAILED_LIMIT * outcome.samples.ntraj:
        raise FailedTrajectories(
            f"{outcome.samples.failed} of {outcome.samples.ntraj} trajectories became non-finite (limit 1 %); "
            "use a smaller `dt`. The result of the others is the `result` of this error.",
            result,
        )
    return result


def _seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(63)
    number = _check.integer("seed", seed, 0)
    if number >= 2**64:
        _check.fail("seed", "be below 2**64", seed)
    return number


def _targets(target: Any, names: list[str]) -> dict[str, float]:
    if target is None:
        return {}
    if not isinstance(target, Mapping):
        return dict.fromkeys(names, _check.positive("target_sem", target))
    return {_check.one_of("target_sem", n, names): _check.positive(f"target_sem[{n!r}]", v) for n, v in target.items()}


def _reached(plan: Plan, target: dict[str, float]) -> Callable[[Samples], bool]:
    def reached(samples: Samples) -> bool:
        _, sem, _ = assemble(plan, samples, plan.slots())
        return all(float(np.nanmax(np.abs(sem[name]))) <= value for name, value in target.items())

    return reached


def _check_rates(model: Model, times: NDArray[np.float64]) -> None:
    for k, jump in enumerate(model.jumps):
        if isinstance(jump.rate, Coef):
            values = jump.rate(times)
            if np.any(values.real < 0) or np.any(np.abs(values.imag) > 1e-12 * np.abs(values).max()):
                bad = int(np.argmin(values.real))
                _check.fail(f"jumps[{k}].rate", "be real and non-negative at every time", f"{values[bad]} at t = {times[bad]}")


def _plain(model: Model, times: NDArray[np.float64]) -> dict[str, Any]:
    return model.to_dict(times)


def _diagnose(stats: Mapping[str, Any], samples: Samples) -> list[str]:
    """Plain warnings about a run."""
    out = []
    if samples.failed:
        out.append(f"{samples.failed} of {samples.ntraj} trajectories became non-finite and were left out from then on.")
    difference = stats.get("step_difference")
    if difference is not None and difference > 2e-3:
        out.append(f"The step error may be {difference:.2g} of the largest mean: no step met the tolerance.")
    if stats.get("short_spins", 0) > SHORT_WARNING:
        out.append(
            f"Up to {stats['short_spins']:.0%} of the spins have a length of order one, where the truncated Wigner "
            "approximation is not controlled: compare with an exact method at smaller N."
        )
    return out


def _solve_exact(
    engine: Any,
    model: Model,
    times: NDArray[np.float64],
    base: Mapping[str, Op | ArrayOp],
    plan: Plan,
    provenance: dict[str, Any],
) -> Result:
    """Run a method that works on operators, member by member."""
    start = time.perf_counter()
    solution = engine.solve(model, times, _members(base))
    values = _gather(base, solution.expect)
    stats = {**solution.stats, "wall_time": time.perf_counter() - start, "warnings": [], "stopped_because": "deterministic"}
    return Result.from_values(
        times, plan, values, method=engine.name, stats=stats, provenance=provenance, model=_plain(model, times)
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
) -> Result:
    """Quantum jumps: every run's values are kept, so that derived observables have errors too."""
    keeper = QuantumJumps(engine.engine, memory=engine.memory, keep=True)
    solution = keeper.solve(
        model, times, _members(base), ntraj=ntraj, seed=seed, threads=threads or available_threads(), timeout=timeout
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
    stats["warnings"] = []
    return Result.from_samples(
        times, plan, samples, method=engine.name, seed=seed, stats=stats, provenance=provenance,
        model=_plain(model, times),
    )  # fmt: skip


class _Bar:
    """A progress bar on standard error, made only when a run lasts."""

    def __init__(self, total: int, wanted: bool):
        self.total, self.wanted = total, wanted and sys.stderr.isatty()
        self.start = time.perf_counter()
        self.bar: Any = None

    def update(self, done: int, samples: Samples) -> None:
        """Show the number of trajectories done."""
        if not self.wanted or (self.bar is None and time.perf_counter() - self.start < 1):
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(total=self.total, unit="traj", file=sys.stderr, leave=False)
        self.bar.n = done
        self.bar.refresh()

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
