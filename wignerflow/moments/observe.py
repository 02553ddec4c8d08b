"""Expectation values of operators in terms of the moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.op import Op
from . import closure
from .clusters import operator, remaining
from .generator import families
from .program import Collector
from .variables import Array, Variables


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
