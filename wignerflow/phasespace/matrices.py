r"""Emitters of d levels in phase space: a Hermitian matrix R of trace N, d^2 real variables.

The symbol of X(A) = sum_n A_n is Tr(R A). Variables, independent of d in their numbering: the shell
of level m holds Re R_km, Im R_km for k < m, then R_mm, so that the first m^2 belong to the first m
levels. With x_i the Hermitian matrices whose symbols they are, local channels with the Heisenberg
generator L give, exactly in first and second moments and for every N, in a step of length h

.. math:: v_j \to \sum_i \Phi_{ij} v_i + \text{noise}, \quad
   \mathrm{cov}_{ij} = \mathrm{Tr}\,R\,[\Phi(x_i\circ x_j) - \Phi(x_i)\circ\Phi(x_j)], \quad
   \Phi = e^{hL},

where o is half the anticommutator: tables that depend neither on N nor on R.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import scipy.sparse as sp

Real = NDArray[np.float64]
Matrix = NDArray[np.complex128]


def real_part(a: int, b: int) -> int:
    """Number of the variable Re R_ab (R_aa for equal levels)."""
    low, high = min(a, b), max(a, b)
    return high * high + 2 * low


def imaginary_part(a: int, b: int) -> int:
    """Number of the variable Im R_ab, a < b."""
    assert a < b
    return b * b + 2 * a + 1


@lru_cache
def units(d: int) -> tuple[Matrix, Matrix]:
    """(B, x): R = sum_i v_i B_i and v_i = Tr(R x_i), each (d^2, d, d)."""
    B, x = np.zeros((2, d * d, d, d), complex)
    for b in range(d):
        B[real_part(b, b), b, b] = x[real_part(b, b), b, b] = 1
        for a in range(b):
            r, i = real_part(a, b), imaginary_part(a, b)
            B[r, a, b] = B[r, b, a] = 1
            B[i, a, b], B[i, b, a] = 1j, -1j
            x[r, a, b] = x[r, b, a] = 0.5
            x[i, a, b], x[i, b, a] = 0.5j, -0.5j
    return B, x


def variables(A: Matrix) -> Real:
    """v_i = Tr(A x_i) of Hermitian matrices (..., d, d)."""
    return np.asarray(np.einsum("...ab,iba->...i", A, units(A.shape[-1])[1]).real)


def matrix(v: Real) -> Matrix:
    """The Hermitian matrices of variables (..., d^2)."""
    d = round(v.shape[-1] ** 0.5)
    return np.asarray(np.einsum("...i,iab->...ab", v, units(d)[0]))


@lru_cache
def symmetrised(d: int) -> Real:
    """S with x_i o x_j = sum_k S_ijk x_k, (d^2, d^2, d^2)."""
    B, x = units(d)
    product = np.einsum("iab,jbc->ijac", x, x)
    return np.asarray(np.einsum("ijac,kca->ijk", product, B).real)


@lru_cache
def brackets(d: int) -> Real:
    """{v_i, v_j} = sum_k c_ijk v_k, (d^2, d^2, d^2)."""
    B, x = units(d)
    product = np.einsum("iab,jbc->ijac", x, x)
    commutator = product - product.swapaxes(0, 1)
    return np.asarray(np.einsum("ijac,kca->ijk", -1j * commutator, B).real)


def generator(jump: Matrix) -> Real:
    """G with L(x_j) = sum_i G_ij x_i for one jump of rate one, Heisenberg picture."""
    B, x = units(len(jump))
    product = jump.conj().T @ jump
    image = jump.conj().T @ x @ jump - (product @ x + x @ product) / 2
    return np.asarray(np.einsum("jab,iba->ij", image, B).real)


def covariance(flow: Real) -> Real:
    """C of cov_ij = sum_m C_ijm v_m in steps with the map ``flow``, (..., d^2, d^2, d^2)."""
    S = symmetrised(round(flow.shape[-1] ** 0.5))
    before = np.einsum("...ai,...bj,abm->...ijm", flow, flow, S, optimize=True)
    return np.asarray(np.einsum("ijk,...mk->...ijm", S, flow, optimize=True) - before)


@lru_cache
def _symmetrised_rows(d: int) -> sp.csr_matrix:
    """The same, few of whose entries are not zero, as a matrix of (d^4, d^2)."""
    import scipy.sparse as sp

    return sp.csr_matrix(symmetrised(d).reshape(d**4, d**2))


def covariance_at(flow: Real, v: Real) -> Real:
    """The same at variables (..., d^2), without a table: (..., d^2, d^2)."""
    S, shape = _symmetrised_rows(round(len(flow) ** 0.5)), (*v.shape, len(flow))
    after, before = ((S @ u.reshape(-1, len(flow)).T).T.reshape(shape) for u in (v @ flow, v))
    return np.asarray(after - flow.T @ before @ flow)


def matrix_names(labels: tuple[str, ...], form: str) -> tuple[str, ...]:
    """Names of the variables, ``form`` taking the labels of row and column."""
    out = []
    for m, high in enumerate(labels):
        for low in labels[:m]:
            entry = form.format(low, high)
            out += [f"Re {entry}", f"Im {entry}"]
        out.append(form.format(high, high))
    return tuple(out)
