r"""Block density matrices of ensembles, spins and modes under any Hamiltonian and any channels.

The density matrix of permutation-invariant ensembles (J, M of each), collective spins, single spins
and modes (a finite number of Fock states) is evolved element by element, restricted to the elements
that are reached from the initial state (:mod:`wignerflow.exact.reach`) and on which the wanted
expectation values depend. Memory is estimated first, and a model that does not fit is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import stirred
from . import pulsed, reach
from .cutoffs import Cutoffs, strides
from .ladder import Basis, Ladder, Times
from .liouvillian import Terms, lower
from .propagate import Readings
from .solution import MEMORY, density_matrix

#: Bytes per component (vectors) and per matrix entry (two copies while sorting).
_PER_COMPONENT, _PER_ENTRY = 120, 26


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
            arguments = self.terms.plan(times)
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
        self.reached = int(self.components.size)
        self.matrices = [reach.matrix(self.components, turn, a) for turn, a in plans]
        self.y = np.zeros(self.components.size)
        self.y[np.searchsorted(self.components, components)] = values
        self.reads = self._readings()

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
        code = t.join(block, row, col)[lower_half]
        value, off = value[lower_half], (row != col)[lower_half]
        # rounding of phases must not count as a second part
        return parts(code, value, off, 1e-15 * np.abs(value))

    def _readings(self) -> Readings:
        t, part = self.terms, self.components & 1
        blocks, kets, bras = t.digits(self.components >> 1)
        _, row, col = t.split(self.components >> 1)
        step = col - row
        off = step != 0

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

        diagonal = (step == 0).astype(float)
        rows, pieces, edges = [scipy.sparse.csr_matrix(diagonal)], [], []
        for k, op in enumerate(self.ops.values()):
            for times, group in self.basis.expand(op).items():
                w = weights(group)
                pieces.append((k, times, len(rows)))
                rows += [scipy.sparse.csr_matrix(w.real), scipy.sparse.csr_matrix(w.imag)]
        for k, width in strides(self.model, self.basis.number).items():
            site = self.basis.sites[k]
            edges.append((len(rows), site.place, site.label, site.dim))
            rows.append(scipy.sparse.csr_matrix(diagonal * (kets[k] >= site.dim - width)))
        return Readings.of(rows, pieces, edges)

    @property
    def facts(self) -> dict[str, Any]:
        """Its size."""
        return {"engine": "blocks", "reached": self.reached, "components": self.size}

    def restrict(self) -> None:
        """Drop components on which no functional depends."""
        wanted = np.zeros(self.size, bool)
        wanted[self.reads.W.indices] = True
        if not self.matrices:
            return
        keep = np.flatnonzero(reach.needed(self.matrices, wanted))
        if keep.size == self.size:
            return
        self.components, self.y = self.components[keep], self.y[keep]
        self.matrices = [m[keep][:, keep] for m in self.matrices]
        self.reads.W = self.reads.W[:, keep]

    def generator(self) -> scipy.sparse.csr_matrix:
        """The matrix of a model that is constant in time."""
        return pulsed.generator(self)


def parts(
    code: NDArray[np.int64],
    value: NDArray[np.complex128],
    off: NDArray[np.bool_],
    floor: NDArray[np.float64] | float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Components of elements in the lower half, sorted, and their values.

    ``off``: not on the diagonal; ``floor``: what is no larger is rounding.
    """
    re, im = np.abs(value.real) > floor, (np.abs(value.imag) > floor) & off
    components = np.concatenate([2 * code[re], 2 * code[im] + 1])
    order = np.argsort(components)
    return components[order], np.concatenate([value.real[re], value.imag[im]])[order]


def restricted(
    model: Model, ops: dict[str, Op], cutoffs: Cutoffs | None = None, memory: float = MEMORY
) -> BlockSystem:
    """The system on the components that ``ops`` see."""
    system = BlockSystem(model, ops, cutoffs, memory)
    system.restrict()
    return system


def check_sites(basis: Basis, memory: float) -> None:
    """Refuse what already the tables or the initial density matrices of single sites exceed.

    Raises:
        TooLarge: with a lower bound of the memory.
    """
    need = 0.0
    for site in basis.sites:
        need += 12 * 8.0 * site.blocks * site.dim  # a dozen tables of matrix elements
        if site.kind == "mode" or not site.is_diagonal:
            blocks = site.blocks if site.is_mixed else 1
            need += 3 * 16.0 * sum((site.dim - 2.0 * j) ** 2 for j in range(blocks))
    if need > memory:
        raise density_matrix(need, memory)
