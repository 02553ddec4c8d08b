r"""Nets of trajectories: where noise moves the state, and points along these directions.

Directions are found with few long steps and carried over to the steps of a run: a normal of the run
has the part of those whose time it shares. They need not be exact, only orthonormal.

What polynomials of the guided coordinates explain is taken off the means of nets. The coordinates z
of a trajectory along the directions are standard normals, known before it is run. So Hermite
polynomials of them have mean zero,

.. math:: E[z_i] = 0, \quad E[z_i z_j - \delta_{ij}] = 0, \quad
   E[z_i z_j z_k - \delta_{ij} z_k - \delta_{jk} z_i - \delta_{ik} z_j] = 0,

while their averages over the points of one net do not vanish. Weights fitted to trajectories of a
pilot, which are no part of the run, times these averages are subtracted from the means of a net:
they stay unbiased with any weights, and what a second-order expansion in the noise explains is no
longer sampled. Only the points enter, no trajectory takes longer.
"""

from __future__ import annotations

import copy
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import Crew
from ..kernels.given import LANES, GivenKernel
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..phasespace.polynomials import Poly, Var
from ..phasespace.system import AMPLITUDES, MATRIX
from .bounds import bounds

NORMALS = 20_000  # of a run, at most: each takes memory, and time along every direction
LONGER, FEWEST = 4, 24  # times longer steps for derivatives, but so many steps
STEP = 2e-3  # of finite differences, in standard deviations
SEEN = 8e-3  # singular values of the largest, from which on they matter
EQUAL = 0.97  # ratio of singular values that count as a degenerate pair
TIMES = 64  # records whose derivatives are looked at


class Declined(Exception):
    """Guided sampling cannot be used, or does not pay."""


def given_text(text: KernelText) -> KernelText:
    """The kernel whose normals stand in a table, with the variables read out too.

    Raises:
        Declined: the system is of a kind that nets do not treat.
    """
    system = text.given
    if any(b.count is not None for b in system.blocks):
        raise Declined("the model has arrays of subsystems")
    if system.links:
        raise Declined("the model has links with delays")
    if system.explicit or any(b.kind in (AMPLITUDES, MATRIX) for b in system.blocks):
        raise Declined("the method's equations are not of the kind it treats")
    if system.increments != "gaussian":
        raise Declined("it goes with Gaussian noise")
    blocks = enumerate(system.blocks)
    leaves = [Poly.leaf(Var(k, c)) for k, b in blocks for c in range(b.components)]
    variables = [Readout(leaf, False) for leaf in leaves]
    try:
        return KernelText(system, [*text.readouts, *variables], given=True)
    except NotImplementedError as error:
        raise Declined(str(error)) from error


def _spans(text: KernelText, grid: Grid) -> list[list[tuple[NDArray[np.float64], ...]]]:
    """Times (begins, ends) that normals after the initial ones stand for.

    Lists of what shares its noise, of parts in the order of the table: steps, local steps or kicks.
    """
    begin, end = grid.times, grid.times + grid.lengths
    ends = 1 / 6 if text.flows is not None else 1 / 2  # of a step, at either end of it
    firsts = np.cumsum([0, *grid.nsteps[:-1]])
    kicks: list[tuple[float, float]] = []
    for first, n, h in zip(firsts.tolist(), grid.nsteps.tolist(), grid.hs.tolist(), strict=True):
        at = grid.times[first] + h * np.arange(n + 1)
        kicks += zip((at - ends * h).clip(min=at[0]), (at + ends * h).clip(max=at[-1]), strict=True)
    local = tuple(np.array(kicks).T)
    if text.flows is None:
        return [[(begin, end)], [local]]
    return [[(begin + grid.lengths / 6, end - grid.lengths / 6), local]]


def carried(
    G: NDArray[np.float64], text: KernelText, coarse: Grid, fine: Grid
) -> NDArray[np.float64]:
    """Directions of normals (r, normals) on one grid, as orthonormal ones on another."""
    start, *widths = (2 * pairs for pairs in text.pairs)
    out, at = [G[:, :start]], start
    for one, other in zip(_spans(text, coarse), _spans(text, fine), strict=True):
        width = widths[len(out) - 1] if text.flows is None else widths[1]
        a, b = (np.concatenate(part) for part in zip(*one, strict=True))
        own = G[:, at : at + a.size * width].reshape(len(G), a.size, width)
        at += a.size * width
        c, d = (np.concatenate(part) for part in zip(*other, strict=True))
        shared = (np.minimum(d[:, None], b) - np.maximum(c[:, None], a)).clip(min=0)
        shared /= np.sqrt((d - c)[:, None] * (b - a))
        out.append(np.einsum("ca,raw->rcw", shared, own).reshape(len(G), -1))
    return np.linalg.qr(np.concatenate(out, axis=1).T)[0].T


