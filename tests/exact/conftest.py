"""Brute force in the full Hilbert space, written with dense matrices only."""

import numpy as np
import pytest
import scipy.linalg

import wignerflow as wf
from wignerflow.model.words import levels_of

PAULI = {
    "x": np.array([[0, 1], [1, 0]], complex),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.array([[1, 0], [0, -1]], complex),
}


class Brute:
    """The master equation of a small model, every emitter a system of its own."""

    def __init__(self, model):
        self.model = model
        self.dims, self.slots, states = [], {}, []
        self.letters = {}
        for sub, initial in model.initial.items():
            for m in range(sub.size):
                first = len(self.dims)
                if sub.kind == "mode":
                    assert sub.cutoff
                    self.dims.append(sub.cutoff)
                    psi = np.zeros(sub.cutoff, complex)
                    psi[0] = 1
                    assert abs(initial[m].value) == 0
                    states.append(np.outer(psi, psi))
                elif sub.kind == "levels":
                    count = int(sub.numbers[m])
                    self.dims += [sub.d] * count
                    states += [initial[m].density(sub, "state")] * count
                else:
                    if sub.kind == "ensemble":
                        count = int(sub.numbers[m])
                    else:
                        count = round(2 * sub.lengths[m]) if sub.kind == "collective" else 1
                    r = initial[m].vector
                    rho = (np.eye(2) + sum(v * PAULI[a] for a, v in zip("xyz", r, strict=True))) / 2
                    self.dims += [2] * count
                    states += [rho] * count
                self.slots[sub, m] = range(first, len(self.dims))
        self.rho = np.eye(1)
        for s in states:
            self.rho = np.kron(self.rho, s)

    def one(self, k, matrix):
        """``matrix`` on slot k."""
        left, right = int(np.prod(self.dims[:k])), int(np.prod(self.dims[k + 1 :]))
        return np.kron(np.kron(np.eye(left), matrix), np.eye(right))

    def letter(self, sub, m, letter):
        if (sub, m, letter) not in self.letters:
            self.letters[sub, m, letter] = self._letter(sub, m, letter)
        return self.letters[sub, m, letter]

    def _letter(self, sub, m, letter):
        slots = self.slots[sub, m]
        if sub.kind == "mode":
            a = np.diag(np.sqrt(np.arange(1, sub.cutoff)), 1)
            return self.one(slots[0], a if letter == "a" else a.T)
        if sub.kind == "levels":
            unit = np.zeros((sub.d, sub.d))
            unit[levels_of(letter)] = 1
            return sum(self.one(k, unit) for k in slots)
        scale = 1 if sub.kind == "spin" else 0.5
        return scale * sum(self.one(k, PAULI[letter]) for k in slots)

    def parts(self, op):
        """Matrices by the time coefficients that multiply each."""
        out = {}
        for c, times, factors in op.expand():
            term = c * np.eye(len(self.rho), dtype=complex)
            for sub, m, word in factors:
                for letter in word:
                    term = term @ self.letter(sub, m, letter)
            out[times] = out.get(times, 0) + term
        return out

    def matrix(self, op, t=0.0):
        out = np.zeros(self.rho.shape, complex)
        for times, part in self.parts(op).items():
            out += np.prod([complex(coefficient(t)) for coefficient in times]) * part
        return out

    def function(self, op):
        """The matrix of an operator as a function of time."""
        parts = self.parts(op)
        fixed = parts.pop((), 0 * self.rho)
        return lambda t: (
            fixed + sum(np.prod([c(t) for c in times]) * part for times, part in parts.items())
        )

    @staticmethod
    def rate(rate):
        """A rate as a function of time."""
        return (lambda t: rate(t).real) if isinstance(rate, wf.Coef) else lambda t: rate

    def channels(self):
        """Operators and rates of all jumps but local ones, as functions of time."""
        return [(self.function(op), self.rate(rate)) for op, rate in self.model.channels()]

    def liouvillian(self, t=0.0):
        def value(rate):
            return float(self.rate(rate)(t))

        one = np.eye(len(self.rho))
        H = self.matrix(self.model.H, t)
        out = -1j * (np.kron(H, one) - np.kron(one, H.T))
        jumps = [(self.matrix(op, t), value(rate)) for op, rate in self.model.channels()]
        for ch in self.model.local_channels():
            slots = self.slots[ch.sub, ch.m]
            jumps += [(self.one(k, ch.op.matrix()), value(ch.rate)) for k in slots]
        for L, rate in jumps:
            LL = L.conj().T @ L
            out += rate * (np.kron(L, L.conj()) - (np.kron(LL, one) + np.kron(one, LL.T)) / 2)
        return out

    def solve(self, tlist, ops):
        """name -> expectation values, for a model constant in time."""
        matrices = {name: self.matrix(op) for name, op in ops.items()}
        step = {}
        L = self.liouvillian()
        rho, out = self.rho.ravel().astype(complex), {name: [] for name in ops}
        for k in range(len(tlist)):
            if k:
                h = round(tlist[k] - tlist[k - 1], 12)
                if h not in step:
                    step[h] = scipy.linalg.expm(L * h)
                rho = step[h] @ rho
            for name, m in matrices.items():
                out[name].append(np.trace(m @ rho.reshape(self.rho.shape)))
        return {name: np.array(v) for name, v in out.items()}


@pytest.fixture(scope="session")
def brute():
    """The class Brute."""
    return Brute
