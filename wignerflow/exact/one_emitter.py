"""What one emitter of every kind of subsystem is: its levels, its state, its operators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.mode_states import ModeState
from ..model.states import BlochState, State
from ..model.subsystems import CollectiveSpin, Ensemble, Mode, Subsystem
from ..model.words import letter
from . import mode_states

Matrix = NDArray[np.complex128]
#: Elements of a state below are none.
NOTHING = 1e-16


@dataclass
class Emitters:
    """``number`` identical emitters of ``levels`` levels, each in ``state``.

    ``state`` is a density matrix, (levels, levels), or of one emitter a vector; ``letters`` are
    dense, or sparse by columns.
    """

    label: str
    kind: str
    number: int
    state: Matrix
    letters: dict[str, Any]

    @property
    def levels(self) -> int:
        """Levels of one emitter."""
        return len(self.state)

    @property
    def boxes(self) -> int:
        """Elements |a><b| of one emitter."""
        return self.levels**2

    def elements(self) -> tuple[NDArray[np.int64], Matrix]:
        """Elements |a><b| of the state that are not zero, by number, and their values."""
        if self.state.ndim == 1:
            some = np.flatnonzero(np.abs(self.state) > NOTHING)
            psi = self.state[some]
            return np.add.outer(self.levels * some, some).ravel(), np.outer(psi, psi.conj()).ravel()
        r = self.state.ravel()
        boxes = np.flatnonzero(np.abs(r) > NOTHING)
        return boxes, r[boxes]

    def letter(self, letter: str) -> Any:
        """The matrix of one emitter whose sum over all emitters a letter stands for."""
        return self.letters[letter]

    @cached_property
    def _log_factorials(self) -> NDArray[np.float64]:
        return np.asarray(scipy.special.gammaln(np.arange(self.number + 1) + 1.0))

    def norm(self, occupied: NDArray[np.integer]) -> NDArray[np.float64]:
        """sqrt(N! / prod n!) of occupation numbers (..., boxes)."""
        table = self._log_factorials
        return np.asarray(np.exp((table[-1] - table[occupied].sum(axis=-1)) / 2))


def angular(length: float) -> dict[str, Matrix]:
    """J_x, J_y, J_z in the basis M = J, J - 1, ..., -J."""
    M = length - np.arange(round(2 * length) + 1)
    up = np.diag(np.sqrt(np.maximum(length * (length + 1) - M[1:] * M[:-1], 0)), 1).astype(complex)
    return {"x": (up + up.T) / 2, "y": (up - up.T) / 2j, "z": np.diag(M).astype(complex)}


def emitters(sub: Subsystem, m: int, state: State, cutoff: int) -> Emitters:
    """Member m of a subsystem; ``cutoff`` holds for a mode that has none of its own."""
    label = sub.name if sub.count is None else f"{sub.name}[{m}]"
    if isinstance(sub, Mode):
        assert isinstance(state, ModeState)
        dim = sub.cutoff or cutoff
        lower = np.diag(np.sqrt(np.arange(1, dim)), 1).astype(complex)
        return Emitters(
            label,
            sub.kind,
            1,
            mode_states.matrix(state.kind, state.value, dim),
            {"a": lower, "d": lower.T},
        )
    if isinstance(sub, Levels):
        assert isinstance(state, LevelState)
        boxes = np.eye(sub.d**2, dtype=complex).reshape(sub.d, sub.d, sub.d, sub.d)
        letters = {letter(a, b): boxes[a, b] for a in range(sub.d) for b in range(sub.d)}
        rho = state.density(sub, "state")
        return Emitters(label, sub.kind, int(sub.numbers[m]), rho, letters)
    assert isinstance(state, BlochState)
    half = angular(0.5)
    rho = np.eye(2) / 2 + sum(c * half[x] for c, x in zip(state.vector, "xyz", strict=True))
    if isinstance(sub, Ensemble):
        return Emitters(label, sub.kind, int(sub.numbers[m]), rho, half)
    if isinstance(sub, CollectiveSpin):
        J = angular(float(sub.lengths[m]))
        along = sum(c * J[x] for c, x in zip(state.vector, "xyz", strict=True))
        psi = np.linalg.eigh(along)[1][:, -1:]
        return Emitters(label, sub.kind, 1, psi @ psi.conj().T, J)
    return Emitters(label, sub.kind, 1, rho, {x: 2 * half[x] for x in "xyz"})
