"""What is to be solved, and by what: a model, times and observables; methods by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..derived import DERIVED, Derived
from ..estimate import check_memory
from ..method import TRAJECTORIES, Method, Operators
from ..model.coefficients import Coef
from ..model.couplings import COUPLINGS, Coupling
from ..model.levels import Levels
from ..model.mode_states import MODE_STATES, ModeState, Squeezed
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.subsystems import KINDS, Mode, Spin, Subsystem
from ..model.timescales import points
from ..observables import Plan, flatten

#: Callables are tabulated at no more times than this, so that files stay small.
MAX_SAMPLES = 200_000
PER_TIME, PER_VALUE = 400.0, 100.0  # bytes of a result
FEW = 2  # quanta
LONG = 6  # members of an array up to which cumulants of high order are quick
ARRAY = 6  # members of a model that is made smaller, at most
POPULATIONS = 150  # emitters whose p(J, M) are tabulated in no time
SECONDS = 0.3  # of the processor, for an estimate of the error of a method


@dataclass
class Problem:
    """A model, output times (T,), observables by name, and what :func:`flatten` made of them."""

    model: Model
    times: NDArray[np.float64]
    named: dict[str, Any]
    base: Mapping[str, Op | ArrayOp]
    plan: Plan

    @property
    def has_callables(self) -> bool:
        """Whether a coefficient of time is a function that knows no grid of times."""
        return any(c.function is not None for c in self.model.coefficients)

    def tabulated(self, times: NDArray[np.float64]) -> Problem:
        """The same problem with samples at ``times`` in place of callables, if not too many."""
        if times.size > MAX_SAMPLES:
            return self
        return replace(self, model=self.model.tabulated(times))


def read_problem(model: Any, tlist: Any, e_ops: Any) -> Problem:
    """The problem of a call of ``solve``.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    times = _check.tlist(tlist)
    names, base, plan = flatten(e_ops, model.subsystems, model, times)
    values = e_ops.values() if isinstance(e_ops, Mapping) else e_ops
    return Problem(model, times, dict(zip(names, values, strict=True)), base, plan)


def check_problem(problem: Problem) -> None:
    """Raise here, not in the middle of a run, where its result or coefficients cannot be had.

    Raises:
        Beyond: the result alone, its text in provenance too, is more than this machine's memory.
        ValueError: a coefficient or a rate is not finite somewhere, or negative.
    """
    times, values = problem.times.size, problem.plan.channels
    check_memory(
        times * (PER_TIME + PER_VALUE * values),
        f"A result of {times} times and {values} values at each",
        "ask for fewer of them",
    )
    for coefficient in problem.model.coefficients:
        coefficient(problem.times)
    _check_rates(problem.model, problem.times)


def _check_rates(model: Model, times: NDArray[np.float64]) -> None:
    varying = {k: j.rate for k, j in enumerate(model.jumps) if isinstance(j.rate, Coef)}
    if varying:
        when = np.union1d(times, points(float(times[0]), float(times[-1])))
        for k, rate in varying.items():
            rate.rates(when, f"jumps[{k}].rate")


# ---------------------------------------------------------------- how large it is


def size_of(model: Model) -> float:
    """Emitters of the largest subsystem; without any, quanta of the largest coherent state."""
    sizes = [0.0]
    for sub in model.subsystems:
        for key, unit in (("numbers", 1.0), ("lengths", 2.0)):
            if key in vars(sub):
                sizes.append(unit * float(np.max(vars(sub)[key])))
    if max(sizes) == 0.0:
        states = [s for v in model.initial.values() for s in v if not isinstance(s, Squeezed)]
        sizes += [float(getattr(s, "quanta", 0.0)) for s in states]
    return max(sizes)


def single(sub: Subsystem) -> bool:
    """Whether it is a spin, or one emitter with levels (of each member)."""
    return isinstance(sub, Spin) or (isinstance(sub, Levels) and bool(np.all(sub.numbers == 1)))


def length(model: Model) -> int:
    """Members of the arrays of single emitters, spins or modes of a model; 0 where there are none.

    Also 0 where arrays differ, or where other subsystems than single modes are beside them.
    """
    counts = {sub.count for sub in model.subsystems if not isinstance(sub, Mode) or sub.count}
    alike = all(single(sub) or isinstance(sub, Mode) for sub in model.subsystems)
    return (counts.pop() or 0) if alike and len(counts) == 1 else 0


def has_smaller(model: Model) -> bool:
    """Whether smaller models can say something of it: of few members, or with a shorter array."""
    few = sum(sub.size for sub in model.subsystems) <= ARRAY
    return not model.links and (few or length(model) > LONG)


def few_quanta(model: Model) -> bool:
    """Modes alone, that begin with as many quanta as a small model has, or fewer."""
    modes = all(isinstance(sub, Mode) for sub in model.subsystems)
    return modes and size_of(model) <= FEW


