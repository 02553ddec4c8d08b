"""Methods by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import _check
from ..exact.engine import Exact
from ..exact.jumps import QuantumJumps
from ..model.model import Model
from ..moments.method import Cumulant
from ..phasespace.generalized_p import GeneralizedP
from ..phasespace.mean_field import MeanField
from ..phasespace.schwinger import Schwinger
from ..phasespace.twa import TWA, SpinTWA
from ..run.automatic import choose_method
from .task import Task

METHODS: dict[str, Callable[[], Any]] = {
    "twa": TWA,
    "spin-twa": SpinTWA,
    "mean-field": MeanField,
    "cumulant": Cumulant,
    "exact": Exact,
    "jumps": QuantumJumps,
    "generalized-p": GeneralizedP,
    "schwinger-w": partial(Schwinger, "W"),
    "schwinger-p": partial(Schwinger, "P"),
    "schwinger-q": partial(Schwinger, "Q"),
}


def resolve_method(method: Any) -> Any:
    """A method object from its name, or the object itself."""
    if isinstance(method, str):
        return METHODS[_check.one_of("method", method, [*METHODS, "auto"])]()
    known = hasattr(method, "name") and (hasattr(method, "lower") or hasattr(method, "solve"))
    if isinstance(method, type) or not known:
        _check.fail(
            "method", "be a name or a method object such as wf.TWA()", method, kind=TypeError
        )
    return method


def choose(task: Task, method: Any) -> tuple[Any, str | None]:
    """The method object, and why it was taken where "auto" was asked for."""
    if isinstance(method, str) and method == "auto":
        engine, why = choose_method(task.model, task.times, task.base)
        return resolve_method(engine), why
    return resolve_method(method), None


def check_treats(engine: Any, model: Model) -> None:
    """Raise if a method cannot treat a model."""
    reason = engine.refuses(model)
    if reason is not None:
        raise ValueError(f"Method {engine!r} cannot treat this model: {reason}.")


def runs_trajectories(engine: Any) -> bool:
    """Whether a method runs phase-space trajectories."""
    return hasattr(engine, "lower") and bool(engine.stochastic)
