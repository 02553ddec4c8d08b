"""What one plot costs here and elsewhere: the superradiant burst of N = 1000, to one precision.

The emission of the laser of ``precision``, all outputs to the same standard error. Peers that
integrate trajectories (see ``peers``) are given as many as plain ones of the library need, and no
more steps than those take, although a Heun step is less accurate than the splitting; a part of that
work is timed. QuTiP's Monte Carlo solver holds 2^N amplitudes and runs N = 10, its solver for
permutation-invariant emitters N = 100, exactly. Seconds are those of processors.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from typing import Any

import numpy as np

from .peers import PEERS, PUMP, Job
from .precision import row
from .report import Entry, Section, measure

LASER = "superradiant laser, N = 1000"
STEPS, TRAJECTORIES = 480, 8192  # of the part that is timed


def section(quick: bool) -> Section:
    """Seconds to the same standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = row(LASER)
        entries = [
            _entry("ours", "wignerflow, everything automatic", ours.seconds),
            _entry("plain", "  plain trajectories", ours.plain_seconds),
        ]
        job = Job(1000, TRAJECTORIES // (4 if quick else 1), STEPS, 6.0, 1)
        for package, (what, make) in PEERS.items():
            if importlib.util.find_spec(package) is not None:
                run = make(job)
                run()  # compiles
                each = min(measure(run).cpu for _ in range(1 if quick else 3)) / job.work
                entries.append(_entry(package, what, each * ours.plain))
        if importlib.util.find_spec("qutip") is not None:
            entries.append(_entry("mcsolve", "QuTiP, mcsolve, N = 10", mcsolve(ours.target, quick)))
            N = 40 if quick else 100
            entries.append(_entry("piqs", f"QuTiP, piqs, N = {N}, exact", piqs(N)))
    return Section(
        "Waiting for one plot",
        entries,
        f"Emission of a superradiant burst at 101 times, N = 1000 where nothing else is said, to a "
        f"standard error of {ours.target:.2g} of its largest value; seconds of processors, those "
        "of others from a part of the work. Step error here: "
        f"{ours.step_error:.1g} of the largest value.",
    )


def _entry(key: str, what: str, seconds: float) -> Entry:
    return Entry(f"wait_{key}", what, seconds, "s")


def mcsolve(target: float, quick: bool, N: int = 10) -> float:
    """Seconds that QuTiP's quantum trajectories of N emitters take to a relative error."""
    import qutip

    def one(op: Any, n: int) -> Any:
        return qutip.tensor([op if k == n else qutip.qeye(2) for k in range(N)])

    lower = [one(qutip.sigmam(), n) for n in range(N)]
    collective = sum(lower[1:], lower[0])
    jumps = [collective, *(np.sqrt(PUMP * N) * a.dag() for a in lower)]
    up = qutip.tensor([qutip.basis(2, 0)] * N)
    times = np.linspace(0, 20 / N, 101)
    runs = 8 if quick else 32
    options = {"progress_bar": "", "map": "serial", "keep_runs_results": True}
    begin = time.process_time()
    found = qutip.mcsolve(
        0 * lower[0], up, times, c_ops=jumps, e_ops=[collective.dag() * collective], ntraj=runs,
        options=options,
    )  # fmt: skip
    spent = time.process_time() - begin
    values = np.real(np.array(found.runs_expect[0]))
    error = values.std(axis=0, ddof=1).max() / np.sqrt(runs) / values.mean(axis=0).max()
    return float(spent * (error / target) ** 2)


def piqs(N: int) -> float:
    """Seconds of the populations of N emitters by QuTiP's permutation-invariant solver."""
    from qutip import piqs as solver

    system = solver.Dicke(N=N, collective_emission=1.0, pumping=PUMP * N)
    start = solver.excited(N, basis="dicke")
    return measure(lambda: system.pisolve(start, np.linspace(0, 20 / N, 101))).cpu
