r"""Populations p(J, M) of one ensemble or collective spin whose dynamics couples no different M.

Where H is a function of J_z and every jump changes M by a definite amount, populations obey a
classical master equation (equation of motion of :math:`\langle J,M|\rho_J|J,M\rangle`)

.. math:: \dot p(s) = \sum_{s'} w(s' \to s)\, p(s') - w(s)\, p(s), \qquad
    w(s) = \sum_{s'} w(s \to s').

It is solved by uniformisation: with :math:`\Lambda \ge \max_s w(s)` and the stochastic matrix
:math:`P = 1 + W/\Lambda`,

.. math:: \langle O \rangle (t) = \sum_k e^{-\Lambda t} \frac{(\Lambda t)^k}{k!}\; o \cdot P^k p(0).

Only the numbers :math:`o \cdot P^k p(0)` are kept, so one sweep serves all output times; every
term is positive, and the only errors are the tails that are cut, below 1e-10 in total and summed
up exactly.

Reference: Jensen, Scand. Actuar. J. 1953, 87; for the jumps, see :mod:`wignerflow.exact.dicke`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from ..compiler.loops import Loop
from ..estimate import announce, check_time
from ..model.coefficients import Coef
from ..model.model import Model
from ..model.operators import Op
from . import classical, dicke
from .ladder import Basis, Site, Times, shift, spherical
from .solution import MEMORY, ExactSolution, refuse
from .steady import check, null_state

Array = NDArray[np.float64]


@dataclass
class Rates:
    """Classical jump rates: transition k takes (j, m) to (j + dj[k], m + q[k]) at rate[k, j, m]."""

    site: Site
    dj: NDArray[np.int64]
    q: NDArray[np.int64]
    rate: Array
    start: Array

    @property
    def states(self) -> int:
        """Number of states |J, M>."""
        return sum(self.site.dim - 2 * j for j in range(self.site.blocks))

    @property
    def escape(self) -> Array:
        """Total rate out of every state, shape (blocks, dim)."""
        return np.asarray(self.rate.sum(axis=0))


def refuses(model: Model) -> str | None:
    """Why the populations of ``model`` obey no closed equation of their own; None if they do."""
    if len(model.subsystems) != 1 or model.subsystems[0].size != 1:
        return "populations need exactly one ensemble or collective spin"
    sub = model.subsystems[0]
    if sub.kind == "levels":
        return "populations p(J, M) are for two-level emitters"
    if sub.kind == "mode":
        return "populations are for ensembles and spins, not for modes"
    if model.coefficients:
        return "operators or rates depend on time"
    if model.pulses:
        return "pulses turn the state"
    return classical.refuses(model, Basis(model))


def rates(model: Model) -> Rates:
    """The classical jump rates of a model that :func:`refuses` accepts."""
    basis = Basis(model)
    site = basis.sites[0]
    table: dict[tuple[int, int], Array] = {}

    def add(dj: int, q: int, rate: Array) -> None:
        if np.any(rate):
            table[dj, q] = table.get((dj, q), np.zeros((site.blocks, site.dim))) + rate

    for op, rate in model.channels():
        assert not isinstance(rate, Coef)
        amplitude = diagonal_amplitude(basis, op)
        if amplitude is not None:
            q, value = amplitude
            add(0, q, rate * np.abs(value) ** 2)
    for channel in model.local_channels():
        assert not isinstance(channel.rate, Coef)
        for letter, c in spherical(channel.op)[1].items():
            for dj in (-1, 0, 1):
                local = dicke.local_table(site.emitters, letter, dj)
                # the block number falls as J grows
                add(-dj, dicke.COMPONENTS[letter], channel.rate * abs(c) ** 2 * local**2)
    table.pop((0, 0), None)  # a jump that changes no state changes no population
    keys = sorted(table)
    stack = np.array([table[k] for k in keys]) if keys else np.zeros((0, site.blocks, site.dim))
    start = site.diagonal_start()
    pairs = np.array(keys, np.int64).reshape(-1, 2)
    return Rates(site, pairs[:, 0].copy(), pairs[:, 1].copy(), stack, start)


def diagonal_amplitude(basis: Basis, op: Op) -> tuple[int, NDArray[np.complex128]] | None:
    """(change of M, amplitude table) of an operator with one definite change of M."""
    site = basis.sites[0]
    value = np.zeros((site.blocks, site.dim), complex)
    q = 0
    words = [(w, c) for g in basis.expand(op).values() for w, c in g.items()]
    for word, c in words:
        text = word[0][1] if word else ""
        q = shift(text)
        value = value + c * site.table(text)
    return (q, value) if words else None


Pieces = list[tuple[int, Times]]


def diagonal_tables(basis: Basis, ops: dict[str, Op]) -> tuple[NDArray[np.complex128], Pieces]:
    """Diagonal matrix elements of one-site operators, one table per time coefficient.

    Returns:
        tables of shape (K, blocks, dim), and for each the number of its operator and its
        time coefficients; :func:`combine` puts them together.
    """
    site = basis.sites[0]
    tables, pieces = [], []
    for k, op in enumerate(ops.values()):
        for times, group in basis.expand(op).items():
            table = np.zeros((site.blocks, site.dim), complex)
            for word, c in group.items():
                if not basis.shifts(word):
                    table += c * site.table(word[0][1] if word else "")
            tables.append(table)
            pieces.append((k, times))
    shape = (len(tables), site.blocks, site.dim)
    return np.array(tables, complex).reshape(shape), pieces


def combine(
    values: NDArray[np.complex128], pieces: Pieces, tlist: Array, K: int
) -> NDArray[np.complex128]:
    """Expectation values of K operators, shape (K, T), from those of their pieces."""
    out = np.zeros((K, tlist.size), complex)
    for (k, times), row in zip(pieces, values, strict=True):
        for coefficient in times:
            row = row * coefficient(tlist)
        out[k] += row
    return out


def _sweep(p, out, lo, hi, new_lo, new_hi, dj, q, rate, stay, cut):  # type: ignore[no-untyped-def]
    """out = P p within the windows [lo, hi) of each row; returns the probability cut off."""
    blocks, dim = p.shape[0], p.shape[1]
    for j in range(blocks):
        a, b = lo[j], hi[j]
        if a >= b:
            a, b = dim, 0
        for k in range(dj.size):
            i = j - dj[k]
            if i >= 0 and i < blocks:
                if lo[i] < hi[i]:
                    a = min(a, lo[i] + q[k])
                    b = max(b, hi[i] + q[k])
        new_lo[j], new_hi[j] = max(a, 0), min(b, dim)
    lost = 0.0
    for j in range(blocks):
        a, b = new_lo[j], new_hi[j]
        row = out[j]
        for m in range(a, b):
            row[m] = 0.0
        for m in range(lo[j], hi[j]):
            row[m] = p[j, m] * stay[j, m]
        for k in range(dj.size):
            i = j - dj[k]
            if i >= 0 and i < blocks:
                s = q[k]
                source, weight = p[i], rate[k, i]
                for m in range(max(lo[i], -s), min(hi[i], dim - s)):
                    row[m + s] += source[m] * weight[m]
        while a < b:
            if row[a] >= cut:
                break
            lost += row[a]
            a += 1
        while b > a:
            if row[b - 1] >= cut:
                break
            lost += row[b - 1]
            b -= 1
        new_lo[j], new_hi[j] = a, b
    return lost


def _dots(p, lo, hi, tables, out):  # type: ignore[no-untyped-def]
    """out[k] = sum_s tables[k, s] p(s) within the windows."""
    for k in range(tables.shape[0]):
        total = 0.0
        for j in range(p.shape[0]):
            for m in range(lo[j], hi[j]):
                total += tables[k, j, m] * p[j, m]
        out[k] = total


@Loop
def _run(  # type: ignore[no-untyped-def]
    both, windows, new, dj, q, rate, stay, cut, tables, values, first_weight, weights, total, done,
    lost,
):  # fmt: skip
    """values[n] = tables . P^n p for n = 0, 1, …, and total = sum_n weights[n] P^n p.

    ``both[0]`` is p and ``windows`` its windows; ``new`` is room for others. ``done`` steps were
    made (P^n p is in both[n % 2]): fewer where P changes nothing any more. ``lost`` is the
    probability cut off.
    """
    lo, hi, new_lo, new_hi = windows[0], windows[1], new[0], new[1]
    steps = values.shape[0]
    blocks = both.shape[1]
    done[0] = steps
    for n in range(steps):
        p, other = both[n % 2], both[(n + 1) % 2]
        _dots(p, lo, hi, tables, values[n])
        if n >= first_weight:
            w = weights[n - first_weight]
            for j in range(blocks):
                for m in range(lo[j], hi[j]):
                    total[j, m] += w * p[j, m]
        lost[0] += _sweep(p, other, lo, hi, new_lo, new_hi, dj, q, rate, stay, cut)
        if n % 64 == 63:
            change = 0.0
            for j in range(blocks):
                for m in range(new_lo[j], new_hi[j]):
                    inside = lo[j] <= m and m < hi[j]
                    change += abs(other[j, m] - (p[j, m] if inside else 0.0))
            if change * np.float64(steps - n) < 1e-12:
                done[0] = n + 1
                break
        for j in range(blocks):
            lo[j], hi[j] = new_lo[j], new_hi[j]


#: Jumps of the uniformised chain per segment; bounds the memory of the recorded numbers.
_SEGMENT = 30_000.0


def _poisson(x: float, steps: int) -> tuple[int, Array]:
    """First index and the weights e^-x x^k / k! that are not negligible, below ``steps``."""
    spread = 9 * np.sqrt(x) + 40
    first = max(0, int(x - spread))
    k = np.arange(first, min(steps, int(x + spread) + 1))
    log_weight = dicke.log_power(x, k) - x - dicke.log_factorial(k)
    return first, np.asarray(np.exp(log_weight))


def evolve(r: Rates, tlist: Array, tables: Array) -> tuple[Array, Array, dict[str, float]]:
    """Expectation values of diagonal tables, shape (K, blocks, dim), at the times of ``tlist``.

    Returns:
        values of shape (K, T); the populations at the end, shape (blocks, dim); and the numbers of
        sweeps and the probability cut off (``steps``, ``lost``).
    """
    escape = r.escape
    top = float(escape.max())
    values = np.empty((len(tables), tlist.size))
    p = r.start.copy()
    if top == 0.0:
        values[:] = (tables * p).sum(axis=(1, 2))[:, None]
        return values, p, {"steps": 0, "lost": 0.0}
    sweeps = top * float(tlist[-1] - tlist[0])
    announce(
        sweeps * r.states * (2 + len(r.dj) + 2 * len(tables)) * 5e-10 + tlist.size * 8e-5,
        8.0 * len(tables) * (5.0 * tlist.size + min(sweeps, 2 * _SEGMENT)),
        f"the populations: {sweeps:.2g} sweeps of {r.states} states, {tlist.size} times",
        "ask for fewer output times or observables",
    )
    rate, stay = r.rate / top, 1 - escape / top
    total_steps = top * (tlist[-1] - tlist[0])
    cut = 1e-10 / (2 * p.shape[0] * (total_steps + 100))
    spent, lost, begin = 0, 0.0, tlist[0]
    nodes = [tlist[0]]  # segment boundaries
    while nodes[-1] < tlist[-1]:
        inside = tlist[(tlist > nodes[-1]) & (top * (tlist - nodes[-1]) <= _SEGMENT)]
        nodes.append(inside[-1] if inside.size else min(nodes[-1] + _SEGMENT / top, tlist[-1]))
    for begin, end in itertools.pairwise(nodes):
        check_time(begin - tlist[0], tlist[-1] - tlist[0])
        x = top * (end - begin)
        steps = int(x + 9 * np.sqrt(x) + 41)
        recorded = np.zeros((steps, len(tables)))
        first, weights = _poisson(x, steps)
        both, windows = np.array([p, np.zeros_like(p)]), _windows(p)
        total, count, dropped = np.zeros_like(p), np.zeros(1, np.int64), np.zeros(1)
        _run(
            both, windows, np.zeros_like(windows), r.dj, r.q, rate, stay, cut, tables, recorded,
            first, weights, total, count, dropped,
        )  # fmt: skip
        done = int(count[0])
        if done < steps:
            recorded[done:] = recorded[done - 1]
            rest = weights[max(done - first, 0) :].sum()
            total += rest * both[(done - 1) % 2]
        for n in np.flatnonzero((tlist >= begin) & (tlist <= end)):
            k, w = _poisson(top * (tlist[n] - begin), steps)
            values[:, n] = w @ recorded[k : k + w.size]
        p, spent, lost = total, spent + done, lost + float(dropped[0])
    return values, p, {"steps": spent, "lost": lost}


def _windows(p: Array) -> NDArray[np.int64]:
    """First and one past the last non-zero entry of every row, shape (2, rows)."""
    some = p > 0
    lo = np.where(some.any(axis=1), some.argmax(axis=1), 0)
    hi = np.where(some.any(axis=1), p.shape[1] - some[:, ::-1].argmax(axis=1), 0)
    return np.array([lo, hi], np.int64)


def generator(r: Rates) -> tuple[scipy.sparse.csr_matrix, NDArray[np.int64], Array]:
    """The sparse matrix of the master equation on the states that can be reached.

    Returns:
        W of shape (n, n); the flat indices of its n states in (blocks, dim); their populations at
        the start.
    """
    blocks, dim = r.start.shape
    flat = np.arange(blocks * dim).reshape(blocks, dim)
    parts = [(flat.ravel(), flat.ravel(), -r.escape.ravel())]
    for dj, q, rate in zip(r.dj, r.q, r.rate, strict=True):
        source = flat[rate > 0]
        parts.append((source + dj * dim + q, source, rate[rate > 0]))
    row, column, value = (np.concatenate(p) for p in zip(*parts, strict=True))
    W = scipy.sparse.csr_matrix((value, (row, column)), shape=(flat.size, flat.size))
    seen = r.start.ravel() > 0
    while True:  # at most as many rounds as jumps are needed
        more = seen | ((W != 0).astype(float) @ seen.astype(float) > 0)
        if (more == seen).all():
            break
        seen = more
    inside = np.flatnonzero(seen)
    return W[inside][:, inside], inside, r.start.ravel()[inside]


def solve(
    model: Model, tlist: Array, ops: dict[str, Op], *, memory: float = MEMORY
) -> ExactSolution:
    """Expectation values of ``ops`` from the populations of a model :func:`refuses` accepts.

    Raises:
        TooLarge: rates and populations need more memory.
    """
    basis = Basis(model)
    site = basis.sites[0]
    transitions = len(model.channels()) + 3 * len(model.local_channels())
    need = 8.0 * site.blocks * site.dim * (2 * transitions + 2 * len(ops) + 6)
    if need > memory:
        raise refuse("The populations p(J, M) need", need, memory, "wf.QuantumJumps()")
    r = rates(model)
    tables, pieces = diagonal_tables(basis, ops)
    complex_ones = np.flatnonzero(np.any(tables.imag, axis=(1, 2)))
    values, _, numbers = evolve(r, tlist, np.concatenate([tables.real, tables.imag[complex_ones]]))
    total = values[: len(tables)].astype(complex)
    total[complex_ones] += 1j * values[len(tables) :]
    stats = {"engine": "populations", **numbers, "states": r.states}
    return ExactSolution.build(ops, combine(total, pieces, tlist, len(ops)), stats)


def steady_state(
    model: Model, ops: dict[str, Op], *, unique: bool, rtol: float, memory: float
) -> ExactSolution:
    """Expectation values in the steady state, arrays of shape ().

    Raises:
        NotUnique: it is not unique and ``unique`` is true, or the residual stays above ``rtol``.
    """
    A, inside, start = generator(rates(model))
    n = start.size
    tables, pieces = diagonal_tables(Basis(model), ops)
    x, facts = null_state(A, np.ones(n), start, 15 * n * np.log2(n + 1), memory)
    check(facts, rtol, unique)
    flat = tables.reshape(len(tables), -1)[:, inside] @ x
    values = combine(flat[:, None], pieces, np.zeros(1), len(ops))[:, 0]
    return ExactSolution.build(ops, values, {"engine": "populations", **facts})
