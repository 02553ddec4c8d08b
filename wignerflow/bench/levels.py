"""Accuracy of emitters with levels against exact and known solutions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

from ..figures import ruks
from .accuracy import off, quiet
from .report import Entry, Section, Time, entry, measure, race

if TYPE_CHECKING:
    from ..model.op import Op

#: Largest error of emission of the three-level laser, in N^2, and trajectories.
LASER = {10: (0.006, 200_000), 20: (0.0025, 400_000)}
#: Of the Raman laser, photons per emitter, and emitters.
RAMAN, RAMAN_N = 0.01, 5
#: Var n_1 of equal decays and its tolerance; mean and deviation of n_1/N at rates 2 : 1 (N = 100).
EQUAL, EQUAL_SHARE = 850.0, 0.02
MEAN, MEAN_OFF = 0.8753, 0.004
SPREAD, SPREAD_SHARE = 0.1477, 0.03
#: How much dearer than two levels a step of d may be: single precision, one core.
COSTS = {3: 12, 4: 45}


def laser(N: int) -> tuple[wf.Model, dict[str, Op]]:
    """Pumped through f at w = N/4, which falls to e at 4 w; all in e."""
    w = N / 4
    atoms = wf.Levels(N, ["g", "e", "f"], name="atoms")
    jumps: list[wf.Jump | wf.LocalJump] = [
        wf.Jump(atoms.op("g", "e"), 1.0),
        wf.LocalJump(atoms.one("f", "g"), w),
        wf.LocalJump(atoms.one("e", "f"), 4 * w),
    ]
    emission = atoms.op("e", "g") * atoms.op("g", "e") / N**2
    return wf.Model(jumps=jumps, initial={atoms: wf.level("e")}), {"emission": emission}


def decays(N: int, other: float) -> tuple[wf.Model, dict[str, Any]]:
    """Collective decays of excited atoms at 1 and ``other``, and what is known of level 0."""
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op("0", "e"), 1.0), wf.Jump(atoms.op("1", "e"), other)]
    zero = atoms.pop("0")
    both = [zero, zero * zero]
    return wf.Model(jumps=jumps, initial={atoms: wf.level("e")}), {
        "mean": zero / N,
        "variance": wf.function(lambda n, nn: nn - n**2, both),
        "spread": wf.function(lambda n, nn: np.sqrt(nn - n**2) / N, both),
    }


def raman(N: int) -> tuple[wf.Model, dict[str, Op]]:
    """A drive from 0 to e, a cavity from e to 1, a repump."""
    atoms, cavity = wf.Levels(N, ["0", "1", "e"], name="atoms"), wf.Mode(name="cavity")
    light = cavity.adag * atoms.op("1", "e")
    drive = atoms.op("0", "e")
    H = 0.5 * atoms.pop("e") + 0.5 * (drive + drive.dag()) + (light + light.dag()) / np.sqrt(N)
    jumps: list[wf.Jump | wf.LocalJump] = [
        wf.Jump(cavity.a, 1.0),
        wf.LocalJump(atoms.one("0", "e"), 0.1),
        wf.LocalJump(atoms.one("1", "e"), 0.1),
        wf.LocalJump(atoms.one("0", "1"), 0.5),
    ]
    return wf.Model(H, jumps, initial={atoms: wf.level("0"), cavity: wf.vacuum}), {
        "photons": cavity.n / N
    }


def ladder(d: int) -> tuple[wf.Model, dict[str, Op]]:
    """d levels, collective decay of the upper of the first two and a pump through all others."""
    N = 1000
    labels = [str(k) for k in range(d)]
    atoms = wf.Levels(N, labels, name="atoms")
    path = ["0", *labels[2:], "1"]  # two local channels for three levels
    jumps: list[wf.Jump | wf.LocalJump] = [wf.Jump(atoms.op("0", "1"), 1.0)]
    jumps += [wf.LocalJump(atoms.one(b, a), N / 4) for a, b in pairwise(path)]
    emission = atoms.op("1", "0") * atoms.op("0", "1") / N**2
    return wf.Model(jumps=jumps, initial={atoms: wf.level("1")}), {"emission": emission}


def costs(quick: bool) -> list[Entry]:
    """Processor time of a trajectory-step over that of a two-level ensemble, taken in turn."""
    ntraj, repeats = (2_560, 3) if quick else (25_600, 7)

    def timed(model: wf.Model, ops: dict[str, Op]) -> Callable[[], Time]:
        def work() -> None:
            wf.solve(
                model, [0, 0.006], e_ops=ops, ntraj=ntraj, seed=7, dt=0.006 / 240, threads=1,
                progress=False,
            )  # fmt: skip

        return lambda: measure(work)

    atoms, model = ruks.laser(1000, 250.0)
    ours = timed(model, {"emission": atoms.Jp * atoms.Jm / 1000**2})
    ours()
    entries = []
    for d, bound in COSTS.items():
        theirs = timed(*ladder(d))
        theirs()
        values = race(ours, theirs, repeats).ratios("cpu")
        channels = "two local channels" if d == 3 else f"{d - 1} local channels"
        what = f"cost of a step, {d} levels with {channels}, over two levels"
        entries.append(entry(f"cost_{d}", what, values, at_most=bound))
    return entries


def section(quick: bool) -> Section:
    """The figures of the page on levels."""
    entries = []
    for N, (bound, ntraj) in LASER.items():
        gap, error = _off(*laser(N), np.linspace(0, 20, 61) / N, ntraj // (20 if quick else 1))
        what = f"three-level laser, N = {N}: emission/N²"
        entries.append(Entry(f"laser_{N}", what, gap, sem=error, at_most=bound))
    gap, error = _off(*raman(RAMAN_N), np.linspace(0, 15, 31), 5_000 if quick else 200_000)
    what = f"Raman laser, N = {RAMAN_N}: photons per emitter"
    entries.append(Entry("raman", what, gap, sem=error, at_most=RAMAN))
    ntraj = 2_000 if quick else 40_000
    known = {
        1.0: (("variance", EQUAL, EQUAL_SHARE * EQUAL),),
        0.5: (("mean", MEAN, MEAN_OFF), ("spread", SPREAD, SPREAD_SHARE * SPREAD)),
    }
    for other, values in known.items():
        model, ops = decays(100, other)
        run = quiet(model, np.array([0, 0.6]), ops, ntraj=ntraj, seed=5)
        for key, value, bound in values:
            off, error = abs(float(run.expect[key][-1]) - value), float(run.sem[key][-1])
            what = f"decays 1 : {other:g}, N = 100: {key} of n₁{'' if other == 1 else '/N'}"
            entries.append(Entry(key, f"{what} less {value:g}", off, sem=error, at_most=bound))
    entries += costs(quick)
    return Section(
        "Emitters with levels: largest deviation over time from exact, or from known values",
        entries,
        "TWA, default sampling and step; sampling errors in brackets add to every deviation.",
    )


def _off(
    model: wf.Model, ops: dict[str, Any], t: NDArray[np.float64], ntraj: int
) -> tuple[float, float]:
    """Largest deviation of the one observable from exact, and its standard error."""
    run, exact = quiet(model, t, ops, ntraj=ntraj, seed=5), quiet(model, t, ops, method="exact")
    return off(run, exact, *ops)
