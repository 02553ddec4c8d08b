"""Brute force: moments and their rates in the full Hilbert space, every emitter on its own.

A *pseudo-state* is a matrix R of trace one whose third and higher joint cumulants vanish. It need
not be positive: Tr(O L[R]) tests the moment equations with any means and correlations.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import scipy.linalg as sla

from wignerflow.exact.bridge import model_to_qutip

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex)

#: Kinds of which second moments are those of two different emitters.
EMITTERS = ("spin", "ensemble", "levels")


def spin_matrices(S: float) -> np.ndarray:
    m = np.arange(S, -S - 1, -1)
    plus = np.diag(np.sqrt((S - m[1:]) * (S + m[1:] + 1)), 1).astype(complex)
    return np.array([(plus + plus.T) / 2, (plus - plus.T) / 2j, np.diag(m)])


def quadratures(dim: int) -> np.ndarray:
    a = np.diag(np.sqrt(np.arange(1, dim)), 1).astype(complex)
    return np.array([(a + a.T) / np.sqrt(2), (a - a.T) / (1j * np.sqrt(2))])


def level_matrices(d: int) -> np.ndarray:
    """n_a of all levels but the first, then x_ab and y_ab of every pair."""
    out = []
    for a in range(1, d):
        out.append(np.zeros((d, d), complex))
        out[-1][a, a] = 1
    for b in range(d):
        for a in range(b):
            up = np.zeros((d, d), complex)
            up[a, b] = 1
            out += [up + up.T, -1j * (up - up.T)]
    return np.array(out)


def dual(basis: np.ndarray) -> np.ndarray:
    """D_j with Tr(D_j B_k) = delta_jk, for B_0 the identity and the basis."""
    every = np.concatenate([np.eye(basis.shape[1])[None], basis])
    gram = np.einsum("jab,kba->jk", every, every)
    return np.einsum("jk,kab->jab", np.linalg.inv(gram), every)


class Space:
    """Sites of a model in the order of the bridge; ``group[i]`` lists the sites of class i."""

    def __init__(self, model: Any):
        self.model = model
        self.local: list[np.ndarray] = []
        self.group: list[list[int]] = []
        self.kinds: list[str] = []
        for sub in model.subsystems:
            for m in range(sub.size):
                count = int(sub.numbers[m]) if sub.kind in ("ensemble", "levels") else 1
                if sub.kind == "mode":
                    one = quadratures(sub.cutoff)
                elif sub.kind == "collective":
                    one = spin_matrices(float(sub.lengths[m]))
                elif sub.kind == "levels":
                    one = level_matrices(sub.d)
                else:
                    one = PAULI
                first = len(self.local)
                self.local += [one] * count
                self.group.append(list(range(first, first + count)))
                self.kinds.append(sub.kind)
        self.dims = [len(x[0]) for x in self.local]
        qutip = model_to_qutip(model)
        self.H = qutip.H.full()
        self.jumps = [L.full() for L in qutip.c_ops]
        self.convert = lambda op: qutip.convert(op).full()

    def at(self, site: int, matrix: np.ndarray) -> np.ndarray:
        before, after = np.prod(self.dims[:site]), np.prod(self.dims[site + 1 :])
        return np.kron(np.kron(np.eye(int(before)), matrix), np.eye(int(after)))

    def lindblad(self, R: np.ndarray) -> np.ndarray:
        out = -1j * (self.H @ R - R @ self.H)
        for L in self.jumps:
            LL = L.conj().T @ L
            out += L @ R @ L.conj().T - (LL @ R + R @ LL) / 2
        return out

    def moments(self, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means per class and letter, and symmetrised second moments, NaN where none exists."""
        ops = [
            (i, [self.at(sites[0], x) for x in self.local[sites[0]]])
            for i, sites in enumerate(self.group)
        ]
        flat = [(i, k, X) for i, xs in ops for k, X in enumerate(xs)]
        means = np.array([np.sum(X * R.T) for _, _, X in flat])
        second = np.full((len(flat), len(flat)), np.nan, complex)
        for u, (i, _, X) in enumerate(flat):
            for v, (j, k, Y) in enumerate(flat):
                if i == j and self.kinds[i] in EMITTERS:
                    if len(self.group[i]) < 2:
                        continue
                    other = self.group[i][1]
                    Y = self.at(other, self.local[other][k])
                second[u, v] = np.sum((X @ Y + Y @ X) / 2 * R.T)
        assert np.abs(means.imag).max() < 1e-9 * max(1, np.abs(means).max())
        return means.real, second.real


