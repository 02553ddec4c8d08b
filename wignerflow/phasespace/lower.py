"""Model -> PhaseSpaceSystem for the truncated Wigner family (``TWA``, ``MeanField``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.display import display_terms
from ..model.jumps import Jump, by_member
from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.normal import CoupleNode, Factor, Key, Site, SumNode
from ..model.operators import ArrayOp, Op
from ..model.products import FourierProducts, PairProducts
from ..model.states import BlochState
from ..model.subsystems import CollectiveSpin, Ensemble, Spin, Subsystem
from ..model.words import ANGULAR, BOSON, LEVEL, LEVELS, PAULI
from . import levels
from .channels import Channel, MatrixChannel, MemberChannel
from .ensemble import local_parts, spin_initial
from .fields import add_links
from .jumps import Sums, alone, matrix_share, spin_parts, step_of, take_own
from .polynomials import Form, Leaf, Pair, Poly, Var
from .symbols import Mono, SymbolMap, excess
from .system import (
    FOCK,
    GAUSSIAN,
    MATRIX,
    MODE,
    SPIN,
    Block,
    InitialSpec,
    LocalStep,
    MatrixStep,
    MemberObservable,
    PhaseSpaceSystem,
    ProductObservable,
)
from .wigner_jumps import take


def words_of(op: Op | ArrayOp, named: Mapping[Subsystem, str]) -> str:
    """The words of a jump's operator, sorted; a family of jumps, one per member, says "each"."""
    terms = display_terms(op if isinstance(op, Op) else op.sum())
    words = {"*".join(sorted(_factor(f, named) for f in factors)) for _, _, factors in terms}
    return " + ".join(sorted(words)) + ("" if isinstance(op, Op) else ", each")


def _factor(f: Factor, named: Mapping[Subsystem, str]) -> str:
    if isinstance(f, Site):
        return f"{named[f.sub]}[{f.m}].{f.word}"
    assert isinstance(f, SumNode)  # couplings are refused
    return "sum " + "*".join(sorted(f"{named[sub]}.{word}" for sub, word in f.word))


#: Correlated dissipation of higher rank runs in loops, up to this one as channels written out.
MATRIX_CHANNELS = 16
#: Up to this number of members times momenta sums are made one by one, beyond by a fast transform.
DIRECT_TRANSFORM = 4096


#: The classical variables of an algebra.
VARIABLES = {ANGULAR: SPIN, PAULI: SPIN, BOSON: MODE, LEVELS: MATRIX, LEVEL: MATRIX}


