r"""Jumps that act on members one by one, and what they do to single spins.

Single spins in the Bloch form: jumps of one spin alone are the local step of an ensemble of one.
Means and second moments of the local step are those of the Lindblad equation (see ``ensemble`` with
N = 1). A field turns the spin exactly, so any drive, decay, pump and dephasing of a spin by itself
gives exact means. Second moments are exact where the covariance of the noise is positive, which
outside the Bloch ball, where a sampled spin starts (its length is sqrt(3)), it need not be.

Jumps that several single spins share are taken apart, into what every spin does alone and the rest.
With L_k = sum_s l_ks, l_ks an operator of spin s alone, the dissipator is a form in the matrix
G_{s s'} of its parts: those with s = s' act on one spin and are the same as jumps of its own,
whatever the model calls them (a scalar rate, a matrix, sums or mixtures of jumps). A local step has
them exactly; the terms between different spins turn the spins.

Mean field takes all of the own parts. Noise must leave a rest that is no less than zero: of the own
parts G_s the share lambda goes into local steps, lambda being the largest number with
G - lambda diag(G_1, G_2, ...) >= 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.jumps import Jump, by_member
from ..model.normal import Site, SumNode
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Spin, Subsystem
from .channels import Channel, MemberChannel
from .ensemble import PAULI, bloch_generator
from .polynomials import Poly, Var
from .symbols import Mono, SymbolMap
from .system import LocalStep, PhaseSpaceSystem

Weights = NDArray[np.complex128]


def one_by_one(jump: Jump) -> tuple[Subsystem, dict[str, Weights]] | None:
    """The subsystem and, by word on one member ("" for the identity), weights of shape (size,).

    Zero for members on which the jump does not act; None for any other jump: one with a matrix of
    rates or time coefficients, of several members at once, or of several subsystems.
    """
    subs = jump.op.subsystems
    if len(subs) != 1 or jump.matrix is not None:
        return None
    (sub,) = subs
    out: dict[str, Weights] = {}

    def add(word: str, m: int | slice, c: complex | Weights) -> None:
        out.setdefault(word, np.zeros(sub.size, complex))[m] += c

    if isinstance(jump.op, ArrayOp):
        for word, weights in jump.op.terms.items():
            add(word[0][1] if word else "", slice(None), weights)
        return sub, out
    if jump.op.coefficients:
        return None
    constant, members = 0j, set()
    for (_, factors), c in jump.op.terms.items():
        if not factors:
            constant += c
        elif len(factors) == 1 and isinstance(factors[0], Site):
            add(factors[0].word, factors[0].m, c)
            members.add(factors[0].m)
        else:
            return None
    if len(members) != 1:
        return None
    if constant:
        add("", members.pop(), constant)
    return sub, out


LETTERS = {"": 0, "x": 1, "y": 2, "z": 3}


def alone(jump: Jump) -> tuple[Subsystem, NDArray[np.complex128]] | None:
    """The spin or array of spins that a jump acts on one by one, and c of c.(1, sigma).

    Shape (size, 4), zero for members on which it does not act; None for any other jump.
    """
    found = one_by_one(jump)
    if found is None or not isinstance(found[0], Spin):
        return None
    sub, words = found
    out = np.zeros((sub.size, 4), complex)
    for word, weights in words.items():
        out[:, LETTERS[word]] += weights
    return sub, out


def spin_parts(c: NDArray[np.complex128]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lambda (size, 3, 3) and c (size, 3) of jumps at rate one."""
    rows, inverse = np.unique(c, axis=0, return_inverse=True)
    found = [bloch_generator(row[0] * np.eye(2) + np.tensordot(row[1:], PAULI, 1)) for row in rows]
    which = inverse.ravel()
    return np.array([lam for lam, _ in found])[which], np.array([v for _, v in found])[which]


MAX_LETTERS = 300  # of jumps that are sums over spins, three a spin: beyond, they stay as they are
SMALLEST = 1e-9  # a share below is zero

Own = dict[Subsystem, NDArray[np.complex128]]  # c of c.(1, sigma), (size, 4), without constant


def own_parts(op: Op | ArrayOp) -> Own:
    """The part of a jump on every single spin, of terms that are linear in that spin alone."""
    out: Own = {}

    def put(sub: Subsystem, letters: str, m: int | slice, c: complex | NDArray) -> None:
        if isinstance(sub, Spin) and letters:
            out.setdefault(sub, np.zeros((sub.size, 4), complex))[m, LETTERS[letters]] += c

    if isinstance(op, ArrayOp):
        for word, w in op.terms.items():
            if len(word) == 1:
                put(*word[0], slice(None), w)
        return out
    for (times, factors), c in op.terms.items():
        if len(factors) != 1 or times:
            continue
        f = factors[0]
        if isinstance(f, Site):
            put(f.sub, f.word, f.m, c)
        elif isinstance(f, SumNode) and len(f.word) == 1:
            put(*f.word[0], slice(None), c * f.weights)
    return out


def step_of(
    system: PhaseSpaceSystem, local: dict[Subsystem, LocalStep], block: int, spin: Subsystem
) -> LocalStep:
    """The local step of single spins, made where there is none."""
    return local.setdefault(spin, LocalStep(block, np.ones(spin.size), []))


