"""Whether error bars are honest: rms of (estimate - truth)/error over many repeats.

Of guided sampling, a repeat is 32 nets of their own; of controls of steady states, trajectories of
its own. The truth is the mean of all repeats. With errors from 32 batches the rms is ideally
sqrt(31/29) = 1.034, of many trajectories 1. What is printed is the rms over that, and what it would
be if the partners of a pair were put into different batches. That must be seen where two directions
are guided: partners are then anticorrelated (-0.8 to -0.9 for the laser's emission). With eight the
Sobol points that both share take over, whose errors are equal for both, and the sum of the two may
hide what is parted.

Run as ``make calibrate``, or ``python -m wignerflow.bench.calibrate 1600 "laser, N = 200 2"`` for
one line of the table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

from ..analysis.controls import Late, control, late
from ..estimate import Crew
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..observables import flatten
from ..run.guided import FIRST_PILOT, LEAST_POINTS, GuidedKernel
from ..run.loop import Request
from ..run.nets import Sums, count, directions
from ..run.pool import available_threads
from ..run.statistics import BATCHES
from .precision import Made, cavity, crystal, laser

LOW, HIGH = 0.93, 1.07
CASES: dict[str, Callable[[], Made]] = {
    "laser, N = 200": lambda: laser(200),
    "time crystal, N = 50": lambda: crystal(50),
    "cavity laser, N = 20": lambda: cavity(20),
}
TECHNIQUES = ((2, 0), (16, 2))  # directions, degree of polynomials
PILOT = 1024  # points that their weights are fitted to
TRAJECTORIES = 256  # of a repeat with controls


def _text(made: Made) -> tuple[KernelText, list[Readout]]:
    model, times, e_ops, _ = made
    _, base, plan = flatten(e_ops, model.subsystems)
    system, symbols = wf.TWA().lower(model, base, times)
    readouts = [Readout(symbols[k], plan.base[k].is_complex) for k in base]
    return KernelText(system, readouts), readouts


def net_kernel(made: Made, some: int, points: int = LEAST_POINTS) -> GuidedKernel:
    """A short run by nets along ``some`` directions."""
    text, _ = _text(made)
    times = made[1][::10]
    grid = Grid.make(times, float(times[1] - times[0]) / 2)
    run = GuidedKernel(text, grid, single=True, batched=np.zeros(0, np.int64), points=points)
    with Crew(1, lambda: None) as crew:
        run.directions = directions(run.own, grid, run.K, some, crew, True)
    return run


def fitted(run: GuidedKernel, degree: int) -> NDArray[np.float64] | None:
    """Weights of polynomials, from nets that are no part of any repeat."""
    assert run.directions is not None
    number = count(len(run.directions.G), degree)
    if not number:
        return None
    begin = FIRST_PILOT // run.points
    trials = [run.trial(begin + k, 1, number) for k in range(PILOT // run.points)]
    return Sums.added([trial.sums for trial in trials]).weights(number)


def nets(
    made: Made, repeats: int, some: int, degree: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of nets (repeats, 32, T), and of them with partners of pairs in different batches."""
    run = net_kernel(made, some)
    run.weights = fitted(run, degree)

    def one(k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        z, sums = run.run(k, 1)
        mean = sums[1][:, :, 0] - run.explained(z)[:, 0]
        return mean.mean(axis=0), mean.reshape(-1, 2, mean.shape[1]).mean(axis=0)

    with Crew(available_threads(), lambda: None) as crew:
        means = crew.map(one, range(repeats * BATCHES), [run])
    whole = np.stack([m for m, _ in means]).reshape(repeats, BATCHES, -1)
    halves = np.stack([h for _, h in means]).reshape(repeats, BATCHES, 2, -1)
    parted_means = (halves[:, :, 0] + np.roll(halves[:, :, 1], 1, axis=1)) / 2
    return whole, parted_means


def rms(batches: NDArray[np.float64], ideal: float) -> float:
    """Of the deviations of means of batches (repeats, batches, T) over their errors."""
    mean = batches.mean(axis=1)
    error = batches.std(axis=1, ddof=1) / np.sqrt(batches.shape[1])
    z = ((mean - mean.mean(axis=0)) / error)[:, 1:]
    return float(np.sqrt(np.mean(z**2))) / ideal


def controls(made: Made, repeats: int) -> float:
    """The same of steady states with controls."""
    text, readouts = _text(made)
    _, times, _, dt = made
    later = np.linspace(0, 2 * float(times[-1]), 33)
    everything = late(text.given, readouts, later, dt, Request(repeats * TRAJECTORIES, 1, True))
    means, errors = [], []
    for k in range(repeats):
        some = slice(k * TRAJECTORIES, (k + 1) * TRAJECTORIES)
        values, found = everything.values[some], everything.controls[some]
        halves = np.arange(len(values)) % 2
        # fitted on the averages themselves
        part = Late(values, found, values, found, halves, halves, everything.counts[:1])
        out = control(part).values[:, 0]
        means.append(out.mean())
        errors.append(out.std(ddof=1) / np.sqrt(len(out)))
    z = (np.array(means) - np.mean(means)) / np.array(errors)
    return float(np.sqrt(np.mean(z**2)))


def main() -> int:
    """Print the table; 1 if a number is out of bounds, or the control is not."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 1600
    chosen = sys.argv[2] if len(sys.argv) > 2 else ""
    bad = 0
    print(f"| {repeats} repeats | rms z over its ideal | partners parted |\n|---|---|---|")
    for name, make in CASES.items():
        for some, degree in TECHNIQUES:
            if chosen not in f"{name} {some}":
                continue
            whole, parted = nets(make(), repeats, some, degree)
            good, wrong = (rms(x, float(np.sqrt(31 / 29))) for x in (whole, parted))
            bad += not LOW <= good <= HIGH
            bad += degree == 0 and LOW <= wrong <= HIGH
            text = f"{name}: {some} directions" + (", polynomials" if degree else "")
            print(f"| {text} | {good:.3f} | {wrong:.3f} |", flush=True)
    if chosen not in "controls":
        return int(bad > 0)
    good = controls(laser(200), repeats // 4)
    bad += not LOW <= good <= HIGH
    print(f"| controls: laser, N = 200, {repeats // 4} repeats | {good:.3f} | |")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
