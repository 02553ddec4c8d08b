"""Cost of a chain of ensembles on a waveguide, and of its light and of delayed links beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import wignerflow as wf

from ..compiler import build
from ..figures.ruks import chain_model, emissions
from ..kernels import rng
from ..run.pool import available_threads
from .report import Entry, Section, Time, entry, measure, race, repeated
from .startup import fresh

SIZES = (10, 100, 1000, 10_000)
N, PHI = 250, np.pi / 10
#: Ensembles times trajectories times steps of one timed run, about.
WORK, QUICK_WORK = 40_000_000, 10_000_000
LANES = 32
#: Pairs of normals per ensemble and step: three for the local noise, of which one is left over.
PAIRS = 2

COMPILE = """
import numpy as np
import wignerflow as wf
from wignerflow.figures.ruks import chain_model, emissions
chain, model = chain_model(SIZE, 250, 0.3, 250.0)
ops = {"forward": emissions(chain, 0.3)[0], "site": chain.Jp * chain.Jm}
result = wf.solve(model, [0, 1e-6], e_ops=ops, ntraj=64, seed=7, dt=1e-6, progress=False)
seconds = result.stats["compile_time"]
"""

MEMORY = """
from wignerflow.figures.ruks_4d import run, SIZES, STEPS
run(SIZES[-1], 0.1, STEPS[0], ntraj=500, seed=7)
"""


def stepping(M: int, threads: int, work: int) -> Callable[[], Time]:
    """A function that runs a chain; nanoseconds per ensemble, trajectory and step."""
    # several blocks for each thread, so that one delay does not make the others wait
    ntraj = LANES * threads * max(4 if M <= 1000 else 1, 320 // M)
    steps = max(4, round(work * threads / (ntraj * M)))
    chain, model = chain_model(M, N, PHI, float(N))
    forward, _ = emissions(chain, PHI)
    dt = 0.5 / (N * M)
    e_ops: dict[str, Any] = {"forward": forward}

    def run() -> Time:
        times = [0.0, steps * dt]
        found: list[Any] = []
        whole = measure(
            lambda: found.append(
                wf.solve(
                    model, times, e_ops=e_ops, ntraj=ntraj, seed=7, dt=dt, threads=threads,
                    truncation=False, progress=False,
                )
            )
        )  # fmt: skip
        share = found[0].stats["run_time"] / whole.wall  # without preparation
        return whole * (1e9 * share / (ntraj * M * steps))

    return run


NORMALS = f"""
import numpy as np
F = np.float32
LN = {LANES}
{rng.TEXT}
def run(draws: "i64", w: "F[]"):
    for d in range(draws):
        for l in range(LN):
            a, b = normal_pair(U(d), U(7), U(l), U(d))
            w[l] = a
            w[LN + l] = b
"""


def floor(work: int) -> Callable[[], Time]:
    """A function that makes the random numbers of one ensemble-step alone; nanoseconds."""
    w = np.zeros(2 * LANES, np.float32)
    draws = work // LANES
    normals = build.load(NORMALS)
    return lambda: measure(lambda: normals((draws, w))) * (1e9 * PAIRS / (draws * LANES))


def section(quick: bool) -> Section:
    """Cost against M on one core and on all, its floor, compile time, memory of ruks-4d."""
    work, repeats = (QUICK_WORK, 3) if quick else (WORK, 5)
    cores = available_threads()
    entries: list[Entry] = []
    runs = [(M, n) for M in SIZES for n in dict.fromkeys((1, cores))]
    found = {key: repeated(stepping(*key, work), repeats) for key in runs}
    best = {}
    for (M, n), times in found.items():
        what = f"M = {M}, {n} core{'s' if n > 1 else ''}"
        if n == 1:
            cpu = [t.cpu for t in times]
            best[M] = min(cpu)
            entries.append(entry(f"chain_{M}_cpu", f"{what}, processor time", cpu, "ns", at_most=9))
        entries.append(entry(f"chain_{M}_{n}", f"{what}, wall time", [t.wall for t in times], "ns"))
    spread = max(best.values()) / min(best.values())
    what = "  dearest M / cheapest M, fastest runs"
    entries.append(Entry("chain_spread", what, spread, at_most=1.25))
    if cores > 1:
        least = {key: min(t.wall for t in times) for key, times in found.items()}
        gain = least[1000, 1] / least[1000, cores]
        what = f"  speed-up on {cores} cores, M = 1000, fastest runs"
        entries.append(Entry("chain_speedup", what, gain, at_least=1.8 if cores == 2 else None))
    values = [t.cpu for t in repeated(floor(work), repeats)]
    entries.append(entry("chain_floor", "the random numbers of a step alone", values, "ns"))
    entries += _fresh_processes(quick)
    note = f"Waveguide, N = {N}, local pump, Gaussian noise; nanoseconds per ensemble, "
    return Section("Chains of ensembles", entries, note + "trajectory and step.")


def _fresh_processes(quick: bool) -> list[Entry]:
    out = []
    with tempfile.TemporaryDirectory(prefix="wignerflow-bench-") as folder:
        for M in (10, 10_000) if quick else SIZES:
            cache = Path(folder) / str(M)
            cache.mkdir()
            value = fresh(COMPILE.replace("SIZE", str(M)), ["seconds"], cache)["seconds"]
            out.append(Entry(f"chain_compile_{M}", f"compile time, M = {M}", value, "s"))
        peak = fresh(MEMORY, ["mebibytes"], Path(folder))["mebibytes"]
    what = "peak memory of ruks-4d, M = 500, 500 trajectories"
    out.append(Entry("chain_memory", what, peak, "MiB", at_most=2000))
    return out


# ---------------------------------------------------------------- output fields, delayed links

FEW, TURN = 50, 0.3
#: Bins, steps in each, and ensembles of the runs with records.
BINS, WITHIN, RECORDED = 200, 5, 30
#: Ensembles of the runs with links, and their delays in steps.
LINKED, DELAYS = 100, (4, 40, 3.7)


def _burst(M: int, delay: float | None) -> tuple[Any, wf.Model, Any]:
    chain = wf.Ensemble(FEW, count=M, name="chain")
    if delay is None:
        H, jumps = wf.waveguide(chain, TURN, 1.0)
        return chain, wf.Model(H, jumps, initial={chain: wf.up}), jumps
    line = wf.Line(chain, delays=delay, rate=1.0, phases=TURN)
    return chain, wf.Model(jumps=line.jumps, links=line.links, initial={chain: wf.up}), line.outputs


def _step(M: int) -> float:
    return 0.125 / (FEW * M)


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


def light(quick: bool) -> Section:
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
        f"Burst of M ensembles of {FEW} on a waveguide, one core, single precision: processor time "
        f"over that of the run without; {BINS} bins of {WITHIN} steps, g1 and g2 apart.",
    )
