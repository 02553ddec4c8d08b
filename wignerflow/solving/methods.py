"""Methods by name, those of users too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from .. import _check
from ..derived import DERIVED, Derived
from ..exact.engine import Exact
from ..exact.jumps import QuantumJumps
from ..method import TRAJECTORIES, Method, Operators
from ..model.model import Model
from ..moments.method import Cumulant
from ..phasespace.generalized_p import GeneralizedP
from ..phasespace.mean_field import MeanField
from ..phasespace.schwinger import Schwinger
from ..phasespace.twa import TWA, SpinTWA
from ..run.automatic import choose_method
from .problem import Problem

#: What makes the method of a name.
METHODS: dict[str, Callable[[], Method]] = {
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

#: Members of :class:`Method` that a class of a user must have.
ASKED = ("name", "stochastic", "order", "ordering", "uses", "refuses", "run", "equations")

Class = TypeVar("Class", bound=type)


def classes() -> dict[str, type]:
    """Every method's class by its own name; none is made."""
    kinds = (m.func if isinstance(m, partial) else m for m in METHODS.values())
    return {kind.__name__: kind for kind in kinds if isinstance(kind, type)}


def register(kind: Class) -> Class:
    """Make a method or a derived observable of one's own known by name; serves as a decorator.

    A method (a class with the members of ``wignerflow.method.Method``, or a subclass of
    ``wignerflow.phasespace.method.TrajectoryMethod``) is then found by ``solve(method=name)``, in
    model files and by ``result.rerun``; a subclass of :class:`wignerflow.Derived` in files of
    results, which can be pooled and run again. The registration belongs into the module that
    defines the class: a process that reads such a file imports it first.

    Raises:
        TypeError: it is neither.
        ValueError: another class has that name.
    """
    if isinstance(kind, type) and issubclass(kind, Derived):
        return _add(DERIVED, kind.__name__, kind)
    missing = [a for a in ASKED if not hasattr(kind, a)] if isinstance(kind, type) else ASKED
    if missing:
        hint = f"A method has {', '.join(ASKED)}."
        _check.fail("kind", "be a method or a subclass of wf.Derived", kind, hint, TypeError)
    if kind.__name__ in classes() and classes()[kind.__name__] is not kind:
        _check.fail("kind", "have a name of its own", kind.__name__)
    return _add(METHODS, str(kind.name), kind)  # type: ignore[attr-defined]


def _add(table: dict[str, Any], name: str, kind: Class) -> Class:
    if table.get(name, kind) is not kind or name == "auto":
        _check.fail("kind", "have a name of its own", name)
    table[name] = kind
    return kind


def resolve_method(method: Any) -> Any:
    """A method object from its name, or the object itself."""
    if isinstance(method, str):
        return METHODS[_check.one_of("method", method, [*METHODS, "auto"])]()
    if isinstance(method, type) or not all(hasattr(method, member) for member in ASKED):
        must = "be a name or a method object such as wf.TWA()"
        _check.fail("method", must, method, kind=TypeError)
    return method


def choose(problem: Problem, method: Any) -> tuple[Any, str | None]:
    """The method object, and why it was taken where "auto" was asked for."""
    if isinstance(method, str) and method == "auto":
        return choose_method(problem.model, problem.times, problem.base)
    return resolve_method(method), None


def check_treats(method: Method, model: Model, ops: Operators | None = None) -> None:
    """Raise if a method cannot treat a model."""
    reason = method.refuses(model, ops)
    if reason is not None:
        raise ValueError(f"Method {method!r} cannot treat this model: {reason}.")


def runs_trajectories(method: Method) -> bool:
    """Whether a method runs many phase-space trajectories."""
    return method.uses >= TRAJECTORIES
