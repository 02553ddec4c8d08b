r"""Sums over trajectories for photon statistics: what a chunk adds, and the estimators.

A bin's mode is c = v + s, with v the known part that enters and s what the source adds. In v alone,
and in its products with anything earlier, nothing has to be sampled: those means are known, and
their noise is left out (the estimators of ``wf.photons``). Everything is kept for each of 32
batches, for jackknife errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..compiler.loops import Loop
from ..phasespace.channels import RECORDS
from ..run.statistics import BATCHES

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Chunks whose products are made at once.
TOGETHER = 16
#: Bytes that a group of chunks leaves before they are added up, so that they are still at hand, as
#: many chunks at most, and groups that a worker adds up by itself.
AT_HAND, ADDED, GROUPS = 2**20, 4, 8
#: Sums without products of bins.
SUMMED = (
    "count", "_squares", "_entered", "_photons", "gain", "square", "_wave", "_power", "_cross",
    "missing",
)  # fmt: skip


AMPLITUDES = 4  # of the records of a field


@Loop
def arranged(seen: Any, first: Any, scales: Any, records: Any) -> None:
    """Records (RECORDS, A, B, trajectories) of what a kernel saw, (chunks, times, channels, 32).

    They begin at the time of number ``first``; amplitudes are multiplied by the ``scales`` (B,) of
    their bins.
    """
    for a in range(records.shape[1]):
        for b in range(records.shape[2]):
            for k in range(RECORDS):
                factor = scales[b] if k < AMPLITUDES else 1.0
                for c in range(seen.shape[0]):
                    for l in range(BATCHES):
                        value = seen[c, first + b, RECORDS * a + k, l]
                        records[k, a, b, BATCHES * c + l] = factor * value


@Loop
def summed(
    seen: Any,
    first: Any,
    scales: Any,
    squares: Any,
    entered: Any,
    photons: Any,
    gain: Any,
    amplitudes: Any,
) -> None:
    """Add to batches |c|^2, |v|^2 and the photons of each bin, to trajectories what they gain.

    Of what a kernel saw, see ``arranged``; it leaves Re c and Im c, (2, A, B, trajectories).
    """
    for c in range(seen.shape[0]):
        for b in range(scales.shape[0]):
            factor = scales[b]
            for a in range(gain.shape[0]):
                for l in range(BATCHES):
                    re = factor * seen[c, first + b, RECORDS * a, l]
                    im = factor * seen[c, first + b, RECORDS * a + 1, l]
                    amplitudes[0, a, b, BATCHES * c + l] = re
                    amplitudes[1, a, b, BATCHES * c + l] = im
                    squares[a, b, l] += re * re + im * im
                for l in range(BATCHES):
                    re = factor * seen[c, first + b, RECORDS * a + 2, l]
                    im = factor * seen[c, first + b, RECORDS * a + 3, l]
                    entered[a, b, l] += re * re + im * im
                for l in range(BATCHES):
                    photons[a, b, l] += seen[c, first + b, RECORDS * a + 4, l]
                    gain[a, BATCHES * c + l] += seen[c, first + b, RECORDS * a + 5, l]


@Loop
def transformed(waves: Any, total: Any, power: Any, cross: Any, scale: Any) -> None:
    """Add to batches Fourier transforms of Re c and Im c, their squares and their product.

    Real and imaginary parts in turn: ``waves`` (2, A, frequencies, 2 trajectories), ``cross``
    (A, frequencies, 64).
    """
    both = cross.shape[2]
    for a in range(cross.shape[0]):
        for w in range(cross.shape[1]):
            for c in range(waves.shape[3] // both):
                for l in range(both):
                    i = both * c + l
                    x, y = scale * waves[0, a, w, i], scale * waves[1, a, w, i]
                    total[0, a, w, l] += x
                    total[1, a, w, l] += y
                    power[0, a, w, l] += x * x
                    power[1, a, w, l] += y * y
                    cross[a, w, l] += x * y


@dataclass
class Bins:
    """What a kernel saw of some trajectories: one chunk of 32 or more.

    ``seen`` (chunks, times, channels, 32) holds the records of A fields (``kernels.records``) over
    bins from the time of number ``first`` on; ``scales`` (B,) make amplitudes those of the bins'
    modes. Trajectories that do not count have zeros.
    """

    seen: Real
    first: int
    scales: Real
    fields: int
    counts: NDArray[np.bool_]  # of each, in chunks: (chunks, 32)
    #: What is missing in the energy balance of each trajectory; None: there is none.
    missing: Real | None = None

    def arranged(self) -> Real:
        """Records (RECORDS, A, B, trajectories).

        Re and Im of the amplitudes c in the modes of bins, and of the part v that enters; photons
        in the bin by the symbol of the flux; what the sum over steps of abs(b_out)^2 - abs(b_in)^2
        makes of it.
        """
        number = BATCHES * len(self.seen)
        out = np.empty((RECORDS, self.fields, self.scales.size, number))
        arranged(self.seen, self.first, self.scales, out)
        return out


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
        shapes: amplitudes u of K modes, (K, B); moments and products are then of the sums of
            u_j^* c_j over bins in place of single bins.
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
        shapes: Complex | None = None,
    ):
        self.shape = fields, bins
        A, self.algebra, self.flux, self.steady = fields, algebra, flux and not ways, steady
        self.ways, self.shapes = ways, shapes
        self.origins = bins // 2 if steady else 0
        T = bins // 2 if steady else bins
        B = BATCHES
        self.count = np.zeros(B)
        # sums of |c|^2, |v|^2 and of the photons by the symbol of the flux
        self._squares, self._entered, self._photons = np.zeros((3, A, bins, B))
        self.gain, self.square = np.zeros((2, B, A))
        self.windows = 2 if steady else 1
        half = T // 2 + 1
        # of the Fourier transforms X of Re c and Y of Im c: sums of them, their squares, products;
        # real and imaginary parts in turn
        self._wave, self._power = np.zeros((2, 2, A, half, 2 * B))
        self._cross = np.zeros((A, half, 2 * B))
        K = bins if shapes is None else len(shapes)
        last = (T,) if steady else (K, K)
        self.g1 = np.zeros((B, A, A, *last), complex) if g1 else None
        self.g2 = np.zeros((B, A, A, *last)) if g2 else None
        self.same1 = np.zeros((B, A, A, K), complex)
        self.same2 = np.zeros((B, A, A, K))
        self._entered_modes = np.zeros((B, A, K))
        #: Sum of squares of what is missing in the energy of trajectories, and their number.
        self.missing = np.zeros(2)
        self._waiting: list[tuple[Any, Any, Real, Real]] = []
        self._room = np.empty((2, A, bins, 0))

    def part(self, groups: Iterator[Bins]) -> Sums:
        """Sums of groups without products of bins, to be added to these."""
        out = Sums(*self.shape, self.algebra, self.flux, False, False, self.steady, self.ways)
        for bins in groups:
            out.add(bins)
        return out

    def absorb(self, part: Sums) -> None:
        """Add what ``part`` made."""
        for name in SUMMED:
            total = getattr(self, name)
            total += getattr(part, name)

    def add(self, bins: Bins) -> None:
        """Add some chunks; one where products of bins are wanted."""
        self.count += bins.counts.sum(axis=0)
        if bins.missing is not None:
            some = bins.missing[bins.counts]
            self.missing += [np.sum(some**2), some.size]
        if self.shapes is not None or self.g1 is not None or self.g2 is not None:
            self._pairs(bins)
        A, B = self.shape
        number = bins.counts.size
        gain = np.zeros((A, number))
        if self._room.shape[3] != number:
            self._room = np.empty((2, A, B, number))
        amplitudes = self._room
        sums = self._squares, self._entered, self._photons
        summed(bins.seen, bins.first, bins.scales, *sums, gain, amplitudes)
        if self.shapes is None:
            self._waves(amplitudes)
        by_chunk = gain.reshape(A, -1, BATCHES)
        self.gain += by_chunk.sum(axis=1).T
        self.square += (by_chunk**2).sum(axis=1).T

    def _pairs(self, chunk: Bins) -> None:
        """Products of bins."""
        r = np.moveaxis(chunk.arranged(), 3, 1)
        c, v, flux = r[0] + 1j * r[1], r[2] + 1j * r[3], r[4]
        if self.shapes is not None:
            c, v = (y @ self.shapes.conj().T for y in (c, v))
            self._entered_modes += np.abs(v) ** 2
        C, V = np.abs(c) ** 2, np.abs(v) ** 2
        at = chunk.counts.reshape(-1, 1, 1)
        own = np.diagonal(self.algebra.gamma).real[None, :, None]
        entering = np.diagonal(self.algebra.entering).real[None, :, None]
        x = np.where(at, C - V + entering, 0)
        early = np.where(at, C - own / 2, 0)
        self._same(c, v, at[..., None])
        later = flux if self.flux else (early if self.ways else x)
        s = c if self.ways else c - v
        if self.steady:
            if self.g1 is not None:
                self.g1 += self._lags(c.conj(), s)
            if self.g2 is not None:
                self.g2 += self._lags(early, later).real
            return
        self._waiting.append((c, s, early, later.copy()))
        if self.shapes is not None:
            self._waiting.append((-v, v, 0 * early, 0 * early))
        if len(self._waiting) >= TOGETHER:
            self.flush()

    @property
    def x(self) -> Real:
        """Sums of normally ordered |c|^2, what enters alone left out: (32, A, bins)."""
        if self.shapes is not None:
            return np.diagonal(self.same1, axis1=1, axis2=2).real.swapaxes(1, 2)
        known = np.diagonal(self.algebra.entering).real
        return _by_batch(self._squares - self._entered) + self.count[:, None, None] * known[:, None]

    @property
    def photons(self) -> Real:
        """Sums of the photons in bins by the symbol of the flux."""
        return _by_batch(self._photons)

    @property
    def alone(self) -> Real:
        """Sums of what was left out."""
        known = np.diagonal(self.algebra.known).real
        if self.shapes is not None:
            return self._entered_modes - self.count[:, None, None] * known[:, None]
        return _by_batch(self._entered) - self.count[:, None, None] * known[:, None]

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

    @property
    def overlaps(self) -> Complex:
        """Products <v_k^* v_l> of what enters modes, of those of single bins."""
        assert self.shapes is not None
        return self.shapes @ self.shapes.conj().T

    def _lags(self, first: Any, later: Any) -> Any:
        """Mean over origins of first(a, t) later(b, t + tau): (32, A, A, T)."""
        T, n = self.origins, later.shape[2]
        size = scipy.fft.next_fast_len(n + T)
        one = scipy.fft.fft(first[:, :, :T].conj(), size).conj()
        two = scipy.fft.fft(later, size)
        return scipy.fft.ifft(one[:, :, None] * two[:, None])[..., :T] / T

    def _waves(self, parts: Real) -> None:
        """Fourier transforms of the bins, by windows; parts: Re and Im, (2, A, B, n)."""
        T = parts.shape[2] // self.windows
        for k in range(self.windows):
            w = scipy.fft.rfft(parts[:, :, k * T : (k + 1) * T], axis=2, norm="ortho")
            scale = self.windows**-0.5
            transformed(w.view(float), self._wave, self._power, self._cross, scale)

    def quadrature(self, a: int, angle: float) -> Real:
        """Spectra of cos(angle) Re c + sin(angle) Im c of output a, less their means.

        All and without each batch, (1 + batches, T // 2 + 1).
        """
        cos, sin = np.cos(angle), np.sin(angle)
        X, Y = (w.view(complex).T for w in self._wave[:, a])
        mean = self.left_out((cos * X + sin * Y) / self.windows**0.5)
        power = cos**2 * self._power[0, a] + sin**2 * self._power[1, a]
        total = power + 2 * cos * sin * self._cross[a]
        both = total[:, ::2] + total[:, 1::2]
        return np.asarray(self.left_out(both.T) - np.abs(mean) ** 2)

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


def _by_batch(values: Real) -> Real:
    """(A, B, 32) as (32, A, B)."""
    return np.ascontiguousarray(np.moveaxis(values, 2, 0))
