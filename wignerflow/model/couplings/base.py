"""What every coupling matrix K of ``wf.couple(A, K, B)`` answers for itself.

One class per kind, one file per class: its matrix and products, its bounds, how kernels make its
fields, its plain form and its text. All of it is asked for: what a kind leaves open it cannot be
made without.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ... import _check

Complex = NDArray[np.complex128]

#: How kernels make the field sum_m' K_mm' x_m': of the two neighbours; by running sums of cos and
#: sin of accumulated ``phases`` (symmetric and antisymmetric); of the entries or rows of a matrix.
STRUCTURES = ("nearest", "waveguide", "cascade", "sparse", "dense")


def check_ring(periodic: bool, size: int) -> None:
    """Raise for a ring of fewer than 3 members."""
    if periodic and size < 3:
        _check.fail(
            "K", "be open for fewer than 3 members", _check.Note(f"a periodic chain of {size}")
        )


class Writer(Protocol):
    """What LaTeX of a coupling is written with."""

    def number(self, c: complex) -> str:
        """A number."""

    def symbol(self, letter: str, identity: Any) -> str:
        """A numbered symbol, the same for the same thing."""


class Coupling(ABC):
    """Base of all couplings, matrices of zero diagonal.

    Attributes:
        kind: name in the plain form.
        required, optional: keys of the plain form beside ``kind``.
        structure: one of ``STRUCTURES``.
        symmetric, real: of K; couplings kept in operators are real, see ``parts``.
        sign: -1 where K is minus the coupling that the plain form describes.
    """

    kind: ClassVar[str]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    structure: ClassVar[str]
    symmetric = True
    real = True
    sign = 1.0

    @abstractmethod
    def matrix(self, size: int) -> Complex:
        """Dense K, shape (M, M)."""

    @abstractmethod
    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """K x for x of shape (M, ...), at the natural cost of the structure."""

    @abstractmethod
    def row_sum(self, size: int) -> float:
        """A bound on sum_m' |K_mm'| over all m."""

    @abstractmethod
    def entries(self, size: int) -> int:
        """How many entries of K are not zero, at most."""

    @abstractmethod
    def check(self, size: int) -> None:
        """Raise if the structure does not fit an array of ``size`` members."""

    @property
    @abstractmethod
    def key(self) -> tuple[Any, ...]:
        """Content key: equal for equal couplings, ordered among those of one kind."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain form."""

    @classmethod
    @abstractmethod
    def read(cls, where: str, entry: Mapping[str, Any], size: int) -> Any:
        """What ``couple`` takes for a table of the plain form whose keys are the known ones.

        Raises:
            ValueError, TypeError: a value is no such; ``where`` names its place.
        """

    @abstractmethod
    def latex(self, writer: Writer, m: str, n: str) -> tuple[str, str]:
        """What the sum over the indices m and n runs over, and K_mn (empty where it is one)."""

    @abstractmethod
    def __repr__(self) -> str: ...

    def sums(self, A: Any, B: Any) -> Any:
        """sum_mm' K_mm' A_m B_m' as sums over members, if that is shorter; or None."""
        return None

    def parts(self) -> list[tuple[complex, Coupling]]:
        """K as a sum of factor times real coupling."""
        assert self.real
        return [(1.0, self)]

    def transpose(self) -> Coupling:
        """K^T."""
        assert self.symmetric
        return self

    def conj(self) -> Coupling:
        """K^*."""
        assert self.real
        return self

    def __neg__(self) -> Coupling:
        raise NotImplementedError(f"{self!r} is not antisymmetric.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coupling) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)
