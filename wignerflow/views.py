"""What a method makes of a model, to be read: its equations and its generated kernel."""

from __future__ import annotations

from typing import Any

from .kernels.module import KernelText
from .model.model import Model
from .moments.method import Cumulant
from .phasespace import equations as text
from .phasespace.twa import SpinTWA
from .solving import check_treats, resolve_method


def _system(model: Model, method: Any) -> Any:
    engine = resolve_method(method)
    check_treats(engine, model)
    if not hasattr(engine, "lower"):
        raise ValueError(f"Method {engine!r} has no trajectories; its equation is `model.latex()`.")
    system, _ = engine.lower(model, {}, None)
    return system


def equations(model: Model, method: Any = "twa") -> str:
    """The equations of motion of a method, as text: of every trajectory, or of the moments."""
    engine = resolve_method(method)
    if isinstance(engine, Cumulant):
        return engine.equations(model)
    return text.text(_system(model, engine), pauli=isinstance(engine, SpinTWA))


def source(model: Model, method: Any = "twa") -> str:
    """The generated Python source that steps a block of trajectories."""
    return KernelText(_system(model, method), []).plain()