def build(
    model: Model,
    bloch_spins: bool = False,
    taken: type[SymbolMap] = SymbolMap,
    noise: bool = True,
    corrected: bool = True,
) -> tuple[PhaseSpaceSystem, SymbolMap]:
    """Everything but the initial state: blocks, Hamiltonian, channels, local steps.

    ``taken``: the kind of symbols.
    ``bloch_spins``: jumps of single spins alone are local steps, see ``jumps``, and what each does
    alone in jumps that several share.
    ``noise``: False leaves no room for noise (mean field).
    ``corrected``: nonlinear jumps have exact second moments, see ``wigner_jumps``.
    """
    blocks = []
    for sub in model.subsystems:
        kind = VARIABLES[sub.algebra]
        labels = sub.labels if isinstance(sub, Levels) else ()
        blocks.append(Block(kind, model.names[sub], sub.size, sub.count, sub.kind, labels))
    system = PhaseSpaceSystem(blocks)
    symbols = taken(system, model)
    block_of = symbols.block_of
    system.hamiltonian = symbols.symbol(model.H).real().varying()
    local: dict[Subsystem, LocalStep] = {}
    matrices: dict[Subsystem, MatrixStep] = {}
    collective: list[Jump] = []
    numbers: list[int] = []
    single = any(sub.algebra == LEVEL for sub in model.subsystems)
    for n, jump in enumerate(model.jumps):
        if not isinstance(jump, Jump):
            continue
        emitters = levels.alone(jump) if single else None
        if emitters is None:
            collective.append(jump)
            numbers.append(n)
            continue
        emitter, each = emitters
        rate = by_member(jump.rate, emitter.size)
        made = levels.step_of(block_of[emitter], emitter, noise)
        alone_step = matrices.setdefault(emitter, made)
        for where, acting in levels.parts_of(each):
            levels.add_part(alone_step, rate, where, acting)
    alone_jumps = {
        k: found for k, j in enumerate(collective) if bloch_spins and (found := alone(j))
    }
    sums = None
    if bloch_spins and noise:
        rest = [j for k, j in enumerate(collective) if k not in alone_jumps and j.matrix is None]
        sums = Sums(symbols, rest)
        if sums.share:
            sums.take(system, local)
    done, silent = set[int](), set[int]()
    bent = any(b.kind == MODE for b in blocks) or any(j.op.degree > 1 for j in collective)
    if noise and corrected and bent:
        done, silent = take(system, symbols, collective)
    for k, jump in enumerate(collective):
        if k in done:
            continue
        if k in alone_jumps:
            _add_alone(system, symbols, local, *alone_jumps[k], jump.rate)
            continue
        if sums is not None and sums.share and any(jump is taken for taken in sums.jumps):
            continue
        if bloch_spins and not noise:
            take_own(system, symbols, local, jump)
        if isinstance(jump.op, Op):
            name = system.unique(words_of(jump.op, model.names))
            noisy = k not in silent
            _add(system, symbols.symbol(jump.op, pairs=False), jump.rate, name, noisy, numbers[k])
            continue
        rate, matrix = jump.rate, jump.matrix
        if matrix is not None:
            own = np.diag(matrix).real
            share = matrix_share(matrix) if bloch_spins and noise else 0.0
            if not np.any(matrix - np.diag(np.diag(matrix))):
                share = 1.0
            found = alone(Jump(jump.op, own * share)) if share and bloch_spins and noise else None
            if found is not None:
                _add_alone(system, symbols, local, *found, own * share)
                if share < 1:
                    _add_matrix(system, symbols, jump.op, matrix - share * np.diag(own))
                continue
            if share < 1:
                _add_matrix(system, symbols, jump.op, matrix)
                continue
            rate = own
        rate = by_member(rate, jump.op.size)
        if isinstance(rate, Coef) or np.any(rate > 0):
            terms, name = symbols.array_symbol(jump.op), words_of(jump.op, model.names)
            given: dict[str, Any] = {"noisy": k not in silent, "jump": numbers[k]}
            alike = MemberChannel(jump.op.size, terms, rate, system.unique(name), **given)
            system.member_channels.append(alike)
    for lj in model.local_jumps:
        sub = lj.op.sub
        rate = by_member(lj.rate, sub.size)
        if isinstance(sub, Levels):
            matrix_step = matrices.setdefault(sub, levels.step_of(block_of[sub], sub, noise))
            levels.add_part(matrix_step, rate, *levels.local_part(lj, sub.size))
            continue
        assert isinstance(sub, Ensemble)
        step = local.setdefault(sub, LocalStep(block_of[sub], sub.numbers.astype(float), []))
        step.parts.append((rate, *local_parts(lj, sub.size)))
    system.local = [*local.values(), *matrices.values()]
    if model.links:
        add_links(system, symbols, model)
    if noise and any(isinstance(spin, Spin) for spin in local):
        system.facts.append(
            "single spins in the Bloch form: jumps of a spin alone have exact means; noise "
            "whose covariance is negative outside the Bloch ball is cut, and second moments "
            "with it"
        )
    return system, symbols


def _add_alone(
    system: PhaseSpaceSystem,
    symbols: SymbolMap,
    local: dict[Subsystem, LocalStep],
    spin: Subsystem,
    c: NDArray[np.complex128],
    rate: float | Coef | NDArray[np.float64],
) -> None:
    """Jumps c.(1, sigma) of single spins as a local step."""
    step = step_of(system, local, symbols.block_of[spin], spin)
    step.parts.append((by_member(rate, spin.size), *spin_parts(c)))


def refuses(model: Model) -> str | None:
    """What of a model has no kernel, or None."""
    instead = "wf.Exact() can, for few members"
    for k, jump in enumerate(model.jumps):
        if isinstance(jump.op, Op) and any(_couples(key) for key in jump.op.terms):
            return f"jumps[{k}] contains a coupling over pairs of members; {instead}"
    for _, factors in model.H.terms:
        if len(factors) > 1 and _couples(((), factors)):
            return (
                "a term of its Hamiltonian multiplies a coupling over pairs of members by another "
                f"operator; {instead}"
            )
    return None


