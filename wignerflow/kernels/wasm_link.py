"""WebAssembly: a complete module of one object file.

LLVM's object files are modules with relocations. All that an object refers to here is in itself,
and what stands at its relocations is right where functions keep their numbers and data their
addresses; so linking is a matter of sections: the memory is imported by its public name, the stack
pointer is a variable of the module, and one function is exported.
Source: WebAssembly core specification, section 5; the tool conventions' ``Linking.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
