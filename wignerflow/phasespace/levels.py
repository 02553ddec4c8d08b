r"""Emitters with levels: which channels make a local step, and where trajectories start.

From a product of one-emitter states r with eigenvalues p: mean N r, covariance
:math:`N(\mathrm{Tr}\,r\,x\circ y - \mathrm{Tr}\,rx\,\mathrm{Tr}\,ry)`. In the eigenbasis
populations have the covariance :math:`N(p_a\delta_{ab} - p_ap_b)` and R_ab, a < b, the variance
:math:`N(p_a + p_b)/4` in each part. Three distributions:

- Gaussian, with exactly these means and covariances;
- of fixed length, for pure states: :math:`R = N/d + \sqrt{N(N+d)}(|\psi\rangle\langle\psi| - 1/d)`,
  which has the spectrum of the symmetric representation, with psi Gaussian around the state; exact
  means, covariances exact up to a share of 0.04 at N = 6 that falls as 1/N;
- discrete, for N = 1: one level occupied, :math:`R_{ab} = \sqrt{(n_a+n_b)/4}\,(\pm1\pm i)`; exact
  means, covariances and, from a pure state, length.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.model import Jump, LocalJump
from ..model.words import LEVEL, levels_of
from .jumps import one_by_one
from .matrices import generator, units, variables
from .system import DISCRETE, FIXED, GAUSSIAN, MatrixInitial, MatrixStep

Matrix = NDArray[np.complex128]
Real = NDArray[np.float64]

#: Pure states of fewer emitters start with Gaussian fluctuations, of more with a fixed length.
FIXED_FROM = 10
#: Levels from which the noise of local channels is made from a factor of R.
LOW_LEVELS = 3


def alone(jump: Jump) -> tuple[Levels, Matrix] | None:
    """Single emitters that a jump acts on one by one, and its matrices (size, d, d).

    None for jumps of several emitters, subsystems or members, which turn R instead.
    """
    found = one_by_one(jump)
    if found is None:
        return None
    sub, words = found
    if not isinstance(sub, Levels) or sub.algebra != LEVEL:
        return None
    out = np.zeros((sub.size, sub.d, sub.d), complex)
    for word, weights in words.items():
        out += weights[:, None, None] * (_unit(sub.d, word) if word else np.eye(sub.d))
    return sub, out


def _unit(d: int, word: str) -> Matrix:
    a, b = levels_of(word)
    out = np.zeros((d, d), complex)
    out[a, b] = 1
    return out


def step_of(block: int, sub: Levels, noise: bool) -> MatrixStep:
    """The local step of a block, without channels."""
    return MatrixStep(block, [], low=noise and sub.d >= LOW_LEVELS)


def parts_of(matrices: Matrix) -> list[tuple[Real, Matrix]]:
    """Jumps (size, d, d) as (members on which it acts, matrix) pairs."""
    unique, which = np.unique(matrices.reshape(len(matrices), -1), axis=0, return_inverse=True)
    d = matrices.shape[1]
    rows = [(np.asarray(which.ravel() == u, float), row) for u, row in enumerate(unique)]
    return [(where, row.reshape(d, d)) for where, row in rows if np.any(row)]


def local_part(jump: LocalJump, size: int) -> tuple[Real, Matrix]:
    """The same of a local jump."""
    where = np.ones(size) if jump.op.member is None else np.eye(size)[jump.op.member]
    return where, jump.op.matrix()


def add_part(step: MatrixStep, rate: Real | Coef, where: Real, jump: Matrix) -> None:
    """Give a local step a channel."""
    step.parts.append((rate, where, generator(jump)))
    step.jumps.append(jump)


def level_initial(sub: Levels, states: list[LevelState], sampling: str) -> MatrixInitial:
    """Initial distribution of an array of emitters with levels, member by member.

    ``sampling`` is "gaussian", "fixed", "discrete" (of single emitters), "auto" (the latter for
    N = 1, of fixed length for pure states of at least ``FIXED_FROM`` emitters, else Gaussian) or
    "point" (no fluctuations).
    """
    n, size = sub.d**2, sub.size
    out = MatrixInitial(
        np.full(size, GAUSSIAN),
        np.zeros((size, n)),
        np.zeros((size, n, n)),
        np.zeros((size, sub.d)),
        np.zeros(sub.d, bool),
    )
    done: dict[tuple[LevelState, int], int] = {}
    for m, (state, number) in enumerate(zip(states, sub.numbers.tolist(), strict=True)):
        if (state, number) in done:  # equal states have equal rows, bit for bit
            first = done[state, number]
            out.kind[m], out.mean[m] = out.kind[first], out.mean[first]
            out.transform[m], out.width[m] = out.transform[first], out.width[first]
            continue
        done[state, number] = m
        rho = state.density(sub, "state")
        out.occupied |= np.diag(rho).real > 1e-9
        p, V = np.linalg.eigh(rho)
        p, V = np.maximum(p[::-1], 0), V[:, ::-1]
        pure = p[0] > 1 - 1e-9
        kind = _kind(sampling, number, pure)
        # of an emitter's basis: v = turn z for R = V Z V^+
        B, x = units(sub.d)
        turn = np.einsum("pq,zqr,sr,vsp->vz", V, B, V.conj(), x, optimize=True).real
        turn[np.abs(turn) < 1e-15] = 0
        rho = (V * p) @ V.conj().T
        out.mean[m], out.kind[m] = number * variables(rho), GAUSSIAN if kind is None else kind
        if kind == FIXED:
            length, share = np.sqrt(number * (number + sub.d)), np.eye(sub.d) / sub.d
            kept = 1 / sub.d + number * (1 - 1 / sub.d) / length
            out.width[m, 1:] = (1 - kept) / (sub.d - 1)
            out.mean[m] = variables((number - length) * share + 0j)
            out.transform[m] = length * turn
        elif kind == DISCRETE:
            out.mean[m], out.transform[m] = 0, turn
            out.width[m] = scipy.special.ndtri(np.minimum(np.cumsum(p), 1)).clip(-10, 10)
            out.width[m, -1] = 1e3
        elif kind == GAUSSIAN:
            out.transform[m] = turn @ _spread(p, number)
    return out


def _kind(sampling: str, number: int, pure: bool) -> int | None:
    if sampling == "point":
        return None
    if sampling == "discrete" or (sampling == "auto" and number == 1):
        return DISCRETE if number == 1 else GAUSSIAN
    if pure and (sampling == "fixed" or (sampling == "auto" and number >= FIXED_FROM)):
        return FIXED
    return GAUSSIAN


def _spread(p: Real, number: int) -> Real:
    """What takes normals to fluctuations in the eigenbasis, (d^2, d^2)."""
    d = len(p)
    out = np.zeros((d * d, d * d))
    at = [a * a + 2 * a for a in range(d)]
    root = np.sqrt(number * p)
    out[np.ix_(at, at)] = np.diag(root) - np.outer(p, root)
    for b in range(d):
        for a in range(b):
            for k in (b * b + 2 * a, b * b + 2 * a + 1):
                out[k, k] = np.sqrt(number * (p[a] + p[b]) / 4)
    return out
