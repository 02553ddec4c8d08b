"""The symbols of a local jump in the rotor form, written out."""

import numpy as np


def local_symbols(
    J,
    n,
    N,
    u,
    corrected=True,
):
    """The symbols l^(j) of a local jump u.sigma/2 for j = -1, 0, +1, shape (3, ...).

    Args:
        J: vectors, shape (3, ...).
        n: unit vectors perpendicular to them, shape (3, ...).
        N: number of emitters.
        u: complex vector, shape (3,).
        corrected: with the factors 1 ± 1/(2L).
    """
    L = np.sqrt((J**2).sum(axis=0))
    e = J / L
    m = np.cross(e, n, axis=0)
    ue, un, um = (np.tensordot(u, v, 1) for v in (e, n, m))
    R = (N + 2) / 4
    out = [np.sqrt(R) * ue]
    for j in (-1, 1):
        factor = 1 + j / (2 * np.maximum(L, 0.5)) if corrected else 1.0
        amplitude = np.sqrt(np.maximum((2 * R - j * L) * factor, 0)) / 2
        out.insert((j + 1) // 2 * 2, amplitude * (un - 1j * j * um))
    return np.array(out)
