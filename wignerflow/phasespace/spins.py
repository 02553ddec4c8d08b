"""Single spins in the Bloch form: jumps of one spin alone, as the local step of an ensemble of one.

Means and second moments of the local step are those of the Lindblad equation (see ``ensemble`` with
N = 1). A field turns the spin exactly, so any drive, decay, pump and dephasing of a spin by itself
gives exact means. Second moments are exact where the covariance of the noise is positive, which
outside the Bloch ball, where a sampled spin starts (its length is sqrt(3)), it need not be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.model import Jump
from ..model.subsystems import Spin, Subsystem
from .ensemble import bloch_generator
from .one_by_one import one_by_one

LETTERS = {"": 0, "x": 1, "y": 2, "z": 3}
_PAULI = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex
)


def alone(jump: Jump) -> tuple[Subsystem, NDArray[np.complex128]] | None:
    """The spin or array of spins that a jump acts on one by one, and c of c.(1, sigma).

    Shape (size, 4), zero for members on which it does not act; None for any other jump.
    """
    found = one_by_one(jump)
    if found is None or not isinstance(found[0], Spin):
        return None
    sub, words = found
    out = np.zeros((sub.size, 4), complex)
    for word, weights in words.items():
        out[:, LETTERS[word]] += weights
    return sub, out


def spin_parts(c: NDArray[np.complex128]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lambda (size, 3, 3) and c (size, 3) of jumps at rate one."""
    rows, inverse = np.unique(c, axis=0, return_inverse=True)
    found = [bloch_generator(np.tensordot(row, _PAULI, 1)) for row in rows]
    which = inverse.ravel()
    return np.array([lam for lam, _ in found])[which], np.array([v for _, v in found])[which]
