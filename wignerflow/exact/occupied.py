"""Runs in occupation numbers: in time, and to the steady state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import pulse_times
from ..model.subsystems import Mode
from ..model.timescales import points
from . import propagate
from .blocks import EDGE, LOOKS, check_rates, propagated
from .cutoffs import WARN, Cutoffs, guess_cutoffs, widened
from .memory import MEMORY
from .occupations import Occupations, System, Times
from .solution import ExactSolution
from .steady import NotUnique, null_state

Array = NDArray[np.float64]


@dataclass
class Readings:
    """Rows W: numbers W y, of which observables and the populations at the edges are made."""

    W: scipy.sparse.csr_matrix
    pieces: list[tuple[int, Times, int]]  # observable, time coefficients, row of its real part
    edges: list[tuple[tuple[Any, int], int]]  # mode, row

    def values(self, numbers: Array, tlist: Array, count: int) -> NDArray[np.complex128]:
        """Expectation values (count, T) from numbers (T, rows)."""
        out = np.zeros((count, tlist.size), complex)
        for k, times, row in self.pieces:
            part = numbers[:, row] + 1j * numbers[:, row + 1]
            for coefficient in times:
                part = part * coefficient(tlist)
            out[k] += part
        return out


def readings(system: System, ops: dict[str, Op], widths: dict[int, int] | None = None) -> Readings:
    """Of all observables, then of the edges of all modes whose width is given."""
    rows: list[Array] = [system.trace]
    pieces, edges = [], []
    for k, op in enumerate(ops.values()):
        for times, words in system.parent.words(op).items():
            row = system.row(words)
            pieces.append((k, times, len(rows)))
            rows += [row.real, row.imag]
    place = {k: at for at, k in system.parent.number.items()}
    for k, width in (widths or {}).items():
        edges.append((place[k], len(rows)))
        rows.append(system.edge(k, width))
    W = scipy.sparse.csr_matrix(np.array(rows))
    W.indices, W.indptr = W.indices.astype(np.int32), W.indptr.astype(np.int32)
    return Readings(W, pieces, edges)


def _widths(model: Model, parent: Occupations) -> dict[int, int]:
    """Width of the edge of every mode: no process may step over it unseen."""
    out = {k: 2 for (sub, _), k in parent.number.items() if isinstance(sub, Mode)}
    pulses = (p.op for p in model.pulses)
    for op in (model.H, *pulses, *(op for op, _ in model.channels())):
        for _, _, factors in op.expand():
            for sub, m, word in factors:
                k = parent.number[sub, m]
                if k in out:
                    out[k] = max(out[k], abs(word.count("d") - word.count("a")))
    return out


def build(
    model: Model, ops: dict[str, Op], cutoffs: Cutoffs, memory: float
) -> tuple[System, Readings]:
    """What the initial state reaches, and what is read off it."""
    parent = Occupations(model, cutoffs, memory)
    system = parent.walk()
    return system, readings(system, ops, _widths(model, parent))


def edges_of(readings: Readings, numbers: Array) -> dict[tuple[Any, int], float]:
    """The largest population at the edge of every mode."""
    return {at: float(numbers[:, row].max()) for at, row in readings.edges}


def widen(edges: dict[tuple[Any, int], float], cutoffs: Cutoffs) -> bool:
    """Raise the cutoffs that were chosen here and proved too small; False if none did."""
    narrow = [at for at, population in edges.items() if population > EDGE and at in cutoffs]
    for at in narrow:
        cutoffs[at] = widened(cutoffs[at])
    return bool(narrow)


def facts_of(system: System, edges: dict[tuple[Any, int], float]) -> dict[str, Any]:
    """Sizes, cutoffs and what they cut off."""
    out: dict[str, Any] = {
        "engine": "occupations",
        "reached": len(system.rows),
        "components": system.size,
    }
    if edges:
        sites = {at: system.parent.space.sites[system.parent.number[at]] for at in edges}
        out["cutoffs"] = {sites[at].label: sites[at].levels for at in edges}
        out["edge"] = {sites[at].label: e for at, e in edges.items()}
        warnings = [
            f"The highest of the {sites[at].levels} Fock states of mode {sites[at].label!r} hold "
            f"{e:.2g} of its population: raise its `cutoff`, or leave it out."
            for at, e in edges.items()
            if e > WARN
        ]
        if warnings:
            out["warnings"] = warnings
    return out


def solve(
    model: Model,
    tlist: Array,
    ops: dict[str, Op],
    *,
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> ExactSolution:
    """Expectation values of ``ops``; modes without a cutoff get one that proves wide enough.

    Raises:
        TooLarge: the elements that are reached do not fit into memory.
    """
    cutoffs = guess_cutoffs(model)
    check_rates(model, points(float(tlist[0]), float(tlist[-1])))
    times = tlist
    if any(isinstance(sub, Mode) for sub in model.initial):
        times = pulse_times(model, np.union1d(tlist, np.linspace(tlist[0], tlist[-1], LOOKS)))
    while True:
        system, reads = build(model, ops, cutoffs, memory)
        numbers, _, counts = propagated(system, reads.W, times, rtol, propagate.never)
        edges = edges_of(reads, numbers)
        if not widen(edges, cutoffs):
            break
    numbers = numbers[np.searchsorted(times, tlist)]
    stats = {
        **facts_of(system, edges),
        **counts,
        "trace_error": float(np.abs(numbers[:, 0] - 1).max()),
    }
    return ExactSolution.build(ops, reads.values(numbers, tlist, len(ops)), stats)


def steady_state(
    model: Model, ops: dict[str, Op], *, unique: bool, rtol: float, memory: float
) -> ExactSolution:
    """Expectation values in the steady state, arrays of shape ().

    Raises:
        NotUnique: it is not unique and ``unique`` is true, or the residual stays above ``rtol``.
    """
    if model.coefficients:
        raise ValueError("A steady state needs a model that is constant in time.")
    cutoffs = guess_cutoffs(model)
    while True:
        system, reads = build(model, ops, cutoffs, memory)
        fill = 45 * system.size ** (4 / 3)
        x, more = null_state(system.generator(), system.trace, system.y, fill, memory)
        numbers = np.asarray(reads.W @ x)[None, :]
        edges = edges_of(reads, numbers)
        if not widen(edges, cutoffs):
            break
    if not more["residual"] < rtol:
        raise NotUnique(f"No steady state was found: the residual is {more['residual']:.1e}.")
    if unique and not more["unique"]:
        raise NotUnique(
            "The steady state is not unique: it depends on the initial state. Pass `unique=False` "
            "for the long-time average from the model's initial state, or solve in time."
        )
    values = reads.values(numbers, np.zeros(1), len(ops))[:, 0]
    return ExactSolution.build(ops, values, {**facts_of(system, edges), **more})
