"""Products of time coefficients at one time, every coefficient read once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef

if TYPE_CHECKING:
    from .ladder import Times


class Factors:
    """Values of products, in their order; an empty one is one."""

    def __init__(self, products: Iterable[Times]):
        places: dict[Coef, int] = {}
        self._products = [[places.setdefault(c, len(places)) for c in p] for p in products]
        self._coefs = list(places)

    def __call__(self, t: float) -> list[complex]:
        values = [complex(c(t)) for c in self._coefs]
        return [math.prod((values[i] for i in p), start=1 + 0j) for p in self._products]


class RealFactors:
    """As :class:`Factors` for (product, whether its imaginary part counts): real numbers."""

    def __init__(self, groups: Sequence[tuple[Times, bool]]):
        self._factors = Factors(times for times, _ in groups)
        self._imaginary = np.array([imaginary for _, imaginary in groups], bool)

    def __call__(self, t: float) -> NDArray[np.float64]:
        values = np.array(self._factors(t), complex)
        return np.where(self._imaginary, values.imag, values.real)
