"""Runs that start from the kept samples of another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.model import Model
from ..result import Result
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
            _check.fail("start", must, list(self.variables))


def read_start(start: Any, engine: Any, model: Model, ntraj: int, seed: int) -> Start:
    """The start of a call of ``solve``.

    Raises:
        ValueError, TypeError: no run of this method, model, length and seed can start there.
    """
    if not isinstance(start, Result):
        _check.fail("start", "be a Result", start, kind=TypeError)
    if not runs_trajectories(engine):
        _check.fail("start", "be None for a method without phase-space trajectories", start.method)
    if start.final is None or not np.any(np.isfinite(start.final).all(axis=1)):
        _check.fail("start", "be a result kept with keep='final'", "one without final samples")
    if start.provenance.get("method") != repr(engine):
        _check.fail("start", f"be of the method {engine!r}", start.provenance.get("method"))
    own = [
        {"kind": s.kind, "name": s.name, "count": s.count, **s.parameters()}
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
