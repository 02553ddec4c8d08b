r"""Nonlinear jumps: the Wigner equation of a jump, exact to second derivatives.

For a jump L of rate r and the variables v (symbols of the Hermitian operators V) the equation of
the Wigner function, cut after second derivatives, has the drift and diffusion

.. math:: A_i = [\mathcal L^\dagger(V_i)], \qquad
   D_{ij} = [\mathcal L^\dagger(\tfrac12\{V_i, V_j\})] - v_i A_j - v_j A_i,

[X] being the symbol of X and :math:`\mathcal L^\dagger(X) = \tfrac r2(L^\dagger[X, L] +
[L^\dagger, X]L)`: means and second moments change exactly in every state. Where the jump is at most
linear, or Hermitian and quadratic, that is what the channels of a system do already. For
L = a^2 the diffusion is r(2|a|^2 - 1) per complex noise, and negative near the vacuum: diffusions
of all jumps on the same modes are added before a kernel takes their root, which it cuts at zero.

On one angular momentum D is the rotation's, r Re({v_i, l}^* {v_j, l}); what second moments there
lose by it is a one-body operator. Jumps of angular momenta alone stay rotations, with the rest of
the drift added.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.model import Jump
from ..model.normal import Site
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Subsystem
from ..model.words import BOSON, PAULI
from .generator import bracket
from .polynomials import Leaf, Member, Poly, TimePart, Var, poly_sum
from .symbols import SymbolMap
from .system import MODE, Diffusion, PhaseSpaceSystem

Place = tuple[int, int]  # block and component of a variable, of single subsystems or this member


# ---------------------------------------------------------------- a jump at one place


@dataclass
class Moments:
    """A (per variable) and the lower triangle of D of a jump of rate one."""

    drift: dict[Place, Poly]
    diffusion: dict[tuple[Place, Place], Poly]


class Places:
    """Symbols of operators that act at one place: single subsystems, or one member of arrays."""

    def __init__(self, system: PhaseSpaceSystem, symbols: SymbolMap):
        self.system, self.symbols = system, symbols
        self.subs = {block: sub for sub, block in symbols.block_of.items()}

    def symbol(self, op: Op) -> Poly:
        """The Weyl symbol."""
        parts = []
        for (_, factors), c in op.terms.items():
            term = Poly.constant(c)
            for f in factors:
                assert isinstance(f, Site)
                block, word = self.symbols.block_of[f.sub], self.symbols.letters_symbol
                pieces = word(f.sub, f.word)
                term = term * Poly({((), tuple(Var(block, k) for k in ks)): d for ks, d in pieces})
            parts.append(term)
        return poly_sum(parts)

    def variables(self, block: int, m: int) -> list[Op]:
        """The operators that the variables of a block stand for."""
        sub = self.subs[block]
        view: Any = sub if sub.count is None else sub[m]
        if sub.algebra == BOSON:
            return [0.5 * (view.a + view.adag), -0.5j * (view.a - view.adag)]
        if sub.algebra == PAULI:
            return [0.5 * x for x in (view.sx, view.sy, view.sz)]
        return [view.Jx, view.Jy, view.Jz]

    def exact(self, L: Op, blocks: list[int], m: int, l: Poly) -> Moments:
        """A and D, see the module."""
        leaves = self._leaves(blocks)
        V = {(b, c): op for b in blocks for c, op in enumerate(self.variables(b, m))}
        adjoint = L.dag()

        def change(X: Op) -> Poly:
            image = adjoint * (X * L - L * X) + (adjoint * X - X * adjoint) * L
            f = self.symbol(0.5 * image)  # of a Hermitian operator
            scale = max((abs(c) for c in f.terms.values()), default=0.0)
            return Poly({k: c.real for k, c in f.terms.items() if abs(c.real) > 1e-13 * scale})

        A = {leaf: change(V[leaf]) for leaf in leaves}
        D = {}
        for i, p in enumerate(leaves):
            for q in leaves[: i + 1]:
                if p[0] == q[0] and self.system.blocks[p[0]].kind != MODE:
                    D[p, q] = self._turning(l, p, q)
                    continue
                both = change(0.5 * (V[p] * V[q] + V[q] * V[p])) - Poly.leaf(Var(*p)) * A[q]
                D[p, q] = both - Poly.leaf(Var(*q)) * A[p]
        return Moments(A, D)

    def _leaves(self, blocks: list[int]) -> list[Place]:
        return [(b, c) for b in blocks for c in range(self.system.blocks[b].components)]

    def _turning(self, l: Poly, p: Place, q: Place) -> Poly:
        """Re({p, l}^* {q, l}), the diffusion of a channel of rate one."""
        parts = []
        for part in (l.real(), l.imag()):
            u, v = (bracket(self.system, Poly.leaf(Var(*x)), part) for x in (p, q))
            parts.append(u * v)
        return poly_sum(parts)

    def channel(self, l: Poly, blocks: list[int]) -> Moments:
        """A and D of the channel with symbol l: Stratonovich noise and its drift."""
        leaves, (re, im) = self._leaves(blocks), (l.real(), l.imag())
        A = {}
        for leaf in leaves:
            dr, di = (bracket(self.system, Poly.leaf(Var(*leaf)), part) for part in (re, im))
            second = [bracket(self.system, d, part) * 0.5 for d, part in ((dr, re), (di, im))]
            A[leaf] = poly_sum([im * dr - re * di, *second])
        D = {(p, q): self._turning(l, p, q) for i, p in enumerate(leaves) for q in leaves[: i + 1]}
        return Moments(A, D)


def _agree(one: Moments, two: Moments) -> bool:
    both = [(one.drift[k], two.drift[k]) for k in one.drift]
    both += [(one.diffusion[k], two.diffusion[k]) for k in one.diffusion]
    scale = max((abs(c) for f, g in both for h in (f, g) for c in h.terms.values()), default=0.0)
    return all(abs(c) <= 1e-12 * scale for f, g in both for c in (f - g).terms.values())


# ---------------------------------------------------------------- the jumps of a model


@dataclass
class Found:
    """A jump at one place per member: its blocks, moments by member, and rate."""

    jump: Jump
    blocks: list[int]
    size: int | None  # members of the arrays; None for single subsystems
    members: list[int]
    moments: list[Moments]  # one per entry of ``members``
    rate: float | Coef | NDArray[np.float64]
    corrected: bool
    turning: bool  # angular momenta alone: only the rest of the drift
    linear: bool


def sites(op: Op | ArrayOp) -> tuple[list[Subsystem], int | None] | None:
    """Subsystems of a jump at one place, and the member if it is one of arrays."""
    if isinstance(op, ArrayOp):
        return sorted(op.subsystems, key=lambda s: s.order), None
    if op.coefficients:
        return None
    members: set[int | None] = set()
    for _, factors in op.terms:
        if not all(isinstance(f, Site) for f in factors):
            return None
        members |= {f.m if f.sub.count is not None else None for f in factors}  # type: ignore
    if len(members) != 1:
        return None
    subs = sorted(op.subsystems, key=lambda s: s.order)
    if len({s.size for s in subs}) > 1:
        return None
    return subs, members.pop()


def examine(places: Places, jump: Jump) -> Found | None:
    """What a jump does, or None if it does not act at one place."""
    here = sites(jump.op)
    if here is None or jump.matrix is not None or not here[0]:
        return None
    subs, member = here
    system, block_of = places.system, places.symbols.block_of
    blocks = sorted(block_of[s] for s in subs)
    modes = any(system.blocks[b].kind == MODE for b in blocks)
    linear = jump.op.degree < 2
    if linear and not (modes and len(blocks) == 1):
        return None
    array = subs[0].count is not None
    if isinstance(jump.op, ArrayOp):
        weights = np.array(list(jump.op.terms.values()))
        _, first, which = np.unique(weights, axis=1, return_index=True, return_inverse=True)
        members, rows = list(range(jump.op.size)), which.ravel()
        operators = [jump.op[int(m)] for m in first]
        at = [int(m) for m in first]
    else:
        members, rows = [member or 0], np.zeros(1, int)
        operators, at = [jump.op], [member or 0]
    moments, corrected = [], False
    for L, m in zip(operators, at, strict=True):
        l = places.symbol(L)
        channel = places.channel(l, blocks)
        exact = channel if linear else places.exact(L, blocks, m, l)
        same = linear or _agree(channel, exact)
        corrected = corrected or not same
        if not modes:
            exact = Moments({k: a - channel.drift[k] for k, a in exact.drift.items()}, {})
        moments.append(exact)
    rate = jump.rate
    if not isinstance(rate, Coef) and isinstance(jump.op, ArrayOp):
        rate = np.broadcast_to(np.asarray(rate, float), len(members)).copy()
    by_member = [moments[int(k)] for k in rows]
    size = subs[0].size if array else None
    return Found(jump, blocks, size, members, by_member, rate, corrected, not modes, linear)


def take(
    system: PhaseSpaceSystem, symbols: SymbolMap, jumps: Iterable[Jump]
) -> tuple[set[int], set[int]]:
    """Put jumps that channels do not have exactly into ``system.diffusions``.

    Returns the positions of jumps that need no channel any more, and of those whose channel keeps
    its drift alone.
    """
    places = Places(system, symbols)
    found = {k: f for k, jump in enumerate(jumps) if (f := examine(places, jump)) is not None}
    clusters: list[tuple[int | None, set[int]]] = []
    for f in found.values():
        if not f.corrected:
            continue
        together = set(f.blocks)
        apart = []
        for size, blocks in clusters:
            if size == f.size and blocks & together:
                together |= blocks
            else:
                apart.append((size, blocks))
        clusters = [*apart, (f.size, together)]
    done, silent = set(), set()
    for size, blocks in clusters:
        parts = []
        for k, f in found.items():
            if f.size != size or not set(f.blocks) <= blocks:
                continue
            if f.turning and not f.corrected:
                continue
            parts.append(f)
            if f.linear:
                silent.add(k)
            elif not f.turning:
                done.add(k)
        system.diffusions.append(_sum(system, size, sorted(blocks), parts))
    return done, silent


def _sum(
    system: PhaseSpaceSystem, size: int | None, blocks: list[int], parts: list[Found]
) -> Diffusion:
    """The parts added up; of linear jumps the diffusion alone."""
    leaves = [(b, c) for b in blocks for c in range(system.blocks[b].components)]
    drift = {leaf: Poly() for leaf in leaves}
    diffusion = {(p, q): Poly() for i, p in enumerate(leaves) for q in leaves[: i + 1]}
    for f in parts:
        for noise in diffusion:
            pieces = [m.diffusion.get(noise, Poly()) for m in f.moments]
            diffusion[noise] = diffusion[noise] + _poly(system, size, f, pieces)
        for leaf in drift if not f.linear else ():
            pieces = [m.drift[leaf] for m in f.moments]
            drift[leaf] = drift[leaf] + _poly(system, size, f, pieces)
    members: list[Var | Member] = [Var(*x) if size is None else Member(*x) for x in leaves]
    scale = [sum(abs(c) for c in diffusion[p, p].terms.values()) for p in leaves]
    lower = [[diffusion[p, q] for q in leaves[: i + 1]] for i, p in enumerate(leaves)]
    name = "\0".join(sorted(system.blocks[b].name for b in blocks))
    return Diffusion(members, [drift[p] for p in leaves], lower, scale, f"diffusion\0{name}")


def _poly(system: PhaseSpaceSystem, size: int | None, f: Found, values: list[Poly]) -> Poly:
    """rate times a polynomial whose coefficients differ between members."""
    factor = Poly.constant(1.0)
    rate: float | NDArray = 1.0
    if isinstance(f.rate, Coef):
        factor = Poly({((TimePart(f.rate, "r"),), ()): 1.0})
    else:
        rate = f.rate
    kind: type = Var if size is None else Member
    out = Poly()
    for mono in dict.fromkeys(m for v in values for m in v.terms):
        numbers = np.array([v.terms.get(mono, 0).real for v in values]) * rate
        leaves: tuple[Leaf, ...] = tuple(kind(*x[:2]) for x in mono[1])
        if not np.any(numbers):
            continue
        if size is None:
            coefficient = Poly.constant(float(numbers[0]))
        else:
            full = np.zeros(size)
            full[f.members] = numbers
            coefficient = system.number(full)
        out = out + coefficient * Poly({((), leaves): 1.0}) * factor
    return out
