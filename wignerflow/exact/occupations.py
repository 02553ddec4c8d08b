r"""Emitters of any number of levels, exactly: occupation numbers of |a><b|.

The density matrix of N identical emitters of d levels is symmetric under permutations of emitters,
and so are all of its equations of motion: it is a state of N bosons in the d^2 boxes |a><b|. With
b_ab taking a boson from box ab, the sum over all emitters of a linear map f of d x d matrices is

.. math:: \sum_n f_n = \sum_{\alpha\beta} f_{\alpha\beta}\, b^\dagger_\alpha b_\beta, \qquad
   f(|b\rangle\langle b'|) = \sum_\alpha f_{\alpha\beta}\,|a\rangle\langle a'|,

local channels directly, collective operators as products of left and right multiplications. In full
that is C(N + d^2 - 1, d^2 - 1) elements; a walk from the initial state finds those that are ever
reached, mostly far fewer. A mode of n Fock states counts as one emitter of n levels, and so do
single spins, angular momenta of fixed length, and emitters that only act together (see
``boxes.symmetric``), so that every model can be treated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import matmul
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import check_time
from ..model.coefficients import Coef
from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import stirred
from ..model.subsystems import Subsystem
from . import pulsed
from .boxes import Elements, Emitters, Matrix, Rows, Space, emitters, joined, sparse, symmetric
from .cutoffs import Cutoffs, strides
from .liouvillian import with_rate
from .propagate import Readings
from .solution import MEMORY, refuse

Times = tuple[Coef, ...]
#: Bytes per reached element (vectors and keys) and per entry of the generator while it is made.
PER_ELEMENT, PER_ENTRY = 150, 60
CHUNK = 20_000  # elements whose images are found at once


@dataclass
class Words:
    """An operator: sums of words, each a number and factors (site, one-emitter matrix) in order."""

    terms: list[tuple[complex, list[tuple[int, Matrix]]]] = field(default_factory=list)

    def dag(self) -> Words:
        """Hermitian adjoint."""
        return Words(
            [(c.conjugate(), [(k, A.conj().T) for k, A in w[::-1]]) for c, w in self.terms]
        )


class Occupations:
    """The equations of motion of a model in occupation numbers.

    Args:
        model: the model.
        cutoffs: Fock states of modes without a cutoff of their own, by (subsystem, member).
        memory: limit in bytes.
    """

    def __init__(
        self, model: Model, cutoffs: dict[tuple[Subsystem, int], int] | None, memory: float
    ):
        self.base, self.memory = model, memory
        self.model, self.marks = stirred(model) if model.pulses else (model, [])
        self.number: dict[tuple[Subsystem, int], int] = {}
        sites: list[Emitters] = []
        one_by_one = {(c.sub, c.m) for c in model.local_channels()}
        for sub, states in model.initial.items():
            for m in range(sub.size):
                self.number[sub, m] = len(sites)
                site = emitters(sub, m, states[m], (cutoffs or {}).get((sub, m), 2))
                together = site.number > 1 and (sub, m) not in one_by_one
                sites.append(symmetric(site, memory) if together else site)
        self.space = Space(sites)

    def words(self, op: Op) -> dict[Times, Words]:
        """An operator by its products of time coefficients."""
        out: dict[Times, Words] = {}
        alone: dict[tuple[Times, int], Any] = {}  # sums of what acts on one site by one matrix
        for c, times, factors in op.expand():
            word = []
            for sub, m, letters in factors:
                k = self.number[sub, m]
                site = self.space.sites[k]
                matrices = [site.letters[x] for x in letters]
                if site.number == 1 and matrices:
                    matrices = [reduce(matmul, matrices)]
                word += [(k, A) for A in matrices]
            words = out.setdefault(times, Words())
            if len(word) == 1:
                ((k, A),) = word
                alone[times, k] = alone.get((times, k), 0) + complex(c) * A
            else:
                words.terms.append((complex(c), word))
        for (times, k), A in alone.items():
            out[times].terms.append((1.0, [(k, A)]))
        for words in out.values():
            for _, word in words.terms:
                word[:] = [(k, self._ready(k, A)) for k, A in word]
        return out

    def _ready(self, k: int, A: Any) -> Any:
        """A matrix of site k as products take it: by columns where the site is one emitter."""
        return sparse(A) if self.space.sites[k].number == 1 else A

    def multiply(self, x: Elements, op: Words, left: bool) -> Elements:
        """op rho, or rho op."""
        parts = []
        for c, word in op.terms:
            y = Elements(x.source, x.rows, c * x.value)
            for k, A in reversed(word) if left else word:
                y = self.space.side(y, k, A, left)
            parts.append(y)
        return joined(parts, x)

    def groups(self) -> dict[Times, list[Any]]:
        """The generator by products of time coefficients: functions of ``Elements``."""
        out: dict[Times, list[Any]] = {}
        for times, h in self.words(self.model.H).items():
            out.setdefault(times, []).append(self._hamiltonian(h))
        for op, rate in self.model.channels():
            r, own = with_rate(rate)
            if r == 0:
                continue
            parts = self.words(op)
            for t1, one in parts.items():
                for t2, two in parts.items():
                    times = own + t1 + tuple(c.conj() for c in t2)
                    out.setdefault(times, []).append(self._jump(r, one, two))
        for c in self.model.local_channels():
            r, own = with_rate(c.rate)
            if r != 0:
                k = self.number[c.sub, c.m]
                out.setdefault(own, []).append(self._local(k, r, c.op.matrix()))
        return out

    def _hamiltonian(self, h: Words) -> Any:
        def apply(x: Elements) -> Elements:
            one, two = self.multiply(x, h, True), self.multiply(x, h, False)
            one.value *= -1j
            two.value *= 1j
            return joined([one, two], x)

        return apply

    def _jump(self, rate: float, one: Words, two: Words) -> Any:
        """rate (L rho K^+ - (K^+ L rho + rho K^+ L)/2) for L = one and K = two."""
        dag = two.dag()

        def apply(x: Elements) -> Elements:
            x = Elements(x.source, x.rows, rate * x.value)
            ket = self.multiply(x, one, True)
            parts = [self.multiply(ket, dag, False), self.multiply(ket, dag, True)]
            parts.append(self.multiply(self.multiply(x, dag, False), one, False))
            for part in parts[1:]:
                part.value *= -0.5
            return joined(parts, x)

        return apply

    def _local(self, k: int, rate: float, L: Matrix) -> Any:
        product, one = L.conj().T @ L, np.eye(len(L))
        f = np.kron(L, L.conj()) - (np.kron(product, one) + np.kron(one, product.T)) / 2
        table = sparse(rate * f)
        return lambda x: self.space.act(x, k, table)

    def walk(self, start: Elements | None = None) -> System:
        """Every element that is ever reached, and the generator on them.

        Args:
            start: a Hermitian matrix; None takes the initial density matrix.

        Raises:
            TooLarge: they do not fit into memory.
        """
        space = self.space
        x = space.start(self.memory / PER_ELEMENT) if start is None else start
        keys, order = np.unique(space.keys(x.rows), return_index=True)
        rows, value = x.rows[order], x.value[order]
        groups = self.groups()
        found: dict[Times, list[Any]] = {times: [] for times in groups}
        fresh, entries, offset = rows, 0, 0
        chunks = [rows]
        while len(fresh):
            new_keys, new_rows = [], []
            for begin in range(0, len(fresh), CHUNK):
                check_time()
                part = fresh[begin : begin + CHUNK]
                index = np.arange(offset + begin, offset + begin + len(part))
                x = Elements(index, part, np.ones(len(part), complex))
                for times, functions in groups.items():
                    y = joined([f(x) for f in functions], x)
                    target = space.keys(y.rows)
                    found[times].append((target, y.source, y.value))
                    entries += target.size
                    unique, at = np.unique(target, return_index=True)
                    near = np.minimum(np.searchsorted(keys, unique), keys.size - 1)
                    unknown = keys[near] != unique
                    new_keys.append(unique[unknown])
                    new_rows.append(y.rows[at[unknown]])
                need = offset * PER_ELEMENT + entries * PER_ENTRY
                if need > self.memory:
                    raise refuse(
                        "The elements that this model reaches need",
                        need,
                        self.memory,
                        "wf.TWA() or wf.Cumulant()",
                    )
            offset += len(fresh)
            unique, at = np.unique(np.concatenate(new_keys), return_index=True)
            fresh = np.concatenate(new_rows)[at]
            chunks.append(fresh)
            keys = np.union1d(keys, unique)
        rows = np.concatenate(chunks)
        order = np.argsort(space.keys(rows))
        return System(self, rows[order], order, value, found)


class System:
    """The reached elements, as real numbers: real and imaginary parts, a conjugate pair once.

    ``reads`` is what is read off it, see :func:`readings`.
    """

    reads: Readings

    def __init__(
        self,
        parent: Occupations,
        rows: Rows,
        order: NDArray[np.int64],
        start: NDArray[np.complex128],
        found: dict[Times, list[Any]],
    ):
        self.parent, self.rows = parent, rows
        self.base, self.marks = parent.base, parent.marks
        space, n = parent.space, len(rows)
        self.keys = space.keys(rows)
        place = np.empty(n, int)  # of the element found as number i
        place[order] = np.arange(n)
        partner = np.searchsorted(self.keys, space.keys(space.conjugate(rows)))
        one = np.arange(n)
        self.real, self.imaginary = np.flatnonzero(partner >= one), np.flatnonzero(partner > one)
        both = np.concatenate([self.real, self.imaginary])
        unit = np.concatenate([np.ones(self.real.size), np.full(self.imaginary.size, 1j)])
        column = np.arange(both.size)
        other = both != partner[both]
        #: From real numbers to the elements.
        self.spread = scipy.sparse.csc_matrix(
            (
                np.concatenate([unit, unit[other].conj()]),
                (
                    np.concatenate([both, partner[both][other]]),
                    np.concatenate([column, column[other]]),
                ),
            ),
            shape=(n, n),
        )
        full = np.zeros(n, complex)
        full[place[: start.size]] = start
        self.y = np.concatenate([full[self.real].real, full[self.imaginary].imag])
        #: (time coefficients, whether their imaginary part counts) and real matrices.
        self.groups: list[tuple[Times, bool]] = []
        self.matrices: list[scipy.sparse.csr_matrix] = []
        for times, pieces in found.items():
            target, source, value = (np.concatenate(p) for p in zip(*pieces, strict=True))
            at = np.searchsorted(self.keys, target)
            L = scipy.sparse.csr_matrix((value, (at, place[source])), shape=(n, n)) @ self.spread
            for turn in (1, 1j) if any(not c.is_real for c in times) else (1,):
                part = turn * L
                self.groups.append((times, turn == 1j))
                stacked = scipy.sparse.vstack([part[self.real].real, part[self.imaginary].imag])
                stacked = stacked.tocsr()
                stacked.eliminate_zeros()
                self.matrices.append(stacked)
        self.trace: NDArray[np.float64] = np.asarray(space.trace(rows) @ self.spread).real

    @property
    def size(self) -> int:
        """Number of real numbers."""
        return int(self.y.size)

    def row(self, op: Words) -> NDArray[np.complex128]:
        """Tr(op rho) as a sum over the real numbers."""
        space = self.parent.space
        x = Elements(np.arange(len(self.rows)), self.rows, np.ones(len(self.rows), complex))
        y = self.parent.multiply(x, op, True)
        out = np.zeros(len(self.rows), complex)
        np.add.at(out, y.source, y.value * space.trace(y.rows))
        return np.asarray(out @ self.spread)

    def edge(self, k: int, width: int) -> NDArray[np.float64]:
        """The population of the highest ``width`` states of site k, a mode, as such a sum."""
        d = self.parent.space.sites[k].levels
        top = self.rows[:, self.parent.space.first[k]] // d >= d - width
        return np.asarray((self.parent.space.trace(self.rows) * top) @ self.spread).real

    @property
    def facts(self) -> dict[str, Any]:
        """Its sizes."""
        return {"engine": "occupations", "reached": len(self.rows), "components": self.size}

    def generator(self) -> scipy.sparse.csr_matrix:
        """The matrix of a model that is constant in time."""
        return pulsed.generator(self)


def readings(system: System, ops: dict[str, Op], widths: dict[int, int] | None = None) -> Readings:
    """Of all observables, then of the edges of all modes whose width is given."""
    parent = system.parent
    rows, pieces, edges = [scipy.sparse.csr_matrix(system.trace)], [], []
    for k, op in enumerate(ops.values()):
        for times, words in parent.words(op).items():
            row = system.row(words)
            pieces.append((k, times, len(rows)))
            rows += [scipy.sparse.csr_matrix(row.real), scipy.sparse.csr_matrix(row.imag)]
    place = {k: at for at, k in parent.number.items()}
    for k, width in (widths or {}).items():
        site = parent.space.sites[k]
        edges.append((len(rows), place[k], site.label, site.levels))
        rows.append(scipy.sparse.csr_matrix(system.edge(k, width)))
    return Readings.of(rows, pieces, edges)


def build(
    model: Model, ops: dict[str, Op], cutoffs: Cutoffs | None = None, memory: float = MEMORY
) -> System:
    """What the initial state reaches, and what is read off it."""
    parent = Occupations(model, cutoffs, memory)
    system = parent.walk()
    system.reads = readings(system, ops, strides(model, parent.number))
    return system
