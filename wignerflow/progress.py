"""What a long run tells on the way: trajectories, the worst standard error, the time left.

On a terminal a bar on standard error, in a notebook a widget, and nothing in a log.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from . import _check
from .estimate import LISTENER, LONG, MINUTE, Estimate, Listener, listening
from .observables import Plan, assemble
from .run.statistics import Samples
from .run.stopping import Target, relative, worst

QUIET_SECONDS = 1.0  # a shorter run shows nothing
UPDATE_SECONDS = 0.5
LINE = ": {postfix} [{elapsed}]"
SHARE = " {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
BAR = "{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} trajectories{postfix}"


def in_notebook() -> bool:
    """Whether the code runs in a notebook, where a widget can be shown."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def worst_observable(
    plan: Plan, samples: Samples, targets: Mapping[str, Target]
) -> tuple[str, float]:
    """The observable with the largest standard error, and what to say of it.

    With targets the number is the error over the one allowed; without, over the largest mean.
    """
    mean, sem, _ = assemble(plan, samples)
    wanted = targets or dict.fromkeys(plan.names, relative(1.0))
    return worst(wanted, mean, sem)


def seconds_left(done: int, begin: int, seconds: float, total: int, excess: float) -> float:
    """Time until ``total`` trajectories or the target, whichever comes first.

    Args:
        done, begin: trajectories now, and when this session began.
        seconds: since then.
        total: trajectories asked for.
        excess: the worst error over its target (it falls as one over the root of ``done``), or 0.
    """
    rate = (done - begin) / max(seconds, 1e-9)
    needed = total if excess <= 0 or not np.isfinite(excess) else min(total, done * excess**2)
    return max(0.0, needed - done) / max(rate, 1e-9)


class Progress:
    """A progress bar, made only when a run lasts."""

    def __init__(self, plan: Plan, total: int, targets: Mapping[str, Target], wanted: bool):
        self.plan, self.total, self.targets = plan, total, targets
        self.notebook = in_notebook()
        self.wanted = wanted and (self.notebook or sys.stderr.isatty())
        self.start = self.last = time.perf_counter()
        self.begin: int | None = None
        self.bar: Any = None

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Say that a kernel is being compiled, once that has taken half a second."""
        if not self.wanted:
            yield
            return
        said: list[Any] = []
        timer = threading.Timer(UPDATE_SECONDS, lambda: said.append(self._make("compiling …")))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            for line in said:
                line.close()

    def update(self, done: int, samples: Samples) -> None:
        """Show where the run stands."""
        if not self.wanted:
            return
        now = time.perf_counter()
        if self.begin is None:
            self.begin, self.start = done, now
            return
        if now - self.last < UPDATE_SECONDS or (
            self.bar is None and now - self.start < QUIET_SECONDS
        ):
            return
        self.last = now
        if self.bar is None:
            self.bar = self._make()
        self.bar.n = done
        self.bar.set_postfix_str(self.text(done, samples, now), refresh=False)
        self.bar.refresh()

    def text(self, done: int, samples: Samples, now: float) -> str:
        """Worst standard error and time left."""
        name, ratio = worst_observable(self.plan, samples, self.targets)
        left = seconds_left(
            done, self.begin or 0, now - self.start, self.total, ratio if self.targets else 0.0
        )
        share = f"{ratio:.2g} x target" if self.targets else f"{ratio:.2g} of max"
        return f"sem {name} {share}, {duration(left)} left"

    def _make(self, layout: str = BAR) -> Any:
        return _new_bar(self.total, layout)

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()


class Steps:
    """A bar of work that is counted: steps of an exact solution, runs of a sweep or certificate.

    It comes up when the work lasts, and ``with`` removes it.
    """

    def __init__(self, what: str, wanted: bool):
        self.what = what
        self.wanted = wanted and (in_notebook() or sys.stderr.isatty())
        self.start = self.last = time.perf_counter()
        self.bar: Any = None
        self.part = ""

    def show(self, done: float, total: float, part: str = "") -> None:
        """So much is done, of so much; every ``part`` of the work, in words, has a bar."""
        if not self._due():
            return
        if self.bar is not None and part != self.part:
            self.bar.close()
            self.bar = None
        if self.bar is None:
            self.part = part
            self.bar = _new_bar(100, ", ".join(filter(None, (self.what, part))) + SHARE)
        self.bar.n = round(100 * done / total, 1) if total > 0 else 0
        self.bar.refresh()

    def say(self, text: str) -> None:
        """Where work stands whose end is not known."""
        if not self._due():
            return
        if self.bar is None:
            self.bar = _new_bar(100, self.what + LINE)
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.refresh()

    def _due(self) -> bool:
        """Whether something is shown now."""
        now = time.perf_counter()
        if not self.wanted or now - self.start < QUIET_SECONDS or now - self.last < UPDATE_SECONDS:
            return False
        self.last = now
        return True

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


def _new_bar(total: int, layout: str) -> Any:
    options: dict[str, Any] = {"total": total, "leave": False, "bar_format": layout}
    if in_notebook():
        from tqdm import notebook

        if notebook.IProgress is not None:  # else no widgets are installed: a line of text, then
            return notebook.tqdm(**options)
    from tqdm import tqdm

    return tqdm(**options, file=sys.stderr)


def duration(seconds: float) -> str:
    """Seconds as text: 42 s, 3 min 10 s, 2 h 05 min."""
    whole = round(min(seconds, 1e9))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


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
    outer = LISTENER.get()
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
