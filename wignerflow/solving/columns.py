"""A plan's observables as real columns, in which the error of a step is judged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..observables import Plan
from ..run.stopping import Target
from .symmetrized import NOTHING, Equal


class PlanColumns:
    """Every real number that a user sees at one time, one after the other.

    Args:
        plan: of the observables.
        target: standard errors asked for, by name.
        equal: channels that are averaged.
    """

    def __init__(self, plan: Plan, target: Mapping[str, Target], equal: Equal = NOTHING):
        self.plan, self.target, self.slots, self.equal = plan, target, plan.slots(), equal
        #: By name: where its columns stand, whether it has one value per time, and is complex.
        self.places: dict[str, tuple[slice, bool, bool]] = {}

    def read(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (..., T, Q) from the means of all channels (..., T, K)."""
        lead, at = means.shape[:-1], 0
        means = self.equal.channels(means)
        parts: list[NDArray[np.float64]] = []
        for o in self.plan.observables:
            inputs = {n: self.slots[k].read(means) for n, k in o.inputs.items()}
            value = np.asarray(inputs[""] if o.rule is None else o.rule.evaluate(inputs))
            single, is_complex = value.ndim == len(lead), np.iscomplexobj(value)
            flat = value.reshape((*lead, -1))
            own = [flat.real, flat.imag] if is_complex else [flat]
            width = sum(x.shape[-1] for x in own)
            self.places[o.name] = slice(at, at + width), single, is_complex
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
