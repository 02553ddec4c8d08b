"""What the cumulant expansion cannot treat, and the memory that it needs."""

from __future__ import annotations

from math import prod

import numpy as np

from ..model.model import LocalJump, Model
from ..model.normal import CoupleNode, Factor, Site, SumNode, array_size
from ..model.op import Op
from ..model.operators import ArrayOp
from .algebra import count
from .closure import MAX_DEGREE
from .clusters import LIMIT
from .generator import Family
from .variables import KINDS, Variables

#: Default limit of memory in bytes.
MEMORY = 4e9
#: For a map of the generator and a pair of basic operators on its sites, while equations are made;
#: and for every term of them.
SECONDS_PER_PAIR, SECONDS_PER_TERM = 3e-5, 9e-7
#: Seconds from which that is announced before the run itself, and within which equations are
#: written out where only an estimate is asked for.
WORTH_SAYING, SOON = 1.0, 10.0
#: Seconds per moment and time, for reading out.
PER_OUTPUT = 2e-8
#: Vectors and matrices of the size of the state that the integrator holds.
COPIES = 25


class TooLarge(ValueError):
    """The moment equations do not fit into the allowed memory."""


def too_large(need: float, memory: float) -> TooLarge:
    """The error that says how much memory is needed."""
    return TooLarge(
        f"The moment equations need at least {need / 1e9:.3g} GB, but {memory / 1e9:.3g} GB are "
        "allowed; raise `memory`, use fewer array members, or take wf.TWA()."
    )


def needed(variables: Variables) -> float:
    """Bytes for the moments alone; the equations come on top."""
    return COPIES * 8.0 * variables.size**2


def derivation_time(terms: list[Family]) -> float:
    """Seconds in which the equations are written out, roughly."""
    pairs = 0.0
    for family in terms:
        letters = sum(count(kind) for kind in family.kinds)
        pairs += len(family.words) * letters**2
    return SECONDS_PER_PAIR * pairs


def why_not(model: Model) -> str | None:
    """Why the moment equations of a model cannot be written out; None if they can."""
    for sub in model.subsystems:
        if sub.kind not in (*KINDS, "levels"):
            return f"it knows no subsystems of the kind of {sub.name!r}, {sub.kind!r}"
    reason = _operator("H", model.H, 1)
    for k, jump in enumerate(model.jumps):
        if reason is None and not isinstance(jump, LocalJump):
            reason = _operator(f"jumps[{k}]", jump.op, 2)
    return reason


def _operator(where: str, op: Op | ArrayOp, power: int) -> str | None:
    """``power`` 2 for a jump L, which enters as L^+ L."""
    forms = [(f,) for f in op.terms] if isinstance(op, ArrayOp) else [f for _, f in op.terms]
    for factors in forms:
        degree = power * sum(_degree(f) for f in factors)
        if degree >= MAX_DEGREE:
            what = "enters as a product" if power == 1 else "enters squared, as a product"
            return (
                f"{where} {what} of {degree} operators, and means are closed for fewer than "
                f"{MAX_DEGREE}"
            )
    if isinstance(op, Op):
        terms = sum(prod(_entries(f) for f in factors) for _, factors in op.terms)
        if float(terms) ** power > LIMIT:
            return (
                f"{where} has {float(terms) ** power:.2g} terms when its sums over arrays are "
                f"multiplied out (limit {LIMIT:.2g})"
            )
    return None


def _degree(f: object) -> int:
    if isinstance(f, Site):
        return len(f.word)
    if isinstance(f, SumNode):
        return sum(len(w) for _, w in f.word)
    if isinstance(f, CoupleNode):
        return sum(len(w) for _, w in f.left + f.right)
    assert isinstance(f, tuple)  # a word per subsystem
    return sum(len(w) for _, w in f)


def _entries(f: Factor) -> int:
    if isinstance(f, Site):
        return 1
    if isinstance(f, SumNode):
        return int(np.count_nonzero(f.weights))
    return f.coupling.entries(array_size(f.left))
