"""The random numbers of ``rng`` as CUDA device functions; in the simulator, their NumPy twins."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from numba import cuda

from . import rng


def _float_bits(x: Any) -> Any:  # pragma: no cover (compiled)
    return libdevice.float_as_int(x)


def _bits_float(x: Any) -> Any:  # pragma: no cover (compiled)
    return libdevice.int_as_float(x)


def _jit(function: Any) -> Any:
    options: dict[str, Any] = {"device": True, "fastmath": True, "forceinline": True}
    return cuda.jit(function, **options)


def _device_functions() -> dict[str, Any]:
    """The functions of ``rng``, compiled from the same code for the GPU."""
    scope = dict(vars(rng))
    scope["_f32_bits"], scope["_bits_f32"] = _jit(_float_bits), _jit(_bits_float)
    for name in (
        "_rotl", "threefry", "_minus_log", "normal_pair", "_three_point", "three_point_pair",
    ):  # fmt: skip
        code = scope[name].py_func.__code__
        scope[name] = _jit(FunctionType(code, scope, name))
    return scope


if cuda.is_available.__module__.startswith("numba.cuda.simulator"):
    normal_pair, three_point_pair = rng.normal_pair_np, rng.three_point_pair_np
else:
    from numba.cuda import libdevice

    _functions = _device_functions()
    normal_pair, three_point_pair = (_functions[k] for k in ("normal_pair", "three_point_pair"))
