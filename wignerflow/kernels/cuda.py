"""Compiles a kernel for CUDA and runs chunks of trajectories on a GPU.

The interface is that of ``cpu.CpuKernel``. A chunk is larger than on the CPU; its size depends on
the number of state variables alone, and sums are made per chunk in a fixed order, so results do
not depend on the number of GPUs, on how chunks are grouped into launches, nor on interruptions.

A second kernel, the same for every model, adds up observables over the trajectories of chunks, in
double precision: a block of threads takes one observable at one time in one chunk, thread r
trajectories of batch r % 32 only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import build, targets
from ..phasespace.system import MATRIX
from . import rng
from .card import DriverError, Function, Memory, about, count, current, free_memory, function
from .cpu import Chunks, NoDevice, kernel_digest
from .grid import Grid
from .module import KernelText
from .threads import Shape, heading, room, source

#: Steps of members of all trajectories per launch: tenths of a second on a large card, and less
#: than the seconds after which a driver with a display stops a kernel on a small one.
LAUNCH_STEPS = 4e9
VALUE_BYTES = 2**29  # of observables kept before they are added up
GRID_LIMIT = 65_535  # of a grid's second and third dimension
WHOLE = 2**62  # more steps than any interval between outputs has
MEMORY_SHARE = 0.8  # of the free memory, at most


def devices() -> list[int]:
    """Numbers of the GPUs to use: all visible ones of the kind of the first."""
    kinds = [(about(k).capability, about(k).name) for k in range(count())]
    return [k for k, other in enumerate(kinds) if other == kinds[0]]


def cuda_target() -> str:
    """The kind of GPU that results depend on."""
    card = about(0)
    return "cuda sm_{}{} {}".format(*card.capability, card.name)


def resident() -> int:
    """Threads that a GPU can hold at the same time."""
    return about(0).multiprocessors * about(0).threads


class CudaKernel:
    """A compiled kernel with its tables: ``simulate`` runs chunks on the thread's current GPU."""

    nets = False

    def __init__(
        self,
        text: KernelText,
        grid: Grid,
        *,
        single: bool,
        batched: NDArray[np.int64],
        shape: Shape | None = None,
        ready: bool = True,
    ):
        """``ready=False`` leaves the kernel uncompiled, for machines without a GPU.

        Where it is unpickled it is compiled.
        """
        for block in text.system.blocks:
            if block.kind == MATRIX:
                raise NoDevice(
                    f"Emitters with levels ({block.name!r}) have no kernel for GPUs yet: use "
                    "device='cpu'."
                )
        self.shape = Shape.of(text) if shape is None else shape
        text = KernelText(text.given, text.readouts, self.shape.loops())
        self.lanes = self.shape.lanes
        self.dtype: Any = np.float32 if single else np.float64
        self.nsteps, self.hs = grid.nsteps, grid.hs.astype(self.dtype)
        self.channels, self.strang = text.channels_total, text.strang
        self.singles = sum(text.layout.blocks[k].components for k in text.layout.singles)
        self.arrays = bool(text.layout.arrays)
        self.members = max(1, sum(b.size for b in text.system.blocks))
        self.state_slots = text.layout.state_slots
        self.places = text.layout.loops.places(text.layout)
        self.noise = 1.0 if text.system.noise else 0.0
        self.p, self.o, self.ct, self.rows = text.tables(grid, self.dtype)
        self.room = room(text, self.shape, self.dtype().itemsize)
        self.bmap = np.full(text.channels_total, -1, np.int64)
        self.bmap[batched] = np.arange(batched.size)
        self.batched = batched
        self.source = source(text, self.shape, single, self.o, self.ct.shape[0] > 1)
        self.sums_source = sums_source(single, self.shape.sum_threads)
        self.compile_seconds = 0.0
        self.left = False
        if ready:
            self.target = cuda_target()
            self.fitting(free_memory(0))
            self._compile()

    @property
    def digest(self) -> str:
        """SHA-256 of all that a trajectory's numbers follow from, but the seed and the GPU."""
        facts = f"{self.dtype.__name__} {self.lanes} {self.noise} {self.sums_source}"
        return kernel_digest(self, facts)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_run", "_sums", "_tables")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()

    def _compile(self) -> None:
        start = time.perf_counter()
        self._run, self._sums = self.kernels(targets.nvidia(about(0).capability))
        self._tables: dict[int, Any] = {}
        try:
            self._run.load()
            self._sums.load()
        except DriverError as error:
            raise NoDevice(
                f"The driver does not take this kernel ({error}): use device='cpu'."
            ) from None
        self.compile_seconds = time.perf_counter() - start

    def kernels(self, target: targets.Target) -> tuple[Function, Function]:
        """The kernels ``run`` and ``sums``; no card is needed."""
        made = ((self.source, "run"), (self.sums_source, "sums"))
        run, sums = (function(build.object_code(x, target, name), name) for x, name in made)
        return run, sums

    # -- memory --------------------------------------------------------------------------------

    def _values(self, width: int) -> int:
        """Output times kept before they are added up."""
        row = width * (self.channels + 1) * self.dtype().itemsize
        return int(max(1, min(self.nsteps.size + 1, VALUE_BYTES // max(1, row), GRID_LIMIT)))

    def bytes(self, chunks: int) -> int:
        """Memory of the GPU that so many chunks need at once."""
        width, size, times = chunks * self.lanes, self.dtype().itemsize, self.nsteps.size + 1
        space = self.room
        state = width * (2 * space.state + space.wide + space.saved * self.shape.threads + 1) * size
        values = width * (self.channels + 1) * self._values(width) * size
        sums = 8 * chunks * times * (2 * self.channels + 33 + 32 * self.batched.size)
        tables = sum(t.nbytes for t in (self.p, self.o, self.ct, self.rows, self.nsteps, self.hs))
        return state + values + sums + tables + 16 * int(self.nsteps.sum() + self.nsteps.size)

    def fitting(self, free: float) -> int:
        """Chunks that fit into so many free bytes; raises where not one does."""
        if self.bytes(1) > MEMORY_SHARE * free:
            raise NoDevice(
                f"One chunk of {self.lanes} trajectories needs {self.bytes(1) / 1e9:.3g} GB of "
                f"memory on the GPU, which has {free / 1e9:.3g} GB free: use device='cpu', or "
                "make the arrays smaller."
            )
        chunks = 1
        while 2 * chunks <= GRID_LIMIT and self.bytes(2 * chunks) <= MEMORY_SHARE * free:
            chunks *= 2
        return chunks

    # -- running -------------------------------------------------------------------------------

    def _launches(self, width: int) -> Iterator[tuple[int, int, int, int]]:
        """Ranges of outputs (i0, i1), or of the steps (j0, j1) of one, that run in one launch."""
        most = max(1, int(LAUNCH_STEPS / (width * self.members)))
        rows, times = self._values(width), self.nsteps.size + 1
        i = 0
        while i < times:
            end, steps = i, 0
            while end < times and end - i < rows:
                more = int(self.nsteps[end - 1]) if end else 0
                if steps + more > most and end > i:
                    break
                steps += more
                end += 1
            if end == i + 1 and steps > most:
                for j in range(0, steps, most):
                    yield i, end, j, min(j + most, steps)
            else:
                yield i, end, 0, WHOLE
            i = end

    def _on_device(self, seed: int, high: int) -> tuple[Any, ...]:
        """Tables in the memory of the current GPU, sent once for every seed.

        ``high``: a trajectory with the high word of those that run.
        """
        device = current()
        known = self._tables.get(device)
        now = (seed, high >> 32)
        if known is None or known[0] != now:
            total, k0, k1 = int(self.nsteps.sum()), *rng.run_words(seed, high)
            counts = (total, total + self.nsteps.size)
            keys = []
            for n, purpose in zip(counts, (rng.DYNAMICS, rng.LOCAL), strict=True):
                step = np.arange(n)
                words = (*rng.threefry_np(k0, k1, step, purpose), (step % 2).astype(np.uint32))
                keys.append(np.stack(words, axis=-1))
            constants = (self.p, self.o, self.ct, self.nsteps, self.hs, self.rows)
            sent = [Memory.of(x) for x in (*constants, *keys, self.bmap)]
            known = self._tables[device] = (now, *sent)
        return known[1:]

    def stop(self) -> None:
        """See ``Kernel``."""
        self.left = True

    def simulate(
        self, first: int, chunks: int, ntraj: int, seed: int, *, keep: bool = False
    ) -> Chunks:
        """Run ``chunks`` chunks from number ``first``; trajectories from ``ntraj`` on do not count.

        ``keep`` returns the final states.
        """
        T, K, Kb, shape = self.nsteps.size + 1, self.channels, self.batched.size, self.shape
        begin = time.perf_counter()
        start = first * self.lanes
        edge = (start // 2**32 + 1) * 2**32 // self.lanes - first
        if 0 < edge < chunks:  # the high word of trajectories, which is in the keys, changes
            parts = [
                self.simulate(*some, ntraj, seed, keep=keep)
                for some in ((first, edge), (first + edge, chunks - edge))
            ]
            return Chunks.joined(parts)
        *tables, bmap = self._on_device(seed, start)
        ntraj = max(0, min(ntraj, start + chunks * self.lanes) - start)  # of these chunks
        blocks = max(1, -(-ntraj // shape.rows))
        width = blocks * shape.rows
        tile = 1 if shape.spread else shape.rows
        space, F = self.room, self.dtype
        saved = Memory((space.saved, width * shape.threads), F)
        V, Q, W = (
            Memory((width // tile, n * tile), F)
            for n in (space.state, 1 if space.shared else space.state, space.wide)
        )
        rows = self._values(width)
        values, live = Memory((rows, K, width), F), Memory((rows, width), F)
        clips = Memory((width,), F)
        mean, m2 = (Memory((chunks, T, K), np.float64) for _ in range(2))
        sums = Memory((chunks, T, 32, max(1, Kb)), np.float64)
        counts, batches = (Memory(s, np.int64) for s in ((chunks, T), (chunks, T, 32)))
        words = rng.run_words(seed, start)
        ka, kb = (np.uint32(x) for x in rng.threefry_np(*words, 0, rng.INITIAL))
        p, o, ct, nsteps, hs, local_rows, dynamics, locals_ = tables

        def launch(i0: int, i1: int, j0: int, j1: int, number: int) -> None:
            arguments = (
                start % 2**32, i0, i1, j0, j1, number, ka, kb, F(self.noise), saved, V, Q, W, p, o,
                ct, nsteps, hs, local_rows, dynamics, locals_, values, live, clips,
            )  # fmt: skip
            self._run.launch((blocks, 1, 1), shape.block, arguments)

        def total(i0: int, i1: int) -> None:
            arguments = (
                values, live, K, self.lanes, ntraj, i0, mean, m2, sums, bmap, counts, batches,
            )  # fmt: skip
            self._sums.launch((K + 1, i1 - i0, chunks), (shape.sum_threads, 1), arguments)

        number = 0
        for i0, i1, j0, j1 in self._launches(width):
            if self.left:
                break
            launch(i0, i1, j0, j1, number)
            if j1 == WHOLE:
                number += int(self.nsteps[max(i0 - 1, 0) : i1 - 1].sum())
            else:
                number += j1 - j0
            if i0 == 0 or j1 >= self.nsteps[i0 - 1]:
                total(i0, i1)
        final = np.zeros((0, self.state_slots, self.lanes), F)
        if keep:
            final = self._final(chunks, ntraj, width, saved, V)
        out = Chunks(
            counts.copy(),
            mean.copy(),
            m2.copy(),
            batches.copy(),
            sums.copy()[:, :, :, :Kb],
            self._clips(chunks, ntraj, clips),
            final,
        )
        out.seconds = time.perf_counter() - begin
        return out

    def _clips(self, chunks: int, count: int, clips: Any) -> NDArray[np.float64]:
        each = np.zeros(chunks * self.lanes)
        each[:count] = clips.copy()[:count]
        return each.reshape(chunks, self.lanes).sum(axis=1)

    def _final(self, chunks: int, count: int, width: int, saved: Any, V: Any) -> NDArray[Any]:
        """States at the last time: single subsystems from the registers, arrays from memory."""
        out = np.zeros((self.state_slots, chunks * self.lanes), self.dtype)
        registers = saved.copy()[: self.singles, :: self.shape.threads]
        out[: self.singles, :count] = registers[:, :count]
        if self.arrays:
            state = V.copy()
            tile = 1 if self.shape.spread else self.shape.rows
            state = state.reshape(width // tile, self.room.state, tile)
            state = state.transpose(1, 0, 2).reshape(self.room.state, width)
            out[self.singles :, :count] = state[self.places[self.singles :], :count]
        return out.reshape(self.state_slots, chunks, self.lanes).transpose(1, 0, 2)


SUMS = """
def sums(vals: "F[][][]", live: "F[][]", alive_channels: "i64", lanes: "i64", ntraj: "i64",
         i0: "i64", mean: "f64[][][]", m2: "f64[][][]", bsum: "f64[][][][]", bmap: "i64[]",
         count: "i64[][]", bcount: "i64[][][]"):
    # block (k, i, c): channel k at output i0 + i of chunk c; the last k counts trajectories
    k = block(0)
    i = block(1)
    c = block(2)
    r = thread(0)
    parts = shared_f64(SUM_THREADS)
    batch = shared_f64(32)
    first = c * lanes
    last = min(first + lanes, ntraj)
    n = 0.0
    total = 0.0
    for t in range(first + r, last, SUM_THREADS):
        if live[i, t] > F(0):
            n += 1.0
            if k < alive_channels:
                total += np.float64(vals[i, k, t])
    alive = added(n, parts, batch, r)
    if k == alive_channels:
        if r == 0:
            count[c, i0 + i] = int(alive)
        if r < 32:
            bcount[c, i0 + i, r] = int(batch[r])
    else:
        centre = added(total, parts, batch, r) / max(alive, 1.0)
        b = bmap[k]
        if b >= 0 and r < 32:
            bsum[c, i0 + i, r, max(b, 0)] = batch[r]
        square = 0.0
        for t in range(first + r, last, SUM_THREADS):
            if live[i, t] > F(0):
                d = np.float64(vals[i, k, t]) - centre
                square += d * d
        square = added(square, parts, batch, r)
        if r == 0:
            mean[c, i0 + i, k] = centre
            m2[c, i0 + i, k] = square


def added(x, parts, batch, r):
    # thread r has trajectories of batch r % 32 only
    barrier()
    parts[r] = x
    barrier()
    if r < 32:
        part = 0.0
        for j in range(r, SUM_THREADS, 32):
            part += parts[j]
        batch[r] = part
    barrier()
    total = 0.0
    for j in range(32):
        total += batch[j]
    return total
"""


def sums_source(single: bool, threads: int) -> str:
    """The module's text; ``threads`` per block, a multiple of 32."""
    return (
        "\n".join([*heading(single), f"LN = {threads}", f"SUM_THREADS = {threads}"]) + "\n" + SUMS
    )
