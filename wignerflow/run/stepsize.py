"""Choice of the step: a pilot run at a step and at half of it, from coarse to fine.

The pilot's coarse noise is the sum of its fine noise, so the difference of the two runs is the step
error almost free of sampling error. Coarse steps are cheap to try, and their error is large enough
to be seen; from two that are seen the order follows, and with it the error of finer steps whose
difference drowns in sampling error. The search ends at the first step whose error, so bounded,
stays below a fraction of the standard error that the run will reach (or below what ``tol`` allows);
between it and its double, where the error was larger, a power of the step says which one just does.

Two steps that are far too long may agree by chance. So the means that observables are made of must
agree, too, and a step whose difference fell faster than any order allows must be borne out by its
half.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.grid import LEAST, MAX_STEPS, Grid, Schedule
from ..kernels.module import KernelText
from ..kernels.small_noise import suits
from ..phasespace.system import SMALL_NOISE
from .bounds import guess, varying
from .delays import DelayedPilot, delayed_step
from .net_pilot import NetPilot
from .nets import Declined
from .pilot import SIGNIFICANT, SURE, Level, Pilot, Wanted

COARSEST = 256  # times the first guess, where the search begins
LEVELS = 18  # steps that are tried
LONGER = 1.05  # times a step that passed, from which on a longer one is taken
#: Steps times trajectories times variables of a run, from which on schemes are compared, where it
#: takes plain trajectories, and where it may take fewer.
DEAR, DEAR_FEW = 1e8, 1e7
SHARE = 0.15  # of a run, that its pilot takes at most, where it is
DEAR_PILOT = 5e8  # steps times trajectories times variables: two seconds or so
#: What a step for small noise costs, of one of the present scheme (measured).
DEARER, DEARER_ARRAYS = 1.8, 2.8


@dataclass
class StepChoice:
    """The step taken and how it was found."""

    dt: float
    note: str
    until: float  # the pilot's last time
    schedule: Schedule
    met: bool = True
    difference: float = 0.0  # of the pilot's runs, above its sampling error, of the largest rms
    sem: float = 0.0  # that sampling error
    errors: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    work: int = 0  # trajectories times steps
    needed: float = 0.0  # plain trajectories that the run will take
    compile_seconds: float = 0.0
    exact: bool = False
    scheme: str = ""  # "" for that of the text


def choose(
    text: KernelText,
    tlist: NDArray[np.float64],
    seed: int,
    single: bool,
    start: NDArray[np.float64] | None = None,
    wanted: Wanted | None = None,
) -> StepChoice:
    """The largest step whose error is small enough, see the module's docstring.

    ``start`` are the states from which trajectories start, None the model's initial ones.
    """
    system = text.system
    wanted = wanted or Wanted(1000)
    if text.links:
        first = delayed_step(text, tlist, None)[0]
        wanted = replace(wanted, free=False)
        delayed = DelayedPilot(text, tlist, seed, single, start, wanted)
        found = _Search(delayed, first, first).run()
        assert found is not None
        return found
    visible = varying(system, tlist)
    first = min(guess(system, tlist), visible)
    rotors = any(step.rotor for step in system.local)
    jumps = system.channels or system.member_channels or system.diffusions
    moved = bool(jumps or system.hamiltonian or system.explicit)
    if not (moved or rotors or system.coefficients()):
        note = "all of it is stepped exactly"
        return StepChoice(first, note, float(tlist[-1]), Schedule(tlist, tlist), exact=True)
    if system.coefficients() or system.explicit or system.pulses:
        wanted = replace(wanted, free=False)
    longest = float(np.diff(tlist).max())
    if wanted.free:
        longest = max(longest, float(tlist[-1] - tlist[0]) / LEAST)
    h = first
    if not system.explicit:  # those may fail in ways that a pilot does not see
        h = max(first, min(COARSEST * first, longest, visible))
    pilot = Pilot(text, tlist, seed, single, start, wanted)
    search = _Search(pilot, h, first)
    another = wanted.schemes and system.choice
    return search.run(_dear if another else None) or _other(search)


def _dear(pilot: Pilot, finer: float) -> bool:
    """Whether a run with steps ``finer`` takes so long that another scheme is worth a try, and is
    one for the system.
    """
    steps = float(np.ptp(pilot.tlist)) / finer
    least = DEAR if pilot.wanted.plain else DEAR_FEW
    dear = pilot.needed * steps * pilot.text.layout.state_slots > least
    return dear and suits(pilot.text.system)


def _other(search: _Search) -> StepChoice:
    """The choice between the present scheme, at a step that failed, and that for small noise."""
    pilot, level = search.pilot, search.before
    assert level is not None
    text = pilot.text.by(SMALL_NOISE)
    what = (text, pilot.tlist, pilot.seed, pilot.single, pilot.start, pilot.wanted)
    other = Pilot(*what)
    if not pilot.wanted.plain and pilot.start is None:
        with contextlib.suppress(Declined):
            other = NetPilot(*what)
    other.needed = pilot.needed
    own = _Search(other, max(level.h, search.begin), search.first)
    found = own.run() or _no_step(other, own.h)
    dearer = DEARER_ARRAYS if text.layout.arrays else DEARER

    def worthless(*_: Any) -> bool:
        """Whether the present scheme is dearer, even if its error falls with the second order."""
        level = search.before
        assert level is not None
        return found.met and found.dt > dearer * level.h / np.sqrt(max(level.over, 1.0))

    if not worthless():
        present = search.run(worthless)
        if present is not None:
            present.work += other.work
            present.compile_seconds += other.compiling
            return present
    found.scheme = SMALL_NOISE
    found.work += pilot.work
    found.compile_seconds += pilot.compiling
    return found


class _Search:
    """From coarse to fine until a step passes.

    Args:
        pilot: runs pairs.
        h: the first step.
        first: what the model's rates suggest.
    """

    def __init__(self, pilot: Pilot, h: float, first: float):
        self.pilot, self.h, self.first, self.begin = pilot, h, first, h
        self.before: Level | None = None
        self.waiting: Level | None = None  # one that passed, to be borne out by its half
        self.order: float | None = None
        self.left = LEVELS
        self.last = 0.0  # work of the last pair

    def run(self, leave: Callable[[Pilot, float], bool] | None = None) -> StepChoice | None:
        """The choice; None where ``leave`` says so of the next step, to be run on from there."""
        pilot = self.pilot
        while self.left:
            self.left -= 1
            self.last = -float(pilot.work)
            level = pilot.level(self.h)
            self.last += pilot.work
            jump = 1
            if level is None:
                self.before, self.order = None, None
            else:
                found = self._judge(level)
                if found is not None:
                    return found
                self.h = level.h
                steep = self.order is not None and self.h <= self.first
                if level.seen and np.isfinite(level.over) and steep:
                    jump = int(np.clip(np.floor(np.log2(level.over) / 2), 1, 3))
                self.before = level
            finer = self.h / 2.0**jump
            if np.sum(Grid.count(pilot.tlist, finer)) > MAX_STEPS:
                break
            self.h = finer
            ready = self.before is not None and self.waiting is None
            if leave is not None and ready and leave(pilot, finer):
                return None
            if self._spent(finer):
                return self._extrapolated()
        return (
            _no_step(pilot, self.h) if self.before is None else _choice(pilot, self.before, False)
        )

    def _spent(self, finer: float) -> bool:
        """Whether another pair would make the pilot dear, and long next to the run."""
        pilot = self.pilot
        if self.before is None or self.waiting is not None or not pilot.powers:
            return False
        steps = float(np.ptp(pilot.tlist)) / finer
        most = max(
            SHARE * pilot.needed * steps * pilot.text.work,
            DEAR_PILOT / pilot.text.layout.state_slots,
        )
        return pilot.work + self.before.h / finer * self.last > most

    def _extrapolated(self) -> StepChoice:
        """A step that no pair was run at, by the order of the last ones.

        Not below the first guess where no error is seen.
        """
        level = self.before
        assert level is not None
        order = self.order or self.pilot.orders[0]
        ratio = max(level.over, 1.0)
        h = level.h * ratio ** (-1 / order)
        if not level.seen:
            h = max(h, min(self.first, level.h))
        own = replace(level, h=h, stated=level.stated * (h / level.h) ** order)
        return _choice(self.pilot, own, own.over <= 1 + 1e-9 or not level.seen)

    def _judge(self, level: Level) -> StepChoice | None:
        """State the error of a level; the choice, if there is one now."""
        before, (least, most, _) = self.before, self.pilot.orders
        if before is not None and before.seen and level.seen and level.size > 0:
            found = np.log(before.size / level.size) / np.log(before.h / level.h)
            self.order = float(min(found, most)) if found > 0.8 else None
        order = least if self.order is None else self.order
        halving = 2.0**order
        whole = halving / (halving - 1)
        level.state((level.difference + SURE * level.error) * whole)
        if before is not None and (self.pilot.powers or self.order is not None):
            fallen = before.stated.max(axis=0) * (level.h / before.h) ** order
            level.state_least(fallen, (level.difference - SIGNIFICANT * level.error) * whole)
        met = level.over <= 1 and level.rough <= 1
        if self.waiting is not None:
            if met:
                return _choice(self.pilot, self.waiting, True)
            self.waiting = None
        elif met:
            if level.h <= self.first or (before is not None and not self._sudden(level)):
                return _choice(self.pilot, self._between(level), True)
            self.waiting = level
        ratio = level.over
        if self.waiting is None and before is not None and self.pilot.powers:
            if 1 < ratio <= halving and level.rough <= 1 and not self._sudden(level):
                # half of this step would be known by the order alone
                h = level.h * ratio ** (-1 / order)
                return _choice(self.pilot, replace(level, h=h, stated=level.stated / ratio), True)
        if level.h <= self.first and not level.seen and level.rough <= 1:
            return _choice(self.pilot, level, True)
        return None

    def _sudden(self, level: Level) -> bool:
        """Whether the difference fell faster than the scheme's order and one more allow."""
        before = self.before
        assert before is not None
        most = (before.h / level.h) ** (self.pilot.orders[2] + 1)
        return before.seen and before.size > most * level.bounded

    def _between(self, level: Level) -> Level:
        """A level that passed, or one at a longer step below the one that failed before it.

        Between both, errors follow a power of the step.
        """
        before = self.before
        if before is None or not level.stated.size or before.stated.shape != level.stated.shape:
            return level
        if not self.pilot.powers:
            return level
        ratio = before.h / level.h
        ends = [np.maximum(x.stated.max(axis=0), 1e-30) for x in (level, before)]
        power = np.maximum(np.log(ends[1] / ends[0]) / np.log(ratio), 1.0)
        longer = float(((level.allowed / ends[0]) ** (1 / power)).min(initial=ratio))
        # of what means may differ by the largest is known alone: it falls with the step at least
        longer = min(longer, ratio / max(before.rough, 1.0))
        if longer < LONGER:
            return level
        stated = level.stated * longer**power
        return replace(level, h=level.h * longer, stated=stated)


