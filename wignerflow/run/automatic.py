"""The choice of ``solve(method="auto")``: exact, generalised P-function, or truncated Wigner."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact import populations
from ..exact.balanced import reached
from ..exact.cutoffs import guess_cutoffs
from ..exact.engine import Exact
from ..exact.reduction import reduced
from ..model.levels import Levels
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.states import BlochState
from ..model.subsystems import CollectiveSpin, Ensemble, Mode
from ..phasespace.generalized_p import GeneralizedP
from ..phasespace.product_state import inexact
from ..phasespace.twa import TWA

CHEAP_POPULATIONS = 50_000  # states p(J, M): a second or so
CHEAP_ELEMENTS = 15_000  # elements of the density matrix: seconds
FEW_MEMBERS = 16  # of all subsystems, whose operators are quickly written out


def density_elements(model: Model, guess: bool = False) -> float:
    """Elements of the permutation-invariant density matrix that the model can fill, at most.

    (N+1)^2 for N emitters that stay in the symmetric states, (N+1)(N+2)(N+3)/6 otherwise, of more
    levels what phases let be reached (``exact.balanced``); infinity with a mode whose ``cutoff`` is
    not given, or what exact methods try first (``guess``).
    """
    tried = guess_cutoffs(model) if guess else {}
    local = {jump.op.sub for jump in model.local_jumps}
    members = sum(sub.size for sub in model.subsystems)
    out = 1.0
    for sub, states in model.initial.items():
        if isinstance(sub, Mode):
            found = [tried.get((sub, m), np.inf) for m in range(sub.size)]
            sizes = np.full(sub.size, sub.cutoff or found, float) ** 2
        elif isinstance(sub, Ensemble):
            N = sub.numbers.astype(float)
            pure = all(isinstance(s, BlochState) and s.is_pure for s in states)
            symmetric = pure and sub not in local
            sizes = (N + 1) ** 2 if symmetric else (N + 1) * (N + 2) * (N + 3) / 6
        elif isinstance(sub, Levels):
            if sub.size == 1 and members <= FEW_MEMBERS:
                sizes = np.array([reached(model, sub, 0)])
            else:
                boxes = sub.d**2 - 1
                sizes = np.array([float(comb(int(n) + boxes, boxes)) for n in sub.numbers])
        elif isinstance(sub, CollectiveSpin):
            sizes = (2 * np.asarray(sub.lengths, float) + 1) ** 2
        else:
            sizes = np.full(sub.size, 4.0)
        out *= float(np.exp(min(700.0, np.log(sizes).sum())))
    return out


def choose_method(
    model: Model, times: NDArray[np.float64], ops: Mapping[str, Op | ArrayOp]
) -> tuple[Any, str]:
    """A method object, and a sentence that says why."""
    given = model
    every = {name: op for name, op in ops.items() if isinstance(op, Op)}
    for name, op in ops.items():
        if isinstance(op, ArrayOp):
            every |= {f"{name} {m}": op[m] for m in range(op.size)}
    model, _, _ = reduced(model, every)
    if populations.refuses(model) is None:
        N = max(float(np.max(getattr(s, "numbers", 1))) for s in model.subsystems)
        states = (N / 2 + 1) ** 2
        if states <= CHEAP_POPULATIONS:
            return Exact(), f"exact: the {states:.0f} populations p(J, M) are closed and few"
    elements = density_elements(model)
    if elements <= CHEAP_ELEMENTS:
        return Exact(), f"exact: the density matrix has at most {elements:.0f} elements"
    size = f"{elements:.1e} elements" if np.isfinite(elements) else "no limit known beforehand"
    costly = f"the density matrix is too large to be cheap ({size})"
    verdict = GeneralizedP.applies(given, times)
    if verdict and not any(inexact(op) for op in ops.values()):
        why = (
            f"generalised P-function: {costly}, and sampling is exact at any size: {verdict.reason}"
        )
        return GeneralizedP(), why
    reason = verdict.reason if not verdict else "an observable is not exact in it"
    return TWA(), f"truncated Wigner approximation: {costly}, and {reason}"
