"""Differences of results, without what sampling makes of them, and over neighbouring times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNSEEN = 2.0  # sampling errors that are taken off a difference to what is not exact, in squares
LENT = 1 / 3  # of the largest error, stated at all times

Errors = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Found:
    """Estimated errors by name, and what they rest on.

    ``unsure``: names whose reference is not sure of itself: another one is asked for them.
    """

    errors: Errors
    basis: str
    unsure: frozenset[str] = frozenset()

    def settled(self, other: Found) -> Found:
        """This, with what another reference says of names that are unsure, or unknown, here."""
        ask = [
            n
            for n in sorted(self.unsure)
            if np.all(np.isfinite(other.errors[n]))
            and (n not in other.unsure or np.all(np.isnan(self.errors[n])))
        ]
        if not ask:
            return self
        basis = other.basis
        if len(ask) < len(self.errors):
            basis = f"{self.basis}; of {', '.join(ask)}: {other.basis}"
        errors = {n: other.errors[n] if n in ask else e for n, e in self.errors.items()}
        return Found(errors, basis, (self.unsure - set(ask)) | (other.unsure & set(ask)))


def distance(value: NDArray[Any], other: NDArray[Any], noise: NDArray[Any]) -> NDArray[np.float64]:
    """|value - other|, less ``noise`` in squares."""
    return np.sqrt(np.maximum(np.abs(value - other) ** 2 - noise**2, 0.0))


def apart(result: Any, other: Mapping[str, NDArray[Any]], unseen: float = 1.0) -> Errors:
    """|method - other| without what sampling makes of it, by name."""
    return {
        name: distance(value, other[name], unseen * np.abs(result.sem[name]))
        for name, value in result.expect.items()
    }


def widened(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Errors over time, lent to neighbouring outputs, and a third of the largest everywhere.

    Sizes and methods shift what happens in time, and an error passes through zero.
    """
    out = np.maximum(error, error.max(axis=0, initial=0.0) * LENT)
    out[1:], out[:-1] = np.maximum(out[1:], error[:-1]), np.maximum(out[:-1], error[1:])
    return out
