"""Sparse maps of the boxes |a><b| of one emitter, and what they make of many elements at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray


@lru_cache(maxsize=256)
def from_side(A: bytes, kind: str, d: int, left: bool) -> scipy.sparse.csc_matrix:
    """A rho, or rho A, as a map of the entries of rho; all elements need the same few."""
    matrix, one = np.frombuffer(A, kind).reshape(d, d), np.eye(d)
    return sparse(np.kron(matrix, one) if left else np.kron(one, matrix.T))


def sparse(f: Any) -> scipy.sparse.csc_matrix:
    """A matrix by columns, without what is rounding."""
    out = scipy.sparse.csc_matrix(f)
    out.data[np.abs(out.data) <= 1e-15 * np.abs(out.data).max(initial=0.0)] = 0
    out.eliminate_zeros()
    return out


def columns_of(
    f: scipy.sparse.csc_matrix, columns: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
    """All entries of some columns: of the how-manieth column, their rows and values."""
    count = np.diff(f.indptr)[columns]
    source = np.repeat(np.arange(len(columns)), count)
    within = np.arange(source.size) - np.repeat(np.cumsum(count) - count, count)
    at = f.indptr[columns[source]] + within
    return source, f.indices[at], f.data[at]
