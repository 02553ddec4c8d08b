"""Coupling matrices K of ``wf.couple(A, K, B)``: dense, sparse, structured; without diagonal.

The diagonal of a dense or sparse K is split off by ``couple`` and reduced by the operator algebra,
so every coupling stored in an operator connects different members only.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check

Complex = NDArray[np.complex128]


class Coupling:
    """Base of all coupling structures; ``matrix(M)`` is the dense equivalent (zero diagonal)."""

    kind = ""
    symmetric = True
    real = True
    sign = 1.0

    def matrix(self, size: int) -> Complex:
        """Dense K, shape (M, M)."""
        raise NotImplementedError

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x for x of shape (M, ...), at the natural cost of the structure."""
        return np.asarray(self.matrix(x.shape[0]) @ x)

    def parts(self) -> list[tuple[complex, Coupling]]:
        """K as a sum of factor times real coupling."""
        return [(1.0, self)]

    def transpose(self) -> Coupling:
        """K^T."""
        return self

    def conj(self) -> Coupling:
        """K^*."""
        return self

    def __neg__(self) -> Coupling:
        raise NotImplementedError

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
        if not isinstance(periodic, (bool, np.bool_)):
            _check.fail("periodic", "be True or False", periodic, kind=TypeError)
        self.periodic = bool(periodic)

    def matrix(self, size: int) -> Complex:
        """Dense K, shape (M, M)."""
        out = np.zeros((size, size), complex)
        m = np.arange(size - 1)
        out[m, m + 1] = out[m + 1, m] = 1
        if self.periodic:
            out[0, -1] = out[-1, 0] = 1
        return out

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(M)."""
        out = np.zeros_like(x)
        out[1:] = x[:-1]
        out[:-1] += x[1:]
        if self.periodic:
            out[0] += x[-1]
            out[-1] += x[0]
        return out

    def check(self, size: int) -> None:
        """Raise for a ring of fewer than 3 members."""
        if self.periodic and size < 3:
            _check.fail(
                "K", "be open for fewer than 3 members", _check.Note(f"a periodic chain of {size}")
            )

    @property
    def key(self) -> tuple[Any, ...]:
        """Content key."""
        return (self.kind, self.periodic)

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        return {"kind": self.kind, "periodic": self.periodic}

    def __repr__(self) -> str:
        return f"NearestNeighbour(periodic={self.periodic})"


class AllToAll(Coupling):
    """K_mm' = 1 for m != m'."""

    kind = "all"

    def matrix(self, size: int) -> Complex:
        """Dense K, shape (M, M)."""
        return np.ones((size, size), complex) - np.eye(size, dtype=complex)

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(M)."""
        return np.asarray(x.sum(axis=0) - x)


class _Phased(Coupling):
    """A coupling along a line on which member m sits at the accumulated phase theta_m."""

    def __init__(self, phi: Any):
        p = _check.numeric_array("phi", phi, float)
        if p.ndim > 1:
            _check.fail("phi", "be a number or a one-dimensional array of phases", phi)
        if p.ndim == 1 and np.any(np.diff(p) < 0):
            m = int(np.argmax(np.diff(p) < 0))
            _check.fail(
                "phi",
                "ascend when given as accumulated phases",
                _check.Note(f"{p[m]:g} at member {m} and {p[m + 1]:g} at member {m + 1}"),
                "Number the members by their position.",
            )
        self.phi = np.asarray(p + 0.0)
        self.phi.flags.writeable = False

    def phases(self, size: int) -> NDArray[np.float64]:
        """Accumulated phases theta_m, shape (M,)."""
        return np.asarray(self.phi * np.arange(size) if self.phi.ndim == 0 else self.phi, float)

    def _running(self, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """sum_{m' < m} and sum_{m' > m} of exp(i |theta_m - theta_m'|) x_m', for real x."""
        theta = self.phases(x.shape[0]).reshape(-1, *(1,) * (x.ndim - 1))
        forward, back = np.exp(1j * theta), np.exp(-1j * theta)
        below = forward * (np.cumsum(back * x, axis=0) - back * x)
        above = back * (np.cumsum((forward * x)[::-1], axis=0)[::-1] - forward * x)
        return below, above

    def check(self, size: int) -> None:
        """Raise if accumulated phases are not as many as members."""
        if self.phi.ndim == 1 and self.phi.size != size:
            _check.fail(
                "phi",
                f"have one phase per member, shape ({size},)",
                _check.Note(f"an array of shape {self.phi.shape}"),
            )

    @property
    def key(self) -> tuple[Any, ...]:
        """Content key."""
        return (self.kind, self.sign, self.phi.shape, self.phi.tobytes())

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        return {"kind": self.kind, "phi": self.phi.tolist()}

    def _phi_text(self) -> str:
        return f"{self.phi.tolist()}" if self.phi.size <= 4 else f"{self.phi.size} phases"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._phi_text()})"


