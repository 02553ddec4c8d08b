"""What the stated errors of a result say about it, and the warning where a method is off."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check

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
