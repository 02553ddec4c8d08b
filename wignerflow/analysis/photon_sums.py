r"""Sums over trajectories for photon statistics: what a chunk adds, and the estimators.

A bin's mode is c = v + s, with v the known part that enters and s what the source adds. In v alone,
and in its products with anything earlier, nothing has to be sampled: those means are known, and
their noise is left out (the estimators of ``wf.photons``). Everything is kept for each of 32
batches, for jackknife errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..run.statistics import BATCHES

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Chunks whose products are made at once.
TOGETHER = 16


@dataclass
class Bins:
    """Amplitudes of a chunk of trajectories in the modes of bins: (32, A, B) each.

    ``flux``: photons in the bin by the symbol of the flux; ``gain``: what the sum over steps of
    abs(b_out)^2 - abs(b_in)^2 makes of it.
    """

    c: Complex
    v: Complex
    flux: Real
    gain: Real
    counts: NDArray[np.bool_]
    #: What is missing in the energy balance of each trajectory; None: there is none.
    missing: Real | None = None


@dataclass
class Commutators:
    """Of the fields: ``gamma`` = [c_a, c_b^+], (A, A); ``known`` = <v_a^* v_b>, (A, A)."""

    gamma: Complex
    known: Complex

    @property
    def entering(self) -> Complex:
        """Normally ordered <v_a^+ v_b>: of what enters beyond the vacuum."""
        return self.known - self.gamma.T / 2


class Sums:
    """Sums of a run, batch by batch.

    Args:
        fields, bins: A and B.
        algebra: commutators of the fields.
        flux: whether the later factor of g2 is the flux (else the bin's mode).
        g1, g2: which products of bins are wanted.
        steady: average products over as many origins as there are delays, half the bins.
        ways: what enters later may be correlated with earlier signals: leave no noise out between
            bins, and take no flux.
    """

    def __init__(
        self,
        fields: int,
        bins: int,
        algebra: Commutators,
        flux: bool,
        g1: bool,
        g2: bool,
        steady: bool,
        ways: bool = False,
    ):
        A, self.algebra, self.flux, self.steady = fields, algebra, flux and not ways, steady
        self.ways = ways
        self.origins = bins // 2 if steady else 0
        T = bins // 2 if steady else bins
        B = BATCHES
        self.count = np.zeros(B)
        self.x, self.photons, self.alone = np.zeros((3, B, A, bins))
        self.gain, self.square = np.zeros((2, B, A))
        self.wave = np.zeros((B, A, T), complex)
        self.power, self.pair = np.zeros((B, A, T)), np.zeros((B, A, T), complex)
        self.windows = 2 if steady else 1
        last = (T,) if steady else (T, T)
        self.g1 = np.zeros((B, A, A, *last), complex) if g1 else None
        self.g2 = np.zeros((B, A, A, *last)) if g2 else None
        self.same1 = np.zeros((B, A, A, bins), complex)
        self.same2 = np.zeros((B, A, A, bins))
        self.failed = 0
        self._waiting: list[tuple[Complex, Complex, Real, Real]] = []

    def add(self, chunk: Bins, ntraj: int) -> None:
        """One chunk of 32 trajectories, of which ``ntraj`` exist."""
        live = chunk.counts
        self.failed += ntraj - int(live.sum())
        self.count += live
        c, v = chunk.c, chunk.v
        s = c - v
        at = live[:, None, None]
        gamma, known = self.algebra.gamma, self.algebra.known
        half = np.diagonal(gamma).real[None, :, None] / 2
        noise = np.where(at, np.abs(v) ** 2 - np.diagonal(known).real[None, :, None], 0)
        entering = np.diagonal(self.algebra.entering).real[None, :, None]
        x = np.where(at, 2 * (v.conj() * s).real + np.abs(s) ** 2 + entering, 0)
        early = np.where(at, np.abs(c) ** 2 - half, 0)
        self.x += x
        self.photons += chunk.flux
        self.alone += noise
        total = np.where(live[:, None], chunk.gain.sum(axis=2), 0)
        self.gain += total
        self.square += total**2
        self._waves(np.where(at, c, 0))
        self._same(c, v, at[..., None])
        later = chunk.flux if self.flux else (early if self.ways else x)
        if self.g1 is None and self.g2 is None:
            return
        c, s = np.where(at, c, 0), np.where(at, c if self.ways else s, 0)
        if self.steady:
            if self.g1 is not None:
                self.g1 += self._lags(c.conj(), s)
            if self.g2 is not None:
                self.g2 += self._lags(early, later).real
            return
        self._waiting.append((c, s, early, later))
        if len(self._waiting) == TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Add the products of chunks that wait."""
        if not self._waiting:
            return
        c, s, early, later = (
            np.stack(x, axis=-1).reshape(BATCHES, -1, len(self._waiting))
            for x in zip(*self._waiting, strict=True)
        )
        self._waiting = []
        A = self.x.shape[1]
        shape = (BATCHES, A, self.x.shape[2], A, self.x.shape[2])

        def product(one: Any, two: Any) -> Any:
            return (one @ two.swapaxes(1, 2)).reshape(shape).swapaxes(2, 3)

        if self.g1 is not None:
            self.g1 += product(c.conj(), s)
        if self.g2 is not None:
            self.g2 += product(early, later)

    def _lags(self, first: Any, later: Any) -> Any:
        """Mean over origins of first(a, t) later(b, t + tau): (32, A, A, T)."""
        T, n = self.origins, later.shape[2]
        size = scipy.fft.next_fast_len(n + T)
        one = scipy.fft.fft(first[:, :, :T].conj(), size).conj()
        two = scipy.fft.fft(later, size)
        return scipy.fft.ifft(one[:, :, None] * two[:, None])[..., :T] / T

    def _waves(self, c: Complex) -> None:
        """Fourier transforms of the bins, by windows."""
        T = self.wave.shape[2]
        for k in range(self.windows):
            w = scipy.fft.fft(c[:, :, k * T : (k + 1) * T], norm="ortho") / np.sqrt(self.windows)
            self.wave += w / np.sqrt(self.windows)
            self.power += np.abs(w) ** 2
            self.pair += w * np.roll(w[:, :, ::-1], 1, axis=2)

    def _same(self, c: Complex, v: Complex, at: Any) -> None:
        """Moments of one bin: <c_a^+ c_b> and <c_a^+ c_b^+ c_b c_a>, vacuum parts left out."""
        a, b, va, vb = c[:, :, None], c[:, None], v[:, :, None], v[:, None]
        first = a.conj() * b - va.conj() * vb + self.algebra.entering[None, :, :, None]
        self.same1 += np.where(at, first, 0)
        both = self._four(a, b) - self._four(va, vb)
        self.same2 += np.where(at, both, 0)

    def _four(self, a: Complex, b: Complex) -> Real:
        gamma = self.algebra.gamma[None, :, :, None]
        own = np.diagonal(self.algebra.gamma).real
        one, two = own[None, :, None, None], own[None, None, :, None]
        A, B = np.abs(a) ** 2, np.abs(b) ** 2
        out = A * B - (one * B + two * A + 2 * (gamma * a.conj() * b).real) / 2
        return np.asarray(out + (one * two + np.abs(gamma) ** 2) / 4)

    @property
    def entering_four(self) -> Real:
        """The mean of ``_four`` of what enters, (A, A): Gaussian."""
        n = self.algebra.entering
        own = np.diagonal(n).real
        return np.asarray(np.outer(own, own) + np.abs(n) ** 2)

    # -- leaving one batch out -------------------------------------------------------------------

    def left_out(self, values: Any) -> Any:
        """Means over all trajectories, then without each batch: (1 + batches, ...)."""
        used = self.count > 0
        n, total = self.count.sum(), values.sum(axis=0)
        extra = (1,) * (values.ndim - 1)
        rest = (total - values)[used] / (n - self.count[used]).reshape(-1, *extra)
        return np.concatenate([total[None] / n, rest])
