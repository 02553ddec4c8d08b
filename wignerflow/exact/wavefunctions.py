r"""Monte Carlo wave functions in the product basis :math:`|J_1, M_1, J_2, M_2, \dots\rangle`.

Between jumps a state obeys :math:`\dot\psi = K\psi`, with
:math:`K = -iH - \frac12\sum_k L_k^\dagger L_k`,
until its squared norm has fallen to a random number. The jumps are the collective ones and, per
local channel and ensemble, three (J to J - 1, J, J + 1), so that the state always lies in one block
of the J's. Where M, total M or a parity is conserved it lies in a still smaller *sector*: the
smallest sets of basis states that K and the jumps map into one another, found from their patterns.

The step is a Taylor series, the time of a jump a root of its squared norm.

Reference: Dalibard, Castin and Mølmer, Phys. Rev. Lett. 68, 580 (1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..model.coefficients import Coef
from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.operators import LocalOp, Op
from ..model.states import BlochState
from . import dicke
from .classical import draw, draw_along
from .cutoffs import strides
from .ladder import Basis, Ladder, Site, collective, spherical, unknown_kind
from .rng import key, uniform

Array = NDArray[np.float64]

_TERMS = 60
_REACH = 4.0  # h times the norm of K: rounding is amplified by at most e^4


def refuses(model: Model) -> str | None:
    """Why wave functions cannot treat ``model``; None if they can."""
    for sub in model.subsystems:
        if sub.kind == "levels":
            return f"{sub.name!r} are emitters with levels; wf.Exact() treats them"
    if reason := unknown_kind(model):
        return reason
    timed = [r for _, r in model.channels()] + [c.rate for c in model.local_channels()]
    if model.coefficients or any(isinstance(r, Coef) for r in timed):
        return "operators or rates depend on time; wf.Exact('blocks') treats that"
    return None


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
        block: list[int] = []
        state: list[int] = []
        unit = 1
        for site in reversed(self.basis.sites):
            state.insert(0, unit)
            block.insert(0, unit * site.dim)
            unit *= site.dim * site.blocks
        return block, state

    def matrix(self, group: dict[Ladder, complex]) -> sp.csr_matrix:
        """The matrix of a sum of ladder words."""
        out = sp.csr_matrix((self.size, self.size), dtype=complex)
        _, strides = self._strides()
        for word, c in group.items():
            value = np.full(self.size, c)
            for s, text in word:
                value = value * self.basis.sites[s].table(text)[self.digits[s]]
            move = sum(q * strides[s] for s, q in self.basis.shifts(word))
            out = out + self._moved(value, move)
        return out

    def _moved(self, value: Any, move: int) -> sp.csr_matrix:
        source = np.flatnonzero(value)
        target = self.index(self.codes[source] + move)
        shape = (self.size, self.size)
        return sp.csr_matrix((value[source], (target, source)), shape=shape)

    def local(self, site: int, parts: dict[str, complex], dj: int) -> sp.csr_matrix:
        """sum_q c_q T^q from J to J + dj on one site."""
        out = sp.csr_matrix((self.size, self.size), dtype=complex)
        blocks, strides = self._strides()
        for q, c in parts.items():
            table = dicke.local_table(self.basis.sites[site].emitters, q, dj)
            move = dicke.COMPONENTS[q] * strides[site] - dj * blocks[site]
            out = out + self._moved(c * table[self.digits[site]], move)
        return out


def _static(basis: Basis, op: Op) -> dict[Ladder, complex]:
    groups = basis.expand(op)
    return groups.get((), {})


class System:
    """Matrices of a model in its sectors, ready for trajectories."""

    def __init__(self, model: Model, ops: list[Op], basis: Basis, memory: float):
        self.basis = basis
        channels = len(model.channels()) + 3 * len(model.local_channels())
        space = self.space = Space.build(model, basis, memory / (250.0 + 60.0 * channels))
        H = model.H
        jumps = []
        for op, rate in model.channels():
            if rate:
                jumps.append(np.sqrt(float(rate)) * space.matrix(_static(basis, op)))  # type: ignore[arg-type]
        for channel in model.local_channels():
            c0, parts = spherical(channel.op)
            rate = float(channel.rate)  # type: ignore[arg-type]
            one = collective(LocalOp(channel.sub, channel.op.c, channel.op.member), channel.m)
            H = H + (one * np.conj(c0) - one.dag() * c0) * (0.5j * rate)
            site = basis.number[channel.sub, channel.m]
            jumps += [np.sqrt(rate) * space.local(site, parts, dj) for dj in (-1, 0, 1) if rate]
        K = -1j * space.matrix(_static(basis, H))
        for L in jumps:
            K = K - 0.5 * (L.conj().T @ L)
        self.jumps = [L for L in jumps if L.nnz]
        label = self._sectors(K)
        order = np.argsort(label, kind="stable")
        self.position = np.empty(space.size, np.int64)
        self.position[order] = np.arange(space.size)
        self.label = label[order]
        self.first = np.searchsorted(self.label, np.arange(label.max() + 2))
        self.K = _sorted(K, order)
        self.jumps = [_sorted(L, order) for L in self.jumps]
        self.target = np.full((len(self.jumps), self.first.size - 1), -1)
        for k, L in enumerate(self.jumps):
            at = L.tocoo()
            self.target[k, self.label[at.col]] = self.label[at.row]
        size = np.asarray(abs(self.K).sum(axis=0)).ravel()
        self.norm = np.maximum.reduceat(size, self.first[:-1])
        self.ops = [_sorted(space.matrix(_static(basis, op)), order) for op in ops]
        for s, width in strides(model, basis).items():
            edge = (space.digits[s][1] >= basis.sites[s].dim - width).astype(complex)
            self.ops.append(_sorted(sp.diags(edge).tocsr(), order))

    def _sectors(self, K: sp.csr_matrix) -> NDArray[np.int64]:
        """Sector of every state: sets closed under K that every jump maps into one set."""
        pattern = abs(K)
        for s, site in enumerate(self.basis.sites):
            if not site.is_diagonal:
                word = "d" if site.kind == "mode" else "p"
                pattern = pattern + abs(self.space.matrix({((s, word),): 1.0}))
        count, label = connected_components(pattern, directed=False)
        edges = [L.tocoo() for L in self.jumps]
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
            graph = sp.coo_matrix(
                (np.ones(joined.shape[1]), (joined[0], joined[1])), (count, count)
            )
            count, merged = connected_components(graph, directed=False)
            label = merged[label]

    def arguments(self) -> tuple[NDArray[Any], ...]:
        """In the order of :func:`run`, after the first five."""
        jumps, ops = _stacked(self.jumps, self.K.shape[0]), _stacked(self.ops, self.K.shape[0])
        K = self.K
        parts = (K.indptr.astype(np.int64), K.indices.astype(np.int64), K.data)
        return (self.first, self.norm, *parts, *jumps, self.target, *ops)

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


def _sorted(A: sp.csr_matrix, order: NDArray[np.int64]) -> sp.csr_matrix:
    return A.tocsr()[order][:, order]


def _stacked(matrices: list[sp.csr_matrix], n: int) -> tuple[NDArray[Any], ...]:
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


@njit(cache=True, nogil=True)
def _apply(indptr, indices, data, begin, end, offset, x, out):  # type: ignore[no-untyped-def]
    """Rows begin … end of a matrix times x, which lives at columns offset …"""
    for i in range(begin, end):
        total = 0j
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * x[indices[k] - offset]
        out[i - begin] = total


@njit(cache=True, nogil=True)
def _norm2(x, d):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(d):
        total += x[i].real ** 2 + x[i].imag ** 2
    return total


@njit(cache=True, nogil=True)
def _evaluate(terms, count, d, x, out):  # type: ignore[no-untyped-def]
    """The state at the fraction x of a step, by Horner's rule."""
    for i in range(d):
        out[i] = terms[count - 1, i]
    for k in range(count - 2, -1, -1):
        for i in range(d):
            out[i] = out[i] * x + terms[k, i]


