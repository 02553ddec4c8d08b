"""How it is to be solved: every other argument of ``solve``, checked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _check
from ..checkpoint import Checkpoint, Found
from ..exact.jumps import QuantumJumps
from ..model.model import Model
from ..run.cluster import check_client
from ..run.gpus import default_device
from ..run.stopping import Target, targets
from .methods import runs_trajectories
from .start import Start, read_start


@dataclass(frozen=True)
class Even:
    """A step that a run chose itself, for ``dt``: so many even ones, outputs between them."""

    step: float
    steps: int


@dataclass
class Options:
    """Arguments of ``solve`` as it uses them, and what stands in the checkpoint."""

    ntraj: int
    seed: int
    dt: float | None
    #: Even steps between which outputs are interpolated, see ``Even``; 0: they fall on steps.
    even: int
    tol: float | None
    precision: str
    device: str
    threads: int | None
    timeout: float | None
    target: Mapping[str, Target]
    keep: bool
    start: Start | None
    checkpoint: Checkpoint | None
    found: Found | None
    client: Any
    progress: bool


def read_options(
    engine: Any,
    model: Model,
    names: Sequence[str],
    *,
    ntraj: Any,
    seed: Any,
    dt: Any,
    tol: Any,
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
    """The options of a call of ``solve`` for a method, a model and observables of these names.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.
    """
    count = _check.integer("ntraj", ntraj, 2)
    kept, found = _read_checkpoint(checkpoint, every, engine, keep)
    number = found.seed if found is not None and seed is None else seed_of(seed)
    even = 0
    if isinstance(dt, Even):
        dt, even = dt.step, dt.steps
    step = None if dt is None else _check.positive("dt", dt)
    if tol is not None:
        tol = _check.positive("tol", tol)
        if step is not None:
            _check.fail("tol", "be None where `dt` gives the step", tol)
    precision = _check.one_of("precision", precision, ["single", "double"])
    if hasattr(engine, "lower") and not engine.stochastic:
        precision = "double"  # there is one trajectory, whose rounding nothing would hide
    if device is None:
        device = default_device() if runs_trajectories(engine) else "cpu"
    workers = None if threads is None else _check.integer("threads", threads, 1)
    limit = None if timeout is None else _check.positive("timeout", timeout)
    target = targets(target_sem, names)
    if client is not None:
        check_client(client)
        if not runs_trajectories(engine):
            _check.fail("client", "be None for a method without phase-space trajectories", client)
    if keep is not None:
        _check.one_of("keep", keep, ["final"])
        if not runs_trajectories(engine):
            _check.fail("keep", "be None for a method without phase-space trajectories", keep)
    return Options(
        count,
        number,
        step,
        even,
        tol,
        precision,
        device,
        workers,
        limit,
        target,
        keep == "final",
        None if start is None else read_start(start, engine, model, count, number),
        kept,
        found,
        client,
        progress,
    )


def unused(engine: Any, options: Options) -> str | None:
    """What was given that the method has no use for, in words; None: nothing."""
    steps, samples = hasattr(engine, "lower"), getattr(engine, "stochastic", False)
    samples = samples or isinstance(engine, QuantumJumps)
    idle = {
        "dt": options.dt is not None and not steps,
        "tol": options.tol is not None and not steps,
        "precision": options.precision != "single" and not steps,
        "target_sem": bool(options.target) and not runs_trajectories(engine),
        "timeout": options.timeout is not None and not samples,
    }
    names = [f"`{name}`" for name, given in idle.items() if given]
    if not names:
        return None
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"Method {engine.name!r} makes no use of {listed}."


def seed_of(seed: int | None) -> int:
    """A seed, drawn if None."""
    if seed is None:
        return secrets.randbits(63)
    number = _check.integer("seed", seed, 0)
    if number >= 2**64:
        _check.fail("seed", "be below 2**64", seed)
    return number


def _read_checkpoint(
    checkpoint: Any, every: Any, engine: Any, keep: Any
) -> tuple[Checkpoint | None, Found | None]:
    """The checkpoint asked for, and what stands in it."""
    if checkpoint is None:
        if every is not None:
            _check.fail("every", "be None without `checkpoint`", every)
        return None, None
    if not runs_trajectories(engine):
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
