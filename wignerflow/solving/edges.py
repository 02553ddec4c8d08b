r"""What the Fock states that an exact solution leaves out may change.

A mode with the share p of its population in the highest states that are kept moves the density
matrix by about p, and so an observable O by at most :math:`p\,\lVert O\rVert`, the norm taken
among the states that are kept: d^{1/2} for every a or a^+ of d Fock states, N/2 for every J.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.normal import CoupleNode, Site, SumNode
from ..model.operators import ArrayOp, Op
from ..model.products import PairProducts
from ..model.subsystems import Mode
from ..result import Result
from ..result.accuracy import scale
from .problem import Problem

SEEN = 1e-12  # population at an edge below which it is rounding


def edge_errors(problem: Problem, result: Result) -> dict[str, NDArray[np.float64]]:
    """By name, what is lost at the edges of modes; zeros without any."""
    edges: Mapping[str, float] = result.stats.get("edge", {})
    lost = float(sum(e for e in edges.values() if e > SEEN))
    cutoffs = result.stats.get("cutoffs", {})
    out = {}
    for o in problem.plan.observables:
        value = np.asarray(result.expect[o.name])
        size: Any = 0.0
        if lost and o.rule is None:
            size = _norm(problem.base[o.inputs[""]], cutoffs)
        elif lost:  # a function of means: each of them by its share of its norm, about
            size = max(cutoffs.values()) * scale(value)
        out[o.name] = np.broadcast_to(lost * size, value.shape).astype(float)
    return out


def _norm(op: Op | ArrayOp | PairProducts, cutoffs: Mapping[str, int]) -> Any:
    """A bound on the norm of an operator, or of every member of an array."""
    if isinstance(op, PairProducts):
        return op.op.size * float(np.max(_norm(op.op, cutoffs))) ** 2
    if isinstance(op, ArrayOp):
        each = np.zeros(op.size)
        for word, w in op.terms.items():
            each = each + np.abs(w) * _words(word, cutoffs)
        return each
    total = 0.0
    for (_, factors), c in op.terms.items():
        size = abs(complex(c))
        for f in factors:
            if isinstance(f, Site):
                size *= _word(f.sub, f.m, f.word, cutoffs)
            elif isinstance(f, SumNode):
                size *= float(np.abs(f.weights).sum()) * _words(f.word, cutoffs)
            else:
                assert isinstance(f, CoupleNode)
                matrix = getattr(f.coupling, "csr", None)
                pairs = f.left[0][0].size ** 2 if matrix is None else np.abs(matrix).sum()
                size *= float(pairs) * _words(f.left, cutoffs) * _words(f.right, cutoffs)
        total += size
    return total


def _words(word: Any, cutoffs: Mapping[str, int]) -> float:
    return float(np.prod([_word(sub, None, letters, cutoffs) for sub, letters in word]))


def _word(sub: Any, m: int | None, letters: str, cutoffs: Mapping[str, int]) -> float:
    if isinstance(sub, Mode):
        own = [sub.name if sub.count is None else f"{sub.name}[{k}]" for k in range(sub.size)]
        dims = [cutoffs.get(name, 1) for name in (own if m is None else own[m : m + 1])]
        return float(max(dims)) ** (len(letters) / 2)
    lengths = getattr(sub, "numbers", None)
    if lengths is None:
        lengths = 2 * np.asarray(getattr(sub, "lengths", 1.0))
        if sub.kind == "spin":
            return 1.0
    return float(np.max(lengths) / 2) ** len(letters)
