"""What the lowering of kernel text talks about: numbers, arrays, modules of functions."""

from __future__ import annotations

import ast
import operator
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: No "nnan"/"ninf": the check for failed trajectories relies on NaN and infinity being honoured.
FLAGS = "nsz arcp contract afn reassoc"
#: In texts without lanes: functions are exact there.
PLAIN_FLAGS = "nsz arcp contract reassoc"
LANE, LANES = "l", "LN"
#: CPython 3.11 counts the depth of trees once for all threads: two that parse at once may fail.
_PARSING = threading.Lock()


def tree_of(text: str) -> ast.Module:
    """The tree of a text, one thread at a time."""
    with _PARSING:
        return ast.parse(text)


TYPES = {
    "f32": "float", "f64": "double", "i1": "i1",
    "i64": "i64", "u64": "i64", "i32": "i32", "u32": "i32",
}  # fmt: skip
SIZES = {"f32": 4, "f64": 8, "i64": 8, "u64": 8, "i32": 4, "u32": 4}
FLOATS, INTEGERS, UNSIGNED = ("f32", "f64"), ("i64", "u64", "i32", "u32"), ("u32", "u64")
CASTS = {
    "int": "i64", "U": "u32", "np.float32": "f32", "np.float64": "f64", "np.int32": "i32",
    "np.uint32": "u32", "np.int64": "i64", "np.uint64": "u64",
}  # fmt: skip

PYTHON: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_, ast.BitXor: operator.xor, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
ON_FLOATS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
ON_INTEGERS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.LShift: "shl",
}  # fmt: skip
COMPARE: dict[type, str] = {
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne",
}  # fmt: skip


class NotKernelText(TypeError):
    """A text that is not in the language of kernels; the message names line and construct."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number: ``kind`` is its type, or "literal" where ``ref`` is a Python number; a vector where
    ``wide`` (lanes, 0 for the same number in all) is above one.
    """

    kind: str
    ref: Any
    wide: int = 0


@dataclass(frozen=True, slots=True)
class Array:
    """An array in C order: type of its entries, pointer, dimensions."""

    kind: str
    ref: str
    shape: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable that branches or loops assign, in memory that LLVM turns into registers."""

    kind: str
    ref: str
    wide: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A name that cannot be read any more, and why."""

    why: str


Bound = Value | Array | Slot | Gone
Result = Value | Array | tuple[Value, ...] | None


def llvm_type(kind: str, wide: int = 0) -> str:
    """The LLVM type of numbers of one kind."""
    return f"<{wide} x {TYPES[kind]}>" if wide > 1 else TYPES[kind]


def constant(kind: str, value: Any) -> str:
    """A literal as an LLVM operand."""
    if kind not in FLOATS:
        value = int(value)
        return str(value - 2**64 if value >= 2**63 else value)
    if kind == "f32":
        (value,) = struct.unpack("f", struct.pack("f", float(value)))
    return f"0x{struct.unpack('Q', struct.pack('d', float(value)))[0]:016X}"


@dataclass
class Module:
    """What all functions of a module share."""

    text: str
    width: int
    gpu: str = ""  # the kind of GPU whose threads run it: "nvptx64", "amdgcn"
    working: str = "f32"
    constants: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    emitted: list[str] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    shared: list[str] = field(default_factory=list)
    made: dict[Any, tuple[str, Result]] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Whether the text has no lanes: LLVM makes vectors of its loops."""
        return LANES not in self.constants

    @property
    def flags(self) -> str:
        """What LLVM may do to floats."""
        return PLAIN_FLAGS if self.plain else FLAGS

    @property
    def lanes(self) -> int:
        """The number of lanes of a block."""
        return int(self.constants[LANES])

    def intrinsic(self, name: str, returns: str, *types: str) -> str:
        """Declare an intrinsic function."""
        self.declared.add(f"declare {returns} @llvm.{name}({', '.join(types)})")
        return f"@llvm.{name}"


def parse(text: str, width: Callable[[bool, int], int], gpu: str = "") -> Module:
    """Constants and functions of a text; ``width``: lanes per vector, given the precision."""
    module = Module(text, 1, gpu)
    for node in tree_of(text).body:
        if isinstance(node, ast.FunctionDef):
            module.functions[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, ast.unparse(node.value)
            if name == "F":
                module.working = CASTS[value]
            elif name != "U":
                module.constants[name] = ast.literal_eval(node.value)
        elif not isinstance(node, ast.Import) and not is_text(node):
            raise NotKernelText(f"Line {node.lineno} of a kernel's module: {ast.unparse(node)}")
    if not module.plain:
        module.width = width(module.working == "f32", module.lanes)
    return module


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def operands(value: Value | Array) -> list[tuple[str, str]]:
    """Type and operand of an argument; a literal is not passed."""
    if isinstance(value, Array):
        return [("ptr noalias", value.ref), *(("i64", d.ref) for d in value.shape)]
    return [] if value.kind == "literal" else [(llvm_type(value.kind, value.wide), value.ref)]


def assigned(statements: list[ast.stmt]) -> set[str]:
    """Names that statements assign."""
    return {
        x.id
        for node in statements
        for x in ast.walk(node)
        if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)
    }


def only_added(statements: list[ast.stmt]) -> set[str]:
    """Names that statements assign by ``+=`` alone."""
    every = [x for node in statements for x in ast.walk(node)]
    added = [x.target for x in every if isinstance(x, ast.AugAssign)]
    plain = {
        x.id
        for x in every
        if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store) and x not in added
    }
    return {x.id for x in added if isinstance(x, ast.Name)} - plain
