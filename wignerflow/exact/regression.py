r"""Two-time correlations by the quantum regression theorem.

.. math:: \langle A(t+\tau) B(t)\rangle = \mathrm{Tr}[A\, e^{\mathcal L\tau} (B\rho(t))]

Engines hold Hermitian matrices by one half, so :math:`B\rho` is written as a sum of such: with
:math:`B = B_1 + iB_2`, each :math:`B_k\rho = S_k - iR_k` with
:math:`S_k = \{B_k, \rho\}/2` and :math:`R_k = i[B_k, \rho]/2`. The S alone give the symmetrised
correlation :math:`\langle\{A(t+\tau), B(t)\}\rangle/2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from . import blocks, occupations, runs
from .chain import Codes, Complex, Elements
from .regression_blocks import HeldBlocks
from .regression_occupations import HeldOccupations
from .solution import MEMORY

Array = NDArray[np.float64]


class Held(Protocol):
    """The density matrix at time t as an engine holds it, and matrices x that are made of it.

    Made of a system, what ``y`` of it is at t, and the tolerance of the integrator.

    Attributes:
        rho: the density matrix.
    """

    rho: Any

    def applied(self, op: Op, x: Any) -> Any:
        """The product op x."""

    def adjoint(self, x: Any) -> Any:
        """The Hermitian conjugate of x."""

    def after(self, X: Op, x: Any, factor: complex, times: Array) -> NDArray[np.complex128]:
        """Tr[X exp(L (t' - t)) (f x + h.c.)] at the times t', of which the first is t."""

    def elements(self, fields: list[Op]) -> tuple[Elements, Codes, Complex]:
        """Superoperators with the fields, and the codes (each once) and values of ``rho``."""


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
    engine: str = "blocks",
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> Regression:
    """Correlations of A at t + tau with B at t.

    Args:
        model: the master equation; its initial state holds at time 0.
        A, B: operators without time coefficients.
        taus: delays, ascending from 0 or later.
        t: time of B; None takes the steady state, which must be unique.
        engine: "occupations", or "blocks" for every other.
        rtol: tolerance of the integrator.
        memory: limit in bytes.

    Raises:
        TooLarge: the density matrix, with all coherences that B makes, does not fit into memory.
        NotUnique: the steady state is not unique.
    """
    ops = {"A": A, "B": B}
    held, means, facts = held_at(engine, model, ops, t, float(taus[-1]), rtol, memory)
    times, wanted = _later(t, taus)
    symmetric, response = np.zeros((2, taus.size), complex)
    for factor, part in ((1, (B + B.dag()) / 2), (1j, (B - B.dag()) / 2j)):
        if part.is_zero():
            continue
        x = held.applied(part, held.rho)
        symmetric += factor * held.after(A, x, 0.5, times)[wanted]
        response += factor * held.after(A, x, 0.5j, times)[wanted]
    mean_a = held.after(A, held.rho, 0.5, times)[wanted]
    plain = symmetric - 1j * response
    return Regression(symmetric, plain, mean_a, complex(means[1]), facts)


def time_ordered(
    model: Model,
    ops: tuple[Op, Op, Op, Op],
    taus: Array,
    t: float | None,
    *,
    engine: str = "blocks",
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> tuple[NDArray[np.complex128], dict[str, Any]]:
    r"""Time-ordered correlations of four operators, and facts about the run.

    .. math:: \langle A(t) B(t+\tau) C(t+\tau) D(t)\rangle
       = \mathrm{Tr}[BC\, e^{\mathcal L\tau}(D\rho(t)A)], \qquad
       D\rho A = \tfrac14\sum_{k=0}^3 i^k F_k\rho F_k^\dagger, \quad F_k = D + i^k A^\dagger

    (one term, :math:`D\rho D^\dagger`, where :math:`A = D^\dagger`).

    Args:
        ops: A, B, C, D, without time coefficients; t is the time of A and D.
        model, taus, t, engine, rtol, memory: as for :func:`correlation`.

    Raises:
        TooLarge: the density matrix does not fit into memory.
        NotUnique: the steady state is not unique.
    """
    A, B, C, D = ops
    X = B * C
    names = {"A": A, "X": X, "D": D, "DD": D.dag() * D, "AA": A * A.dag()}
    held, _, facts = held_at(engine, model, names, t, float(taus[-1]), rtol, memory)
    times, wanted = _later(t, taus)
    parts = [(1.0 + 0j, D)]
    if A.dag() != D:
        parts = [(1j**k / 4, D + 1j**k * A.dag()) for k in range(4)]
    total = np.zeros(taus.size, complex)
    for weight, F in parts:
        if F.is_zero():
            continue
        right = held.adjoint(held.applied(F, held.rho))
        total += weight * held.after(X, held.applied(F, right), 0.5, times)[wanted]
    return total, facts


def held_at(
    engine: str,
    model: Model,
    ops: dict[str, Op],
    t: float | None,
    delay: float,
    rtol: float,
    memory: float,
) -> tuple[Held, NDArray[np.complex128], dict[str, Any]]:
    """The density matrix at t (None: steady, and unique), means of ``ops`` there, and facts.

    ``engine``: "occupations", or all others as blocks; modes are wide enough until ``delay`` later.
    """
    own: tuple[Any, Any] = (occupations.build, HeldOccupations)
    build, kind = own if engine == "occupations" else (blocks.BlockSystem, HeldBlocks)
    build = partial(build, memory=memory)
    system, y, means, facts = runs.held(build, model, ops, t, delay, rtol, memory)
    return kind(system, y, rtol), means, facts


def _later(t: float | None, taus: Array) -> tuple[Array, slice]:
    """Times from t on, and which of them are asked for."""
    skip = 1 if taus[0] > 0 else 0
    return (t or 0.0) + np.concatenate([np.zeros(skip), taus]), slice(skip, None)
