"""PairProducts: many products of two weighted sums over an array, read as one operator."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from .. import _check
from .normal import MemberWord, Weights
from .op import Op
from .operators import ArrayOp, member_index

if TYPE_CHECKING:
    from .subsystems import Subsystem


class PairProducts(ArrayOp):
    r"""The P operators

    .. math:: C_k = \Big(\sum_m U_{km} A_m\Big)^\dagger \Big(\sum_{m'} V_{km'} A_{m'}\Big),

    on-site products (m = m') included and reduced by the operator algebra. It is read, not
    calculated with: an entry of ``e_ops``, an input of a derived observable, or ``C[k]``.
    Trajectory methods make the sums of all k in one loop; each costs as much as U and V have
    entries in row k.

    Args:
        op: array operator A of M members.
        left: U, dense or SciPy sparse, shape (P, M).
        right: V, likewise; None takes V = U, and every C_k is Hermitian.

    Raises:
        TypeError: ``op`` is not an array operator.
        ValueError: the shapes do not fit (both are named), or weights are not finite.
    """

    def __init__(self, op: ArrayOp, left: Any, right: Any = None):
        if not isinstance(op, ArrayOp) or isinstance(op, PairProducts):
            _check.fail("op", "be an array operator such as `chain.Jm`", op, kind=TypeError)
        self.op = op
        self.left = _rows("left", left, op.size)
        self.right = None if right is None else _rows("right", right, op.size)
        if self.right is not None and self.right.shape != self.left.shape:
            _check.fail(
                "right",
                f"have the shape of `left`, {self.left.shape}",
                _check.Note(f"a matrix of shape {self.right.shape}"),
            )
        self.size = int(self.left.shape[0])

    def is_hermitian(self, tolerance: float = 1e-12) -> bool:
        """Whether every product is Hermitian by construction."""
        return self.right is None

    @property
    def subsystems(self) -> set[Subsystem]:
        return self.op.subsystems

    @property
    def terms(self) -> Mapping[MemberWord, Weights]:  # type: ignore[override]
        """Not available: the products are no sums of words on one member each."""
        raise TypeError(
            "Products of sums over an array are read, not calculated with: take one of them, "
            "`products[k]`, for arithmetic."
        )

    @property
    def content(self) -> tuple[Any, ...]:
        """Hashable content: equal for equal products."""
        words = frozenset((word, (w + 0.0).tobytes()) for word, w in self.op.terms.items())
        return (type(self).__name__, self.op.size, words, self.weights_digest)

    def canonical(self) -> PairProducts:
        """The same products of the canonical operator."""
        out = copy.copy(self)
        out.op = self.op.canonical()
        return out

    @property
    def weights_digest(self) -> str:
        """A digest of U and V."""
        out = hashlib.sha256(repr(self.left.shape).encode())
        for matrix in (self.left, self.right):
            out.update(b"|")
            if matrix is not None:
                for part in (matrix.indptr, matrix.indices, np.round(matrix.data, 12) + 0.0):
                    out.update(np.ascontiguousarray(part).tobytes())
        return out.hexdigest()[:32]

    def __getitem__(self, k: int) -> Op:
        row = member_index("index", k, self.size, "the products")
        left = _sum(self.op, self.left[[row]])
        right = left if self.right is None else _sum(self.op, self.right[[row]])
        return left.dag() * right

    def dag(self) -> ArrayOp:
        """Hermitian adjoint of every product."""
        return self if self.right is None else PairProducts(self.op, self.right, self.left)

    def sum(self, axis: None = None, out: None = None) -> Op:
        """Sum of the products."""
        total = Op()
        for k in range(self.size):
            total = total + self[k]
        return total

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PairProducts) and self.content == other.content

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PairProducts({self.op!r}, {self.size} values)"


class FourierProducts(PairProducts):
    r"""The products :math:`F_k^\dagger F_k` with :math:`F_k = \sum_m e^{-i(p_0 + k\,\delta)m} A_m`.

    Momenta on a regular grid, which trajectory methods make by a fast transform; the weights are
    written out only where they are asked for.

    Args:
        op: array operator A.
        start, step: p_0 and delta.
        size: number of momenta.
    """

    def __init__(self, op: ArrayOp, start: float, step: float, size: int):
        self.op, self.start, self.step, self.size = op, float(start), float(step), int(size)
        self.right = None

    def _phases(self, k: Any) -> Any:
        return np.exp(-1j * np.outer(self.start + self.step * k, np.arange(self.op.size)))

    @cached_property
    def left(self) -> scipy.sparse.csr_matrix:  # type: ignore[override]
        """The phases, shape (P, M)."""
        return _rows("left", self._phases(np.arange(self.size)), self.op.size)

    @property
    def weights_digest(self) -> str:
        """A digest of the momenta."""
        return f"fourier {self.start:.12g} {self.step:.12g} {self.size}"

    def __getitem__(self, k: int) -> Op:
        row = member_index("index", k, self.size, "the products")
        F = (self._phases(np.array([row]))[0] * self.op).sum()
        return F.dag() * F


def _rows(argument: str, value: Any, members: int) -> scipy.sparse.csr_matrix:
    if _check.is_sparse(value):
        matrix = scipy.sparse.csr_matrix(value, dtype=complex)
    else:
        matrix = scipy.sparse.csr_matrix(
            np.atleast_2d(_check.numeric_array(argument, value, complex))
        )
    if matrix.shape[1] != members or matrix.shape[0] == 0:
        _check.fail(
            argument,
            f"have one column per array member, shape (P, {members})",
            _check.Note(f"a matrix of shape {matrix.shape}"),
        )
    if not np.all(np.isfinite(matrix.data)):
        _check.fail(argument, "be finite", value)
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix


def _sum(op: ArrayOp, row: scipy.sparse.csr_matrix) -> Op:
    """sum_m w_m A_m of one row of weights; few members one by one, so that no sum is made."""
    if row.nnz <= 1:
        out = Op()
        for m, w in zip(row.indices, row.data, strict=True):
            out = out + complex(w) * op[int(m)]
        return out
    return (row.toarray()[0] * op).sum()
