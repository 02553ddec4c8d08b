"""Nets of trajectories: where noise moves the state, and points along these directions."""

from __future__ import annotations

import copy

import numpy as np
import scipy
from numpy.typing import NDArray

from ..crew import Crew
from ..kernels.given import LANES, GivenKernel
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..phasespace.polynomials import Poly, Var
from ..phasespace.system import AMPLITUDES, MATRIX
from .bounds import bounds

NORMALS = 20_000  # of a run: more make the derivatives dear
STEP = 2e-3  # of finite differences, in standard deviations
SEEN = 1e-4  # singular values of the largest, from which on they are known
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
        if rows > NORMALS:
            raise Declined(f"a trajectory takes {rows} normals, more than {NORMALS}")
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
