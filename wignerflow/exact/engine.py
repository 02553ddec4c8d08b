"""Method objects of the exact engines, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .. import _check
from ..method import Operators, Options, Task
from ..model.levels import Levels
from ..model.model import Model
from ..model.operators import Op
from . import populations, runs
from .ladder import unknown_kind
from .reduction import reduced
from .solution import MEMORY, ExactSolution

ENGINES = ("populations", "blocks", "occupations")

_WHY = {
    "populations": "H and every jump keep M definite, so the populations p(J, M) are closed",
    "blocks": "the density matrix is evolved block by block",
    "occupations": "the density matrix is evolved in occupation numbers of |a><b|",
}


def checked_ops(model: Model, ops: Mapping[str, Op]) -> dict[str, Op]:
    """Observables as a plain dict; every one an operator on subsystems of the model."""
    out: dict[str, Op] = {}
    for name, op in ops.items():
        if not isinstance(op, Op):
            _check.fail(f"e_ops[{name!r}]", "be an operator", op, kind=TypeError)
        for sub in op.subsystems:
            if sub not in model.initial:
                _check.fail(f"e_ops[{name!r}]", "act on subsystems of the model", sub.name)
        out[str(name)] = op
    return out


class MasterEquation:
    """What methods have in common that solve the master equation itself."""

    order = None
    ordering = None

    def equations(self, model: Model) -> str:
        """What it solves.

        Raises:
            ValueError: always; the master equation itself is ``model.latex()``.
        """
        raise ValueError(f"Method {self!r} has no trajectories; its equation is `model.latex()`.")


class Exact(MasterEquation):
    r"""The exact solution of the master equation, by the cheapest engine that treats the model.

    .. math:: \dot\rho = -i[H, \rho]
       + \sum_k r_k (L_k\rho L_k^\dagger - \tfrac12\{L_k^\dagger L_k, \rho\})

    with plain rates r_k and hbar = 1, in the permutation-symmetric space of every ensemble. Where M
    is definite that is :math:`\dot p = W p` for the populations p(J, M).

    ``Exact(engine=None)`` takes populations p(J, M) where nothing couples different M, and block
    density matrices otherwise; ``stats["engine"]`` and ``stats["why"]`` of the solution say which
    and why. An array of ensembles or spins whose emitters are all alike, in H, jumps and initial
    states, is solved as one ensemble of all of them.

    Args:
        engine: None chooses; "populations" (one ensemble or collective spin, closed classical
            master equation, N of a thousand and more); "blocks" (any subsystems and channels, time
            dependence; one driven ensemble of a hundred, two of twenty); "occupations" (any model,
            and the only one for emitters with levels: 20 of three levels with diagonal pumping, 10
            with everything, 100 and more from one pure state without jumps of single ones).
        rtol: relative tolerance of the integrator of "blocks" (error of the density matrix in the
            1-norm); "populations" is accurate to 1e-10.
        memory: memory in bytes that may be used.

    Raises:
        ValueError: the engine is unknown, or a tolerance is not positive. In a run: the engine
            cannot treat the model, or ``TooLarge``, a ValueError that says how much memory is
            needed.

    References:
        Chase and Geremia, Phys. Rev. A 78, 052101 (2008), for local jumps between blocks of J.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(2)
        >>> model = wf.Model(jumps=[wf.LocalJump(atoms.sm, rate=1.0)], initial={atoms: wf.up})
        >>> result = wf.solve(model, [0, 1], e_ops={"z": atoms.Jz}, method=wf.Exact())
        >>> bool(np.isclose(result.expect["z"][1], 2 * np.exp(-1) - 1))
        True
        >>> result.stats["engine"]
        'populations'
    """

    name = "exact"
    stochastic = False
    uses: frozenset[str] = frozenset()

    def __init__(self, engine: str | None = None, *, rtol: float = 1e-8, memory: float = MEMORY):
        self.engine = None if engine is None else _check.one_of("engine", engine, ENGINES)
        self.rtol = _check.positive("rtol", rtol)
        self.memory = _check.positive("memory", memory)

    def __repr__(self) -> str:
        return "Exact()" if self.engine is None else f"Exact({self.engine!r})"

    def choose(self, model: Model) -> tuple[str, str]:
        """The engine for ``model``, and one sentence that says why."""
        if self.engine == "occupations":
            return self.engine, f"it was asked for, so {_WHY[self.engine]}"
        if any(isinstance(sub, Levels) for sub in model.subsystems):
            return "occupations", f"emitters have levels, so {_WHY['occupations']}"
        reason = populations.refuses(model)
        if self.engine == "blocks" or (self.engine is None and reason is not None):
            because = "it was asked for" if reason is None else reason
            return "blocks", f"{because}, so {_WHY['blocks']}"
        return "populations", _WHY["populations"]

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        """Why this method cannot treat ``model``; None if it can. Does no work.

        Whether the density matrix fits into memory shows in :meth:`solve` only.
        """
        if model.delayed:
            return model.delayed
        if reason := unknown_kind(model):
            return reason
        if self.engine in ("blocks", "populations"):
            if any(isinstance(s, Levels) for s in model.subsystems):
                return f"emitters with levels have no {self.engine} of J; leave `engine` out"
        return populations.refuses(model) if self.engine == "populations" else None

    def run(self, task: Task, options: Options) -> Any:
        """The result of :meth:`solve` for a task of ``wf.solve``."""
        solution = self.solve(task.model, task.times, task.operators)
        return task.means(solution.expect, solution.stats)

    def _accept(self, model: Model, ops: Mapping[str, Op]) -> tuple[Model, dict[str, Op], str, str]:
        """The model and checked operators as they are solved, the engine to take, and why."""
        named, note = checked_ops(model, ops), ""
        reason = self.refuses(model)
        if reason is not None:
            raise ValueError(f"{self!r} cannot treat this model: {reason}.")
        if self.engine is None:
            model, named, note = reduced(model, named)
        engine, why = self.choose(model)
        why = note + why
        return model, named, engine, f"{why[0].upper()}{why[1:]}."

    def solve(self, model: Model, tlist: Any, ops: Mapping[str, Op]) -> ExactSolution:
        """Expectation values of ``ops`` at the times ``tlist``; ``initial`` holds at ``tlist[0]``.

        Args:
            model: the master equation.
            tlist: times, strictly increasing, shape (T,).
            ops: name -> operator.

        Raises:
            ValueError: the engine cannot treat the model, or its density matrix does not fit into
                memory; the message says why, and what does.
        """
        times = _check.tlist(tlist)
        model, named, engine, why = self._accept(model, ops)
        begin = time.perf_counter()
        if engine == "populations":
            out = populations.solve(model, times, named, memory=self.memory)
        else:
            out = runs.solve(engine, model, times, named, rtol=self.rtol, memory=self.memory)
        out.stats |= {"why": why, "wall_time": time.perf_counter() - begin}
        return out

    def steady_state(
        self, model: Model, ops: Mapping[str, Op], *, unique: bool = True
    ) -> ExactSolution:
        """Expectation values in the steady state that the initial state reaches.

        Args:
            model: the master equation, constant in time.
            ops: name -> operator.
            unique: refuse a steady state that depends on the initial state; False returns the
                long-time average from the model's own, with ``stats["unique"]`` False.

        Returns:
            ``expect[name]`` of shape (); ``stats`` holds ``unique`` (among the states that
            ``initial`` can reach) and ``residual``, the 1-norm of L(rho) over those of L and rho.

        Raises:
            ValueError: the model depends on time, does not fit into memory, or has no unique
                steady state.
        """
        model, named, engine, why = self._accept(model, ops)
        begin = time.perf_counter()
        given: dict[str, Any] = {"unique": unique, "memory": self.memory}
        given["rtol"] = max(self.rtol, 1e-12)
        if engine == "populations":
            out = populations.steady_state(model, named, **given)
        else:
            out = runs.steady_state(engine, model, named, **given)
        out.stats |= {"why": why, "wall_time": time.perf_counter() - begin}
        return out
