"""Ratios of means of any operators: second-order coherence, Fano factor, fractions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .base import Means, Operator, PerMember, as_operator, divide, member_axis


class g2(PerMember):
    r"""Equal-time second-order coherence of an operator such as ``mode.a`` or ``atoms.Jm``:

    .. math:: g^{(2)}(0) = \langle A^\dagger A^\dagger A A\rangle / \langle A^\dagger A\rangle^2

    One for coherent, two for thermal light.

    Args:
        op: an operator, or an array operator for one value per member.
    """

    def __init__(self, op: Operator):
        op = as_operator("op", op)
        self.configure(member_axis(op))
        n = op.dag() * op  # type: ignore[operator]
        self._inputs = {"n": n, "nn": op.dag() * n * op}
        self._op = op

    @property
    def label(self) -> str:
        return f"g2({self._op!r})" if self._inputs else "g2"

    def evaluate(self, means: Means) -> NDArray:
        return divide(means["nn"], np.square(means["n"]))


class Fano(PerMember):
    r"""Fano factor of a Hermitian operator such as ``mode.n``:

    .. math:: F = (\langle A^2\rangle - \langle A\rangle^2) / \langle A\rangle

    Args:
        op: a Hermitian operator, or array operator for one value per member.

    Raises:
        ValueError: ``op`` is not Hermitian.
    """

    def __init__(self, op: Operator):
        op = as_operator("op", op)
        if not op.is_hermitian():
            _check.fail("op", "be Hermitian, such as mode.n", op)
        self.configure(member_axis(op))
        self._inputs = {"n": op, "nn": op * op}  # type: ignore[operator]

    @property
    def label(self) -> str:
        return f"Fano({self._inputs['n']!r})" if self._inputs else "Fano"

    def evaluate(self, means: Means) -> NDArray:
        return divide(means["nn"] - np.square(means["n"]), means["n"])


class Ratio(PerMember):
    r"""The ratio of two means, :math:`\langle A\rangle / \langle B\rangle`.

    The error is that of the ratio: correlations between A and B are accounted for.

    Args:
        A, B: operators; an array operator in either place gives one value per member.

    Raises:
        TypeError: A or B is not an operator.
        ValueError: both are array operators, of different sizes.
    """

    def __init__(self, A: Operator, B: Operator):
        self._inputs = {"A": as_operator("A", A), "B": as_operator("B", B)}
        self.configure(member_axis(A), member_axis(B))

    @property
    def label(self) -> str:
        return f"Ratio({self._inputs['A']!r}, {self._inputs['B']!r})" if self._inputs else "Ratio"

    def configure(self, A: Any = None, B: Any = None) -> None:  # type: ignore[override]
        self.A, self.B = (None if n is None else _check.integer("size", n, 1) for n in (A, B))
        known = {n for n in (self.A, self.B) if n is not None}
        if len(known) > 1:
            _check.fail("B", f"have as many members as A, {A}", f"an array operator of {B} members")
        self.size = known.pop() if known else None

    def evaluate(self, means: Means) -> NDArray:
        a, b = (
            np.asarray(means[k])[..., None] if self.size is not None and n is None else means[k]
            for k, n in (("A", self.A), ("B", self.B))
        )
        return divide(a, b)
