"""Density matrices at a time and products with them, in occupation numbers of |a><b|."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from ..model.timescales import points
from . import occupied, propagate, steady
from .blocks import LOOKS, check_rates, propagated
from .chain import Codes, Complex
from .chain_occupations import OccupationElements
from .cutoffs import guess_cutoffs
from .occupations import Elements, System, Words

Array = NDArray[np.float64]


class HeldOccupations:
    """The density matrix at time t; see :class:`.regression.Held`.

    Args:
        model: the master equation; its initial state holds at time 0.
        ops: name -> operator.
        t: the time; None takes the steady state, which must be unique.
        delay: modes are wide enough until this much later.
        rtol: tolerance of the integrator.
        memory: limit in bytes.

    Raises:
        TooLarge: the elements that are reached do not fit into memory.
        NotUnique: the steady state is not unique.
    """

    def __init__(
        self,
        model: Model,
        ops: dict[str, Op],
        t: float | None,
        delay: float,
        rtol: float,
        memory: float,
    ):
        self.rtol = rtol
        start = t or 0.0
        check_rates(model, points(0.0, start + delay))
        cutoffs = guess_cutoffs(model)
        more: dict[str, Any] = {}
        while True:
            system, reads = occupied.build(model, ops, cutoffs, memory)
            if t is None:
                fill = 45 * system.size ** (4 / 3)
                system.y, found = steady.null_state(
                    system.generator(), system.trace, system.y, fill, memory
                )
                steady.require_unique(found)
                more = {"residual": found["residual"]}
            early = self._run(system, reads.W, np.linspace(0.0, start, LOOKS) if t else None)
            rho = system.y
            ahead = np.linspace(start, start + delay, LOOKS)
            open_ended = t is not None and delay > 0 and reads.edges
            late = self._run(system, reads.W, ahead if open_ended else None)
            edges = occupied.edges_of(reads, np.concatenate([early, late]))
            if not occupied.widen(edges, cutoffs):
                break
        self.parent = system.parent
        value = system.spread @ rho
        self.rho = Elements(np.arange(value.size), system.rows, value)
        numbers = np.asarray(reads.W @ rho)[None, :]
        self.means = reads.values(numbers, np.array([start]), len(ops))[:, 0]
        self.facts = occupied.facts_of(system, edges) | more

    def _run(self, system: System, W: Any, times: Array | None) -> Array:
        """The numbers W y at the times, of which the last is where ``y`` then stands."""
        if times is None:
            return np.asarray(W @ system.y)[None, :]
        numbers, system.y, _ = propagated(system, W, times, self.rtol, propagate.never)
        return numbers

    def applied(self, op: Op, x: Elements) -> Elements:
        """See ``Held``."""
        return self.parent.multiply(x, self.parent.words(op).get((), Words()), True)

    def adjoint(self, x: Elements) -> Elements:
        """See ``Held``."""
        return Elements(x.source, self.parent.space.conjugate(x.rows), x.value.conj())

    def elements(self, fields: list[Op]) -> tuple[OccupationElements, Codes, Complex]:
        """See ``Held``."""
        found = OccupationElements(self.parent, fields)
        return found, found.codes(self.rho.rows), self.rho.value

    def after(self, X: Op, x: Elements, factor: complex, times: Array) -> NDArray[np.complex128]:
        """See ``Held``."""
        merged = (
            self.parent.space.merged
        )  # once before, so that pairs are conjugate to the last bit
        x = merged(Elements(x.source, x.rows, factor * x.value))
        y = self.adjoint(x)
        both = [np.concatenate([a, b]) for a, b in zip(astuple(x), astuple(y), strict=True)]
        start = merged(Elements(*both))
        if not start.value.size:
            return np.zeros(times.size, complex)
        system = self.parent.walk(start)
        reads = occupied.readings(system, {"X": X})
        numbers, _, _ = propagated(system, reads.W, times, self.rtol, propagate.never)
        return reads.values(numbers, times, 1)[0]
