"""Density matrices at a time and products with them, in occupation numbers of |a><b|."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.operators import Op
from . import chain, occupations, runs
from .boxes import Elements, Rows, joined
from .chain import Codes, Complex
from .occupations import Occupations, Times, Words
from .solution import TooLarge, refuse

Array = NDArray[np.float64]


@dataclass
class Functions:
    """A superoperator: functions of ``boxes.Elements`` by products of time coefficients."""

    groups: dict[Times, list[Any]] = field(default_factory=dict)

    def add(self, times: Times, function: Any) -> None:
        """One more."""
        self.groups.setdefault(times, []).append(function)


class OccupationElements(chain.Elements):
    """The code of an element is its number in the order in which elements are found.

    Args:
        parent: the equations of motion.
        fields: the operators K.
    """

    def __init__(self, parent: Occupations, fields: list[Op]):
        self.parent, self.memory, self.count = parent, parent.memory, len(fields)
        self.generator = Functions(parent.groups())
        self.left, self.right, self.jump = [], [], []
        for K in fields:
            left, right, jump = Functions(), Functions(), Functions()
            words = parent.words(K)
            for t, one in words.items():
                bar = tuple(c.conj() for c in t)
                left.add(t, partial(self._side, one, True))
                right.add(bar, partial(self._side, one.dag(), False))
                for t2, two in words.items():
                    both = (*t, *(c.conj() for c in t2))
                    jump.add(both, partial(self._both, one, two.dag()))
            self.left.append(left)
            self.right.append(right)
            self.jump.append(jump)
        self.rows: Rows = np.zeros((0, parent.space.first[-1]), np.int32)
        self._keys, self._found = np.zeros(0, np.uint64), np.zeros(0, np.int64)

    def _side(self, op: Words, left: bool, x: Elements) -> Elements:
        return self.parent.multiply(x, op, left)

    def _both(self, op: Words, dag: Words, x: Elements) -> Elements:
        return self.parent.multiply(self.parent.multiply(x, op, True), dag, False)

    def codes(self, rows: Rows) -> Codes:
        """The codes of elements, new ones for those that were not found before."""
        keys, first, inverse = np.unique(
            self.parent.space.keys(rows), return_index=True, return_inverse=True
        )
        new = np.flatnonzero(~np.isin(keys, self._keys, assume_unique=True))
        if new.size:
            self._keys = np.concatenate([self._keys, keys[new]])
            self._found = np.concatenate([self._found, len(self.rows) + np.arange(new.size)])
            order = np.argsort(self._keys)
            self._keys, self._found = self._keys[order], self._found[order]
            self.rows = np.concatenate([self.rows, rows[first[new]]])
        return np.asarray(self._found[np.searchsorted(self._keys, keys)][inverse])

    def images(self, terms: Functions, times: Times, codes: Codes) -> tuple[Codes, Codes, Complex]:
        x = Elements(np.arange(codes.size), self.rows[codes], np.ones(codes.size, complex))
        y = joined([function(x) for function in terms.groups[times]], x)
        return self.codes(y.rows), y.source, y.value

    def trace(self, codes: Codes) -> NDArray[np.float64]:
        return self.parent.space.trace(self.rows[codes])

    def too_large(self, need: float) -> TooLarge:
        what = "The elements that this model and its light reach need"
        return refuse(what, need, self.memory, "wf.TWA()")


class HeldOccupations:
    """The density matrix at time t; see :class:`.regression.Held`."""

    def __init__(self, system: occupations.System, y: Array, rtol: float):
        self.rtol, self.parent = rtol, system.parent
        value = system.spread @ y
        self.rho = Elements(np.arange(value.size), system.rows, value)

    def applied(self, op: Op, x: Elements) -> Elements:
        return self.parent.multiply(x, self.parent.words(op).get((), Words()), True)

    def adjoint(self, x: Elements) -> Elements:
        return Elements(x.source, self.parent.space.conjugate(x.rows), x.value.conj())

    def elements(self, fields: list[Op]) -> tuple[OccupationElements, Codes, Complex]:
        found = OccupationElements(self.parent, fields)
        return found, found.codes(self.rho.rows), self.rho.value

    def after(self, X: Op, x: Elements, factor: complex, times: Array) -> NDArray[np.complex128]:
        merged = self.parent.space.merged
        # once before, so that pairs are conjugate to the last bit
        x = merged(Elements(x.source, x.rows, factor * x.value))
        y = self.adjoint(x)
        both = [np.concatenate([a, b]) for a, b in zip(astuple(x), astuple(y), strict=True)]
        start = merged(Elements(*both))
        if not start.value.size:
            return np.zeros(times.size, complex)
        system = self.parent.walk(start)
        system.reads = occupations.readings(system, {"X": X})
        return runs.read(system, times, self.rtol)
