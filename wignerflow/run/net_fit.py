r"""What polynomials of the guided coordinates explain is taken off the means of nets.

The coordinates z of a trajectory along the directions of guided sampling are standard normals,
known before it is run. So Hermite polynomials of them have mean zero,

.. math:: E[z_i] = 0, \quad E[z_i z_j - \delta_{ij}] = 0, \quad
   E[z_i z_j z_k - \delta_{ij} z_k - \delta_{jk} z_i - \delta_{ik} z_j] = 0,

while their averages over the points of one net do not vanish. Weights fitted to trajectories of a
pilot, which are no part of the run, times these averages are subtracted from the means of a net:
they stay unbiased with any weights, and what a second-order expansion in the noise explains is no
longer sampled. Only the points enter, no trajectory takes longer.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

CUBED = 4  # coordinates that enter in third degree
MOST = 500_000  # weights
RIDGE = 1e-9  # of normal equations, relative


@cache
def _factors(r: int) -> tuple[tuple[NDArray[np.int64], ...], ...]:
    """Coordinates in every polynomial of second and third degree."""
    some = combinations_with_replacement(range(min(r, CUBED)), 3)
    return np.triu_indices(r), tuple(np.array(list(some)).T)


def count(r: int, degree: int) -> int:
    """How many polynomials up to ``degree`` r coordinates have."""
    return sum([r, *(part[0].size for part in _factors(r))][:degree])


def polynomials(z: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """The first ``number`` of them, (number, n), at points (r, n)."""
    parts = [z]
    if number > len(z):
        (i, j), (a, b, c) = _factors(len(z))
        parts.append(z[i] * z[j] - (i == j)[:, None])
        cubes = z[a] * z[b] * z[c]
        for left, right, rest in ((a, b, c), (b, c, a), (c, a, b)):
            cubes -= (left == right)[:, None] * z[rest]
        parts.append(cubes)
    return np.concatenate(parts)[:number]


class Sums:
    """Sums of products from which weights follow.

    Args:
        number: of polynomials.
    """

    def __init__(self, number: int, width: int):
        self.square = np.zeros((number + 1, number + 1))
        self.right = np.zeros((number + 1, width))

    def add(self, found: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add points: polynomials (number, n), values (n, width)."""
        rows = np.concatenate([np.ones((1, found.shape[1])), found])
        # no BLAS: its threads would wait for each other
        self.square += np.einsum("fn,gn->fg", rows, rows)
        self.right += np.einsum("fn,nw->fw", rows, values)

    @staticmethod
    def added(parts: list[Sums]) -> Sums:
        """The sums of all parts."""
        out = Sums(len(parts[0].square) - 1, parts[0].right.shape[1])
        for part in parts:
            out.square += part.square
            out.right += part.right
        return out

    def weights(self, number: int) -> NDArray[np.float64]:
        """Of the first ``number`` polynomials, (number, width)."""
        some = slice(0, number + 1)
        square = self.square[some, some]
        ridge = RIDGE * np.trace(square) / len(square)
        return np.linalg.solve(square + ridge * np.eye(len(square)), self.right[some])[1:]
