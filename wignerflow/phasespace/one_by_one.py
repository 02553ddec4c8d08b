"""Jumps that act on the members of one subsystem one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.model import Jump
from ..model.normal import Site
from ..model.operators import ArrayOp
from ..model.subsystems import Subsystem

Weights = NDArray[np.complex128]


def one_by_one(jump: Jump) -> tuple[Subsystem, dict[str, Weights]] | None:
    """The subsystem and, by word on one member ("" for the identity), weights of shape (size,).

    Zero for members on which the jump does not act; None for any other jump: one with a matrix of
    rates or time coefficients, of several members at once, or of several subsystems.
    """
    subs = jump.op.subsystems
    if len(subs) != 1 or jump.matrix is not None:
        return None
    (sub,) = subs
    out: dict[str, Weights] = {}

    def add(word: str, m: int | slice, c: complex | Weights) -> None:
        out.setdefault(word, np.zeros(sub.size, complex))[m] += c

    if isinstance(jump.op, ArrayOp):
        for word, weights in jump.op.terms.items():
            add(word[0][1] if word else "", slice(None), weights)
        return sub, out
    if jump.op.coefficients:
        return None
    constant, members = 0j, set()
    for (_, factors), c in jump.op.terms.items():
        if not factors:
            constant += c
        elif len(factors) == 1 and isinstance(factors[0], Site):
            add(factors[0].word, factors[0].m, c)
            members.add(factors[0].m)
        else:
            return None
    if len(members) != 1:
        return None
    if constant:
        add("", members.pop(), constant)
    return sub, out
