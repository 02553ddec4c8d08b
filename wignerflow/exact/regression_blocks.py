"""Density matrices at a time and products with them, of block density matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.operators import Op
from . import blocks, runs
from .chain import BlockElements, Codes, Complex
from .cutoffs import Cutoffs
from .liouvillian import Terms

Array = NDArray[np.float64]
#: Codes and values of elements, both halves; a code may appear several times.
Elements = tuple[NDArray[np.int64], NDArray[np.complex128]]


class HeldBlocks:
    """The density matrix at time t; see :class:`.regression.Held`."""

    def __init__(self, system: blocks.BlockSystem, y: Array, rtol: float):
        self.system, self.rtol = system, rtol
        self.model, self.memory = system.base, system.memory
        self.cutoffs: Cutoffs = {s.place: s.dim for s in system.basis.sites if s.kind == "mode"}
        self.rho = self._full(y)

    def _full(self, y: Array) -> Elements:
        """Both halves of the matrix with components y."""
        code = self.system.components >> 1
        value = y * np.where(self.system.components & 1, 1j, 1.0)
        _, row, col = self.system.terms.split(code)
        off = row != col
        return (
            np.concatenate([code, self._swapped(code[off])]),
            np.concatenate([value, value[off].conj()]),
        )

    def _swapped(self, code: NDArray[np.int64]) -> NDArray[np.int64]:
        """Codes with row and column exchanged."""
        block, row, col = self.system.terms.split(code)
        return np.asarray(self.system.terms.join(block, col, row))

    def adjoint(self, x: Elements) -> Elements:
        code, value = x
        return self._swapped(code), value.conj()

    def applied(self, op: Op, x: Elements) -> Elements:
        code, value = x
        terms = Terms(self.system.basis)
        for word, c in self.system.basis.expand(op).get((), {}).items():
            terms.add((), c, word, ())
        codes, source, factors = terms.images((), code)
        return codes, value[source] * factors

    def elements(self, fields: list[Op]) -> tuple[BlockElements, Codes, Complex]:
        known, where = np.unique(self.rho[0], return_inverse=True)
        value = np.zeros(known.size, complex)
        np.add.at(value, where, self.rho[1])
        return BlockElements(self.model, self.system.basis, fields, self.memory), known, value

    def after(self, X: Op, x: Elements, factor: complex, times: Array) -> NDArray[np.complex128]:
        start = self._lower(x[0], factor * x[1])
        if not start[0].size:
            return np.zeros(times.size, complex)
        other = blocks.BlockSystem(self.model, {"X": X}, self.cutoffs, self.memory, start)
        other.restrict()
        if not other.reads.W.nnz:  # nothing that X sees is ever reached
            return np.zeros(times.size, complex)
        return runs.read(other, times, self.rtol)

    def _lower(
        self, code: NDArray[np.int64], value: NDArray[np.complex128]
    ) -> tuple[NDArray[np.int64], Array]:
        """Components of x + x^+ for x given by codes and values."""
        terms = self.system.terms
        block, row, col = terms.split(code)
        upper = row < col
        lower = terms.join(block, np.maximum(row, col), np.minimum(row, col))
        value = np.where(upper, value.conj(), value) * np.where(row == col, 2, 1)
        known, at = np.unique(lower, return_inverse=True)
        total = np.zeros(known.size, complex)
        np.add.at(total, at, value)
        _, row, col = terms.split(known)
        return blocks.parts(known, total, row != col, 1e-15 * np.abs(total).max(initial=0.0))
