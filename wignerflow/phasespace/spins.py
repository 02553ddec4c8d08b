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
from ..model.operators import ArrayOp, Site
from ..model.subsystems import Spin, Subsystem
from .ensemble import bloch_generator

LETTERS = {"": 0, "x": 1, "y": 2, "z": 3}
_PAULI = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex
)


def alone(jump: Jump) -> tuple[Subsystem, NDArray[np.complex128]] | None:
    """The spin or array of spins that a jump acts on one by one, and c of c.(1, sigma).

    Shape (size, 4), zero for members on which it does not act; None for any other jump.
    """
    subs = jump.op.subsystems
    if len(subs) != 1 or jump.matrix is not None:
        return None
    (sub,) = subs
    if not isinstance(sub, Spin):
        return None
    out = np.zeros((sub.size, 4), complex)
    if isinstance(jump.op, ArrayOp):
        for word, weights in jump.op.terms.items():
            out[:, LETTERS[word[0][1] if word else ""]] += weights
        return sub, out
    if jump.op.coefficients:
        return None
    constant, members = 0j, set()
    for (_, factors), c in jump.op.terms.items():
        if not factors:
            constant += c
        elif len(factors) == 1 and isinstance(factors[0], Site):
            out[factors[0].m, LETTERS[factors[0].word]] += c
            members.add(factors[0].m)
        else:
            return None
    if len(members) != 1:
        return None
    out[members.pop(), 0] = constant
    return sub, out


def spin_parts(c: NDArray[np.complex128]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lambda (size, 3, 3) and c (size, 3) of jumps at rate one."""
    rows, inverse = np.unique(c, axis=0, return_inverse=True)
    found = [bloch_generator(np.tensordot(row, _PAULI, 1)) for row in rows]
    which = inverse.ravel()
    return np.array([lam for lam, _ in found])[which], np.array([v for _, v in found])[which]
