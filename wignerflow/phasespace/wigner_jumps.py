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
from ..model.normal import Factors, Site
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Subsystem
from ..model.words import BOSON, PAULI
from .polynomials import Leaf, Member, Poly, TimePart, Var
from .symbols import Mono, SymbolMap
from .system import MODE, Diffusion, PhaseSpaceSystem

Local = dict[Mono, complex]  # polynomial in the variables (block, component) of one place

# ---------------------------------------------------------------- polynomials of one place


def plus(f: Local, g: Local, factor: complex = 1.0) -> Local:
    """f + factor g."""
    out = dict(f)
    for mono, c in g.items():
        out[mono] = out.get(mono, 0) + factor * c
    return out


def times(f: Local, g: Local) -> Local:
    """f g."""
    out: Local = {}
    for m1, c1 in f.items():
        for m2, c2 in g.items():
            mono = tuple(sorted(m1 + m2))
            out[mono] = out.get(mono, 0) + c1 * c2
    return out


def derivative(f: Local, leaf: tuple[int, int]) -> Local:
    """df/dleaf."""
    out: Local = {}
    for mono, c in f.items():
        n = mono.count(leaf)
        if n:
            i = mono.index(leaf)
            key = mono[:i] + mono[i + 1 :]
            out[key] = out.get(key, 0) + n * c
    return out


def bracket(system: PhaseSpaceSystem, f: Local, g: Local) -> Local:
    """The Poisson bracket {f, g}."""
    out: Local = {}
    blocks = {b for mono in f for b, _ in mono} & {b for mono in g for b, _ in mono}
    for b in sorted(blocks):
        n = system.blocks[b].components
        df, dg = ([derivative(x, (b, c)) for c in range(n)] for x in (f, g))
        if system.blocks[b].kind == MODE:
            out = plus(out, times(df[0], dg[1]), 0.5)
            out = plus(out, times(df[1], dg[0]), -0.5)
            continue
        for a in range(3):
            i, j = (a + 1) % 3, (a + 2) % 3
            turn = plus(times(df[i], dg[j]), times(df[j], dg[i]), -1.0)
            out = plus(out, times({((b, a),): 1.0}, turn))
    return out


def _same(f: Local, g: Local, scale: float) -> bool:
    return all(abs(c) <= 1e-12 * scale for c in plus(f, g, -1.0).values())


# ---------------------------------------------------------------- a jump at one place


@dataclass
class Moments:
    """A (per variable) and the lower triangle of D of a jump of rate one."""

    drift: dict[tuple[int, int], Local]
    diffusion: dict[tuple[tuple[int, int], tuple[int, int]], Local]


class Places:
    """Symbols of operators that act at one place: single subsystems, or one member of arrays."""

    def __init__(self, system: PhaseSpaceSystem, symbols: SymbolMap):
        self.system, self.symbols = system, symbols
        self.subs = {block: sub for sub, block in symbols.block_of.items()}

    def symbol(self, op: Op) -> Local:
        """The Weyl symbol."""
        out: Local = {}
        for (_, factors), c in op.terms.items():
            term: Local = {(): c}
            for f in factors:
                assert isinstance(f, Site)
                block = self.symbols.block_of[f.sub]
                word: Local = {
                    tuple((block, k) for k in comps): complex(d)
                    for comps, d in self.symbols.letters_symbol(f.sub, f.word)
                }
                term = times(term, word)
            out = plus(out, term)
        return out

    def variables(self, block: int, m: int) -> list[Op]:
        """The operators that the variables of a block stand for."""
        sub = self.subs[block]
        view: Any = sub if sub.count is None else sub[m]
        if sub.algebra == BOSON:
            return [0.5 * (view.a + view.adag), -0.5j * (view.a - view.adag)]
        if sub.algebra == PAULI:
            return [0.5 * x for x in (view.sx, view.sy, view.sz)]
        return [view.Jx, view.Jy, view.Jz]

    def exact(self, L: Op, blocks: list[int], m: int, l: Local) -> Moments:
        """A and D, see the module."""
        leaves = [(b, c) for b in blocks for c in range(self.system.blocks[b].components)]
        V = {(b, c): op for b in blocks for c, op in enumerate(self.variables(b, m))}
        adjoint = L.dag()

        def change(X: Op) -> Local:
            image = adjoint * (X * L - L * X) + (adjoint * X - X * adjoint) * L
            return _real(self.symbol(0.5 * image))

        A = {leaf: change(V[leaf]) for leaf in leaves}
        D = {}
        for i, p in enumerate(leaves):
            for q in leaves[: i + 1]:
                if p[0] == q[0] and self.system.blocks[p[0]].kind != MODE:
                    D[p, q] = self._turning(l, p, q)
                    continue
                both = change(0.5 * (V[p] * V[q] + V[q] * V[p]))
                both = plus(both, times({(p,): 1.0}, A[q]), -1.0)
                D[p, q] = plus(both, times({(q,): 1.0}, A[p]), -1.0)
        return Moments(A, D)

    def _turning(self, l: Local, p: tuple[int, int], q: tuple[int, int]) -> Local:
        """Re({p, l}^* {q, l}), the diffusion of a channel of rate one."""
        out: Local = {}
        for part in _parts(l):
            u, v = (bracket(self.system, {(x,): 1.0}, part) for x in (p, q))
            out = plus(out, times(u, v))
        return out

    def channel(self, l: Local, blocks: list[int]) -> Moments:
        """A and D of the channel with symbol l: Stratonovich noise and its drift."""
        leaves = [(b, c) for b in blocks for c in range(self.system.blocks[b].components)]
        re, im = _parts(l)
        A = {}
        for leaf in leaves:
            v: Local = {(leaf,): 1.0}
            dr, di = (bracket(self.system, v, part) for part in (re, im))
            drift = plus(times(im, dr), times(re, di), -1.0)
            for d, part in ((dr, re), (di, im)):
                drift = plus(drift, bracket(self.system, d, part), 0.5)
            A[leaf] = drift
        D = {(p, q): self._turning(l, p, q) for i, p in enumerate(leaves) for q in leaves[: i + 1]}
        return Moments(A, D)


