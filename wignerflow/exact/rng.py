"""Random numbers of quantum jumps: a function of (seed, trajectory, counter) alone.

SplitMix64 (Steele, Lea and Flood 2014): number n of a trajectory is a mix of key + n * (golden
ratio), so results do not depend on threads or on the order of trajectories. In the language of
kernels, for the loops of the jump engines.
"""

from __future__ import annotations

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15
_A = 0xBF58476D1CE4E5B9
_B = 0x94D049BB133111EB
_LN2 = 0.6931471805599453


def mix(x):  # type: ignore[no-untyped-def]
    """The finaliser of SplitMix64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_A)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_B)
    return x ^ (x >> np.uint64(31))


def key(seed, trajectory):  # type: ignore[no-untyped-def]
    """Key of one trajectory, from two unsigned numbers."""
    return mix(mix(seed + np.uint64(_GOLDEN)) ^ mix(trajectory * np.uint64(_A) + np.uint64(_B)))


def uniform(key, counter):  # type: ignore[no-untyped-def]
    """Number ``counter`` of a trajectory, uniform in (0, 1)."""
    x = mix(key + np.uint64(counter) * np.uint64(_GOLDEN))
    return (np.float64(x >> np.uint64(12)) + 0.5) * 2.220446049250313e-16


def log(x):  # type: ignore[no-untyped-def]
    """Natural logarithm of a number in (0, 1], to rounding.

    2 artanh((m - 1) / (m + 1)) of a number m in (0.7, 1.42), and a power of two.
    """
    power = 0.0
    while x < 0.7071067811865476:
        x *= 2.0
        power -= 1.0
    s = (x - 1.0) / (x + 1.0)
    q, total = s * s, 0.0
    for back in range(12):
        total = total * q + 1.0 / np.float64(23 - 2 * back)
    return 2.0 * s * total + power * _LN2
