"""Couplings by a general matrix, dense or sparse."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ... import _check
from ..reading_values import complex_plain, entry_complex, indices, reals, rows
from .base import Complex, Coupling, Writer


class Sparse(Coupling):
    """A general sparse K (zero diagonal), stored in CSR form."""

    kind = structure = "sparse"
    required: tuple[str, ...] = ("row", "col", "real")
    optional = ("imag",)

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
        return np.asarray(self.csr.toarray())

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x in O(nnz)."""
        return np.asarray((self.csr.real if self.real else self.csr) @ x)

    def row_sum(self, size: int) -> float:
        """sum_m' |K_mm'|, the largest."""
        return float(np.asarray(abs(self.csr).sum(axis=1)).max())

    def entries(self, size: int) -> int:
        return int(self.csr.nnz)

    def parts(self) -> list[tuple[complex, Coupling]]:
        """Real part, and i times imaginary part, where they are not zero."""
        if self.real:
            return [(1.0, self)] if self.csr.nnz else []
        both = ((1.0 + 0j, self.csr.real), (1j, self.csr.imag))
        parts = [(c, self._make(part.astype(complex))) for c, part in both]
        return [(c, part) for c, part in parts if part.csr.nnz]

    def transpose(self) -> Coupling:
        return self if self.symmetric else self._make(self.csr.T.tocsr())

    def conj(self) -> Coupling:
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
    def key(self) -> tuple[Any, ...]:  # type: ignore[override]
        digest = hashlib.sha256()
        indptr, indices = (a.astype(np.int64) for a in (self.csr.indptr, self.csr.indices))
        for part in (indptr, indices, self.csr.data + 0.0):
            digest.update(part.tobytes())
        return (self.kind, self.csr.shape, digest.hexdigest())

    def to_dict(self) -> dict[str, Any]:
        """Plain form: the entries of K that are not zero."""
        coo = self.csr.tocoo()
        places = {"row": coo.row.tolist(), "col": coo.col.tolist()}
        return {"kind": self.kind, **places, **complex_plain(coo.data)}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> Any:
        """From the plain form, diagonal included."""
        index = {key: indices(f"{where}.{key}", entry[key], size) for key in ("row", "col")}
        keys = [key for key in ("real", "imag") if key in entry]
        values = {key: reals(f"{where}.{key}", entry[key]) for key in keys}
        lengths = {key: len(v) for key, v in {**index, **values}.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{key} of {n}" for key, n in lengths.items())
            _check.fail(where, "have lists of equal length", listed)
        matrix = (entry_complex(values), (index["row"], index["col"]))
        return scipy.sparse.coo_matrix(matrix, shape=(size, size))

    def latex(self, writer: Writer, m: str, n: str) -> tuple[str, str]:
        """All pairs, with a symbol of its own."""
        return rf"{m} \neq {n}", f"{writer.symbol('K', self.key)}_{{{m} {n}}}\\,"

    def __repr__(self) -> str:
        rows, columns = self.csr.shape
        return f"{type(self).__name__}({rows}x{columns}, {self.csr.nnz} entries)"


class Dense(Sparse):
    """A general dense K (zero diagonal)."""

    kind = structure = "dense"
    required = ("real",)

    def to_dict(self) -> dict[str, Any]:
        """Plain form: the rows of K."""
        return {"kind": self.kind, **complex_plain(self.csr.toarray())}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> Any:
        parts = {k: rows(f"{where}.{k}", entry[k], size) for k in ("real", "imag") if k in entry}
        return np.asarray(entry_complex(parts))
