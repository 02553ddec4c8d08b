r"""Two-time correlations by quantum jumps: runs that go on from a state that was multiplied.

A run that is in the pure state psi at time t gives

.. math:: \mathrm{Tr}[X e^{\mathcal L\tau}(D|\psi\rangle\langle\psi|A)]
          = \frac{|u||v|}{4}\sum_{k=0}^3 i^k |\phi_k|^2 \langle X\rangle_{\phi_k}(\tau), \qquad
          \phi_k = u/|u| + i^k v/|v|,

with :math:`u = D\psi` and :math:`v = A^\dagger\psi`: four runs that start from the states
:math:`\phi_k`, or one where u = v. Averaged over psi that is
:math:`\langle A(t) X(t+\tau) D(t)\rangle`.

Reference: Mølmer, Castin and Dalibard, J. Opt. Soc. Am. B 10, 524 (1993), section 3.C.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from .jumps import LOOKS, Values, WaveFunctions

Array = NDArray[np.float64]
#: weight * A(t) X(t + tau) D(t)
Piece = tuple[complex, Op, Op]


class Correlated(WaveFunctions):
    """Chunks of runs: the sum of ``pieces``, <X(t + tau)> and <D(t)> of the last piece.

    Args:
        model: the master equation; its initial state holds at time 0.
        X: operator at the later time.
        pieces: (weight, A, D) of every term.
        t: the earlier time.
        taus: delays, ascending from 0 or later, (T,).
        seed, memory: as elsewhere.
        mean: whether <X(t + tau)> is wanted.
    """

    name = "wavefunctions"

    def __init__(
        self,
        model: Model,
        X: Op,
        pieces: list[Piece],
        t: float,
        taus: Array,
        seed: int,
        memory: float,
        mean: bool,
    ):
        every: list[Op] = []
        self.terms = []
        for weight, A, D in pieces:
            for op in (A.dag(), D):
                if op not in every:
                    every.append(op)
            self.terms.append((weight, every.index(A.dag()), every.index(D)))
        self.kicks = tuple(every)
        # runs that follow begin at t, whether that is asked for or not
        self.skip = 1 if taus[0] > 0 else 0
        self.mean, self.t = mean, t
        self.later = t + np.concatenate([np.zeros(self.skip), taus])
        ahead = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0]
        self.ahead = int(ahead)
        self.cached: dict[tuple[int, int], Any] = {}
        times = np.concatenate([np.linspace(0.0, t, LOOKS) if t > 0 else [0.0], self.later])
        super().__init__(model, {"X": X}, np.unique(times), seed, memory)

    @property
    def wanted(self) -> int:
        """The correlation, X and D."""
        return 3

    def _build(self) -> None:
        super()._build()
        self.cached.clear()

    def _kicked(self, k: int, sector: int, psi: Values) -> tuple[int, Values]:
        """The sector of an operator times a state, and the product; sector -1: it is zero."""
        if (k, sector) not in self.cached:
            first, target = self.system.first, int(self.system.kicked[k, sector])
            rows = slice(first[target], first[target + 1])
            A = self.system.kicks[k][rows][:, first[sector] : first[sector + 1]]
            self.cached[k, sector] = target, A
        target, A = self.cached[k, sector]
        return target, A @ psi if target >= 0 else psi[:0]

    def __call__(self, numbers: range) -> Values:
        rows, system = len(self.system.ops), self.system
        early = np.linspace(0.0, self.t, LOOKS if self.modes else 2) if self.t > 0 else np.zeros(1)
        out = np.zeros((len(numbers), self.wanted + len(self.modes), self.later.size), complex)
        before, after = (np.empty((rows, x.size), complex) for x in (early, self.later))
        total = 0
        for row, trajectory in enumerate(numbers):
            draw = system.draw(np.random.default_rng([self.seed, trajectory]))
            jumps, end = self.one(trajectory, self.seed, draw, early, before)
            edges = system.combined(before, early)[1:].real.max(axis=1, initial=0.0)
            out[row, 3:] = edges[:, None]
            total += jumps + self._follow(trajectory, end, after, out[row])
        self.jumps[numbers.start] = total
        return out[..., self.skip :]

    def seconds(self) -> float:
        """Of one run up to t, and of all that follow from it."""
        follow = sum(1 if left == right else 4 for _, left, right in self.terms) + self.mean
        return super().seconds() * (1 + follow)

    def _follow(self, trajectory: int, end: tuple[int, Values], after: Values, out: Values) -> int:
        """What follows from the state at t; ``out`` (3 + modes, T). Returns the jumps made."""
        sector, psi = end
        total = 0

        def later(sector: int, phi: Values) -> Values:
            nonlocal total
            total += self.one(trajectory, self.ahead, (sector, phi), self.later, after)[0]
            found = self.system.combined(after, self.later)
            out[3:] = np.maximum(out[3:].real, found[1:].real)
            return np.asarray(found[0])

        kicked = [self._kicked(k, sector, psi) for k in range(len(self.kicks))]
        for weight, left, right in self.terms:
            (_, v), (target, u) = kicked[left], kicked[right]
            a, b = float(np.linalg.norm(v)), float(np.linalg.norm(u))
            if a == 0 or b == 0:
                continue
            if left == right:
                out[0] += weight * b**2 * later(target, u / b)
                continue
            for k in range(4):
                phi = u / b + 1j**k * v / a
                size = float(np.linalg.norm(phi))
                if size > 1e-9:
                    share = weight * a * b * 1j**k / 4 * size**2
                    out[0] += share * later(target, phi / size)
        if self.mean:
            out[1] = later(sector, psi)
            target, u = kicked[self.terms[-1][2]]
            out[2] = np.vdot(psi, u) if target == sector else 0.0
        return total
