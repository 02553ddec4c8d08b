"""What is said of a run: warnings, that a target was missed, that an estimate failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import _check
from ..observables import Plan, assemble
from ..run.statistics import BATCHES, Samples
from ..run.stopping import Target, worst

SHORT_WARNING = 0.05
NEGATIVE_WARNING = 0.02
ROUNDING_STEPS = 5_000_000


@contextlib.contextmanager
def spared(stats: dict[str, Any]) -> Iterator[None]:
    """A result is there, and stands, whatever becomes of the estimate of its truncation inside."""
    try:
        yield
    except KeyboardInterrupt:  # nobody waits for more
        stats["truncation"] = "nothing: interrupted"
    except Exception as error:
        stats["truncation"] = "nothing: its estimate failed"
        said = (
            f"The error of the method itself could not be estimated ({type(error).__name__}: "
            f"{error}); the result stands. Please report the model and this."
        )
        stats["warnings"] = [*(stats.get("warnings") or ()), said]
        _check.warn(said)


def negative_noise(stats: Mapping[str, Any]) -> list[str]:
    """A warning where nonlinear jumps of modes ask for negative noise."""
    share = stats.get("clipped", 0.0)
    if share <= NEGATIVE_WARNING:
        return []
    return [
        f"The noise of nonlinear jumps was negative, and taken as zero, in {share:.0%} of the "
        "steps: near the vacuum of a mode no noise is right, and quanta are added that are not "
        "there. Compare with an exact method."
    ]


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


def missed(plan: Plan, target: Mapping[str, Target], samples: Samples) -> str | None:
    """What to say of a run that ended before its target."""
    mean, sem, _ = assemble(plan, samples, plan.slots())
    name, ratio = worst(target, mean, sem)
    if not 1 < ratio < np.inf:
        return None
    needed = float(f"{samples.ntraj * ratio**2:.1e}")
    return (
        f"target_sem was not reached: the standard error of {name!r} is {ratio:.2g} times what was "
        f"asked for. About {needed:.2g} trajectories reach it; leave `ntraj` out."
    )


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
