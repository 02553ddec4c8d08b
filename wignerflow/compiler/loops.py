"""Plain loops: functions in the language of kernels, compiled for the arguments of their calls."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from . import build
from .lower.language import tree_of
from .targets import Loaded

#: Kinds of numbers by NumPy's type.
KINDS = {
    np.dtype(name): kind
    for name, kind in (
        ("float64", "f64"), ("int64", "i64"), ("int32", "i32"), ("uint32", "u32"), ("uint64", "u64")
    )
}  # fmt: skip
COMPLEX = np.dtype("complex128")


def fresh(entry: Any) -> Any:
    """An entry of an array; compiled, as it is now, should others change it meanwhile."""
    return entry


class Loop:
    """A function whose results are written into its arguments.

    Functions and numbers of its module that it names are compiled with it; its own plain form is
    ``function``. Arguments are Python's or NumPy's numbers and arrays in C order, complex arrays
    become real ones with one index more; those of one call must not overlap. A call drops the GIL.
    """

    def __init__(self, function: Callable[..., Any]):
        functools.update_wrapper(self, function)
        self.function = function
        self._made: dict[tuple[Any, ...], Loaded] = {}

    def __call__(self, *arguments: Any) -> None:
        given = [_number(a) for a in arguments]
        types = tuple([(a.dtype, a.ndim) for a in given])
        if types not in self._made:
            self._made[types] = build.load(self.text([_kind(*t) for t in types]))
        self._made[types](given)

    def text(self, kinds: Sequence[str]) -> str:
        """What is compiled for arguments of these kinds."""
        constants: dict[str, Any] = {}
        functions: dict[str, ast.FunctionDef] = {}
        _gather(self.function, constants, functions)
        entry = functions.pop(self.function.__name__)
        entry.name = build.ENTRY
        for parameter, kind in zip(entry.args.args, kinds, strict=True):
            parameter.annotation = ast.Constant(kind)
        lines = [f"{name} = {constants[name]!r}" for name in sorted(constants)]
        return "\n\n".join([*lines, *map(ast.unparse, [*functions.values(), entry])]) + "\n"


def _number(a: Any) -> Any:
    if isinstance(a, np.ndarray):
        return a.view(np.float64).reshape(*a.shape, 2) if a.dtype == COMPLEX else a
    if isinstance(a, np.generic):
        return a
    return np.float64(a) if isinstance(a, float) else np.int64(a)


def _kind(dtype: Any, ndim: int) -> str:
    if dtype not in KINDS:
        raise TypeError(f"No kernel takes numbers of the type {dtype}.")
    return KINDS[dtype] + "[]" * ndim


def _gather(
    function: Any, constants: dict[str, Any], functions: dict[str, ast.FunctionDef]
) -> None:
    """A function's tree, and all of its module that it names, into ``constants, functions``."""
    (tree,) = tree_of(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    tree.decorator_list = []
    functions[tree.name] = tree
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or node.id in functions:
            continue
        found = function.__globals__.get(node.id)
        if isinstance(found, FunctionType):
            _gather(found, constants, functions)
        elif isinstance(found, (int, float)):
            constants[node.id] = found
