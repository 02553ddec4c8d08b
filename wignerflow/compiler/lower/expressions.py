"""Expressions of kernel text: names, entries of arrays, calls."""

from __future__ import annotations

import ast
from typing import Any

from .arithmetic import Arithmetic
from .language import (
    CASTS,
    COMPARE,
    FLOATS,
    INTEGERS,
    LANE,
    SIZES,
    TYPES,
    Array,
    Bound,
    Gone,
    Module,
    Result,
    Slot,
    Value,
    constant,
    llvm_type,
    operands,
)


class Expressions(Arithmetic):
    """Lowers expressions of one function."""

    def __init__(self, module: Module):
        super().__init__(module)
        self.env: dict[str, Bound] = {}
        self.wide = 0  # lanes per vector of the loop over lanes, 0 outside
        self.base = ""  # the first lane of the vector

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
        if value.kind in INTEGERS:
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
        chain, first = [node], node.left  # sums of many terms lean to the left: no recursion there
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        value = self.number(first)
        for one in reversed(chain):
            value = self.binary(type(one.op), value, self.number(one.right))
        return value

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
            return Value(
                value.kind, self.emit(f"fneg {self.module.flags} {text} {value.ref}"), value.wide
            )
        return self.binary(ast.Sub, Value("literal", 0), value)

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
        if value.kind in INTEGERS:
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
        if name == "fresh":
            return self.fresh(node)
        if name in self.module.functions:
            return self.call(name, [self.expression(a) for a in node.args])
        if name == "F" or name in CASTS:
            return self.cast(self.module.working if name == "F" else CASTS[name], node)
        known = getattr(self, f"call_{name.replace('.', '_')}", None)
        if known is None and self.module.gpu:
            known = getattr(self, f"gpu_{name}", None)
        if known is None:
            self.fail(f"the function {name} is not known")
        return known(*(self.number(a) for a in node.args))

    def make(self, name: str, arguments: list[Any]) -> tuple[str, Result]:
        """A function of the module for arguments like these: its name, and what it returns."""
        raise NotImplementedError

    def call(self, name: str, arguments: list[Any]) -> Any:
        """Call a function of the module."""
        function, result = self.make(name, arguments)
        passed = ", ".join(f"{t} {r}" for a in arguments for t, r in operands(a))
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

    def fresh(self, node: ast.Call) -> Value:
        """An entry as it is now: whoever called may change it while the function runs."""
        (entry,) = node.args
        array, at, wide = self.entry(entry) if isinstance(entry, ast.Subscript) else (None, "", 0)
        if array is None or array.shape or wide:
            self.fail("`fresh` reads one entry of an array")
        kind = TYPES[array.kind]
        load = f"load volatile {kind}, ptr {at}, align {SIZES[array.kind]}"
        return Value(array.kind, self.emit(load))

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

    def call_max(self, a: Value, b: Value) -> Value:
        return self.larger(ast.Gt, a, b)

    def call_min(self, a: Value, b: Value) -> Value:
        return self.larger(ast.Lt, a, b)
