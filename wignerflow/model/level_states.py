"""Initial states of emitters with levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .numerals import number
from .reading_values import complex_plain
from .states import State

if TYPE_CHECKING:
    from .levels import Levels

Matrix = NDArray[np.complex128]


@dataclass(frozen=True)
class LevelState(State):
    """Every emitter in one state: ``kind`` is "levels" (amplitudes), "mixture" (probabilities), or

    "density" (a matrix); ``entries`` are (label, number) pairs, or the rows of the matrix.
    """

    kind: str
    entries: tuple[Any, ...]

    def density(self, sub: Levels, argument: str) -> Matrix:
        """The density matrix of one emitter of ``sub``.

        Raises:
            ValueError: a label is unknown, or the matrix has another size.
        """
        if self.kind == "density":
            out = np.array(self.entries, complex)
            if out.shape != (sub.d, sub.d):
                must = f"be a density matrix of shape ({sub.d}, {sub.d})"
                _check.fail(argument, must, _check.Note(f"one of shape {out.shape}"))
            return out
        values = np.zeros(sub.d, complex)
        for label, value in self.entries:
            values[sub.index(label, argument)] = value
        if self.kind == "mixture":
            return np.diag(values)
        return np.outer(values, values.conj())

    def to_dict(self) -> dict[str, Any]:
        if self.kind == "density":
            return {"density": complex_plain(np.array(self.entries, complex))}
        if self.kind == "mixture":
            return {"mixture": {k: v.real + 0.0 for k, v in self.entries}}
        return {"levels": {k: [v.real + 0.0, v.imag + 0.0] for k, v in self.entries}}

    @property
    def text(self) -> str:
        if self.kind == "density":
            return f"density({len(self.entries)} x {len(self.entries)} matrix)"
        if self.kind == "levels" and [v for _, v in self.entries] == [1]:
            return f"level({self.entries[0][0]!r})"
        values = ", ".join(f"{k}: {number(complex(v))}" for k, v in self.entries)
        return f"{self.kind}({values})"


def level(label: str) -> LevelState:
    """Every emitter of ``wf.Levels`` in one level.

    Args:
        label: of the level.

    Raises:
        TypeError: it is no string.

    Example:
        >>> import wignerflow as wf
        >>> wf.level("e") == wf.levels({"e": 1})
        True
    """
    if not isinstance(label, str):
        _check.fail("label", "be the label of a level", label, kind=TypeError)
    return LevelState("levels", ((label, 1 + 0j),))


def levels(amplitudes: Mapping[str, complex]) -> LevelState:
    r"""Every emitter of ``wf.Levels`` in the pure state :math:`\sum_a c_a |a\rangle`.

    Args:
        amplitudes: label -> complex amplitude, :math:`\sum_a |c_a|^2 = 1` within 1e-9 (what is left
            of rounding is scaled away); levels that are not named have none.

    Raises:
        TypeError: it is no mapping of labels to numbers.
        ValueError: the state is not normalised.

    Example:
        >>> import wignerflow as wf
        >>> wf.levels({"g": 0.6, "e": 0.8j}).kind
        'levels'
    """
    pairs = _pairs("amplitudes", amplitudes, complex)
    norm = sum(abs(v) ** 2 for _, v in pairs)
    if abs(norm - 1) > 1e-9:
        hint = "Divide all amplitudes by its root."
        _check.fail("amplitudes", "have squared magnitudes that add up to 1", norm, hint)
    return LevelState("levels", tuple((k, v / norm**0.5) for k, v in pairs if v != 0))


def mixture(probabilities: Mapping[str, float]) -> LevelState:
    r"""Every emitter of ``wf.Levels`` in the mixture :math:`\sum_a p_a |a\rangle\langle a|`.

    Args:
        probabilities: label -> probability, adding up to one within 1e-9.

    Raises:
        TypeError: it is no mapping of labels to numbers.
        ValueError: a probability is negative, or they do not add up to one.

    Example:
        >>> import wignerflow as wf
        >>> wf.mixture({"g": 0.75, "e": 0.25}).kind
        'mixture'
    """
    pairs = _pairs("probabilities", probabilities, float)
    for label, value in pairs:
        if value.real < 0:
            _check.fail(f"probabilities[{label!r}]", "be non-negative", value.real)
    total = sum(v.real for _, v in pairs)
    if abs(total - 1) > 1e-9:
        _check.fail("probabilities", "add up to 1", total, "Divide all of them by their sum.")
    return LevelState("mixture", tuple((k, v / total) for k, v in pairs if v != 0))


def density(matrix: Any) -> LevelState:
    """Every emitter of ``wf.Levels`` in the state of a density matrix.

    Args:
        matrix: Hermitian, positive semidefinite, of trace one, each within 1e-9; shape (d, d), rows
            and columns in the order of the labels.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> import wignerflow as wf
        >>> wf.density([[0.5, 0.5], [0.5, 0.5]]).kind
        'density'
    """
    rho = _check.numeric_array("matrix", matrix, complex)
    if rho.ndim != 2 or rho.shape[0] != rho.shape[1]:
        must = "be a square matrix, one row and column per level"
        _check.fail("matrix", must, _check.Note(f"of shape {rho.shape}"))
    if np.abs(rho - rho.conj().T).max() > 1e-9:
        skew = float(np.abs(rho - rho.conj().T).max())
        _check.fail("matrix", "be Hermitian", _check.Note(f"off by {skew:.3g}"))
    trace = float(np.trace(rho).real)
    if abs(trace - 1) > 1e-9:
        _check.fail("matrix", "have trace 1", trace)
    rho = (rho + rho.conj().T) / (2 * trace)
    lowest = float(np.linalg.eigvalsh(rho)[0])
    if lowest < -1e-9:
        _check.fail("matrix", "have no negative eigenvalue", lowest)
    return LevelState("density", tuple(tuple(row) for row in rho.tolist()))


def _pairs(argument: str, values: Any, dtype: type) -> list[tuple[str, complex]]:
    if not isinstance(values, Mapping) or not values:
        must = "map labels of levels to numbers"
        _check.fail(argument, must, values, kind=TypeError)
    out = []
    for label, value in values.items():
        if not isinstance(label, str):
            _check.fail(argument, "have labels of levels as keys", label, kind=TypeError)
        number = _check.numeric_array(f"{argument}[{label!r}]", value, dtype)
        if number.ndim:
            _check.fail(f"{argument}[{label!r}]", "be one number", value)
        out.append((label, complex(number)))
    return out
