"""Kernels for browsers: a WebAssembly module, and where in memory everything lies.

The module imports one memory, ``env.memory``, and exports ``run``, the function of the kernel's
text. Everything it is called with stands in that memory at addresses fixed here: tables (filled in
already), scratch, seeds, sums. ``layout`` names them; it also is the module's custom section
``wignerflow``, as JSON. ``wasm.mjs`` reads it and does the rest in JavaScript.

LLVM's object files are modules with relocations. All that an object refers to here is in itself,
and what stands at its relocations is right where functions keep their numbers and data their
addresses; so linking is a matter of sections: the memory is imported by its public name, the stack
pointer is a variable of the module, and one function is exported.
Source: WebAssembly core specification, section 5; the tool conventions' ``Linking.md``.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
        if text.shared:
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


MAGIC = b"\0asm\1\0\0\0"
CUSTOM, TYPE, IMPORT, FUNCTION, GLOBAL, EXPORT, CODE, DATA = 0, 1, 2, 3, 6, 7, 10, 11
DATA_COUNT = 12
FUNCTIONS, MEMORY, GLOBALS = 0, 2, 3  # kinds of imports
PAGE = 65536
STACK = PAGE  # bytes
I32, I32_CONST, END = 0x7F, 0x41, 0x0B
SYMBOLS, UNDEFINED, NAMED = 8, 0x10, 0x40


class NotAlone(ValueError):
    """An object file refers to something outside itself."""


def unsigned(n: int) -> bytes:
    """A number in LEB128."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def signed(n: int) -> bytes:
    """A number in signed LEB128."""
    out = bytearray()
    while not -64 <= n < 64:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n & 127])


def named(text: str) -> bytes:
    """A name."""
    return unsigned(len(text.encode())) + text.encode()


def listed(parts: Sequence[bytes]) -> bytes:
    """A vector of things."""
    return unsigned(len(parts)) + b"".join(parts)


class Reader:
    """Reads from the front of bytes."""

    def __init__(self, content: bytes):
        self.content, self.at = content, 0

    def __bool__(self) -> bool:
        return self.at < len(self.content)

    def take(self, n: int) -> bytes:
        """The next bytes."""
        self.at += n
        return self.content[self.at - n : self.at]

    def number(self) -> int:
        """An unsigned number."""
        out = shift = 0
        while True:
            (byte,) = self.take(1)
            out |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return out

    def name(self) -> str:
        """A name."""
        return self.take(self.number()).decode()


@dataclass
class Object:
    """What an object file holds.

    Attributes:
        sections: contents by number.
        symbols: numbers of its functions by name.
        stack: whether it has variables on a stack.
        segments: addresses and contents of its data.
    """

    sections: dict[int, bytes] = field(default_factory=dict)
    symbols: dict[str, int] = field(default_factory=dict)
    stack: bool = False
    segments: list[tuple[int, bytes]] = field(default_factory=list)

    @staticmethod
    def read(content: bytes) -> Object:
        """The parts of a file of LLVM's.

        Raises:
            NotAlone: it imports more than a memory and a stack.
        """
        out, file = Object(), Reader(content[len(MAGIC) :])
        while file:
            kind = file.number()
            part = Reader(file.take(file.number()))
            if kind == IMPORT:
                out._imports(part)
            elif kind == DATA:
                out._data(part)
            elif kind == CUSTOM:
                if part.name() == "linking":
                    out._linking(part)
            elif kind in (TYPE, FUNCTION, CODE):
                out.sections[kind] = part.content
            elif kind != DATA_COUNT:
                raise NotAlone(f"the object file has a section {kind}")
        return out

    def _imports(self, part: Reader) -> None:
        for _ in range(part.number()):
            part.name()
            name, (kind,) = part.name(), part.take(1)
            if kind == MEMORY:
                for _ in range(1 + part.number() % 2):
                    part.number()
            elif kind == GLOBALS and name == "__stack_pointer":
                part.take(2)
                self.stack = True
            else:
                raise NotAlone(f"the object file asks for {name}")

    def _data(self, part: Reader) -> None:
        for _ in range(part.number()):
            part.take(2)  # active, i32.const
            at = part.number()
            part.take(1)
            self.segments.append((at, part.take(part.number())))

    def _linking(self, part: Reader) -> None:
        part.number()
        while part:
            kind = part.number()
            table = Reader(part.take(part.number()))
            for _ in range(table.number() if kind == SYMBOLS else 0):
                (what,), flags = table.take(1), table.number()
                if what == 1:
                    name = table.name()
                    if not flags & UNDEFINED:
                        for _ in range(3):
                            table.number()
                    continue
                index = table.number()
                if what != 3 and (not flags & UNDEFINED or flags & NAMED):
                    name = table.name()
                    if what == 0:
                        self.symbols[name] = index

    @property
    def end(self) -> int:
        """Where memory is free: behind data and stack."""
        data = max((at + len(x) for at, x in self.segments), default=0)
        return max(1, -(-data // 64)) * 64 + (STACK if self.stack else 0)

    def module(
        self,
        entry: str,
        pages: int,
        data: Sequence[tuple[int, bytes]],
        custom: Mapping[str, bytes],
    ) -> bytes:
        """A module that exports ``entry`` and imports ``env.memory``.

        Args:
            entry: the function's name.
            pages: what the memory must have at least, of 65536 bytes.
            data: what stands in memory from the beginning, by address.
            custom: sections for whoever reads them, by name.
        """
        memory = named("env") + named("memory") + bytes([MEMORY, 0]) + unsigned(pages)
        top = bytes([I32, 1, I32_CONST]) + signed(self.end) + bytes([END])
        export = named(entry) + bytes([FUNCTIONS]) + unsigned(self.symbols[entry])
        segments = [
            bytes([0, I32_CONST]) + signed(at) + bytes([END]) + unsigned(len(x)) + x
            for at, x in [*self.segments, *data]
        ]
        parts = {
            TYPE: self.sections[TYPE],
            IMPORT: listed([memory]),
            FUNCTION: self.sections[FUNCTION],
            **({GLOBAL: listed([top])} if self.stack else {}),
            EXPORT: listed([export]),
            CODE: self.sections[CODE],
            DATA: listed(segments),
        }
        own = [bytes([CUSTOM]) + _sized(named(name) + x) for name, x in custom.items()]
        return b"".join([MAGIC, *(bytes([k]) + _sized(x) for k, x in parts.items()), *own])


def _sized(content: bytes) -> bytes:
    return unsigned(len(content)) + content
