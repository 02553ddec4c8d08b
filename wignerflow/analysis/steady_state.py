r"""Steady states: the null vector of the Lindbladian, or time averages of relaxed trajectories.

With trajectories, the model is run from its own initial state and from another one on [0, T], with
T doubled until two lengths in a row pass two tests: the means over the third and over the last
quarter agree, and so do the means over the second half from both initial states. Every trajectory's
time average is one independent number; their spread over batches of trajectories (index mod 32)
gives the error, whatever the autocorrelation, and the tests are Student's, at a family-wise error
rate of 1 %. The result is the mean over the second half, from both initial states.

Second-order cumulants are integrated, T doubled, until no moment moves by more than 1e-6 of the
largest between T/2 and T, from the model's own initial state and from the opposite one, which has
the same symmetries: a state that breaks the phase symmetry of a laser would keep a phase for ever.

No average begins before three lifetimes of the slowest rate in the model (of one emitter under a
local jump). Later than T nothing is seen: a metastable state that both initial states fall into
passes for steady. A deterministic method (mean field) has settled when both means agree to 1e-6.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .._check import Times
from ..estimate import part
from ..exact.engine import Exact
from ..exact.jumps import QuantumJumps
from ..exact.steady import NotUnique
from ..method import AnyMethod, Device, Precision
from ..model.model import Model
from ..model.pulses import refuse_pulses
from ..moments.integrate import NotSettled
from ..moments.method import Cumulant
from ..observables import Observables, assemble, assemble_exact, batched
from ..result import Values
from ..run.automatic import choose_method
from ..run.pool import choose_device
from ..run.statistics import BATCHES, Samples
from ..solving import (
    check_treats,
    gather,
    members,
    plain_form,
    resolve_method,
    runs_trajectories,
    watching,
)
from ..solving.options import truncation_of
from ..solving.problem import Problem
from ..solving.symmetrized import Symmetrized
from .controls import Controlled, Late, control
from .periodic_state import PeriodicRunner, Phases, alone, eigenvector
from .relaxation import Runner, Test, elsewhere, opposite, relaxation, request_of
from .steady_value import SteadyState as SteadyState
from .steady_value import asked, assembled, certain

DOUBLINGS = 16
AGREE = 1e-4  # of the largest mean: cumulants from two initial states
PATIENCE = 6  # lengths at which both initial states stand still apart before this is said
STANDING = (
    " Without noise a start that has no coherence (an empty mode beside inverted emitters) may "
    "stand where the smallest one would grow: give it a little, as by `wf.coherent(0.1)`."
)


class NotRelaxed(ValueError):
    """No steady state was reached in the time allowed."""


@_check.called("wf.steady_state(model, {'z': atoms.Jz})")
def steady_state(
    model: Model,
    e_ops: Observables,
    method: AnyMethod = "twa",
    *,
    ntraj: int = 2000,
    seed: int | None = None,
    dt: float | None = None,
    precision: Precision = "single",
    device: Device | None = None,
    threads: int | None = None,
    unique: bool = True,
    relax: float | None = None,
    timeout: float | None = None,
    controls: bool | None = None,
    symmetrize: bool = True,
    period: float | None = None,
    tlist: Times | None = None,
    truncation: bool | Literal["full"] | None = None,
    progress: bool = True,
) -> SteadyState:
    """Expectation values in the steady state of a model, constant or periodic in time.

    Args:
        model: the master equation, constant in time; with ``period``, of that period.
        e_ops: dict from name to operator, array operator or derived observable, or a list of them.
        method: as in :func:`wignerflow.solve`: "exact" takes the null vector of the Lindbladian,
            "cumulant" integrates the moments until they stand still, "twa", "jumps", "mean-field"
            and the others run trajectories until they have relaxed.
        ntraj: trajectories, at least 64, half of them from another initial state.
        seed, dt, precision, device, threads: as in :func:`wignerflow.solve`.
        unique: refuse a steady state that depends on the initial state. False takes the one that
            the model's own initial state reaches, and runs trajectories from there alone.
        relax: time to leave out before averaging over as long again; None detects it. The tests are
            made all the same.
        timeout: give up after this many seconds.
        controls: take off averages of L f, whose mean is zero in a steady state (L the generator of
            the method's equations, f polynomials of the state): errors fall a hundred times and
            more, and most of the step's error goes too. None does it for systems of up to 8
            variables without arrays; True raises where it cannot be done.
        symmetrize: average over exact symmetries, as :func:`wignerflow.solve` does.
        period: of the drive. The result is the state that repeats with it, which ``method="exact"``
            finds as the eigenvector of the map of one period, and trajectories by averages over
            periods; "cumulant" and "mean-field" refuse.
        tlist: with ``period``, times in [0, period], ascending, shape (T,); values have it too.
        truncation: as in :func:`wignerflow.solve`.
        progress: as in :func:`wignerflow.solve`: how far the run to the present length has come,
            which doubles until the model has relaxed.

    Returns:
        A :class:`SteadyState`; ``stats["known"]`` says how it is known.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, the model depends on time,
            or the method cannot treat it.
        NotUnique: the steady state depends on the initial state (a ValueError).
        NotRelaxed: no steady state was reached in the time allowed (a ValueError).
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    refuse_pulses(model, "a steady state")
    if period is None and model.coefficients:
        raise ValueError(
            "A steady state needs a model that is constant in time, or a `period` and times "
            "`tlist` in it."
        )
    stated = truncation_of(truncation)
    if period is None and tlist is not None:
        _check.fail("tlist", "be None without `period`", tlist)
    problem = asked(model, e_ops, period or 1.0)
    why = None
    if method == "auto":
        engine, why = choose_method(model, problem.times, problem.base)
    else:
        engine = resolve_method(method)
    request = request_of(ntraj, seed, dt, precision, threads)
    known = None if relax is None else _check.positive("relax", relax)
    limit = None if timeout is None else _check.positive("timeout", timeout)
    if controls not in (None, True, False):
        _check.fail("controls", "be True, False or None", controls, kind=TypeError)
    if symmetrize not in (True, False):
        _check.fail("symmetrize", "be True or False", symmetrize, kind=TypeError)
    check_treats(engine, model)
    if device is not None:
        choose_device(device, runs_trajectories(engine))
    start = time.perf_counter()
    phases = None
    if period is not None:
        phases = Phases.of(model, period, tlist)
        if isinstance(engine, Exact):
            alone({"ntraj": ntraj, "seed": seed, "dt": dt, "precision": precision,
                   "device": device, "threads": threads, "unique": unique, "relax": relax,
                   "timeout": timeout, "controls": controls}, steady_state)  # fmt: skip
        elif controls:
            _check.fail("controls", "be None or False with `period`", True)
        elif not engine.stochastic:
            raise ValueError(
                f"Method {engine!r} has no steady states of periodic drives; use 'exact', 'twa' or "
                "'jumps'."
            )
    deadline = None if limit is None else start + limit
    ends = None if isinstance(engine, Exact) else limit
    told = progress and not runs_trajectories(engine)
    with watching("steady_state", told=told, shown=progress, timeout=ends):
        if isinstance(engine, Exact) and phases is not None:
            out = eigenvector(engine, problem, phases)
        elif isinstance(engine, Exact):
            out = _null_vector(engine, problem, unique)
        elif isinstance(engine, Cumulant):
            out = _moments(engine, problem, unique, deadline)
        elif hasattr(engine, "lower") or isinstance(engine, QuantumJumps):
            base, plan = problem.base, problem.plan
            average = symmetrize and phases is None
            same = Symmetrized.of(model, base, plan, engine, 1) if average else Symmetrized(base)
            given = (same, plan, request, device)
            if phases is None:
                runner = Runner(engine, model, *given, controls)
            else:
                runner = PeriodicRunner(phases, engine, phases.repeated(model), *given)
            if controls and not runner.controls:
                why_not = f"Controls do not apply: {runner.uncontrolled}."
                _check.fail("controls", "be None or False for this model and method", True, why_not)
            out = _relaxed(runner, request.ntraj, unique, known, deadline)
            if same.note is not None:
                out.stats["notes"] = [same.note]
        else:
            raise ValueError(
                f"Method {engine!r} has no steady states; use 'exact', 'jumps', 'twa' or "
                "'cumulant'."
            )
    if why is not None:
        out.stats["why"] = why
    out.stats["wall_time"] = time.perf_counter() - start
    if phases is not None:
        out.stats["times"] = phases.times
    out.model = plain_form(model, np.linspace(0.0, period or 1.0, 201 if period else 2))
    for message in out.stats.setdefault("warnings", []):
        _check.warn(message)
    if stated:
        from .truncations import state_steady

        again = partial(
            steady_state, seed=1, unique=False, controls=controls, precision=precision,
            truncation=False,
        )  # fmt: skip
        state_steady(out, engine, problem, stated == "full", again, phases)
    return out


def time_to_rest(model: Model, ops: dict[str, Any], engine: Any, seed: int) -> float:
    """Time from which the steady state holds that the model's own initial state reaches."""
    with part("coming to rest"):
        found = steady_state(
            model, ops, engine, ntraj=512, seed=seed, unique=False, truncation=False
        )
    return float(found.stats["relaxed"])


# ---------------------------------------------------------------- null vector


def _null_vector(engine: Exact, problem: Problem, unique: bool) -> SteadyState:
    solution = engine.steady_state(problem.model, members(problem.base), unique=unique)
    stats = dict(solution.stats)
    same = (
        "the same from a random start" if stats["unique"] else "one of several: the long-time mean"
    )
    stats["known"] = f"Null vector of the Lindbladian, residual {stats['residual']:.0e}; {same}."
    return certain(assembled(problem, solution.expect), engine.name, stats)


# ---------------------------------------------------------------- moments


def _moments(
    engine: Cumulant, problem: Problem, unique: bool, deadline: float | None
) -> SteadyState:
    """Second-order cumulants, integrated until they stand still."""

    def expired() -> bool:
        return deadline is not None and time.perf_counter() > deadline

    model, base = problem.model, problem.base
    starts = [model, opposite(model)] if unique else [model]
    found = []
    for start in starts:
        try:
            found.append(engine.steady_state(start, members(base), expired))
        except NotSettled as error:
            raise NotRelaxed(str(error)) from error
    means = [{k: np.asarray(v)[None] for k, v in gather(base, s.expect).items()} for s in found]
    largest = max(float(np.abs(v).max()) for v in means[0].values())
    apart = max(float(np.abs(v - means[-1][k]).max()) for k, v in means[0].items())
    if apart > AGREE * max(largest, 1.0):
        raise NotUnique(
            "The steady state of the moment equations is not unique: the model's own initial state "
            f"and the opposite one lead to means that differ by {apart:.3g}. Pass `unique=False` "
            "for what the model's own initial state reaches."
        )
    stats = {**found[0].stats, "unique": unique}
    stats["known"] = (
        f"Moments integrated to t = {stats['relaxed']:.4g}: they moved by {stats['drift']:.0e} of "
        "the largest over the second half"
        + (", and are the same from the opposite initial state." if unique else ".")
    )
    return certain(assembled(problem, found[0].expect), engine.name, stats)


# ---------------------------------------------------------------- trajectories


def _relaxed(
    runner: Runner,
    ntraj: int,
    unique: bool,
    relax: float | None,
    deadline: float | None,
) -> SteadyState:
    starts = [runner.model, elsewhere(runner.model)] if unique else [runner.model]
    share = ntraj // len(starts)
    T = runner.length(runner.first_time() if relax is None else 2 * relax)
    passed = apart = swinging = 0
    test = None
    runner.deadline = deadline
    for _ in range(DOUBLINGS if relax is None else 1):
        runner.swings = False
        try:
            parts = []
            for k, m in enumerate(starts):
                with part(f"to t = {T:.3g}", k, len(starts)):
                    parts.append(runner.quarters(k, m, T, share))
        except (TimeoutError, ValueError) as error:
            if test is not None:  # too long for the time, the memory or the steps there are
                T /= 2
                break
            if isinstance(error, ValueError):
                raise
            raise NotRelaxed(
                f"The time was up before it was known whether the model comes to rest by "
                f"t = {T:.4g}: pass a longer `timeout`, or fewer `ntraj`."
            ) from error
        test = relaxation(parts, runner.stochastic, runner.largest)
        passed = passed + 1 if test.passed else 0
        if passed == (2 if relax is None else 1):
            return _finish(runner, parts, test, T, share, unique, starts)
        swinging = swinging + 1 if runner.swings and relax is None else 0
        if swinging == 2:
            raise NotRelaxed(
                f"The model does not come to rest, because it oscillates: until t = {T:.4g} the "
                "means swing, in the second half of that time no less than before. Look "
                "at it with `wf.solve`, and average there over its periods. If it calms down far "
                "more slowly than its rates say, pass the time that it needs as `relax`."
            )
        apart = apart + 1 if test.drift < test.limit <= test.difference else 0
        # without noise, what they still move tells that no longer time brings them together
        hopeless = not runner.stochastic and 4 * 2**DOUBLINGS * test.drift < test.difference
        if apart == (2 if hopeless else PATIENCE) or (
            deadline is not None and time.perf_counter() > deadline
        ):
            break
        T *= 2
    else:
        T /= 2
    unit = runner.unit
    assert test is not None
    if test.drift < test.limit <= test.difference:
        raise NotUnique(
            f"The steady state is not unique, or relaxation is slow: until t = {T:.4g} the model's "
            f"own initial state and another one lead to means that differ by {test.difference:.3g} "
            f"{unit} (limit {test.limit:.1f}). Pass `unique=False` for what the model's "
            "own initial state reaches." + ("" if runner.stochastic else STANDING)
        )
    raise NotRelaxed(
        f"The model had not come to rest by t = {T:.4g}: between the third and the last quarter of "
        f"that time its means still changed by {test.drift:.3g} {unit}, where chance makes "
        f"{test.limit:.1f} at most. Either it needs longer: pass a longer `timeout`, or that time "
        "as `relax`. Or it never rests, because it oscillates: look at it with `wf.solve`."
    )


def _controlled(
    runner: Runner, starts: list[Model], T: float, share: int, longer: float = 1.0
) -> Controlled:
    parts = []
    for k, m in enumerate(starts):
        with part("controls" if longer == 1 else "error of the step", k, len(starts)):
            parts.append(runner.late(k, m, T, share, longer))
    return control(Late.join(parts))


def _finish(
    runner: Runner,
    parts: list[NDArray[np.float64]],
    test: Test,
    T: float,
    share: int,
    unique: bool,
    starts: list[Model],
) -> SteadyState:
    runs = runner.shaped(np.concatenate([p[:, 2:].mean(axis=1) for p in parts]))
    plan, slots = runner.plan, runner.slots
    stats: dict[str, Any] = {
        "unique": unique,
        "relaxed": T / 2,
        "averaged": T / 2,
        "drift": test.drift,
        "difference": test.difference,
        "limit": test.limit,
        "failed": runner.failed,
    }
    efficiency: dict[str, float] = {}
    both = " from both initial states" if unique else ""
    taken, step_error = "", runner.step_error
    if runner.controls:
        found = _controlled(runner, starts, T, share)
        plain, best = (
            assemble(plan, Samples.of_runs(v[:, None], batched(plan)))
            for v in (found.plain, found.values)
        )
        expect, sem, _ = best
        for name, error in sem.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = (np.abs(plain[1][name]) / np.abs(error)) ** 2
            efficiency[name] = float(np.nanmin(ratio))
        coarse = _controlled(runner, starts, T, max(share // 4, BATCHES), 2.0)
        other = assemble(plan, Samples.of_runs(coarse.values[:, None], batched(plan)))
        # of first order or more: the rest is at most what half the step changed
        step_error = {n: np.abs(v - expect[n])[0] for n, v in other[0].items()}
        stats["controls"] = int(found.count.max())
        taken = f" {stats['controls']} controls of mean zero were taken off."
    elif runner.stochastic:
        order = np.argsort(np.arange(len(runs)) % (len(runs) // len(parts)), kind="stable")
        samples = Samples.of_runs(runs[order], batched(plan))
        expect, sem, _ = assemble(plan, samples)
    else:
        values = {k: slots[k].read(runs[0]) for k in slots}
        expect, sem, _ = assemble_exact(plan, values)
    stats["known"] = (
        f"Means over t = {T / 2:.4g} to {T:.4g}{both}: both halves of that time agree within "
        f"{test.drift:.1f} {runner.unit}"
        + (f", both initial states within {test.difference:.1f}" if unique else "")
        + (f" (limit {test.limit:.1f}).")
        + taken
    )
    ntraj = share * len(parts) if runner.stochastic else 0
    seed = runner.seed if runner.stochastic else None
    stats["work"] = runner.work
    found_expect, found_sem = runner.whole(expect), runner.whole(sem)
    nothing = {n: np.nan for n in sem}
    errors = Values(
        {n: np.broadcast_to(v, np.shape(found_sem[n])) for n, v in (step_error or nothing).items()}
    )
    return SteadyState(
        found_expect,
        found_sem,
        runner.engine.name,
        ntraj,
        seed,
        runner.dt,
        errors,
        efficiency,
        stats,
    )
