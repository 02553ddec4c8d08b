"""What the driver asks of a compiled kernel, on whatever device it runs."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .cpu import Chunks


class NoDevice(ValueError):
    """A GPU cannot run this; the message says why, and what to do."""


class Kernel(Protocol):
    """A compiled kernel with its tables."""

    lanes: int
    state_slots: int
    nsteps: NDArray[np.int64]
    batched: NDArray[np.int64]
    compile_seconds: float
    #: Whether the trajectories of a chunk depend on each other.
    nets: bool

    @property
    def digest(self) -> str:
        """What a trajectory's numbers follow from, but the seed and the machine."""

    def simulate(
        self, first: int, chunks: int, ntraj: int, seed: int, *, keep: bool = False
    ) -> Chunks:
        """The sums of chunks from number ``first``."""

    def stop(self) -> None:
        """Leave all that is under way, as soon as may be, and for good: nobody wants the sums."""
