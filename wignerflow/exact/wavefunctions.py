r"""Monte Carlo wave functions in the product basis :math:`|J_1, M_1, J_2, M_2, \dots\rangle`.

Between jumps a state obeys :math:`\dot\psi = K\psi`, with
:math:`K = -iH - \frac12\sum_k L_k^\dagger L_k`,
until its squared norm has fallen to a random number. The jumps are the collective ones and, per
local channel and ensemble, three (J to J - 1, J, J + 1), so that the state always lies in one block
of the J's. Where M, total M or a parity is conserved it lies in a still smaller *sector*: the
smallest sets of basis states that K and the jumps map into one another, found from their patterns.

The step is a Taylor series, the time of a jump a root of its squared norm; coefficients that depend
on time are polynomials piece by piece (see ``pieces`` and ``wave_runs``).

Reference: Dalibard, Castin and Mølmer, Phys. Rev. Lett. 68, 580 (1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..model.coefficients import Coef
from ..model.kinds.ensemble import LocalOp
from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.operators import Op
from ..model.states import BlochState
from . import dicke
from .classical import draw, draw_along
from .cutoffs import strides
from .ladder import Basis, Ladder, Site, Times, collective, spherical, unknown_kind
from .liouvillian import row_major
from .pieces import Product

Array = NDArray[np.float64]


def refuses(model: Model) -> str | None:
    """Why wave functions cannot treat ``model``; None if they can."""
    for sub in model.subsystems:
        if sub.kind == "levels":
            return f"{sub.name!r} are emitters with levels; wf.Exact() treats them"
    return unknown_kind(model)


@dataclass
class Space:
    """Basis states with abs(M) <= J of all sites: block code and state code of each."""

    basis: Basis
    digits: list[tuple[NDArray[np.int64], NDArray[np.int64]]]  # (block, index) per site
    codes: NDArray[np.int64]
    order: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of basis states."""
        return int(self.codes.size)

    @staticmethod
    def build(model: Model, basis: Basis, limit: float) -> Space:
        """All states that can matter; raises ValueError above ``limit`` states."""
        jumping = {basis.number[c.sub, c.m] for c in model.local_channels()}
        counts, size = [], 1.0
        for s, site in enumerate(basis.sites):
            pure = not isinstance(site.state, BlochState) or site.state.is_pure
            counts.append(1 if pure and s not in jumping else site.blocks)
            size *= float(counts[-1]) * (site.dim - counts[-1] + 1)  # sum of dim - 2 b
        if size > limit:
            many = f"{size:.3g}" if np.isfinite(size) else "more than 1e308"
            raise ValueError(
                f"QuantumJumps needs {many} basis states of |J, M>, but memory allows "
                f"{limit:.3g}; raise `memory`, use fewer emitters, or take wf.TWA()."
            )
        lists = []
        for blocks, site in zip(counts, basis.sites, strict=True):
            j = np.concatenate([np.full(site.dim - 2 * b, b) for b in range(blocks)])
            m = np.concatenate([np.arange(b, site.dim - b) for b in range(blocks)])
            lists.append((j, m))
        grids = np.indices([j.size for j, _ in lists]).reshape(len(lists), -1)
        digits = [(j[g], m[g]) for (j, m), g in zip(lists, grids, strict=True)]
        codes = np.zeros(int(size), np.int64)
        for (j, m), site in zip(digits, basis.sites, strict=True):
            codes = (codes * site.blocks + j) * site.dim + m
        return Space(basis, digits, codes, np.argsort(codes))

    def index(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of codes that are states."""
        return self.order[np.searchsorted(self.codes, codes, sorter=self.order)]

    def _strides(self) -> tuple[list[int], list[int]]:
        sites = self.basis.sites
        state = row_major([site.dim * site.blocks for site in sites])
        return [unit * site.dim for unit, site in zip(state, sites, strict=True)], state

    def matrix(self, group: dict[Ladder, complex]) -> scipy.sparse.csr_matrix:
        """The matrix of a sum of ladder words."""
        out = scipy.sparse.csr_matrix((self.size, self.size), dtype=complex)
        _, strides = self._strides()
        for word, c in group.items():
            value = np.full(self.size, c)
            for s, text in word:
                value = value * self.basis.sites[s].table(text)[self.digits[s]]
            move = sum(q * strides[s] for s, q in self.basis.shifts(word))
            out = out + self._moved(value, move)
        return out

    def _moved(self, value: Any, move: int) -> scipy.sparse.csr_matrix:
        source = np.flatnonzero(value)
        target = self.index(self.codes[source] + move)
        shape = (self.size, self.size)
        return scipy.sparse.csr_matrix((value[source], (target, source)), shape=shape)

    def local(self, site: int, parts: dict[str, complex], dj: int) -> scipy.sparse.csr_matrix:
        """sum_q c_q T^q from J to J + dj on one site."""
        out = scipy.sparse.csr_matrix((self.size, self.size), dtype=complex)
        blocks, strides = self._strides()
        for q, c in parts.items():
            table = dicke.local_table(self.basis.sites[site].emitters, q, dj)
            move = dicke.COMPONENTS[q] * strides[site] - dj * blocks[site]
            out = out + self._moved(c * table[self.digits[site]], move)
        return out


#: The terms of an operator, matrices by the product of time coefficients that multiplies each.
Parts = dict[Times, scipy.sparse.csr_matrix]


class System:
    """Matrices of a model in its sectors, ready for trajectories.

    Args:
        model: the master equation.
        ops: observables.
        basis: of the states.
        memory: limit in bytes.
        kicks: operators that states are multiplied by between runs, without time coefficients;
            together they take a sector into one sector.
    """

    def __init__(
        self, model: Model, ops: list[Op], basis: Basis, memory: float, kicks: Sequence[Op] = ()
    ):
        self.basis = basis
        channels = len(model.channels()) + 3 * len(model.local_channels()) + len(kicks)
        space = self.space = Space.build(model, basis, memory / (250.0 + 60.0 * channels))
        self.functions: dict[Product, int] = {Product(): 0}
        H = model.H
        jumps: list[tuple[Parts, Any]] = []
        for op, rate in model.channels():
            jumps.append((self._parts(op), rate))
        for channel in model.local_channels():
            c0, parts = spherical(channel.op)
            one = collective(LocalOp(channel.sub, channel.op.c, channel.op.member), channel.m)
            H = H + (one * np.conj(c0) - one.dag() * c0) * (0.5j * channel.rate)
            site = basis.number[channel.sub, channel.m]
            for dj in (-1, 0, 1):
                jumps.append(({(): space.local(site, parts, dj)}, channel.rate))
        K = {self._function(times): -1j * A for times, A in self._parts(H).items()}
        self.jumps: list[list[tuple[int, scipy.sparse.csr_matrix]]] = []
        self.rates: list[int] = []
        for L, rate in jumps:
            if not isinstance(rate, Coef):
                L = {times: np.sqrt(float(rate)) * A for times, A in L.items() if rate}
            L = {times: A for times, A in L.items() if A.nnz}
            if not L:
                continue
            for left, A in L.items():
                for right, B in L.items():
                    f = self._function(right, left, rate)
                    K[f] = K.get(f, 0 * A) - 0.5 * (A.conj().T @ B)
            self.jumps.append([(self._function(times), A) for times, A in L.items()])
            self.rates.append(self._function((), (), rate))
        self.k_time = np.array(sorted(K), np.int64)
        moved = [self._parts(op).get((), space.matrix({})) for op in kicks]
        patterns = [sum(abs(A) for _, A in L) for L in self.jumps]
        patterns += [sum(map(abs, moved))] if moved else []
        label = self._sectors(sum(map(abs, K.values()), abs(space.matrix({}))), patterns)
        order = np.argsort(label, kind="stable")
        self.position = np.empty(space.size, np.int64)
        self.position[order] = np.arange(space.size)
        self.label = label[order]
        self.first = np.searchsorted(self.label, np.arange(label.max() + 2))
        self.K = [_sorted(K[f].tocsr(), order) for f in self.k_time]
        self.jumps = [[(f, _sorted(A, order)) for f, A in L] for L in self.jumps]
        self.kicks = [_sorted(A, order) for A in moved]
        self.target = self._targets([_sorted(p, order) for p in patterns[: len(self.jumps)]])
        self.kicked = self._targets(self.kicks)
        sizes = np.array([np.asarray(abs(A).sum(axis=0)).ravel() for A in self.K])
        self.norm = np.maximum.reduceat(
            sizes.reshape(len(self.K), space.size), self.first[:-1], axis=1
        )
        #: Rows of ``ops``: the observable that each is a part of, and its coefficients.
        self.rows: list[tuple[int, Times]] = []
        self.ops: list[scipy.sparse.csr_matrix] = []
        for k, op in enumerate(ops):
            for times, A in (self._parts(op) or {(): space.matrix({})}).items():
                self.rows.append((k, times))
                self.ops.append(_sorted(A, order))
        for s, width in strides(model, basis.number).items():
            edge = (space.digits[s][1] >= basis.sites[s].dim - width).astype(complex)
            self.rows.append((len(ops) + sum(k >= len(ops) for k, _ in self.rows), ()))
            self.ops.append(_sorted(scipy.sparse.diags(edge).tocsr(), order))

    def _parts(self, op: Op) -> Parts:
        return {t: self.space.matrix(group) for t, group in self.basis.expand(op).items()}

    def _function(self, right: Times, left: Times = (), rate: Any = None) -> int:
        """The number of a function of time; 0 is one at all times."""
        return self.functions.setdefault(Product.of(right, left, rate), len(self.functions))

    def _targets(self, matrices: Sequence[scipy.sparse.csr_matrix]) -> NDArray[np.int64]:
        """The sector that each matrix takes every sector into, -1: none, (matrices, sectors)."""
        out = np.full((len(matrices), self.first.size - 1), -1)
        for k, L in enumerate(matrices):
            at = L.tocoo()
            out[k, self.label[at.col]] = self.label[at.row]
        return out

    def _sectors(
        self, pattern: scipy.sparse.csr_matrix, jumps: Sequence[scipy.sparse.csr_matrix]
    ) -> NDArray[np.int64]:
        """Sector of every state: sets closed under K that every jump maps into one set."""
        for s, site in enumerate(self.basis.sites):
            if not site.is_diagonal:
                word = "d" if site.kind == "mode" else "p"
                pattern = pattern + abs(self.space.matrix({((s, word),): 1.0}))
        count, label = connected_components(pattern, directed=False)
        edges = [L.tocoo() for L in jumps]
        while True:
            links = []
            for L in edges:
                source, target = label[L.col], label[L.row]
                pairs = np.unique(np.stack([source, target]), axis=1)
                same = np.flatnonzero(pairs[0, 1:] == pairs[0, :-1])
                links.append(pairs[1][np.stack([same, same + 1])])
            joined = np.concatenate(links, axis=1) if links else np.zeros((2, 0), np.int64)
            if not joined.size:
                return np.asarray(label, np.int64)
            graph = scipy.sparse.coo_matrix(
                (np.ones(joined.shape[1]), (joined[0], joined[1])), (count, count)
            )
            count, merged = connected_components(graph, directed=False)
            label = merged[label]

    def arguments(self) -> tuple[NDArray[Any], ...]:
        """In the order of ``wave_runs.run``, from ``first`` to the observables."""
        n = self.space.size
        terms = [A for L in self.jumps for _, A in L]
        times = np.array([f for L in self.jumps for f, _ in L], np.int64)
        first = np.cumsum([0, *map(len, self.jumps)]).astype(np.int64)
        jumps = (*_stacked(terms, n), first, times, np.array(self.rates, np.int64), self.target)
        matrices = (self.norm, *_stacked(self.K, n), self.k_time)
        return (self.first, *matrices, *jumps, *_stacked(self.ops, n))

    def combined(self, values: NDArray[Any], times: Array) -> NDArray[Any]:
        """Rows of ``ops`` (..., R, T) to observables and edges (..., K, T)."""
        if all(not t for _, t in self.rows) and len(self.rows) == 1 + self.rows[-1][0]:
            return values
        out = np.zeros((*values.shape[:-2], 1 + self.rows[-1][0], times.size), complex)
        for row, (k, coefficients) in enumerate(self.rows):
            out[..., k, :] += values[..., row, :] * Product(coefficients)(times)
        return out

    def draw(self, rng: np.random.Generator) -> tuple[int, NDArray[np.complex128]]:
        """Sector and vector (in it) of one draw from the initial state."""
        code, value = np.zeros(1, np.int64), np.ones(1, complex)
        for site in self.basis.sites:
            j, first, psi = _draw_site(site, rng)
            index = np.flatnonzero(np.abs(psi) > 1e-18)
            code = ((code * site.blocks + j) * site.dim)[:, None] + (first + index)[None, :]
            code, value = code.ravel(), np.multiply.outer(value, psi[index]).ravel()
        at = self.position[self.space.index(code)]
        sector = int(self.label[at[0]])
        out = np.zeros(self.first[sector + 1] - self.first[sector], complex)
        out[at - self.first[sector]] = value
        return sector, out / np.linalg.norm(out)


def _draw_site(site: Site, rng: np.random.Generator) -> tuple[int, int, NDArray[np.complex128]]:
    """Block, first index and amplitudes of one draw from the initial state of a site."""
    if isinstance(site.state, ModeState):
        if not site.is_diagonal:
            # every column of psi psi^+ is psi times a number
            matrix = site.initial_blocks()[0]
            psi = matrix[:, int(np.argmax(np.diag(matrix).real))]
            return 0, 0, psi / np.linalg.norm(psi)
        n = site.dim
        while n >= site.dim:
            n = int(draw(site, rng)[1])
        return 0, n, np.ones(1, complex)
    assert isinstance(site.state, BlochState)
    length, theta, phi = dicke.bloch_angles(site.state.vector)
    J, M = draw_along(site, length, rng)
    j = round(site.length - J)
    if site.is_diagonal:
        return j, round((M if theta < 1 else -M) + site.length), np.ones(1, complex)
    if M == J:
        return j, j, dicke.coherent_state(J, theta, phi)
    return j, j, dicke.rotation(J, theta, phi)[:, round(M + J)]


def _sorted(A: scipy.sparse.csr_matrix, order: NDArray[np.int64]) -> scipy.sparse.csr_matrix:
    return A.tocsr()[order][:, order]


def _stacked(matrices: list[scipy.sparse.csr_matrix], n: int) -> tuple[NDArray[Any], ...]:
    """Row starts (count, n + 1), columns and data of several matrices of size n."""
    starts = np.zeros((len(matrices), n + 1), np.int64)
    at = 0
    for k, m in enumerate(matrices):
        starts[k] = m.indptr + at
        at += m.nnz
    indices = [m.indices.astype(np.int64) for m in matrices]
    data = [np.asarray(m.data, complex) for m in matrices]
    if not matrices:
        return starts, np.zeros(0, np.int64), np.zeros(0, complex)
    return starts, np.concatenate(indices), np.concatenate(data)
