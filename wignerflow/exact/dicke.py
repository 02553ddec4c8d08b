r"""Permutation-invariant states of N two-level emitters in the :math:`|J, M\rangle` basis.

A permutation-invariant density operator is block diagonal in J = N/2, N/2 - 1, …, and

.. math:: \rho = \bigoplus_J \rho_J \otimes 1_{d_J} / d_J, \qquad \sum_J \mathrm{Tr}\, \rho_J = 1,

with :math:`d_J` the number of copies of the irreducible representation J. Only :math:`\rho_J` is
stored; its trace is the population of the whole sector. A one-emitter jump
:math:`l = c_+\sigma^+ + c_-\sigma^- + c_z\sigma^z` on every emitter then reads

.. math:: \sum_n l_n \rho\, l_n^\dagger \;\to\;
    \sum_{J' = J, J \pm 1} T_{J'J}(c)\, \rho_J\, T_{J'J}(c)^\dagger, \qquad
    T_{J'J}(c) = \sum_q c_q T^q_{J'J},

coherently in q: by the Wigner-Eckart theorem every emitter's :math:`\sigma^q` acts between two
sectors as one rank-one tensor on :math:`|J, M\rangle` times an operator on the copies, whose
weights add up to the one number under the square root in :func:`local_amplitude`.

Tables have shape (blocks, dimension): row j holds J = J_max - j, column i holds M = i - J_max, and
entries with abs(M) > J are zero.

Reference: Chase and Geremia, Phys. Rev. A 78, 052101 (2008).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: The spherical components of a one-emitter jump and the change of M each makes.
COMPONENTS = {"p": 1, "m": -1, "z": 0}


def quantum_numbers(j_max: float, blocks: int) -> tuple[Array, Array]:
    """J as a column, shape (blocks, 1), and M as a row, shape (1, 2 J_max + 1)."""
    dim = round(2 * j_max) + 1
    J = np.asarray(j_max - np.arange(blocks), np.float64)
    M = np.asarray(np.arange(dim) - j_max, np.float64)
    return J[:, None], M[None, :]


#: log Gamma of every element.
_log_gamma = np.vectorize(math.lgamma, otypes=[float])
FEW = 2000  # elements, of which this takes less time than to import SciPy's


def log_factorial(n: NDArray[Any] | float) -> Array:
    """log n!."""
    log_gamma = _log_gamma if np.size(n) < FEW else scipy.special.gammaln
    return np.asarray(log_gamma(np.asarray(n) + 1.0))


def log_power(x: float, n: NDArray[Any]) -> Array:
    """n log x for n >= 0, also of zero to the power of zero."""
    return np.asarray(n * math.log(x) if x > 0 else np.where(n == 0, 0.0, -np.inf), float)


def log_degeneracy(N: int, J: Array | float) -> Array:
    """log d_J, d_J = (2J + 1) / (N/2 + J + 1) * binomial(N, N/2 - J)."""
    J = np.asarray(J, float)
    log_binomial = log_factorial(N) - log_factorial(N / 2 - J) - log_factorial(N / 2 + J)
    return np.asarray(np.log((2 * J + 1) / (N / 2 + J + 1)) + log_binomial)


def local_amplitude(N: int, q: str, dj: int, J: Array, M: Array) -> Array:
    r"""Matrix element of :math:`T^q` from :math:`|J, M\rangle` to :math:`|J + dj, M + q\rangle`.

    The sum over emitters of :math:`\sigma^q \rho\, \sigma^{q'\dagger}` maps :math:`\rho_J` to
    :math:`T^q \rho_J T^{q'\dagger}` in each of the sectors J - 1, J, J + 1.

    Args:
        N: number of emitters.
        q: "p", "m" or "z" for :math:`\sigma^+, \sigma^-, \sigma^z`.
        dj: -1, 0 or 1.
        J, M: quantum numbers of the state before the jump, any shapes that broadcast.

    Returns:
        The amplitude, zero where abs(M) > J, where the target does not exist, and (for dj of 0 and
        -1) at J = 0.
    """
    J, M = np.broadcast_arrays(np.asarray(J, float), np.asarray(M, float))
    s = COMPONENTS[q]
    safe = np.where(J > 0, J, 1.0)
    if dj == 0:
        weight = (N / 2 + 1) / (2 * safe * (safe + 1))
        value = M * 1.0 if s == 0 else _root((J - s * M) * (J + s * M + 1))
    elif dj == -1:
        weight = (N / 2 + J + 1) / (2 * safe * (2 * J + 1))
        value = (
            s * np.sqrt(np.maximum((J - s * M) * (J - s * M - 1), 0)) if s else _root(J**2 - M**2)
        )
    else:
        weight = np.maximum(N / 2 - J, 0) / (2 * (J + 1) * (2 * J + 1))
        if s:
            value = -s * _root((J + s * M + 1) * (J + s * M + 2))
        else:
            value = _root((J + 1) ** 2 - M**2)
    inside = (np.abs(M) <= J) & (J >= 0) & ((J > 0) | (dj == 1)) & (np.abs(M + s) <= J + dj)
    return np.where(inside, (1 if s else 2) * np.sqrt(weight) * value, 0.0)


def _root(x: Array) -> Array:
    return np.asarray(np.sqrt(np.maximum(x, 0)))


def local_table(N: int, q: str, dj: int) -> Array:
    """:func:`local_amplitude` for every state of N emitters, shape (N // 2 + 1, N + 1)."""
    J, M = quantum_numbers(N / 2, N // 2 + 1)
    return local_amplitude(N, q, dj, J, M)


def rotation(J: float, theta: float, phi: float) -> NDArray[np.complex128]:
    r""":math:`e^{-i\phi J_z} e^{-i\theta J_y}` in the basis M = -J … J, shape (2J + 1, 2J + 1)."""
    dim = round(2 * J) + 1
    m = np.arange(dim) - J
    half = 0.5 * np.sqrt(np.maximum((J - m[:-1]) * (J + m[:-1] + 1), 0))
    if dim == 1:
        return np.ones((1, 1), complex)
    values, vectors = scipy.linalg.eigh_tridiagonal(np.zeros(dim), half)
    about_x = (vectors * np.exp(-1j * theta * values)) @ vectors.T
    turn = np.exp(-0.5j * np.pi * m)  # J_y = e^{-i pi/2 J_z} J_x e^{i pi/2 J_z}
    return np.asarray(np.exp(-1j * phi * m)[:, None] * (turn[:, None] * about_x * turn.conj()))


def coherent_state(J: float, theta: float, phi: float) -> NDArray[np.complex128]:
    r"""Spin coherent state, amplitudes for M = -J … J, shape (2J + 1,); theta from 0 to pi."""
    k = np.arange(round(2 * J) + 1)  # J + M
    log_binomial = (log_factorial(2 * J) - log_factorial(k) - log_factorial(2 * J - k)) / 2
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    size = np.exp(log_binomial + log_power(c, k) + log_power(s, 2 * J - k))
    return np.asarray(size * np.exp(-1j * phi * (k - J)))


def bloch_angles(vector: Array) -> tuple[float, float, float]:
    """Length, theta and phi of a Bloch vector; components below 1e-15 count as zero.

    A length within 1e-12 of one is one.
    """
    x, y, z = (float(v) if abs(v) > 1e-15 else 0.0 for v in vector)
    length = math.sqrt(x * x + y * y + z * z)
    return 1.0 if length > 1 - 1e-12 else length, math.atan2(math.hypot(x, y), z), math.atan2(y, x)


def product_populations(N: int, length: float) -> Array:
    r"""p(J, M) of :math:`\rho_1^{\otimes N}` along its own Bloch vector, shape (N // 2 + 1, N + 1).

    .. math:: p(J, M) = d_J \lambda_+^{N/2 + M} \lambda_-^{N/2 - M}, \qquad
        \lambda_\pm = (1 \pm |r|)/2.
    """
    J, M = quantum_numbers(N / 2, N // 2 + 1)
    plus, minus = (1 + length) / 2, max((1 - length) / 2, 0.0)
    log_p = log_degeneracy(N, J) + log_power(plus, N / 2 + M) + log_power(minus, N / 2 - M)
    p = np.exp(np.where(np.abs(M) <= J, log_p, -np.inf))
    return np.asarray(p / p.sum())


def product_blocks(N: int, vector: Array) -> dict[int, NDArray[np.complex128]]:
    r"""The blocks :math:`\rho_J` of a product state of N emitters with one Bloch vector.

    Returns:
        j -> matrix of shape (2J + 1, 2J + 1) in the basis M = -J … J, J = N/2 - j; blocks whose
        population is below 1e-18 are left out.
    """
    length, theta, phi = bloch_angles(vector)
    p = product_populations(N, length)
    out: dict[int, NDArray[np.complex128]] = {}
    for j in range(N // 2 + 1):
        J = N / 2 - j
        inner = p[j, j : N + 1 - j]
        if inner.sum() < 1e-18:
            continue
        if theta == 0.0 or length == 0.0:
            out[j] = np.diag(inner).astype(complex)
        elif theta == math.pi:
            out[j] = np.diag(inner[::-1]).astype(complex)
        elif j == 0 and length == 1.0:
            state = coherent_state(J, theta, phi)
            out[j] = np.outer(state, state.conj())
        else:
            turn = rotation(J, theta, phi)
            out[j] = (turn * inner) @ turn.conj().T
    return out
