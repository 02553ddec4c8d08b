"""Random small models built twice, as operators of the library and as matrices.

The matrices live in the full space, every emitter of an ensemble being a two-level system of its
own, and nothing here uses ``wignerflow.phasespace`` or the library's operator algebra.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import wignerflow as wf

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex)


def spin_matrices(S: float) -> np.ndarray:
    """Jx, Jy, Jz of one angular momentum."""
    m = np.arange(S, -S - 1, -1)
    plus = np.diag(np.sqrt(S * (S + 1) - m[1:] * (m[1:] + 1)), 1).astype(complex)
    return np.array([(plus + plus.T) / 2, (plus - plus.T) / 2j, np.diag(m)])


def emitters(N: int) -> np.ndarray:
    """sigma^a of each of N emitters, (N, 3, 2^N, 2^N)."""
    return np.array(
        [
            [np.kron(np.kron(np.eye(2**n), PAULI[a]), np.eye(2 ** (N - 1 - n))) for a in range(3)]
            for n in range(N)
        ]
    )


def level_variables(d: int) -> list[np.ndarray]:
    """The operators of one emitter behind the classical variables: for every level b, those of Re
    R_ab and Im R_ab for a < b, and |b><b|.
    """
    out = []
    for b in range(d):
        for a in range(b):
            up = np.zeros((d, d), complex)
            up[a, b] = 1
            out += [(up + up.T) / 2, (up.T - up) / 2j]
        out.append(np.diag(np.arange(d) == b).astype(complex))
    return out


def level_coefficients(A: np.ndarray, d: int) -> np.ndarray:
    """c with A = sum_k c_k x_k for the operators of ``level_variables``."""
    table = np.array([x.ravel() for x in level_variables(d)]).T
    return np.linalg.solve(table, np.asarray(A, complex).ravel())


def coherent_ket(S: float, r: np.ndarray) -> np.ndarray:
    """The spin coherent state along the unit vector r."""
    J = spin_matrices(S)
    values, vectors = np.linalg.eigh(np.tensordot(r, J, 1))
    return vectors[:, int(np.argmax(values))]


@dataclass
class Site:
    """One member of a subsystem: its Hermitian variables as matrices, its state.

    ``variables`` are what the classical variables stand for: J_a, or (a + a^+)/2 and (a - a^+)/2i.
    """

    sub: Any
    m: int
    variables: np.ndarray
    rho: np.ndarray
    emitters: np.ndarray | None = None  # sigma^a_n of an ensemble's emitters, (N, 3, d, d)
    _moments: dict[tuple[int, ...], float] = field(default_factory=dict)

    def product(self, comps: tuple[int, ...]) -> np.ndarray:
        """Symmetrised product of variables as a matrix."""
        orders = sorted(set(itertools.permutations(comps)))
        factors = [[self.variables[k] for k in order] for order in orders]
        return sum(functools.reduce(np.matmul, f) for f in factors) / len(orders)

    def moment(self, comps: tuple[int, ...]) -> float:
        """Symmetrised moment of a product of variables."""
        if comps not in self._moments:
            self._moments[comps] = float(np.sum(self.product(comps) * self.rho.T).real)
        return self._moments[comps]


class Twin:
    """An operator and its matrix."""

    __array_ufunc__ = None

    def __init__(self, op: Any, mat: np.ndarray):
        self.op, self.mat = op, mat

    def __add__(self, other: Twin) -> Twin:
        return Twin(self.op + other.op, self.mat + other.mat)

    def __mul__(self, other: Any) -> Twin:
        if isinstance(other, Twin):
            return Twin(self.op * other.op, self.mat @ other.mat)
        return Twin(other * self.op, other * self.mat)

    __rmul__ = __mul__

    def dag(self) -> Twin:
        return Twin(self.op.dag(), self.mat.conj().T)

    def hermitian(self) -> Twin:
        return self + self.dag()


class ArrayTwin:
    """An array operator and its members' matrices (M, d, d)."""

    __array_ufunc__ = None

    def __init__(self, op: Any, mats: np.ndarray):
        self.op, self.mats = op, mats

    def __add__(self, other: ArrayTwin) -> ArrayTwin:
        return ArrayTwin(self.op + other.op, self.mats + other.mats)

    def __mul__(self, other: Any) -> ArrayTwin:
        if isinstance(other, ArrayTwin):
            return ArrayTwin(self.op * other.op, self.mats @ other.mats)
        w = np.broadcast_to(other, len(self.mats))
        return ArrayTwin(other * self.op, w[:, None, None] * self.mats)

    __rmul__ = __mul__

    def dag(self) -> ArrayTwin:
        return ArrayTwin(self.op.dag(), self.mats.conj().transpose(0, 2, 1))

    def sum(self) -> Twin:
        return Twin(self.op.sum(), self.mats.sum(0))

    def __getitem__(self, m: int) -> Twin:
        return Twin(self.op[m], self.mats[m])


