"""Compiles small functions of kernel text for this machine."""

from __future__ import annotations

from wignerflow.compiler import build
from wignerflow.compiler.targets import Loaded
from wignerflow.kernels import rng


def compiled(text: str, *, single: bool = True, lanes: int = 32) -> Loaded:
    """The function ``run`` of a text, beside the functions of random numbers."""
    head = ["import numpy as np", f"F = np.{'float32' if single else 'float64'}", f"LN = {lanes}"]
    return build.load("\n".join(head) + "\n" + rng.TEXT + text)
