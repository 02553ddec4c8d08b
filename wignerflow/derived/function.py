"""A derived observable from any function of means."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .base import Derived, Means, Operator, as_operator, member_axis


class function(Derived):
    r"""A function of the means of operators, with a jackknife error in stochastic methods:

    .. math:: y(t) = f(\langle A_1\rangle, \langle A_2\rangle, \dots)

    Args:
        f: takes one array per operator and works on arrays as NumPy's functions do: of shape
            (...) for an operator, (..., M) for an array operator. Its value has shape (...), or
            (..., V) for V values per time.
        ops: the operators.

    Raises:
        TypeError: ``f`` is no function of so many arrays, or ``ops`` hold something else than
            operators.
        ValueError: there are no operators, or the value of ``f`` has another shape.

    A result in a file keeps its numbers; to pool or repeat results from files, write a class and
    :func:`wignerflow.register` it.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(100)
        >>> variance = wf.function(lambda z, zz: zz - z**2, [atoms.Jz, atoms.Jz * atoms.Jz])
        >>> model = wf.Model(initial={atoms: wf.bloch(np.pi / 2, 0)})
        >>> result = wf.solve(model, [0, 1], e_ops={"Var Jz": variance}, method="exact")
        >>> result.expect["Var Jz"].round(6)
        array([25., 25.])
    """

    def __init__(self, f: Callable[..., Any], ops: Iterable[Operator]):
        if not callable(f):
            _check.fail("f", "be a function of means", f, kind=TypeError)
        if isinstance(ops, Operator) or not isinstance(ops, Iterable):
            _check.fail("ops", "be a list of operators", ops, "Wrap it: [op].", TypeError)
        every = [as_operator(f"ops[{k}]", op) for k, op in enumerate(ops)]
        if not every:
            _check.fail("ops", "hold at least one operator", every)
        self._f = f
        name = getattr(f, "__name__", type(f).__name__)
        shown = "function" if name == "<lambda>" else name
        super().__init__(dict(zip(map(str, range(len(every))), every, strict=True)))
        self._label = f"{shown}({', '.join(map(repr, every))})"
        self._size = self._values(every)

    def _values(self, every: list[Operator]) -> int | None:
        """V, or None for one value per time: how ``f`` answers to means at two times."""
        means = [np.ones((2, *([] if (M := member_axis(op)) is None else [M]))) for op in every]
        try:
            with np.errstate(all="ignore"):
                shape = np.shape(self._f(*means))
        except Exception as error:
            must = f"be a function of {len(every)} arrays of means, one per operator"
            note = _check.Note(f"one that raised {type(error).__name__}: {error}")
            _check.fail("f", must, note, kind=TypeError)
        if shape[:1] != (2,) or len(shape) > 2:
            must = "give one value, or one row of values, per time: here shape (2,) or (2, V)"
            _check.fail("f", must, _check.Note(f"a value of shape {shape}"))
        return shape[1] if len(shape) == 2 else None

    def of(self, inputs: dict[str, Operator]) -> function:
        """The same function of other operators."""
        out = copy.copy(self)
        out._inputs = dict(inputs)
        return out

    def axes(self) -> dict[str, NDArray]:
        return {} if self._size is None else {"member": np.arange(self._size)}

    def evaluate(self, means: Means) -> NDArray:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(self._f(*(means[name] for name in self.inputs())))
