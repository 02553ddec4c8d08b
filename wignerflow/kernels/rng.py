"""Counter-based random numbers: threefry-2x32 with 12 rounds, and normal pairs by Box-Muller.

Layout, frozen like a file format. A 64-bit seed gives two key words. Trajectory ``t`` is one of
2^63: its high word ``t // 2^32`` enters the run key ``threefry(seed key, (high word,
TRAJECTORIES))``, made once per chunk. At every step a step key is ``threefry(run key, (step
counter, purpose))``; pair number ``channel`` of the trajectory is then ``threefry(step key, (low
word, channel))``: two 32-bit words, two standard normals. Purposes: ``INITIAL``, ``DYNAMICS`` (one
counter value per collective step), ``LOCAL`` (one per local step), ``READOUT``. Channels follow
from the names of subsystems and jumps, see ``draws``. A number thus depends on (seed, trajectory,
step, name) alone, never on threads, chunks or what else a model holds.

Normals are computed in single precision (31-bit radius and angle) whatever the precision of the
state: the same seed gives the same noise in both. Tails end at 6.6 standard deviations.

Each function has a NumPy twin (suffix ``_np``) with which generated kernels run uncompiled.
Source of the generator: Salmon et al., SC'11 (2011), doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import math
from typing import Any

import llvmlite.ir as ir
import numba as nb
import numpy as np
from numba import float32, int32, uint32
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

INITIAL, DYNAMICS, LOCAL, READOUT, TRAJECTORIES = 0, 1, 2, 3, 4

# No "nnan"/"ninf": the check for failed trajectories relies on NaN and infinity being honoured.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

# Coefficients of degree-8 and degree-4 Chebyshev fits, constant term first (float32):
# log(1 + g)/g on [sqrt(1/2) - 1, sqrt(2) - 1]; sin(pi x/2)/x and cos(pi x/2) in x^2 on [0, 1].
LOG = (
    1.0,
    -0.49999988079071045,
    0.3333418369293213,
    -0.2500215470790863,
    0.19956977665424347,
    -0.16560696065425873,
    0.14949095249176025,
    -0.14377330243587494,
    0.08743945509195328,
)
SIN = (
    1.5707963705062866,
    -0.6459637880325317,
    0.07968991994857788,
    -0.004674150608479977,
    0.0001516751217423007,
)
COS = (
    0.9999999403953552,
    -1.2336982488632202,
    0.2536506950855255,
    -0.020810570567846298,
    0.0008581625297665596,
)


#: Three-point numbers: sqrt(3), and the words below 2^32/6.
ROOT, SIXTH = 1.7320508075688772, 0x100000000 // 6


def _jit(function: Any) -> Any:
    return nb.njit(function, fastmath=FASTMATH, error_model="numpy", forceinline=True)


@intrinsic  # type: ignore[untyped-decorator]
def _f32_bits(typingctx: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _bits_f32(typingctx: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@_jit
def _rotl(x: Any, r: int) -> Any:
    return uint32(uint32(x << uint32(r)) | uint32(x >> uint32(32 - r)))


@_jit
def threefry(k0: Any, k1: Any, c0: Any, c1: Any) -> Any:
    """Two 32-bit words from a key (k0, k1) and a counter (c0, c1)."""
    k2 = uint32(k0 ^ k1 ^ uint32(0x1BD11BDA))
    x0 = uint32(c0 + k0)
    x1 = uint32(c1 + k1)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 13) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 15) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 26) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 6) ^ x0)
    x0 = uint32(x0 + k1)
    x1 = uint32(uint32(x1 + k2) + uint32(1))
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 17) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 29) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 16) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 24) ^ x0)
    x0 = uint32(x0 + k2)
    x1 = uint32(uint32(x1 + k0) + uint32(2))
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 13) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 15) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 26) ^ x0)
    x0 = uint32(x0 + x1)
    x1 = uint32(_rotl(x1, 6) ^ x0)
    x0 = uint32(x0 + k0)
    x1 = uint32(uint32(x1 + k1) + uint32(3))
    return x0, x1


@_jit
def _minus_log(bits: Any) -> Any:
    """-log of (bits/2 + 1/2)/2^31, a number in (0, 1]."""
    f = float32(int32(bits >> uint32(1))) * float32(4.656612873077393e-10) + float32(
        2.3283064365386963e-10
    )
    i: Any = _f32_bits(f)  # type: ignore[call-arg]
    e = int32(int32(i - int32(0x3F3504F3)) >> int32(23))
    g = _bits_f32(int32(i - int32(e << int32(23)))) - float32(1)
    p = float32(LOG[8])
    p = p * g + float32(LOG[7])
    p = p * g + float32(LOG[6])
    p = p * g + float32(LOG[5])
    p = p * g + float32(LOG[4])
    p = p * g + float32(LOG[3])
    p = p * g + float32(LOG[2])
    p = p * g + float32(LOG[1])
    p = p * g + float32(LOG[0])
    return -(float32(e) * float32(0.6931471805599453) + g * p)


@_jit
def normal_pair(k0: Any, k1: Any, trajectory: Any, channel: Any) -> Any:
    """Two independent standard normals (single precision)."""
    b0, b1 = threefry(k0, k1, trajectory, channel)
    r = math.sqrt(float32(2) * _minus_log(b0))
    x = float32(int32(uint32(b1 << uint32(1)))) * float32(4.656612873077393e-10)  # in [-1, 1)
    z = x * x
    s = float32(SIN[4])
    s = s * z + float32(SIN[3])
    s = s * z + float32(SIN[2])
    s = s * z + float32(SIN[1])
    s = s * z + float32(SIN[0])
    c = float32(COS[4])
    c = c * z + float32(COS[3])
    c = c * z + float32(COS[2])
    c = c * z + float32(COS[1])
    c = c * z + float32(COS[0])
    flip = int32(int32(b1) & int32(-2147483648))  # the top bit turns the angle by pi
    r = _bits_f32(int32(_f32_bits(r) ^ flip))  # type: ignore[call-arg]
    return r * c, r * (s * x)


@_jit
def _three_point(word: Any) -> Any:
    return (
        -float32(ROOT)
        if word < uint32(SIXTH)
        else (float32(ROOT) if word > uint32(0xFFFFFFFF - SIXTH) else float32(0))
    )


@_jit
def three_point_pair(k0: Any, k1: Any, trajectory: Any, channel: Any) -> Any:
    """Two independent numbers, +-sqrt(3) with probability 1/6 each and else 0.

    A draw of two words serves the pairs 2c and 2c + 1; a word gives two digits to base six.
    """
    b0, b1 = threefry(k0, k1, trajectory, uint32(channel >> uint32(1)))
    word = b1 if uint32(channel & uint32(1)) == uint32(1) else b0
    return _three_point(word), _three_point(uint32(word * uint32(6)))


# ---------------------------------------------------------------------------- NumPy twins


def threefry_np(k0: Any, k1: Any, c0: Any, c1: Any) -> tuple[Any, Any]:
    """NumPy twin of ``threefry``."""
    mask = np.uint64(0xFFFFFFFF)
    key = [np.uint64(k0), np.uint64(k1)]
    key.append(key[0] ^ key[1] ^ np.uint64(0x1BD11BDA))
    x0 = (np.asarray(c0, np.uint64) + key[0]) & mask
    x1 = (np.asarray(c1, np.uint64) + key[1]) & mask
    rotations = ((13, 15, 26, 6), (17, 29, 16, 24), (13, 15, 26, 6))
    for block, rs in enumerate(rotations):
        for r in rs:
            x0 = (x0 + x1) & mask
            x1 = (((x1 << np.uint64(r)) | (x1 >> np.uint64(32 - r))) & mask) ^ x0
        x0 = (x0 + key[(block + 1) % 3]) & mask
        x1 = (x1 + key[(block + 2) % 3] + np.uint64(block + 1)) & mask
    return x0.astype(np.uint32), x1.astype(np.uint32)


def normal_pair_np(
    k0: Any, k1: Any, trajectory: Any, channel: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """NumPy twin of ``normal_pair``, by the library's own log, sin and cos."""
    b0, b1 = threefry_np(k0, k1, trajectory, channel)
    f = ((b0 >> np.uint32(1)).astype(np.float64) + 0.5) * 2.0**-31
    r = np.sqrt(-2 * np.log(f))
    x = (b1 << np.uint32(1)).astype(np.uint32).astype(np.int32) * 2.0**-31
    r = np.where(b1 >> np.uint32(31), -r, r)
    return r * np.cos(np.pi / 2 * x), r * np.sin(np.pi / 2 * x)


def three_point_pair_np(
    k0: Any, k1: Any, trajectory: Any, channel: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """NumPy twin of ``three_point_pair``."""
    channel = np.asarray(channel, np.uint64)
    b0, b1 = threefry_np(k0, k1, trajectory, channel >> np.uint64(1))
    word = np.where(channel & np.uint64(1), b1, b0).astype(np.uint64)
    second = (word * np.uint64(6)) & np.uint64(0xFFFFFFFF)
    root = float(np.float32(ROOT))
    one, two = (
        root * ((w > 0xFFFFFFFF - SIXTH).astype(float) - (w < SIXTH)) for w in (word, second)
    )
    return one, two


def seed_words(seed: int) -> tuple[np.uint32, np.uint32]:
    """The two key words of a 64-bit seed."""
    return np.uint32(seed & 0xFFFFFFFF), np.uint32((seed >> 32) & 0xFFFFFFFF)


def run_words(seed: int, trajectory: int) -> tuple[np.uint32, np.uint32]:
    """The key words of a seed for trajectories with the high word of ``trajectory``."""
    a, b = threefry_np(*seed_words(seed), trajectory >> 32, TRAJECTORIES)
    return np.uint32(a), np.uint32(b)