def take_own(
    system: PhaseSpaceSystem, symbols: SymbolMap, local: dict[Subsystem, LocalStep], jump: Jump
) -> None:
    """Mean field: every spin's own part of a shared jump as a local step, off its field.

    The jump itself stays in the system.
    """
    rates: float | Coef | NDArray = jump.rate
    if jump.matrix is not None:
        rates = np.diag(jump.matrix).real.copy()
    for spin, c in own_parts(jump.op).items():
        block = symbols.block_of[spin]
        rate = by_member(rates, spin.size)
        step_of(system, local, block, spin).parts.append((rate, *spin_parts(c)))
        if spin.count is None:
            poly = Poly({((), (Var(block, a),)): 2 * c[0, a + 1] for a in range(3)})
            one = rate if isinstance(rate, Coef) else float(rate[0])
            system.channels.append(
                Channel(poly, one, system.unique(f"{system.blocks[block].name}, own"), sign=-1.0)
            )
            continue
        terms: dict[Mono, NDArray[np.complex128]] = {
            ((block, a),): 2 * c[:, a + 1] for a in range(3) if np.any(c[:, a + 1])
        }
        name = system.unique(f"{system.blocks[block].name}, own")
        system.member_channels.append(MemberChannel(spin.size, terms, rate, name, sign=-1.0))


def matrix_share(matrix: NDArray[np.complex128]) -> float:
    """lambda of a matrix of rates."""
    own = np.diag(matrix).real
    keep = own > 0
    if not np.any(keep):
        return 0.0
    scale = 1 / np.sqrt(own[keep])
    values = np.linalg.eigvalsh(scale[:, None] * matrix[np.ix_(keep, keep)] * scale)
    return _share(values)


def _share(values: NDArray[Any]) -> float:
    return float(values[0]) if values[0] > SMALLEST else 0.0


class Sums:
    """Jumps of constant rates that are sums over single spins, gathered."""

    def __init__(self, symbols: SymbolMap, jumps: Iterable[Jump]):
        self.symbols = symbols
        self.jumps = [jump for jump in jumps if self._suits(jump)]
        self.spins = list(dict.fromkeys(s for j in self.jumps for s in own_parts(j.op)))
        self.share = 0.0
        size = 3 * sum(spin.size for spin in self.spins)
        if not self.jumps or size > MAX_LETTERS:
            return
        rows = np.zeros((len(self.jumps), size), complex)
        for row, jump in zip(rows, self.jumps, strict=True):
            parts, at = own_parts(jump.op), 0
            for spin in self.spins:
                if spin in parts:
                    row[at : at + 3 * spin.size] = parts[spin][:, 1:].ravel()
                at += 3 * spin.size
            row *= np.sqrt(float(jump.rate))  # type: ignore[arg-type]
        self.matrix = rows.conj().T @ rows  # G_ab multiplies sigma_a^+ ... sigma_b
        self.own = np.zeros_like(self.matrix)
        columns = []
        for s in range(0, size, 3):
            block = self.matrix[s : s + 3, s : s + 3]
            self.own[s : s + 3, s : s + 3] = block
            values, vectors = np.linalg.eigh(block)
            for value, vector in zip(values, vectors.T, strict=True):
                if value > SMALLEST * np.abs(self.matrix).max():
                    column = np.zeros(size, complex)
                    column[s : s + 3] = vector / np.sqrt(value)
                    columns.append(column)
        W = np.array(columns).T
        if columns:
            self.share = _share(np.linalg.eigvalsh(W.conj().T @ self.matrix @ W))

    @staticmethod
    def _suits(jump: Jump) -> bool:
        """A sum over two spins or more, and nothing else, of constant rate."""
        if not isinstance(jump.op, Op) or isinstance(jump.rate, Coef) or not jump.rate > 0:
            return False
        one = all(len(f) == 1 and not t for t, f in jump.op.terms)
        return one and all(isinstance(s, Spin) for s in jump.op.subsystems)

    def take(self, system: PhaseSpaceSystem, local: dict[Subsystem, LocalStep]) -> None:
        """The share as local steps, the rest as channels; instead of the jumps."""
        at = 0
        for spin in self.spins:
            block, size = self.symbols.block_of[spin], 3 * spin.size
            parts = self.own[at : at + size, at : at + size].reshape(spin.size, 3, spin.size, 3)
            each = np.array([parts[m, :, m, :] for m in range(spin.size)])
            values, vectors = np.linalg.eigh(each)
            for k in range(3):
                c = np.zeros((spin.size, 4), complex)
                c[:, 1:] = np.sqrt(np.maximum(values[:, k], 0))[:, None] * vectors[:, :, k].conj()
                if np.any(np.abs(c) > SMALLEST):
                    rate = np.full(spin.size, self.share)
                    step_of(system, local, block, spin).parts.append((rate, *spin_parts(c)))
            at += size
        rest = self.matrix - self.share * self.own
        values, vectors = np.linalg.eigh(rest)
        name = ", ".join(sorted(system.blocks[self.symbols.block_of[s]].name for s in self.spins))
        for k, (value, vector) in enumerate(zip(values, vectors.T, strict=True)):
            if value > SMALLEST * np.abs(self.matrix).max():
                symbol = self._symbol(vector.conj())
                key = system.unique(f"{name}, shared {k}")
                system.channels.append(Channel(symbol, float(value), key))

    def _symbol(self, c: NDArray[np.complex128]) -> Poly:
        """Symbol of sum_a c_a sigma_a."""
        out, at = Poly(), 0
        for spin in self.spins:
            block, size = self.symbols.block_of[spin], spin.size
            w = 2 * c[at : at + 3 * size].reshape(size, 3)
            if spin.count is None:
                out = out + Poly({((), (Var(block, a),)): w[0, a] for a in range(3)})
            else:
                out = out + Poly(self.symbols.sum_terms({((block, a),): w[:, a] for a in range(3)}))
            at += 3 * size
        return out
