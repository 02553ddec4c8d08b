"""In which portions the sums of chunks are added.

The first chunks are added one by one. After them, where a chunk is little work, some are added to
each other first, by whoever ran them, and their sum to the rest: less to carry from worker to
worker and less to add. The portions follow from the model and the step grid alone, so bits depend
on neither who runs what nor where a run is interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..kernels.cpu import Chunks
from ..kernels.kernel import Kernel
from .statistics import Samples

#: Chunks that are added one by one.
SINGLE = 128
#: Most chunks in a portion; divides ``SINGLE``, so that portions end at powers of two.
LARGEST = 16
#: Trajectories of a chunk of which several may be in a portion (a GPU's chunks are larger).
SMALL = 128
#: Most work in a portion of several chunks, in trajectories times variables times steps.
WORK = 2**25


@dataclass(frozen=True)
class Units:
    """The portions of a run: ``SINGLE`` chunks, then ``size`` at a time."""

    chunks: int
    size: int

    @staticmethod
    def of(kernel: Kernel, chunks: int) -> Units:
        """Portions of a run of so many chunks."""
        work = kernel.lanes * kernel.state_slots * int(kernel.nsteps.sum())
        size = LARGEST if kernel.lanes <= SMALL else 1
        while size > 1 and size * work > WORK:
            size //= 2
        return Units(chunks, size)

    def start(self, unit: int) -> int:
        """The first chunk of a portion (the number of chunks, behind the last)."""
        chunk = unit if unit <= SINGLE else SINGLE + (unit - SINGLE) * self.size
        return min(chunk, self.chunks)

    def at(self, chunk: int) -> int:
        """The portion that begins with ``chunk``, or holds it."""
        return chunk if chunk <= SINGLE else SINGLE + (chunk - SINGLE) // self.size

    @cached_property
    def count(self) -> int:
        """Number of portions."""
        last = self.at(self.chunks)
        return last + (self.start(last) < self.chunks)

    @property
    def largest(self) -> int:
        """Chunks in the largest portion."""
        return self.size if self.chunks > SINGLE else 1

    def sizes(self, first: int, units: int) -> list[int]:
        """Chunks in each of ``units`` portions."""
        return [self.start(u + 1) - self.start(u) for u in range(first, first + units)]

    def whole(self, chunk: int) -> bool:
        """Whether a portion of any longer run ends before ``chunk``."""
        return chunk <= SINGLE or (chunk - SINGLE) % self.size == 0


def simulate(
    kernel: Kernel, first: int, sizes: list[int], ntraj: int, seed: int, keep: bool
) -> Chunks:
    """Sums of portions of chunks from number ``first``; the leading axis is the portion."""
    if max(sizes) == 1:
        return kernel.simulate(first, len(sizes), ntraj, seed, keep=keep)
    parts = []
    for size in sizes:
        part = kernel.simulate(first, size, ntraj, seed, keep=keep)
        parts.append(part if size == 1 else _folded(part, kernel))
        first += size
    return Chunks.joined(parts)


def _folded(out: Chunks, kernel: Kernel) -> Chunks:
    times, channels = out.mean.shape[1:]
    sums = Samples.empty(times, channels, kernel.batched)
    sums.absorb(out.count, out.mean, out.m2, out.batch_sum, out.batch_count)
    clips = np.array([sum(out.clips.tolist())])
    return Chunks(
        sums.count[None], sums.mean[None], sums.m2[None], sums.batch_count[None],
        sums.batch_sum[None], clips, out.final, out.seconds,
    )  # fmt: skip
