"""Which pair of normals belongs to what: numbers of draws follow from names.

A pair's number is a number made from the name of what draws it (a subsystem, a jump) plus its place
among the pairs of that name. It is the same whatever else a model holds and in whatever order; a
kernel reads it from its integers, so its text does not know names.
"""

from __future__ import annotations

import ast
import bisect
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler.lower.language import tree_of
from .text import Parameters

WORDS = 2**32


class _FromTable(ast.NodeTransformer):
    """Lets normals stand in a table that begins at ``place`` in ``p``."""

    def __init__(self, place: str):
        self.place = place

    def visit_Assign(self, node: ast.Assign) -> Any:
        target, value = node.targets[0], node.value
        if not isinstance(value, ast.Call):
            return node
        name, called = ast.unparse(target), ast.unparse(value.func)
        if called == "U" and (name == "kc" or name.startswith(("pair", "next"))):
            number = f"({ast.unparse(value.args[0])})"
            if name == "kc":
                number = f"(int(ka) + {number})"
            return ast.parse(f"{name} = ({self.place} + {number} * 2 * LN) & FAR").body
        if called == "normal_pair" and isinstance(target, ast.Tuple):
            first, second = map(ast.unparse, target.elts)
            at = ast.unparse(value.args[3])
            return ast.parse(f"{first} = p[{at} + l]\n{second} = p[{at} + LN + l]").body
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        if ast.unparse(node.func) in ("normal_pair", "three_point_pair", "threefry"):
            raise NotImplementedError("the method draws other numbers than normals")
        return self.generic_visit(node)


class _ThreePoint(ast.NodeTransformer):
    """Lets steps draw three-point numbers; initial states, whose keys are k0 and k1, do not."""

    def visit_Call(self, node: ast.Call) -> Any:
        if ast.unparse(node.func) == "normal_pair" and ast.unparse(node.args[0]) == "ka":
            node.func = ast.Name("three_point_pair")
        return self.generic_visit(node)


def from_table(functions: str, place: str) -> str:
    """The text with its normals read from the table that begins at ``place`` in ``p``.

    Raises:
        NotImplementedError: it draws other numbers, too.
    """
    return ast.unparse(_FromTable(place).visit(tree_of(functions))) + "\n"


def three_point(functions: str) -> str:
    """The text with three-point numbers in its steps."""
    return ast.unparse(_ThreePoint().visit(tree_of(functions))) + "\n"


class Draws:
    """Ranges of pair numbers by purpose and name, known once all of them are asked for."""

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.sizes: dict[tuple[int, str], int] = {}
        #: Where the numbers of a range go: entries of an integer array.
        self._places: dict[tuple[int, str], tuple[NDArray[np.int64], int]] = {}
        self._alone: dict[tuple[int, str], int] = {}

    def first(self, purpose: int, name: str, size: int = 1) -> str:
        """Reserve ``size`` successive pair numbers; the source of the first."""
        self._reserve(purpose, name, size)
        self._alone[purpose, name] = len(self.parameters.integers)
        return self.parameters.integer(0)

    def table(self, purpose: int, sizes: dict[str, int]) -> str:
        """Reserve pair numbers by name; pair i of all has number ``o[<source> + i]``."""
        numbers, at = np.zeros(sum(sizes.values()), np.int64), 0
        for name, size in sizes.items():
            self._reserve(purpose, name, size)
            self._places[purpose, name] = numbers, at
            at += size
        return self.parameters.indices(numbers)

    def _reserve(self, purpose: int, name: str, size: int) -> None:
        if (purpose, name) in self.sizes:
            raise ValueError(f"Two draws of one purpose have the name {name!r}.")
        self.sizes[purpose, name] = size

    @property
    def totals(self) -> dict[int, int]:
        """Pairs of every purpose."""
        out: dict[int, int] = {}
        for (purpose, _), size in self.sizes.items():
            out[purpose] = out.get(purpose, 0) + size
        return out

    def settle(self, dense: bool = False) -> None:
        """Fill in all numbers. Where ranges would overlap, the later name gives way.

        ``dense``: from 0 on for every purpose, for tables.
        """
        ends: dict[int, int] = {}
        taken: list[tuple[int, int, int]] = []  # ascending, apart from each other
        for key in sorted(self.sizes):
            size = self.sizes[key]
            if dense:
                begin = ends.get(key[0], 0)
                ends[key[0]] = begin + size
            else:
                begin = self._free(key, taken)
            if key in self._alone:
                self.parameters.integers[self._alone[key]] = begin
            else:
                numbers, at = self._places[key]
                numbers[at : at + size] = begin + np.arange(size)

    def _free(self, key: tuple[int, str], taken: list[tuple[int, int, int]]) -> int:
        (purpose, name), size = key, self.sizes[key]
        attempt = 0
        while True:
            begin = base(name, attempt) % (WORDS - size)
            at = bisect.bisect(taken, (purpose, begin, 0))
            before = at > 0 and taken[at - 1][0] == purpose and taken[at - 1][2] > begin
            after = at < len(taken) and taken[at][0] == purpose and taken[at][1] < begin + size
            if not (before or after):
                taken.insert(at, (purpose, begin, begin + size))
                return begin
            attempt += 1


def base(name: str, attempt: int = 0) -> int:
    """32 bits of BLAKE2b of a name."""
    text = f"{name}\0{attempt}" if attempt else name
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
