r"""Jumps that several single spins share, taken apart: what every spin does alone, and the rest.

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
from ..model.model import Jump
from ..model.normal import Site, SumNode
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Spin, Subsystem
from .channels import Channel, MemberChannel
from .polynomials import Poly, Var
from .spins import LETTERS, spin_parts
from .symbols import Mono, SymbolMap
from .system import LocalStep, PhaseSpaceSystem

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
        rate = rates if isinstance(rates, Coef) else np.broadcast_to(rates, spin.size).copy()
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
                out = out + self.symbols.sum_poly({((block, a),): w[:, a] for a in range(3)})
            at += 3 * size
        return out
