"""Density matrices at a time and products with them, of block density matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from . import blocks, steady
from .chain import BlockElements, Codes, Complex
from .cutoffs import Cutoffs, edge_stats, guess_cutoffs
from .ladder import Site
from .memory import TooLarge

Array = NDArray[np.float64]
#: Codes and values of elements, both halves; a code may appear several times.
Elements = tuple[NDArray[np.int64], NDArray[np.complex128]]


class HeldBlocks:
    """The density matrix at time t; see :class:`.regression.Held`.

    Args:
        model: the master equation; its initial state holds at time 0.
        ops: name -> operator.
        t: the time; None takes the steady state, which must be unique.
        delay: modes are wide enough until this much later.
        rtol: tolerance of the integrator.
        memory: limit in bytes.

    Raises:
        TooLarge: it does not fit into memory.
        NotUnique: the steady state is not unique.
    """

    def __init__(
        self,
        model: Model,
        ops: dict[str, Op],
        t: float | None,
        delay: float,
        rtol: float,
        memory: float,
    ):
        self.model, self.rtol, self.memory = model, rtol, memory
        self.system, y, self.facts = _state(model, ops, t, delay, rtol, memory)
        sites = self.system.basis.sites
        self.cutoffs: Cutoffs = {(s.sub, s.m): s.dim for s in sites if s.kind == "mode"}
        self.rho = self._full(y)
        functionals = self.system.functionals
        self.means = functionals.values(
            (functionals.W @ y)[None, :], np.array([t or 0.0]), len(ops)
        )[:, 0]

    def _full(self, y: Array) -> Elements:
        """Both halves of the matrix with components y."""
        kets = self.system.terms.kets
        code = self.system.components >> 1
        value = y * np.where(self.system.components & 1, 1j, 1.0)
        off = code % kets != code // kets % kets
        return (
            np.concatenate([code, self._swapped(code[off])]),
            np.concatenate([value, value[off].conj()]),
        )

    def _swapped(self, code: NDArray[np.int64]) -> NDArray[np.int64]:
        """Codes with row and column exchanged."""
        kets = self.system.terms.kets
        col, row, block = code % kets, code // kets % kets, code // kets**2
        return np.asarray((block * kets + col) * kets + row)

    def adjoint(self, x: Elements) -> Elements:
        """See ``Held``."""
        code, value = x
        return self._swapped(code), value.conj()

    def applied(self, op: Op, x: Elements) -> Elements:
        """See ``Held``."""
        code, value = x
        terms, basis = self.system.terms, self.system.basis
        col, row, block = code % terms.kets, code // terms.kets % terms.kets, code // terms.kets**2
        codes, values = [], []
        for word, c in basis.expand(op).get((), {}).items():
            amount = c * value
            for k, text in word:
                j = block // terms.block_strides[k] % terms.blocks[k]
                at = row // terms.strides[k] % terms.dims[k]
                amount = amount * basis.sites[k].table(text)[j, at]
            move = sum(q * terms.strides[k] for k, q in basis.shifts(word))
            hit = amount != 0
            codes.append(((block * terms.kets + row + move) * terms.kets + col)[hit])
            values.append(amount[hit])
        if not codes:
            return np.zeros(0, np.int64), np.zeros(0, complex)
        return np.concatenate(codes), np.concatenate(values)

    def elements(self, fields: list[Op]) -> tuple[BlockElements, Codes, Complex]:
        """See ``Held``."""
        known, where = np.unique(self.rho[0], return_inverse=True)
        value = np.zeros(known.size, complex)
        np.add.at(value, where, self.rho[1])
        return BlockElements(self.model, self.system.basis, fields, self.memory), known, value

    def after(self, X: Op, x: Elements, factor: complex, times: Array) -> NDArray[np.complex128]:
        """See ``Held``."""
        start = self._lower(x[0], factor * x[1])
        if not start[0].size:
            return np.zeros(times.size, complex)
        other = blocks.BlockSystem(self.model, {"X": X}, self.cutoffs, self.memory, start)
        other.restrict()
        if not other.functionals.W.nnz:  # nothing that X sees is ever reached
            return np.zeros(times.size, complex)
        numbers, _, _ = blocks.evolve(other, times, self.rtol, early=False)
        return np.asarray(other.functionals.values(numbers, times, 1)[0])

    def _lower(
        self, code: NDArray[np.int64], value: NDArray[np.complex128]
    ) -> tuple[NDArray[np.int64], Array]:
        """Components of x + x^+ for x given by codes and values."""
        kets = self.system.terms.kets
        col, row, block = code % kets, code // kets % kets, code // kets**2
        upper = row < col
        lower = (block * kets + np.maximum(row, col)) * kets + np.minimum(row, col)
        value = np.where(upper, value.conj(), value) * np.where(row == col, 2, 1)
        known, at = np.unique(lower, return_inverse=True)
        total = np.zeros(known.size, complex)
        np.add.at(total, at, value)
        diagonal = known % kets == known // kets % kets
        floor = 1e-15 * np.abs(total).max(initial=0.0)
        re = np.abs(total.real) > floor
        im = (np.abs(total.imag) > floor) & ~diagonal
        components = np.concatenate([2 * known[re], 2 * known[im] + 1])
        values = np.concatenate([total.real[re], total.imag[im]])
        order = np.argsort(components)
        return components[order], values[order]


def _state(
    model: Model, ops: dict[str, Op], t: float | None, delay: float, rtol: float, memory: float
) -> tuple[blocks.BlockSystem, Array, dict[str, Any]]:
    """The density matrix at t (None: steady), with modes wide enough until ``delay`` later."""
    cutoffs = guess_cutoffs(model)
    edges: list[tuple[Site, float]] = []
    times = np.linspace(0.0, t or 0.0, blocks.LOOKS)
    facts: dict[str, Any] = {"engine": "blocks"}
    while True:
        try:
            system = blocks.BlockSystem(model, ops, cutoffs, memory)
        except TooLarge as error:
            raise blocks.uncertified(error, edges) from None
        y = system.y
        if t is None:
            W = system.functionals.W
            trace = np.asarray(W[system.functionals.trace].todense()).ravel()
            fill = 45 * system.size ** (4 / 3)
            y, more = steady.null_state(system.generator(), trace, y, fill, memory)
            steady.require_unique(more)
            facts["residual"] = more["residual"]
            numbers = (W @ y)[None, :]
        elif t > 0:
            numbers, y, _ = blocks.evolve(system, times, rtol, early=bool(cutoffs))
        else:
            numbers = (system.functionals.W @ y)[None, :]
        if t is not None and delay > 0 and system.functionals.edges:
            system.y = y
            later = np.linspace(t, t + delay, blocks.LOOKS)
            more_numbers, _, _ = blocks.evolve(system, later, rtol, early=bool(cutoffs))
            numbers = np.concatenate([numbers, more_numbers])
        edges = blocks.edge_populations(system, numbers)
        if not blocks.widen(edges, cutoffs):
            break
    facts["components"] = system.size
    facts |= edge_stats(edges)
    return system, y, facts
