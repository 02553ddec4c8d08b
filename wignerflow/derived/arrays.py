"""Order along an array: structure factor, spatial coherence, correlation length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check
from ..model.operators import ArrayOp, Op, member_index
from ..model.products import FourierProducts, PairProducts
from .base import Derived, Means, as_array, divide


def _label(observable: Derived, op: ArrayOp) -> str:
    arrays = ", ".join(sorted(s.name for s in op.subsystems))
    return f"{type(observable).__name__}({arrays})"


def _fourier(op: ArrayOp, p: float) -> Op:
    """sum_mm' e^{ip(m-m')} A_m^+ A_m' as F^+ F with F = sum_m e^{-ipm} A_m."""
    F = (np.exp(-1j * p * np.arange(op.size)) * op).sum()
    return F.dag() * F


def _products(op: ArrayOp, momenta: NDArray[np.float64]) -> PairProducts:
    """F_p^+ F_p for every momentum; on a regular grid by a fast transform."""
    steps = np.diff(momenta)
    if steps.size and np.abs(steps - steps.mean()).max() <= 1e-12 * np.abs(momenta).max():
        return FourierProducts(op, momenta[0], float(steps.mean()), momenta.size)
    return PairProducts(op, np.exp(-1j * np.outer(momenta, np.arange(op.size))))


