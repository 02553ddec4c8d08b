"""Speed of the public ``solve`` on one ensemble, alone and next to other implementations."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import wignerflow as wf

from ..figures.ruks import laser
from ..figures.ruks_2a import NUMBERS
from ..method import Precision
from ..run.pool import available_threads
from .accuracy import quiet
from .peers import PEERS, PUMP, Job
from .report import Entry, Section, Time, entry, measure, race, repeated, seconds

#: Ensemble sizes between which the cost must not change.
SIZES = (10, 100, 1000, 10**4, 10**5, 10**6)
SCALED_TIME = 6.0
STEPS = 480
#: Least factors by which the library is faster than a peer.
FASTER = {"jax": 8, "diffrax": 40, "numpy": 8}


def through_solve(
    N: int,
    ntraj: int,
    steps: int,
    *,
    threads: int,
    precision: Precision = "single",
    outputs: int = 13,
) -> Callable[[], Time]:
    """A function that runs the laser and returns nanoseconds per trajectory-step."""
    atoms, model = laser(N, PUMP * N)
    e_ops = {"emission": atoms.Jp * atoms.Jm, "inversion": atoms.Jz}
    times = np.linspace(0, SCALED_TIME / N, outputs)
    dt = SCALED_TIME / N / steps

    def work() -> None:
        wf.solve(
            model, times, e_ops=e_ops, ntraj=ntraj, seed=7, dt=dt, precision=precision,
            threads=threads, truncation=False, progress=False,
        )  # fmt: skip

    return _per_step(work, ntraj * steps)


def _per_step(work: Callable[[], Any], steps: int) -> Callable[[], Time]:
    """A function that does the work; nanoseconds of each of its steps."""
    return lambda: measure(work) * (1e9 / steps)


def alone(quick: bool) -> Section:
    """Cost of a step in both precisions, on one core and on all, and from N = 10 to 10^6."""
    ntraj, repeats = (12_800, 3) if quick else (102_400, 7)
    cores = available_threads()
    entries = []
    bounds: dict[Precision, int] = {"single": 10, "double": 20}
    for precision, bound in bounds.items():
        for threads in dict.fromkeys((1, cores)):
            run = through_solve(1000, ntraj, STEPS, threads=threads, precision=precision)
            values = repeated(run, repeats)
            what = f"{precision} precision, {threads} core{'s' if threads > 1 else ''}"
            options: dict[str, Any] = {"at_most": bound} if threads == 1 else {}
            key = f"ns_{precision}_{threads}"
            entries.append(entry(key, what, [v.wall for v in values], "ns", **options))
            cpu = [v.cpu for v in values]
            entries.append(entry(f"{key}_cpu", "  processor time", cpu, "ns"))
    runs = [through_solve(N, ntraj, STEPS, threads=1) for N in SIZES]
    for run in runs:
        run()
    table = np.array([[run().cpu for run in runs] for _ in range(repeats)])
    for N, column in zip(SIZES, table.T, strict=True):
        what = f"single precision, 1 core, N = {N}, processor time"
        entries.append(entry(f"ns_N{N}", what, list(column), "ns"))
    best = table.min(axis=0)
    what, spread = "  dearest N / cheapest N, fastest runs", float(best.max() / best.min())
    entries.append(Entry("N_spread", what, spread, at_most=1.15))
    return Section(
        "Wall time per trajectory-step through wf.solve",
        entries,
        f"One ensemble, collective decay and local pump, Gaussian noise; {ntraj} trajectories of "
        f"{STEPS} steps, compilation and truncation estimates apart; median (range) of {repeats}.",
    )


def next_to_others(quick: bool) -> Section:
    """Ratios to JAX, diffrax and NumPy, all cores, taken in turn."""
    cores = available_threads()
    repeats = 3 if quick else 7
    ours = through_solve(1000, 25_600 if quick else 204_800, STEPS, threads=cores)
    ours()
    entries: list[Entry] = []
    job = Job(1000, 4096 if quick else 16384, STEPS, SCALED_TIME, cores)
    missing = [package for package in PEERS if importlib.util.find_spec(package) is None]
    for key, (what, make) in PEERS.items():
        if key in missing:
            continue
        runner = make(job)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            emission = runner()  # compiles
        run = race(ours, _per_step(runner, job.work), repeats)
        note = f"mean emission/N^2 at the end {emission:.4f}"
        in_turn = [t.wall for t in run.ours]
        entries += [
            entry(f"{key}_ns", what, [t.wall for t in run.theirs], "ns", note=note),
            entry(f"{key}_ours_ns", "  wignerflow in turn with it", in_turn, "ns"),
            entry(f"{key}_ratio", "  times faster", run.ratios("wall"), at_least=FASTER[key]),
            entry(f"{key}_ratio_cpu", "  times less processor time", run.ratios("cpu")),
        ]
    note = f"Same equation, single precision, {cores} cores, N = 1000, {STEPS} steps."
    if missing:
        note += f" Not installed: {', '.join(missing)} (`make bench` installs them)."
    return Section("Speed next to other implementations", entries, note)


def figure(quick: bool) -> Section:
    """The TWA part of ruks-2a, and the exact populations at N = 1000."""
    scaled = np.linspace(0, 20, 201)
    systems = {N: laser(N, PUMP * N) for N in NUMBERS}

    def run(N: int, **options: Any) -> None:
        atoms, model = systems[N]
        e_ops = {"emission": atoms.Jp * atoms.Jm, "inversion": atoms.Jz}
        quiet(model, scaled / N, e_ops, **options)

    def twa() -> None:
        for N in NUMBERS:
            run(N, ntraj=10_000, seed=7)

    twa()
    values = [seconds(twa) for _ in range(3 if quick else 7)]
    run(10, method="exact")
    exact = [seconds(lambda: run(1000, method="exact")) for _ in range(1 if quick else 3)]
    what = "TWA part of ruks-2a: four N, 10^4 trajectories each, automatic step"
    return Section(
        "Whole runs, warm",
        [
            entry("ruks_2a_twa", what, values, "s", at_most=2),
            entry("exact_1000", "exact populations, N = 1000, 201 times", exact, "s", at_most=60),
        ],
    )