def _couples(key: Key) -> bool:
    return any(isinstance(f, CoupleNode) for f in key[1])


def _add(
    system: PhaseSpaceSystem,
    symbol: Poly,
    rate: float | Coef,
    name: str,
    noisy: bool = True,
    jump: int | None = None,
) -> None:
    if isinstance(rate, Coef) or rate > 0:
        system.channels.append(Channel(symbol, rate, name, noisy=noisy, jump=jump))


def _add_matrix(
    system: PhaseSpaceSystem, symbols: SymbolMap, op: ArrayOp, matrix: NDArray[np.complex128]
) -> None:
    name = system.unique(words_of(op, symbols.names))
    values, vectors = _decomposed(matrix.tobytes(), op.size)
    keep = values > 1e-12 * np.abs(values).max()
    if keep.sum() > MATRIX_CHANNELS:
        factor = vectors[:, keep].conj() * np.sqrt(values[keep])
        bound = np.abs(matrix).sum(axis=1)
        terms = symbols.array_symbol(op)
        system.member_channels.append(MatrixChannel(op.size, terms, bound, name, matrix, factor))
        return
    for k, (g, vector) in enumerate(zip(values[keep], vectors.T[keep], strict=True)):
        _add(system, symbols.symbol((vector.conj() * op).sum()), float(g), f"{name}, part {k}")


