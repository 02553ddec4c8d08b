"""States of modes in the basis of number states: the exact engines' own table.

A pure state gives its amplitudes, a mixture of number states its populations; a kind that is
missing here is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .. import _check

Numbers = NDArray[np.complex128]


def _coherent(alpha: complex, dim: int) -> Numbers:
    psi = np.ones(dim, complex)
    for k in range(1, dim):
        psi[k] = psi[k - 1] * alpha / np.sqrt(k)
    return psi * np.exp(-(abs(alpha) ** 2) / 2)


def _fock(n: complex, dim: int) -> Numbers:
    return (np.arange(dim) == round(n.real)).astype(complex)


def _thermal(n: complex, dim: int) -> Numbers:
    return ((n.real / (1 + n.real)) ** np.arange(dim) / (1 + n.real)).astype(complex)


def _squeezed(z: complex, dim: int) -> Numbers:
    # exp((z^* a^2 - z a^+2)/2) |0> = sum_n psi_2n |2n>
    psi, turn = np.zeros(dim, complex), np.exp(1j * np.angle(z)) * np.tanh(abs(z))
    psi[0] = np.cosh(abs(z)) ** -0.5
    for n in range(2, dim, 2):
        psi[n] = -psi[n - 2] * turn * np.sqrt((n - 1) / n)
    return psi


#: Amplitudes psi_n, (dim,), of pure states.
PURE: dict[str, Callable[[complex, int], Numbers]] = {
    "coherent": _coherent,
    "fock": _fock,
    "squeezed": _squeezed,
}
#: Populations p_n, (dim,), of mixtures of number states.
MIXED: dict[str, Callable[[complex, int], Numbers]] = {"thermal": _thermal}
#: Mean number, and how many numbers above it hold all but a little of the state.
SPREAD: dict[str, Callable[[complex], tuple[float, float]]] = {
    "coherent": lambda alpha: (abs(alpha) ** 2, 6 * abs(alpha)),
    "fock": lambda n: (n.real, 6 * n.real**0.5),
    "thermal": lambda n: (n.real, 20 * (n.real + 0.3)),
    "squeezed": lambda z: (np.sinh(abs(z)) ** 2, 40 * (np.sinh(abs(z)) ** 2 + 0.3)),
}
#: A number drawn from a mixture.
DRAWN: dict[str, Callable[[complex, np.random.Generator], int]] = {
    "thermal": lambda n, rng: int(rng.geometric(1 / (1 + n.real)) - 1),
}


def is_mixed(kind: str) -> bool:
    """Whether a state is no pure one."""
    if kind not in PURE and kind not in MIXED:
        must = "be of a kind that exact methods know (" + ", ".join([*PURE, *MIXED]) + ")"
        _check.fail("initial", must, kind)
    return kind in MIXED


def is_diagonal(kind: str, value: complex) -> bool:
    """Whether a state is a mixture of number states, or one."""
    return is_mixed(kind) or kind == "fock" or value == 0


def draw(kind: str, value: complex, rng: np.random.Generator) -> int:
    """A number from a mixture of number states, or the one of a number state."""
    if is_mixed(kind):
        return DRAWN[kind](value, rng)
    return round(value.real) if kind == "fock" else 0


def amplitudes(kind: str, value: complex, dim: int) -> Numbers:
    """psi_n of a pure state in the lowest ``dim`` number states, not normalised there."""
    return PURE[kind](value, dim)


def matrix(kind: str, value: complex, dim: int) -> Numbers:
    """Density matrix in the lowest ``dim`` number states, of trace one.

    Raises:
        ValueError: more than 1e-3 of the state lies above.
    """
    if is_mixed(kind):
        out = np.diag(MIXED[kind](value, dim))
    else:
        psi = amplitudes(kind, value, dim)
        out = np.outer(psi, psi.conj())
    weight = float(np.trace(out).real)
    if weight < 1 - 1e-3:
        _check.fail("cutoff", "hold the initial state", dim, f"Only {weight:.4f} of it fits.")
    return np.asarray(out / weight)
