"""Averages over exact symmetries: of operators before a run, of entries of arrays after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.symmetry import averaged, symmetries
from ..observables import Plan
from ..run.statistics import BATCHES, Samples

MEMORY = 2**26  # bytes of batch sums that entries of arrays may take


@dataclass(frozen=True)
class Equal:
    """Channels of equal means, which are averaged.

    Attributes:
        groups: by channel, the number of what it is averaged with, (K,); empty: nothing is.
    """

    groups: NDArray[np.int64]

    def channels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Averages in values (..., K)."""
        if not self.groups.size:
            return values
        sums = np.zeros((*values.shape[:-1], int(self.groups.max()) + 1), values.dtype)
        at: Any = (..., self.groups)
        np.add.at(sums, at, values)
        out: NDArray[Any] = (sums / np.bincount(self.groups))[..., self.groups]
        return out

    @property
    def changed(self) -> NDArray[np.int64]:
        """Channels that are averaged with others, ascending."""
        return np.flatnonzero(np.bincount(self.groups)[self.groups] > 1)

    def samples(self, samples: Samples) -> Samples:
        """Sums of averages. Their squared deviations follow from the spread of batches."""
        if not self.groups.size:
            return samples
        batch_sum = self._batches(samples)
        mean, m2 = self.channels(samples.mean), self.channels(samples.m2)
        out = replace(samples, mean=mean, m2=m2, batch_sum=batch_sum)
        if not samples.nets:
            here, n = self.changed, samples.count[:, None]
            error = replace(out, nets=True).sem()[:, np.searchsorted(samples.batched, here)]
            m2[:, here] = np.nan_to_num(error) ** 2 * n * (n - 1.0)
        return out

    def gains(self, samples: Samples, averaged: Samples) -> NDArray[np.float64]:
        """How many times more trajectories every channel would take without averages, (K,).

        From sums before and after: largest squared errors over time.
        """
        before, after = (s.m2[:, : self.groups.size].max(axis=0) for s in (samples, averaged))
        return np.divide(before, after, out=np.ones_like(before), where=after > 0)

    def _batches(self, samples: Samples) -> NDArray[np.float64]:
        whole = np.zeros((*samples.batch_sum.shape[:-1], self.groups.size))
        whole[..., samples.batched] = samples.batch_sum
        return self.channels(whole)[..., samples.batched]


NOTHING = Equal(np.zeros(0, np.int64))


@dataclass(frozen=True)
class Symmetrized:
    """Base operators of the same means, what is averaged after a run, and a note on it."""

    base: Mapping[str, Op | ArrayOp]
    equal: Equal = NOTHING
    note: str | None = None

    @staticmethod
    def of(
        model: Model, base: Mapping[str, Op | ArrayOp], plan: Plan, engine: Any, times: int
    ) -> Symmetrized:
        """What the symmetries of a model allow."""
        same = Symmetrized(base)
        if not getattr(engine, "equivariant", False) or not engine.stochastic:
            return same
        found = symmetries(model)
        operators, labels = averaged(base, found)
        if any(engine.refuses(model, {k: op}) for k, op in operators.items() if op is not base[k]):
            operators = dict(base)
        if 8 * times * BATCHES * plan.channels > MEMORY:
            labels = {}
        if not labels and all(op is base[k] for k, op in operators.items()):
            return same
        names = {
            f"{s.kind} of {' and '.join(sorted(model.names[a] for a in s.arrays))}" for s in found
        }
        note = f"Means are averaged over exact symmetries: {', '.join(sorted(names))}."
        return Symmetrized(operators, _equal(plan, labels), note)


def equal_members(model: Model) -> dict[int, bool]:
    """By size, whether members of arrays of that size stand in a ring; else any are exchanged.

    Of sizes whose arrays have all members equal, as two are that the mirror exchanges.
    """
    out = {}
    for size in {sub.size for sub in model.subsystems if sub.count is not None}:
        own = frozenset(s for s in model.subsystems if s.count is not None and s.size == size)
        for found in symmetries(model):
            alike = found.kind in ("translation", "permutation") or (size == 2 and found.mirror)
            if found.arrays == own and alike:
                out[size] = found.kind == "translation"
    return out


def _equal(plan: Plan, labels: Mapping[str, NDArray[np.int64]]) -> Equal:
    if not labels:
        return NOTHING
    groups = np.arange(plan.channels)
    for key, slot in plan.slots.items():
        if key in labels:
            place = slot.span.start
            for part in range(2 if slot.is_complex else 1):
                first = place + part * labels[key].size
                groups[first : first + labels[key].size] = first + labels[key]
    return Equal(np.unique(groups, return_inverse=True)[1])
