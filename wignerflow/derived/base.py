"""The contract of derived observables, and what they share."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.operators import ArrayOp, Measurable, Op

Operator = Op | ArrayOp
Means = Mapping[str, NDArray]


class Derived(Measurable):
    """A function of means, usable as a value in ``e_ops``.

    A subclass gives ``evaluate(means)`` and hands the operators whose means it needs to this
    constructor (or gives ``inputs()``). Where it is registered (:func:`wignerflow.register`),
    results in a file can be pooled and run again: its plain numbers are then ``parameters()``, and
    ``restore`` rebuilds it from them by ``configure``, without operators.

    Args:
        inputs: operators by name.
        label: name used where the user gives none.
    """

    _inputs: dict[str, Operator] | None = None
    _label = ""

    def __init__(self, inputs: Mapping[str, Operator] | None = None, label: str = ""):
        if inputs is not None:
            self._inputs = {n: as_operator(f"inputs[{n!r}]", op) for n, op in inputs.items()}
        if label:
            self._label = label

    def inputs(self) -> dict[str, Operator]:
        """The operators it needs, by name.

        Raises:
            ValueError: it came from a file, which holds no operators.
        """
        if self._inputs is None:
            raise ValueError(
                f"{type(self).__name__} was read from a file, which holds its numbers "
                "but not its operators."
            )
        return dict(self._inputs)

    def on(self, argument: str, model: Any) -> Derived:
        """The same for a model, whose links change what leaves a jump."""
        return self

    def over(self, times: NDArray[np.float64]) -> Derived:
        """The same at output times, on which it may depend itself."""
        return self

    def evaluate(self, means: Means) -> NDArray:
        """Its value from means of shape (...) for operators and (..., M) for array operators."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """Name used where the user gives none."""
        return self._label or type(self).__name__

    def axes(self) -> dict[str, NDArray]:
        """Names and coordinates of the axes of its value after time: none or one."""
        return {}

    @property
    def linear(self) -> bool:
        """Whether ``evaluate`` scales one mean by a positive number: no jackknife then."""
        return False

    @property
    def biased(self) -> bool:
        """Whether sampling pulls ``evaluate`` to one side by more than a small part of its error,
        as it does a smallest eigenvalue: the jackknife's correction is then taken off.
        """
        return False

    def parameters(self) -> dict[str, Any]:
        """The plain numbers that ``evaluate`` needs: attributes, by the names of ``configure``."""
        every = inspect.signature(self.configure).parameters.values()
        values = {p.name: getattr(self, p.name) for p in every if p.kind is not p.VAR_KEYWORD}
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}

    def configure(self, **parameters: Any) -> None:
        """Set what ``parameters()`` gives."""
        if parameters:
            _check.fail("parameters", f"be empty for {type(self).__name__}", parameters)

    @classmethod
    def restore(cls, parameters: Mapping[str, Any]) -> Derived:
        """The observable with these parameters; it can evaluate but has no operators.

        Raises:
            ValueError, TypeError: the parameters do not suit.
        """
        new = cls.__new__(cls)
        new.configure(**parameters)
        return new

    def __repr__(self) -> str:
        return self.label


def as_operator(argument: str, value: Any, hint: str = "") -> Operator:
    """Refuse what is no operator."""
    if not isinstance(value, (Op, ArrayOp)):
        _check.fail(argument, "be an operator such as atoms.Jm", value, hint, TypeError)
    return value


def as_array(argument: str, value: Any) -> ArrayOp:
    """Refuse what is no array operator."""
    if not isinstance(value, ArrayOp):
        _check.fail(argument, "be an array operator such as chain.Jm", value, kind=TypeError)
    return value


def divide(a: Any, b: Any) -> NDArray:
    """a / b with inf and NaN instead of warnings."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.true_divide(a, b))


def member_axis(op: Operator) -> int | None:
    """M of an array operator, None of an operator."""
    return op.size if isinstance(op, ArrayOp) else None


class PerMember(Derived):
    """Derived observables with one value, or one per member: ``size`` is None or M."""

    size: int | None = None

    def axes(self) -> dict[str, NDArray]:
        return {} if self.size is None else {"member": np.arange(self.size)}

    def configure(self, size: Any = None) -> None:  # type: ignore[override]
        self.size = None if size is None else _check.integer("size", size, 1)
