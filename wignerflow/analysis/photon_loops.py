"""Loops over the records of some chunks of 32 trajectories each, compiled, in one pass each."""

from __future__ import annotations

from typing import Any

from ..compiler.loops import Loop
from ..phasespace.channels import RECORDS
from ..run.statistics import BATCHES

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
