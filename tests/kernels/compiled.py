"""Compiles small functions of kernel text for this machine."""

from __future__ import annotations

from wignerflow.kernels import compiler, rng
from wignerflow.kernels.targets import Loaded


def compiled(text: str, *, single: bool = True, lanes: int = 32) -> Loaded:
    """The function ``run`` of a text, beside the functions of random numbers."""
    head = ["import numpy as np", f"F = np.{'float32' if single else 'float64'}", f"LN = {lanes}"]
    return compiler.load("\n".join(head) + "\n" + rng.TEXT + text)
