"""Lowers kernel text to LLVM IR.

Kernel text is a small part of Python. It runs as it stands with NumPy arrays as lanes; here it gets
types and becomes one LLVM module. ``Lowering`` raises ``NotKernelText`` for all that is not listed.

Module
    Constants ``NAME = number``, then functions. ``F`` is the working precision, ``LN`` the number
    of lanes. The entry function gives the types of its parameters as annotations: ``"i64"``,
    ``"u32"``, ``"F"`` for a number, ``"F[]"``, ``"f64[][]"`` for an array in C order. All other
    functions get theirs from their calls; every combination of types is a function of its own.
    Arrays passed to one call must not overlap, unless none of them is written to.
Numbers
    Floats ``f32`` and ``f64``, integers ``i64``, ``i32`` and ``u32`` (which wraps around), truth
    values. A literal takes the type of what it meets; ``f32`` with ``f64`` makes ``f64``; all else
    needs a cast: ``F(x)``, ``U(x)`` (``u32``), ``int(x)`` (``i64``), ``np.float32``,
    ``np.float64``, ``np.int32``, ``np.uint32``, ``np.int64``; ``f32_bits(x)`` and ``bits_f32(i)``
    keep the bits.
Expressions
    ``+ - * / // % & | ^ << >>``, ``-x +x``, comparisons of two, ``and or not``, ``a if c else b``
    (both sides are evaluated), ``np.sqrt abs max min np.inf np.nan``, ``x[i]``, ``x[i, j]``,
    ``x[i]`` of a matrix (its row), ``x.size``, ``x.shape[i]``, calls of functions of the module.
Statements
    Assignments to names, entries and tuples of names, ``+=`` and its kin, ``if``, ``while``,
    ``for i in range(...)`` with a literal step, ``pass``, ``return`` at the end of a function. A
    name first assigned inside a branch or a loop is not known after it, and a name keeps its type
    within one.
Lanes
    ``for l in range(LN):`` goes over the lanes, a vector of them at a time (``range(0, LN, K)``: a
    vector of K). Numbers that depend on ``l`` are vectors; entries are read and written at an index
    ``... + l``. Branches and loops inside depend on numbers that are the same for all lanes. ``x +=
    value`` with an ``x`` from outside adds up over the lanes. Functions called inside are compiled
    for vectors.
"""

from __future__ import annotations

import ast
import operator
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

#: No "nnan"/"ninf": the check for failed trajectories relies on NaN and infinity being honoured.
FLAGS = "nsz arcp contract afn reassoc"
LANE, LANES = "l", "LN"

TYPES = {"f32": "float", "f64": "double", "i64": "i64", "i32": "i32", "u32": "i32", "i1": "i1"}
SIZES = {"f32": 4, "f64": 8, "i64": 8, "i32": 4, "u32": 4}
FLOATS = ("f32", "f64")
CASTS = {
    "int": "i64", "U": "u32", "np.float32": "f32", "np.float64": "f64", "np.int32": "i32",
    "np.uint32": "u32", "np.int64": "i64",
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
        return str(int(value))
    if kind == "f32":
        (value,) = struct.unpack("f", struct.pack("f", float(value)))
    return f"0x{struct.unpack('Q', struct.pack('d', float(value)))[0]:016X}"


@dataclass(frozen=True)
class Policy:
    """How lanes are mapped to a machine: the lanes of one vector, for single and double."""

    single: int
    double: int

    def width(self, single: bool, lanes: int) -> int:
        """Lanes per vector of a kernel with so many lanes."""
        out = self.single if single else self.double
        while lanes % out:
            out //= 2
        return out


@dataclass
class Module:
    """What all functions of a module share."""

    text: str
    width: int
    working: str = "f32"
    constants: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    emitted: list[str] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    made: dict[Any, tuple[str, Result]] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)

    @property
    def lanes(self) -> int:
        """The number of lanes of a block."""
        return int(self.constants[LANES])

    def intrinsic(self, name: str, returns: str, *types: str) -> str:
        """Declare an intrinsic function."""
        self.declared.add(f"declare {returns} @llvm.{name}({', '.join(types)})")
        return f"@llvm.{name}"


