"""Runs generated kernels uncompiled, with NumPy arrays as lanes: for tests and debugging."""

from __future__ import annotations

import functools
from types import CodeType
from typing import Any

import numpy as np

from . import rng
from .dense import dense_product_np
from .text import LANE_LOOP


def namespace(lanes: int) -> dict[str, Any]:
    """The names a generated text uses, as NumPy functions over ``lanes`` trajectories."""
    return {
        "LN": lanes,
        "LANES": np.arange(lanes),
        "F": np.float64,
        "U": np.uint32,
        "FAR": 2**62 - 1,
        "np": np,
        "normal_pair": rng.normal_pair_np,
        "three_point_pair": rng.three_point_pair_np,
        "threefry": rng.threefry_np,
        "dense_product": dense_product_np,
        "fmax0": lambda x: np.where(x < 0, 0.0, x),
        "below": lambda x: np.where(x < 0, 1.0, 0.0),
        "pick": lambda c, a, b: np.where(c > 0, a, b),
        "finite": lambda x: np.where(np.isfinite(x), 1.0, 0.0),
        "fresh": lambda entry: entry,
        "jit": lambda f: f,
    }


def load(source: str, lanes: int) -> dict[str, Any]:
    """Execute a generated module with NumPy lanes; its functions by name."""
    scope = namespace(lanes)
    exec(_code(source), scope)
    return scope


@functools.lru_cache(maxsize=64)
def _code(source: str) -> CodeType:
    text = source.replace(LANE_LOOP, "for l in (LANES,):")
    return compile(text, "<wignerflow kernel>", "exec")
