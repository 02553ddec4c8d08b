"""What is said of a run: before it, if it is long, and after it what may be wrong with it."""

from __future__ import annotations

import contextlib
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .. import _check
from ..estimate import (
    LONG,
    MINUTE,
    Estimate,
    Listener,
    check_memory,
    heard_by,
    listening,
    out_of_time,
)
from ..observables import Plan, assemble
from ..progress import Steps
from ..result import Result
from ..run.statistics import BATCHES, Samples
from ..run.stopping import Target, worst
from .methods import runs_trajectories
from .problem import Problem

PER_TIME, PER_VALUE = 400.0, 100.0  # bytes


def check_outputs(problem: Problem) -> None:
    """Refuse what the result alone would need: its times and values, also as text in provenance.

    Raises:
        Beyond: more memory than this machine has.
    """
    times, values = problem.times.size, problem.plan.channels
    check_memory(
        times * (PER_TIME + PER_VALUE * values),
        f"A result of {times} times and {values} values at each",
        "ask for fewer of them",
    )


class LongRun(UserWarning):
    """A run takes more than an hour."""


@contextlib.contextmanager
def watching(
    name: str,
    *,
    told: bool = True,
    shown: bool | None = None,
    timeout: float | None = None,
    upto: str = "",
    advice: str = "Ask for less.",
    clock: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Warn before work of more than an hour; tell on standard error of work of minutes.

    Whoever calls for work that may be long puts it in here; inside another call of this, the outer
    one warns.

    Args:
        name: of the work, for its bar.
        told: whether there is a word about minutes.
        shown: whether there is a bar; None: where there is a word.
        timeout: seconds after which the work ends anyway.
        upto: "up to " where it may end before.
        advice: what else to do, in a sentence.
        clock: is called now and then, and may give up.
    """
    outer = heard_by()
    limit = math.inf if timeout is None else timeout
    if outer is not None:
        hear = outer.hear
        capped = replace(outer, hear=lambda e: hear(replace(e, seconds=min(e.seconds, limit))))
        with listening(capped):
            yield
        return
    begin, said = time.perf_counter(), list[float]()

    def listen(estimate: Estimate) -> None:
        so_far = time.perf_counter() - begin
        whole = replace(estimate, seconds=so_far + estimate.seconds)
        if limit < LONG or LONG in said:
            return
        if whole.seconds > LONG:
            said.append(LONG)
            _check.warn(f"This run takes {upto}{whole!r}. {advice}", LongRun)
        elif whole.seconds > MINUTE and told and not said:
            said.append(MINUTE)
            print(f"wignerflow: this takes {whole!r}", file=sys.stderr, flush=True)

    def watch(done: float, total: float, part: str) -> None:
        clock()
        bar.show(done, total, part)

    with (
        Steps(name, told if shown is None else shown) as bar,
        listening(Listener(listen, watch=watch)),
    ):
        yield


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No warnings of single runs, which somebody else collects; but of long ones, before them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("always", LongRun)
        yield


def whole(result: Result) -> Result:
    """The result, for whoever needs all of it.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
    """
    if result.stats.get("stopped_because") == "interrupted":
        raise KeyboardInterrupt
    return result


def watching_solve(engine: Any, options: Any) -> contextlib.AbstractContextManager[None]:
    """The same around a run of ``solve``; only trajectories end with the timeout."""
    runs = runs_trajectories(engine)
    return watching(
        engine.name,
        told=options.progress and not runs,
        timeout=options.timeout if runs else None,
        upto="up to " if options.target else "",
        advice="Set `timeout` or `checkpoint`, or ask for less.",
        clock=partial(out_of_time, options.begin, options.timeout, "preparing it")
        if runs else lambda: None,
    )  # fmt: skip


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