def directions(
    text: KernelText,
    grid: Grid,
    channels: int,
    most: int,
    crew: Crew,
    single: bool,
) -> Directions:
    """Directions for a run on ``grid``, from derivatives with longer steps; see ``Directions``.

    What coefficients and pulses do between outputs longer steps would not see.

    Raises:
        Declined: a run has too many normals, or no derivatives.
    """
    own, steps = grid, int(grid.nsteps.sum())
    start, step, local = text.pairs
    rows = 2 * (start + step * steps + local * (steps + grid.nsteps.size))
    if rows > NORMALS:
        raise Declined(f"a trajectory takes {rows} normals, more than {NORMALS}")
    if not (text.system.coefficients() or text.system.pulses):
        few = max(FEWEST, steps // LONGER)
        if few < steps:
            own = Grid.make(np.linspace(grid.records[0], grid.records[-1], few + 1), np.inf)
    kernel = GivenKernel(text, own, single=single, batched=np.arange(text.channels))
    found = Directions(text, kernel, channels, most, crew)
    if own is not grid:
        found.G = carried(found.G, text, own, grid)
    return found


class Directions:
    """Right singular vectors (r, normals) of the state's derivatives, and their values.

    Args:
        text: the kernel's own text, see ``given_text``.
        kernel: runs it.
        channels: how many come before the variables.
        most: directions at most.
        crew: threads that do it.
    """

    def __init__(
        self,
        text: KernelText,
        kernel: GivenKernel,
        channels: int,
        most: int,
        crew: Crew,
    ):
        rows, records = 2 * kernel.pairs, kernel.nsteps.size
        times = np.unique(np.linspace(1, records, TIMES).astype(int))
        sizes = zip(text.given.blocks, bounds(text.given), strict=True)
        scale = np.concatenate([np.full(b.components, s.max()) for b, s in sizes])
        none = np.zeros((0, rows)), np.zeros((0, 0, LANES))

        def columns(first: int) -> NDArray[np.float64]:
            found = []
            for sign in (STEP, -STEP):
                table = np.zeros((rows, LANES))
                own = np.arange(min(LANES, rows - first))
                table[first + own, own] = sign
                sums = kernel.run_table(0, 0, *none, table)[3]
                found.append(sums[0][times][:, :, channels : channels + scale.size])
            return ((found[0] - found[1]) / (2 * STEP * scale))[:, : own.size]

        parts = crew.map(columns, range(0, rows, LANES), [kernel])
        #: Trajectories times steps.
        self.work = 2 * rows * int(kernel.nsteps.sum()) * text.work
        J = np.concatenate(parts, axis=1).transpose(0, 2, 1).reshape(-1, rows)
        if not np.all(np.isfinite(J)):
            raise Declined("the noiseless trajectory has no derivatives")
        # singular vectors from the small square, and the leading ones made orthonormal again
        square, left = np.linalg.eigh(J @ J.T)
        self.values = np.sqrt(np.maximum(square[::-1], 0))[:most]
        used = int(np.sum(self.values > SEEN * self.values[:1].max(initial=1e-300)))
        self.values = self.values[:used]
        self.G = np.linalg.qr(J.T @ left[:, ::-1][:, :used])[0].T

    def leading(self, r: int) -> Directions:
        """The first r of them, at most."""
        out = copy.copy(self)
        out.values, out.G = self.values[:r], self.G[:r]
        return out

    def points(self, rng: np.random.Generator, number: int, r: int) -> NDArray[np.float64]:
        """Coordinates (blocks, r, lanes) of scrambled Sobol points."""
        u = scipy.stats.qmc.Sobol(r, scramble=True, rng=rng).random(number).T.clip(1e-12, 1 - 1e-12)
        z, i = np.empty_like(u), 0
        while i < r:
            if i + 1 < r and self.values[i + 1] > EQUAL * self.values[i]:
                radius, angle = np.sqrt(-2 * np.log(u[i])), 2 * np.pi * u[i + 1]
                z[i], z[i + 1] = radius * np.cos(angle), radius * np.sin(angle)
                i += 2
            else:
                z[i] = scipy.special.ndtri(u[i])
                i += 1
        return z.reshape(r, -1, LANES).swapaxes(0, 1)


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