class StructureFactor(Derived):
    r"""Structure factor of an array of M members,

    .. math:: S(p) = \sum_{mm'} e^{ip(m-m')} \langle A_m^\dagger A_{m'}\rangle / n

    on-site terms included with their exact symbol. Each momentum costs O(M); on a regular grid all
    P of them together cost O((M + P) log(M + P)).

    Args:
        op: array operator A such as ``chain.Jm``.
        momenta: dimensionless momenta p, shape (P,); None takes the M multiples of 2 pi/M in
            (-pi, pi].
        normalise: None (n = 1, as in Ruks, Fig. 4(c)), "diagonal" (n = sum_m <A_m^+ A_m>, so that
            S = 1 without correlations) or a number.

    Raises:
        TypeError: ``op`` is not an array operator.
        ValueError: the momenta are not a finite one-dimensional array.
    """

    def __init__(self, op: ArrayOp, momenta: Any = None, normalise: Any = None):
        op = as_array("op", op)
        if momenta is None:
            momenta = 2 * np.pi / op.size * (np.arange(op.size) - (op.size - 1) // 2)
        self.configure(momenta, normalise)
        self._inputs = {"S": _products(op, self.momenta)}
        if self.normalise == "diagonal":
            self._inputs["diagonal"] = (op.dag() * op).sum()
        self._label = _label(self, op)

    def configure(self, momenta: Any, normalise: Any = None) -> None:  # type: ignore[override]
        self.momenta = _check.numeric_array("momenta", momenta, float)
        if self.momenta.ndim != 1 or self.momenta.size == 0:
            _check.fail("momenta", "be a one-dimensional array of momenta", momenta)
        self.normalise = normalise
        if isinstance(normalise, str):
            _check.one_of("normalise", normalise, ["diagonal"])
        elif normalise is not None:
            self.normalise = _check.positive("normalise", normalise)

    def axes(self) -> dict[str, NDArray]:
        return {"momentum": self.momenta}

    @property
    def linear(self) -> bool:
        return not isinstance(self.normalise, str)

    def evaluate(self, means: Means) -> NDArray:
        S = np.asarray(means["S"])
        if self.normalise == "diagonal":
            return divide(S, np.asarray(means["diagonal"])[..., None])
        return S if self.normalise is None else S / self.normalise


def _selection(members: NDArray[np.int64], size: int) -> scipy.sparse.csr_matrix:
    """Row k picks the k-th of ``members``."""
    one, rows = np.ones(members.size), np.arange(members.size)
    return scipy.sparse.csr_matrix((one, (rows, members)), shape=(members.size, size))


class Coherence(Derived):
    r"""First-order spatial coherence between members of an array (complex),

    .. math:: g^{(1)}(m, m') = \langle A_m^\dagger A_{m'}\rangle /
              \sqrt{\langle A_m^\dagger A_m\rangle \langle A_{m'}^\dagger A_{m'}\rangle}

    Args:
        op: array operator A such as ``chain.Jm``.
        reference: the member m to which all members m' are compared, shape (T, M).
        pairs: instead, a list of (m, m'), shape (T, len(pairs)).

    Raises:
        TypeError: ``op`` is not an array operator.
        IndexError: a member does not exist.
        ValueError: ``pairs`` is empty or no list of pairs.
    """

    def __init__(
        self, op: ArrayOp, reference: int = 0, *, pairs: Iterable[tuple[int, int]] | None = None
    ):
        op = as_array("op", op)
        if pairs is None:
            chosen = [(reference, m) for m in range(op.size)]
        else:
            chosen = [tuple(p) for p in pairs]  # type: ignore[misc]
            if not chosen or any(len(p) != 2 for p in chosen):
                _check.fail("pairs", "be a list of pairs (m, m')", pairs)
        argument = "reference" if pairs is None else "pairs"
        chosen = [
            tuple(member_index(argument, m, op.size, "the array") for m in p)  # type: ignore[misc]
            for p in chosen
        ]
        self.configure([list(p) for p in chosen], pairs is None)
        left, right = (_selection(self.pairs[:, side], op.size) for side in (0, 1))
        self._inputs = {"n": op.dag() * op, "c": PairProducts(op, left, right)}
        self._label = _label(self, op)

    def configure(self, pairs: Any, members: bool = False) -> None:  # type: ignore[override]
        raw = _check.numeric_array("pairs", pairs, float)
        if (
            raw.ndim != 2
            or raw.shape[1] != 2
            or len(raw) == 0
            or np.any(raw != np.round(raw))
            or np.any(raw < 0)
        ):
            _check.fail("pairs", "be a list of pairs (m, m')", pairs)
        self.pairs, self.members = raw.astype(np.int64), bool(members)

    def axes(self) -> dict[str, NDArray]:
        return {"member" if self.members else "pair": np.arange(len(self.pairs))}

    def evaluate(self, means: Means) -> NDArray:
        n = np.asarray(means["n"])
        c = np.asarray(means["c"], complex)
        with np.errstate(invalid="ignore"):
            norm = np.sqrt(n[..., self.pairs[:, 0]] * n[..., self.pairs[:, 1]])
        return divide(c, norm)


class CorrelationLength(Derived):
    r"""Second-moment correlation length along an array, in units of the distance of neighbours,

    .. math:: \xi = \frac{1}{2\sin(q/2)} \sqrt{\frac{S(p)}{[S(p+q)+S(p-q)]/2} - 1},
              \qquad q = 2\pi/M,

    with S the structure factor and p the momentum of the order. For correlations e^{-d/xi}, xi
    much larger than one and much smaller than M, it is xi; without correlations it is zero; NaN
    where S(p) is no local maximum.

    Args:
        op: array operator A such as ``chain.Jm``, M >= 2.
        momentum: p.

    Reference:
        Cooper, Freedman and Preston, Nucl. Phys. B 210, 210 (1982).
    """

    def __init__(self, op: ArrayOp, momentum: float = 0.0):
        op = as_array("op", op)
        p, q = _check.real("momentum", momentum), 2 * np.pi / op.size
        self.configure(op.size)
        self._inputs = {
            "centre": _fourier(op, p),
            "above": _fourier(op, p + q),
            "below": _fourier(op, p - q),
        }
        self._label = _label(self, op)

    def configure(self, size: Any) -> None:  # type: ignore[override]
        self.size = _check.integer("size", size, 2)

    def evaluate(self, means: Means) -> NDArray:
        ratio = divide(means["centre"], (means["above"] + means["below"]) / 2)
        with np.errstate(invalid="ignore"):
            return np.sqrt(ratio - 1) / (2 * np.sin(np.pi / self.size))
