r"""Models whose Hamiltonian and collective jumps are linear in J, member by member.

For one ensemble, H = B.J and jumps L_k = u_k.J of plain rate r_k give the Kossakowski matrix
C_ab = sum_k r_k u_ka u_kb^* = S_ab + i A_ab, A_ab = eps_abc w_c; collective emission (J^- at rate
K) has S = K diag(1, 1, 0), w = K z, absorption w = -K z, and a Hermitian jump w = 0. One-emitter
jumps give dr/dt = -Lambda r + c of the Bloch vector.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.levels import Levels
from ..model.model import Jump, LocalJump, Model
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Subsystem
from ..model.words import BOSON
from .ensemble import local_parts
from .polynomials import Form, Poly, TimePart, Times, Var
from .product_state import emitters
from .symbols import SymbolMap
from .system import SPIN, Block, PhaseSpaceSystem


class NotLinear(ValueError):
    """The model is not of this kind; the message says why."""


class Amount:
    """A complex number per member, possibly times time coefficients: sum_k f_k(t) values_k[m]."""

    def __init__(self, size: int, terms: dict[Times, NDArray] | None = None):
        self.size = size
        self.terms = terms or {}

    @staticmethod
    def of(values: NDArray, times: Times = ()) -> Amount:
        """From one value per member."""
        return Amount(len(values), {times: np.asarray(values, complex)})

    def __add__(self, other: Amount) -> Amount:
        out = dict(self.terms)
        for times, values in other.terms.items():
            out[times] = out[times] + values if times in out else values
        return Amount(self.size, out)

    def __mul__(self, other: Amount | complex) -> Amount:
        if not isinstance(other, Amount):
            return Amount(self.size, {t: v * other for t, v in self.terms.items()})
        out = Amount(self.size)
        for s, v in self.terms.items():
            for t, w in other.terms.items():
                times = tuple(sorted(s + t, key=lambda c: (c.coef.order, c.part)))
                out = out + Amount(self.size, {times: v * w})
        return out

    def conj(self) -> Amount:
        """Complex conjugate (time parts are real)."""
        return Amount(self.size, {t: np.conj(v) for t, v in self.terms.items()})

    def real(self) -> Amount:
        """Real part."""
        return Amount(self.size, {t: v.real + 0j for t, v in self.terms.items() if np.any(v.real)})

    def imag(self) -> Amount:
        """Imaginary part."""
        return Amount(self.size, {t: v.imag + 0j for t, v in self.terms.items() if np.any(v.imag)})

    def at(self, time: float | None) -> NDArray:
        """Values at a time, shape (size,)."""
        out = np.zeros(self.size, complex)
        for times, values in self.terms.items():
            factor = 1.0
            for part in times:
                assert time is not None
                value = complex(part.coef(time))
                factor *= value.real if part.part == "r" else value.imag
            out += factor * values
        return out

    @property
    def varies(self) -> bool:
        """True if it depends on time."""
        return any(times and np.any(v) for times, v in self.terms.items())

    def poly(self, system: PhaseSpaceSystem) -> Poly:
        """As a polynomial of ``system`` (which takes numbers that differ between members)."""
        out = Poly()
        for times, values in self.terms.items():
            if np.any(values):
                out = out + system.number(values.real) * Poly({(times, ()): 1.0})
        return out


def zeros(size: int, *shape: int) -> NDArray:
    """An object array of zero amounts."""
    out = np.empty(shape, object)
    for i in np.ndindex(*shape):
        out[i] = Amount(size)
    return out


@dataclass
class LinearBlock:
    """What acts on one subsystem: B, S, w, Lambda, c are object arrays of ``Amount``."""

    sub: Subsystem
    name: str
    numbers: NDArray[np.float64]
    B: NDArray
    S: NDArray
    w: NDArray
    lam: NDArray
    c: NDArray
    jumps: list[tuple[NDArray, Amount]] = field(default_factory=list)  # (u, rate)
    local: bool = False

    def matrices(self, time: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """S (size, 3, 3) and w (size, 3) at a time."""
        S = np.array([[self.S[a, b].at(time).real for b in range(3)] for a in range(3)])
        w = np.array([self.w[a].at(time).real for a in range(3)])
        return S.transpose(2, 0, 1), w.T

    @property
    def varies(self) -> bool:
        """True if the collective channels depend on time."""
        return any(x.varies for x in (*self.S.ravel(), *self.w))


def linear_blocks(model: Model) -> list[LinearBlock]:
    """The model member by member.

    Raises:
        NotLinear: a mode, a coupling, a product of operators, or a jump shared between members.
    """
    out, symbols = jump_blocks(model)
    for k, (vector, _) in _vectors(symbols, model.H, "its Hamiltonian").items():
        out[k].B = out[k].B + vector
    return out


def jump_blocks(model: Model) -> tuple[list[LinearBlock], SymbolMap]:
    """The model's jumps member by member, without its Hamiltonian, and the symbols of J.

    Raises:
        NotLinear: a mode, a product of operators in a jump, or a jump shared between members.
    """
    for sub in model.subsystems:
        if sub.algebra == BOSON:
            raise NotLinear(f"it holds a mode ({model.names[sub]!r})")
        if isinstance(sub, Levels):
            raise NotLinear(f"it holds emitters with levels ({model.names[sub]!r})")
    blocks = [Block(SPIN, model.names[s], s.size, s.count, s.kind) for s in model.subsystems]
    symbols = SymbolMap(PhaseSpaceSystem(blocks), model)
    out = []
    for sub in model.subsystems:
        n = sub.size
        parts = (zeros(n, 3), zeros(n, 3, 3), zeros(n, 3), zeros(n, 3, 3), zeros(n, 3))
        out.append(LinearBlock(sub, model.names[sub], emitters(sub), *parts))
    for jump in model.collective_jumps:
        _collective(out, symbols, jump)
    for local in model.local_jumps:
        _local(out[model.subsystems.index(local.op.sub)], local)
    return out, symbols


def _vectors(symbols: SymbolMap, op: Op | ArrayOp, what: str) -> dict[int, tuple[NDArray, Amount]]:
    """Coefficients of J (and of one) of a linear operator, per block."""
    blocks = symbols.system.blocks
    out: dict[int, tuple[NDArray, Amount]] = {}
    constant: list[tuple[Times, NDArray]] = []

    def put(block: int, comp: int, values: NDArray, times: Times) -> None:
        size = blocks[block].size
        vector, _ = out.setdefault(block, (zeros(size, 3), Amount(size)))
        vector[comp] = vector[comp] + Amount.of(values, times)

    terms: list[tuple[Times, tuple[tuple[int, int], ...], NDArray]] = []
    if isinstance(op, ArrayOp):
        terms = [((), mono, w) for mono, w in symbols.array_symbol(op).items()]
    else:
        for (times, leaves), c in symbols.symbol(op).terms.items():
            if not leaves:
                constant.append((times, np.array(c)))
            elif len(leaves) == 1 and isinstance(leaves[0], Var):
                terms.append((times, ((leaves[0].block, leaves[0].comp),), np.array([c])))
            elif len(leaves) == 1 and isinstance(leaves[0], Form):
                spec = symbols.system.forms[leaves[0].index]
                terms.append((times, spec.mono, c * spec.weights))
            else:
                raise NotLinear(f"{what} couples emitters (it is not linear in J)")
    for times, mono, values in terms:
        if not np.any(values):
            continue
        if len(mono) > 1:
            raise NotLinear(f"{what} couples emitters (it is not linear in J)")
        if not mono:
            constant.append((times, values))
        else:
            put(*mono[0], values, times)
    for times, values in constant:
        for block, (vector, amount) in out.items():
            full = np.broadcast_to(values, blocks[block].size)
            out[block] = vector, amount + Amount.of(full, times)
    return out


def _collective(out: list[LinearBlock], symbols: SymbolMap, jump: Jump) -> None:
    rate = jump.rate
    if jump.matrix is not None:
        off = jump.matrix - np.diag(np.diag(jump.matrix))
        if np.any(off):
            raise NotLinear("a matrix of rates couples the dissipation of different members")
        rate = np.diag(jump.matrix).real
    if not isinstance(rate, Coef) and not np.any(rate):
        return
    vectors = _vectors(symbols, jump.op, "a jump")
    if len(vectors) > 1:
        raise NotLinear("a jump is shared by several subsystems")
    for k, (u, one) in vectors.items():
        block = out[k]
        size = block.numbers.size
        acts = sum(np.abs(v) for x in u for v in x.terms.values())
        if isinstance(jump.op, Op) and np.count_nonzero(acts) > 1:
            raise NotLinear("a jump is shared by several members of an array")
        times: Times = (TimePart(rate, "r"),) if isinstance(rate, Coef) else ()
        values = np.ones(size) if isinstance(rate, Coef) else np.broadcast_to(rate, size)
        r = Amount.of(values, times)
        block.jumps.append((u, r))
        for a in range(3):
            # a constant in the jump acts as a Hamiltonian, B_a = -r Im(const^* u_a)
            block.B[a] = block.B[a] + (r * one.conj() * u[a]).imag() * -1
            for b in range(3):
                C = r * u[a] * u[b].conj()
                block.S[a, b] = block.S[a, b] + C.real()
                if (b - a) % 3 == 1:
                    block.w[3 - a - b] = block.w[3 - a - b] + C.imag()


def _local(block: LinearBlock, jump: LocalJump) -> None:
    size = block.numbers.size
    lam, c = local_parts(jump, size)
    if isinstance(jump.rate, Coef):
        rate = Amount.of(np.ones(size), (TimePart(jump.rate, "r"),))
    else:
        rate = Amount.of(np.broadcast_to(jump.rate, size))
        if not np.any(jump.rate):
            return
    block.local = True
    for a in range(3):
        block.c[a] = block.c[a] + rate * Amount.of(c[:, a])
        for b in range(3):
            block.lam[a, b] = block.lam[a, b] + rate * Amount.of(lam[:, a, b])
