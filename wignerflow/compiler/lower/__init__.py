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
    Floats ``f32`` and ``f64``, integers ``i64``, ``i32``, ``u32`` and ``u64`` (which wrap around),
    truth values. A literal takes the type of what it meets; ``f32`` with ``f64`` makes ``f64``; all
    else needs a cast: ``F(x)``, ``U(x)`` (``u32``), ``int(x)`` (``i64``), ``np.float32``,
    ``np.float64``, ``np.int32``, ``np.uint32``, ``np.int64``, ``np.uint64``; ``f32_bits(x)`` and
    ``bits_f32(i)`` keep the bits.
Expressions
    ``+ - * / // % & | ^ << >>``, ``-x +x``, comparisons of two, ``and or not``, ``a if c else b``
    (both sides are evaluated), ``np.sqrt abs max min np.inf np.nan``, ``x[i]``, ``x[i, j]``,
    ``x[i]`` of a matrix (its row), ``x.size``, ``x.shape[i]``, calls of functions of the module.
Statements
    Assignments to names, entries and tuples of names, ``+=`` and its kin, ``if``, ``while``,
    ``for i in range(...)`` with a literal step, ``break`` and ``continue`` (not of loops over
    lanes), ``pass``, ``return`` at the end of a function. A name first assigned inside a branch or
    a loop is not known after it, and a name keeps its type within one.
Lanes
    ``for l in range(LN):`` goes over the lanes, a vector of them at a time (``range(0, LN, K)``: a
    vector of K). Numbers that depend on ``l`` are vectors; entries are read and written at an index
    ``... + l``. Branches and loops inside depend on numbers that are the same for all lanes. ``x +=
    value`` with an ``x`` from outside adds up over the lanes. Functions called inside are compiled
    for vectors.
Plain loops
    A text without ``LN`` has no lanes; LLVM makes vectors of its loops, and functions are exact.
Threads of a GPU
    ``thread(d)`` and ``block(d)``: places in the block and the grid. ``memory(n)``: an array of
    ``F`` that a thread has to itself. ``shared(n, ...)`` (``F``) and ``shared_f64(n, ...)``: one of
    all threads of a block. ``barrier()``, ``warp_barrier()``; ``swapped(x, d)``, ``shifted(x, d)``
    and ``at_lane(x, k)``: x of the thread with this one's number in the warp xor d, minus d, and k.
    Loops over lanes are none there: ``l`` is given.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .function import make
from .language import TYPES, Array, NotKernelText, Value, operands, parse

if TYPE_CHECKING:
    from ..targets import Target

__all__ = ["PLAIN", "NotKernelText", "lower"]

#: First line of a module without lanes.
PLAIN = "; plain loops"
#: How a GPU calls a kernel, and its first lines.
KERNELS = {"nvptx64": "ptx_kernel", "amdgcn": "amdgpu_kernel"}


def lower(text: str, entry: str, target: Target) -> str:
    """The LLVM module of a text, with one function ``entry``.

    On CPUs it is C's ``void entry(int64_t *words)``: the words are the entry's parameters in order,
    a number's bits, an array's address and then its dimensions. On GPUs they are the parameters of
    a kernel.
    """
    module = parse(text, target.width, target.gpu)
    function = module.functions[entry]
    arguments: list[Value | Array] = []
    given: list[tuple[str, str]] = []  # LLVM's type and the name of every word

    def take(kind: str, name: str) -> str:
        given.append((kind, f"%{name}"))
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
    name, _ = make(module, function, arguments, "alwaysinline" if target.gpu else "noinline")
    call = ", ".join(f"{t} {r}" for a in arguments for t, r in operands(a))
    if target.gpu:
        words = ", ".join(f"{'ptr noalias' if t == 'ptr' else t} {x}" for t, x in given)
        main = [f"define {KERNELS[target.gpu]} void @{entry}({words}) #0 {{"]
    else:
        main = [f"define void @{entry}(ptr %words) #0 {{", *_unpack(given, target.pointer)]
    main += [f"  call void @{name}({call})", "  ret void", "}"]
    parts = [
        *([PLAIN] if module.plain else []),
        *module.shared,
        *module.emitted,
        "\n".join(main),
        *sorted(module.declared),
    ]
    return "\n\n".join(parts) + TAIL


def _unpack(given: list[tuple[str, str]], pointer: int) -> list[str]:
    """Instructions that read parameters from words."""
    out = []
    for word, (kind, name) in enumerate(given):
        out.append(f"  {name}.at = getelementptr i64, ptr %words, i64 {word}")
        if kind == "ptr" and pointer == 32:
            out.append(f"  {name}.low = load i32, ptr {name}.at")
            out.append(f"  {name} = inttoptr i32 {name}.low to ptr")
        else:
            out.append(f"  {name} = load {kind}, ptr {name}.at")
    return out


#: No library function stands for a loop, and nothing is thrown.
TAIL = """

attributes #0 = { nounwind "no-builtins" "no-trapping-math"="true" }

!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.unroll.disable"}
!2 = !{!"llvm.loop.vectorize.enable", i1 false}
"""
