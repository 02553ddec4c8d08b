"""What a method is off by at smaller sizes of a model, and how that falls up to the model itself.

One loop serves means over time, steady states and correlations: ``deviations``. Models are made
smaller by ``smaller``: in N, lengths, quanta, or members of arrays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..method import Method
from ..model.mode_states import Squeezed
from ..model.model import Model
from ..model.subsystems import Mode
from ..result.accuracy import Errors, widened
from .provenance import NotPlain, write_call
from .smaller import LONG, Shorter, length, shrunk

FIRST = 0.8  # of the time that is left is for the way, or the size, that comes next
SIZES = (24, 16, 12, 8, 6, 4, 3, 2)  # emitters or quanta of a smaller one
APART = 1.6  # two of them, at least
FRACTIONS = (0.5, 0.25)  # likewise, of modes that hold few quanta
POWER = 1.0  # with which an error falls with the size, at most
FEWEST = 2  # emitters or quanta, from which errors follow a power at all
TRUSTED, LEAST = 8, 0.5  # a size from which on a power is as it was found, and below it at least
#: What estimates from smaller models are multiplied by, so that true errors stay below: chosen on
#: the families of the atlas that are not held out. Of methods with sampling errors, which hide
#: small ones; of others.
SAMPLED, CERTAIN = 2.0, 3.0
MISSED = 0.5  # of an observable's scale: a method that finds less misses it
MEMBERS = (6, 5, 4, 3, 2)  # of an array that is made shorter
ARRAY = 6  # members of a model that is made smaller, at most


@dataclass(frozen=True)
class Smaller:
    """A model of a smaller size.

    Attributes:
        call: model, observables and method, as plain data.
        size, whole: its size, and that of the model itself.
        falls: deviations fall up to it.
        shorter: of an array with fewer members.
    """

    call: dict[str, Any]
    size: float
    whole: float
    falls: bool
    shorter: bool


@dataclass(frozen=True)
class Deviation:
    """What a method is off by at a smaller size, in units of the scale there, by name.

    ``scales``: of the exact values and of the method's there.
    """

    at: Smaller
    values: Errors
    noise: Errors = field(default_factory=dict)
    scales: dict[str, tuple[float, float]] = field(default_factory=dict)


def deviations(
    model: Model,
    named: Mapping[str, Any],
    method: Method,
    times: NDArray[np.float64],
    until: float,
    judged: Callable[[Smaller, float], Deviation | None],
) -> list[Deviation]:
    """Deviations at up to two smaller sizes, the larger first.

    Args:
        model, named, method: whose.
        times: where callable coefficients are tabulated.
        until: when to stop (``time.process_time``).
        judged: the deviation at a size, found until then; None where it cannot be had.
    """
    if model.links:
        return []
    try:
        call = write_call(model, named, method, times)
    except NotPlain:
        return []
    now = time.process_time()
    end = now + FIRST * (until - now)
    found: list[Deviation] = []
    for small in _made(call, model):
        if found and small.size > found[0].at.size / APART:
            continue
        if len(found) == 2 or time.process_time() > end:
            break
        deviation = judged(small, end)
        if deviation is not None:
            found.append(deviation)
            end = until
    return found


def _made(call: dict[str, Any], model: Model) -> Any:
    """Smaller models, the largest first."""
    members = length(call)
    if members > LONG:
        for m in MEMBERS:
            try:
                made = Shorter(call, members, m)
            except (KeyError, ValueError):  # products of pairs as observables, rings of two
                continue
            yield Smaller(made.call, float(m), float(members), made.wide, True)
        return
    size = size_of(model)
    if sum(sub.size for sub in model.subsystems) > ARRAY:
        return
    for some in sizes_below(model, size):
        smaller = shrunk(call, some / (size or 1.0))
        if smaller is not None:
            yield Smaller(smaller, some, size or 1.0, True, False)


def size_of(model: Model) -> float:
    """Emitters of the largest subsystem; without any, quanta of the largest coherent state."""
    sizes = [0.0]
    for sub in model.subsystems:
        for key, unit in (("numbers", 1.0), ("lengths", 2.0)):
            if hasattr(sub, key):
                sizes.append(unit * float(np.max(getattr(sub, key))))
    if max(sizes) == 0.0:
        states = [s for v in model.initial.values() for s in v if not isinstance(s, Squeezed)]
        sizes += [float(getattr(s, "quanta", 0.0)) for s in states]
    return max(sizes)


def few_quanta(model: Model) -> bool:
    """Modes alone, that begin with as many quanta as a small model has, or fewer."""
    modes = all(isinstance(sub, Mode) for sub in model.subsystems)
    return modes and size_of(model) <= SIZES[-1]


def sizes_below(model: Model, size: float) -> list[float]:
    """Sizes of smaller models, largest first: of modes alone any, in units of 1 from the vacuum."""
    if few_quanta(model):
        return [f * (size or 1.0) for f in FRACTIONS]
    return [float(s) for s in SIZES if s < size]


def followed(found: list[Deviation], name: str) -> NDArray[np.float64]:
    """The deviation of an observable at the whole size in units of its scale, from smaller sizes.

    One of a method without sampling that misses most of an observable need not fall: mean field may
    stay where it starts at every size.
    """
    errors = [float(np.sqrt(np.mean(d.values[name] ** 2))) for d in found]
    noise = max(float(np.sqrt(np.mean(d.noise[name] ** 2))) for d in found)
    seen = errors if errors[0] > noise else errors[:1]
    error = widened(found[0].values[name])
    if noise == 0 and error.max(initial=0.0) > MISSED:
        return error
    return error * fall(found, seen)


def unseen_scale(found: list[Deviation], name: str) -> float:
    """The scale of an observable of which a method misses most: n of a laser that stays dark.

    As a power of the size, the one between two sizes, or 1; zero where a method sees its scale.
    """
    exact, own = found[0].scales[name]
    if own > MISSED * exact:
        return 0.0
    power = 1.0
    if len(found) == 2 and found[1].scales[name][0] > 0:
        ratio = exact / found[1].scales[name][0]
        power = float(np.log(ratio) / np.log(found[0].at.size / found[1].at.size))
    return float(exact * (found[0].at.whole / found[0].at.size) ** np.clip(power, 0.0, 2.0))


def fall(found: list[Deviation], errors: list[float]) -> float:
    """By how much an error at the first of two sizes falls up to the whole one.

    As a power of the size between 0 and 1, the one between both where each has an error. Between a
    few emitters and fewer the error may rise before it falls: there the power is at least 1/2. From
    a few quanta on there is no telling.
    """
    first = found[0].at
    if first.size < FEWEST or not first.falls:
        return 1.0
    power = POWER
    if len(errors) == 2 and min(errors) > 0:
        power = float(np.log(errors[1] / errors[0]) / np.log(first.size / found[1].at.size))
    least = 0.0 if first.size >= TRUSTED else LEAST
    return float((first.size / first.whole) ** np.clip(power, least, POWER))


def spelt(found: list[Deviation], what: str) -> str:
    """What an estimate rests on."""
    sizes = " and ".join(f"{d.at.size:g}" for d in found)
    return f"{what} at sizes {sizes}, continued to {found[0].at.whole:g}"
