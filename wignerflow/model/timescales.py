"""On what times coefficients vary, so that no method steps over a pulse between two outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .coefficients import Coef

Array = NDArray[np.float64]

#: Points at which a callable is looked at; what is narrower than their spacing may go unseen.
POINTS = 4096
#: Share of a coefficient that straight lines between the places where an integrator reads it at
#: least may miss; and the longest and shortest of its steps that follow from that.
MISSED, LONGEST, SHORTEST = 1e-3, 1 / 40, 1 / 1024
#: What counts as a jump: so much of the largest value within so much of the time; and how many
#: samples of a coefficient, or jumps, become nodes of their own.
JUMP, SHARP, BENDS = 0.02, 1e-12, 512
#: Noise is looked for every so many steps of an integrator, where they are shorter than this share
#: of the whole; at so many places, as changes of so much of the largest value that a thousandth of
#: a step brings about as well as a step.
EVERY, CREEP, PLACES, NOISY, FINER, SAME = 64, 1e-6, 16, 1e-4, 1e-3, 0.3
_GOLDEN = (np.sqrt(5) - 1) / 2


def profile(
    coef: Coef, start: float, stop: float, count: int = POINTS
) -> tuple[Array, NDArray[np.complex128]]:
    """Times from ``start`` to ``stop`` that show all of a coefficient, and its values there.

    Samples are taken as they are, a callable at points whose spacing is irregular, so that no
    period hides in it.
    """
    if coef.times is not None:
        inner = coef.times[(coef.times > start) & (coef.times < stop)]
        t = np.concatenate([[start], inner, [stop]])
    else:
        t = points(start, stop, count)
    return t, coef(t)


def points(start: float, stop: float, count: int = POINTS) -> Array:
    """Irregular times from ``start`` to ``stop``, both of them included, ascending."""
    k = np.arange(count + 1, dtype=float)
    k[1:-1] += 0.8 * (k[1:-1] * _GOLDEN % 1 - 0.5)
    return start + (stop - start) * (k / count)


def peak(coef: Coef, start: float, stop: float) -> float:
    """The largest magnitude of a coefficient between two times."""
    return float(np.abs(profile(coef, start, stop)[1]).max())


def breaks(coefs: Iterable[Coef], start: float, stop: float) -> Array:
    """Times between ``start`` and ``stop`` at which coefficients jump, and kinks of few samples.

    A jump is found where half of the change between two points stays in ever shorter intervals,
    which end ``SHARP`` of the time apart; both ends are returned.
    """
    out: list[float] = []
    shortest = SHARP * (stop - start)
    for coef in dict.fromkeys(coefs):
        t, values = profile(coef, start, stop)
        change, size = np.abs(np.diff(values)), float(np.abs(values).max())
        if coef.times is not None and t.size <= BENDS:
            out += t[1:-1].tolist()
        for k in np.flatnonzero(change > JUMP * size)[:BENDS]:
            ends, jump = [float(t[k]), float(t[k + 1])], float(change[k])
            while ends[1] - ends[0] > shortest and jump > change[k] / 2:
                middle = (ends[0] + ends[1]) / 2
                low, mid, high = coef(np.array([ends[0], middle, ends[1]]))
                left = abs(mid - low) > abs(high - mid)
                ends = [ends[0], middle] if left else [middle, ends[1]]
                jump = float(max(abs(mid - low), abs(high - mid)))
            if jump > change[k] / 2:
                out += ends
    times = np.unique(np.array(out, float))
    return times[(times > start + shortest) & (times < stop - shortest)]


def visible_step(
    coefs: Iterable[Coef], start: float, stop: float, share: float
) -> tuple[float, Coef | None]:
    r"""The longest step at which steps of constant coefficients still look like the coefficients.

    That is, for the value :math:`c_h` in the middle of every step of length h,

    .. math:: \int |c - c_h|\,dt \le \text{share} \cdot \int |c|\,dt.

    h is the time from start to stop divided by a power of two. Also returns a callable that varies
    too fast for the points at which it was looked at, or None.
    """
    step, fast = stop - start, None
    for coef in dict.fromkeys(coefs):
        for count in (POINTS, 16 * POINTS):
            found = _visible(coef, start, stop, share, count, _constant)
            if coef.times is not None or found > (stop - start) / count:
                break
        else:
            fast = coef
        step = min(step, found)
    return step, fast


def reading_step(coefs: Iterable[Coef], start: float, stop: float, reads: int) -> float:
    r"""The longest step with which an integrator steps over no feature of a coefficient.

    It reads coefficients at ``reads`` places of a step at least. Straight lines :math:`l` between
    them miss so little of every coefficient that :math:`\int |c - l|\,dt \le 0.001 \int |c|\,dt`.
    """
    whole = stop - start
    steps = [_visible(c, start, stop, MISSED, POINTS, _lines) for c in dict.fromkeys(coefs)]
    return max(SHORTEST * whole, min([LONGEST * whole, *(reads * h for h in steps)]))


Shape = Callable[[Array], NDArray[np.complex128]]


def _constant(at: Shape, middle: Array, start: float, step: float) -> NDArray[np.complex128]:
    """The values in the middles of steps."""
    return at(start + (np.floor((middle - start) / step) + 0.5) * step)


def _lines(at: Shape, middle: Array, start: float, step: float) -> NDArray[np.complex128]:
    """Straight lines between the values at the ends of steps."""
    before = np.floor((middle - start) / step)
    x = (middle - start) / step - before
    return (1 - x) * at(start + before * step) + x * at(start + (before + 1) * step)


def _visible(
    coef: Coef, start: float, stop: float, share: float, count: int, stand_in: Callable[..., Any]
) -> float:
    t, values = profile(coef, start, stop, count)
    fine = np.union1d(t, points(start, stop, count)) if coef.times is not None else t
    middle, width = (fine[1:] + fine[:-1]) / 2, np.diff(fine)

    def at(when: Array) -> NDArray[np.complex128]:
        return np.interp(when, t, values.real) + 1j * np.interp(when, t, values.imag)

    c, step = at(middle), stop - start
    allowed = share * float(width @ np.abs(c))
    while step > (stop - start) / 2**20:
        if float(width @ np.abs(c - stand_in(at, middle, start, step))) <= allowed:
            break
        step /= 2
    return step


class Looks:
    """Looks out for coefficients that are noise, while an integrator takes steps.

    Args:
        coefs: coefficients; samples are no noise.
        start: the time at first.
        span: the whole time.
    """

    def __init__(self, coefs: Iterable[Coef], start: float, span: float):
        self.coefs = [c for c in dict.fromkeys(coefs) if c.function is not None]
        self.mark, self.least = start, CREEP * EVERY * span

    def look(self, steps: int, t: float) -> None:
        """So many steps have led to time t.

        Raises:
            ValueError: they are short, since a coefficient is noise here.
        """
        if steps % EVERY or not self.coefs:
            return
        begin, self.mark = self.mark, t
        if t - begin > self.least:
            return
        for coef in self.coefs:
            if is_noise(coef, begin, t):
                must = "be smooth, piecewise, for this method to follow it"
                was = _check.Note(f"noise near t = {t:.4g} ({coef!r})")
                hint = "Give samples instead: `wf.coef(values, times)`."
                _check.fail("function", must, was, hint)


def is_noise(coef: Coef, start: float, stop: float) -> bool:
    """Whether a coefficient changes in no time by about as much as in a step of ``EVERY``."""
    at = points(start, stop, PLACES)
    step = (stop - start) / EVERY * (0.5 + np.arange(at.size) * _GOLDEN % 1)
    least = 1e2 * np.finfo(float).eps * max(abs(start), abs(stop))
    if FINER * float(step.min()) < least:
        return False
    values = coef(at)
    far, near = (float(np.median(np.abs(coef(at + d) - values))) for d in (step, FINER * step))
    return near > NOISY * float(np.abs(values).max()) and near > SAME * far
