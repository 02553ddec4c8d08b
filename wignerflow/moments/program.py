r"""The moment equations as sparse polynomials of the moments, and their right-hand side.

.. math:: \dot r = f(r, C), \qquad \dot C = A\,C + C A^T + Q,

with f, A = <df/dx> and Q polynomials of means and covariances. Each is a list of terms: place of
the result, coefficient, and the places of up to a few factors in the vector (moments, 0, 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import check_memory
from ..model.coefficients import Coef
from ..model.op import Op
from . import closure
from .algebra import closed
from .closure import Factors, Polynomial, Variable
from .clusters import Index, operator, remaining
from .generator import Family, Times, families
from .limits import SECONDS_PER_TERM, derivation_time, too_large
from .physical import Bounds
from .variables import Array, Variables

ROUNDING = 1e-14
#: A is kept sparse below this share of entries.
SPARSE = 0.1
#: Entries of a family from which its number of terms is estimated.
SAMPLE = 200
_PER_TERM = 120.0  # bytes, while terms are sorted
#: Of the right-hand side: how often it is needed at least, and seconds per term and per product of
#: two entries of matrices.
EVALUATIONS, EACH_TERM, EACH_PRODUCT = 120, 1.5e-8, 5e-11


@dataclass
class Terms:
    """Terms with equally many factors: out[row] += coef * product of z[factors], rows ascending."""

    times: Times
    rows: Index  # unique rows
    starts: Index
    coef: Array
    factors: Index  # (F, terms)
    imaginary: bool = False

    def add(self, z: Array, weight: float, out: Array) -> None:
        """Add the sums times ``weight`` to ``out``."""
        value = self.coef
        for f in self.factors:
            value = value * z[f]
        sums = np.add.reduceat(value, self.starts)
        out[self.rows] += sums if weight == 1 else weight * sums


class Collector:
    """Terms as they come, sorted and summed at the end."""

    def __init__(self, variables: Variables, memory: float = np.inf):
        self.v, self.memory = variables, memory
        n = variables.size
        self.place = np.full((n, n), variables.length, np.int64)  # of 0
        rows, columns = variables.pairs
        where = n + np.arange(rows.size)
        self.place[rows, columns] = self.place[columns, rows] = where
        self.parts: dict[tuple[Times, int], list[tuple[Index, NDArray[np.complex128], Index]]] = {}
        self.count, self.bytes = 0, 0.0

    def add(
        self, family: Family, poly: Polynomial, rows: Index, weight: Array | None = None
    ) -> None:
        """A polynomial of a family's slots; entry e has its result in ``rows[e]`` (-1: none)."""
        wanted = rows >= 0
        index, coefs, rows = family.index[:, wanted], family.coef[:, wanted], rows[wanted]
        ways = None if weight is None else weight[wanted]
        at = self.v.offset[index][:, None, :] + np.arange(self.v.widest)[None, :, None]
        groups: dict[int, list[Factors]] = {}
        for factors, c in poly.items():
            if np.abs(c).max() > ROUNDING:
                groups.setdefault(len(factors), []).append(factors)
        for degree, chosen in groups.items():
            c = np.array([poly[f] for f in chosen])
            coef = c @ coefs
            hit = np.abs(coef) > ROUNDING * (np.abs(c) @ np.abs(coefs))
            if ways is not None:
                coef = coef * ways
            places = np.empty((degree, *coef.shape), np.int64)
            for k in range(degree):
                first, last = (np.array([f[k][end] for f in chosen]).T for end in (0, -1))
                pair = np.array([len(f[k]) == 2 for f in chosen])[:, None]
                places[k] = at[*first]
                places[k] = np.where(pair, self.place[places[k], at[*last]], places[k])
            hit &= np.all(places < self.v.length, axis=0)
            if not hit.any():
                continue
            part = (np.broadcast_to(rows, coef.shape)[hit], coef[hit], places[:, hit])
            self.parts.setdefault((family.times, degree), []).append(part)
            self.count += int(hit.sum())
            self.bytes += _PER_TERM * int(hit.sum())
            if self.bytes > self.memory:
                raise too_large(self.bytes, self.memory)

    def terms(self, real: bool = True) -> list[Terms]:
        """Sorted by row, equal terms added; real and imaginary parts of coefficients apart."""
        out = []
        for (times, _), parts in self.parts.items():
            rows = np.concatenate([p[0] for p in parts])
            coef = np.concatenate([p[1] for p in parts])
            factors = np.sort(np.concatenate([p[2] for p in parts], axis=1), axis=0)
            rows, coef, factors, size = _summed(rows, coef, factors)
            keep_imaginary = bool(times) or not real
            for imaginary, part in ((False, coef.real), (True, coef.imag)):
                hit = np.abs(part) > ROUNDING * size
                if not hit.any() or (imaginary and not keep_imaginary):
                    continue
                unique, starts = np.unique(rows[hit], return_index=True)
                picked = np.ascontiguousarray(part[hit])
                own = np.ascontiguousarray(factors[:, hit])
                out.append(Terms(times, unique, starts, picked, own, imaginary))
        return out


