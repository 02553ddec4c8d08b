"""Runs chunks of trajectories on the CPU.

A chunk is one block of lanes. Its size depends on the number of state variables alone, so the same
trajectories form the same chunks on every machine.
"""

from __future__ import annotations

import functools
import hashlib
import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..compiler import build, targets
from ..estimate import LISTENER, check_memory
from . import rng
from .grid import Grid
from .means import settle
from .module import KernelText

MANY_LANES, FEW_LANES = 128, 32
LINE = 64  # bytes of a line of the cache
MANY_LANES_SLOTS = (
    48  # at most this many state variables with MANY_LANES, so that a block stays in the L1 cache
)


@functools.cache
def cpu_target() -> str:
    """The instruction set and vector width that results depend on."""
    return targets.host().name


def lanes_for(text: KernelText) -> int:
    """Trajectories per block: few where there is but one, without noise."""
    listener = LISTENER.get()
    if listener is not None and listener.lanes is not None:
        return listener.lanes
    many = text.system.noise and text.layout.state_slots <= MANY_LANES_SLOTS
    return MANY_LANES if many else FEW_LANES


@dataclass
class Chunks:
    """Sums of a run of successive chunks, and the time it took; leading axis is the chunk."""

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    batch_count: NDArray[np.int64]
    batch_sum: NDArray[np.float64]
    clips: NDArray[np.float64]
    final: NDArray[Any]
    seconds: float = 0.0

    @staticmethod
    def joined(parts: list[Chunks]) -> Chunks:
        """Those of several runs, one after the other."""
        arrays = [k for k in vars(parts[0]) if k != "seconds"]
        all_of = {k: np.concatenate([getattr(p, k) for p in parts]) for k in arrays}
        return Chunks(**all_of, seconds=sum(p.seconds for p in parts))


#: Names of the sums in the text of ``run``.
SUMS = {
    "count": "count", "mean": "mean", "m2": "m2", "batch_count": "bcount", "batch_sum": "bsum",
    "clips": "clips", "final": "final",
}  # fmt: skip


def kernel_digest(kernel: Any, facts: str) -> str:
    """SHA-256 of a kernel's source and tables, and of further facts."""
    out = hashlib.sha256(kernel.source.encode())
    out.update(facts.encode())
    tables = (kernel.p, kernel.o, kernel.ct, kernel.rows, kernel.nsteps, kernel.hs, kernel.bmap)
    for table in tables:
        out.update(f"|{table.dtype.str}{table.shape}|".encode())
        out.update(np.ascontiguousarray(table).tobytes())
    return out.hexdigest()