class Waveguide(_Phased):
    r"""The coherent part of a one-dimensional waveguide, optionally chiral.

    With the phase :math:`\Delta = \theta_m - \theta_{m'}` and the sign s of :math:`m - m'`,

    .. math:: K_{mm'} = \tfrac{s}{2}(\sin\Delta + i\chi\cos\Delta) ,

    so that for equal distances K is :math:`\sin(\varphi|m - m'|)/2` plus the chiral part.

    ``couple(chain.Jp, Waveguide(phi, chirality), chain.Jm)`` times the rate Gamma is the coherent
    coupling that belongs to the jumps :math:`\sum_m e^{+i\theta_m}J^-_m` of plain rate
    :math:`(1+\chi)\Gamma/2` and :math:`\sum_m e^{-i\theta_m}J^-_m` of plain rate
    :math:`(1-\chi)\Gamma/2`; :func:`wignerflow.waveguide` builds all three. The second term is not
    symmetric, so the order of the operators (raising first) matters where the chirality is not
    zero.

    Args:
        phi: phase between neighbours (radians), or the M accumulated phases :math:`\theta_m` of
            members at arbitrary, ascending positions.
        chirality: :math:`\chi` between -1 and 1; at +1 and -1 the members form a cascade.
    """

    kind = "waveguide"

    def __init__(self, phi: Any, chirality: float = 0.0):
        super().__init__(phi)
        self.chirality = _check.real("chirality", chirality) + 0.0
        if abs(self.chirality) > 1:
            _check.fail("chirality", "lie between -1 and 1", chirality)
        self.real = self.symmetric = self.chirality == 0

    def matrix(self, size: int) -> Complex:
        """Dense K, shape (M, M)."""
        theta = self.phases(size)
        ahead = np.maximum.outer(np.arange(size), np.arange(size))
        behind = np.minimum.outer(np.arange(size), np.arange(size))
        out = (np.sin(theta[ahead] - theta[behind]) / 2).astype(complex)
        if self.chirality:
            out += 1j * self.chirality * Cascade(self.phi).matrix(size)
        return out

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(M)."""
        if np.iscomplexobj(x):
            return np.asarray(self.apply(x.real) + 1j * self.apply(x.imag))
        below, above = self._running(x)
        out = (below.imag + above.imag) / 2
        return out + 1j * self.chirality * (below.real - above.real) / 2 if self.chirality else out

    def parts(self) -> list[tuple[complex, Coupling]]:
        """The symmetric part, and i times the chirality times the antisymmetric one."""
        if not self.chirality:
            return [(1.0, self)]
        return [(1.0, Waveguide(self.phi)), (1j * self.chirality, Cascade(self.phi))]

    def transpose(self) -> Coupling:
        """K^T: the chirality changes sign."""
        return Waveguide(self.phi, -self.chirality) if self.chirality else self

    def conj(self) -> Coupling:
        """K^*: the chirality changes sign."""
        return self.transpose()

    @property
    def key(self) -> tuple[Any, ...]:
        """Content key."""
        return (*super().key, self.chirality)

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        return {**super().to_dict(), "chirality": self.chirality}

    def __repr__(self) -> str:
        chirality = f", chirality={self.chirality:g}" if self.chirality else ""
        return f"Waveguide({self._phi_text()}{chirality})"


class Cascade(_Phased):
    r"""The antisymmetric part of a chiral waveguide.

    .. math:: K_{mm'} = \tfrac12\,\mathrm{sign}(m - m')\cos(\theta_m - \theta_{m'})

    ``Waveguide(phi, chirality)`` is split into ``Waveguide(phi)`` and i times its chirality times
    this, since the couplings kept in operators are real.
    """

    kind = "cascade"
    symmetric = False

    def __init__(self, phi: Any, sign: float = 1.0):
        super().__init__(phi)
        self.sign = float(sign)

    def matrix(self, size: int) -> Complex:
        """Dense K, shape (M, M)."""
        theta, m = self.phases(size), np.arange(size)
        out = np.sign(m[:, None] - m[None, :]) * np.cos(theta[:, None] - theta[None, :]) / 2
        return (self.sign * out).astype(complex)

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(M)."""
        if np.iscomplexobj(x):
            return np.asarray(self.apply(x.real) + 1j * self.apply(x.imag))
        below, above = self._running(x)
        return np.asarray(self.sign * (below.real - above.real) / 2)

    def transpose(self) -> Coupling:
        """K^T = -K."""
        return -self

    def __neg__(self) -> Cascade:
        return Cascade(self.phi, -self.sign)

    def to_dict(self) -> dict[str, Any]:
        """Plain form; the sign is kept outside, in the coefficient of the term."""
        assert self.sign > 0
        return super().to_dict()


class Sparse(Coupling):
    """A general sparse K (zero diagonal), stored in CSR form."""

    kind = "sparse"

    def __init__(self, matrix: Any):
        coo = scipy.sparse.coo_matrix(matrix, dtype=complex)
        off = coo.row != coo.col
        m = scipy.sparse.csr_matrix((coo.data[off], (coo.row[off], coo.col[off])), shape=coo.shape)
        self._take(m)

    def _take(self, csr: Any) -> None:
        csr.sum_duplicates()
        csr.eliminate_zeros()
        csr.sort_indices()
        self.csr = csr
        self.real = not np.any(csr.data.imag)

    def _make(self, csr: Any) -> Sparse:
        """Another coupling of this class from a CSR matrix of zero diagonal."""
        new = type(self).__new__(type(self))
        new._take(csr)
        return new

    def scaled(self, u: Complex, v: Complex, symmetrise: bool = False) -> Sparse:
        """u_m K_mm' v_m', and the symmetric part of it where asked."""
        csr = self.csr.copy()
        csr.data = csr.data * np.repeat(u, np.diff(csr.indptr)) * v[csr.indices]
        return self._make((csr + csr.T).tocsr() / 2 if symmetrise else csr)

    @cached_property
    def largest(self) -> float:
        """Size of the largest entry."""
        return float(np.abs(self.csr.data).max()) if self.csr.nnz else 0.0

    @cached_property
    def symmetric(self) -> bool:  # type: ignore[override]
        """True if K equals its transpose exactly."""
        t = self.csr.T.tocsr()
        t.sort_indices()
        return bool(
            self.csr.shape[0] == self.csr.shape[1]
            and np.array_equal(self.csr.indptr, t.indptr)
            and np.array_equal(self.csr.indices, t.indices)
            and np.array_equal(self.csr.data, t.data)
        )

    def matrix(self, size: int) -> Complex:
        """Dense K, shape (M, M)."""
        return np.asarray(self.csr.toarray())

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(nnz)."""
        return np.asarray((self.csr.real if self.real else self.csr) @ x)

    def parts(self) -> list[tuple[complex, Coupling]]:
        """Real part, and i times imaginary part, where they are not zero."""
        if self.real:
            return [(1.0, self)] if self.csr.nnz else []
        both = ((1.0 + 0j, self.csr.real), (1j, self.csr.imag))
        parts = [(c, self._make(part.astype(complex))) for c, part in both]
        return [(c, part) for c, part in parts if part.csr.nnz]

    def transpose(self) -> Coupling:
        """K^T."""
        return self if self.symmetric else self._make(self.csr.T.tocsr())

    def conj(self) -> Coupling:
        """K^*."""
        return self if self.real else self._make(self.csr.conj())

    def check(self, size: int) -> None:
        """Raise if the shape is not (size, size)."""
        if self.csr.shape != (size, size):
            _check.fail(
                "K",
                f"have shape ({size}, {size}), one row and column per member",
                _check.Note(f"of shape {self.csr.shape}"),
            )

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """Content key."""
        digest = hashlib.sha256()
        indptr, indices = (a.astype(np.int64) for a in (self.csr.indptr, self.csr.indices))
        for part in (indptr, indices, self.csr.data + 0.0):
            digest.update(part.tobytes())
        return (self.kind, self.csr.shape, digest.hexdigest())

    def to_dict(self) -> dict[str, Any]:
        """Plain form: the entries of K that are not zero."""
        coo = self.csr.tocoo()
        out = {"kind": self.kind, "row": coo.row.tolist(), "col": coo.col.tolist()}
        out["real"] = (coo.data.real + 0.0).tolist()
        return out if self.real else {**out, "imag": (coo.data.imag + 0.0).tolist()}

    def __repr__(self) -> str:
        rows, columns = self.csr.shape
        return f"{type(self).__name__}({rows}x{columns}, {self.csr.nnz} entries)"


class Dense(Sparse):
    """A general dense K (zero diagonal)."""

    kind = "dense"

    def to_dict(self) -> dict[str, Any]:
        """Plain form: the rows of K."""
        K = self.csr.toarray() + 0.0
        out: dict[str, Any] = {"kind": self.kind, "real": K.real.tolist()}
        return out if self.real else {**out, "imag": K.imag.tolist()}


def as_coupling(K: Any) -> tuple[Coupling, Complex | None]:
    """The coupling without its diagonal, and the diagonal (None where there is none)."""
    if isinstance(K, Coupling):
        return K, None
    if _check.is_sparse(K):
        if K.ndim != 2 or K.shape[0] != K.shape[1]:
            _check.fail("K", "be square", _check.Note(f"a sparse array of shape {K.shape}"))
        csr = scipy.sparse.csr_matrix(K)
        _check.numeric_array("K", csr.data, complex)
        return Sparse(csr), np.asarray(csr.diagonal(), complex)
    matrix = _check.numeric_array("K", K, complex)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        _check.fail(
            "K",
            "be a square matrix, a SciPy sparse array or a structured coupling",
            _check.Note(f"an array of shape {matrix.shape}"),
        )
    return Dense(matrix), np.diagonal(matrix).copy()