def pseudo_state(space: Space, rng: np.random.Generator, correlated: float = 0.3) -> np.ndarray:
    """A matrix with random means and, of that size, random covariances; the others vanish."""
    spins = [i for i, k in enumerate(space.kinds) if k in EMITTERS]
    sites = [s for i in spins for s in space.group[i]]
    owner = {s: i for i in spins for s in space.group[i]}
    others = [s for s in range(len(space.dims)) if s not in owner]
    modes = [s for s in others if len(space.local[s]) == 2]  # q and p
    width = {i: len(space.local[space.group[i][0]]) for i in spins}
    mean = {i: rng.uniform(-0.6, 0.6, width[i]) for i in spins}
    pair: dict[tuple[int, int], np.ndarray] = {}
    for i in spins:
        for j in spins:
            block = correlated * rng.uniform(-1, 1, (width[i], width[j]))
            pair[i, j] = pair[j, i].T if (j, i) in pair else block
            if i == j:
                pair[i, i] = (block + block.T) / 2
    slope = {(i, s): correlated * rng.uniform(-1, 1, 2) for i in spins for s in modes}
    base = _others(space, others, modes, rng, correlated)
    lifted = {s: _lift(space, others, s) for s in modes}

    duals = {s: dual(space.local[s]) for s in sites}
    known: dict[Any, np.ndarray] = {(): base}

    def part(chosen: tuple[tuple[int, int], ...]) -> np.ndarray:
        """The functional f -> E[x_1 ... x_k f] on the other sites, as a matrix."""
        if chosen in known:
            return known[chosen]
        (s, a), rest = chosen[0], chosen[1:]
        i = owner[s]
        out = mean[i][a] * part(rest)
        for n, (t, b) in enumerate(rest):
            out = out + pair[i, owner[t]][a, b] * part(rest[:n] + rest[n + 1 :])
        for mode in modes:
            q, p = lifted[mode]
            R = part(rest)
            # Tr(D_q[R] F) = Tr(R dF/dq), dF/dq = i[p, F]; dF/dp = -i[q, F]
            weight = slope[i, mode] * np.array([1.0, 0.7 + 0.1 * a])
            out = out + weight[0] * 1j * (R @ p - p @ R) - weight[1] * 1j * (R @ q - q @ R)
        known[chosen] = out
        return out

    # one axis per site for its string (identity or a letter), then the matrix of the others
    strings = np.zeros([width[owner[s]] + 1 for s in sites] + list(base.shape), complex)
    for index in np.ndindex(strings.shape[:-2]):
        strings[index] = part(tuple((s, j - 1) for s, j in zip(sites, index, strict=True) if j))
    for s in sites:
        strings = np.tensordot(strings, duals[s], (0, 0))
    n = len(sites)
    dims = [space.dims[s] for s in others]
    strings = strings.reshape(*dims, *dims, *strings.shape[2:])
    # axes now: rows, then columns of the others, then row and column of every site in turn
    row = dict(zip(others, range(len(others)), strict=True))
    column = {s: len(others) + x for s, x in row.items()}
    for k, s in enumerate(sites):
        row[s], column[s] = 2 * len(others) + 2 * k, 2 * len(others) + 2 * k + 1
    every = range(n + len(others))
    axes = [row[s] for s in every] + [column[s] for s in every]
    return strings.transpose(axes).reshape((int(np.prod(space.dims)),) * 2)


def _lift(space: Space, others: list[int], site: int) -> list[np.ndarray]:
    return [
        reduce(np.kron, [x if s == site else np.eye(space.dims[s]) for s in others], np.eye(1))
        for x in space.local[site]
    ]


def _others(
    space: Space, others: list[int], modes: list[int], rng: np.random.Generator, size: float
) -> np.ndarray:
    """A Gaussian state of the modes, correlated, times random states of the collective spins."""
    factors = []
    for s in others:
        d = space.dims[s]
        if s in modes:
            p = 0.05 ** np.arange(d)
            factors.append(np.diag(p / p.sum()).astype(complex))
        else:
            A = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
            factors.append(A @ A.conj().T / np.trace(A @ A.conj().T))
    R = reduce(np.kron, factors, np.eye(1, dtype=complex))
    if modes:
        ops = [x for s in modes for x in _lift(space, others, s)]
        K = rng.normal(size=(len(ops), len(ops)))
        generator = sum(
            0.2 * size * (K + K.T)[u, v] * ops[u] @ ops[v]
            for u in range(len(ops))
            for v in range(len(ops))
        )
        generator = generator + sum(0.3 * rng.normal() * x for x in ops)
        generator = (generator + generator.conj().T) / 2
        U = sla.expm(-1j * generator)
        R = U @ R @ U.conj().T
    return R
