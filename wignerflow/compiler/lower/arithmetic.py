"""Arithmetic of the lowering: instructions on numbers, scalars and vectors alike."""

from __future__ import annotations

import ast
from typing import NoReturn

from .language import (
    COMPARE,
    FLOATS,
    ON_FLOATS,
    ON_INTEGERS,
    PYTHON,
    SIZES,
    TYPES,
    UNSIGNED,
    Module,
    NotKernelText,
    Slot,
    Value,
    constant,
    llvm_type,
)


class Arithmetic:
    """Emits instructions of one function."""

    def __init__(self, module: Module):
        self.module = module
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.count = 0
        self.block = "enter"
        self.splats: dict[tuple[str, int], str] = {}
        self.node: ast.AST = ast.Pass()

    def fail(self, why: str) -> NoReturn:
        """Raise, naming the construct."""
        line = getattr(self.node, "lineno", 0)
        shown = self.module.text.splitlines()[line - 1].strip() if line else ""
        raise NotKernelText(
            f"Line {line} of a kernel's text, `{shown}`: {why}. The docstring of "
            "wignerflow.compiler.lower lists what a text may contain."
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
        self.reserve(name, llvm_type(kind, wide))
        return Slot(kind, name, wide)

    def reserve(self, name: str, what: str) -> None:
        """Memory on the stack."""
        if self.module.gpu == "amdgcn":
            self.slots.append(f"  {name}.own = alloca {what}, addrspace(5)")
            self.slots.append(f"  {name} = addrspacecast ptr addrspace(5) {name}.own to ptr")
        else:
            self.slots.append(f"  {name} = alloca {what}")

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
        if {a, b} in ({"i32", "u32"}, {"i64", "u64"}):
            return Value(kind, value.ref, value.wide)
        if a in FLOATS and b in FLOATS:
            how = "fpext" if b == "f64" else "fptrunc"
        elif a in FLOATS:
            how = "fptoui" if b in UNSIGNED else "fptosi"
        elif b in FLOATS:
            how = "uitofp" if a in UNSIGNED else "sitofp"
        else:
            how = "trunc" if SIZES[b] < SIZES[a] else "zext" if a in UNSIGNED else "sext"
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
            return Value(
                kind,
                self.emit(f"{ON_FLOATS[op]} {self.module.flags} {text} {a.ref}, {b.ref}"),
                wide,
            )
        if op in (ast.FloorDiv, ast.Mod):
            return self.divided(op, a, b)
        if op is ast.RShift:
            how = "lshr" if kind in UNSIGNED else "ashr"
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
        if a.kind in UNSIGNED:
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

    def compare(self, op: type, a: Value, b: Value) -> Value:
        """A comparison of two numbers."""
        if a.kind == b.kind == "literal":
            return Value("literal", PYTHON[op](a.ref, b.ref))
        a, b = self.together(a, b)
        word = COMPARE[op]
        if a.kind in FLOATS:
            how = f"fcmp {self.module.flags} {'une' if word == 'ne' else 'o' + word}"
        else:
            sign = "" if word in ("eq", "ne") else "u" if a.kind in UNSIGNED else "s"
            how = f"icmp {sign}{word}"
        text = llvm_type(a.kind, a.wide)
        return Value("i1", self.emit(f"{how} {text} {a.ref}, {b.ref}"), a.wide)

    def select(self, test: Value, a: Value, b: Value) -> Value:
        """One of two numbers, lane by lane where the test is."""
        wide = max(test.wide, a.wide)
        a, b = self.widened(a, wide), self.widened(b, wide)
        text = llvm_type(a.kind, wide)
        flags = f"{self.module.flags} " if a.kind in FLOATS else ""
        how = (
            f"select {flags}{llvm_type('i1', test.wide)} {test.ref}, {text} {a.ref}, {text} {b.ref}"
        )
        return Value(a.kind, self.emit(how), wide)

    def intrinsic(self, name: str, x: Value) -> Value:
        """A function of one float that LLVM knows."""
        text = llvm_type(x.kind, x.wide)
        suffix = f"{f'v{x.wide}' if x.wide > 1 else ''}{x.kind}"
        function = self.module.intrinsic(f"{name}.{suffix}", text, text)
        return Value(
            x.kind, self.emit(f"call {self.module.flags} {text} {function}({text} {x.ref})"), x.wide
        )

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
            call = f"call {self.module.flags} {scalar} {f}({scalar} {zero}, {text} {whole})"
            return Value(slot.kind, self.emit(call))
        f = self.module.intrinsic(f"vector.reduce.add.{suffix}", scalar, text)
        return Value(slot.kind, self.emit(f"call {scalar} {f}({text} {whole})"))
