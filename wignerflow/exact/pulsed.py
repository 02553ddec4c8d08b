"""Exact solutions through pulses: what is between two pulses is run as ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.model import Model
from ..model.timescales import reading_step
from . import propagate
from .pieces import Product, RealFactors

Array = NDArray[np.float64]
DENSE = 300  # states of a sector up to which the matrix of a pulse is full
#: From a state at the first of some times: numbers W y at all, the state at the last, counts.
Run = Callable[[Array, Array], tuple[Array, Array, dict[str, float]]]
READS = 3  # places of a step at least, evenly, at which the integrator reads coefficients


def propagated(
    system: Any, tlist: Array, rtol: float, lost: Callable[[Array], bool] = propagate.never
) -> tuple[Array, Array, dict[str, float]]:
    """Numbers W y at all times, the state at the last, and counts, of a system of any engine.

    Once ``lost`` is true of the numbers, these stand for all later times.
    """
    coefficients, W = system.base.coefficients, system.reads.W
    constant = None if coefficients else system.generator()

    def between(y: Array, times: Array) -> tuple[Array, Array, dict[str, float]]:
        if constant is not None:
            return propagate.constant(constant, W, y, times, rtol, lost)
        largest = reading_step(coefficients, float(times[0]), float(times[-1]), READS)
        matrices = system.matrices, RealFactors(system.groups)
        return propagate.adaptive(*matrices, W, y, times, rtol, largest, coefficients, lost)

    if not system.base.pulses:
        return between(system.y, tlist)
    return run(system, between, tlist, rtol)


def run(
    system: Any, between: Run, tlist: Array, rtol: float
) -> tuple[Array, Array, dict[str, float]]:
    """Numbers at all times, the state at the last, and counts.

    Args:
        system: with its start ``y``, its ``base`` model, and the ``matrices`` of its ``groups``;
            those whose coefficient is one of its ``marks`` belong to that pulse, see
            ``model.pulses.stirred``.
        between: runs from a state, without pulses.
        tlist: times.
        rtol: relative tolerance of a pulse.
    """
    pulses, W = system.base.pulses, system.reads.W
    y = system.y
    out = np.empty((tlist.size, W.shape[0]))
    total: dict[str, float] = {}

    def kicked(y: Array, t: float) -> Array:
        for one, mark in zip(pulses, system.marks, strict=True):
            if one.time == t:
                for (times, _), matrix in zip(system.groups, system.matrices, strict=True):
                    if mark in times:
                        _, y, _ = propagate.constant(matrix, W, y, np.array([0.0, 1.0]), rtol)
        return y

    t, end = float(tlist[0]), float(tlist[-1])
    y = kicked(y, t)
    out[0] = W @ y
    later = sorted({p.time for p in pulses if t < p.time <= end} | {end})
    for stop in later:
        inside = (tlist > t) & (tlist < stop)
        times = np.array([t, *tlist[inside], stop])
        numbers, y, counts = between(y, times)
        out[inside] = numbers[1:-1]
        total = {name: total.get(name, 0.0) + n for name, n in counts.items()}
        y = kicked(y, stop)
        out[tlist == stop] = W @ y
        t = stop
    return out, y, total


def generator(system: Any) -> scipy.sparse.csr_matrix:
    """The matrix of a model that is constant in time, without those that belong to a pulse."""
    total = scipy.sparse.csr_matrix((system.size, system.size))
    for (times, _), matrix in zip(system.groups, system.matrices, strict=True):
        if not any(mark in times for mark in system.marks):
            total = total + matrix
    return total.tocsr()


class Pulses:
    """Runs of wave functions through pulses, with random numbers of their own after each.

    Args:
        model: the model.
        system: made of the model with its pulses in H, see ``model.pulses.stirred``.
        marks: of the pulses.
        seed: of the runs.
    """

    def __init__(self, model: Model, system: Any, marks: list[Coef], seed: int):
        self.pulses, self.system, self.seed = model.pulses, system, seed
        self.matrices: list[Any] = []
        for mark in marks:
            number = system.functions[Product.of((mark,))]
            self.matrices.append(system.K[int(np.searchsorted(system.k_time, number))])
        self.cached: dict[tuple[int, int], Any] = {}

    def _kicked(self, sector: int, psi: NDArray[np.complex128], t: float) -> Any:
        for k, one in enumerate(self.pulses):
            if one.time != t:
                continue
            if (k, sector) not in self.cached:
                own = slice(*self.system.first[sector : sector + 2])
                K = self.matrices[k][own, own]
                self.cached[k, sector] = scipy.linalg.expm(K.toarray()) if len(psi) <= DENSE else K
            U = self.cached[k, sector]
            psi = scipy.sparse.linalg.expm_multiply(U, psi) if scipy.sparse.issparse(U) else U @ psi
        return psi

    def run(
        self, one: Callable[..., Any], trajectory: int, start: Any, times: Array, out: Any
    ) -> int:
        """One run: ``out`` (rows, T) at all times; the number of its jumps.

        ``one`` runs from a sector and a state in it without pulses, see ``jumps.WaveFunctions``.
        """
        sector, psi = start
        t, end, total = float(times[0]), float(times[-1]), 0
        psi = self._kicked(sector, psi, t)
        later = sorted({p.time for p in self.pulses if t < p.time <= end} | {end})
        for k, stop in enumerate(later):
            inside = (times >= t) & (times < stop)
            some = np.union1d([t, stop], times[inside])
            part = np.empty((len(out), some.size), complex)
            seed = self.seed
            if k:
                seed = int(np.random.SeedSequence([seed, k]).generate_state(1, np.uint64)[0])
            jumps, (sector, psi) = one(trajectory, seed, (sector, psi), some, part)
            total += jumps
            psi = self._kicked(sector, psi, stop)
            out[:, inside] = part[:, np.searchsorted(some, times[inside])]
            t = stop
        last = np.empty((len(out), 1), complex)
        one(trajectory, self.seed, (sector, psi), np.array([end]), last)
        out[:, times == end] = last
        return total
