"""Random numbers of quantum jumps: a function of (seed, trajectory, counter) alone.

SplitMix64 (Steele, Lea and Flood 2014): number n of a trajectory is a mix of key + n * (golden
ratio), so results do not depend on threads or on the order of trajectories.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)


@njit(cache=True)
def mix(x):  # type: ignore[no-untyped-def]
    """The finaliser of SplitMix64."""
    x = uint64(x)
    x = (x ^ (x >> uint64(30))) * _A
    x = (x ^ (x >> uint64(27))) * _B
    return x ^ (x >> uint64(31))


@njit(cache=True)
def key(seed, trajectory):  # type: ignore[no-untyped-def]
    """Key of one trajectory."""
    return mix(mix(uint64(seed) + _GOLDEN) ^ mix(uint64(trajectory) * _A + _B))


@njit(cache=True)
def uniform(key, counter):  # type: ignore[no-untyped-def]
    """Number ``counter`` of a trajectory, uniform in (0, 1)."""
    x = mix(uint64(key) + uint64(counter) * _GOLDEN)
    return (float(x >> uint64(12)) + 0.5) * 2.220446049250313e-16
