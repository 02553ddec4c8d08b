"""What every method is asked and answers: the one contract between ``solve`` and its methods.

``solve`` checks its arguments, asks ``refuses``, and takes the result of ``run``; a method says by
what it declares which options mean anything to it. It gets a :class:`Task` and makes a result of
its numbers with one of ``means`` (no sampling errors), ``runs`` (every run's values) and
``trajectories`` (phase-space equations, which the kernels run).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .model.model import Model
from .model.operators import ArrayOp, Op

Operators = Mapping[str, Op | ArrayOp]

#: Names of methods that come with the library; of another, registered one, editors know nothing.
Name: TypeAlias = Literal[
    "auto",
    "twa",
    "spin-twa",
    "cluster-twa",
    "mean-field",
    "cumulant",
    "exact",
    "jumps",
    "generalized-p",
    "schwinger-w",
    "schwinger-p",
    "schwinger-q",
]

Precision: TypeAlias = Literal["single", "double"]
Device: TypeAlias = Literal["cpu", "cuda", "auto"]

#: Options of ``solve`` that only trajectories use, and those of every method that makes steps.
STEPS = frozenset({"dt", "tol", "precision"})
TRAJECTORIES = STEPS | {
    "variance",
    "target_sem",
    "timeout",
    "device",
    "client",
    "keep",
    "start",
    "checkpoint",
}


class Options(Protocol):
    """Options of ``solve``, checked. More stand there for trajectories."""

    ntraj: int
    seed: int
    dt: float | None
    tol: float | None
    precision: str
    threads: int
    timeout: float | None
    progress: bool


class Task(Protocol):
    """A model, output times (T,) and the operators whose means are wanted.

    ``operators`` are single ones, arrays written out member by member; ``base`` has the arrays as
    they are.
    """

    model: Model
    times: NDArray[np.float64]
    base: Operators

    @property
    def operators(self) -> dict[str, Op]:
        """The operators by name, those of arrays member by member."""

    def means(self, values: Mapping[str, NDArray], stats: Mapping[str, Any]) -> Any:
        """The result of a method without sampling errors, from means (T,) of ``operators``.

        ``stats["warnings"]``, a list, is shown to the user.
        """

    def runs(self, values: Mapping[str, NDArray], stats: Mapping[str, Any]) -> Any:
        """The result of independent runs, from their values (runs, T) of ``operators``."""

    def trajectories(self) -> Any:
        """The result of a method with ``lower``: the kernels run what it gives."""


class Method(Protocol):
    """A way to solve a model.

    Attributes:
        name: as in ``solve(method=name)`` and in results.
        stochastic: whether its means have sampling errors.
        order: moments of operators up to this order change as in the master equation while the
            state is a product of pure ones, but for what the method's own page says (1: means, 2:
            second moments); None: all, up to tolerances and sampling.
        ordering: of the operators whose means averages over its variables are: "symmetric",
            "normal" or "antinormal"; None for a method without phase-space variables.
        uses: the options of ``solve`` that mean something to it, beside ``ntraj`` and ``seed``;
            ``stats["notes"]`` names others that were given.
    """

    @property
    def name(self) -> str: ...

    @property
    def stochastic(self) -> bool: ...

    @property
    def order(self) -> int | None: ...

    @property
    def ordering(self) -> str | None: ...

    @property
    def uses(self) -> frozenset[str]: ...

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        """Why it cannot treat a model or these operators, or None; does no work."""

    def run(self, task: Task, options: Options) -> Any:
        """The :class:`wignerflow.Result` of a task, made by one of the task's three ways."""

    def equations(self, model: Model) -> str:
        """What it solves, as text."""


AnyMethod: TypeAlias = Name | Method
