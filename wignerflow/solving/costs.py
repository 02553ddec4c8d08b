"""Costs of a call of ``solve``: said before a long run, or asked for instead of one."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from ..estimate import LONG, MINUTE, Estimate, Listener, check_memory, heard_by, listening
from ..progress import Steps
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


@contextlib.contextmanager
def watching(engine: Any, options: Any) -> Iterator[None]:
    """Warn before a run of more than an hour; tell on standard error of one of minutes."""
    if heard_by() is not None:  # somebody only asks
        yield
        return
    said: list[Estimate] = []

    def listen(estimate: Estimate) -> None:
        limited = options.timeout is not None and options.timeout < LONG
        if said or (limited and runs_trajectories(engine)):
            return
        if estimate.seconds > LONG:
            said.append(estimate)
            upto = "up to " if options.target else ""
            advice = "Set `timeout` or `checkpoint`, or ask for less."
            warnings.warn(f"This run takes {upto}{estimate!r}. {advice}", stacklevel=2)
        elif estimate.seconds > MINUTE and options.progress and not runs_trajectories(engine):
            said.append(estimate)
            print(f"wignerflow: this takes {estimate!r}", file=sys.stderr, flush=True)

    with (
        Steps(engine.name, options.progress and not runs_trajectories(engine)) as bar,
        listening(Listener(listen, watch=bar.show)),
    ):
        yield