@lru_cache(maxsize=4)
def _decomposed(matrix: bytes, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eigenvalues and eigenvectors of a Hermitian matrix, kept for the next run of the model."""
    G = np.frombuffer(matrix, complex).reshape(size, size)
    # a real matrix has a real factor, which halves the products
    return tuple(np.linalg.eigh(G if np.any(G.imag) else G.real))  # type: ignore[return-value]


def set_initial(system: PhaseSpaceSystem, model: Model, sampling: str, spin_sampling: str) -> None:
    """Initial distributions; ``sampling`` of angular momenta: see ``spin_initial``."""
    for sub, states in model.initial.items():
        if sub.algebra == BOSON:
            spec = _mode_initial(states, sampling == "point")
            system.initial.append(spec)
            if np.any(spec.kind == FOCK):
                system.facts.append(
                    f"Fock states of {sub.name!r} are sampled as circles |a|^2 = n and n + 1: mean "
                    "and variance of the number are right, negative parts of the Wigner function "
                    "and higher moments are not"
                )
            continue
        if isinstance(sub, Levels):
            own = [s for s in states if isinstance(s, LevelState)]
            system.initial.append(levels.level_initial(sub, own, sampling))
            continue
        bloch = [s for s in states if isinstance(s, BlochState)]
        if isinstance(sub, Ensemble):
            spec = spin_initial(bloch, sub.numbers.astype(float), sampling)
        elif isinstance(sub, CollectiveSpin):
            spec = spin_initial(bloch, 2 * sub.lengths, sampling)
        else:
            spec = spin_initial(bloch, np.ones(sub.size), spin_sampling)
        system.initial.append(spec)


def _mode_initial(states: Any, point: bool) -> InitialSpec:
    size = len(states)
    out = InitialSpec.zeros(size)
    for m, state in enumerate(states):
        assert isinstance(state, ModeState)
        if state.circle is not None and not point:
            out.kind[m], out.mean[m] = FOCK, state.circle
            continue
        out.kind[m], out.mean[m], out.e1[m, 0] = GAUSSIAN, state.mean.real, state.mean.imag
        if not point:
            root = np.linalg.cholesky(state.covariance)
            out.sigma[m], out.e1[m, 1:] = root[0, 0], root[1]
    return out


def product_observable(symbols: SymbolMap, products: PairProducts) -> ProductObservable:
    """Pair products: products of symbols between members, the exact symbol on equal ones."""
    op = products.op
    amplitude = symbols.array_symbol(op)
    bar = {mono: w.conj() for mono, w in amplitude.items()}
    onsite = excess(symbols.array_symbol(op.dag() * op), bar, amplitude)
    out = ProductObservable(products.size, op.size, amplitude, None, products.right, onsite)
    if isinstance(products, FourierProducts) and op.size * products.size > DIRECT_TRANSFORM:
        out.grid = (products.start, products.step)
    else:
        out.left = products.left
    return out


def lower_observables(
    symbols: SymbolMap, ops: Mapping[str, Op | ArrayOp]
) -> dict[str, Poly | MemberObservable | ProductObservable]:
    """Symbols of the observables, in the same variables."""
    out: dict[str, Poly | MemberObservable | ProductObservable] = {}
    for name, op in ops.items():
        if isinstance(op, PairProducts):
            out[name] = product_observable(symbols, op)
        elif isinstance(op, ArrayOp):
            terms: dict[Mono, NDArray[np.complex128]] = symbols.array_symbol(op)
            out[name] = MemberObservable(op.size, terms)
        else:
            out[name] = symbols.symbol(op)
    return out


SHORT = 5  # emitters, or half lengths of a spin, below which 1/N is no small number


def validity(system: PhaseSpaceSystem, model: Model) -> list[str]:
    """Statements about small spins, and about modes that interact, that travel with a result."""
    out = []
    small = [repr(sub.name) for sub in model.subsystems if _size(sub) < SHORT]
    if small:
        out.append(
            f"{', '.join(small)}: few emitters, or a short spin; the expansion is in one over "
            "their number, so compare with an exact method"
        )
    modes = _interacting(system)
    if modes:
        out.append(
            f"{', '.join(modes)}: third derivatives in the Wigner equation (from terms of third "
            "order in H) are left out: leading order in one over the number of quanta"
        )
    kinds = {b.name: b.kind for b in system.blocks}
    jumps = {system.blocks[leaf.block].name for d in system.diffusions for leaf in d.leaves}
    noisy = sorted(name for name in jumps if kinds[name] == MODE)
    if noisy:
        out.append(
            f"{', '.join(map(repr, noisy))}: under nonlinear jumps means and second moments "
            "change exactly as long as the noise is not negative; negative noise (near the vacuum) "
            "is cut, which adds quanta"
        )
    return out


def _size(sub: Subsystem) -> float:
    """Emitters that a spin stands for."""
    if isinstance(sub, (Ensemble, Levels)):
        return float(np.min(sub.numbers))
    if isinstance(sub, CollectiveSpin):
        return float(2 * np.min(sub.lengths))
    return 1.0 if isinstance(sub, Spin) else np.inf


def _interacting(system: PhaseSpaceSystem) -> list[str]:
    """Names of modes in terms whose third derivatives the equations leave out."""
    found: set[int] = set()
    polys = [(system.hamiltonian, 3)] + [(channel.symbol, 3) for channel in system.channels]
    for poly, order in polys:
        found |= _blocks(system, poly, order)
    for channel in system.member_channels:
        found |= {b for mono in channel.terms if len(mono) >= 3 for b, _ in mono}
    return [repr(b.name) for k, b in enumerate(system.blocks) if k in found and b.kind == MODE]


def has_other_noise(system: PhaseSpaceSystem) -> bool:
    """Whether a jump, local ones apart, is more than linear loss or gain of modes."""
    found = [
        [b for leaf in leaves for b in _of(system, leaf)]
        for channel in system.channels
        for _, leaves in channel.symbol.terms
    ]
    found += [[b for b, _ in mono] for c in system.member_channels for mono in c.terms]
    return any(len(bs) > 1 or any(system.blocks[b].kind != MODE for b in bs) for bs in found)


def _blocks(system: PhaseSpaceSystem, poly: Poly, order: int) -> set[int]:
    out: set[int] = set()
    for _, leaves in poly.terms:
        blocks = [b for leaf in leaves for b in _of(system, leaf)]
        if len(blocks) >= order:
            out |= set(blocks)
    return out


def _of(system: PhaseSpaceSystem, leaf: Leaf) -> list[int]:
    """The block of every variable that a leaf multiplies."""
    if isinstance(leaf, Var):
        return [leaf.block]
    if isinstance(leaf, Form):
        return [b for b, _ in system.forms[leaf.index].mono]
    if isinstance(leaf, Pair):
        pair = system.pairs[leaf.index]
        return [b for b, _ in (*pair.left, *pair.right)]
    return []
