"""What the stated errors of a result say about it, and the warning where a method is off."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..observables import Plan, assemble
from ..run.statistics import BATCHES, Samples
from ..run.stopping import Target, worst

SHARE = 0.05  # of an observable's scale
SAMPLING = 3.0  # standard errors
BY_THE_METHOD = "by the method itself"


class AccuracyWarning(UserWarning):
    """A method's own error is estimated above 5 % of an observable and above 3 standard errors."""


@contextmanager
def one_warning() -> Iterator[None]:
    """Of all :class:`AccuracyWarning` inside one is left, and says how many there were."""
    mine: list[Any] = []
    show = warnings.showwarning

    def keep(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, AccuracyWarning):
            mine.append(message)
        else:
            show(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", AccuracyWarning)
        warnings.showwarning = keep  # type: ignore[assignment]
        yield
    if mine:
        more = f" ({len(mine) - 1} more runs are off likewise.)" if len(mine) > 1 else ""
        _check.warn(f"{mine[0]}{more}", AccuracyWarning)


def scale(value: NDArray[Any], steady: bool = False) -> float:
    """The larger of max |O| and max - min over the outputs; in a steady state |O|."""
    size = np.abs(value[np.isfinite(value)])
    if not size.size:
        return 0.0
    if steady:
        return float(size.max())
    span = max(float(np.ptp(p[np.isfinite(p)])) for p in (np.real(value), np.imag(value)))
    return max(float(size.max()), span)


def inaccurate(
    expect: Mapping[str, Any],
    sem: Mapping[str, Any],
    truncation: Mapping[str, Any],
    times: NDArray[np.float64] | None = None,
    axis: str = "t",
) -> str | None:
    """The message of an :class:`AccuracyWarning`, or None; of the worst observable.

    Args:
        expect, sem, truncation: by name, (T,) or (T, V), or of a steady state () or (V,).
        times: (T,); None in a steady state.
        axis: what ``times`` are.
    """
    worst: tuple[float, str] | None = None
    for name in expect:
        value, error = np.asarray(expect[name]), np.abs(np.asarray(sem[name]))
        own = np.asarray(truncation[name])
        size = scale(value, times is None) or float(np.nanmax(own, initial=0.0))
        if size <= 0:
            continue
        excess = np.where(np.isfinite(own), own, 0.0) * (own > SAMPLING * error)
        k = np.unravel_index(int(np.argmax(excess)), excess.shape) if excess.ndim else ()
        share = float(excess[k]) / size
        if share > SHARE and (worst is None or share > worst[0]):
            where = "" if times is None else f" at {axis} = {times[k[0]]:.4g}"
            worst = (
                share,
                f"{name!r}{where} is off by about {float(own[k]):.2g} ({share:.0%} of its scale) "
                f"{BY_THE_METHOD}, beyond its sampling error; see `result.truncation`, and "
                "compare with an exact method or another form.",
            )
    return None if worst is None else worst[1]


SHORT_WARNING = 0.05
NEGATIVE_WARNING = 0.02
ROUNDING_STEPS = 5_000_000


def negative_noise(stats: Mapping[str, Any]) -> list[str]:
    """A warning where nonlinear jumps of modes ask for negative noise."""
    share = stats.get("clipped", 0.0)
    if share <= NEGATIVE_WARNING:
        return []
    return [
        f"The noise of nonlinear jumps was negative, and taken as zero, in {share:.0%} of the "
        "steps: near the vacuum of a mode no noise is right, and quanta are added that are not "
        "there. Compare with an exact method."
    ]


def diagnose(stats: Mapping[str, Any], samples: Samples, stochastic: bool) -> list[str]:
    """Plain warnings about a run; of one that is not ``stochastic``, only about its steps."""
    out = []
    if samples.failed and stochastic:
        out.append(
            f"{samples.failed} of {samples.ntraj} trajectories became non-finite and "
            "were left out from then on."
        )
    if not stats.get("step_met", True):
        out.append(
            "No step was found whose error stays below the sampling error; `step_error` says what "
            "is left of it."
        )
    if stats.get("precision") == "single" and stats.get("steps", 0) > ROUNDING_STEPS:
        out.append(
            f"{stats['steps']:.2g} steps in single precision: their rounding adds up, to about "
            "0.001 of the size of an observable; take precision='double'."
        )
    if stats.get("short_spins", 0) > SHORT_WARNING and stochastic:
        out.append(
            f"Up to {stats['short_spins']:.0%} of the spins have a length of order one, where "
            "the truncated Wigner approximation is not controlled: compare with an exact method at "
            "smaller N."
        )
    return out


def missed(plan: Plan, target: Mapping[str, Target], samples: Samples) -> str | None:
    """What to say of a run that ended before its target."""
    mean, sem, _ = assemble(plan, samples)
    name, ratio = worst(target, mean, sem)
    if not 1 < ratio < np.inf:
        return None
    needed = float(f"{samples.ntraj * ratio**2:.1e}")
    return (
        f"target_sem was not reached: the standard error of {name!r} is {ratio:.2g} times what was "
        f"asked for. About {needed:.2g} trajectories reach it; leave `ntraj` out."
    )


def few_for_derived(plan: Plan, ntraj: int) -> list[str]:
    """A warning where derived observables rest on fewer trajectories than two per batch."""
    names = [repr(o.name) for o in plan.observables if o.rule is not None and not o.rule.linear]
    if not names or ntraj >= 2 * BATCHES:
        return []
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return [
        f"{shown}: a function of means, whose value and error mean little from {ntraj} "
        f"trajectories; use `ntraj` of at least {2 * BATCHES} (two in each of {BATCHES} batches)."
    ]


UNSEEN = 2.0  # sampling errors that are taken off a difference to what is not exact, in squares
LENT = 1 / 3  # of the largest error, stated at all times

Errors = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Found:
    """Estimated errors by name, and what they rest on.

    ``unsure``: names whose reference is not sure of itself: another one is asked for them.
    """

    errors: Errors
    basis: str
    unsure: frozenset[str] = frozenset()

    def settled(self, other: Found) -> Found:
        """This, with what another reference says of names that are unsure, or unknown, here."""
        ask = [
            n
            for n in sorted(self.unsure)
            if np.all(np.isfinite(other.errors[n]))
            and (n not in other.unsure or np.all(np.isnan(self.errors[n])))
        ]
        if not ask:
            return self
        basis = other.basis
        if len(ask) < len(self.errors):
            basis = f"{self.basis}; of {', '.join(ask)}: {other.basis}"
        errors = {n: other.errors[n] if n in ask else e for n, e in self.errors.items()}
        return Found(errors, basis, (self.unsure - set(ask)) | (other.unsure & set(ask)))


def distance(value: NDArray[Any], other: NDArray[Any], noise: NDArray[Any]) -> NDArray[np.float64]:
    """|value - other|, less ``noise`` in squares."""
    return np.sqrt(np.maximum(np.abs(value - other) ** 2 - noise**2, 0.0))


def apart(result: Any, other: Mapping[str, NDArray[Any]], unseen: float = 1.0) -> Errors:
    """|method - other| without what sampling makes of it, by name."""
    return {
        name: distance(value, other[name], unseen * np.abs(result.sem[name]))
        for name, value in result.expect.items()
    }


def widened(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Errors over time, lent to neighbouring outputs, and a third of the largest everywhere.

    Sizes and methods shift what happens in time, and an error passes through zero.
    """
    out = np.maximum(error, error.max(axis=0, initial=0.0) * LENT)
    out[1:], out[:-1] = np.maximum(out[1:], error[:-1]), np.maximum(out[:-1], error[1:])
    return out


class PlanColumns:
    """Every real number that a user sees at one time, one after the other: where errors are judged.

    Args:
        plan: of the observables.
        target: standard errors asked for, by name.
        averaged: makes averages in values (..., K) of all channels; None: there are none.
    """

    def __init__(
        self,
        plan: Plan,
        target: Mapping[str, Target],
        averaged: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ):
        self.plan, self.target, self.slots, self.averaged = plan, target, plan.slots, averaged
        self.asks = bool(target)
        #: By name: where its columns stand, whether it has one value per time, and is complex.
        self.places: dict[str, tuple[slice, bool, bool]] = {}

    def read(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (..., T, Q) from the means of all channels (..., T, K)."""
        lead, at = means.shape[:-1], 0
        if self.averaged is not None:
            means = self.averaged(means)
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