class CpuKernel:
    """A compiled kernel with its tables: ``simulate`` runs chunks and releases the GIL.

    It can be pickled: source and tables travel, and the other process compiles for its own CPU.
    ``start`` (samples, variables), in the order of ``Layout``, are the initial states of
    trajectories 0, 1, ..., and from the first on again; None draws them. Without ``moments`` means
    and m2 of chunks are left out, which take as long as batch sums. A kernel that is ``like`` this
    one but for its grid has the same code.
    """

    nets = False

    def __init__(
        self,
        text: KernelText,
        grid: Grid,
        *,
        single: bool,
        batched: NDArray[np.int64],
        lanes: int | None = None,
        start: NDArray[np.float64] | None = None,
        means: bool = True,
        moments: bool = True,
        like: CpuKernel | None = None,
    ):
        self.compile_seconds = 0.0
        if means and text.shared:  # False in the run that finds them
            make = functools.partial(self._pilot, text, single, lanes)
            self.compile_seconds = settle(text, grid, start, make, Grid.make)
        self.lanes = lanes_for(text) if lanes is None else lanes
        self.dtype: Any = np.float32 if single else np.float64
        self.nsteps, self.hs = grid.nsteps, grid.hs.astype(self.dtype)
        layout = text.layout
        self.state_slots, self.scratch = layout.state_slots, len(layout.scratch)
        self.wide_slots, self.channels = text.wide_slots, text.channels_total
        self.noise = 1.0 if text.system.noise else 0.0
        if text.links:
            self.wide_slots += text.links.wide(grid.lengths)
            rings = float(self.wide_slots) * self.lanes * np.dtype(self.dtype).itemsize
            remedy = "ask for shorter delays of links, or longer steps"
            check_memory(rings, "Light under way on links", remedy)
        self.p, self.o, self.ct, self.rows = text.tables(grid, self.dtype, start is not None)
        self.bmap = np.full(text.channels_total, -1, np.int64)
        self.bmap[batched] = np.arange(batched.size)
        self.batched, self.moments = batched, moments
        self.start = None if start is None else np.ascontiguousarray(start, self.dtype)
        #: Slots of light under way on links: where a run finds it, and where it leaves it.
        self.under_way: tuple[NDArray[np.int64], ...] = ()
        self.full = self.start is not None and self.start.shape[1] > self.state_slots
        if text.links:
            self.under_way = tuple(
                text.links.under_way(grid.lengths, self.o, n) for n in (0, int(grid.nsteps.sum()))
            )
            if self.full:
                text.links.fill(self.o)
        #: Not zero: whatever is under way is left, and its sums mean nothing.
        self.leave = np.zeros(1, np.int64)
        if like is None:
            self.source = self._source(text, single)
            self._run = self._compile()
        else:
            self.source, self._run = like.source, like._run

    @classmethod
    def _pilot(
        cls, text: KernelText, single: bool, lanes: int | None, grid: Grid, start: Any
    ) -> CpuKernel:
        """The kernel of one interval of the run that finds means."""
        none = np.zeros(0, np.int64)
        return cls(text, grid, single=single, batched=none, lanes=lanes, start=start, means=False)

    @property
    def digest(self) -> str:
        """SHA-256 of all that a trajectory's numbers follow from, but the seed and the CPU."""
        facts = f"{self.dtype.__name__} {self.lanes} {self.noise}"
        if self.start is not None:
            facts += " " + hashlib.sha256(self.start.tobytes()).hexdigest()
        return kernel_digest(self, facts)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_run"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._run = self._compile()

    def _source(self, text: KernelText, single: bool) -> str:
        return text.module(single, self.lanes)

    def _compile(self) -> targets.Loaded:
        start = time.perf_counter()
        run = build.load(self.source)
        self.compile_seconds += time.perf_counter() - start
        return run

    def simulate(
        self,
        first: int,
        chunks: int,
        ntraj: int,
        seed: int,
        *,
        keep: bool = False,
        draws: tuple[int, int, int] = (1, 1, 1),
        into: NDArray[np.float64] | None = None,
    ) -> Chunks:
        """Run ``chunks`` chunks from number ``first``; trajectories from ``ntraj`` on do not count.

        ``keep`` returns the final states; ``draws`` are the normals summed per collective, half
        local and full local step (step-size pilots); ``into`` is memory for the batch sums, which
        is used again and again.
        """
        start = time.perf_counter()
        if self.under_way and (keep or self.full):
            some = [self._carrying(first + c, ntraj, seed, keep, draws) for c in range(chunks)]
            out = Chunks.joined(some)
        else:
            given: dict[str, Any] = {"keep": keep, "draws": draws, "into": into}
            out = self._sums(self.arguments(first, chunks, ntraj, seed, **given))
        out.seconds = time.perf_counter() - start
        return out

    def stop(self) -> None:
        """See ``Kernel``."""
        self.leave[0] = 1

    def _sums(self, arguments: dict[str, Any]) -> Chunks:
        """Run the kernel; what it wrote into its arguments."""
        self._run(list(arguments.values()))
        found = {k: arguments[name] for k, name in SUMS.items()}
        return Chunks(**found | {"batch_sum": np.swapaxes(found["batch_sum"], 2, 3)})

    def _carrying(
        self, chunk: int, ntraj: int, seed: int, keep: bool, draws: tuple[int, int, int]
    ) -> Chunks:
        """One chunk whose states begin and end with light under way on links."""
        arguments = self.arguments(chunk, 1, ntraj, seed, keep=keep, draws=draws)
        wide = arguments["w"].reshape(-1, self.lanes)
        if self.full:
            wide[self.under_way[0]] = self._states(chunk, 1)[:, self.state_slots :].T
        out = self._sums(arguments)
        if keep:
            out.final = np.concatenate([out.final, wide[self.under_way[1]][None]], axis=1)
        return out

    def _states(self, first: int, chunks: int) -> NDArray[Any]:
        """States from which the trajectories of some chunks start, (trajectories, variables)."""
        assert self.start is not None
        rows = np.arange(first * self.lanes, (first + chunks) * self.lanes) % len(self.start)
        return np.asarray(self.start[rows])

    def _rooms(self) -> dict[str, NDArray[Any]]:
        """State, its mid-point and both scratch arrays, each at the start of a line of the cache.

        Vectors that lie across two lines would take twice as long to read and to write.
        """
        slots = {"v": self.state_slots, "q": self.state_slots}
        slots |= {"s": self.scratch, "w": self.wide_slots}
        line = LINE // np.dtype(self.dtype).itemsize
        sizes = [-(-k * self.lanes // line) * line for k in slots.values()]
        whole = np.zeros(sum(sizes) + line, self.dtype)
        at = -whole.ctypes.data % LINE // whole.itemsize
        out = {}
        for (name, k), size in zip(slots.items(), sizes, strict=True):
            out[name] = whole[at : at + k * self.lanes]
            at += size
        return out

    def arguments(
        self,
        first: int,
        chunks: int,
        ntraj: int,
        seed: int,
        *,
        keep: bool = False,
        draws: tuple[int, int, int] = (1, 1, 1),
        into: NDArray[np.float64] | None = None,
    ) -> dict[str, Any]:
        """What ``run`` is called with, by the names in the kernel's text."""
        T, Kb, n = self.nsteps.size + 1, self.batched.size, self.lanes
        K = self.channels if self.moments else 0
        begin = np.zeros((0, self.state_slots, n), self.dtype)
        if self.start is not None:
            states = self._states(first, chunks)[:, : self.state_slots]
            states = states.reshape(chunks, n, self.state_slots)
            begin = np.ascontiguousarray(states.swapaxes(1, 2))
        seed0, seed1 = rng.seed_words(seed)
        return {
            "first": first,
            "chunks": chunks,
            "ntraj": ntraj,
            "seed0": seed0,
            "seed1": seed1,
            **self._rooms(),
            "p": self.p,
            "o": self.o,
            "ct": self.ct,
            "nsteps": self.nsteps,
            "hs": self.hs,
            "rows": self.rows,
            **{
                k: np.zeros(3 * d, np.uint32)
                for k, d in zip(("kd", "kh", "kf"), draws, strict=True)
            },
            "noise": self.dtype(self.noise),
            "count": np.zeros((chunks, T), np.int64),
            "mean": np.zeros((chunks, T, K)),
            "m2": np.zeros((chunks, T, K)),
            "bcount": np.zeros((chunks, T, 32), np.int64),
            "bsum": np.zeros((chunks, T, Kb, 32)) if into is None else into[:chunks],
            "bmap": self.bmap,
            "clips": np.zeros(chunks),
            "begin": begin,
            "final": np.zeros((chunks if keep else 0, self.state_slots, n), self.dtype),
            "leave": self.leave,
        }


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
