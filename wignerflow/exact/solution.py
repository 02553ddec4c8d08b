"""What every exact engine returns: a solution, or how much memory it would take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.operators import Op

#: Default limit of memory in bytes.
MEMORY = 4e9


class TooLarge(ValueError):
    """The model does not fit into the allowed memory."""


def refuse(what: str, need: float, memory: float, instead: str) -> TooLarge:
    """The error that says how much memory ``what`` needs, and what to use instead."""
    need = float(min(need, 10**300))  # a product of hundreds of dimensions is no float
    return TooLarge(
        f"{what} at least {need / 1e9:.3g} GB, but {memory / 1e9:.3g} GB are allowed; "
        f"raise `memory`, use fewer emitters, or take {instead}."
    )


def density_matrix(need: float, memory: float) -> TooLarge:
    """Of block density matrices."""
    return refuse(
        "The block density matrix needs",
        need,
        memory,
        "wf.QuantumJumps() (one state vector per run) or wf.TWA()",
    )


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
