"""Steps of runs with delayed links.

The vacuum that enters at ports, and that comes out of lines until light has crossed them, belongs
to steps, so that pairs of runs at a step and at half of it have the same noise there too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..kernels.grid import LEAST, Schedule
from ..kernels.module import KernelText
from .bounds import guess
from .pilot import Pilot, pilot_times

PARTS = 50  # of the shortest gap between delays, at most, that their common spacing is


def even(tlist: NDArray[np.float64]) -> bool:
    """Whether times are evenly spaced."""
    gaps = np.diff(tlist)
    return bool(np.ptp(gaps) <= 1e-9 * max(float(gaps.mean()), float(np.abs(tlist).max())))


def delayed_step(
    text: KernelText, tlist: NDArray[np.float64], dt: float | None
) -> tuple[float, int, str]:
    """The step with delayed links, how many of them make the run, and where outputs fall.

    It is even and no longer than a delay: ``dt``, or a step from the rates of all members
    together, or the next shorter one of which all delays are multiples, unless that is less than
    half as long. Where outputs are evenly spaced it is a part of their spacing (and the number is
    0), else outputs are interpolated between steps.
    """
    on_steps = even(tlist)
    gap = float(np.diff(tlist).mean()) if on_steps else float(tlist[-1] - tlist[0])
    links = text.system.links
    delays = np.array([link.delay for link in links])
    members = max(block.size for block in text.system.blocks)
    wanted = guess(text.system, tlist) / members if dt is None else dt
    first = max(1 if on_steps else LEAST, int(np.ceil(gap / min(wanted, gap) - 1e-9)))
    first = max(first, int(np.ceil(gap / float(delays.min()) - 1e-9)))
    tried = first + np.arange(min(first, 1000) + 1)
    rest = np.abs(np.outer(tried, delays) / gap % 1)
    multiple = np.all(np.minimum(rest, 1 - rest) < 1e-6, axis=1)
    number = int(tried[multiple][0]) if np.any(multiple) else first
    if not np.any(multiple):
        number = max(number, int(np.ceil(1.5 * gap / float(delays.min()) - 1e-9)))
    where = "a part of the output spacing" if on_steps else "outputs interpolated between steps"
    return gap / number, 0 if on_steps else number, f"{where}, no longer than a delay"


class DelayedPilot(Pilot):
    """Runs pairs of such steps."""

    powers = False  # some divide delays, others pass filters

    def plan(self, h: float) -> tuple[Schedule, float]:
        """See ``Pilot``."""
        step, number, _ = delayed_step(self.text, self.tlist, h)
        if number:
            return Schedule.of(self.tlist, number), step
        times = pilot_times(self.tlist, step)
        return Schedule(times, times), step


def even_times(
    start: float, later: NDArray[np.float64], steady: bool
) -> tuple[NDArray[np.float64], float]:
    """Even times, which delayed links need, among them a start and times later by delays.

    ``steady``: what holds from the start on holds later, so that it may be moved.

    Raises:
        ValueError: the times have no common spacing.
    """
    delays = np.unique(np.concatenate([[0.0], later]))
    for part in range(1, PARTS + 1):
        gap = float(np.diff(delays).min()) / part
        whole = np.append(delays, start) / gap
        if steady:
            whole[-1] = np.ceil(whole[-1] - 1e-9)
        if np.all(np.abs(whole - np.rint(whole)) < 1e-6):
            last = round(whole[-1]) + round(delays[-1] / gap)
            return gap * np.arange(last + 1), float(gap * round(whole[-1]))
    must = "be multiples of one spacing with delayed links, of which `t` is a multiple too"
    _check.fail("taus", must, later)
