"""What every trajectory method offers to the driver."""

from __future__ import annotations

from typing import Any, Protocol

from ..model.model import Model
from ..model.operators import ArrayOp, Op
from .polynomials import Poly
from .system import MemberObservable, PhaseSpaceSystem, ProductObservable

#: The classical counterpart of an observable.
Symbol = Poly | MemberObservable | ProductObservable


class TrajectoryMethod(Protocol):
    """A phase-space method: lowers a model to classical variables and a readout."""

    name: str
    #: False where every trajectory is the same (mean field): one is run, and errors are zero.
    stochastic: bool

    def refuses(self, model: Model) -> str | None:
        """Why the method cannot treat ``model``, or None."""

    def lower(
        self, model: Model, ops: dict[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Symbol]]:
        """The classical system and the symbol of every observable."""
