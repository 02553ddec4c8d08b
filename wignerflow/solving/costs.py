"""Costs of a call of ``solve``: said before a long run, or asked for instead of one."""

from __future__ import annotations

import contextlib
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

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
from ..progress import Steps
from ..result import Result
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
