"""Quantum jumps chunk by chunk, until all are done, the time is up, or Ctrl-C."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import Crew, announce, check_time

CHUNK = 64

Values = NDArray[np.complex128]


class _Late(Exception):
    """The time is up."""


@dataclass(frozen=True)
class Moments:
    """Means and squared deviations over runs, merged chunk by chunk in order (Chan et al. 1983)."""

    n: int = 0
    mean: Values = field(default_factory=lambda: np.zeros(0, complex))
    square: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def with_more(self, values: Values) -> Moments:
        """With values of shape (runs, K, T): all of them or, should Ctrl-C come, none."""
        n = len(values)
        mean = values.mean(axis=0)
        square = (np.abs(values - mean) ** 2).sum(axis=0)
        if self.n == 0:
            return Moments(n, mean, square)
        total = self.n + n
        step = mean - self.mean
        square = self.square + square + np.abs(step) ** 2 * (self.n * n / total)
        return Moments(total, self.mean + step * (n / total), square)

    @property
    def sem(self) -> NDArray[np.float64]:
        """Standard error of the mean, shape (K, T)."""
        return np.asarray(np.sqrt(self.square / (self.n - 1) / self.n))


class Runs:
    """Chunks of runs.

    Attributes:
        times: at which there are values.
        jumps: made, by the first number of a chunk.
        leave: not zero from when on what is under way is left, for good.
    """

    times: NDArray[np.float64]

    def __init__(self) -> None:
        self.jumps: dict[int, int] = {}
        self.leave = np.zeros(1, np.int64)

    @property
    def wanted(self) -> int:
        """Values at every time."""
        raise NotImplementedError

    def __call__(self, numbers: range, /) -> Values:
        """Those (runs, K, T) of the runs of these numbers."""
        raise NotImplementedError

    def seconds(self) -> float:
        """Of one run, before any."""
        raise NotImplementedError

    def settle(self, crew: Crew) -> bool:
        """Choose what runs need, such as cutoffs, by a few of them; whether it changed."""
        return False

    def widen(self, mean: Values) -> bool:
        """Whether means say that all must be done again, with larger cutoffs."""
        return False

    def stats(self, total: Moments) -> dict[str, Any]:
        """Facts about all runs."""
        return {}

    def counted(self, ntraj: int) -> int:
        """Jumps of the first ``ntraj`` runs."""
        return sum(n for first, n in self.jumps.items() if first < ntraj)

    def stop(self) -> None:
        """Leave what is under way."""
        self.leave[0] = 1


def collected(
    run: Runs, ntraj: int, threads: int, timeout: float | None, begin: float, keep: bool
) -> tuple[Moments, list[Values], str]:
    """Moments over runs, the values of all in chunks if asked for, and why it stopped.

    What ``ntraj`` runs need is said before the first.
    """
    done = 0

    def look() -> None:
        check_time(done, ntraj)
        if timeout is not None and time.perf_counter() - begin > timeout:
            raise _Late

    def say() -> None:
        each = 16.0 * run.wanted * run.times.size
        announce(
            ntraj * run.seconds() / threads,
            each * (CHUNK * (threads + 1) + (2 * ntraj if keep else 0)),
            f"{ntraj} runs of quantum jumps, {run.times.size} times",
            "ask for fewer runs, output times or observables",
        )

    began = time.perf_counter()
    say()
    begin += time.perf_counter() - began  # it may compile
    total, kept, stopped = Moments(), list[Values](), "ntraj"
    with Crew(threads, look) as crew:
        try:
            while run.settle(crew):
                say()
            again = True
            while again:
                total, kept, done = Moments(), [], 0
                for group in range(0, ntraj, threads * CHUNK):
                    look()
                    some = range(group, min(group + threads * CHUNK, ntraj), CHUNK)
                    chunks = [range(a, min(a + CHUNK, ntraj)) for a in some]
                    for values in crew.stream(run, chunks, [run]):
                        if keep:
                            kept.append(values)
                        total = total.with_more(values)
                        done = total.n
                again = run.widen(total.mean)
        except _Late:
            if not total.n:
                raise TimeoutError(
                    f"No run was finished within {timeout:g} s: the time went into setting up the "
                    "matrices, choosing the cutoffs of modes and the first runs."
                ) from None
            stopped = "timeout"
        except KeyboardInterrupt:
            if not total.n:
                raise
            stopped = "interrupted"
    return total, kept[: -(-total.n // CHUNK)], stopped
