"""Single spins 1/2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .. import words
from .vector import Vector


class Spin(Vector):
    r"""One spin-1/2: Pauli ``sx sy sz`` and ladder ``sp sm``.

    :math:`\sigma^\pm = (\sigma^x \pm i\sigma^y)/2`, so ``sp`` takes ``wf.down`` to ``wf.up``.

    Args:
        name: label used in results and messages.
        count: None for one spin, M for an array of M.
    """

    kind = "spin"
    prefix, symbol = "s", r"\sigma"
    algebra = words.PAULI  # type: ignore[assignment]
    letters: ClassVar[dict[str, dict[str, complex]]] = {
        "sx": {"x": 1},
        "sy": {"y": 1},
        "sz": {"z": 1},
        "sp": {"x": 0.5, "y": 0.5j},
        "sm": {"x": 0.5, "y": -0.5j},
    }

    def __init__(self, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)

    def parameters(self) -> dict[str, Any]:
        """There are none."""
        return {}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        """From the plain form."""
        return {}
