"""What phase-space methods share: they lower a model to classical variables."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from ..method import STEPS, TRAJECTORIES, Operators, Options, Task
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from .equations import text
from .polynomials import Poly
from .system import MemberObservable, PhaseSpaceSystem, ProductObservable

#: The classical counterpart of an observable.
Symbol = Poly | MemberObservable | ProductObservable


class TrajectoryMethod(ABC):
    """A phase-space method: lowers a model to classical variables and a readout.

    A subclass gives ``lower``, ``refuses``, a ``name``, and what it declares (see
    ``wignerflow.method.Method``); kernels, step, statistics and files are the same for all.
    """

    name: str
    #: False where every trajectory is the same (mean field): one is run, and errors are zero.
    stochastic: bool = True
    order: int | None = 2
    ordering: str | None = "symmetric"
    #: Whether its equations have every symmetry of the model: what permutes members of arrays
    #: without changing the master equation does not change the distribution of trajectories.
    equivariant: bool = True

    @property
    def uses(self) -> frozenset[str]:
        """The options of ``solve`` that mean something to it."""
        return TRAJECTORIES if self.stochastic else STEPS

    @abstractmethod
    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        """Why the method cannot treat ``model`` or these observables, or None."""

    @abstractmethod
    def lower(
        self, model: Model, ops: Mapping[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Symbol]]:
        """The classical system and the symbol of every observable.

        ``tlist`` are the output times; None where only the equations are wanted.
        """

    def __repr__(self) -> str:
        """The call that makes it: arguments stand as attributes of their names."""
        parameters = inspect.signature(type(self)).parameters.items()
        known = [(n, getattr(self, n, p.default), p.default) for n, p in parameters]
        given = [f"{name}={value!r}" for name, value, usual in known if repr(value) != repr(usual)]
        return f"{type(self).__name__}({', '.join(given)})"

    def run(self, task: Task, options: Options) -> Any:
        """The result of its trajectories."""
        return task.trajectories()

    def equations(self, model: Model) -> str:
        """The equations of motion of every trajectory, as text."""
        return text(self.lower(model, {}, None)[0])
