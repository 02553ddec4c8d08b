"""Coupling matrices K of ``wf.couple(A, K, B)``: dense, sparse and structured, all without diagonal.

The diagonal of a dense or sparse K is split off by ``couple`` and reduced by the operator algebra,
so every coupling stored in an operator connects different members only.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .. import _check


class Coupling:
    """Base of all coupling structures; ``matrix(M)`` is the dense equivalent (zero diagonal)."""

    kind = ""
    symmetric = True
    real = True

    def matrix(self, size: int) -> NDArray[np.complex128]:
        """Dense K, shape (M, M)."""
        raise NotImplementedError

    def transpose(self) -> Coupling:
        """K^T."""
        return self

    def conj(self) -> Coupling:
        """K^*."""
        return self

    @property
    def key(self) -> tuple[Any, ...]:
        """Content key."""
        return (self.kind,)

    def check(self, size: int) -> None:
        """Raise if the structure does not fit an array of ``size`` members."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coupling) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        return {"kind": self.kind}

    def __repr__(self) -> str:
        return type(self).__name__ + "()"


class NearestNeighbour(Coupling):
    """K_{m,m+1} = K_{m+1,m} = 1: both orders, so each bond appears twice in ``couple``.

    Args:
        periodic: also couple the last member to the first (needs M >= 3).
    """

    kind = "nearest"

    def __init__(self, periodic: bool = False):
        self.periodic = bool(periodic)

    def matrix(self, size: int) -> NDArray[np.complex128]:
        out = np.zeros((size, size), complex)
        m = np.arange(size - 1)
        out[m, m + 1] = out[m + 1, m] = 1
        if self.periodic:
            out[0, -1] = out[-1, 0] = 1
        return out

    def check(self, size: int) -> None:
        if self.periodic and size < 3:
            _check.fail("K", "be open for fewer than 3 members", f"a periodic chain of {size}")

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.kind, self.periodic)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "periodic": self.periodic}

    def __repr__(self) -> str:
        return f"NearestNeighbour(periodic={self.periodic})"


class AllToAll(Coupling):
    """K_mm' = 1 for m != m'."""

    kind = "all"

    def matrix(self, size: int) -> NDArray[np.complex128]:
        return np.ones((size, size), complex) - np.eye(size)


class Waveguide(Coupling):
    r"""K_mm' = sin(phi |m - m'|)/2, the coherent part of a one-dimensional waveguide.

    Args:
        phi: phase between neighbours (radians), or the M accumulated phases
            :math:`\theta_m` of members at arbitrary, ascending positions; then
            K_mm' = sin(|theta_m - theta_m'|)/2.
    """

    kind = "waveguide"

    def __init__(self, phi: Any):
        p = _check.numeric_array("phi", phi, float)
        if p.ndim > 1:
            _check.fail("phi", "be a number or a one-dimensional array of phases", phi)
        if p.ndim == 1 and np.any(np.diff(p) < 0):
            _check.fail("phi", "ascend when given as accumulated phases", phi)
        self.phi = p

    def phases(self, size: int) -> NDArray[np.float64]:
        """Accumulated phases theta_m, shape (M,)."""
        return np.asarray(self.phi * np.arange(size) if self.phi.ndim == 0 else self.phi, float)

    def matrix(self, size: int) -> NDArray[np.complex128]:
        theta = self.phases(size)
        return (np.sin(np.abs(theta[:, None] - theta[None, :])) / 2).astype(complex)

    def check(self, size: int) -> None:
        if self.phi.ndim == 1 and self.phi.size != size:
            _check.fail("phi", f"have one phase per member, shape ({size},)", f"an array of shape {self.phi.shape}")

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.kind, self.phi.shape, self.phi.tobytes())

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "phi": self.phi.tolist()}

    def __repr__(self) -> str:
        return f"Waveguide({self.phi.tolist() if self.phi.ndim == 0 else '...'})"


class Sparse(Coupling):
    """A general sparse K (zero diagonal), stored in CSR form."""

    kind = "sparse"

    def __init__(self, matrix: Any):
        m = sp.csr_matrix(matrix, dtype=complex)
        m.setdiag(0)
        m.eliminate_zeros()
        m.sum_duplicates()
        m.sort_indices()
        self.csr = m
        self.real = bool(np.all(m.data.imag == 0))
        self.symmetric = bool(m.shape[0] == m.shape[1] and (m != m.T).nnz == 0)

    def matrix(self, size: int) -> NDArray[np.complex128]:
        return np.asarray(self.csr.toarray())

    def transpose(self) -> Coupling:
        return type(self)(self.csr.T)

    def conj(self) -> Coupling:
        return self if self.real else type(self)(self.csr.conj())

    def check(self, size: int) -> None:
        if self.csr.shape != (size, size):
            _check.fail("K", f"have shape ({size}, {size}), one row and column per member", f"shape {self.csr.shape}")

    @property
    def key(self) -> tuple[Any, ...]:
        digest = hashlib.sha256()
        for part in (self.csr.indptr.astype(np.int64), self.csr.indices.astype(np.int64), self.csr.data):
            digest.update(part.tobytes())
        return (self.kind, self.csr.shape, digest.hexdigest())

    def to_dict(self) -> dict[str, Any]:
        coo = self.csr.tocoo()
        return {
            "kind": self.kind,
            "shape": list(coo.shape),
            "row": coo.row.tolist(),
            "col": coo.col.tolist(),
            "real": coo.data.real.tolist(),
            "imag": coo.data.imag.tolist(),
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.csr.shape[0]}x{self.csr.shape[1]}, {self.csr.nnz} entries)"


class Dense(Sparse):
    """A general dense K (zero diagonal)."""

    kind = "dense"


def _complex(data: dict[str, Any]) -> NDArray[np.complex128]:
    return np.asarray(data["real"], float) + 1j * np.asarray(data["imag"], float)


def coupling_from_dict(data: dict[str, Any]) -> Coupling:
    """Inverse of ``Coupling.to_dict``."""
    kind = data["kind"]
    if kind == "nearest":
        return NearestNeighbour(data["periodic"])
    if kind == "all":
        return AllToAll()
    if kind == "waveguide":
        return Waveguide(data["phi"])
    if kind in ("sparse", "dense"):
        matrix = sp.coo_matrix((_complex(data), (data["row"], data["col"])), shape=tuple(data["shape"]))
        return (Sparse if kind == "sparse" else Dense)(matrix)
    _check.one_of("kind", kind, ["nearest", "all", "waveguide", "sparse", "dense"])
    raise AssertionError


def as_coupling(K: Any) -> tuple[Coupling, NDArray[np.complex128] | None]:
    """The coupling without its diagonal, and the diagonal (None when zero)."""
    if isinstance(K, Coupling):
        return K, None
    if sp.issparse(K):
        if K.shape[0] != K.shape[1]:
            _check.fail("K", "be square", f"a sparse array of shape {K.shape}")
        data = _check.numeric_array("K", K.tocsr().data, complex)
        del data
        return Sparse(K), np.asarray(K.diagonal(), complex)
    matrix = _check.numeric_array("K", K, complex)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        _check.fail("K", "be a square matrix, a SciPy sparse array or a structured coupling", f"an array of shape {matrix.shape}")
    return Dense(matrix), np.diagonal(matrix).copy()
