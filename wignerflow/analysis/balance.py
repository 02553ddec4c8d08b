r"""What a model says of its light: an energy balance, and whether it has several ways.

What emitters lost on a single trajectory has left, or is under way:
where H conserves the number N of excitations and every jump lowers it by one,

.. math:: N(t) - N(0) + \int_0^t (|b_\mathrm{out}|^2 - |b_\mathrm{in}|^2)\,dt'
   + \text{under way} = 0

holds for every trajectory, up to the error of the step: noise that drives and noise that is
recorded are the same. It needs the output of every port where light leaves for good.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.model import Jump, Model
from ..model.op import Op
from ..model.operators import ArrayOp
from ..model.outputs import Output
from ..model.subsystems import Subsystem
from ..phasespace.channels import RECORDS

_NUMBERS = {"mode": ("n", 1.0), "ensemble": ("Jz", 1.0), "collective": ("Jz", 1.0)}
_NUMBERS["spin"] = ("sz", 0.5)


def _number(sub: Subsystem) -> Op:
    name, factor = _NUMBERS[sub.kind]
    op = getattr(sub, name)
    return factor * (op.sum() if isinstance(op, ArrayOp) else op)


def balanced(model: Model, outputs: Sequence[Output]) -> tuple[Op, list[int]] | None:
    """The number of excitations, and which outputs hold all that leaves; None: no balance."""
    if any(sub.kind not in _NUMBERS for sub in model.subsystems):
        return None
    total = Op()
    for sub in model.subsystems:
        total = total + _number(sub)
    ends = []
    for jump in model.given:
        if not isinstance(jump, Jump) or jump.input is not None or jump.matrix is not None:
            return None
        L = jump.op if isinstance(jump.op, Op) else jump.op.sum()
        if not (L * total - total * L - L).is_zero():
            return None
        members = range(jump.op.size) if isinstance(jump.op, ArrayOp) else [None]
        ends += [(jump, m) for m in members]
    H = model.H
    if not (H * total - total * H).is_zero() or any(x.transmission < 1 for x in model.links):
        return None
    inner = {link.source_key for link in model.links}
    places = {}
    for k, output in enumerate(outputs):
        ((key, c), *more) = output.terms.items()
        if not more and abs(abs(c) - 1) < 1e-12:
            places[key] = k
    wanted = [key for key in ends if key not in inner]
    if any(key not in places for key in wanted):
        return None
    return total, [places[key] for key in wanted]


def defect(
    values: NDArray[np.float64], ends: Sequence[int], under_way: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """What is missing on each trajectory, in photons: (chunks, 32).

    Args:
        values: records of all outputs at all times and the number of excitations, (chunks, T,
            K, 32).
        ends: outputs that hold all that leaves.
        under_way: photons on links at the end, (chunks, 32).
    """
    left = sum(values[:, 1:, RECORDS * k + 5].sum(axis=1) for k in ends)
    return np.asarray(values[:, -1, -1] - values[:, 0, -1] + left + under_way)


def several_ways(model: Model) -> bool:
    """Whether light may reach a place on several ways, of several lengths, or come back.

    What enters an output last may then have met emitters before whose light has left already:
    later inputs and earlier signals are correlated. Arrays count as one place.
    """
    if not model.links:
        return False
    from scipy.cluster.hierarchy import DisjointSet

    places = DisjointSet(model.subsystems)
    coupled = [{s for f in factors for s in f.subs} for _, factors in model.H.terms]
    for subs in [*coupled, *(jump.op.subsystems for jump in model.collective_jumps)]:
        for one, two in itertools.pairwise(subs):
            places.merge(one, two)
    ends = [(link.source_key[0], link.target_key[0]) for link in model.links]
    # a link between places that are one already is a second way
    return not all(places.merge(*(next(iter(jump.op.subsystems)) for jump in two)) for two in ends)