def _parts(l: Local) -> tuple[Local, Local]:
    return {m: c.real for m, c in l.items() if c.real}, {m: c.imag for m, c in l.items() if c.imag}


def _real(f: Local) -> Local:
    """The symbol of a Hermitian operator."""
    scale = max((abs(c) for c in f.values()), default=0.0)
    return {m: complex(c.real) for m, c in f.items() if abs(c.real) > 1e-13 * scale}


def _agree(one: Moments, two: Moments) -> bool:
    both = [(one.drift[k], two.drift[k]) for k in one.drift]
    both += [(one.diffusion[k], two.diffusion[k]) for k in one.diffusion]
    scale = max((abs(c) for f, g in both for c in (*f.values(), *g.values())), default=0.0)
    return all(_same(f, g, scale) for f, g in both)


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


def _degree(op: Op | ArrayOp) -> int:
    if isinstance(op, ArrayOp):
        return max((sum(len(w) for _, w in word) for word in op.terms), default=0)

    def letters(factors: Factors) -> int:
        return sum(len(f.word) for f in factors if isinstance(f, Site))

    return max((letters(f) for _, f in op.terms), default=0)


def examine(places: Places, jump: Jump) -> Found | None:
    """What a jump does, or None if it does not act at one place."""
    here = sites(jump.op)
    if here is None or jump.matrix is not None or not here[0]:
        return None
    subs, member = here
    system, block_of = places.system, places.symbols.block_of
    blocks = sorted(block_of[s] for s in subs)
    modes = any(system.blocks[b].kind == MODE for b in blocks)
    linear = _degree(jump.op) < 2
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
            rest = {k: plus(a, channel.drift[k], -1.0) for k, a in exact.drift.items()}
            exact = Moments(rest, {key: {} for key in exact.diffusion})
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
            pieces = [m.diffusion.get(noise, {}) for m in f.moments]
            diffusion[noise] = diffusion[noise] + _poly(system, size, f, pieces)
        for leaf in drift if not f.linear else ():
            pieces = [m.drift.get(leaf, {}) for m in f.moments]
            drift[leaf] = drift[leaf] + _poly(system, size, f, pieces)
    members: list[Var | Member] = [Var(*x) if size is None else Member(*x) for x in leaves]
    scale = [_scale(system, diffusion[p, p]) for p in leaves]
    lower = [[diffusion[p, q] for q in leaves[: i + 1]] for i, p in enumerate(leaves)]
    name = "\0".join(sorted(system.blocks[b].name for b in blocks))
    return Diffusion(members, [drift[p] for p in leaves], lower, scale, f"diffusion\0{name}")


def _scale(system: PhaseSpaceSystem, poly: Poly) -> float:
    return sum(abs(c) for c in poly.terms.values())


def _poly(system: PhaseSpaceSystem, size: int | None, f: Found, values: list[Local]) -> Poly:
    """rate times a polynomial whose coefficients differ between members."""
    factor = Poly.constant(1.0)
    rate: float | NDArray = 1.0
    if isinstance(f.rate, Coef):
        factor = Poly({((TimePart(f.rate, "r"),), ()): 1.0})
    else:
        rate = f.rate
    kind: type = Var if size is None else Member
    out = Poly()
    for mono in dict.fromkeys(m for v in values for m in v):
        numbers = np.array([v.get(mono, 0).real for v in values]) * rate
        leaves: tuple[Leaf, ...] = tuple(kind(*x) for x in mono)
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
