r"""States that repeat with the period of a drive, on block density matrices.

One period takes the components y of the density matrix to U y, a real linear map. The state that
every initial state ends in is its eigenvector of eigenvalue 1,

.. math:: U\,y = y, \qquad U = \mathcal T\exp\int_0^T \mathcal L(t)\,dt,

unique where the next eigenvalue is inside the unit circle. U is never written down for a large
system: ARPACK asks for products, each of which is one period of integration.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigs

from .. import _check
from ..model.model import Model
from ..model.operators import Op
from ..model.subsystems import Mode
from . import blocks, runs
from .cutoffs import Cutoffs, edge_stats
from .pulsed import propagated
from .solution import MEMORY, ExactSolution
from .steady import NotUnique

Array = NDArray[np.float64]

DENSE = 64  # components up to which the map is written down
SLOW = 1e-6  # a second eigenvalue this near to the unit circle is on it
RESIDUAL = 1e-6  # of U y - y, over y, in the 1-norm


def check_period(model: Model, period: float) -> None:
    """Raise unless every time coefficient has this period.

    Raises:
        ValueError: there is none, one changes from period to period, or its samples end before.
    """
    if not model.coefficients:
        _check.fail("period", "be None for a model that is constant in time", period)
    for c in model.coefficients:
        if c.times is not None and not (c.times[0] <= 0 and c.times[-1] >= period):
            was = _check.Note(f"{period:g}, and samples from {c.times[0]:g} to {c.times[-1]:g}")
            _check.fail("period", "lie within the samples of every coefficient", was)
        if c.times is None:
            t = period * np.linspace(0, 1, 34)[1:-1]
            now, later = c(t), c(t + period)
            if np.abs(now - later).max() > 1e-8 * max(np.abs(now).max(), 1e-300):
                _check.fail("period", f"be a period of the coefficient {c!r}", period)


def solve(
    model: Model,
    ops: dict[str, Op],
    period: float,
    times: Array,
    *,
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> ExactSolution:
    """Expectation values of ``ops`` over one period of the state that repeats with it.

    Args:
        model: the master equation, of this period in time.
        ops: name -> operator.
        period: of the drive.
        times: in [0, period], ascending.
        rtol: relative tolerance of the integrator.
        memory: limit in bytes.

    Raises:
        TooLarge: the density matrix does not fit into memory.
        NotUnique: the state depends on the initial one.
    """
    runs.check_rates(model, np.linspace(0, period, runs.LOOKS))
    nodes = np.union1d(times, [0.0, period])
    if any(isinstance(sub, Mode) for sub in model.initial):
        nodes = np.union1d(nodes, np.linspace(0, period, runs.LOOKS))

    def use(system: Any, cutoffs: Cutoffs) -> tuple[Any, Array]:
        system.y, facts = _repeated(system, period, rtol)
        numbers, last, _counts = propagated(system, nodes, rtol)
        return (facts, last), numbers

    build = partial(blocks.restricted, memory=memory)
    system, (facts, last), numbers, edges = runs.certified(build, model, ops, use)
    # a cutoff takes a little of the trace, which the population at its edge tells
    last = last / (system.reads.trace @ last)
    facts["residual"] = float(np.abs(last - system.y).sum() / np.abs(system.y).sum())
    if facts["residual"] > RESIDUAL:
        raise NotUnique(
            f"No state that repeats was found: after one period it differs by "
            f"{facts['residual']:.1e} of its norm."
        )
    values = system.reads.values(numbers, nodes, len(ops))[:, np.searchsorted(nodes, times)]
    stats: dict[str, Any] = {"engine": "blocks", "components": system.size, **facts}
    return ExactSolution.build(ops, values, {**stats, **edge_stats(edges)})


def _repeated(
    system: blocks.BlockSystem, period: float, rtol: float
) -> tuple[Array, dict[str, Any]]:
    """The components that one period brings back, of trace 1, and the second eigenvalue."""
    span = np.array([0.0, period])

    def after(y: Array) -> Array:
        system.y = np.ascontiguousarray(y, float).ravel()
        return propagated(system, span, rtol)[1]

    n = system.size
    if n <= DENSE:
        values, vectors = np.linalg.eig(np.stack([after(e) for e in np.eye(n)], axis=1))
    else:
        U = LinearOperator((n, n), matvec=after, dtype=float)
        start = system.y.copy()
        values, vectors = eigs(U, k=2, which="LM", v0=start, tol=1e-10)
    order = np.argsort(np.abs(values - 1))
    second = float(np.abs(values[order[1:]]).max(initial=0.0))
    if second > 1 - SLOW:
        raise NotUnique(
            "The state that repeats depends on the initial one: the map of one period has a "
            f"second eigenvalue of size {second:.8f}."
        )
    y = vectors[:, order[0]]
    y = (y / y[np.argmax(np.abs(y))]).real
    return y / (system.reads.trace @ y), {"second": second, "unique": True}
