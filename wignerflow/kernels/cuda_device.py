"""The random numbers of ``rng`` as CUDA device functions; in the simulator, their NumPy twins."""

from __future__ import annotations

import math
from typing import Any

from numba import cuda, float32, int32, uint32

from . import rng
from .rng import COS, LOG, ROOT, SIN, SIXTH

_SIMULATED = cuda.is_available.__module__.startswith("numba.cuda.simulator")
if not _SIMULATED:
    from numba.cuda import libdevice


def _jit(function: Any) -> Any:
    options: dict[str, Any] = {"device": True, "fastmath": True, "forceinline": True}
    return function if _SIMULATED else cuda.jit(function, **options)


@_jit
def _f32_bits(x: Any) -> Any:  # pragma: no cover (compiled)
    return libdevice.float_as_int(x)


@_jit
def _bits_f32(x: Any) -> Any:  # pragma: no cover (compiled)
    return libdevice.int_as_float(x)


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
    i: Any = _f32_bits(f)
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
    r = _bits_f32(int32(_f32_bits(r) ^ flip))
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


if _SIMULATED:
    normal_pair, three_point_pair = rng.normal_pair_np, rng.three_point_pair_np
