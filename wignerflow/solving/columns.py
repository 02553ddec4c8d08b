"""A plan's observables as real columns, and averages over exact symmetries.

The error of a step is judged in the columns; operators are averaged before a run, entries of arrays
after it.
"""

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
from ..run.stopping import Target

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
        arrays = any(sub.count is not None for sub in model.subsystems)
        if not arrays or not getattr(engine, "equivariant", False) or not engine.stochastic:
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


class PlanColumns:
    """Every real number that a user sees at one time, one after the other.

    Args:
        plan: of the observables.
        target: standard errors asked for, by name.
        equal: channels that are averaged.
    """

    def __init__(self, plan: Plan, target: Mapping[str, Target], equal: Equal = NOTHING):
        self.plan, self.target, self.slots, self.equal = plan, target, plan.slots, equal
        self.asks = bool(target)
        #: By name: where its columns stand, whether it has one value per time, and is complex.
        self.places: dict[str, tuple[slice, bool, bool]] = {}

    def read(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (..., T, Q) from the means of all channels (..., T, K)."""
        lead, at = means.shape[:-1], 0
        means = self.equal.channels(means)
        parts: list[NDArray[np.float64]] = []
        for name, value in self.plan.values(means).items():
            single, is_complex = value.ndim == len(lead), np.iscomplexobj(value)
            flat = value.reshape((*lead, -1))
            own = [flat.real, flat.imag] if is_complex else [flat]
            width = sum(x.shape[-1] for x in own)
            self.places[name] = slice(at, at + width), single, is_complex
            at += width
            parts += own
        return np.nan_to_num(np.concatenate(parts, axis=-1), posinf=0.0, neginf=0.0)

    def allowed(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """The standard error asked for, (Q,), infinite where none is; ``mean`` is (T, Q)."""
        out = np.full(mean.shape[1], np.inf)
        for name, target in self.target.items():
            span = self.places[name][0]
            out[span] = target.limit(mean[:, span])
        return np.where(out > 0, out, np.inf)

    def needed(self, nets: NDArray[np.float64], each: int) -> float:
        """Trajectories that the target needs, from means of nets (nets, T, K) of ``each``.

        Infinity without a target.
        """
        mean = self.read(nets.mean(axis=0))
        asked = self.allowed(mean)
        if not np.any(np.isfinite(asked)):
            return float("inf")
        n = len(nets)
        less = self.read((nets.sum(axis=0) - nets) / (n - 1))
        error = np.sqrt(n - 1.0) * less.std(axis=0).max(axis=0, initial=0.0)
        return float(n * each * ((error / asked) ** 2).max(initial=0.0))

    def gains(self, gain: NDArray[np.float64]) -> dict[str, float]:
        """By name, the least of gains of channels (K,), of observables that are no functions."""
        out = {}
        for o in self.plan.observables:
            if o.rule is None:
                own = gain[self.slots[o.inputs[""]].span]
                if np.any(np.isfinite(own)):
                    out[o.name] = float(np.nanmin(own))
        return out

    def split(self, columns: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """By name, sizes of errors (T,) or (T, V) from (T, Q)."""
        out = {}
        for name, (span, single, is_complex) in self.places.items():
            value = columns[:, span]
            if is_complex:
                half = value.shape[1] // 2
                value = np.hypot(value[:, :half], value[:, half:])
            out[name] = value[:, 0] if single else value
        return out


def no_error(plan: Plan, times: int) -> dict[str, NDArray[np.float64]]:
    """Errors of zero, by name of observable."""
    return {o.name: np.zeros((times, *(len(v) for _, v in o.axes[:1]))) for o in plan.observables}
