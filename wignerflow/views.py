"""What can be done with models and results by what stands above them: plain functions.

They are their methods, too: ``model.equations()``, ``result.plot()``. The classes themselves know
no method, no kernel and no plot.
"""

from __future__ import annotations

from typing import Any

from .exact.bridge import model_to_qutip
from .kernels.module import KernelText
from .model.model import Model
from .phasespace.method import TrajectoryMethod
from .plot import plot_result
from .result import Result
from .solving import check_treats, rerun, resolve_method
from .solving.costs import estimate


def equations(model: Model, method: Any = "twa") -> str:
    """The equations of motion that a method solves, as text: of every trajectory or of the moments.

    Single spins stand as J = s/2, with "spin-twa" as Pauli vectors s.

    Raises:
        ValueError: the method is unknown, cannot treat the model, or solves the master equation.
    """
    engine = resolve_method(method)
    check_treats(engine, model)
    return str(engine.equations(model))


def source(model: Model, method: Any = "twa") -> str:
    """The generated source that steps a block of trajectories.

    Raises:
        ValueError: the method is unknown, cannot treat the model, or has no trajectories.
    """
    engine = resolve_method(method)
    check_treats(engine, model)
    if not isinstance(engine, TrajectoryMethod):
        raise ValueError(f"Method {engine!r} has no trajectories; its equation is `model.latex()`.")
    return KernelText(engine.lower(model, {}, None)[0], []).plain()


def attach() -> None:
    """Make the functions methods of their first argument; ``import wignerflow`` does, once."""
    for kind, functions in (
        (
            Model,
            {
                "equations": equations,
                "source": source,
                "estimate": estimate,
                "to_qutip": model_to_qutip,
            },
        ),
        (Result, {"rerun": rerun, "plot": plot_result}),
    ):
        for name, function in functions.items():
            setattr(kind, name, function)