@dataclass
class World:
    """Subsystems with random product states; the tensor product of all their sites."""

    rng: np.random.Generator
    sites: list[Site] = field(default_factory=list)
    initial: dict[Any, Any] = field(default_factory=dict)
    jumps: list[Any] = field(default_factory=list)
    channels: list[tuple[np.ndarray, float]] = field(default_factory=list)
    hamiltonian: Twin | None = None

    # -- subsystems ------------------------------------------------------------------------

    def vector(self, pure: bool) -> np.ndarray:
        r = self.rng.normal(size=3)
        r /= np.linalg.norm(r)
        return r if pure else r * self.rng.uniform(0.2, 0.95)

    def ensemble(self, N: Any, count: int | None = None, pure: bool = False) -> Any:
        sub = wf.Ensemble(N, name=f"e{len(self.initial)}", count=count)
        states = []
        for m, n in enumerate(np.broadcast_to(N, sub.size)):
            r = self.vector(pure)
            one = (np.eye(2) + np.tensordot(r, PAULI, 1)) / 2
            rho = np.eye(1)
            for _ in range(n):
                rho = np.kron(rho, one)
            sigma = emitters(int(n))
            self.sites.append(Site(sub, m, sigma.sum(0) / 2, rho, sigma))
            states.append(wf.bloch_vector(*r))
        self._put(sub, states)
        return sub

    def collective(self, S: Any, count: int | None = None) -> Any:
        sub = wf.CollectiveSpin(S, name=f"c{len(self.initial)}", count=count)
        states = []
        for m, length in enumerate(np.broadcast_to(S, sub.size)):
            r = self.vector(True)
            ket = coherent_ket(float(length), r)
            self.sites.append(Site(sub, m, spin_matrices(float(length)), np.outer(ket, ket.conj())))
            states.append(wf.bloch(np.arccos(r[2]), np.arctan2(r[1], r[0])))
        self._put(sub, states)
        return sub

    def spin(self, count: int | None = None) -> Any:
        sub = wf.Spin(name=f"s{len(self.initial)}", count=count)
        states = []
        for m in range(sub.size):
            r = self.vector(False)
            rho = (np.eye(2) + np.tensordot(r, PAULI, 1)) / 2
            self.sites.append(Site(sub, m, PAULI / 2, rho))
            states.append(wf.bloch_vector(*r))
        self._put(sub, states)
        return sub

    def levels(self, N: Any, d: int, count: int | None = None, pure: bool = False) -> Any:
        """Emitters of d levels named "0" to "d-1", in a random state."""
        sub = wf.Levels(N, d, name=f"l{len(self.initial)}", count=count)
        states = []
        for m, n in enumerate(np.broadcast_to(N, sub.size)):
            g = self.rng.normal(size=(d, 1 if pure else d, 2)) @ [1, 1j]
            one = g @ g.conj().T / np.trace(g @ g.conj().T).real
            rho = np.eye(1)
            for _ in range(n):
                rho = np.kron(rho, one)
            at = [[np.eye(d**j), np.eye(d ** (int(n) - 1 - j))] for j in range(int(n))]
            units = level_variables(d)
            every = np.array([[np.kron(np.kron(a, x), b) for x in units] for a, b in at])
            self.sites.append(Site(sub, m, every.sum(0), rho, every))
            states.append(wf.density(one))
        self._put(sub, states)
        return sub

    def mode(self, count: int | None = None, cutoff: int = 9) -> Any:
        sub = wf.Mode(name=f"m{len(self.initial)}", count=count)
        a = np.diag(np.sqrt(np.arange(1, cutoff)), 1).astype(complex)
        for m in range(sub.size):
            g = self.rng.normal(size=(3, 3)) + 1j * self.rng.normal(size=(3, 3))
            rho = np.zeros((cutoff, cutoff), complex)
            rho[:3, :3] = g @ g.conj().T / np.trace(g @ g.conj().T).real
            self.sites.append(Site(sub, m, np.array([(a + a.T) / 2, (a - a.T) / 2j]), rho))
        self._put(sub, [wf.vacuum] * sub.size)
        return sub

    def _put(self, sub: Any, states: list[Any]) -> None:
        self.initial[sub] = states if sub.count is not None else states[0]

    # -- operators -------------------------------------------------------------------------

    def embed(self, k: int, matrix: np.ndarray) -> np.ndarray:
        """A matrix of site k in the full space."""
        dims = [s.rho.shape[0] for s in self.sites]
        left, right, d = int(np.prod(dims[:k])), int(np.prod(dims[k + 1 :])), dims[k]
        out = np.zeros((left, d, right, left, d, right), matrix.dtype)
        i, j = np.arange(left)[:, None], np.arange(right)
        out[i, :, j, i, :, j] = matrix
        return out.reshape(left * d * right, -1)

    def index(self, sub: Any, m: int) -> int:
        return next(k for k, s in enumerate(self.sites) if s.sub is sub and s.m == m)

    def identity(self) -> np.ndarray:
        return np.eye(int(np.prod([s.rho.shape[0] for s in self.sites])), dtype=complex)

    def letters(self, sub: Any) -> list[str]:
        return {"mode": ["a", "adag"], "spin": ["sx", "sy", "sz", "sp", "sm"]}.get(
            sub.kind, ["Jx", "Jy", "Jz", "Jp", "Jm"]
        )

    def _matrix(self, sub: Any, m: int, letter: str) -> np.ndarray:
        k = self.index(sub, m)
        v = self.sites[k].variables
        scale = 2 if sub.kind == "spin" else 1
        table = {
            "a": lambda: v[0] + 1j * v[1],
            "adag": lambda: v[0] - 1j * v[1],
            "x": lambda: scale * v[0],
            "y": lambda: scale * v[1],
            "z": lambda: scale * v[2],
            "p": lambda: v[0] + 1j * v[1],
            "m": lambda: v[0] - 1j * v[1],
        }
        return self.embed(k, table[letter if letter in ("a", "adag") else letter[1]]())

    def level_matrix(self, sub: Any, A: np.ndarray, m: int | None = None) -> Twin:
        """sum_n A_n of emitters with levels."""
        k = self.index(sub, m or 0)
        view = sub if m is None else sub[m]
        return Twin(view.matrix(A), self.embed(k, self._level_sum(k, A)))

    def level_array(self, sub: Any, A: np.ndarray) -> ArrayTwin:
        """The same of every member of an array."""
        mats = [
            self.embed(k, self._level_sum(k, A))
            for k in range(len(self.sites))
            if self.sites[k].sub is sub
        ]
        return ArrayTwin(sub.matrix(A), np.array(mats))

    def _level_sum(self, k: int, A: np.ndarray) -> np.ndarray:
        d = self.sites[k].sub.d
        return np.tensordot(level_coefficients(A, d), self.sites[k].variables, 1)

    def add_level_jump(self, sub: Any, A: np.ndarray, rate: Any, member: int | None = None) -> None:
        """A on every emitter."""
        view = sub if member is None else sub[member]
        self.jumps.append(wf.LocalJump(view.one_matrix(A), rate))
        rates = np.broadcast_to(rate, sub.size)
        for m in range(sub.size) if member is None else [member]:
            k = self.index(sub, m)
            every = self.sites[k].emitters
            assert every is not None
            for one in every:
                local = np.tensordot(level_coefficients(A, sub.d), one, 1)
                self.channels.append((self.embed(k, local), float(rates[m])))

    def op(self, sub: Any, letter: str, m: int | None = None) -> Twin:
        """One operator of a single subsystem, or of member m."""
        view = sub if m is None else sub[m]
        return Twin(getattr(view, letter), self._matrix(sub, m or 0, letter))

    def array(self, sub: Any, letter: str) -> ArrayTwin:
        """An array operator."""
        mats = np.array([self._matrix(sub, m, letter) for m in range(sub.size)])
        return ArrayTwin(getattr(sub, letter), mats)

    def couple(self, A: ArrayTwin, K: Any, B: ArrayTwin, dense: np.ndarray) -> Twin:
        """A coupling; ``dense`` is what it is meant to be."""
        mat = np.einsum("mn,mij,njk->ik", dense, A.mats, B.mats, optimize=True)
        return Twin(wf.couple(A.op, K, B.op), mat)

    def number(self) -> complex:
        return complex(self.rng.normal(), self.rng.normal())

    # -- dynamics --------------------------------------------------------------------------

    def add_H(self, term: Twin) -> None:
        self.hamiltonian = term if self.hamiltonian is None else self.hamiltonian + term

    def add_jump(self, L: Twin, rate: float) -> None:
        self.jumps.append(wf.Jump(L.op, rate))
        self.channels.append((L.mat, rate))

    def add_member_jumps(self, L: ArrayTwin, rate: Any) -> None:
        self.jumps.append(wf.Jump(L.op, rate))
        rates = np.broadcast_to(rate, len(L.mats))
        self.channels += [(mat, float(r)) for mat, r in zip(L.mats, rates, strict=True)]

    def add_matrix_jumps(self, L: ArrayTwin, G: np.ndarray) -> None:
        """sum_ij G_ij (L_j rho L_i^+ - {L_i^+ L_j, rho}/2), diagonalised."""
        self.jumps.append(wf.Jump(L.op, G))
        values, U = np.linalg.eigh(G)
        for g, u in zip(values, U.T, strict=True):
            # G_ij = sum g u_i u_j^*: L = sum_j u_j^* L_j
            if g > 1e-13:
                self.channels.append((np.einsum("m,mij->ij", u.conj(), L.mats), float(g)))

    def add_local(self, sub: Any, rate: Any, member: int | None = None, c: Any = None) -> None:
        """c0 + c.sigma on every emitter."""
        c = np.array([self.number() for _ in range(4)]) if c is None else np.asarray(c)
        view = sub if member is None else sub[member]
        op = c[1] * view.sx + c[2] * view.sy + c[3] * view.sz + c[0]
        self.jumps.append(wf.LocalJump(op, rate))
        members = range(sub.size) if member is None else [member]
        rates = np.broadcast_to(rate, sub.size)
        for m in members:
            k = self.index(sub, m)
            sigma = self.sites[k].emitters
            assert sigma is not None
            for one in sigma:
                local = np.tensordot(c[1:], one, 1) + c[0] * np.eye(one.shape[-1])
                self.channels.append((self.embed(k, local), float(rates[m])))

    def model(self) -> wf.Model:
        H = None if self.hamiltonian is None else self.hamiltonian.op
        return wf.Model(H, self.jumps, initial=self.initial)

    def rho(self) -> np.ndarray:
        out = np.eye(1)
        for s in self.sites:
            out = np.kron(out, s.rho)
        return out

    def slope(self) -> np.ndarray:
        """d rho/dt in the initial state."""
        rho = self.rho()
        out = np.zeros_like(rho, complex)
        if self.hamiltonian is not None:
            H = self.hamiltonian.mat
            out += -1j * (H @ rho - rho @ H)
        for L, rate in self.channels:
            half = L.conj().T @ (L @ rho)
            out += rate * (L @ rho @ L.conj().T - (half + half.conj().T) / 2)
        return out

    def change(self, O: np.ndarray, slope: np.ndarray) -> float:
        """d<O>/dt = Tr(O d rho/dt) for Hermitian O."""
        out = np.vdot(O, slope)
        assert abs(out.imag) < 1e-9 * max(1, abs(out))
        return float(out.real)

    def variables(self) -> list[tuple[int, int]]:
        """(site, component) of every classical variable."""
        return [(k, c) for k, s in enumerate(self.sites) for c in range(len(s.variables))]

    def product(self, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
        """Symmetrised product of variables as a matrix: those of different sites commute."""
        out = np.eye(1)
        for k, site in enumerate(self.sites):
            comps = tuple(c for j, c in pairs if j == k)
            out = np.kron(out, site.product(comps) if comps else np.eye(len(site.rho)))
        return out

    def moment(self, pairs: tuple[tuple[int, int], ...]) -> float:
        """Symmetrised moment of a product of variables in the product state."""
        out = 1.0
        for k in {k for k, _ in pairs}:
            out *= self.sites[k].moment(tuple(sorted(c for j, c in pairs if j == k)))
        return out
