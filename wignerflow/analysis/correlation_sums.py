"""Sums over trajectories from which a correlation and its errors follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..run.statistics import BATCHES


@dataclass
class CorrelationSums:
    """Sums over trajectories: moments for the errors, and batch by batch for jackknives."""

    size: int
    failed: int = 0

    def __post_init__(self) -> None:
        self.count = np.zeros(BATCHES)
        self.C, self.A = np.zeros((2, BATCHES, self.size), complex)
        self.B = np.zeros(BATCHES, complex)
        self.squares = np.zeros(self.size, complex)
        self.shift: NDArray[np.complex128] | None = None

    def add(self, C: Any, A: Any, B: Any, counts: NDArray[np.bool_], ntraj: int) -> None:
        """One chunk of trajectories, one per batch; ``ntraj`` of them exist."""
        C, A, B = (np.where(counts.reshape(-1, *(1,) * (x.ndim - 1)), x, 0) for x in (C, A, B))
        self.failed += ntraj - int(counts.sum())
        self.count += counts
        self.C, self.A, self.B = self.C + C, self.A + A, self.B + B
        if self.shift is None:
            self.shift = C[counts].mean(axis=0) if counts.any() else np.zeros(self.size, complex)
        d = C[counts] - self.shift
        self.squares += (d.real**2).sum(axis=0) + 1j * (d.imag**2).sum(axis=0)

    def result(self, connected: bool) -> tuple[Any, Any, Any]:
        """Value, standard error, and the value without each batch."""
        n = self.count.sum()

        def value(C: Any, A: Any, B: Any, n: Any) -> Any:
            return C / n - (A / n) * (B / n) if connected else C / n

        C, A, B = self.C.sum(axis=0), self.A.sum(axis=0), self.B.sum()
        mean = value(C, A, B, n)
        used = self.count > 0
        without = value(
            (C - self.C)[used], (A - self.A)[used], (B - self.B)[used, None],
            (n - self.count)[used, None],
        )  # fmt: skip
        if connected:
            return mean, jackknife(without), without
        assert self.shift is not None
        d = mean - self.shift
        spread = self.squares - n * (d.real**2 + 1j * d.imag**2)
        sem = np.sqrt(spread.real.clip(0) / (n - 1) / n)
        return mean, sem + 1j * np.sqrt(spread.imag.clip(0) / (n - 1) / n), without


def jackknife(without: NDArray[Any]) -> NDArray[Any]:
    """Standard error from values that leave out one batch each, along the first axis."""
    n = len(without)
    d = without - without.mean(axis=0)
    if not np.iscomplexobj(d):
        return np.asarray(np.sqrt((n - 1) / n * (d**2).sum(axis=0)))
    both = [np.sqrt((n - 1) / n * (x**2).sum(axis=0)) for x in (d.real, d.imag)]
    return np.asarray(both[0] + 1j * both[1])
