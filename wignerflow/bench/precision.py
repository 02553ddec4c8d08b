"""What a precision costs: work and time to a small error, plain and with everything automatic.

Work is trajectories times steps, pilots and derivatives included (``stats["work"]``; a step for
small noise counts twice). Plain means what version 0.1 had: plain trajectories by the splitting, as
many as the error asks for (from ``SAMPLE`` of them, since errors fall as one over the root of their
number), with its own step, or a shorter one where that one's error is larger than the standard
error asked for (``WITHIN`` of it, by a pilot). Time is that of processors, so that it means
something on a machine that does other things too.

Run as ``python -m wignerflow.bench.precision`` (minutes).
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import wignerflow as wf

from ..figures import ruks
from ..figures.hosseinabadi import rydberg_ring
from ..figures.ruks_5 import time_crystal

SAMPLE = 20_000  # plain trajectories whose errors are measured
WITHIN = 0.8  # step error of plain runs, of the standard error asked for
AT_THE_END = ("one-axis twisting, N = 1000",)  # targets at the last time alone
Made = tuple[wf.Model, Any, dict[str, Any], float]


@dataclass
class Row:
    """One line of the table."""

    what: str
    target: float  # of the largest mean
    plain: float  # work
    own: float
    seconds: float  # of processors, of the automatic run, compiled
    plain_seconds: float  # likewise of plain trajectories, from their rate
    step_error: float  # of the automatic run, of the largest mean
    how: str

    @property
    def gain(self) -> float:
        """How many times less work."""
        return self.plain / self.own


def laser(N: int = 1000) -> Made:
    """Superradiant laser, all up; the step of version 0.1."""
    atoms, model = ruks.laser(N, 0.25 * N)
    return model, np.linspace(0, 20 / N, 101), {"emission": atoms.Jp * atoms.Jm}, 0.2 / N


def crystal(N: int) -> Made:
    """Boundary time crystal with local decay."""
    atoms, model = time_crystal(N, "decay", "ground")
    return model, np.linspace(0, 30 / N, 101), {"inversion": atoms.Jz}, 0.077 / N


def cavity(N: int = 100) -> Made:
    """Cavity laser."""
    atoms, light = wf.Ensemble(N, name="atoms"), wf.Mode(name="light")
    H = light.n + atoms.Jz + 0.9 / np.sqrt(N) * (light.adag * atoms.Jm + light.a * atoms.Jp)
    jumps: list[wf.Jump | wf.LocalJump] = [
        wf.Jump(light.a, 1.0),
        wf.LocalJump(atoms.sm, 1 / 8),
        wf.LocalJump(atoms.sp, 3 / 8),
    ]
    model = wf.Model(H, jumps, initial={light: wf.vacuum, atoms: wf.up})
    return model, np.linspace(0, 15, 101), {"photons": light.n}, 0.0217


def chain(M: int = 20, N: int = 250) -> Made:
    """Waveguide chain."""
    atoms, model = ruks.chain_model(M, N, np.pi / 10, 250.0)
    e_ops = {"emission": (atoms.Jp * atoms.Jm).sum()}
    return model, np.linspace(0, 0.1, 21), e_ops, 0.055 / (M * N)


def squeezing(N: int = 1000) -> Made:
    """One-axis twisting with local dephasing, at the optimum of its squeezing."""
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        atoms.Jz * atoms.Jz, [wf.LocalJump(atoms.sz, 2.5)], initial={atoms: wf.bloch(np.pi / 2, 0)}
    )
    return model, np.linspace(0, 0.006, 13), {"squeezing": wf.WinelandSqueezing(atoms)}, 0.0005


def ring(M: int = 10) -> Made:
    """A driven Rydberg ring with loss and dephasing: its mean inversion."""
    z, model = rydberg_ring(M, Omega=1.0, J=1.0, loss=0.1, dephasing=0.1)
    return model, np.linspace(0, 10, 21), {"inversion": z.sum() / M}, 0.05


#: Model, error asked for, such that plain trajectories take some ten seconds and more,
#: trajectories that are measured, further options of the automatic run.
CASES: dict[str, tuple[Callable[[], Made], float, int, dict[str, Any]]] = {
    "superradiant laser, N = 1000": (laser, 1e-4, SAMPLE, {}),
    "time crystal with local decay, N = 1000": (lambda: crystal(1000), 5e-5, SAMPLE, {}),
    "the same, N = 50": (lambda: crystal(50), 2e-4, SAMPLE, {}),
    "cavity laser, N = 100": (cavity, 5e-4, SAMPLE, {}),
    "waveguide chain, M = 20, N = 250": (chain, 3e-3, 256, {}),
    "one-axis twisting, N = 1000": (squeezing, 2e-4, SAMPLE, {}),
    "Rydberg ring of 10": (ring, 1e-3, SAMPLE, {"controls": True}),
}


def row(what: str) -> Row:
    """Measure one case."""
    make, target, sample, further = CASES[what]
    model, times, e_ops, dt = make()
    name = next(iter(e_ops))

    def run(**options: Any) -> wf.Result:
        return wf.solve(
            model, times, e_ops=e_ops, seed=1, progress=False, truncation=False, **options
        )

    old = wf.TWA(scheme="splitting")
    alone = {"method": old, "symmetrize": False}
    tried = run(tol=WITHIN * target, ntraj=sample, **alone)
    dt = min(dt, tried.dt or dt)
    run(ntraj=64, dt=dt, **alone)  # compiled now
    start = time.process_time()
    plain = run(ntraj=sample, dt=dt, **alone)
    each = (time.process_time() - start) / plain.ntraj
    mean, sem = np.abs(plain.expect[name]), plain.sem[name]
    at = slice(-1, None) if what in AT_THE_END else slice(None)
    scale, worst = float(mean[at].max()), float(sem[at].max())
    goal = wf.relative(target)
    if what in AT_THE_END:  # of the value there, not of the largest
        goal = wf.relative(target * scale / float(mean.max()), at=float(times[-1]))
    needed = plain.ntraj * (worst / (target * scale)) ** 2
    asked = {"ntraj": 10**9, "target_sem": {name: goal}, "variance": "auto", **further}
    run(**asked)
    start = time.process_time()
    own = run(**asked)
    seconds = time.process_time() - start
    reached = float(own.sem[name][at].max()) / scale
    as_many = needed * (target / reached) ** 2  # plain trajectories to the error that was reached
    return Row(
        what,
        reached,
        as_many * plain.stats["steps"],
        own.stats["work"],
        seconds,
        each * as_many,
        float(np.abs(own.step_error[name][at]).max()) / scale,
        f"{plain.stats['steps']} to {own.stats['steps']} steps ({own.stats['scheme']}), "
        f"{needed:.2g} to {own.ntraj:.2g} trajectories ({own.stats.get('variance', 'plain')})",
    )


def steady_row(N: int = 1000) -> Row:
    """Steady emission of the laser: squared error times work."""
    model, _, e_ops, dt = laser(N)
    start = time.process_time()
    own = wf.steady_state(model, e_ops, ntraj=2048, seed=1)
    seconds = time.process_time() - start
    start = time.process_time()
    plain = wf.steady_state(model, e_ops, ntraj=2048, seed=1, dt=dt, controls=False)
    each = time.process_time() - start
    sem, old = (float(r.sem["emission"]) for r in (own, plain))
    ratio = (old / sem) ** 2
    scale = float(abs(own.expect["emission"]))
    return Row(
        f"its steady state, N = {N}",
        sem / scale,
        plain.stats["work"] * ratio,
        own.stats["work"],
        seconds,
        each * ratio,
        float(own.step_error["emission"]) / scale,
        f"{own.stats['controls']} controls",
    )


def main() -> None:
    """Print the table as Markdown."""
    warnings.simplefilter("ignore", UserWarning)
    print(
        "| | sem / largest mean | work, plain | automatic | times less | CPU seconds, plain "
        "| automatic | step error | how |\n|---|---|---|---|---|---|---|---|---|"
    )
    wanted = sys.argv[1:] or [*CASES, "steady"]
    for what in wanted:
        r = steady_row() if what == "steady" else row(what)
        print(
            f"| {r.what} | {r.target:.1g} | {r.plain:.2g} | {r.own:.2g} | {r.gain:.2g} "
            f"| {r.plain_seconds:.2g} | {r.seconds:.2g} | {r.step_error:.1g} | {r.how} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
