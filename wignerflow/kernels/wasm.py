"""Kernels for browsers: a WebAssembly module, and where in memory everything lies.

The module imports one memory, ``env.memory``, and exports ``run``, the function of the kernel's
text. Everything it is called with stands in that memory at addresses fixed here: tables (filled in
already), scratch, seeds, sums. ``layout`` names them; it also is the module's custom section
``wignerflow``, as JSON. ``wasm.mjs`` reads it and does the rest in JavaScript.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import build, targets
from ..compiler.build import ENTRY
from .cpu import CpuKernel
from .grid import Grid
from .means import settle
from .module import KernelText
from .wasm_link import PAGE, Object

SECTION = "wignerflow"
MOST = 2**32 - 2**24  # bytes of arrays: a module can address 2**32
TABLES = ("p", "o", "ct", "nsteps", "hs", "rows", "bmap")
CALL = ("first", "chunks", "ntraj", "seed0", "seed1")
PER_CHUNK = ("count", "mean", "m2", "bcount", "bsum", "clips", "final")
KEPT = ("count", "mean", "m2", "clips", "begin", "final")


@dataclass(frozen=True)
class Channels:
    """An observable: its values per time, and the channels with their real and imaginary parts."""

    name: str
    size: int
    real: int
    imag: int | None


class WasmModule(bytes):
    """A WebAssembly module that runs trajectories; the bytes alone are all that a host needs.

    Attributes:
        layout: where in memory everything lies (dict, ready for JSON; the module's custom section
            ``wignerflow`` holds the same):
            ``pages``: what the imported memory ``env.memory`` must have, of 65536 bytes;
            ``run``: the address to call the exported ``run`` with;
            ``call``: addresses of the 64-bit integers to set before: ``first`` (number of the first
            chunk), ``chunks`` (at most ``chunks`` of the layout), ``ntraj`` (trajectories from this
            number on do not count), ``seed0``, ``seed1`` (low and high half of the seed), and
            ``begin`` (0, or as many chunks as start from the states in ``begin``);
            ``lanes``: trajectories per chunk;
            ``times`` (T,), ``steps`` (of a trajectory, all in all), ``precision``;
            ``arrays``: address, type and shape of ``count`` (chunks, T), ``mean`` and ``m2``
            (chunks, T, K), the mean over a chunk and the sum of squares about it, ``begin`` and
            ``final`` (chunks, variables, lanes), the states at the first and last time;
            ``observables``: name, values per time, first channel k of the real and of the imaginary
            part (null where there is none);
            ``variables``: names of the variables of a state;
            ``tables``: address and number of bytes of all that follows from numbers in the model,
            and its ``parts``: offset, type and size of each;
            ``code``: SHA-256 of the kernel's text and the places in memory.
        tables: those bytes. Where two models have the same ``code``, copying the tables of one into
            the memory of the other runs that model: this is how rates change without compiling.
        javascript: a module for browsers and Node whose class ``Kernel`` does all this.
    """

    layout: dict[str, Any]
    tables: bytes

    @property
    def javascript(self) -> str:
        """The text of the host's side."""
        return Path(__file__).with_name("wasm.mjs").read_text()


class TooLarge(ValueError):
    """A kernel needs more memory than a module can address."""


class WasmKernel(CpuKernel):
    """A kernel's tables, and its code for WebAssembly."""

    def __init__(self, text: KernelText, grid: Grid, *, single: bool):
        make = functools.partial(CpuKernel._pilot, text, single, None)
        settle(text, grid, None, make, Grid.make)  # means that the noise is made of run here
        super().__init__(text, grid, single=single, batched=np.zeros(0, np.int64), means=False)

    def _compile(self) -> Any:
        self.code = build.object_code(self.source, targets.WASM)

    def module(
        self,
        times: NDArray[np.float64],
        observables: Sequence[Channels],
        variables: Sequence[str],
        chunks: int,
    ) -> WasmModule:
        """The module, with room for so many chunks per call.

        Raises:
            TooLarge: that is more than 4 GiB.
        """
        kernel = Object.read(self.code)
        one = self.arguments(0, 1, 0, 0, keep=True)
        need = sum(getattr(one[k], "nbytes", 8) * (chunks if k in PER_CHUNK else 1) for k in one)
        need += chunks * one["final"].nbytes  # as much for "begin"
        if need > MOST:
            raise TooLarge(
                f"The kernel needs {need / 2**30:.3g} GiB of memory and a WebAssembly module has "
                "4: take fewer `chunks` or fewer times."
            )
        arguments = self.arguments(0, chunks, 0, 0, keep=True)
        arguments["begin"] = np.zeros_like(arguments["final"])
        arrays = {k: a for k, a in arguments.items() if isinstance(a, np.ndarray)}
        at: dict[str, int] = {}
        free = kernel.end
        for name in sorted(arrays, key=lambda k: k not in TABLES):  # tables side by side
            at[name] = free
            free += -(-arrays[name].nbytes // 64) * 64
            if name == TABLES[-1]:
                tables = kernel.end, free - kernel.end
        by_array = {id(a): at[k] for k, a in arrays.items()}
        words = targets.pack(list(arguments.values()), lambda a: by_array[id(a)])
        place, run = {}, free
        for name, a in arguments.items():
            place[name] = free
            free += 8 * (1 + np.ndim(a))
        place["begin"] += 8  # its first dimension
        words[(place["begin"] - run) // 8] = 0
        filled = bytearray(tables[1])
        parts = {k: [at[k] - tables[0], arrays[k].dtype.name, arrays[k].size] for k in TABLES}
        for name in TABLES:
            begin = at[name] - tables[0]
            filled[begin : begin + arrays[name].nbytes] = arrays[name].tobytes()
        layout = {
            "pages": -(-free // PAGE),
            "run": run,
            "call": {k: place[k] for k in (*CALL, "begin")},
            "chunks": chunks,
            "lanes": self.lanes,
            "times": times.tolist(),
            "steps": int(self.nsteps.sum()),
            "precision": "single" if self.dtype is np.float32 else "double",
            "arrays": {
                k: {"at": at[k], "type": arrays[k].dtype.name, "shape": list(arrays[k].shape)}
                for k in KEPT
            },
            "observables": [asdict(o) for o in observables],
            "variables": list(variables),
            "tables": {"at": tables[0], "bytes": tables[1], "parts": parts},
        }
        facts = self.source + json.dumps(layout | {"times": None})
        layout["code"] = hashlib.sha256(facts.encode()).hexdigest()
        data = [(tables[0], bytes(filled)), (run, words.tobytes())]
        custom = {SECTION: json.dumps(layout).encode()}
        out = WasmModule(kernel.module(ENTRY, layout["pages"], data, custom))
        out.layout, out.tables = layout, bytes(filled)
        return out
