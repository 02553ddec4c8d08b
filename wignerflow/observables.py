"""Observables between user and kernel: from ``e_ops`` to base operators, channels and values.

``flatten`` splits ``e_ops`` into base operators, each needed once, and a :class:`Plan`, which gives
every base operator its real channels; a method fills them; ``assemble`` (with errors, from
samples) or ``assemble_exact`` turns them into what the user asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import _check
from .derived import DERIVED, Derived, Operator
from .model.model import Model
from .model.normal import CoupleNode, Site, SumNode
from .model.operators import ArrayOp, Measurable, Op
from .model.printing import op_text
from .model.products import PairProducts
from .model.subsystems import SAME_NAME, LocalOp, Subsystem, naming
from .run.statistics import Samples

Values = dict[str, NDArray]


class Slot(NamedTuple):
    """Where one operator stands among the K real channels.

    Attributes:
        span: its channels; for a complex operator all real parts, then all imaginary parts.
        shape: ``()`` for one operator, ``(M,)`` for an array operator.
        is_complex: whether imaginary parts follow the real ones.
    """

    span: slice
    shape: tuple[int, ...]
    is_complex: bool

    def read(self, channels: NDArray[np.float64]) -> NDArray[np.float64] | NDArray[np.complex128]:
        """Values of the operator, (..., *shape), from real channels (..., K)."""
        part = channels[..., self.span]
        lead = part.shape[:-1]
        if not self.is_complex:
            return part.reshape(lead + self.shape)
        half = part.shape[-1] // 2
        out = np.empty((*lead, half), complex)
        out.real, out.imag = part[..., :half], part[..., half:]
        return out.reshape(lead + self.shape)


@dataclass(frozen=True)
class Base:
    """What is kept of a base operator: shape, kind, and a name valid across sessions."""

    shape: tuple[int, ...]
    is_complex: bool
    fingerprint: str


@dataclass(frozen=True)
class Observable:
    """One entry of ``e_ops``.

    Attributes:
        name: as the user gave it.
        rule: None for an operator itself.
        inputs: the keys of the base operators by the rule's names ("" for an operator itself).
        axes: (name, coordinates) of the axes after time.
    """

    name: str
    rule: Derived | None
    inputs: dict[str, str]
    axes: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def value(self, means: Values) -> NDArray:
        """What it is where its inputs have these means."""
        return np.asarray(means[""] if self.rule is None else self.rule.evaluate(means))


@dataclass(frozen=True)
class Plan:
    """How the user's observables follow from the base operators."""

    observables: tuple[Observable, ...]
    base: dict[str, Base]

    @cached_property
    def names(self) -> list[str]:
        """Names of the observables."""
        return [o.name for o in self.observables]

    @cached_property
    def derived_keys(self) -> set[str]:
        """Base operators whose batch sums a derived observable needs."""
        rules = (o for o in self.observables if o.rule is not None and not o.rule.linear)
        return {k for o in rules for k in o.inputs.values()}

    @property
    def known(self) -> bool:
        """Whether ``from_dict`` can rebuild it: no derived observable of the user's own class."""
        return all(
            o.rule is None or DERIVED.get(type(o.rule).__name__) is type(o.rule)
            for o in self.observables
        )

    @cached_property
    def channels(self) -> int:
        """Number of real channels K."""
        return max((slot.span.stop for slot in self.slots.values()), default=0)

    @cached_property
    def slots(self) -> dict[str, Slot]:
        """The real channels of each base operator, in their order.

        A Hermitian operator has one channel and any other two (real, imaginary); an array operator
        has M, or 2M: all real parts, then all imaginary parts.
        """
        out, start = {}, 0
        for key, b in self.base.items():
            stop = start + int(np.prod(b.shape, dtype=np.int64)) * (2 if b.is_complex else 1)
            out[key] = Slot(slice(start, stop), b.shape, b.is_complex)
            start = stop
        return out

    def values(self, channels: NDArray[np.float64]) -> Values:
        """Every observable where the channels (..., K) have these means, by name."""
        base = {key: slot.read(channels) for key, slot in self.slots.items()}
        return {
            o.name: o.value({n: base[k] for n, k in o.inputs.items()}) for o in self.observables
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain form, without operators."""
        return {
            "observables": [
                {
                    "name": o.name,
                    "rule": None if o.rule is None else type(o.rule).__name__,
                    "parameters": {} if o.rule is None else o.rule.parameters(),
                    "inputs": dict(o.inputs),
                    "axes": [[name, list(values)] for name, values in o.axes],
                }
                for o in self.observables
            ],
            "base": {
                k: {"shape": list(b.shape), "complex": b.is_complex, "fingerprint": b.fingerprint}
                for k, b in self.base.items()
            },
        }

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Plan:
        """Inverse of :meth:`to_dict`; its derived observables evaluate but hold no operators.

        Raises:
            ValueError, TypeError, KeyError: the data are not what ``to_dict`` gives, or name a
                derived observable that wignerflow does not know.
        """
        base = {}
        for key, b in data["base"].items():
            shape = tuple(_check.integer("shape", n, 0) for n in b["shape"])
            if (
                len(shape) > 1
                or not isinstance(b["complex"], bool)
                or not isinstance(b["fingerprint"], str)
            ):
                _check.fail("base", "hold shapes, kinds and fingerprints", b)
            base[key] = Base(shape, b["complex"], b["fingerprint"])
        observables = []
        for o in data["observables"]:
            rule = None
            if o["rule"] is not None:
                rule = DERIVED[_check.one_of("rule", o["rule"], DERIVED)].restore(o["parameters"])
            inputs = {str(n): _check.one_of("inputs", k, base) for n, k in o["inputs"].items()}
            if rule is None and list(inputs) != [""]:
                _check.fail("inputs", "name one operator", inputs)
            axes = tuple((str(n), tuple(float(x) for x in v)) for n, v in o["axes"])
            observables.append(Observable(o["name"], rule, inputs, axes))
        check_names(o.name for o in observables)
        return Plan(tuple(observables), base)


# ---------------------------------------------------------------- from e_ops

#: Names that a result uses itself.
_TAKEN = ("time", "member", "pair", "momentum")
_ENDINGS = ("_sem", "_std", "_step_error", "_truncation", "_real", "_imag")


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        _check.fail("e_ops", "have printable, non-empty strings as names", name, kind=TypeError)
    if name in _TAKEN:
        _check.fail(
            "e_ops", f"not use the names {', '.join(_TAKEN)}, which the axes of a result have", name
        )
    return name


def check_names(names: Iterable[str]) -> None:
    """Raise unless the names can stand together in one result (and in one file)."""
    names = [_name(name) for name in names]
    if not names:
        _check.fail("e_ops", "hold at least one observable", names)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            _check.fail(
                "e_ops",
                "name every observable once",
                f"one with two named {name!r}",
                "Use a dict to choose names.",
            )
        seen.add(name)
    for name in names:
        for ending in _ENDINGS:
            if name.endswith(ending) and name[: -len(ending)] in seen:
                _check.fail(
                    "e_ops", f"leave the ending {ending!r} of another observable to its error", name
                )


#: What ``e_ops`` may be.
Observables: TypeAlias = Mapping[str, Measurable] | Sequence[Measurable]


def flatten(
    e_ops: Observables,
    subsystems: Iterable[Subsystem] | None = None,
    model: Model | None = None,
    times: NDArray[np.float64] | None = None,
) -> tuple[list[str], dict[str, Operator], Plan]:
    """Split ``e_ops`` into names, base operators and a plan.

    Args:
        e_ops: a dict from name to operator, array operator or derived observable, or a list of them
            (their printed forms are the names).
        subsystems: the subsystems of the model, to check against; None does not check.
        model: the model, whose links may change what a derived observable means.
        times: of the outputs, on which derived observables may depend themselves.

    Returns:
        The names in order; base operators by key "op0", "op1", …, each operator once however many
        observables share it; the plan.

    Raises:
        TypeError: ``e_ops`` is neither a dict nor a list, or holds something that is no observable.
        ValueError: it is empty, a name appears twice, an operator acts on a subsystem outside the
            model or contains a time-dependent coefficient.
    """
    names = None if subsystems is None else naming(subsystems)
    if isinstance(e_ops, (Op, ArrayOp, Derived)):
        _check.fail(
            "e_ops", "be a dict or a list of observables", e_ops, "Wrap it: e_ops=[op].", TypeError
        )
    if isinstance(e_ops, Mapping):
        items = list(e_ops.items())
    elif isinstance(e_ops, (list, tuple)):
        for k, value in enumerate(e_ops):
            _observable(f"e_ops[{k}]", value)
        items = [(_label(v, names), v) for v in e_ops]
    else:
        _check.fail(
            "e_ops",
            "be a dict from names to observables, or a list of observables",
            e_ops,
            kind=TypeError,
        )
    check_names(name for name, _ in items)
    operators: dict[str, Operator] = {}
    base: dict[str, Base] = {}
    keys: dict[Any, str] = {}

    def add(argument: str, op: Operator) -> str:
        own = names or naming(sorted(op.subsystems, key=lambda s: s.order))
        for sub in sorted(op.subsystems - set(own), key=lambda s: s.order):
            known = sorted(own.values())
            _check.fail(
                argument,
                f"act only on subsystems of the model ({', '.join(map(repr, known))})",
                _check.Note(f"an operator of {sub.name!r}"),
                SAME_NAME if sub.name in known else "",
            )
        if isinstance(op, Op) and any(times for times, _ in op.terms):
            hint = "Multiply its values by the coefficient afterwards."
            _check.fail(argument, "not depend on time itself", op, hint)
        content = _content(op)
        if content not in keys:
            key = keys[content] = f"op{len(keys)}"
            operators[key] = op.canonical()
            base[key] = Base(_shape(op), not op.is_hermitian(), fingerprint(op, own))
        return keys[content]

    observables = []
    for name, value in items:
        argument = f"e_ops[{name!r}]"
        _observable(argument, value)
        assert isinstance(value, (Op, ArrayOp, Derived))
        if isinstance(value, Derived):
            if model is not None:
                value = value.on(argument, model)
            if times is not None:
                value = value.over(times)
            inputs = {n: add(argument, op) for n, op in value.inputs().items()}
            axes = tuple((n, tuple(np.asarray(v, float).tolist())) for n, v in value.axes().items())
            observables.append(Observable(name, value, inputs, axes))
        else:
            members = tuple(("member", tuple(map(float, range(n)))) for n in _shape(value))
            observables.append(Observable(name, None, {"": add(argument, value)}, members))
    return [o.name for o in observables], operators, Plan(tuple(observables), base)


def _observable(argument: str, value: Any) -> None:
    if not isinstance(value, (Op, ArrayOp, Derived)):
        hint = ""
        if isinstance(value, LocalOp):
            hint = "One-emitter operators belong in `wf.LocalJump`; take Jx, Jy, Jz, Jp or Jm."
        elif isinstance(value, type) and issubclass(value, Derived):
            hint = f"Give it its operator: wf.{value.__name__}(...)."
        _check.fail(
            argument,
            "be an operator, an array operator or a derived observable",
            value,
            hint,
            TypeError,
        )


def _shape(op: Operator) -> tuple[int, ...]:
    return (op.size,) if isinstance(op, ArrayOp) else ()


def _content(op: Operator) -> Any:
    """Hashable content: equal for equal operators."""
    if isinstance(op, Op):
        return frozenset(op.terms.items())
    if isinstance(op, PairProducts):
        return op.content
    return op.size, frozenset((word, (w + 0.0).tobytes()) for word, w in op.terms.items())


def _label(value: Op | ArrayOp | Derived, names: Mapping[Subsystem, str] | None) -> str:
    """The name of an entry of a list."""
    if isinstance(value, Derived):
        return value.label
    if isinstance(value, PairProducts) or not value.subsystems <= set(names or ()):
        return repr(value)
    return op_text(value, names)


def fingerprint(op: Operator, names: Mapping[Subsystem, str]) -> str:
    """A digest of an operator that names it across sessions: by the names of its subsystems."""

    def numbers(values: Any) -> str:
        return " ".join(
            f"{x:.10g}" for x in np.ravel(np.asarray(values, complex)).view(float) + 0.0
        )

    def word(pairs: Any) -> list[tuple[str, str]]:
        return [(names[s], w) for s, w in pairs]

    def factor(f: Site | SumNode | CoupleNode) -> str:
        if isinstance(f, Site):
            return repr((names[f.sub], f.m, f.word))
        if isinstance(f, SumNode):
            return repr((word(f.word), numbers(f.weights)))
        ends = [
            (word(w), None if v is None else numbers(v)) for w, v in ((f.left, f.u), (f.right, f.v))
        ]
        return repr((ends, f.coupling.to_dict()))

    if isinstance(op, Op):
        lines = [
            repr(([factor(f) for f in fs], len(t), numbers(v))) for (t, fs), v in op.terms.items()
        ]
    elif isinstance(op, PairProducts):
        lines = [f"products {fingerprint(op.op, names)} {op.weights_digest}"]
    else:
        lines = [repr((op.size, word(w), numbers(v))) for w, v in op.terms.items()]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:32]


# ---------------------------------------------------------------- channels


def batched(plan: Plan) -> NDArray[np.int64]:
    """Channels whose batch sums derived observables need, ascending, shape (Kb,)."""
    spans = [np.arange(*plan.slots[k].span.indices(plan.channels)) for k in plan.derived_keys]
    return np.sort(np.concatenate([np.empty(0, np.int64), *spans])).astype(np.int64)


# ---------------------------------------------------------------- to values


def assemble(plan: Plan, samples: Samples) -> tuple[Values, Values, Values]:
    """Expectation values, standard errors and standard deviations by name, each (T,) or (T, M).

    A complex value has the error of its real part + 1j * that of its imaginary part. A derived
    observable has a jackknife error, and where it is ``biased`` the jackknife's value; its ``std``
    is NaN, as it has no value on one trajectory, unless it is linear.
    """
    three = np.stack([samples.average(), samples.sem(), samples.std()])
    expect, errors, spreads = Values(), Values(), Values()
    for o in plan.observables:
        if o.rule is None or o.rule.linear:
            found = o.value({n: plan.slots[k].read(three) for n, k in o.inputs.items()})
            expect[o.name], errors[o.name], spreads[o.name] = found
        else:
            slots = {n: plan.slots[k] for n, k in o.inputs.items()}
            out = samples.jackknife(o.rule.evaluate, slots)
            better = o.rule.biased & np.isfinite(out.corrected) & np.isfinite(out.sem)
            expect[o.name] = np.where(better, out.corrected, out.value)
            errors[o.name] = out.sem
            spreads[o.name] = np.full_like(out.value, np.nan)
    return expect, errors, spreads


def assemble_exact(plan: Plan, values: Mapping[str, NDArray]) -> tuple[Values, Values, Values]:
    """The same for a deterministic method: errors and deviations are zero.

    Args:
        plan: from :func:`flatten`.
        values: expectation values of the base operators by key, (T,) or (T, M); of Hermitian
            operators only real parts are taken.
    """
    expect: Values = {}
    for o in plan.observables:
        means = {}
        for name, key in o.inputs.items():
            value = np.asarray(values[key])
            means[name] = (
                value.astype(complex) if plan.base[key].is_complex else value.real.astype(float)
            )
        expect[o.name] = o.value(means)
    return (
        expect,
        {n: np.zeros_like(v) for n, v in expect.items()},
        {n: np.zeros_like(v) for n, v in expect.items()},
    )
