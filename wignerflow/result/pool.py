"""Pooling: one result of the trajectories of two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from ..observables import assemble

if TYPE_CHECKING:
    from .result import Result


def pooled(result: Result, other: Result) -> dict[str, Any]:
    """The arguments of the ``Result`` of both; see ``Result.merge``."""
    _check_alike(result, other)
    assert result.samples is not None and other.samples is not None and result.plan is not None
    samples = result.samples.merge(other.samples)
    trajectories = _joined(result.trajectories + other.trajectories)
    seeds = tuple(dict.fromkeys(s for s, _, _ in trajectories))
    parts = [*result.stats.get("parts", [result.stats]), *other.stats.get("parts", [other.stats])]
    stats: dict[str, Any] = {"stopped_because": "merged", "failed": samples.failed}
    if all("wall_time" in p for p in parts):
        stats["wall_time"] = sum(p["wall_time"] for p in parts)
    stats["warnings"] = list(dict.fromkeys(w for p in parts for w in p.get("warnings", ())))
    stats["parts"] = parts
    runs = [r for p in (result, other) for r in p.provenance.get("merged", [p.provenance])]
    expect, sem, std = assemble(result.plan, samples)
    return {
        "times": result.times,
        "expect": expect,
        "sem": sem,
        "std": std,
        "step_error": {
            n: np.fmax(error, other.step_error[n]) for n, error in result.step_error.items()
        },
        "truncation": {
            n: np.fmax(error, other.truncation[n]) for n, error in result.truncation.items()
        },
        "method": result.method,
        "ntraj": samples.ntraj,
        "seed": seeds[0] if len(seeds) == 1 else seeds,
        "dt": result.dt,
        "stats": stats,
        "provenance": {"merged": runs},
        "model": result.model,
        "plan": result.plan,
        "samples": samples,
        "trajectories": trajectories,
    }


def _check_alike(result: Result, other: Result) -> None:
    """Raise unless both are of one simulation and share no trajectory."""
    hint = "Only results of one simulation can be pooled."
    for one in (result, other):
        if one.samples is None or one.plan is None or not one.trajectories:
            _check.fail("other", "hold sampled trajectories, as this result must", one.method, hint)
        if "start" in one.provenance:  # samples of one start are not independent of each other
            must = "hold trajectories from the model's initial state, as this result must"
            _check.fail("other", must, "one that started from kept samples", hint)
    assert result.plan is not None and other.plan is not None
    for what in ("method", "dt", "model"):
        mine, theirs = getattr(result, what), getattr(other, what)
        if mine != theirs:
            shown = "another one" if what == "model" else theirs
            wanted = "" if what == "model" else f" {mine!r}"
            _check.fail("other", f"have the same {what}{wanted}", shown, hint)
    if not np.array_equal(result.times, other.times):
        _check.fail("other", "have the same times", other.times, hint)
    if result.plan.to_dict() != other.plan.to_dict():
        _check.fail(
            "other", f"have the same observables {result.plan.names}", other.plan.names, hint
        )
    for seed, first, stop in result.trajectories:
        for seed2, first2, stop2 in other.trajectories:
            if seed == seed2 and max(first, first2) < min(stop, stop2):
                both = f"{max(first, first2)} to {min(stop, stop2) - 1} of seed {seed}"
                must = "hold other trajectories than this result"
                _check.fail(
                    "other", must, f"one that shares trajectories {both}", "Use another seed."
                )


def _joined(ranges: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Ranges of trajectories sorted, adjacent ones joined."""
    out: list[tuple[int, int, int]] = []
    for seed, first, stop in sorted(ranges):
        if out and out[-1][0] == seed and out[-1][2] == first:
            out[-1] = (seed, out[-1][1], stop)
        else:
            out.append((seed, first, stop))
    return out
