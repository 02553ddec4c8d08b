"""Steps of runs with delayed links."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..kernels.module import KernelText
from .bounds import guess


def delayed_step(
    text: KernelText, tlist: NDArray[np.float64], dt: float | None
) -> tuple[float, str]:
    """The step with delayed links, and how it was found.

    It is even, a part of the output spacing and no longer than a delay: ``dt``, or a step from the
    rates of all members together, or the next shorter one of which all delays are multiples,
    unless that is less than half as long.

    Raises:
        ValueError: the output times are not evenly spaced.
    """
    gaps = np.diff(tlist)
    gap = float(gaps.mean())
    if np.ptp(gaps) > 1e-9 * max(gap, float(np.abs(tlist).max())):
        must = "be evenly spaced with delayed links, as np.linspace makes them"
        _check.fail("tlist", must, _check.Note(f"spaced by {gaps.min():.6g} to {gaps.max():.6g}"))
    links = text.system.links
    delays = np.array([link.delay for link in links])
    members = max(block.size for block in text.system.blocks)
    wanted = guess(text.system, tlist) / members if dt is None else dt
    first = max(1, int(np.ceil(gap / min(wanted, gap) - 1e-9)))
    first = max(first, int(np.ceil(gap / float(delays.min()) - 1e-9)))
    tried = first + np.arange(min(first, 1000) + 1)
    rest = np.abs(np.outer(tried, delays) / gap % 1)
    even = np.all(np.minimum(rest, 1 - rest) < 1e-6, axis=1)
    number = int(tried[even][0]) if np.any(even) else first
    if not np.any(even):
        number = max(number, int(np.ceil(1.5 * gap / float(delays.min()) - 1e-9)))
    note = "step from the rates and delays of links, not checked" if dt is None else "as given"
    return gap / number, f"{note}; a part of the output spacing, no longer than a delay"
