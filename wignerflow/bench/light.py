"""Cost of recorded output fields and of delayed links, next to the run without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import wignerflow as wf

from .report import Section, Time, entry, measure, race

N, PHI = 50, 0.3
#: Bins, steps in each, and ensembles of the runs with records.
BINS, WITHIN, RECORDED = 200, 5, 30
#: Ensembles of the runs with links, and their delays in steps.
LINKED, DELAYS = 100, (4, 40, 3.7)


def _burst(M: int, delay: float | None) -> tuple[Any, wf.Model, Any]:
    chain = wf.Ensemble(N, count=M, name="chain")
    if delay is None:
        H, jumps = wf.waveguide(chain, PHI, 1.0)
        return chain, wf.Model(H, jumps, initial={chain: wf.up}), jumps
    line = wf.Line(chain, delays=delay, rate=1.0, phases=PHI)
    return chain, wf.Model(jumps=line.jumps, links=line.links, initial={chain: wf.up}), line.outputs


def _step(M: int) -> float:
    return 0.125 / (N * M)


def plain(M: int, steps: int, ntraj: int, delay: float | None = None) -> Callable[[], Time]:
    """A function that runs a burst of M ensembles: seconds."""
    chain, model, _ = _burst(M, delay)
    dt = _step(M)

    def run() -> None:
        wf.solve(
            model, [0.0, steps * dt], e_ops={"inversion": chain.Jz.sum()}, ntraj=ntraj, seed=7,
            dt=dt, threads=1, progress=False, truncation=False,
        )  # fmt: skip

    return lambda: measure(run)


def recorded(M: int, ntraj: int, outputs: int) -> Callable[[], Time]:
    """The same with the light of one or both jumps in bins: seconds."""
    _, model, jumps = _burst(M, None)
    dt = _step(M)
    bins = WITHIN * dt * np.arange(BINS + 1)
    named = dict(zip("FB", jumps[:outputs], strict=False))

    def run() -> None:
        wf.photons(
            model, named, bins=bins, ntraj=ntraj, seed=7, dt=dt, threads=1, g1=False, g2=False
        )

    return lambda: measure(run)


def section(quick: bool) -> Section:
    """Ratios of processor time to the plain run, taken in turn."""
    repeats = 3 if quick else 7
    entries = []
    ntraj = 8192  # few would show what a run costs before it begins
    ours = plain(RECORDED, BINS * WITHIN, ntraj)
    ours()
    for outputs, bound in ((1, 1.3), (2, None)):
        theirs = recorded(RECORDED, ntraj, outputs)
        theirs()
        what = f"{BINS} bins of {outputs} output{'s' if outputs > 1 else ''}, M = {RECORDED}"
        values = race(ours, theirs, repeats).ratios("cpu")
        entries.append(entry(f"bins_{outputs}", what, values, at_most=bound))
    steps, ntraj = 500, 2048
    ours = plain(LINKED, steps, ntraj)
    ours()
    for delay in DELAYS:
        theirs = plain(LINKED, steps, ntraj, delay * _step(LINKED))
        theirs()
        what = f"links both ways, {delay:g} steps of delay, M = {LINKED}"
        values = race(ours, theirs, repeats).ratios("cpu")
        entries.append(entry(f"links_{delay:g}", what, values, at_most=1.5))
    return Section(
        "Output fields and delayed links",
        entries,
        f"Burst of M ensembles of {N} on a waveguide, one core, single precision: processor time "
        f"over that of the run without; {BINS} bins of {WITHIN} steps, g1 and g2 apart.",
    )