@njit(cache=True, nogil=True)
def run(  # type: ignore[no-untyped-def]
    sector, psi, seed, trajectory, times, values, first, norm, k_ptr, k_ind, k_data, l_ptr, l_ind,
    l_data, target, o_ptr, o_ind, o_data,
):  # fmt: skip
    """One trajectory; values[op, t] becomes <op>. Returns the number of jumps, or -1 on failure."""
    widest = 0
    for s in range(first.size - 1):
        widest = max(widest, first[s + 1] - first[s])
    terms = np.zeros((_TERMS, widest), np.complex128)
    state, other = np.zeros(widest, np.complex128), np.zeros(widest, np.complex128)
    weights = np.zeros(target.shape[0])
    stream = key(seed, trajectory)
    t, n, jumps = times[0], 0, 0
    counter = 1
    threshold = uniform(stream, counter)
    state[: psi.size] = psi
    while True:
        begin, end = first[sector], first[sector + 1]
        d = end - begin
        left = times[-1] - t
        h = left
        if norm[sector] > 0:
            h = min(left, _REACH / norm[sector])
        r = h * norm[sector]
        terms[0, :d] = state[:d]
        count = 1
        while count < _TERMS:
            _apply(k_ptr, k_ind, k_data, begin, end, begin, terms[count - 1], terms[count])
            for i in range(d):
                terms[count, i] *= h / count
            size = _norm2(terms[count], d)
            count += 1
            if count > r and size < 1e-24 * threshold:
                break
        _evaluate(terms, count, d, 1.0, other)
        jump = _norm2(other, d) <= threshold
        x = 1.0
        if jump:  # the squared norm falls monotonically: bracketed secant (Illinois)
            low, high = 0.0, 1.0
            f_low, f_high = _norm2(state, d) - threshold, _norm2(other, d) - threshold
            for _ in range(60):
                x = high - f_high * (high - low) / (f_high - f_low) if f_high < f_low else high
                _evaluate(terms, count, d, x, other)
                f = _norm2(other, d) - threshold
                if abs(f) < 1e-11 * threshold or high - low < 1e-13:
                    break
                if f > 0:
                    low, f_low, f_high = x, f, f_high * 0.5
                else:
                    high, f_high, f_low = x, f, f_low * 0.5
        done = not jump and h >= left
        while n < times.size and (times[n] <= t + h * x or done):
            fraction = min((times[n] - t) / h, x) if h > 0 else 0.0
            _evaluate(terms, count, d, fraction, other)
            size = _norm2(other, d)
            for k in range(o_ptr.shape[0]):
                total = 0j
                for i in range(begin, end):
                    part = 0j
                    for e in range(o_ptr[k, i], o_ptr[k, i + 1]):
                        column = o_ind[e] - begin
                        if 0 <= column < d:
                            part += o_data[e] * other[column]
                    total += other[i - begin].conjugate() * part
                values[k, n] = total / size
            n += 1
        if n == times.size:
            return jumps
        _evaluate(terms, count, d, x, state)
        t += h * x
        if not jump:
            continue
        total = 0.0
        for k in range(target.shape[0]):
            weights[k] = 0.0
            s = target[k, sector]
            if s >= 0:
                _apply(l_ptr[k], l_ind, l_data, first[s], first[s + 1], begin, state, other)
                weights[k] = _norm2(other, first[s + 1] - first[s])
                total += weights[k]
        if not total > 0:
            return -1
        counter += 1
        pick = uniform(stream, counter) * total
        chosen = -1
        for k in range(target.shape[0]):
            if weights[k] > 0:
                chosen = k
                pick -= weights[k]
                if pick < 0:
                    break
        s = target[chosen, sector]
        _apply(l_ptr[chosen], l_ind, l_data, first[s], first[s + 1], begin, state, other)
        sector = s
        scale = 1 / np.sqrt(_norm2(other, first[s + 1] - first[s]))
        for i in range(first[s + 1] - first[s]):
            state[i] = other[i] * scale
        counter += 1
        threshold = uniform(stream, counter)
        jumps += 1
