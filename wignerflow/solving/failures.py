"""What went wrong in a run of trajectories: warnings, and the error that holds the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..observables import Plan
from ..result import Result
from ..run.statistics import BATCHES, Samples

FAILED_LIMIT = 0.01
SHORT_WARNING = 0.05
ROUNDING_STEPS = 5_000_000


class FailedTrajectories(RuntimeError):
    """More than one trajectory in a hundred became non-finite; ``result`` holds the others.

    Also raised where the one solution of mean field did.
    """

    def __init__(self, message: str, result: Result):
        super().__init__(message)
        self.result = result


def diagnose(stats: Mapping[str, Any], samples: Samples, stochastic: bool) -> list[str]:
    """Plain warnings about a run; of one that is not ``stochastic``, only about its steps."""
    out = []
    if samples.failed and stochastic:
        out.append(
            f"{samples.failed} of {samples.ntraj} trajectories became non-finite and "
            "were left out from then on."
        )
    if not stats.get("step_met", True):
        out.append(
            "No step was found whose error stays below the sampling error; `step_error` says what "
            "is left of it."
        )
    if stats.get("precision") == "single" and stats.get("steps", 0) > ROUNDING_STEPS:
        out.append(
            f"{stats['steps']:.2g} steps in single precision: their rounding adds up, to about "
            "0.001 of the size of an observable; take precision='double'."
        )
    if stats.get("short_spins", 0) > SHORT_WARNING and stochastic:
        out.append(
            f"Up to {stats['short_spins']:.0%} of the spins have a length of order one, where "
            "the truncated Wigner approximation is not controlled: compare with an exact method at "
            "smaller N."
        )
    return out


def few_for_derived(plan: Plan, ntraj: int) -> list[str]:
    """A warning where derived observables rest on fewer trajectories than two per batch."""
    names = [repr(o.name) for o in plan.observables if o.rule is not None and not o.rule.linear]
    if not names or ntraj >= 2 * BATCHES:
        return []
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return [
        f"{shown}: a function of means, whose value and error mean little from {ntraj} "
        f"trajectories; use `ntraj` of at least {2 * BATCHES} (two in each of {BATCHES} batches)."
    ]


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
