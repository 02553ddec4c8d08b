r"""Block density matrices of ensembles, spins and modes under any Hamiltonian and any channels.

The density matrix of permutation-invariant ensembles (J, M of each), collective spins, single spins
and modes (a finite number of Fock states) is evolved element by element, restricted to the elements
that are reached from the initial state (:mod:`wignerflow.exact.reach`) and on which the wanted
expectation values depend. Memory is estimated first, and a model that does not fit is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import pulse_times, stirred
from ..model.subsystems import Mode
from ..model.timescales import points, reading_step
from . import propagate, pulsed, reach
from .cutoffs import Cutoffs, edge_stats, guess_cutoffs, strides, widened
from .factors import RealFactors
from .ladder import Basis, Ladder, Site, Times
from .liouvillian import Terms, lower
from .memory import MEMORY, TooLarge, check_sites, density_matrix
from .solution import ExactSolution

#: Bytes per component (vectors) and per matrix entry (two copies while sorting).
_PER_COMPONENT, _PER_ENTRY = 120, 26
#: Largest population at the edge of a mode that passes without a larger cutoff, and the number of
#: times between outputs at which it is looked at.
EDGE, LOOKS = 1e-7, 201
READS = 3  # places of a step at least, evenly, at which the integrator reads coefficients


@dataclass
class Functionals:
    """W y are numbers; observable k at time t is the sum over its pieces of f(t) * (Wy)."""

    W: scipy.sparse.csr_matrix
    pieces: list[tuple[int, Times, int, int]]  # observable, time coefficients, row of Re, row of Im
    edges: list[int]  # rows with the population at the edge, per mode
    trace: int

    def values(self, numbers: NDArray[np.float64], tlist: NDArray[np.float64], K: int) -> Any:
        """Expectation values, shape (K, T), from numbers of shape (T, rows)."""
        out = np.zeros((K, tlist.size), complex)
        for k, times, re, im in self.pieces:
            part = numbers[:, re] + 1j * numbers[:, im]
            for coefficient in times:
                part = part * coefficient(tlist)
            out[k] += part
        return out


class BlockSystem:
    """The real linear system of a model: start vector, matrices, functionals.

    Args:
        model: the model.
        ops: observables, name -> operator.
        cutoffs: Fock states per mode without a cutoff of its own.
        memory: limit in bytes.
        start: components and values to start from instead of the model's initial state.

    Raises:
        TooLarge: the density matrix needs more memory.
    """

    def __init__(
        self,
        model: Model,
        ops: dict[str, Op],
        cutoffs: Cutoffs | None = None,
        memory: float = MEMORY,
        start: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None,
    ):
        self.base, self.ops, self.memory = model, ops, memory
        self.model, self.marks = stirred(model) if model.pulses else (model, [])
        model = self.model
        self.basis = Basis(model, cutoffs)
        check_sites(self.basis, memory)
        if Terms(self.basis).space >= 2**61:
            raise density_matrix(40 * Terms(self.basis).space, memory)
        self.terms = lower(model, self.basis)
        components, values = self._start() if start is None else start
        self.groups: list[tuple[Times, bool]] = []
        plans = []
        for times in self.terms.groups:
            arguments = self.terms.plan(times).arguments
            self.groups.append((times, False))
            plans.append((0, arguments))
            if any(not c.is_real for c in times):
                self.groups.append((times, True))
                plans.append((1, arguments))
        limit = int(memory / _PER_COMPONENT)
        most = int(memory / _PER_ENTRY)
        self.components, entries = reach.walk(components, plans, limit, most)
        need = self.components.size * _PER_COMPONENT + entries * _PER_ENTRY
        if self.components.size > limit or entries > most or need > memory:
            raise density_matrix(need, memory)
        self.stats = {"reached": int(self.components.size)}
        self.matrices = [reach.matrix(self.components, turn, a) for turn, a in plans]
        self.y = np.zeros(self.components.size)
        self.y[np.searchsorted(self.components, components)] = values
        self.functionals = self._functionals()

    @property
    def size(self) -> int:
        """Number of real components."""
        return int(self.components.size)

    def _start(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Components that are not zero at the start, sorted, and their values."""
        t = self.terms
        block, row, col = (np.zeros(1, np.int64) for _ in range(3))
        value = np.ones(1, complex)
        for k, site in enumerate(self.basis.sites):
            j_s, k_s, b_s, v_s = site.start()
            if float(value.size) * v_s.size * 48 > self.memory:
                need = float(value.size) * v_s.size * _PER_COMPONENT
                raise density_matrix(need, self.memory)
            block = np.add.outer(block, j_s * t.block_strides[k]).ravel()
            row = np.add.outer(row, k_s * t.strides[k]).ravel()
            col = np.add.outer(col, b_s * t.strides[k]).ravel()
            value = np.multiply.outer(value, v_s).ravel()
        lower_half = (row >= col) & (np.abs(value) > 1e-18)
        code = ((block * t.kets + row) * t.kets + col)[lower_half]
        value, off = value[lower_half], (row != col)[lower_half]
        # rounding of phases must not count as a second part
        re = np.abs(value.real) > 1e-15 * np.abs(value)
        im = (np.abs(value.imag) > 1e-15 * np.abs(value)) & off
        components = np.concatenate([2 * code[re], 2 * code[im] + 1])
        values = np.concatenate([value.real[re], value.imag[im]])
        order = np.argsort(components)
        return components[order], values[order]

    def digits(self) -> tuple[list[Any], list[Any], list[Any], Any]:
        """Block, row and col number per site of every component, and its part (0 or 1)."""
        t = self.terms
        code = self.components >> 1
        col, row, block = code % t.kets, code // t.kets % t.kets, code // t.kets**2
        out: list[list[Any]] = [[], [], []]
        for k in range(len(self.basis.sites)):
            out[0].append(block // t.block_strides[k] % t.blocks[k])
            out[1].append(row // t.strides[k] % t.dims[k])
            out[2].append(col // t.strides[k] % t.dims[k])
        return out[0], out[1], out[2], self.components & 1

    def _functionals(self) -> Functionals:
        blocks, kets, bras, part = self.digits()
        t = self.terms
        code = self.components >> 1
        step = code % t.kets - code // t.kets % t.kets  # col - row
        off = step != 0
        rows: list[Any] = []

        def add(vector: NDArray[np.float64]) -> int:
            rows.append(scipy.sparse.csr_matrix(vector))
            return len(rows) - 1

        def weights(group: dict[Ladder, complex]) -> NDArray[np.complex128]:
            """Tr(O rho) as a sum over components."""
            out = np.zeros(self.size, complex)
            for word, c in group.items():
                move = sum(q * t.strides[k] for k, q in self.basis.shifts(word))
                for sign, left in ((1, kets), (-1, bras)):
                    hit = (sign * step == move) & (off | (sign == 1))
                    if not hit.any():
                        continue
                    value = np.full(int(hit.sum()), c)
                    for k, w in word:
                        value = value * self.basis.sites[k].table(w)[blocks[k][hit], left[k][hit]]
                    imaginary = np.where(part[hit] == 1, sign * 1j, 1.0)
                    out[hit] += value * imaginary
            return out

        pieces = []
        for k, op in enumerate(self.ops.values()):
            for times, group in self.basis.expand(op).items():
                w = weights(group)
                pieces.append((k, times, add(w.real), add(w.imag)))
        diagonal = (step == 0).astype(float)
        edges = []
        for k, width in strides(self.model, self.basis).items():
            edges.append(add(diagonal * (kets[k] >= self.basis.sites[k].dim - width)))
        trace = add(diagonal)
        W = scipy.sparse.vstack(rows, format="csr")
        W.indices, W.indptr = W.indices.astype(np.int32), W.indptr.astype(np.int32)
        return Functionals(W, pieces, edges, trace)

    def restrict(self) -> None:
        """Drop components on which no functional depends."""
        wanted = np.zeros(self.size, bool)
        wanted[self.functionals.W.indices] = True
        keep = (
            np.flatnonzero(reach.needed(self.matrices, wanted)) if self.matrices else np.arange(0)
        )
        if not self.matrices or keep.size == self.size:
            return
        self.components, self.y = self.components[keep], self.y[keep]
        self.matrices = [m[keep][:, keep] for m in self.matrices]
        self.functionals.W = self.functionals.W[:, keep]

    def generator(self) -> scipy.sparse.csr_matrix:
        """The matrix of a model that is constant in time."""
        total = scipy.sparse.csr_matrix((self.size, self.size))
        for m in pulsed.unmarked(self, self.marks):
            total = total + m
        return total.tocsr()


def refuses(model: Model) -> str | None:
    """Why block density matrices cannot treat ``model``; None (memory is checked when solving)."""
    return None


def check_rates(model: Model, times: NDArray[np.float64]) -> None:
    """Time-dependent rates must be real and not negative.

    Raises:
        ValueError: at the first of ``times`` where one is not.
    """
    rates = [r for _, r in model.channels()] + [c.rate for c in model.local_channels()]
    for rate in rates:
        if isinstance(rate, Coef):
            rate.rates(times)


def solve(
    model: Model,
    tlist: NDArray[np.float64],
    ops: dict[str, Op],
    *,
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> ExactSolution:
    """Expectation values of ``ops`` by block density matrices.

    Modes without a cutoff get one such that the population at their edge stays below 1e-7 at all
    times, also between those of ``tlist``; ``stats["cutoffs"]`` and ``stats["edge"]`` report it.

    Raises:
        TooLarge: the density matrix does not fit into memory, with the cutoffs that modes need.
    """
    cutoffs = guess_cutoffs(model)
    check_rates(model, points(float(tlist[0]), float(tlist[-1])))
    times = tlist
    if any(isinstance(sub, Mode) for sub in model.initial):
        times = pulse_times(model, np.union1d(tlist, np.linspace(tlist[0], tlist[-1], LOOKS)))
    edges: list[tuple[Site, float]] = []
    while True:
        try:
            system = BlockSystem(model, ops, cutoffs, memory)
            system.restrict()
        except TooLarge as error:
            raise uncertified(error, edges) from None
        numbers, _, counts = evolve(system, times, rtol, bool(cutoffs))
        edges = edge_populations(system, numbers)
        if not widen(edges, cutoffs):
            break
    numbers = numbers[np.searchsorted(times, tlist)]
    trace = numbers[:, system.functionals.trace]
    stats: dict[str, Any] = {
        "engine": "blocks",
        **system.stats,
        "components": system.size,
        **counts,
        "trace_error": float(np.abs(trace - 1).max()),
        **edge_stats(edges),
    }
    return ExactSolution.build(ops, system.functionals.values(numbers, tlist, len(ops)), stats)


def edge_populations(system: BlockSystem, numbers: NDArray[np.float64]) -> list[tuple[Site, float]]:
    """Every mode with the largest population at its edge."""
    edges = numbers[:, system.functionals.edges].max(axis=0, initial=0.0)
    modes = [s for s in system.basis.sites if s.kind == "mode"]
    return list(zip(modes, map(float, edges), strict=True))


def widen(edges: list[tuple[Site, float]], cutoffs: Cutoffs) -> bool:
    """Raise the cutoffs that were chosen here and proved too small; False if none did."""
    narrow = [s for s, e in edges if e > EDGE and (s.sub, s.m) in cutoffs]
    for s in narrow:
        cutoffs[s.sub, s.m] = widened(cutoffs[s.sub, s.m])
    return bool(narrow)


def uncertified(error: TooLarge, edges: list[tuple[Site, float]]) -> TooLarge:
    """The refusal, with the modes whose cutoffs made the density matrix so large."""
    for s, e in edges:
        if e > EDGE:
            return TooLarge(
                f"{error} The cutoff of mode {s.label!r} cannot be certified: with {s.dim} Fock "
                f"states the highest hold {e:.2g}."
            )
    return error


def evolve(
    system: BlockSystem, tlist: NDArray[np.float64], rtol: float, early: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, float]]:
    """Numbers at all times, and the state at the last.

    ``early`` gives up as soon as the edge of a mode fills.
    """
    W, edges = system.functionals.W, system.functionals.edges

    def lost(numbers: NDArray[np.float64]) -> bool:
        return early and bool(np.any(numbers[edges] > 100 * EDGE))

    return propagated(system, W, tlist, rtol, lost)


def propagated(
    system: Any, W: scipy.sparse.csr_matrix, tlist: NDArray[np.float64], rtol: float, lost: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, float]]:
    """Numbers W y at all times, the state at the last, and counts, of a system of any engine."""
    coefficients, pulses = system.base.coefficients, system.base.pulses
    constant = None if coefficients else system.generator()

    def between(y: Any, times: Any) -> tuple[Any, Any, dict[str, float]]:
        if constant is not None:
            return propagate.constant(constant, W, y, times, rtol, lost)
        start, stop = float(times[0]), float(times[-1])
        largest = reading_step(coefficients, start, stop, READS)
        matrices = system.matrices, RealFactors(system.groups)
        return propagate.adaptive(*matrices, W, y, times, rtol, largest, coefficients, lost)

    if not pulses:
        return between(system.y, tlist)
    return pulsed.run(system, pulses, system.marks, between, W, tlist, rtol)
