"""The exact engines at the sizes they are meant for, next to QuTiP's permutation-invariant solver.

The boundary time crystal with local decay: H = N Gamma Jx, a collective jump J- of rate Gamma and a
local one of rate 0.2 N Gamma, from the ground state, at 61 times to t = 30/(N Gamma), relative
tolerance 1e-6. QuTiP integrates the Liouvillian of ``piqs.Dicke`` with ``mesolve``.
"""

from __future__ import annotations

import importlib.util

import numpy as np

import wignerflow as wf

from ..figures.ruks import laser
from ..figures.ruks_5 import time_crystal
from .report import Entry, Section, seconds

SIZE, QUICK_SIZE, LARGE = 50, 20, 100
TOLERANCE = 1e-6
TIMES, LAST = 61, 30.0
EMITTERS, RUNS, QUICK_RUNS = 10_000, 200, 20


def crystal(N: int) -> np.ndarray:
    """<Jz> at all times by this library."""
    atoms, model = time_crystal(N, "decay", "ground")
    times = np.linspace(0, LAST / N, TIMES)
    found = wf.solve(model, times, e_ops={"z": atoms.Jz}, method=wf.Exact(rtol=TOLERANCE))
    return np.asarray(found.expect["z"])


def crystal_in_qutip(N: int) -> np.ndarray:
    """The same by QuTiP."""
    import qutip
    from qutip import piqs

    jx, _, jz = piqs.jspin(N)
    system = piqs.Dicke(N, hamiltonian=N * jx, emission=0.2 * N, collective_emission=1.0)
    times = np.linspace(0, LAST / N, TIMES)
    options = {"rtol": TOLERANCE, "atol": 1e-10, "nsteps": 10**6}
    start = piqs.ground(N)
    found = qutip.mesolve(system.liouvillian(), start, times, e_ops=[jz], options=options)
    return np.real(found.expect[0])


def jumps(runs: int) -> None:
    """Quantum jumps of the superradiant laser of 10^4 emitters, to t = 20/(N Gamma)."""
    atoms, model = laser(EMITTERS, 0.25 * EMITTERS)
    times = np.linspace(0, 20 / EMITTERS, 201)
    e_ops = {"emission": atoms.Jp * atoms.Jm, "inversion": atoms.Jz}
    options = {"ntraj": runs, "seed": 7, "progress": False}
    wf.solve(model, times, e_ops=e_ops, method=wf.QuantumJumps(), **options)  # type: ignore[arg-type]


def section(quick: bool) -> Section:
    """Seconds of whole calls, and the ratio to QuTiP."""
    crystal(4)  # imports and compiles
    N = QUICK_SIZE if quick else SIZE
    found: list[np.ndarray] = []
    ours = seconds(lambda: found.append(crystal(N)))
    entries = [Entry(f"crystal_{N}", f"time crystal, N = {N}", ours, "s")]
    note = "One ensemble; whole calls, all threads."
    if importlib.util.find_spec("qutip") is None:
        note += " Not installed: qutip (`make bench` installs it)."
    else:
        theirs = seconds(lambda: found.append(crystal_in_qutip(N)))
        needed = None if quick else 40
        entries.append(Entry("crystal_qutip", "  QuTiP takes", theirs, "s"))
        entries.append(
            Entry("crystal_ratio", "  QuTiP / wignerflow", theirs / ours, "×", at_least=needed)
        )
        apart = float(np.abs(found[0] - found[1]).max() / N)
        entries.append(Entry("crystal_apart", "  apart, of N", apart, at_most=1e-5))
    if not quick:
        large = seconds(lambda: crystal(LARGE))
        what = f"time crystal, N = {LARGE}"
        entries.append(Entry(f"crystal_{LARGE}", what, large, "s", at_most=60))
    jumps(2)
    runs = QUICK_RUNS if quick else RUNS
    what = f"quantum jumps, N = 10⁴, {runs} runs"
    entries.append(Entry("jumps", what, seconds(lambda: jumps(runs)), "s", at_most=300))
    return Section("Exact engines", entries, note)