def _no_step(pilot: Pilot, h: float) -> StepChoice:
    """Where a trajectory failed at every step."""
    note = "no step was found at which no trajectory failed"
    schedule = Schedule(pilot.tlist, pilot.tlist)
    return StepChoice(
        h,
        note,
        float(pilot.tlist[-1]),
        schedule,
        False,
        work=pilot.work,
        compile_seconds=pilot.compiling,
    )


def _choice(pilot: Pilot, level: Level, met: bool) -> StepChoice:
    """The choice of a level."""
    until, tlist = float(level.schedule.times[-1]), pilot.tlist
    note = "the longest step whose error stays below the sampling error, by a pilot"
    if pilot.wanted.tol is not None:
        note = "the longest step whose error stays below `tol`, by a pilot"
    errors: Mapping[str, NDArray[np.float64]] = {}
    if level.stated.size:
        missing = tlist.size - len(level.stated)
        last = level.stated.max(axis=0)
        # what coefficients and pulses do later, the pilot has not seen
        if pilot.text.system.coefficients() or pilot.text.system.pulses:
            last = np.full_like(last, np.nan)
        rest = np.broadcast_to(last, (max(0, missing), level.stated.shape[1]))
        stated = np.concatenate([level.stated, rest])[: tlist.size]
        errors = pilot.wanted.columns.split(stated)
    if not met:
        note = "no step was found whose error is small enough"
    excess = np.maximum(level.difference - SIGNIFICANT * level.error, 0.0) / level.scale
    return StepChoice(
        level.h,
        note,
        until,
        Schedule.make(tlist, level.h, pilot.wanted.free),
        met,
        float(excess.max(initial=0.0)),
        float((level.error / level.scale).max(initial=0.0)),
        errors,
        pilot.work,
        pilot.needed,
        pilot.compiling,
    )