def too_large(model: Model, seconds: float) -> bool:
    """Whether exact solutions are too large by the number of emitters or quanta alone.

    Of p(J, M) there are few for some more; (N + 1)^2 elements take longer still.
    """
    levels = any(isinstance(sub, Levels) for sub in model.subsystems)
    limit = POPULATIONS * np.sqrt(max(seconds, SECONDS) / SECONDS)
    return not levels and size_of(model) > limit


# ---------------------------------------------------------------- arrays member by member


def members(base: Mapping[str, Op | ArrayOp]) -> dict[str, Op]:
    """Array operators written out member by member, for methods that know single ones only."""
    out: dict[str, Op] = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out.update({f"{key}[{m}]": op[m] for m in range(op.size)})
        else:
            out[key] = op
    return out


def gather(base: Mapping[str, Op | ArrayOp], values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Inverse of :func:`members` for values: members on the last axis."""
    out = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out[key] = np.stack([values[f"{key}[{m}]"] for m in range(op.size)], axis=-1)
        else:
            out[key] = values[key]
    return out


# ---------------------------------------------------------------- methods


@dataclass(frozen=True)
class Own:
    """A method of this package: its module is imported when the method is made."""

    module: str
    kind: str
    arguments: tuple[str, ...] = ()

    def load(self) -> type:
        """Its class."""
        return getattr(importlib.import_module(f"..{self.module}", __package__), self.kind)  # type: ignore[no-any-return]

    @property
    def __signature__(self) -> inspect.Signature:
        """Of its options."""
        return inspect.signature(partial(self.load(), *self.arguments))

    def __call__(self, **options: Any) -> Method:
        """The method with such options."""
        return self.load()(*self.arguments, **options)  # type: ignore[no-any-return]


#: What makes the method of a name.
METHODS: dict[str, Callable[..., Method]] = {
    "twa": Own("phasespace.twa", "TWA"),
    "spin-twa": Own("phasespace.twa", "SpinTWA"),
    "cluster-twa": Own("phasespace.cluster_twa", "ClusterTWA"),
    "mean-field": Own("phasespace.mean_field", "MeanField"),
    "cumulant": Own("moments.method", "Cumulant"),
    "exact": Own("exact.engine", "Exact"),
    "jumps": Own("exact.jumps", "QuantumJumps"),
    "generalized-p": Own("phasespace.generalized_p", "GeneralizedP"),
    "schwinger-w": Own("phasespace.schwinger", "Schwinger", ("W",)),
    "schwinger-p": Own("phasespace.schwinger", "Schwinger", ("P",)),
    "schwinger-q": Own("phasespace.schwinger", "Schwinger", ("Q",)),
}

#: Members of :class:`Method` that a class of a user must have.
ASKED = ("name", "stochastic", "order", "ordering", "uses", "refuses", "run", "equations")

Class = TypeVar("Class", bound=type)


def classes() -> dict[str, Callable[[], type]]:
    """What gives a method's class, by the class's own name; none is imported or made."""
    return {
        make.kind if isinstance(make, Own) else make.__name__: partial(class_of, make)
        for make in METHODS.values()
    }


def class_of(make: Callable[..., Method]) -> type:
    """The class of a method, from its entry in ``METHODS``."""
    return make.load() if isinstance(make, Own) else make  # type: ignore[return-value]


def register(kind: Class) -> Class:
    """Make a class of one's own known by name; serves as a decorator.

    A method (a class with the members of ``wignerflow.method.Method``, or a subclass of
    ``wignerflow.phasespace.method.TrajectoryMethod``) is then found by ``solve(method=name)``, in
    model files and by ``result.rerun``; a subclass of :class:`wignerflow.Derived` in files of
    results, which can be pooled and run again. Subclasses of
    ``wignerflow.model.couplings.Coupling``, ``wignerflow.model.mode_states.ModeState`` and
    ``wignerflow.model.subsystems.Subsystem`` are found in model files by their ``kind``. The
    registration belongs into the module that defines the class: a process that reads such a file
    imports it first.

    Raises:
        TypeError: it is none of these, or leaves an answer of its base open.
        ValueError: another class has that name.
    """
    part: Any = kind
    for base, table in _TABLES:
        if isinstance(part, type) and issubclass(part, base):
            if inspect.isabstract(part):
                left = ", ".join(sorted(part.__dict__["__abstractmethods__"]))
                _check.fail("kind", f"answer {left}", part, kind=TypeError)
            name: str = part.__name__ if base is Derived else part.kind  # type: ignore[attr-defined]
            _add(table, name, part)
            return kind
    missing = [a for a in ASKED if not hasattr(kind, a)] if isinstance(kind, type) else ASKED
    if missing:
        hint = f"A method has {', '.join(ASKED)}."
        _check.fail("kind", "be a method or a subclass of wf.Derived", kind, hint, TypeError)
    same = classes().get(kind.__name__)
    if same is not None and same() is not kind:
        _check.fail("kind", "have a name of its own", kind.__name__)
    return _add(METHODS, str(kind.name), kind)  # type: ignore[attr-defined]


_TABLES: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (Derived, DERIVED),
    (Coupling, COUPLINGS),
    (ModeState, MODE_STATES),
    (Subsystem, KINDS),
)


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
        from ..run.automatic import choose_method

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
