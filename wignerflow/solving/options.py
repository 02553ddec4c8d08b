"""How it is to be solved: every other argument of ``solve``, checked."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..checkpoint import Checkpoint, Found
from ..method import STEPS, Method
from ..model.model import Model
from ..result import Result
from ..run.gpus import choose_device, default_device
from ..run.pool import available_threads
from ..run.stopping import Target, targets
from .methods import runs_trajectories


@dataclass(frozen=True)
class Start:
    """Where trajectories start.

    Attributes:
        states: of trajectory k in row k, (samples, variables).
        variables: their names.
        seeds: of the runs that led there, whose random numbers must not be used again.
    """

    states: NDArray[np.float64]
    variables: tuple[str, ...]
    seeds: tuple[int, ...]

    def record(self) -> dict[str, Any]:
        """What identifies it, as plain data."""
        states = np.ascontiguousarray(self.states)
        return {"samples": hashlib.sha256(states.tobytes()).hexdigest(), "seeds": list(self.seeds)}

    def check_variables(self, variables: tuple[str, ...]) -> None:
        """Raise unless a run of these variables can start here."""
        if self.variables != variables:
            must = f"hold the variables of this run, {', '.join(variables[:12])}"
            hint = ""
            if any(name.startswith("links[") for name in variables):
                hint = "Light under way is part of them: take the same step, `dt`."
            _check.fail("start", must, list(self.variables), hint)


@dataclass(frozen=True)
class Chosen:
    """A step that a run chose itself, for ``dt``: of a scheme ("" for the method's own), and if

    outputs lie between steps, so many even ones.
    """

    step: float
    even: int
    scheme: str


#: Of the environment: "off" where estimates of the truncation are not wanted unless asked for.
TRUNCATION = "WIGNERFLOW_TRUNCATION"
#: Threads and trajectories of a run at most; trajectory numbers have 62 bits.
MAX_THREADS, MAX_TRAJECTORIES = 1024, 2**62


#: Trajectories of a run where nothing is said of them, and at most where a target is.
USUAL, MOST = 1000, 10_000_000


@dataclass
class Options:
    """Arguments of ``solve`` as it uses them, and what stands in the checkpoint.

    ``begin``: when the clock of ``timeout`` began (``time.perf_counter``).
    """

    begin: float
    ntraj: int
    seed: int
    dt: float | None
    #: What a run chose together with its step ``dt``.
    chosen: Chosen | None
    tol: float | None
    variance: str
    controls: bool
    symmetrize: bool
    precision: str
    device: str
    threads: int
    timeout: float | None
    target: Mapping[str, Target]
    keep: bool
    start: Start | None
    checkpoint: Checkpoint | None
    found: Found | None
    client: Any
    progress: bool


def read_options(
    method: Method,
    model: Model,
    names: Sequence[str],
    times: NDArray[np.float64],
    *,
    begin: float,
    ntraj: Any,
    seed: Any,
    dt: Any,
    tol: Any,
    variance: Any,
    controls: Any,
    symmetrize: Any,
    precision: Any,
    device: Any,
    threads: Any,
    target_sem: Any,
    timeout: Any,
    keep: Any,
    start: Any,
    checkpoint: Any,
    every: Any,
    client: Any,
    progress: bool,
) -> Options:
    """The options of a call of ``solve`` for a method, a model, names of observables and outputs.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.
    """
    target = {
        name: one.bound("target_sem", times) for name, one in targets(target_sem, names).items()
    }
    if ntraj is None:
        ntraj = MOST if target and "target_sem" in method.uses else USUAL
        if isinstance(start, Result) and start.final is not None:
            ntraj = min(ntraj, len(start.final))
    count = trajectories_of(ntraj, 2)
    kept, found = _read_checkpoint(checkpoint, every, method, keep)
    number = found.seed if found is not None and seed is None else seed_of(seed)
    chosen = None
    if isinstance(dt, Chosen):
        dt, chosen = dt.step, dt
    step = None if dt is None else _check.positive("dt", dt)
    _check.one_of("variance", variance, ["plain", "guided", "auto"])
    if variance == "guided" and not runs_trajectories(method):
        must = "be 'plain' for a method without phase-space trajectories"
        _check.fail("variance", must, variance)
    for name, value in (("controls", controls), ("symmetrize", symmetrize)):
        if not isinstance(value, (bool, np.bool_)):
            _check.fail(name, "be True or False", value, kind=TypeError)
    if controls and not (runs_trajectories(method) and method.stochastic):
        _check.fail("controls", "be False for a method without noise", controls)
    if controls and variance == "guided":
        _check.fail("controls", "be False with variance='guided'", controls)
    if controls and keep is not None:
        _check.fail("controls", "be False with `keep`", controls)
    if variance == "guided" and keep is not None:
        _check.fail("variance", "be 'plain' or 'auto' with `keep`", variance)
    if tol is not None:
        tol = _check.positive("tol", tol)
        if step is not None:
            _check.fail("tol", "be None where `dt` gives the step", tol)
    precision = _check.one_of("precision", precision, ["single", "double"])
    if method.uses >= STEPS and not method.stochastic:
        precision = "double"  # there is one trajectory, whose rounding nothing would hide
    if model.links or model.pulses:
        _check_device(device, "delayed links" if model.links else "pulses")
        device = "cpu"
    if device is None:
        device = default_device() if runs_trajectories(method) else "cpu"
    if client is None or device == "cpu":  # else its workers are asked
        choose_device(device, runs_trajectories(method))
    workers = threads_of(threads) or available_threads()
    limit = None if timeout is None else _check.positive("timeout", timeout)
    if client is not None:
        from ..run.cluster import check_client

        check_client(client)
        if not runs_trajectories(method):
            _check.fail("client", "be None for a method without phase-space trajectories", client)
    if keep is not None:
        _check.one_of("keep", keep, ["final"])
        if not runs_trajectories(method):
            _check.fail("keep", "be None for a method without phase-space trajectories", keep)
    origin = None if start is None else _read_start(start, method, model, count, number)
    if model.links and start is not None and step is None:
        step = start.dt  # light under way belongs to steps
    return Options(
        begin,
        count,
        number,
        step,
        chosen,
        tol,
        variance,
        bool(controls),
        bool(symmetrize),
        precision,
        device,
        workers,
        limit,
        target,
        keep == "final",
        origin,
        kept,
        found,
        client,
        progress,
    )


def unused(method: Method, options: Options) -> str | None:
    """What was given that the method has no use for, in words; None: nothing."""
    given = {
        "dt": options.dt is not None,
        "tol": options.tol is not None,
        "variance": options.variance == "guided",
        "precision": options.precision != "single",
        "target_sem": bool(options.target),
        "timeout": options.timeout is not None,
    }
    names = [f"`{name}`" for name, there in given.items() if there and name not in method.uses]
    if not names:
        return None
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"Method {method.name!r} makes no use of {listed}."


def trajectories_of(ntraj: Any, least: int) -> int:
    """A number of trajectories, whatever they are for.

    Raises:
        ValueError, TypeError: it is not from ``least`` to ``MAX_TRAJECTORIES``.
    """
    count = _check.integer("ntraj", ntraj, least)
    if count > MAX_TRAJECTORIES:
        must = f"be at most 2**{MAX_TRAJECTORIES.bit_length() - 1}, so that no noise repeats"
        _check.fail("ntraj", must, ntraj)
    return count


def threads_of(threads: Any) -> int | None:
    """A number of threads; None stays.

    Raises:
        ValueError, TypeError: it is not from 1 to ``MAX_THREADS``.
    """
    if threads is None:
        return None
    count = _check.integer("threads", threads, 1)
    if count > MAX_THREADS:
        hint = f"This process may use {available_threads()} cores; more threads gain nothing."
        _check.fail("threads", f"be at most {MAX_THREADS}", threads, hint)
    return count


def seed_of(seed: int | None) -> int:
    """A seed, drawn if None."""
    if seed is None:
        return secrets.randbits(63)
    number = _check.integer("seed", seed, 0)
    if number >= 2**64:
        _check.fail("seed", "be below 2**64", seed)
    return number


def _read_checkpoint(
    checkpoint: Any, every: Any, method: Method, keep: Any
) -> tuple[Checkpoint | None, Found | None]:
    """The checkpoint asked for, and what stands in it."""
    if checkpoint is None:
        if every is not None:
            _check.fail("every", "be None without `checkpoint`", every)
        return None, None
    if not runs_trajectories(method):
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


def _check_device(device: Any, what: str) -> None:
    """Raise where a GPU is asked for, on which there are no models with such a thing."""
    if device not in (None, "cpu", "auto"):
        _check.fail("device", f"be 'cpu' for a model with {what}", device)


def _read_start(start: Any, method: Method, model: Model, ntraj: int, seed: int) -> Start:
    """The start of a call of ``solve``.

    Raises:
        ValueError, TypeError: no run of this method, model, length and seed can start there.
    """
    if not isinstance(start, Result):
        _check.fail("start", "be a Result", start, kind=TypeError)
    if not runs_trajectories(method):
        _check.fail("start", "be None for a method without phase-space trajectories", start.method)
    if start.final is None or not np.any(np.isfinite(start.final).all(axis=1)):
        _check.fail("start", "be a result kept with keep='final'", "one without final samples")
    if start.provenance.get("method") != repr(method):
        _check.fail("start", f"be of the method {method!r}", start.provenance.get("method"))
    own = [
        {"kind": s.kind, "name": model.names[s], "count": s.count, **s.parameters()}
        for s in model.subsystems
    ]
    theirs = [
        {"count": None} | {k: v for k, v in s.items() if k != "initial"}
        for s in (start.model or {"subsystems": []})["subsystems"]
    ]
    if own != theirs:
        _check.fail("start", f"be of the subsystems {own}", theirs)
    if ntraj > len(start.final):
        _check.fail("ntraj", f"be at most {len(start.final)}, the samples of `start`", ntraj)
    seeds = (*start.provenance.get("start", {}).get("seeds", ()), *np.atleast_1d(start.seed))  # type: ignore[arg-type]
    if seed in seeds:
        must = "differ from those of the runs that led to `start`, whose noise it would repeat"
        _check.fail("seed", must, seed)
    return Start(start.final, start.variables, tuple(int(s) for s in seeds))


def truncation_of(truncation: Any) -> bool | str:
    """The argument ``truncation``, checked; None follows the environment."""
    if truncation is None:
        return os.environ.get(TRUNCATION, "") != "off"
    if not isinstance(truncation, bool) and truncation != "full":
        _check.fail("truncation", 'be True, False, None or "full"', truncation)
    return bool(truncation) if truncation != "full" else "full"