def _summed(rows: Index, coef: NDArray[np.complex128], factors: Index) -> tuple:
    """Equal terms added; the last value is the sum of the absolute coefficients."""
    order = np.lexsort((*factors[::-1], rows))
    rows, coef, factors = rows[order], coef[order], factors[:, order]
    new = np.ones(rows.size, bool)
    new[1:] = (rows[1:] != rows[:-1]) | np.any(factors[:, 1:] != factors[:, :-1], axis=0)
    starts = np.flatnonzero(new)
    size = np.add.reduceat(np.abs(coef), starts)
    return rows[starts], np.add.reduceat(coef, starts), factors[:, starts], size


class Program:
    """The right-hand side of the moment equations of a model.

    Args:
        variables: the moments.
        families: the generator.
        memory: limit in bytes.

    Raises:
        TooLarge: the terms need more memory.
    """

    def __init__(self, variables: Variables, families: list[Family], memory: float = np.inf):
        self.v = variables
        n = variables.size
        need = _PER_TERM * expected_terms(_many(families), variables)
        if need > memory:
            raise too_large(need, memory)
        what = f"The equations of {variables.length} moments"
        check_memory(need, what, "use fewer array members, or take wf.TWA()")
        drift, jacobian, source = (Collector(variables, memory) for _ in range(3))
        for family in families:
            if family.kinds and family.index.shape[1]:
                _derive(family, variables, drift, jacobian, source)
        self.drift, self.source = drift.terms(), source.terms()
        self.jacobian = jacobian.terms()
        parts = (self.drift, self.jacobian, self.source)
        self.times = list(dict.fromkeys(t for part in parts for x in part for t in x.times))
        self.count = drift.count + jacobian.count + source.count
        used = np.unique(np.concatenate([np.empty(0, np.int64), *(t.rows for t in self.jacobian)]))
        self.pattern: scipy.sparse.csr_matrix | None = None
        if used.size < SPARSE * n * n:
            for t in self.jacobian:
                t.rows = np.searchsorted(used, t.rows)
            self.pattern = scipy.sparse.csr_matrix(
                (np.zeros(used.size), used % n, np.searchsorted(used // n, np.arange(n + 1))),
                shape=(n, n),
            )
        rows, columns = variables.pairs
        self.places = np.where(drift.place < variables.length, drift.place, variables.length)
        self.flat = rows * n + columns

    @property
    def length(self) -> int:
        """Number of real moments."""
        return self.v.length

    def initial(self) -> Array:
        """The moments of the initial state, packed."""
        return self.v.initial()

    def of(self, terms: list[Family]) -> Program:
        """The equations of the same moments under another generator."""
        return Program(self.v, terms)

    def bounds(self) -> Bounds:
        """What moments may be."""
        return Bounds(self.v)

    def entry(self, k: int) -> int:
        """Where entry k of a sparse A stands in the full matrix: n times row + column."""
        assert self.pattern is not None
        row = int(np.searchsorted(self.pattern.indptr, k, side="right")) - 1
        return row * self.v.size + int(self.pattern.indices[k])

    def __call__(self, t: float, y: Array) -> Array:
        """dy/dt."""
        n = self.v.size
        z = np.concatenate([y, [0.0, 1.0]])
        values = {c: complex(c(t)) for c in self.times}
        out = np.zeros(self.v.length)
        _evaluate(self.drift, z, values, out[:n])
        C = z[self.places]
        if self.pattern is None:
            dense = np.zeros(n * n)
            _evaluate(self.jacobian, z, values, dense)
            AC = dense.reshape(n, n) @ C
        else:
            entries = np.zeros(self.pattern.nnz)
            _evaluate(self.jacobian, z, values, entries)
            self.pattern.data = entries
            AC = self.pattern @ C
        _evaluate(self.source, z, values, out[n:])
        AC += AC.T.copy()
        out[n:] += AC.ravel()[self.flat]
        return out


def _evaluate(terms: list[Terms], z: Array, values: dict[Coef, complex], out: Array) -> None:
    for term in terms:
        weight = 1.0 + 0j
        for c in term.times:
            weight *= values[c]
        term.add(z, -weight.imag if term.imaginary else weight.real, out)


def _many(families: list[Family]) -> list[Family]:
    """Families that a sample tells of; the others are as dear to derive."""
    return [f for f in families if f.index.shape[1] > SAMPLE]


def least_times(families: list[Family], variables: Variables) -> tuple[float, float]:
    """Seconds of writing out the equations, and with the fewest evaluations, before both, about."""
    terms = expected_terms(_many(families), variables)
    each = EACH_TERM * terms + EACH_PRODUCT * float(variables.size) ** 3
    derivation = derivation_time(families) + SECONDS_PER_TERM * terms
    return derivation, derivation + EVALUATIONS * each


def expected_terms(families: list[Family], variables: Variables) -> float:
    """Terms of the equations, before they are derived: from some entries of every family."""
    total = 0.0
    for family in families:
        entries = family.index.shape[1]
        if not family.kinds or not entries:
            continue
        some = np.unique(np.linspace(0, entries - 1, SAMPLE).astype(np.int64))
        part = replace(family, index=family.index[:, some], coef=family.coef[:, some])
        collectors = [Collector(variables) for _ in range(3)]
        _derive(part, variables, *collectors)
        total += sum(c.count for c in collectors) * entries / some.size
    return total


def _derive(
    family: Family, v: Variables, drift: Collector, jacobian: Collector, source: Collector
) -> None:
    """What a family adds to the three polynomials."""
    kinds, n = family.kinds, v.size
    family, weights = _summed_maps(family)
    where = drift.place
    g = {
        (s, a): closure.acted(kinds, family.words, {s: (a,)}, weights)
        for s in range(len(kinds))
        for a in closure.letters(kinds, s)
    }
    for s in range(len(kinds)):
        ways = remaining(family.index, v.number, [s])
        for a in closure.letters(kinds, s):
            row = v.offset[family.index[s]] + a
            drift.add(family, closure.expectation(g[s, a]), row, ways)
            for x in sorted({x for mono in g[s, a] for x in mono}):
                column = v.offset[family.index[x[0]]] + x[1]
                slope = closure.derivative(g[s, a], x)
                jacobian.add(family, slope, row * n + column, ways)
    for x, y, observed in _observed(kinds):
        slots = sorted({x[0], y[0]})
        ways = remaining(family.index, v.number, slots)
        rows = v.offset[family.index[x[0]]] + x[1]
        columns = v.offset[family.index[y[0]]] + y[1]
        place = where[rows, columns] - n
        place[(rows > columns) | (place >= v.length - n)] = -1
        if np.any(place >= 0):
            both = closure.acted(kinds, family.words, observed, weights)
            source.add(family, closure.pair_source(g, both, x, y), place, ways)


def _summed_maps(family: Family) -> tuple[Family, NDArray[np.complex128] | None]:
    """Many maps on few entries are summed before anything is derived from them."""
    entries = family.index.shape[1]
    if entries >= len(family.words):
        return family, None
    size = float(np.abs(family.coef).max()) or 1.0
    own = np.asarray(size * np.eye(entries), complex)
    return replace(family, coef=own), family.coef / size


def _observed(
    kinds: tuple[str, ...],
) -> Iterator[tuple[Variable, Variable, dict[int, tuple[int, ...]]]]:
    """Pairs of basic operators on the slots of a family, with what is observed where."""
    for s in range(len(kinds)):
        for t in range(len(kinds)):
            if s == t and closed(kinds[s]):
                continue
            for a in closure.letters(kinds, s):
                for b in closure.letters(kinds, t):
                    if s == t:
                        yield (s, a), (s, b), {s: tuple(sorted((a, b)))}
                    else:
                        yield (s, a), (t, b), {s: (a,), t: (b,)}


class Readout:
    """Operators as polynomials of the moments: exact up to second order, closed above.

    Args:
        variables: the moments.
        ops: operators without time coefficients.

    Raises:
        TooMany, TooHigh: an operator has too many terms, or is of too high an order.
    """

    def __init__(self, variables: Variables, ops: Mapping[str, Op], memory: float = np.inf):
        self.size = len(ops)
        out = Collector(variables, memory)
        for k, (name, op) in enumerate(ops.items()):
            try:
                self._add(out, variables, op, k)
            except ValueError as error:
                raise type(error)(f"Observable {name!r} cannot be read: {error}.") from error
        self.terms = out.terms(real=False)

    @staticmethod
    def _add(out: Collector, variables: Variables, op: Op, k: int) -> None:
        for pieces in operator(op, variables).values():
            for family in families((), pieces, len(variables.kinds)):
                value = closure.expectation(closure.acted(family.kinds, family.words, {}))
                rows = np.full(family.index.shape[1], k)
                out.add(family, value, rows, remaining(family.index, variables.number))

    def __call__(self, y: Array) -> NDArray[np.complex128]:
        """Values at every time, shape (K, T), from moments of shape (T, length)."""
        values: Any = np.zeros((self.size, len(y)), complex)
        for k, row in enumerate(y):
            z = np.concatenate([row, [0.0, 1.0]])
            parts = np.zeros((2, self.size))
            for term in self.terms:
                term.add(z, 1.0, parts[int(term.imaginary)])
            values[:, k] = parts[0] + 1j * parts[1]
        return values
