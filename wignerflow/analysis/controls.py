r"""Controls of steady states: :math:`\langle L f\rangle = 0` for every polynomial f of the state.

With L the generator of the equations, every L f has the mean zero in the steady state, so that any
combination of them may be taken off an observable. Weights are fitted by least squares on one half
of the trajectories and used on the other, and the other way round: the estimate has no bias from
the fit. Were the fit perfect, y - sum_k b_k L f_k would be the constant <y>, whatever the samples:
that is why it also takes off most of the step's error and of what relaxation has left.

The f are all monomials up to a degree; of degrees 1, 2, ... the one that leaves least is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.module import KernelText
from ..kernels.observe import Readout, channel_count
from ..phasespace.generator import Generator
from ..phasespace.polynomials import Poly, Var
from ..phasespace.system import PhaseSpaceSystem
from ..run.bounds import bounds
from ..run.loop import Request
from ..run.record import records
from ..run.statistics import BATCHES

MOST = 150  # controls
DEGREE = 4
ROWS = 40  # states in a fit, per control
FITTED, STATES = 4096, 4  # trajectories on whose states they are fitted, and states of each
CUTOFF = 1e-9  # singular values of the fit, of the largest

#: A polynomial as exponents (terms, variables) and coefficients (terms,).
Terms = tuple[NDArray[np.int64], NDArray[np.float64]]


class Controls:
    """L f of all monomials f up to a degree, as functions of states.

    Args:
        system: one that ``generator.refuses`` does not refuse.
        scale: typical size of every variable, (V,).
    """

    def __init__(self, system: PhaseSpaceSystem, scale: NDArray[np.float64]):
        generator = Generator(system)
        variables = generator.variables
        self.scale = scale
        self.terms: list[Terms] = []
        #: Number of controls up to degree 1, 2, ...
        self.counts: list[int] = []
        for degree in range(1, DEGREE + 1):
            number = 0
            for mono in itertools.combinations_with_replacement(range(len(variables)), degree):
                size = float(np.prod(scale[list(mono)]))
                f = Poly({((), tuple(variables[v] for v in mono)): 1 / size})
                found = _terms(generator(f), variables, scale)
                if found is not None:
                    self.terms.append(found)
                number += 1
            if len(self.terms) > MOST and self.counts:
                del self.terms[self.counts[-1] :]
                break
            self.counts.append(len(self.terms))

    def __call__(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (..., controls) at states (..., V)."""
        x = states / self.scale
        highest = max(int(e.max()) for e, _ in self.terms)
        powers = np.stack([x**p for p in range(highest + 1)])  # (P, ..., V)
        products: dict[bytes, NDArray[np.float64]] = {}
        out = np.empty((*states.shape[:-1], len(self.terms)))
        for k, (exponents, coefficients) in enumerate(self.terms):
            total = np.zeros(states.shape[:-1])
            for e, c in zip(exponents, coefficients, strict=True):
                key = e.tobytes()
                if key not in products:
                    value = np.ones(states.shape[:-1])
                    for v in np.flatnonzero(e):
                        value = value * powers[e[v], ..., v]
                    products[key] = value
                total += c * products[key]
            out[..., k] = total
        return out


def _terms(poly: Poly, variables: Sequence[Var], scale: NDArray[np.float64]) -> Terms | None:
    """In scaled variables, and of size one; None for zero."""
    exponents, coefficients = [], []
    for _, leaves, c in poly.sorted_terms:
        e = [leaves.count(v) for v in variables]
        exponents.append(e)
        coefficients.append(c.real * float(np.prod(scale ** np.array(e))))
    size = max(np.abs(coefficients), default=0.0)
    if size == 0:
        return None
    return np.array(exponents, np.int64), np.array(coefficients) / size


@dataclass
class Late:
    """Averages of every trajectory over a late time, and single states to fit on.

    Attributes:
        values, controls: averages, (n, K) and (n, C).
        rows, row_controls: at single states, (m, K) and (m, C).
        halves, row_halves: 0 or 1 for every trajectory and row, (n,) and (m,).
        counts: numbers of controls to try.
    """

    values: NDArray[np.float64]
    controls: NDArray[np.float64]
    rows: NDArray[np.float64]
    row_controls: NDArray[np.float64]
    halves: NDArray[np.int64]
    row_halves: NDArray[np.int64]
    counts: list[int]

    @staticmethod
    def join(parts: list[Late]) -> Late:
        """Of several initial states."""
        names = ("values", "controls", "rows", "row_controls", "halves", "row_halves")
        arrays = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
        return Late(**arrays, counts=parts[0].counts)


def late(
    system: PhaseSpaceSystem,
    readouts: list[Readout],
    times: NDArray[np.float64],
    dt: float,
    request: Request,
) -> Late:
    """Every trajectory's averages over the later half of ``times``, of channels and controls."""
    states = [Readout(Poly.leaf(v), False) for v in Generator(system).variables]
    text, K = KernelText(system, readouts + states), channel_count(readouts)
    pairs = zip(system.blocks, bounds(system), strict=True)
    controls = Controls(system, np.concatenate([np.full(b.components, s.max()) for b, s in pairs]))
    first = times.size // 2 + 1
    fitted = np.linspace(0, times.size - first - 1, STATES).astype(int)

    def reduce(values: NDArray[np.float64], counts: NDArray[np.bool_]) -> Any:
        half = values[counts, first:]
        y, found = half[:, :, :K], controls(half[:, :, K:])
        return y.mean(axis=1), found.mean(axis=1), y[:, fitted], found[:, fitted]

    out: list[list[Any]] = [[], [], [], []]
    for part in records(text, times, dt, request, reduce):
        for k, values in enumerate(part):
            if k < 2 or len(out[k]) * BATCHES < FITTED:
                out[k].append(values)
    values, found, rows, row_controls = (np.concatenate(x) for x in out)
    return Late(
        values,
        found,
        rows.reshape(-1, K),
        row_controls.reshape(-1, found.shape[1]),
        np.arange(len(values)) % 2,
        np.repeat(np.arange(len(rows)) % 2, STATES),
        controls.counts,
    )


@dataclass
class Controlled:
    """Averages of every trajectory, controlled.

    Attributes:
        values: (n, K).
        plain: the same before, (n, K).
        count: controls used, per channel (K,).
    """

    values: NDArray[np.float64]
    plain: NDArray[np.float64]
    count: NDArray[np.int64]


def control(late: Late) -> Controlled:
    """Take off what the controls explain."""
    values = late.values
    K = values.shape[1]
    used = [c for c in late.counts if 0 < c and ROWS * c <= len(late.rows) // 2]
    best = values.copy()
    variance = values.var(axis=0)
    number = np.zeros(K, np.int64)
    for c in used:
        out = np.empty_like(values)
        for half in (0, 1):
            fitted = late.row_halves == half
            A, y = late.row_controls[fitted, :c], late.rows[fitted]
            size = A.std(axis=0)
            size = np.where(size > 0, size, 1.0)
            weights = np.linalg.lstsq((A - A.mean(axis=0)) / size, y - y.mean(axis=0), CUTOFF)[0]
            other = late.halves != half
            out[other] = values[other] - (late.controls[other, :c] / size) @ weights
        new = np.maximum(*(out[late.halves == h].var(axis=0) for h in (0, 1)))
        better = new < variance
        best[:, better], number[better] = out[:, better], c
        variance = np.where(better, new, variance)
    return Controlled(best, values, number)
