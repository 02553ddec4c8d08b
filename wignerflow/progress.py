"""What a long run tells on the way: trajectories, the worst standard error, the time left."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import bars
from .observables import Plan, assemble
from .run.statistics import Samples
from .run.stopping import Target, relative, worst

BAR = "{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} trajectories{postfix}"


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

    def __init__(self, plan: Plan, total: int, targets: Mapping[str, Target]):
        self.plan, self.total, self.targets = plan, total, targets
        self.wanted = bars.seen()
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
        timer = threading.Timer(bars.UPDATE_SECONDS, lambda: said.append(self._make("compiling …")))
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
        if now - self.last < bars.UPDATE_SECONDS or (
            self.bar is None and now - self.start < bars.QUIET_SECONDS
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
        return bars.new_bar(self.total, layout)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


def duration(seconds: float) -> str:
    """Seconds as text: 42 s, 3 min 10 s, 2 h 05 min."""
    whole = round(min(seconds, 1e9))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
