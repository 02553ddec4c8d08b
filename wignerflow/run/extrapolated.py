r"""Runs without noise: steps of one length and its halves, extrapolated to steps of none.

The error of a splitting is a series in its step h that begins with :math:`h^2`. From runs at h,
h/2, h/4, ... the terms :math:`h^2, h^3, h^4, \dots` are taken off one after the other,

.. math:: R_k^{(j)} = \frac{2^{j+1} R_k^{(j-1)} - R_{k-1}^{(j-1)}}{2^{j+1} - 1}, \qquad
          R_k^{(0)} \text{ the run at } h/2^k,

until :math:`R_k^{(k)}` stands still: a few halvings where a single run would take a thousand times
more steps. Coefficients must be smooth between nodes, so every jump of one is a node, see
``model.timescales.breaks``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..kernels.grid import MAX_STEPS, Grid
from ..kernels.module import KernelText
from ..model.timescales import breaks
from .driver import Outcome, Prepared, simulate
from .loop import Request
from .pilot import Channels, Columns

SETTLED = 1e-8  # of the largest value of a column: accepted change, where none is given
MET = 1e-4  # likewise, above which the result says that no step was found
LEVELS = 12
TABULATED = 5  # levels for whose steps callables are tabulated
STEPS = 2_000_000  # of one run, at most


def nodes(text: KernelText, tlist: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outputs, and the times between them at which coefficients jump or bend."""
    coefs = text.system.coefficients()
    return np.union1d(tlist, breaks(coefs, float(tlist[0]), float(tlist[-1])))


def coefficient_times(
    text: KernelText, tlist: NDArray[np.float64], h: float
) -> NDArray[np.float64]:
    """Where the runs from step ``h`` on read coefficients."""
    at = nodes(text, tlist)
    grids = [Grid.make(at, h / 2**k) for k in range(TABULATED)]
    return np.unique(np.concatenate([text.coefficient_times(g, at) for g in grids]))


def extrapolated(
    text: KernelText,
    tlist: NDArray[np.float64],
    batched: NDArray[np.int64],
    request: Request,
    prepared: Prepared,
    columns: Columns | None = None,
    settled: float = SETTLED,
) -> Outcome:
    """The solution with steps of ``prepared.step`` and less; its error in ``prepared.errors``.

    ``settled``: accepted change of a column, of its largest value.
    """
    read = (columns or Channels()).read
    at = nodes(text, tlist)
    where = np.searchsorted(at, tlist)
    rows: list[NDArray[np.float64]] = []  # R_k^(0), R_k^(1), ... of the last run
    best: Outcome | None = None
    change, work, compiling = np.zeros(0), 0, 0.0
    for k in range(LEVELS):
        h = prepared.step / 2**k
        if best is not None and np.sum(Grid.count(at, h)) > min(STEPS, MAX_STEPS):
            break
        outcome = simulate(text, at, batched, request, replace(prepared, step=h))
        work += outcome.stats["work"]
        compiling += outcome.stats["compile_time"]
        if outcome.samples.failed:  # too long a step, or the equations diverge
            best = best or outcome
            rows = []
            continue
        new = [outcome.samples.mean[where]]
        for j, before in enumerate(rows):
            new.append(new[j] + (new[j] - before) / (2.0 ** (j + 2) - 1))
        best = outcome
        if rows:
            last, now = read(rows[-1]), read(new[-1])
            change = np.abs(now - last)
            allowed = settled * np.abs(now).max(axis=0, initial=0.0)
            if np.all(change <= np.maximum(allowed, 1e-12 * np.abs(now).max(initial=0.0))):
                rows = new
                break
        rows = new
    assert best is not None
    return _outcome(best, where, rows, change, columns, (work, compiling))


def _outcome(
    best: Outcome,
    where: NDArray[np.int64],
    rows: list[NDArray[np.float64]],
    change: NDArray[np.float64],
    columns: Columns | None,
    spent: tuple[int, float],
) -> Outcome:
    """The finest run with the extrapolated means in place of its own."""
    samples = best.samples
    chosen = {
        name: getattr(samples, name)[where] for name in ("count", "m2", "batch_count", "batch_sum")
    }
    mean = rows[-1] if rows else samples.mean[where]
    samples = replace(samples, mean=mean, **chosen)
    size = np.abs((columns or Channels()).read(mean)).max(axis=0, initial=0.0)
    # a column that is nothing but rounding counts by the largest one
    scale = np.maximum(size, SETTLED * size.max(initial=0.0))
    met = bool(change.size) and bool(np.all(change <= MET * scale))
    errors = dict(columns.split(change)) if columns is not None and change.size else {}
    stats = {
        **best.stats,
        "work": spent[0],
        "compile_time": spent[1],
        "step_met": met or bool(samples.failed),
        "step_choice": f"extrapolated from {len(rows)} steps, each half of the one before",
    }
    prepared = replace(best.prepared, errors=errors)
    return Outcome(samples, best.dt, stats, best.final, prepared)
