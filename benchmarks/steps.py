"""What halving the step changes: the table of docs/precision.md.

    python benchmarks/steps.py            print it
    python benchmarks/steps.py --write    put it into docs/precision.md, between its marks

The superradiant laser of ruks-2a, N Gamma t from 0 to 20, by the truncated Wigner approximation at
a step and at half of it, where the coarse noise is the sum of the fine noise. Half a minute of a
core.
"""

from __future__ import annotations

import numpy as np
from pages import command

import wignerflow as wf
from wignerflow.figures.ruks import laser
from wignerflow.figures.ruks_2a import PUMP
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText, Readout
from wignerflow.run.pilot import halved

PAGE = "docs/precision.md"
NUMBERS = (10, 25, 100)
STEPS = (0.2, 0.1, 0.05, 0.025, 0.0125)
NTRAJ, SEED = 100_000, 7


def changes(N: int) -> list[float]:
    """Largest change over time of the mean of J+J-/N^2 when each of ``STEPS`` is halved."""
    atoms, model = laser(N, PUMP * N)
    times = np.linspace(0, 20 / N, 51)
    system, symbols = wf.TWA().lower(model, {"e": atoms.Jp * atoms.Jm / N**2}, times)
    text = KernelText(system, [Readout(symbols["e"], False)])
    out = []
    for step in STEPS:
        coarse = Grid.make(times, step / N)
        means = []
        for grid, draws in zip((coarse, halved(coarse)), text.pilot_draws, strict=True):
            kernel = CpuKernel(text, grid, single=True, batched=np.arange(text.channels))
            run = kernel.simulate(0, -(-NTRAJ // kernel.lanes), NTRAJ, SEED, draws=draws)
            means.append(run.batch_sum[..., 0].sum(axis=(0, 2)) / run.count.sum(axis=0))
        out.append(float(np.abs(means[0] - means[1]).max()))
    return out


def _two_digits(x: float) -> str:
    return np.format_float_positional(float(f"{x:.1e}"), trim="-")


def table() -> str:
    """A line per step, a column per N."""
    columns = [changes(N) for N in NUMBERS]
    lines = ["| N Γ dt | ⟨J⁺J⁻⟩/N², N = 10 | N = 25 | N = 100 |", "|---|---|---|---|"]
    for step, *row in zip(STEPS, *columns, strict=True):
        lines.append(f"| {step:g} | " + " | ".join(_two_digits(x) for x in row) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    command(__doc__, PAGE, {"steps": table})
