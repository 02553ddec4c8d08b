r"""Steady states of linear equations of motion :math:`\dot y = A y` that conserve a trace.

The resolvent gives the projector on the null space of A,

.. math:: P_0 = \lim_{\epsilon \to 0} -\epsilon\, (A - \epsilon)^{-1},

and :math:`P_0\, y(0)` is the state that is reached from y(0). One sparse factorisation of
:math:`A - \epsilon` is applied several times; each application reduces what does not belong to the
null space by epsilon over the gap. The steady state is unique (among all that the initial state
can reach) if and only if :math:`P_0 v = \mathrm{Tr}(v)\, y_\infty` for a random v. A unique steady
state of a Lindblad equation in finite dimension is always reached, since oscillations that never
decay need a second one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import announce
from .solution import TooLarge

Array = NDArray[np.float64]

_ROUNDS = 60
#: Share of the expected entries that factors usually have; seconds per operation of the
#: factorisation, and per entry of the factors in all applications of them.
USUAL, PER_OPERATION, PER_ENTRY = 0.3, 1e-9, 1e-7


class NotUnique(ValueError):
    """The steady state depends on the initial state, or does not exist."""


def null_state(
    A: scipy.sparse.spmatrix, trace: Array, y: Array, fill: float = 0.0, memory: float = np.inf
) -> tuple[Array, dict[str, Any]]:
    """The state reached from y, and numbers about it.

    ``residual`` is the 1-norm of A x over those of A and x, ``spread`` the distance in the 1-norm
    to what a random start reaches, ``unique`` whether that is below 1e-6, and ``fill`` the number
    of entries of the factors.

    Args:
        A: generator, shape (n, n).
        trace: row vector with trace A = 0, shape (n,).
        y: initial state.
        fill: expected number of entries of the factors.
        memory: limit in bytes.

    Raises:
        TooLarge: the factors are expected to need more memory.
    """
    if 16 * fill > memory:
        raise TooLarge(
            f"The steady state of {y.size} coupled numbers needs about {16 * fill / 1e9:.3g} GB, "
            f"but {memory / 1e9:.3g} GB are allowed; raise `memory` or solve to long times."
        )
    some = USUAL * fill
    announce(
        PER_OPERATION * some**2 / max(1, y.size) + PER_ENTRY * some,
        16.0 * some,
        f"the steady state: factors of about {some:.2g} entries for {y.size} coupled numbers",
        "take wf.TWA(), or a smaller model",
    )
    size = float(np.asarray(abs(A).sum(axis=0)).max(initial=0.0))
    if size == 0.0:
        return y, {"unique": y.size == 1, "residual": 0.0}
    shift = 1e-9 * size
    lu = scipy.sparse.linalg.splu((A - shift * scipy.sparse.identity(A.shape[0])).tocsc())

    def project(v: Array) -> tuple[Array, float]:
        residual, last = np.inf, np.inf
        weight = float(trace @ v)
        for n in range(_ROUNDS):
            v = -shift * lu.solve(v)
            if abs(weight) > 1e-12:
                v *= weight / float(trace @ v)
            residual = float(np.abs(A @ v).sum() / (size * max(np.abs(v).sum(), 1e-300)))
            if residual < 1e-16 or (n > 3 and residual > 0.9 * last):
                break
            last = residual
        return v, residual

    x, residual = project(y)
    rng = np.random.default_rng(0)
    probe = rng.normal(size=y.size) * np.abs(y).sum() / y.size
    probe += y * (1 - float(trace @ probe) / float(trace @ y))
    other, second = project(probe)
    distance = float(np.abs(other - x).sum() / np.abs(x).sum())
    return x, {
        "unique": distance < 1e-6,
        "residual": max(residual, second),
        "spread": distance,
        "fill": int(lu.L.nnz + lu.U.nnz),
    }


def check(facts: dict[str, Any], rtol: float, unique: bool) -> None:
    """Refuse what :func:`null_state` found where it is none, or depends on the start.

    Raises:
        NotUnique: the residual stays above ``rtol``, or it depends and ``unique`` is true.
    """
    if not facts["residual"] < rtol:
        raise NotUnique(f"No steady state was found: the residual is {facts['residual']:.1e}.")
    if unique and not facts["unique"]:
        raise NotUnique(
            "The steady state is not unique: it depends on the initial state (a conserved "
            "quantity, oscillations without damping, or relaxation too slow to tell). Pass "
            "`unique=False` for the long-time average from the model's initial state, or solve "
            "in time."
        )
