"""What every exact engine returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.operators import Op


@dataclass
class ExactSolution:
    """Expectation values over time.

    Attributes:
        expect: name -> array of shape (T,), float64 for a Hermitian operator, else complex128.
        sem: name -> standard error of the mean, shape (T,), for quantum jumps (the length of the
            complex error for a complex mean); None for engines without sampling.
        stats: ``engine``, ``why`` (one sentence) and numbers about the run.
    """

    expect: dict[str, NDArray[Any]]
    sem: dict[str, NDArray[np.float64]] | None = None
    stats: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def build(
        ops: dict[str, Op],
        values: NDArray[np.complex128],
        stats: dict[str, Any],
        sem: NDArray[np.float64] | None = None,
    ) -> ExactSolution:
        """From values (and errors) of shape (len(ops), T)."""
        expect: dict[str, NDArray[Any]] = {}
        for (name, op), row in zip(ops.items(), values, strict=True):
            expect[name] = row.real.copy() if op.is_hermitian() else np.array(row, complex)
        errors = None if sem is None else {name: sem[k].copy() for k, name in enumerate(ops)}
        return ExactSolution(expect, errors, stats)