def parse(text: str, width: Callable[[bool, int], int]) -> Module:
    """Constants and functions of a text; ``width``: lanes per vector, given the precision."""
    module = Module(text, 1)
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            module.functions[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, ast.unparse(node.value)
            if name == "F":
                module.working = CASTS[value]
            elif name != "U":
                module.constants[name] = ast.literal_eval(node.value)
        elif not isinstance(node, ast.Import) and not _is_text(node):
            raise NotKernelText(f"Line {node.lineno} of a kernel's module: {ast.unparse(node)}")
    module.width = width(module.working == "f32", module.lanes)
    return module


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def lower(text: str, entry: str, width: Callable[[bool, int], int], pointer: int = 64) -> str:
    """The LLVM module of a text, with one function ``entry`` of C's ``void entry(int64_t *words)``.

    The words are the entry's parameters in order: a number's bits, an array's address and then its
    dimensions.
    """
    module = parse(text, width)
    function = module.functions[entry]
    arguments: list[Value | Array] = []
    unpack: list[str] = []
    word = 0

    def take(kind: str, name: str) -> str:
        nonlocal word
        unpack.append(f"  %{name}.at = getelementptr i64, ptr %words, i64 {word}")
        word += 1
        if kind == "ptr" and pointer == 32:
            unpack.append(f"  %{name}.low = load i32, ptr %{name}.at")
            unpack.append(f"  %{name} = inttoptr i32 %{name}.low to ptr")
        else:
            unpack.append(f"  %{name} = load {kind}, ptr %{name}.at")
        return f"%{name}"

    for parameter in function.args.args:
        kind, _, dimensions = str(ast.literal_eval(parameter.annotation)).partition("[")  # type: ignore[arg-type]
        kind, name = module.working if kind == "F" else kind, parameter.arg
        if not dimensions:
            arguments.append(Value(kind, take(TYPES[kind], name)))
            continue
        at = take("ptr", name)
        shape = [Value("i64", take("i64", f"{name}.{d}")) for d in range(dimensions.count("]"))]
        arguments.append(Array(kind, at, tuple(shape)))
    name, _ = make(module, function, arguments, inline="noinline")
    call = ", ".join(f"{t} {r}" for a in arguments for t, r in _passed(a))
    main = [f"define void @{entry}(ptr %words) #0 {{", *unpack]
    main += [f"  call void @{name}({call})", "  ret void", "}"]
    parts = [*module.emitted, "\n".join(main), *sorted(module.declared)]
    return "\n\n".join(parts) + TAIL


#: No library function stands for a loop, and nothing is thrown.
TAIL = """

attributes #0 = { nounwind "no-builtins" "no-trapping-math"="true" }

!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.unroll.disable"}
!2 = !{!"llvm.loop.vectorize.enable", i1 false}
"""


def _passed(value: Value | Array) -> list[tuple[str, str]]:
    """Type and operand of an argument; a literal is not passed."""
    if isinstance(value, Array):
        return [("ptr noalias", value.ref), *(("i64", d.ref) for d in value.shape)]
    return [] if value.kind == "literal" else [(llvm_type(value.kind, value.wide), value.ref)]


def make(
    module: Module, function: ast.FunctionDef, arguments: list[Value | Array], inline: str
) -> tuple[str, Result]:
    """The function compiled for arguments like these: its name, and what it returns."""
    kinds = tuple(
        (a.kind, a.wide, a.ref if a.kind == "literal" else None)
        if isinstance(a, Value)
        else (a.kind, len(a.shape))
        for a in arguments
    )
    key = (function.name, kinds)
    if key not in module.made:
        if function.name in module.active:
            raise NotKernelText(f"The function {function.name} calls itself.")
        module.active.append(function.name)
        name = f"{function.name}.{len(module.made)}"
        module.made[key] = (name, Function(module, function, arguments, name, inline).result)
        module.active.pop()
    return module.made[key]


class Function:
    """One function being lowered."""

    def __init__(
        self,
        module: Module,
        function: ast.FunctionDef,
        arguments: list[Value | Array],
        name: str,
        inline: str,
    ):
        self.module, self.function, self.inline = module, function, inline
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.count = 0
        self.block = "start"
        self.wide = 0  # lanes per vector of the loop over lanes, 0 outside
        # lanes of the vectors that variables here may be
        self.vector = max((a.wide for a in arguments if isinstance(a, Value)), default=0)
        self.base = ""  # the first lane of the vector
        self.splats: dict[tuple[str, int], str] = {}
        self.env: dict[str, Bound] = {}
        self.sums: set[str] = set()
        self.node: ast.AST = function
        names = [a.arg for a in function.args.args]
        if len(names) != len(arguments):
            self.fail(f"{function.name} takes {len(names)} arguments, not {len(arguments)}")
        given: list[str] = []
        for parameter, value in zip(names, arguments, strict=True):
            if isinstance(value, Array):
                at = f"%{parameter}"
                shape = tuple(Value("i64", f"{at}.{d}") for d in range(len(value.shape)))
                self.env[parameter] = Array(value.kind, at, shape)
                given += [f"ptr noalias {at}", *(f"i64 {d.ref}" for d in shape)]
            elif value.kind == "literal":
                self.env[parameter] = value
            else:
                self.env[parameter] = Value(value.kind, f"%{parameter}", value.wide)
                given.append(f"{llvm_type(value.kind, value.wide)} %{parameter}")
        self.result: Result = None
        self.body(function.body)
        returned, last = "void", "  ret void"
        if self.result is not None:
            parts = self.result if isinstance(self.result, tuple) else (self.result,)
            types = [llvm_type(v.kind, v.wide) for v in parts if isinstance(v, Value)]
            returned = types[0] if len(types) == 1 else f"{{ {', '.join(types)} }}"
            last = f"  ret {returned} {self.packed(parts, types, returned)}"  # type: ignore[arg-type]
        head = f"define internal {returned} @{name}({', '.join(given)}) {inline} #0 {{\nstart:"
        module.emitted.append("\n".join([head, *self.slots, *self.lines, last, "}"]))

    def packed(self, parts: tuple[Value, ...], types: list[str], returned: str) -> str:
        """What is returned as one operand."""
        if len(parts) == 1:
            return str(parts[0].ref)
        out = "poison"
        for n, (value, kind) in enumerate(zip(parts, types, strict=True)):
            out = self.emit(f"insertvalue {returned} {out}, {kind} {value.ref}, {n}")
        return out

    # -- emitting ------------------------------------------------------------------------------

    def fail(self, why: str) -> NoReturn:
        """Raise, naming the construct."""
        line = getattr(self.node, "lineno", 0)
        shown = self.module.text.splitlines()[line - 1].strip() if line else ""
        raise NotKernelText(
            f"Line {line} of a kernel's text, `{shown}`: {why}. The docstring of "
            "wignerflow.kernels.lower lists what a text may contain."
        )

    def name(self) -> str:
        """A new name."""
        self.count += 1
        return f"%t{self.count}"

    def emit(self, instruction: str) -> str:
        """Append an instruction; the name of its value."""
        name = self.name()
        self.lines.append(f"  {name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        """Append an instruction without a value."""
        self.lines.append(f"  {instruction}")

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")
        self.block = name
        self.splats = {}

    def slot(self, kind: str, wide: int) -> Slot:
        """A new variable."""
        name = self.name()
        self.slots.append(f"  {name} = alloca {llvm_type(kind, wide)}")
        return Slot(kind, name, wide)

    def store(self, value: Value, slot: Slot) -> None:
        """Assign a variable."""
        value = self.widened(value, slot.wide)
        self.do(f"store {llvm_type(value.kind, value.wide)} {value.ref}, ptr {slot.ref}")

    def typed(self, value: Value, kind: str) -> Value:
        """A literal as a number of a kind; any other number as it is."""
        return Value(kind, constant(kind, value.ref)) if value.kind == "literal" else value

    def own(self, value: Value) -> Value:
        """A literal as a number of its own kind."""
        if value.kind == "literal" and isinstance(value.ref, bool):
            return Value("i1", str(int(value.ref)))
        return self.typed(value, "f64" if isinstance(value.ref, float) else "i64")

    def widened(self, value: Value, wide: int) -> Value:
        """The same number in so many lanes."""
        if value.wide == wide or wide == 0:
            if value.wide != wide:
                self.fail("this differs from lane to lane, and must not")
            return value
        if value.wide:
            self.fail("lanes of different numbers meet")
        if wide == 1:
            return Value(value.kind, value.ref, 1)
        key = (value.ref, wide)
        if key not in self.splats:
            scalar = f"{TYPES[value.kind]} {value.ref}"
            if not str(value.ref).startswith("%"):
                self.splats[key] = f"splat ({scalar})"
            else:
                kind = llvm_type(value.kind, wide)
                one = self.emit(f"insertelement {kind} poison, {scalar}, i64 0")
                mask = f"<{wide} x i32> zeroinitializer"
                self.splats[key] = self.emit(f"shufflevector {kind} {one}, {kind} poison, {mask}")
        return Value(value.kind, self.splats[key], wide)

    def convert(self, value: Value, kind: str) -> Value:
        """A number as another kind."""
        if value.kind == "literal":
            return self.typed(value, kind)
        if value.kind == kind:
            return value
        here, there = llvm_type(value.kind, value.wide), llvm_type(kind, value.wide)
        a, b = value.kind, kind
        if a == "i1" or b == "i1":
            self.fail("a truth value is not a number")
        if {a, b} == {"i32", "u32"}:
            return Value(kind, value.ref, value.wide)
        if a in FLOATS and b in FLOATS:
            how = "fpext" if b == "f64" else "fptrunc"
        elif a in FLOATS:
            how = "fptosi"
        elif b in FLOATS:
            how = "uitofp" if a == "u32" else "sitofp"
        else:
            how = "trunc" if SIZES[b] < SIZES[a] else "zext" if a == "u32" else "sext"
        return Value(kind, self.emit(f"{how} {here} {value.ref} to {there}"), value.wide)

    def together(self, *values: Value) -> list[Value]:
        """Numbers that meet, as one kind and in as many lanes."""
        kinds = {v.kind for v in values} - {"literal"}
        if kinds == {"f32", "f64"}:
            values, kinds = tuple(self.convert(v, "f64") for v in values), {"f64"}
        if not kinds:
            values = tuple(self.own(v) for v in values)
            kinds = {v.kind for v in values}
            if len(kinds) > 1:
                values, kinds = tuple(self.convert(v, "f64") for v in values), {"f64"}
        if len(kinds) != 1:
            self.fail(f"{' and '.join(sorted(kinds))} meet: cast one of them")
        (kind,) = kinds
        for v in values:
            if v.kind == "literal" and kind not in FLOATS and not isinstance(v.ref, int):
                self.fail(f"the number {v.ref} meets {kind}: cast one of them")
        wide = max(v.wide for v in values)
        return [self.widened(self.typed(v, kind), wide) for v in values]

    # -- expressions ---------------------------------------------------------------------------

    def expression(self, node: ast.expr) -> Any:
        """Value, array or tuple of values of an expression."""
        method = getattr(self, f"on_{type(node).__name__}", None)
        if method is None:
            self.fail(f"{type(node).__name__} is not in the language of kernels")
        return method(node)

    def number(self, node: ast.expr) -> Value:
        """An expression that is one number."""
        value = self.expression(node)
        if not isinstance(value, Value):
            self.fail(f"`{ast.unparse(node)}` is not a number")
        return value

    def integer(self, node: ast.expr) -> Value:
        """An integer that is the same in all lanes."""
        value = self.typed(self.number(node), "i64")
        if value.kind == "u32":
            value = self.convert(value, "i64")
        if value.kind != "i64" or value.wide:
            self.fail(f"`{ast.unparse(node)}` must be an integer, the same for all lanes")
        return value

    def on_Constant(self, node: ast.Constant) -> Value:
        if not isinstance(node.value, (bool, int, float)):
            self.fail(f"{node.value!r} is not a number")
        return Value("literal", node.value)

    def on_Name(self, node: ast.Name) -> Value | Array:
        bound = self.env.get(node.id)
        if bound is None:
            if node.id == LANE and self.wide:
                return self.lane_numbers()
            if node.id in self.module.constants:
                return Value("literal", self.module.constants[node.id])
            self.fail(f"{node.id} is not known here (a name first assigned in a branch or a loop "
                      "is not known after it)")  # fmt: skip
        if isinstance(bound, Gone):
            self.fail(f"{node.id} {bound.why}")
        if isinstance(bound, Slot):
            kind = llvm_type(bound.kind, bound.wide)
            return Value(bound.kind, self.emit(f"load {kind}, ptr {bound.ref}"), bound.wide)
        return bound

    def lane_numbers(self) -> Value:
        """The lanes of this vector, as integers."""
        first = self.widened(Value("i64", self.base), self.wide)
        if self.wide == 1:
            return first
        kind = llvm_type("i64", self.wide)
        steps = ", ".join(f"i64 {n}" for n in range(self.wide))
        return Value("i64", self.emit(f"add nuw nsw {kind} {first.ref}, <{steps}>"), self.wide)

    def on_BinOp(self, node: ast.BinOp) -> Value:
        return self.binary(type(node.op), self.number(node.left), self.number(node.right))

    def binary(self, op: type, a: Value, b: Value) -> Value:
        """An operation on two numbers."""
        if a.kind == b.kind == "literal" and op in PYTHON:
            return Value("literal", PYTHON[op](a.ref, b.ref))
        a, b = self.together(a, b)
        kind, wide = a.kind, a.wide
        text = llvm_type(kind, wide)
        if kind in FLOATS:
            if op not in ON_FLOATS:
                self.fail(f"{op.__name__} is not for floats")
            return Value(kind, self.emit(f"{ON_FLOATS[op]} {FLAGS} {text} {a.ref}, {b.ref}"), wide)
        if op in (ast.FloorDiv, ast.Mod):
            return self.divided(op, a, b)
        if op is ast.RShift:
            how = "lshr" if kind == "u32" else "ashr"
        elif op in ON_INTEGERS and kind != "i1":
            how = ON_INTEGERS[op]
            if kind == "i64" and how in ("add", "sub", "mul"):
                how += " nsw"
        else:
            self.fail(f"{op.__name__} is not for {kind}")
        return Value(kind, self.emit(f"{how} {text} {a.ref}, {b.ref}"), wide)

    def divided(self, op: type, a: Value, b: Value) -> Value:
        """Quotient and remainder as Python has them: the remainder has the divisor's sign."""
        text, divisor = llvm_type(a.kind, a.wide), str(b.ref)
        if a.kind == "u32":
            how = "udiv" if op is ast.FloorDiv else "urem"
            return Value(a.kind, self.emit(f"{how} {text} {a.ref}, {b.ref}"), a.wide)
        if divisor.isdigit() and int(divisor) & (int(divisor) - 1) == 0 and divisor != "0":
            shift = int(divisor).bit_length() - 1
            how, by = ("ashr", shift) if op is ast.FloorDiv else ("and", int(divisor) - 1)
            return Value(a.kind, self.emit(f"{how} {text} {a.ref}, {by}"), a.wide)
        if a.wide > 1:
            self.fail("lanes are divided by powers of two only")
        rest = self.emit(f"srem {text} {a.ref}, {b.ref}")
        signs = self.emit(f"xor {text} {rest}, {b.ref}")
        differ = self.emit(f"icmp slt {text} {signs}, 0")
        some = self.emit(f"icmp ne {text} {rest}, 0")
        wrong = self.emit(f"and i1 {differ}, {some}")
        if op is ast.Mod:
            plus = self.emit(f"select i1 {wrong}, {text} {b.ref}, {text} 0")
            return Value(a.kind, self.emit(f"add {text} {rest}, {plus}"), a.wide)
        down = self.emit(f"sext i1 {wrong} to {text}")
        whole = self.emit(f"sdiv {text} {a.ref}, {b.ref}")
        return Value(a.kind, self.emit(f"add {text} {whole}, {down}"), a.wide)

    def on_UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self.number(node.operand)
        text = llvm_type(value.kind, value.wide) if value.kind != "literal" else ""
        if isinstance(node.op, ast.Not):
            if value.kind == "literal":
                return Value("literal", not value.ref)
            one = self.widened(Value("i1", "1"), value.wide)
            return Value("i1", self.emit(f"xor {text} {value.ref}, {one.ref}"), value.wide)
        if isinstance(node.op, ast.UAdd):
            return value
        if not isinstance(node.op, ast.USub):
            self.fail(f"{type(node.op).__name__} is not in the language of kernels")
        if value.kind == "literal":
            return Value("literal", -value.ref)
        if value.kind in FLOATS:
            return Value(value.kind, self.emit(f"fneg {FLAGS} {text} {value.ref}"), value.wide)
        return self.binary(ast.Sub, Value("literal", 0), value)

    def compare(self, op: type, a: Value, b: Value) -> Value:
        """A comparison of two numbers."""
        if a.kind == b.kind == "literal":
            return Value("literal", PYTHON[op](a.ref, b.ref))
        a, b = self.together(a, b)
        word = COMPARE[op]
        if a.kind in FLOATS:
            how = f"fcmp {FLAGS} {'une' if word == 'ne' else 'o' + word}"
        else:
            sign = "" if word in ("eq", "ne") else "u" if a.kind == "u32" else "s"
            how = f"icmp {sign}{word}"
        text = llvm_type(a.kind, a.wide)
        return Value("i1", self.emit(f"{how} {text} {a.ref}, {b.ref}"), a.wide)

    def on_Compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1 or type(node.ops[0]) not in COMPARE:
            self.fail(f"the comparison `{ast.unparse(node)}` is not in the language of kernels")
        return self.compare(
            type(node.ops[0]), self.number(node.left), self.number(node.comparators[0])
        )

    def on_BoolOp(self, node: ast.BoolOp) -> Value:
        both = isinstance(node.op, ast.And)
        out: Value | None = None
        for value in map(self.truth, node.values):
            if value.kind == "literal" and value.ref is not both:
                return value
            if value.kind == "literal":
                continue
            if out is None:
                out = value
                continue
            a, b = self.together(out, value)
            how = f"{'and' if both else 'or'} {llvm_type('i1', a.wide)} {a.ref}, {b.ref}"
            out = Value("i1", self.emit(how), a.wide)
        return Value("literal", both) if out is None else out

    def truth(self, node: ast.expr) -> Value:
        """An expression that is true or false."""
        value = self.number(node)
        if value.kind == "literal":
            return Value("literal", bool(value.ref))
        if value.kind != "i1":
            self.fail(f"`{ast.unparse(node)}` is neither true nor false")
        return value

    def on_IfExp(self, node: ast.IfExp) -> Value | Array:
        test = self.truth(node.test)
        if test.kind == "literal":
            chosen: Value | Array = self.expression(node.body if test.ref else node.orelse)
            return chosen
        a, b = self.expression(node.body), self.expression(node.orelse)
        if isinstance(a, Array) and isinstance(b, Array):
            if a.kind != b.kind or len(a.shape) != len(b.shape) or test.wide:
                self.fail("arrays of different kinds are chosen from")
            ref = self.emit(f"select i1 {test.ref}, ptr {a.ref}, ptr {b.ref}")
            shape = (
                Value("i64", self.emit(f"select i1 {test.ref}, i64 {x.ref}, i64 {y.ref}"))
                for x, y in zip(a.shape, b.shape, strict=True)
            )
            return Array(a.kind, ref, tuple(shape))
        a, b = self.together(a, b)
        return self.select(test, a, b)

    def select(self, test: Value, a: Value, b: Value) -> Value:
        """One of two numbers, lane by lane where the test is."""
        wide = max(test.wide, a.wide)
        a, b = self.widened(a, wide), self.widened(b, wide)
        text = llvm_type(a.kind, wide)
        flags = f"{FLAGS} " if a.kind in FLOATS else ""
        how = (
            f"select {flags}{llvm_type('i1', test.wide)} {test.ref}, {text} {a.ref}, {text} {b.ref}"
        )
        return Value(a.kind, self.emit(how), wide)

    # -- arrays --------------------------------------------------------------------------------

    def on_Attribute(self, node: ast.Attribute) -> Value:
        if ast.unparse(node) in ("np.nan", "np.inf"):
            return Value("literal", float(node.attr))
        array = self.expression(node.value)
        if not isinstance(array, Array) or node.attr != "size":
            self.fail(f"`{ast.unparse(node)}` is not in the language of kernels")
        out = array.shape[0]
        for more in array.shape[1:]:
            out = self.binary(ast.Mult, out, more)
        return out

    def on_Subscript(self, node: ast.Subscript) -> Value | Array:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            array, which = self.expression(node.value.value), self.number(node.slice)
            if not isinstance(array, Array) or which.kind != "literal":
                self.fail(f"`{ast.unparse(node)}` is not in the language of kernels")
            return array.shape[which.ref]
        array, at, wide = self.entry(node)
        if array.shape:
            return array
        text = llvm_type(array.kind, wide)
        return Value(
            array.kind, self.emit(f"load {text}, ptr {at}, align {SIZES[array.kind]}"), wide
        )

    def entry(self, node: ast.Subscript) -> tuple[Array, str, int]:
        """Entry or row of an array: what it is, its address, the lanes read or written at once."""
        array = self.expression(node.value)
        if not isinstance(array, Array):
            self.fail(f"`{ast.unparse(node.value)}` is not an array")
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(indices) > len(array.shape):
            self.fail(f"`{ast.unparse(node.value)}` has {len(array.shape)} dimensions")
        place, wide = Value("literal", 0), 0
        for d, size in enumerate(array.shape):
            if d:
                place = self.binary(ast.Mult, place, size)
            if d < len(indices):
                index, by_lane = self.affine(indices[d])
                if by_lane:
                    if d != len(array.shape) - 1:
                        self.fail("lanes lie side by side: l belongs into the last index")
                    wide = self.wide
                place = self.binary(ast.Add, place, index) if d else index
        place = self.typed(place, "i64")
        kind = TYPES[array.kind]
        at = self.emit(f"getelementptr inbounds {kind}, ptr {array.ref}, i64 {place.ref}")
        return Array(array.kind, at, array.shape[len(indices) :]), at, wide

    def affine(self, node: ast.expr) -> tuple[Value, bool]:
        """An index without its term l, which becomes the first lane; and whether it has one."""
        if self.wide and self.has_lane(node):
            if isinstance(node, ast.Name):
                return Value("i64", self.base), True
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                (a, one), (b, two) = self.affine(node.left), self.affine(node.right)
                if not (one and two):
                    return self.binary(ast.Add, a, b), True
            self.fail(f"the index `{ast.unparse(node)}` must be the same for all lanes, plus l")
        value = self.number(node)
        if value.kind == "u32":
            value = self.convert(value, "i64")
        if value.wide or (
            value.kind != "i64" and not (value.kind == "literal" and isinstance(value.ref, int))
        ):
            self.fail(f"the index `{ast.unparse(node)}` must be an integer")
        return value, False

    def has_lane(self, node: ast.expr) -> bool:
        """Whether the lane's number occurs in an expression by its name."""
        return any(
            isinstance(x, ast.Name) and x.id == LANE and LANE not in self.env
            for x in ast.walk(node)
        )

    # -- calls ---------------------------------------------------------------------------------

    def on_Call(self, node: ast.Call) -> Any:
        name = ast.unparse(node.func)
        if node.keywords:
            self.fail("arguments have no names")
        if name in self.module.functions:
            return self.call(name, [self.expression(a) for a in node.args])
        if name == "F" or name in CASTS:
            return self.cast(self.module.working if name == "F" else CASTS[name], node)
        known = getattr(self, f"call_{name.replace('.', '_')}", None)
        if known is None:
            self.fail(f"the function {name} is not known")
        return known(*(self.number(a) for a in node.args))

    def call(self, name: str, arguments: list[Any]) -> Any:
        """Call a function of the module."""
        inline = "alwaysinline" if self.wide or self.inline == "alwaysinline" else ""
        function, result = make(self.module, self.module.functions[name], arguments, inline)
        passed = ", ".join(f"{t} {r}" for a in arguments for t, r in _passed(a))
        if result is None:
            self.do(f"call void @{function}({passed})")
            return None
        if isinstance(result, Value):
            text = llvm_type(result.kind, result.wide)
            return Value(result.kind, self.emit(f"call {text} @{function}({passed})"), result.wide)
        assert isinstance(result, tuple)
        types = ", ".join(llvm_type(v.kind, v.wide) for v in result)
        out = self.emit(f"call {{ {types} }} @{function}({passed})")
        return tuple(
            Value(v.kind, self.emit(f"extractvalue {{ {types} }} {out}, {n}"), v.wide)
            for n, v in enumerate(result)
        )

    def cast(self, kind: str, node: ast.Call) -> Value:
        """A number as another kind."""
        (argument,) = node.args
        value = self.number(argument)
        if value.kind == "literal":
            number = float(value.ref) if kind in FLOATS else int(value.ref)
            return Value(kind, constant(kind, number))
        return self.convert(value, kind)

    def call_f32_bits(self, x: Value) -> Value:
        here, there = llvm_type("f32", x.wide), llvm_type("i32", x.wide)
        return Value("i32", self.emit(f"bitcast {here} {x.ref} to {there}"), x.wide)

    def call_bits_f32(self, x: Value) -> Value:
        here, there = llvm_type("i32", x.wide), llvm_type("f32", x.wide)
        return Value("f32", self.emit(f"bitcast {here} {x.ref} to {there}"), x.wide)

    def call_np_sqrt(self, x: Value) -> Value:
        return self.intrinsic("sqrt", self.own(x))

    def call_abs(self, x: Value) -> Value:
        if x.kind in FLOATS:
            return self.intrinsic("fabs", x)
        return self.select(self.compare(ast.Lt, x, Value("literal", 0)),
                           self.binary(ast.Sub, Value("literal", 0), x), x)  # fmt: skip

    def intrinsic(self, name: str, x: Value) -> Value:
        """A function of one float that LLVM knows."""
        text = llvm_type(x.kind, x.wide)
        suffix = f"{f'v{x.wide}' if x.wide > 1 else ''}{x.kind}"
        function = self.module.intrinsic(f"{name}.{suffix}", text, text)
        return Value(x.kind, self.emit(f"call {FLAGS} {text} {function}({text} {x.ref})"), x.wide)

    def call_max(self, a: Value, b: Value) -> Value:
        return self.larger(ast.Gt, a, b)

    def call_min(self, a: Value, b: Value) -> Value:
        return self.larger(ast.Lt, a, b)

    def larger(self, op: type, a: Value, b: Value) -> Value:
        """b where it is larger (smaller) than a, else a: as Python's max and min."""
        if a.kind == b.kind == "literal":
            return Value("literal", max(a.ref, b.ref) if op is ast.Gt else min(a.ref, b.ref))
        a, b = self.together(a, b)
        return self.select(self.compare(op, b, a), b, a)

    # -- statements ----------------------------------------------------------------------------

    def body(self, statements: list[ast.stmt]) -> None:
        """Lower statements in order."""
        for node in statements:
            self.node = node
            method = getattr(self, f"do_{type(node).__name__}", None)
            if method is None:
                self.fail(f"{type(node).__name__} is not in the language of kernels")
            method(node)

    def do_Pass(self, node: ast.Pass) -> None:
        pass

    def do_Expr(self, node: ast.Expr) -> None:
        if not _is_text(node):
            self.expression(node.value)

    def do_Return(self, node: ast.Return) -> None:
        if node is not self.function.body[-1] or node.value is None:
            self.fail("a function returns at its end, and something")
        if isinstance(node.value, ast.Tuple):
            self.result = tuple(self.own(self.number(e)) for e in node.value.elts)
        else:
            self.result = self.own(self.number(node.value))

    def do_Assign(self, node: ast.Assign) -> None:
        (target,) = node.targets if len(node.targets) == 1 else (None,)
        if isinstance(target, ast.Tuple):
            if isinstance(node.value, ast.Tuple):
                values = tuple(self.expression(e) for e in node.value.elts)
            else:
                values = self.expression(node.value)
            if not isinstance(values, tuple) or len(values) != len(target.elts):
                self.fail(f"`{ast.unparse(node.value)}` is not {len(target.elts)} values")
            for t, value in zip(target.elts, values, strict=True):
                self.assign(t, value)
        elif target is not None:
            self.assign(target, self.expression(node.value))
        else:
            self.fail("one name is assigned at a time")

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        target, op = node.target, type(node.op)
        if isinstance(target, ast.Name) and target.id in self.sums:
            slot = self.env[target.id]
            assert isinstance(slot, Slot)
            value = self.convert(self.number(node.value), slot.kind)
            value = self.widened(value, slot.wide)
            text = llvm_type(slot.kind, slot.wide)
            old = Value(slot.kind, self.emit(f"load {text}, ptr {slot.ref}"), slot.wide)
            if op is not ast.Add:
                self.fail("lanes are added up, nothing else")
            self.store(self.binary(op, old, value), slot)
        elif isinstance(target, ast.Name):
            read = ast.copy_location(ast.Name(target.id, ast.Load()), target)
            self.assign(target, self.binary(op, self.number(read), self.number(node.value)))
        elif isinstance(target, ast.Subscript):
            array, at, wide = self.entry(target)
            text = llvm_type(array.kind, wide)
            align = f"align {SIZES[array.kind]}"
            old = Value(array.kind, self.emit(f"load {text}, ptr {at}, {align}"), wide)
            self.write(array, at, wide, self.binary(op, old, self.number(node.value)))
        else:
            self.fail("names and entries are assigned, nothing else")

    def assign(self, target: ast.expr, value: Any) -> None:
        """Assign a name or an entry."""
        if isinstance(target, ast.Subscript):
            array, at, wide = self.entry(target)
            if not isinstance(value, Value):
                self.fail("an entry is one number")
            self.write(array, at, wide, value)
        elif isinstance(target, ast.Name):
            if not isinstance(value, (Value, Array)):
                self.fail(f"what {target.id} should be is not a number")
            bound = self.env.get(target.id)
            if target.id in self.sums:
                self.fail(f"{target.id} is a sum over lanes, which only grows by +=")
            if not isinstance(bound, Slot):
                self.env[target.id] = value
                return
            if not isinstance(value, Value):
                self.fail(f"{target.id} is a number, and becomes an array in a branch or a loop")
            if value.kind == "literal":
                value = self.typed(value, bound.kind)
            if value.kind != bound.kind or value.wide not in (0, bound.wide):
                self.fail(f"{target.id} is {bound.kind} before a branch or a loop, and becomes "
                          f"{value.kind} in it")  # fmt: skip
            self.store(value, bound)
        else:
            self.fail("names and entries are assigned, nothing else")

    def write(self, array: Array, at: str, wide: int, value: Value) -> None:
        """Store a number in an entry."""
        if array.shape:
            self.fail("a row is not assigned at once")
        if value.kind not in ("literal", array.kind):
            if (value.kind in FLOATS) != (array.kind in FLOATS):
                self.fail(f"{value.kind} is stored in an array of {array.kind}: cast it")
        value = self.widened(self.convert(value, array.kind), wide)
        text = llvm_type(array.kind, wide)
        self.do(f"store {text} {value.ref}, ptr {at}, align {SIZES[array.kind]}")

    # -- branches and loops --------------------------------------------------------------------

    @contextmanager
    def inside(self, statements: list[ast.stmt]) -> Iterator[None]:
        """Before a branch or a loop: what it assigns and is known already gets a place; after it
        the names known are those from before.
        """
        names = _assigned(statements)
        for name in sorted(names & self.env.keys()):
            bound = self.env[name]
            if isinstance(bound, Value):
                value = self.own(bound)
                # for vectors, unless it is a counter or an index
                counts = value.kind == "i64" and value.wide == 0
                slot = self.slot(value.kind, value.wide if counts else self.wide or self.vector)
                self.store(value, slot)
                self.env[name] = slot
        before = dict(self.env)
        yield
        self.env = before

    def do_If(self, node: ast.If) -> None:
        test = self.truth(node.test)
        if test.kind == "literal":
            self.body(node.body if test.ref else node.orelse)
            return
        if test.wide:
            self.fail("a branch must be the same for all lanes")
        with self.inside([*node.body, *node.orelse]):
            known, n = dict(self.env), self.name()[1:]
            other = f"else{n}" if node.orelse else f"end{n}"
            self.do(f"br i1 {test.ref}, label %then{n}, label %{other}")
            self.label(f"then{n}")
            self.body(node.body)
            self.do(f"br label %end{n}")
            if node.orelse:
                self.env = known
                self.label(other)
                self.body(node.orelse)
                self.do(f"br label %end{n}")
            self.label(f"end{n}")

    def do_While(self, node: ast.While) -> None:
        if node.orelse:
            self.fail("a loop has no else")
        with self.inside(node.body):
            n = self.name()[1:]
            self.do(f"br label %while{n}")
            self.label(f"while{n}")
            test = self.truth(node.test)
            if test.kind == "literal" or test.wide:
                self.fail("the test must change, and be the same for all lanes")
            self.do(f"br i1 {test.ref}, label %body{n}, label %end{n}")
            self.label(f"body{n}")
            self.body(node.body)
            self.do(f"br label %while{n}")
            self.label(f"end{n}")

    def do_For(self, node: ast.For) -> None:
        call = node.iter
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "range" or node.orelse:
            self.fail("loops go over a range")
        if not isinstance(node.target, ast.Name):
            self.fail("a loop has one variable")
        arguments = call.args
        stop = arguments[0] if len(arguments) == 1 else arguments[1]
        step = self.number(arguments[2]) if len(arguments) == 3 else Value("literal", 1)
        if step.kind != "literal" or not isinstance(step.ref, int) or step.ref < 1:
            self.fail("the step of a range must be a positive literal")
        if node.target.id == LANE and isinstance(stop, ast.Name) and stop.id == LANES:
            self.lanes(node, self.module.width if len(arguments) < 3 else step.ref)
            return
        first = self.integer(arguments[0]) if len(arguments) > 1 else Value("i64", "0")
        last = self.integer(stop)
        with self.inside(node.body):
            n, before = self.name()[1:], self.block
            index, following = f"%i{n}", f"%next{n}"
            self.do(f"br label %loop{n}")
            self.label(f"loop{n}")
            head = len(self.lines)
            self.do(f"%more{n} = icmp slt i64 {index}, {last.ref}")
            self.do(f"br i1 %more{n}, label %body{n}, label %end{n}")
            self.label(f"body{n}")
            self.env[node.target.id] = Value("i64", index)
            self.body(node.body)
            self.do(f"{following} = add nsw i64 {index}, {step.ref}")
            self.do(f"br label %loop{n}")
            phi = f"  {index} = phi i64 [ {first.ref}, %{before} ], [ {following}, %{self.block} ]"
            self.lines.insert(head, phi)
            self.label(f"end{n}")

    def lanes(self, node: ast.For, width: int) -> None:
        """A loop over lanes, vector by vector."""
        if self.wide:
            self.fail("a loop over lanes inside another")
        if self.module.lanes % width:
            self.fail(f"{self.module.lanes} lanes are no multiple of {width}")
        before = dict(self.env)
        added = _only_added(node.body)
        self.sums = {x for x in added if isinstance(before.get(x), (Value, Slot))}
        totals: dict[str, Value] = {}
        for name in sorted(_assigned(node.body) & before.keys()):
            if name in self.sums:
                totals[name] = self.own(self.number(ast.Name(name, ast.Load())))
                kind = totals[name].kind
                slot = self.slot(kind, width)
                self.store(Value(kind, constant(kind, 0)), slot)
                self.env[name] = slot
            else:
                del self.env[name]
        for name, bound in self.env.items():
            if isinstance(bound, Slot) and name not in self.sums:
                text = llvm_type(bound.kind, bound.wide)
                self.env[name] = Value(bound.kind, self.emit(f"load {text}, ptr {bound.ref}"))
        n, entered = self.name()[1:], self.block
        index, following = f"%l{n}", f"%next{n}"
        self.wide, self.base = width, index
        self.do(f"br label %lanes{n}")
        self.label(f"lanes{n}")
        head = len(self.lines)
        self.body(node.body)
        self.do(f"{following} = add nuw nsw i64 {index}, {width}")
        self.do(f"%more{n} = icmp ult i64 {following}, {self.module.lanes}")
        self.do(f"br i1 %more{n}, label %lanes{n}, label %end{n}, !llvm.loop !0")
        self.lines.insert(head, f"  {index} = phi i64 [ 0, %{entered} ], "
                                f"[ {following}, %{self.block} ]")  # fmt: skip
        self.label(f"end{n}")
        sums, self.sums, self.wide = self.env, set(), 0
        gone = Gone("was assigned in a loop over lanes, and is not known after it")
        self.env = {**before, **{x: gone for x in _assigned(node.body) & before.keys()}}
        for name, total in totals.items():
            kept = sums[name]
            assert isinstance(kept, Slot)
            more = self.binary(ast.Add, total, self.added(kept))
            if isinstance(before[name], Slot):
                self.store(more, before[name])  # type: ignore[arg-type]
                self.env[name] = before[name]
            else:
                self.env[name] = more

    def added(self, slot: Slot) -> Value:
        """The sum over the lanes of a vector."""
        text = llvm_type(slot.kind, slot.wide)
        whole = self.emit(f"load {text}, ptr {slot.ref}")
        if slot.wide == 1:
            return Value(slot.kind, whole)
        scalar = TYPES[slot.kind]
        suffix = f"v{slot.wide}{slot.kind.replace('u', 'i')}"
        if slot.kind in FLOATS:
            f = self.module.intrinsic(f"vector.reduce.fadd.{suffix}", scalar, scalar, text)
            zero = constant(slot.kind, -0.0)
            return Value(slot.kind, self.emit(
                f"call {FLAGS} {scalar} {f}({scalar} {zero}, {text} {whole})"))  # fmt: skip
        f = self.module.intrinsic(f"vector.reduce.add.{suffix}", scalar, text)
        return Value(slot.kind, self.emit(f"call {scalar} {f}({text} {whole})"))


def _assigned(statements: list[ast.stmt]) -> set[str]:
    """Names that statements assign."""
    return {
        x.id
        for node in statements
        for x in ast.walk(node)
        if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)
    }


def _only_added(statements: list[ast.stmt]) -> set[str]:
    """Names that statements assign by ``+=`` alone."""
    every = [x for node in statements for x in ast.walk(node)]
    added = [x.target for x in every if isinstance(x, ast.AugAssign)]
    plain = {
        x.id
        for x in every
        if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store) and x not in added
    }
    return {x.id for x in added if isinstance(x, ast.Name)} - plain
