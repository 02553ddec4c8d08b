"""Coupling matrices K of ``wf.couple(A, K, B)``: dense, sparse, structured; without diagonal.

The diagonal of a dense or sparse K is split off by ``couple`` and reduced by the operator algebra,
so every coupling stored in an operator connects different members only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy

from ... import _check
from ..reading_values import missing, name_of, table
from .all_to_all import AllToAll
from .base import Complex, Coupling
from .matrix import Dense, Sparse
from .nearest import NearestNeighbour
from .power_law import PowerLaw
from .waveguide import Cascade, Waveguide

#: Every kind by its name in the plain form.
COUPLINGS: dict[str, type[Coupling]] = {
    c.kind: c
    for c in (
        NearestNeighbour,
        AllToAll,
        PowerLaw,
        Waveguide,
        Cascade,
        Dense,
        Sparse,
    )
}


def as_coupling(K: Any) -> tuple[Coupling, Complex | None]:
    """The coupling without its diagonal, and the diagonal (None where there is none)."""
    if isinstance(K, Coupling):
        return K, None
    if scipy.sparse.issparse(K):
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


def read_coupling(where: str, data: Any, size: int) -> Any:
    """What ``couple`` takes for a table of the plain form: structured, or a whole matrix."""
    if not isinstance(data, Mapping):
        _check.fail(where, "be a table with the key 'kind'", data, kind=TypeError)
    if "kind" not in data:
        missing(where, "kind", data, list(data))
    kind = COUPLINGS[name_of(f"{where}.kind", data["kind"], COUPLINGS, "a kind of coupling")]
    entry = table(where, data, ["kind", *kind.required], kind.optional)
    return kind.read(where, entry, size)
