"""Building blocks of generated kernels: lines of code, parameters, draws, polynomial expressions.

Generated functions see flat arrays: ``v`` (state), ``q`` (state at mid-step), ``s`` (scratch),
``w`` (scratch of array size), ``p`` (parameters), all of the working precision with the trajectory
("lane", index ``l``) innermost, and ``o`` (64-bit integers: sizes and offsets). A statement in a
lane loop is plain arithmetic, so the same text runs with l an integer (compiled) or an index array
(NumPy).
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..phasespace.polynomials import Leaf, Poly, TimePart

MANY = 500  # terms in one sum of a text
PAIRS = 2**32  # numbers of pairs of normals
LANE_LOOP = "for l in range(LN):"
#: Of a step number n as a time coefficient: n // STRIDE and n % STRIDE (singles are exact to 2^24).
HIGH, LOW, STRIDE = "high", "low", 4096
#: What of an increment is printed: all of it, or for schemes that take them in turn, one part.
WHOLE, DRIFT, NOISE = "whole", "drift", "noise"
ROW = None  # as a time coefficient: the row of this step in tables of collective steps


#: Lines of Python source; a list among them is the block that the line before it begins.
Lines = list[Any]


def nested(out: Lines, head: str) -> Lines:
    """Append a line that begins a block; the block, to be filled."""
    body: Lines = []
    out += [head, body]
    return body


def source(lines: Lines, depth: int = 0) -> str:
    """The lines as one text."""
    parts = (source(x, depth + 1) if isinstance(x, list) else "    " * depth + x for x in lines)
    return "\n".join(parts)


#: Values of registered names that a run's step grid decides: integers, or arrays to be found there.
Values = dict[str, int | NDArray[Any]]


def table_values(names: tuple[str, ...], table: NDArray[np.float64]) -> Values:
    """A table (rows, members, numbers), found by offset, members per row and stride."""
    same = bool(np.all(table == table[:, :1]))
    if same:
        table = table[:, :1]
    return dict(zip(names, (table, table.shape[1], 0 if same else 1), strict=True))


def index_of(name: str) -> int:
    """The number of an entry from its name in the text."""
    return int(name[2:-1])


class Parameters:
    """Numbers handed to a kernel at run time: scalars and per-member arrays in ``p``, integers in
    ``o``.

    The names depend on the structure of the model only, so that new values never change the text.
    """

    def __init__(self) -> None:
        self.scalars: list[float] = []
        self.arrays: list[NDArray[np.float64]] = []
        self.integers: list[int] = []
        self._array_names: dict[bytes, str] = {}
        self._index_arrays: dict[str, NDArray[np.int64]] = {}
        self.time_parts: list[TimePart | str | None] = []

    def scalar(self, value: float) -> str:
        """Register a number; its name in the text."""
        self.scalars.append(float(value))
        return f"p[{len(self.scalars) - 1}]"

    def integer(self, value: int) -> str:
        """Register an integer; its name in the text."""
        self.integers.append(int(value))
        return f"o[{len(self.integers) - 1}]"

    def table(self) -> tuple[str, str, str]:
        """Register integers by which a table is found: see ``table_values``."""
        return self.integer(0), self.integer(0), self.integer(0)

    def array(self, values: NDArray[np.float64]) -> str:
        """Register a real array; ``p[<name> + m]`` is its entry m. Equal arrays are stored once."""
        flat = np.ascontiguousarray(values, float).ravel()
        key = flat.tobytes()
        if key not in self._array_names:
            self.arrays.append(flat)
            self._array_names[key] = self.integer(-len(self.arrays))  # resolved by ``packed``
        return self._array_names[key]

    def indices(self, values: NDArray[np.int64]) -> str:
        """Register an integer array; ``o[<name> + m]`` is its entry m."""
        start = self.integer(0)
        self._index_arrays[start] = np.asarray(values, np.int64)
        return start

    def time(self, part: TimePart | str | None) -> str:
        """Column of the step table that holds a time coefficient, ``ROW``, ``HIGH`` or ``LOW``."""
        if part not in self.time_parts:
            self.time_parts.append(part)
        return f"ct[{self.time_parts.index(part)}]"

    def packed(self, dtype: Any, values: Values) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The arrays ``p`` and ``o``, with what is known of a run alone for registered integers."""
        given, indices = dict(enumerate(self.integers)), dict(self._index_arrays)
        arrays, found = list(self.arrays), dict[bytes, int]()
        for name, value in values.items():
            if isinstance(value, int):
                given[index_of(name)] = value
            elif value.dtype.kind == "i":
                indices[name] = value
            else:
                flat = np.ascontiguousarray(value, float).ravel()
                key = flat.tobytes()
                if key in self._array_names:
                    found[key] = self.integers[index_of(self._array_names[key])]
                elif key not in found:
                    arrays.append(flat)
                    found[key] = -len(arrays)
                given[index_of(name)] = found[key]
        scalars = self.scalars if self.scalars or arrays else [0.0]
        starts = np.cumsum([len(scalars), *(a.size for a in arrays)]).tolist()
        integers = [starts[-1 - i] if i < 0 else i for i in given.values()] or [0]
        end = len(integers)
        for name, numbers in indices.items():
            integers[index_of(name)] = end
            end += numbers.size
        p = np.concatenate([np.array(scalars, float), *arrays])
        o = np.concatenate([np.array(integers, np.int64), *indices.values()])
        return p.astype(dtype), o


