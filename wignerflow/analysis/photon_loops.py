"""Loops over the records of some chunks of 32 trajectories each, compiled, in one pass each."""

from __future__ import annotations

from typing import Any

from ..compiler.loops import Loop
from ..phasespace.system import RECORDS
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
def summed(records: Any, squares: Any, entered: Any, photons: Any, gain: Any) -> None:
    """Add to batches |c|^2, |v|^2 and the photons of each bin, to trajectories what they gain."""
    for a in range(records.shape[1]):
        for b in range(records.shape[2]):
            for c in range(records.shape[3] // BATCHES):
                for l in range(BATCHES):
                    i = BATCHES * c + l
                    re, im = records[0, a, b, i], records[1, a, b, i]
                    squares[a, b, l] += re * re + im * im
                    re, im = records[2, a, b, i], records[3, a, b, i]
                    entered[a, b, l] += re * re + im * im
                    photons[a, b, l] += records[4, a, b, i]
                    gain[a, i] += records[5, a, b, i]


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
