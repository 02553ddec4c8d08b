"""How it is to be solved: every other argument of ``solve``, checked."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..checkpoint import Checkpoint, Found
from ..method import STEPS, TRAJECTORIES, Method
from ..model.model import Model
from ..result import Result
from ..run.pool import available_threads, choose_device, default_device
from ..run.stopping import Target, targets
from .problem import Problem


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


class Options:
    """Arguments of ``solve``, checked, for a method and a problem.

    Args:
        begin: when the clock of ``timeout`` began (``time.perf_counter``).
        given: the arguments by name.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.
    """

    def __init__(self, method: Method, problem: Problem, begin: float, given: Mapping[str, Any]):
        model, keep, start = problem.model, given["keep"], given["start"]
        self.begin, self.progress, uses = begin, given["progress"], method.uses
        #: Whether many phase-space trajectories run.
        self.runs = runs = uses >= TRAJECTORIES
        self.target: Mapping[str, Target] = {}
        if given["target_sem"] is not None:
            found = targets(given["target_sem"], list(problem.named))
            self.target = {n: one.bound("target_sem", problem.times) for n, one in found.items()}
        ntraj = given["ntraj"]
        if ntraj is None:
            ntraj = MOST if self.target and "target_sem" in uses else USUAL
            if isinstance(start, Result) and start.final is not None:
                ntraj = min(ntraj, len(start.final))
        self.ntraj = trajectories_of(ntraj, 2)
        #: The checkpoint, and what stands in it.
        self.checkpoint, self.found = _read_checkpoint(
            given["checkpoint"], given["every"], runs, keep
        )
        again = self.found is not None and given["seed"] is None
        self.seed = self.found.seed if again else seed_of(given["seed"])  # type: ignore[union-attr]
        dt = given["dt"]
        #: What a run chose together with its step ``dt``.
        self.chosen = dt if isinstance(dt, Chosen) else None
        dt = dt.step if isinstance(dt, Chosen) else dt
        self.dt: float | None = None if dt is None else _check.positive("dt", dt)
        self._check_variance(runs, runs and method.stochastic, given)
        tol = given["tol"]
        self.tol: float | None = None if tol is None else _check.positive("tol", tol)
        if tol is not None and self.dt is not None:
            _check.fail("tol", "be None where `dt` gives the step", tol)
        self.precision = _check.one_of("precision", given["precision"], ["single", "double"])
        if uses >= STEPS and not method.stochastic:
            self.precision = "double"  # there is one trajectory, whose rounding nothing would hide
        self.client = given["client"]
        self.device = self._choose_device(model, given["device"])
        self.threads = threads_of(given["threads"]) or available_threads()
        limit = given["timeout"]
        self.timeout: float | None = None if limit is None else _check.positive("timeout", limit)
        if self.client is not None:
            from ..run.cluster import check_client

            check_client(self.client)
            _check_runs("client", self.client, runs)
        if keep is not None:
            _check.one_of("keep", keep, ["final"])
            _check_runs("keep", keep, runs)
        self.keep = keep == "final"
        self.start: Start | None = None
        if start is not None:
            self.start = _read_start(start, method, model, self.ntraj, self.seed, runs)
            if model.links and self.dt is None:
                self.dt = start.dt  # light under way belongs to steps
        self.truncation = truncation_of(given["truncation"])
        #: What was given that the method has no use for, in words; None: nothing.
        self.idle = self._unused(method)
        #: What of it belongs to the record of a run.
        self.facts: dict[str, Any] = {"dt": self.dt, "seed": self.seed}
        self.facts |= {"precision": self.precision, "device": "cpu"}
        if self.start is not None:
            self.facts["start"] = self.start.record()

    def _unused(self, method: Method) -> str | None:
        given = {
            "dt": self.dt is not None,
            "tol": self.tol is not None,
            "variance": self.variance == "guided",
            "precision": self.precision != "single",
            "target_sem": bool(self.target),
            "timeout": self.timeout is not None,
        }
        names = [f"`{name}`" for name, there in given.items() if there and name not in method.uses]
        if not names:
            return None
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        return f"Method {method.name!r} makes no use of {listed}."

    def _check_variance(self, runs: bool, noisy: bool, given: Mapping[str, Any]) -> None:
        """Take ``variance``, ``controls`` and ``symmetrize``."""
        variance, kept = given["variance"], given["keep"] is not None
        self.variance = _check.one_of("variance", variance, ["plain", "guided", "auto"])
        if variance == "guided" and not runs:
            must = "be 'plain' for a method without phase-space trajectories"
            _check.fail("variance", must, variance)
        for name in ("controls", "symmetrize"):
            if not isinstance(given[name], (bool, np.bool_)):
                _check.fail(name, "be True or False", given[name], kind=TypeError)
        self.controls, self.symmetrize = bool(given["controls"]), given["symmetrize"]
        for wrong, where in (
            (not noisy, "for a method without noise"),
            (variance == "guided", "with variance='guided'"),
            (kept, "with `keep`"),
        ):
            if self.controls and wrong:
                _check.fail("controls", f"be False {where}", given["controls"])
        if variance == "guided" and kept:
            _check.fail("variance", "be 'plain' or 'auto' with `keep`", variance)

    def _choose_device(self, model: Model, device: Any) -> Any:
        if model.links or model.pulses:
            if device not in (None, "cpu", "auto"):
                what = "delayed links" if model.links else "pulses"
                _check.fail("device", f"be 'cpu' for a model with {what}", device)
            device = "cpu"
        if device is None:
            device = default_device() if self.runs else "cpu"
        if self.client is None or device == "cpu":  # else its workers are asked
            choose_device(device, self.runs)
        return device


def _check_runs(argument: str, value: Any, runs: bool) -> None:
    if not runs:
        _check.fail(argument, "be None for a method without phase-space trajectories", value)


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
    checkpoint: Any, every: Any, runs: bool, keep: Any
) -> tuple[Checkpoint | None, Found | None]:
    """The checkpoint asked for, and what stands in it."""
    if checkpoint is None:
        if every is not None:
            _check.fail("every", "be None without `checkpoint`", every)
        return None, None
    _check_runs("checkpoint", checkpoint, runs)
    if keep is not None:
        _check.fail("keep", "be None with `checkpoint`, which holds sums only", keep)
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint, every)
    elif every is not None:
        _check.fail("every", "be given to wf.Checkpoint", every)
    return checkpoint, Found.read(checkpoint.path)


def _read_start(
    start: Any, method: Method, model: Model, ntraj: int, seed: int, runs: bool
) -> Start:
    """The start of a call of ``solve``.

    Raises:
        ValueError, TypeError: no run of this method, model, length and seed can start there.
    """
    if not isinstance(start, Result):
        _check.fail("start", "be a Result", start, kind=TypeError)
    _check_runs("start", start.method, runs)
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
