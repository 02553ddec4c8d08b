"""Explicit matrices of small systems, built without any of the library's algebra."""

from __future__ import annotations

import numpy as np

import wignerflow as wf

CUTOFF = 12


def spin_matrices(S: float) -> dict[str, np.ndarray]:
    m = np.arange(S, -S - 1, -1)
    plus = np.diag(np.sqrt(S * (S + 1) - m[1:] * (m[1:] + 1)), 1).astype(complex)
    minus = plus.conj().T
    return {
        "Jx": (plus + minus) / 2,
        "Jy": (plus - minus) / 2j,
        "Jz": np.diag(m).astype(complex),
        "Jp": plus,
        "Jm": minus,
    }


def pauli_matrices() -> dict[str, np.ndarray]:
    J = spin_matrices(0.5)
    return {"sx": 2 * J["Jx"], "sy": 2 * J["Jy"], "sz": 2 * J["Jz"], "sp": J["Jp"], "sm": J["Jm"]}


def mode_matrices(cutoff: int = CUTOFF) -> dict[str, np.ndarray]:
    a = np.diag(np.sqrt(np.arange(1, cutoff)), 1).astype(complex)
    adag = a.conj().T
    return {"a": a, "adag": adag, "n": np.diag(np.arange(cutoff)).astype(complex)}


LETTERS = {
    "ensemble": {"x": "Jx", "y": "Jy", "z": "Jz"},
    "collective": {"x": "Jx", "y": "Jy", "z": "Jz"},
    "spin": {"x": "sx", "y": "sy", "z": "sz"},
    "mode": {"d": "adag", "a": "a"},
}


class Space:
    """The tensor product of all members of some subsystems; an ensemble has its largest spin."""

    def __init__(self, *subsystems: wf.model.subsystems.Subsystem, cutoff: int = CUTOFF):
        self.sites: list[tuple] = []
        self.local: list[dict[str, np.ndarray]] = []
        for sub in subsystems:
            for m in range(sub.size):
                if sub.kind == "mode":
                    matrices = mode_matrices(cutoff)
                elif sub.kind == "spin":
                    matrices = pauli_matrices()
                elif sub.kind == "ensemble":
                    matrices = spin_matrices(sub.numbers[m] / 2)
                else:
                    matrices = spin_matrices(sub.lengths[m])
                self.sites.append((sub, m))
                self.local.append(matrices)
        self.dims = [next(iter(x.values())).shape[0] for x in self.local]
        self.dim = int(np.prod(self.dims))
        self.identity = np.eye(self.dim, dtype=complex)
        self.cache: dict[tuple, np.ndarray] = {}

    def leaf(self, sub, m: int, name: str) -> np.ndarray:
        """The matrix of one named operator on one member."""
        if (sub, m, name) not in self.cache:
            self.cache[sub, m, name] = self._leaf(sub, m, name)
        return self.cache[sub, m, name]

    def _leaf(self, sub, m: int, name: str) -> np.ndarray:
        k = self.sites.index((sub, m))
        before, after = int(np.prod(self.dims[:k])), int(np.prod(self.dims[k + 1 :]))
        return np.kron(np.kron(np.eye(before), self.local[k][name]), np.eye(after))

    def matrix(self, op, t: float = 0.0) -> np.ndarray:
        """The matrix of an Op, from its expansion into words."""
        out = np.zeros((self.dim, self.dim), complex)
        for c, times, word in op.expand():
            value = c * np.prod([complex(f(t)) for f in times])
            product = self.identity
            for sub, m, letters in word:
                product = product @ self.word(sub, m, letters)
            out += value * product
        return out

    def word(self, sub, m: int, letters: str) -> np.ndarray:
        """The matrix of a word on one member, multiplied where it acts."""
        key = (sub, m, "word " + letters)
        if key not in self.cache:
            k = self.sites.index((sub, m))
            product = np.eye(self.dims[k])
            for letter in letters:
                product = product @ self.local[k][LETTERS[sub.kind][letter]]
            self.local[k][key[2]] = product
            self.cache[key] = self._leaf(sub, m, key[2])
        return self.cache[key]

    def low(self, letters: int) -> np.ndarray:
        """Basis states that ``letters`` ladder operators keep below every mode's cutoff."""
        occupations = np.indices(self.dims).reshape(len(self.dims), -1)
        keep = np.ones(self.dim, bool)
        for (sub, _), n, d in zip(self.sites, occupations, self.dims, strict=True):
            if sub.kind == "mode":
                keep &= n < d - letters
        return keep
