"""Statements of kernel text, and whole functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .devices import Devices
from .language import (
    FLOATS,
    LANE,
    LANES,
    SIZES,
    Array,
    Gone,
    Module,
    NotKernelText,
    Result,
    Slot,
    Value,
    assigned,
    constant,
    is_text,
    llvm_type,
    only_added,
)


def make(
    module: Module, function: ast.FunctionDef, arguments: list[Value | Array], inline: str
) -> tuple[str, Result]:
    """The function compiled for arguments like these: its name, and what it returns."""
    if module.gpu and inline != "noinline":
        inline = "alwaysinline convergent"
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


class Function(Devices):
    """One function being lowered."""

    def __init__(
        self,
        module: Module,
        function: ast.FunctionDef,
        arguments: list[Value | Array],
        name: str,
        inline: str,
    ):
        super().__init__(module)
        self.function, self.inline, self.node = function, inline, function
        # lanes of the vectors that variables here may be
        self.vector = max((a.wide for a in arguments if isinstance(a, Value)), default=0)
        self.sums: set[str] = set()
        self.loops: list[tuple[str, str]] = []  # labels of `continue` and `break`, innermost last
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
        head = f"define internal {returned} @{name}({', '.join(given)}) {inline} #0 {{\nenter:"
        module.emitted.append("\n".join([head, *self.slots, *self.lines, last, "}"]))

    def make(self, name: str, arguments: list[Any]) -> tuple[str, Result]:
        inline = "alwaysinline" if self.wide or self.inline == "alwaysinline" else ""
        return make(self.module, self.module.functions[name], arguments, inline)

    def packed(self, parts: tuple[Value, ...], types: list[str], returned: str) -> str:
        """What is returned as one operand."""
        if len(parts) == 1:
            return str(parts[0].ref)
        out = "poison"
        for n, (value, kind) in enumerate(zip(parts, types, strict=True)):
            out = self.emit(f"insertvalue {returned} {out}, {kind} {value.ref}, {n}")
        return out

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
        if not is_text(node):
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
        names = assigned(statements)
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
            test = self.own(self.truth(node.test))
            if test.wide:
                self.fail("the test must be the same for all lanes")
            self.do(f"br i1 {test.ref}, label %body{n}, label %end{n}")
            self.label(f"body{n}")
            self.around(node.body, f"while{n}", f"end{n}")
            self.do(f"br label %while{n}")
            self.label(f"end{n}")

    def around(self, body: list[ast.stmt], again: str, after: str) -> None:
        """The body of a loop: `continue` goes to one label, `break` to the other."""
        self.loops.append((again, after))
        self.body(body)
        self.loops.pop()

    def leave(self, which: int) -> None:
        """To a label of the loop around; what follows in this branch is never reached."""
        if not self.loops or self.wide:
            self.fail("only a loop that is not over lanes is left")
        self.do(f"br label %{self.loops[-1][which]}")
        self.label(f"never{self.name()[1:]}")

    def do_Continue(self, node: ast.Continue) -> None:
        self.leave(0)

    def do_Break(self, node: ast.Break) -> None:
        self.leave(1)

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
            if self.module.gpu:
                self.one_lane(node.body)
            else:
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
            self.around(node.body, f"step{n}", f"end{n}")
            if any(isinstance(x, ast.Continue) for x in ast.walk(node)):
                self.do(f"br label %step{n}")
                self.label(f"step{n}")
            self.do(f"{following} = add nsw i64 {index}, {step.ref}")
            self.do(f"br label %loop{n}")
            phi = f"  {index} = phi i64 [ {first.ref}, %{before} ], [ {following}, %{self.block} ]"
            self.lines.insert(head, phi)
            self.label(f"end{n}")

    def one_lane(self, body: list[ast.stmt]) -> None:
        """A loop over lanes where a thread has one: names that it assigns are its own."""
        before, sums = dict(self.env), only_added(body)
        own = assigned(body) - sums
        self.env = {name: bound for name, bound in before.items() if name not in own}
        self.body(body)
        gone = Gone("was assigned in a loop over lanes, and is not known after it")
        totals = {name: self.env[name] for name in sums & before.keys()}
        self.env = {**before, **{name: gone for name in own & before.keys()}, **totals}

    def lanes(self, node: ast.For, width: int) -> None:
        """A loop over lanes, vector by vector."""
        if self.wide:
            self.fail("a loop over lanes inside another")
        if self.module.lanes % width:
            self.fail(f"{self.module.lanes} lanes are no multiple of {width}")
        before = dict(self.env)
        added = only_added(node.body)
        self.sums = {x for x in added if isinstance(before.get(x), (Value, Slot))}
        totals: dict[str, Value] = {}
        for name in sorted(assigned(node.body) & before.keys()):
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
        self.env = {**before, **{x: gone for x in assigned(node.body) & before.keys()}}
        for name, total in totals.items():
            kept = sums[name]
            assert isinstance(kept, Slot)
            more = self.binary(ast.Add, total, self.added(kept))
            if isinstance(before[name], Slot):
                self.store(more, before[name])  # type: ignore[arg-type]
                self.env[name] = before[name]
            else:
                self.env[name] = more
