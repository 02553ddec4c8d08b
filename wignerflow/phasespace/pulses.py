r"""Instantaneous pulses in phase space: affine maps of the variables, without approximation.

The symbol h of a generator that is linear in angular momenta (or in |a><b|) and at most quadratic
in modes has no third derivatives, so that the distribution, of whatever ordering of Schwinger
bosons or of the generalised P-function, moves with the flow dv = {v, h} of unit time:

.. math:: J \to e^{\omega\times} J, \qquad
   (\alpha, \beta) \to e^{-i\,\omega\cdot\sigma/2} (\alpha, \beta), \qquad
   R \to e^{-iA} R\, e^{iA}, \qquad
   v \to e^{\Omega Q/2} v + b,

with :math:`\omega = \partial_J h`, A the matrix of h, and of modes h = v.Qv/2 + l.v with
{Re a, Im a} = 1/2. Orderings of single modes are symmetric here, so that squeezing is exact, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.model import Model
from ..model.op import Op
from ..model.pulses import alone
from . import lower, matrices
from .ensemble import PAULI
from .polynomials import Form, Leaf, Pair, Var
from .system import AMPLITUDES, MATRIX, MODE, ROTOR, Block, PairSpec, PhaseSpaceSystem, PulseMap

Real = NDArray[np.float64]
#: A variable of the symbol: block, member, component.
Place = tuple[int, int, int]


class Nonlinear(ValueError):
    """A pulse whose flow in phase space is not exact."""


def refuses(model: Model) -> str | None:
    """Why phase-space methods cannot treat the pulses of a model, or None."""
    try:
        for one in model.pulses:
            _read(model, one.op)
    except Nonlinear as error:
        return str(error)
    return None


def pulse_maps(system: PhaseSpaceSystem, model: Model) -> list[PulseMap]:
    """The maps of the pulses of a model on the variables of a system of its subsystems.

    Raises:
        Nonlinear: a pulse is neither linear in angular momenta nor quadratic in modes.
    """
    offsets = np.cumsum([0, *(b.size * b.components for b in system.blocks)])
    out = []
    for one in model.pulses:
        linear, quadratic = _read(model, one.op)
        flows = [
            *_turns(system.blocks, linear, one.angle),
            *_mode_flows(system.blocks, linear, quadratic, one.angle),
        ]
        rows, columns, values, shifts = [], [], [], []
        for places, flow, shift in flows:
            where = [offsets[k] + m * system.blocks[k].components + c for k, m, c in places]
            at = np.array(where)
            i, j = np.nonzero(flow)
            rows.append(at)
            shifts.append(shift)
            columns.append(np.column_stack([at[i], at[j]]))
            values.append(flow[i, j])
        if flows:
            changed, order = np.concatenate(rows), np.argsort(np.concatenate(rows))
            entries = np.concatenate(columns)
            sort = np.lexsort((entries[:, 1], entries[:, 0]))
            out.append(
                PulseMap(
                    one.time,
                    changed[order],
                    np.concatenate(shifts)[order],
                    entries[sort],
                    np.concatenate(values)[sort],
                )
            )
    return out


def _read(model: Model, op: Op) -> tuple[dict[Place, float], dict[tuple[Place, Place], float]]:
    """Coefficients of the symbol of an operator: of variables, and of pairs of those of modes.

    Raises:
        Nonlinear: it has other terms.
    """
    system, symbols = lower.build(alone(model, Op()))
    linear: dict[Place, float] = {}
    quadratic: dict[tuple[Place, Place], float] = {}
    for _, leaves, c in symbols.symbol(op).sorted_terms:
        for places, value in _monomials(system, leaves):
            if len(places) == 1:
                linear[places[0]] = linear.get(places[0], 0.0) + (c * value).real
            elif len(places) == 2 and all(system.blocks[k].kind == MODE for k, _, _ in places):
                pair = places[0], places[1]
                quadratic[pair] = quadratic.get(pair, 0.0) + (c * value).real
            elif places:
                raise _nonlinear(op)
    return linear, quadratic


def _nonlinear(op: Op) -> Nonlinear:
    return Nonlinear(
        f"the pulse of {op!r} is nonlinear in spins or of higher order than two in modes, which no "
        "trajectory follows exactly; use 'exact' or 'jumps', or a term of H that acts for a time"
    )


def _monomials(
    system: PhaseSpaceSystem, leaves: tuple[Leaf, ...]
) -> Iterator[tuple[tuple[Place, ...], complex]]:
    """A product of leaves written out over members."""
    if not leaves:
        yield (), 1.0
        return
    first, *rest = leaves
    factors: Iterable[tuple[tuple[Place, ...], complex]]
    if isinstance(first, Var):
        factors = [(((first.block, 0, first.comp),), 1.0)]
    elif isinstance(first, Form):
        form = system.forms[first.index]
        where = np.flatnonzero(form.weights).tolist()
        factors = [(tuple((k, m, c) for k, c in form.mono), form.weights[m]) for m in where]
    elif isinstance(first, Pair):
        factors = _coupled(system.pairs[first.index], system)
    else:
        raise AssertionError(first)
    for places, value in factors:
        for more, other in _monomials(system, tuple(rest)):
            yield places + more, value * other


def _coupled(
    pair: PairSpec, system: PhaseSpaceSystem
) -> Iterator[tuple[tuple[Place, ...], complex]]:
    """A coupling sum written out."""
    size = system.blocks[pair.left[0][0]].size
    K = pair.coupling.matrix(size)
    for m, n in zip(*np.nonzero(K), strict=True):
        if m != n:
            value = K[m, n] * (1.0 if pair.u is None else pair.u[m])
            value = value * (1.0 if pair.v is None else pair.v[n])
            left = tuple((k, int(m), c) for k, c in pair.left)
            yield left + tuple((k, int(n), c) for k, c in pair.right), value


Flow = tuple[list[Place], Real, Real]


def _turns(blocks: list[Block], linear: dict[Place, float], angle: float) -> list[Flow]:
    """What members of all kinds but modes do."""
    fields: dict[tuple[int, int], dict[int, float]] = {}
    for (k, m, c), value in linear.items():
        if blocks[k].kind != MODE:
            fields.setdefault((k, m), {})[c] = value * angle
    out = []
    for (k, m), parts in sorted(fields.items()):
        block = blocks[k]
        size = block.components
        field = np.zeros(size if block.kind == MATRIX else 3)
        for c, value in parts.items():
            field[c] = value
        flow = _turn(block, field)
        out.append(([(k, m, c) for c in range(size)], flow, np.zeros(size)))
    return out


def _turn(block: Block, field: Real) -> Real:
    """The map of one member whose symbol is field . v (field . J of spins)."""
    if block.kind == MATRIX:
        B, x = matrices.units(block.levels)
        U = _unitary(np.einsum("i,iab->ab", field, x))
        return np.asarray(matrices.variables(U @ B @ U.conj().T).T)
    U = _unitary(np.einsum("i,iab->ab", field, PAULI) / 2)
    if block.kind == AMPLITUDES:
        flow = np.zeros((4, 4))
        for i in range(2):
            for j in range(2):
                u = U[i, j]
                flow[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = [[u.real, -u.imag], [u.imag, u.real]]
        return flow
    rotation = np.einsum("aij,jk,bkl,il->ab", PAULI, U, PAULI, U.conj()).real / 2
    return np.kron(np.eye(2), rotation) if block.kind == ROTOR else rotation


def _unitary(A: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """exp(-i A) of a Hermitian matrix."""
    values, vectors = np.linalg.eigh(A)
    return np.asarray((vectors * np.exp(-1j * values)) @ vectors.conj().T)


def _mode_flows(
    blocks: list[Block],
    linear: dict[Place, float],
    quadratic: dict[tuple[Place, Place], float],
    angle: float,
) -> list[Flow]:
    """What modes do, those that are coupled together."""
    modes: list[tuple[int, int]] = sorted(
        {(k, m) for k, m, _ in [*linear, *(p for pair in quadratic for p in pair)]
         if blocks[k].kind == MODE}
    )  # fmt: skip
    number = {mode: n for n, mode in enumerate(modes)}
    size = len(modes)
    if not size:
        return []
    ends = np.array([[number[a[:2]], number[b[:2]]] for a, b in quadratic] or np.zeros((0, 2)), int)
    graph = scipy.sparse.coo_matrix((np.ones(len(ends)), ends.T), shape=(size, size))
    _, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for n, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(n)
    group_of = {n: (label, i) for label, own in groups.items() for i, n in enumerate(own)}
    Q = {label: np.zeros((2 * len(own),) * 2) for label, own in groups.items()}
    slope = {label: np.zeros(2 * len(own)) for label, own in groups.items()}
    for (k, m, c), value in linear.items():
        if blocks[k].kind == MODE:
            label, i = group_of[number[k, m]]
            slope[label][2 * i + c] += value * angle
    for (a, b), value in quadratic.items():
        (label, i), (_, j) = group_of[number[a[:2]]], group_of[number[b[:2]]]
        row, column = 2 * i + a[2], 2 * j + b[2]
        Q[label][row, column] += value * angle  # the second derivative of v_a v_b
        Q[label][column, row] += value * angle
    out = []
    for label, own in groups.items():
        n = 2 * len(own)
        bracket = np.kron(np.eye(len(own)), [[0, 0.5], [-0.5, 0]])
        step = np.zeros((n + 1, n + 1))
        step[:n, :n], step[:n, n] = bracket @ Q[label], bracket @ slope[label]
        flow: Any = scipy.linalg.expm(step)
        places = [(*modes[mode], c) for mode in own for c in range(2)]
        out.append((places, flow[:n, :n], flow[:n, n]))
    return out
