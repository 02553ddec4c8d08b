r"""Integrators of :math:`\dot y = A(t)\, y` for large sparse real A, recording numbers :math:`W y`.

Constant A: Taylor series of a shifted matrix,

.. math:: y(t + \tau) = e^{-\sigma\tau} \sum_k \frac{\tau^k}{k!} B^k y(t), \qquad B = A + \sigma,

with the shift that makes the 1-norm of B smallest. A step h with :math:`h \|B\|_1 = r` needs
about e r terms at most, each term bounds what is left out, and h is chosen such that rounding is
amplified by no more than :math:`e^{12}`. Only the numbers :math:`W B^k y` are kept, to evaluate
any time inside a step.

Time-dependent A: the adaptive method of order eight of Dormand and Prince (SciPy's ``DOP853``).

Reference: Al-Mohy and Higham, SIAM J. Sci. Comput. 33, 488 (2011), who choose steps alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..compiler.loops import Loop
from ..estimate import announce, check_time
from ..model.coefficients import Coef
from ..model.subsystems import Subsystem
from ..model.timescales import Looks
from .cutoffs import Edge

Array = NDArray[np.float64]

#: Seconds per entry of the matrix in a product (compiled, and of SciPy), and per output beside
#: those of its numbers.
PER_COMPILED, PER_ENTRY, PER_OUTPUT = 1.2e-9, 2.5e-9, 2e-5
#: Components up to which matrices are full.
SMALL = 24
#: Steps in which time must advance by this share of the whole.
STALLED, ADVANCE = 10_000, 1e-6
_FEWER = "ask for fewer output times or observables"


@dataclass
class Readings:
    """Rows W: numbers W y, of which the first is the trace, others make up what is asked for.

    ``pieces``: observable, time coefficients, row of the real part (that of the imaginary one is
    next); ``edges``: row with the population at the edge of a mode, its place, label and cutoff.
    """

    W: scipy.sparse.csr_matrix
    pieces: list[tuple[int, tuple[Coef, ...], int]]
    edges: list[tuple[int, tuple[Subsystem, int], str, int]]

    @staticmethod
    def of(rows: list[scipy.sparse.csr_matrix], pieces: Any, edges: Any) -> Readings:
        """From the rows."""
        W = scipy.sparse.vstack(rows, format="csr")
        W.indices, W.indptr = W.indices.astype(np.int32), W.indptr.astype(np.int32)
        return Readings(W, pieces, edges)

    @property
    def trace(self) -> Array:
        """The trace as a vector."""
        return np.asarray(self.W[0].todense()).ravel()

    def values(self, numbers: Array, tlist: Array, count: int) -> NDArray[np.complex128]:
        """Expectation values (count, T) from numbers (T, rows)."""
        out = np.zeros((count, tlist.size), complex)
        for k, times, row in self.pieces:
            part = numbers[:, row] + 1j * numbers[:, row + 1]
            for coefficient in times:
                part = part * coefficient(tlist)
            out[k] += part
        return out

    def edges_of(self, numbers: Array) -> list[Edge]:
        """The largest population at the edge of every mode."""
        return [
            Edge(place, label, dim, float(numbers[:, row].max()))
            for row, place, label, dim in self.edges
        ]


def _multiply(indptr, indices, data, x, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * x[indices[k]]
        out[i] = total


def _term(indptr, indices, data, x, scale, out, total):  # type: ignore[no-untyped-def]
    """out = scale * B x, total += out; returns the 1-norm of out."""
    norm = 0.0
    for i in range(out.size):
        value = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            value += data[k] * x[indices[k]]
        value *= scale
        out[i] = value
        total[i] += value
        norm += abs(value)
    return norm


@Loop
def _series(  # type: ignore[no-untyped-def]
    indptr, indices, data, w_indptr, w_indices, w_data, total, powers, h, r, tolerance, numbers,
    terms,
):  # fmt: skip
    """total becomes sum_k (h B)^k y / k! from y, numbers[k] = W (h B)^k y / k!, terms their count.

    ``powers``: room for two vectors.
    """
    _multiply(w_indptr, w_indices, w_data, total, numbers[0])
    for i in range(total.size):
        powers[0, i] = total[i]
    terms[0] = numbers.shape[0]
    for k in range(1, numbers.shape[0]):
        old, new = powers[(k - 1) % 2], powers[k % 2]
        norm = _term(indptr, indices, data, old, h / np.float64(k), new, total)
        _multiply(w_indptr, w_indices, w_data, new, numbers[k])
        ratio = r / np.float64(k + 1)
        if ratio < 0.9 and norm * ratio / (1.0 - ratio) < tolerance:
            terms[0] = k + 1
            break


def shifted(A: scipy.sparse.csr_matrix) -> tuple[scipy.sparse.csr_matrix, float, float]:
    """B = A + sigma, sigma >= 0, and the 1-norm of B, which sigma minimises."""
    diagonal = A.diagonal()
    others = np.asarray(abs(A).sum(axis=0)).ravel() - np.abs(diagonal)
    # the norm is the larger of above + sigma and below - sigma
    above, below = float((others + diagonal).max()), float((others - diagonal).max())
    sigma = max((below - above) / 2, 0.0)
    B = (A + sigma * scipy.sparse.identity(A.shape[0], format="csr")).tocsr()
    return B, sigma, max(above + sigma, below - sigma)


def never(numbers: Array) -> bool:
    """Of nothing that could be lost."""
    return False


def constant(
    A: scipy.sparse.csr_matrix,
    W: scipy.sparse.csr_matrix,
    y: Array,
    tlist: Array,
    rtol: float,
    lost: Callable[[Array], bool] = never,
) -> tuple[Array, Array, dict[str, float]]:
    """W y(t) at the times of ``tlist``, shape (T, K); y at the end; numbers about the run.

    Once ``lost`` is true of the numbers W y after a step, these stand for all later times.
    """
    B, sigma, norm = shifted(A)
    out = np.empty((tlist.size, W.shape[0]))
    out[0] = W @ y
    growth = norm - sigma  # bounds the growth of the 1-norm
    top = min(700.0, 12.0 / max(growth / norm, 1e-12)) if norm > 0 else 1.0
    span = tlist[-1] - tlist[0]
    steps = max(1, int(np.ceil(span * norm / top)))
    h = span / steps
    r = h * norm
    terms = int(2.8 * r) + 80
    products = steps * (1.4 * r + 25)
    announce(
        products * PER_COMPILED * (B.nnz + W.nnz + 3 * y.size)
        + tlist.size * (PER_OUTPUT + 2e-9 * terms * W.shape[0]),
        8.0 * W.shape[0] * (3.0 * tlist.size + terms),
        f"the exact solution: {steps} steps of {y.size} components, {tlist.size} times",
        _FEWER,
    )
    numbers, count = np.zeros((terms, W.shape[0])), np.zeros(1, np.int64)
    matrices = (B.indptr, B.indices, B.data, W.indptr, W.indices, W.data)
    y, powers = y.copy(), np.zeros((2, y.size))
    tolerance = 0.1 * rtol * float(np.abs(y).sum()) / steps * np.exp(sigma * h)
    products, done = 0, 1
    for n in range(steps):
        check_time(n, steps)
        t = tlist[0] + n * h
        _series(*matrices, y, powers, h, r, tolerance, numbers, count)
        terms = int(count[0])
        products += terms - 1
        last = tlist[-1] if n == steps - 1 else t + h
        while done < tlist.size and tlist[done] <= last:
            x = min((tlist[done] - t) / h, 1.0)
            out[done] = np.exp(-sigma * h * x) * (x ** np.arange(terms) @ numbers[:terms])
            done += 1
        y *= np.exp(-sigma * h)
        if done < tlist.size and lost(W @ y):
            out[done:] = W @ y
            break
    return out, y, {"steps": steps, "products": products}


def adaptive(
    matrices: list[scipy.sparse.csr_matrix],
    weights: Callable[[float], Array],
    W: scipy.sparse.csr_matrix,
    y: Array,
    tlist: Array,
    rtol: float,
    max_step: float,
    coefs: Sequence[Coef],
    lost: Callable[[Array], bool] = never,
) -> tuple[Array, Array, dict[str, float]]:
    """As :func:`constant` for A(t) = sum_g weights(t)[g] * matrices[g], which hold ``coefs``."""
    small = y.size <= SMALL
    full = (
        np.reshape([m.toarray() for m in matrices], (len(matrices), y.size**2))
        if small
        else np.empty(0)
    )

    def slope(t: float, x: Array) -> Array:
        f = weights(t)
        if small:
            return np.asarray((f @ full).reshape(x.size, x.size) @ x)
        total = np.zeros_like(x)
        for g, m in enumerate(matrices):
            if f[g] != 0.0:
                total += f[g] * (m @ x)
        return total

    rate = sum(float(np.max(np.asarray(abs(m).sum(axis=0)), initial=0.0)) for m in matrices)
    span = float(tlist[-1] - tlist[0])
    steps = max(20.0, span * rate / 3, span / max_step)
    entries = sum(m.nnz for m in matrices) + 20 * y.size
    announce(
        12 * steps * PER_ENTRY * entries + tlist.size * (2 * PER_OUTPUT + 5e-9 * y.size),
        24.0 * W.shape[0] * tlist.size,
        f"the exact solution: about {steps:.0f} steps of {y.size} components, {tlist.size} times",
        _FEWER,
    )
    out = np.empty((tlist.size, W.shape[0]))
    out[0] = W @ y
    scale = float(np.abs(y).max())
    solver = scipy.integrate.DOP853(
        slope,
        tlist[0],
        y,
        tlist[-1],
        max_step=max_step,
        rtol=max(rtol, 3e-14),
        atol=0.01 * rtol * scale,
    )
    looks = Looks(coefs, float(tlist[0]), span)
    done, steps, mark = 1, 0, float(tlist[0])
    while done < tlist.size:
        check_time(solver.t - tlist[0], span)
        with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 where squares underflow
            message = solver.step()
        if steps % STALLED == STALLED - 1:
            if solver.t - mark < ADVANCE * span:
                raise ValueError(
                    f"The integrator does not get on at t = {solver.t:.6g}: a coefficient of the "
                    "model varies too fast there. Give samples instead, `wf.coef(values, times)`."
                )
            mark = float(solver.t)
        if solver.status == "failed":
            raise ValueError(f"The integrator stopped at t = {solver.t:.6g}: {message}")
        steps += 1
        looks.look(int(steps), float(solver.t))
        if solver.t >= tlist[done]:
            between = solver.dense_output()
            while done < tlist.size and tlist[done] <= solver.t:
                out[done] = W @ between(tlist[done])
                done += 1
            if lost(out[done - 1]):
                out[done:] = out[done - 1]
                break
    return out, solver.y, {"steps": steps, "products": solver.nfev}