class Draws:
    """Ranges of pair numbers by purpose and name, known once all of them are asked for.

    A pair's number is a number made from the name of what draws it (a subsystem, a jump) plus its
    place among the pairs of that name. It is the same whatever else a model holds and in whatever
    order; a kernel reads it from its integers, so its text does not know names.
    """

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
            begin = base(name, attempt) % (PAIRS - size)
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


class Prologue:
    """Scalars computed once per call, before any lane loop; ``prefix``: of their names."""

    def __init__(self, parameters: Parameters, prefix: str = "k"):
        self.parameters, self.prefix = parameters, prefix
        self.names: dict[str, str] = {}

    def name(self, expression: str) -> str:
        """A local name for a scalar expression."""
        if expression not in self.names:
            self.names[expression] = f"{self.prefix}{len(self.names)}"
        return self.names[expression]

    def number(self, value: float, times: Iterable[TimePart]) -> str:
        """A local name for a number times time coefficients times the step h."""
        factors = [self.parameters.scalar(value), *(self.parameters.time(t) for t in times)]
        return self.name(" * ".join([*factors, "h"]))

    def rate(self, rate: Coef) -> tuple[str, str]:
        """Local names for what a rate in time multiplies: its root with the noise, and itself."""
        value = self.parameters.time(TimePart(rate, "r"))
        return self.name(f"np.sqrt({value}) * sqh"), self.name(f"{value} * h")

    def lines(self) -> list[str]:
        """The assignments."""
        return [f"{name} = {expression}" for expression, name in self.names.items()]


def expression(poly: Poly, names: Mapping[Leaf, str], prologue: Prologue, scale: str = "") -> str:
    """A real polynomial as source, times ``scale`` ("" or a scalar name); "" for zero.

    Coefficients become parameters, products of scalars are hoisted into the prologue.
    """
    parameters = prologue.parameters
    out = []
    for times, leaves, c in poly.sorted_terms:
        if c.real == 0:
            continue
        scalar = parameters.scalar(c.real)
        for t in times:
            scalar += f" * {parameters.time(t)}"
        if scale:
            scalar += f" * {scale}"
        out.append(" * ".join([prologue.name(scalar), *(names[leaf] for leaf in leaves)]))
    while len(out) > MANY:  # Python does not read sums of thousands of terms
        sums = (" + ".join(out[k : k + MANY]) for k in range(0, len(out), MANY))
        out = [f"({x})" for x in sums]
    return " + ".join(out)


def plus(*parts: str) -> str:
    """Sum of the parts that are not empty; "" if all are."""
    return " + ".join(part for part in parts if part)


def product(mono: tuple[str, ...]) -> str:
    """Product of names."""
    return " * ".join(mono)


def fill(out: Lines, keys: str, pair: str, slots: list[str]) -> None:
    """Two standard normals per lane into ``slots``.

    One draw with the key in ``keys``; where several keys are given (step-size pilots), the sum of
    as many draws over the root of their number, so that coarse noise is the sum of fine noise.
    """
    lane = _draw(_each_key(out, keys), keys, pair)
    lane += (f"{slot} = keep * {slot} + share * n{i}" for i, slot in enumerate(slots))


def fill_one(out: Lines, keys: str, pair: str, slot: str, spare: str) -> None:
    """One standard normal per lane into ``slot``: two steps share a pair.

    A step whose number is even takes the first and leaves the second in ``spare``, of a scratch
    that nothing else writes to; the odd one after it draws none.
    """
    each = _each_key(out, keys)
    lane = _draw(nested(each, f"if {keys}[3 * r + 2] == U(0):"), keys, pair)
    lane += [f"{slot} = keep * {slot} + share * n0", f"{spare} = n1"]
    each += ["else:", [LANE_LOOP, [f"{slot} = keep * {slot} + share * {spare}"]]]


def _each_key(out: Lines, keys: str) -> Lines:
    """The loop over keys, three words each: see ``module.RUN``."""
    body = nested(out, f"for r in range({keys}.size // 3):")
    body += ["keep = F(0) if r == 0 else F(1)", f"share = F(1) / np.sqrt(F({keys}.size // 3))"]
    return body


def _draw(out: Lines, keys: str, pair: str) -> Lines:
    """A lane loop with normals n0 and n1 of key number r."""
    out += [f"ka = {keys}[3 * r]", f"kb = {keys}[3 * r + 1]", f"kc = U({pair})"]
    lane = nested(out, LANE_LOOP)
    lane += ["n0, n1 = normal_pair(ka, kb, U(t0 + l), kc)"]
    return lane
