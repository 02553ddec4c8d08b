"""``wf.Cumulant``: closed equations of motion of first and second moments, and of higher ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import LISTENER, announce, check_memory
from ..method import Operators, Options, Task
from ..model.model import Model
from ..model.op import Op
from ..model.subsystems import Mode
from ..model.timescales import reading_step
from .generator import generator
from .higher import HigherOrder, HigherReadout
from .integrate import Trial, relax, through
from .limits import COPIES, MEMORY, PER_OUTPUT, SOON, WORTH_SAYING, needed, too_large, why_not
from .program import EVALUATIONS, Program, Readout, least_times
from .text import text
from .variables import Array, Variables

FEWER = (
    "ask for fewer output times, use fewer array members or levels, write operators with fewer "
    "entries, or take wf.TWA()"
)
WORDS = {2: "second", 3: "third", 4: "fourth"}


@dataclass
class Solution:
    """Expectation values by name, shape (T,), and numbers about the run."""

    expect: dict[str, NDArray[Any]]
    stats: dict[str, Any] = field(default_factory=dict)


class Cumulant:
    r"""Second-order cumulants: means and pair correlations, all higher joint cumulants zero.

    The third and fourth order, for small systems, keep correlations of three and four sites too.

    Variables are the means of every site's basic operators and their symmetrised second moments,

    .. math:: \frac{d}{dt}\langle X\rangle = \langle\mathcal L^\dagger X\rangle, \qquad
              \langle x_1x_2x_3\rangle \to \langle x_1x_2\rangle\langle x_3\rangle + \dots
              - 2\langle x_1\rangle\langle x_2\rangle\langle x_3\rangle .

    The sites are single emitters: the N emitters of an ensemble share one mean and one correlation
    between any two, with the algebra of Pauli matrices (of d x d matrices for ``wf.Levels``)
    and the numbers N (N - 1) exact, so that cost does not depend on N. An array of M members costs
    of the order of M^2 moments, d levels d^4/2; to write their equations takes longer the more
    entries the matrices of H and jumps have, some seconds for full ones of d = 4.

    With order 3 or 4 cumulants up to that order are variables as well, and those above are zero:
    about n^3/6 or n^4/24 moments of n basic operators, at most 20,000. They correct the second
    order where that is nearly right, and tend to leave what is physical where it is not.

    Args:
        order: 2, 3 or 4 (``wf.MeanField()`` is the first order).
        rtol: relative tolerance of one integration step.
        memory: memory in bytes that may be used.

    Raises:
        ValueError: the order is not 2, 3 or 4, or a tolerance is not positive.

    Reference:
        Kubo, J. Phys. Soc. Jpn. 17, 1100 (1962), for the expansion.
    """

    name = "cumulant"
    stochastic = False
    ordering = None
    uses: frozenset[str] = frozenset()

    def __init__(self, order: int = 2, *, rtol: float = 1e-8, memory: float = MEMORY):
        self.order = _check.integer("order", order, 1)
        if self.order not in WORDS:
            _check.fail("order", "be 2, 3 or 4", order, "The first order is `wf.MeanField()`.")
        self.rtol = _check.positive("rtol", rtol)
        self.memory = _check.positive("memory", memory)

    def __repr__(self) -> str:
        return "Cumulant()" if self.order == 2 else f"Cumulant(order={self.order})"

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        """Why this method cannot treat ``model``; None if it can."""
        return model.delayed or why_not(model)

    def system(self, model: Model) -> Program | HigherOrder:
        """The moment equations of a model.

        Raises:
            ValueError: the model cannot be treated, or needs too much memory.
        """
        reason = self.refuses(model)
        if reason is not None:
            raise ValueError(f"{self!r} cannot treat this model: {reason}.")
        variables = Variables(model)
        need = needed(variables)
        if need > self.memory:
            raise too_large(need, self.memory)
        families = generator(model, variables)
        derivation, seconds = least_times(families, variables)
        listener = LISTENER.get()
        soon = listener is not None and listener.precise and derivation < SOON
        if seconds > WORTH_SAYING and not soon:
            announce(
                seconds,
                need,
                f"the moments: writing out equations of {variables.length} moments, and at least "
                f"{EVALUATIONS} right-hand sides",
                FEWER,
            )
        if self.order > 2:
            return HigherOrder(variables, families, self.order)
        return Program(variables, families, self.memory)

    def equations(self, model: Model) -> str:
        """The moment equations as text, of second order, for models of up to 300 moments."""
        program = self.system(model)
        if isinstance(program, HigherOrder):
            _check.fail("order", "be 2 for equations to be printed", self.order)
        return text(program)

    def readout(self, program: Program | HigherOrder, ops: Mapping[str, Op]) -> Any:
        """What gives the values of operators, shape (K, T), of moments of shape (T, length)."""
        if isinstance(program, HigherOrder):
            return HigherReadout(program, ops)
        return Readout(program.v, ops, self.memory)

    def run(self, task: Task, options: Options) -> Any:
        """The result of :meth:`solve` for a task of ``wf.solve``."""
        solution = self.solve(task.model, task.times, task.operators)
        return task.means(solution.expect, solution.stats)

    def solve(self, model: Model, tlist: Any, ops: Mapping[str, Op]) -> Solution:
        """Expectation values of ``ops`` at the times ``tlist``; ``initial`` holds at ``tlist[0]``.

        Args:
            model: the master equation.
            tlist: times, strictly increasing, shape (T,).
            ops: name -> operator.

        Raises:
            ValueError: the model cannot be treated, or does not fit into memory.
        """
        times = _check.tlist(tlist)
        begin, began = time.perf_counter(), time.thread_time()
        program = self.system(model)
        readout = self.readout(program, ops)
        derived = time.thread_time() - began
        size = program.length
        need = 16.0 * times.size * size + 8.0 * COPIES * program.v.size**2
        what = f"the moments: {size} of them, {times.size} times"
        check_memory(need, what, FEWER)

        def say(seconds: float) -> None:
            announce(derived + seconds + PER_OUTPUT * times.size * size, need, what, FEWER)

        trial = Trial(float(times[-1]), say)
        largest = largest_step(model, times)
        run = through(model, program, times, program.bounds(), self.rtol, largest, trial)
        trial.over()
        values = readout(run.y)
        stats: dict[str, Any] = {
            "engine": f"{WORDS[self.order]}-order cumulants",
            "moments": program.length,
            "terms": program.count,
            "steps": run.steps,
            "evaluations": run.evaluations,
            "derivation_time": derived,
            "wall_time": time.perf_counter() - begin,
            "warnings": [*_initial_notes(model), *run.warnings],
        }
        if run.unphysical is not None:
            stats["unphysical"] = {"time": run.unphysical[0], "what": run.unphysical[1]}
        if run.diverged is not None:
            stats["diverged"] = run.diverged
        return Solution(named(ops, values), stats)

    def steady_state(
        self, model: Model, ops: Mapping[str, Op], expired: Callable[[], bool] = lambda: False
    ) -> Solution:
        """Expectation values in the state that the moments reach from ``initial``.

        Args:
            model: the master equation, constant in time.
            ops: name -> operator.
            expired: whether to give up.

        Raises:
            ValueError: the model depends on time or cannot be treated, or its moments do not
                become constant (``NotSettled``).
        """
        if model.coefficients:
            raise ValueError("A steady state needs a model that is constant in time.")
        program = self.system(model)
        readout = self.readout(program, ops)
        y, T, change = relax(program, self.rtol, expired)
        stats: dict[str, Any] = {
            "engine": f"{WORDS[self.order]}-order cumulants",
            "moments": program.length,
            "relaxed": T,
            "drift": change,
            "warnings": [],
        }
        reason = program.bounds().violated(y)
        if reason is not None:
            stats["unphysical"] = {"what": reason}
            stats["warnings"] = [f"The moments of the steady state are unphysical: {reason}."]
        values = named(ops, readout(y[None]))
        return Solution({name: value[0] for name, value in values.items()}, stats)


def named(ops: Mapping[str, Op], values: NDArray[np.complex128]) -> dict[str, NDArray[Any]]:
    """Rows by name, real for Hermitian operators."""
    return {
        name: row.real.copy() if op.is_hermitian() else row
        for (name, op), row in zip(ops.items(), values, strict=True)
    }


def largest_step(model: Model, times: Array) -> float:
    """So that no feature of a time coefficient is stepped over."""
    if not model.coefficients:
        return np.inf
    start, stop = float(times[0]), float(times[-1])
    return reading_step(model.coefficients, start, stop, 1)


def _initial_notes(model: Model) -> list[str]:
    fock = [
        model.names[sub]
        for sub, states in model.initial.items()
        if isinstance(sub, Mode) and any(s.circle is not None for s in states)  # type: ignore[attr-defined]
    ]
    if not fock:
        return []
    names = ", ".join(sorted(fock))
    return [
        f"The Fock state of {names} enters by its first and second moments alone: its higher "
        "cumulants are dropped."
    ]
