r"""Two-time correlations by the quantum regression theorem, on block density matrices.

.. math:: \langle A(t+\tau) B(t)\rangle = \mathrm{Tr}[A\, e^{\mathcal L\tau} (B\rho(t))]

Block density matrices are stored by their lower half, so :math:`B\rho` is written as a sum of
Hermitian matrices: with :math:`B = B_1 + iB_2`, each :math:`B_k\rho = S_k - iR_k` with
:math:`S_k = \{B_k, \rho\}/2` and :math:`R_k = i[B_k, \rho]/2`. The S alone give the symmetrised
correlation :math:`\langle\{A(t+\tau), B(t)\}\rangle/2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from . import blocks, steady
from .cutoffs import Cutoffs, edge_stats, guess_cutoffs
from .ladder import Site
from .memory import MEMORY, TooLarge

Array = NDArray[np.float64]


@dataclass
class Regression:
    """Correlations over tau, shape (T,), and the averages of A(t + tau) and B(t)."""

    symmetric: NDArray[np.complex128]
    plain: NDArray[np.complex128]
    mean_a: NDArray[np.complex128]
    mean_b: complex
    stats: dict[str, Any]


def correlation(
    model: Model,
    A: Op,
    B: Op,
    taus: Array,
    t: float | None,
    *,
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> Regression:
    """Correlations of A at t + tau with B at t.

    Args:
        model: the master equation; its initial state holds at time 0.
        A, B: operators without time coefficients.
        taus: delays, ascending from 0 or later.
        t: time of B; None takes the steady state, which must be unique.
        rtol: tolerance of the integrator.
        memory: limit in bytes.

    Raises:
        TooLarge: the density matrix, with all coherences that B makes, does not fit into memory.
        NotUnique: the steady state is not unique.
    """
    hermitian = {"1": (B + B.dag()) / 2, "2": (B - B.dag()) / 2j}
    ops = {"A": A, "B": B}
    system, y, facts = state(model, ops, t, float(taus[-1]), rtol, memory)
    start = 0.0 if t is None else t
    times = start + np.concatenate([[0.0], taus]) if taus[0] > 0 else start + taus
    skip = times.size - taus.size

    after = _After(system, model, A, times, skip, rtol, memory)
    symmetric, response = np.zeros((2, taus.size), complex)
    for factor, part in ((1, hermitian["1"]), (1j, hermitian["2"])):
        if part.is_zero():
            continue
        code, value = elements(system, part, y)
        symmetric += factor * after(*_lower(system, code, value / 2))
        response += factor * after(*_lower(system, code, 0.5j * value))
    mean_a = after(system.components, y)
    W = system.functionals.values((system.functionals.W @ y)[None, :], np.array([start]), 2)
    return Regression(symmetric, symmetric - 1j * response, mean_a, complex(W[1, 0]), facts)


class _After:
    """Tr(X e^{L tau} sigma) at the delays, for Hermitian sigma."""

    def __init__(
        self,
        system: blocks.BlockSystem,
        model: Model,
        X: Op,
        times: Array,
        skip: int,
        rtol: float,
        memory: float,
    ):
        sites = system.basis.sites
        self.cutoffs: Cutoffs = {(s.sub, s.m): s.dim for s in sites if s.kind == "mode"}
        self.model, self.ops, self.times, self.skip = model, {"X": X}, times, skip
        self.rtol, self.memory = rtol, memory

    def __call__(self, components: NDArray[np.int64], values: Array) -> NDArray[np.complex128]:
        nothing = np.zeros(self.times.size - self.skip, complex)
        if not components.size:
            return nothing
        start = components, values
        other = blocks.BlockSystem(self.model, self.ops, self.cutoffs, self.memory, start)
        other.restrict()
        if not other.functionals.W.nnz:  # nothing that X sees is ever reached
            return nothing
        numbers, _, _ = blocks.evolve(other, self.times, self.rtol, early=False)
        return np.asarray(other.functionals.values(numbers, self.times, 1)[0, self.skip :])


def time_ordered(
    model: Model,
    ops: tuple[Op, Op, Op, Op],
    taus: Array,
    t: float | None,
    *,
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> tuple[NDArray[np.complex128], dict[str, Any]]:
    r"""Time-ordered correlations of four operators, and facts about the run.

    .. math:: \langle A(t) B(t+\tau) C(t+\tau) D(t)\rangle
       = \mathrm{Tr}[BC\, e^{\mathcal L\tau}(D\rho(t)A)], \qquad
       D\rho A = \tfrac14\sum_{k=0}^3 i^k F_k\rho F_k^\dagger, \quad F_k = D + i^k A^\dagger

    (one term, :math:`D\rho D^\dagger`, where :math:`A = D^\dagger`).

    Args:
        model: the master equation; its initial state holds at time 0.
        ops: A, B, C, D, without time coefficients.
        taus: delays, ascending from 0 or later.
        t: time of A and D; None takes the steady state, which must be unique.
        rtol: tolerance of the integrator.
        memory: limit in bytes.

    Raises:
        TooLarge: the density matrix does not fit into memory.
        NotUnique: the steady state is not unique.
    """
    A, B, C, D = ops
    X = B * C
    names = {"A": A, "X": X, "D": D, "DD": D.dag() * D, "AA": A * A.dag()}
    system, y, facts = state(model, names, t, float(taus[-1]), rtol, memory)
    start = 0.0 if t is None else t
    times = start + np.concatenate([[0.0], taus]) if taus[0] > 0 else start + taus
    after = _After(system, model, X, times, times.size - taus.size, rtol, memory)
    rho = full(system, y)
    parts = [(1.0 + 0j, D)]
    if A.dag() != D:
        parts = [(1j**k / 4, D + 1j**k * A.dag()) for k in range(4)]
    total = np.zeros(taus.size, complex)
    for weight, F in parts:
        if F.is_zero():
            continue
        right = adjoint(system, *applied(system, F, *rho))
        code, value = applied(system, F, *right)
        total += weight * after(*_lower(system, code, value / 2))
    return total, facts


def state(
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
            if not more["unique"]:
                raise steady.NotUnique("The steady state is not unique; give a time `t`.")
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


Elements = tuple[NDArray[np.int64], NDArray[np.complex128]]


def elements(system: blocks.BlockSystem, op: Op, y: Array) -> Elements:
    """Codes and values of the elements of op rho, both halves."""
    return applied(system, op, *full(system, y))


def full(system: blocks.BlockSystem, y: Array) -> Elements:
    """Codes and values of the elements of rho, both halves."""
    kets = system.terms.kets
    code = system.components >> 1
    value = y * np.where(system.components & 1, 1j, 1.0)
    off = code % kets != code // kets % kets
    return (
        np.concatenate([code, _swapped(system, code[off])]),
        np.concatenate([value, value[off].conj()]),
    )


def _swapped(system: blocks.BlockSystem, code: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes with row and column exchanged."""
    kets = system.terms.kets
    col, row, block = code % kets, code // kets % kets, code // kets**2
    return np.asarray((block * kets + col) * kets + row)


def adjoint(
    system: blocks.BlockSystem, code: NDArray[np.int64], value: NDArray[np.complex128]
) -> Elements:
    """Codes and values of X^+, from those of X."""
    return _swapped(system, code), value.conj()


def applied(
    system: blocks.BlockSystem, op: Op, code: NDArray[np.int64], value: NDArray[np.complex128]
) -> Elements:
    """Codes and values of op X, from those of X; a code may appear several times."""
    terms, basis = system.terms, system.basis
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


def _lower(
    system: blocks.BlockSystem, code: NDArray[np.int64], value: NDArray[np.complex128]
) -> tuple[NDArray[np.int64], Array]:
    """Components of X + X^+ for X given by codes and values."""
    kets = system.terms.kets
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
