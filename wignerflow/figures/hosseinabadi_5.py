r"""Rydberg ring from the ground state, four drives: Hosseinabadi, Chelpanova and Marino, Fig. 5.

.. math:: H = \Omega\sum_i\sigma^x_i + \frac J4\sum_i(1 + \sigma^z_i)(1 + \sigma^z_{i+1})

with ten atoms and periodic boundaries, decay and dephasing of 0.1 J each (the caption's), all down.
The drives are chosen here (the text says that TWA agrees from Omega/J of about 0.1 on). Exact
curves are density matrices of all 2^10 states, most of the figure's five minutes of one core.
Cumulants are those of second order. Clusters of two neighbours, beyond the paper, are exact inside
a pair: better but at the weakest drive.

Steps of 0.02/J; ones five times as long change curves of the strongest drive by 0.02, of pairs by
0.06, and those of the weakest by less than their sampling errors.
"""

from __future__ import annotations

from typing import Any

from ..plot import COLOURS
from .contract import Asked, Data, Drawing
from .data import dataset, time_axis
from .drawing import above_and_below, band, deviation, titled
from .hosseinabadi import FORMS, PAPER, add_runs, circles, line, options, rydberg_ring

TITLE = "Inversion of a Rydberg ring for four drives"
SOURCE = f"{PAPER}, Fig. 5"
N = 10
DRIVES = (0.1, 0.5, 1.0, 2.0)
RATES: dict[str, Any] = {"J": 1.0, "loss": 0.1, "dephasing": 0.1}
LAST = 20.0
STEP = 0.02
#: Largest deviation of the inversion: what the eye sees in the paper's figure.
REQUIRED = 0.06


def make(asked: Asked) -> Data:
    """Inversion by TWA of spins and of pairs (2 x 10^4 trajectories), cumulants and exact.

    Six atoms where quick.
    """
    size = 6 if asked.quick else N
    data = dataset(time_axis(LAST, 201, "Jt"), N=size, initial="down", **RATES)
    sampling = asked.sampling(asked.many(20_000, 2_000), 2 * STEP if asked.quick else STEP)
    for k, drive in enumerate(DRIVES):
        asked.say(f"Ω/J = {drive:g}: {sampling['ntraj']} trajectories, cumulants, exact")
        z, model = rydberg_ring(size, Omega=drive, **RATES)
        quantities = {f"inversion{k}": (f"⟨σᶻ⟩, Ω/J = {drive:g}", z.sum() / size)}
        methods = options(("exact", "ce", "spins", "pairs"), sampling)
        required = {f"inversion{k}_spins": REQUIRED}
        times = data["time"].values
        add_runs(data, "time", times, model, quantities, methods, required, Omega=drive)
    return data


def draw(data: Data) -> Drawing:
    """Inversion above; deviations of TWA and of cumulants below."""
    figure, ((upper,), (lower,)) = above_and_below(7.6, 7.2, ratio=1.75)
    t = data["time"].values
    for k, (drive, colour) in enumerate(zip(DRIVES, COLOURS, strict=False)):
        name = f"inversion{k}"
        band(upper, data, f"{name}_spins", colour, label=rf"TWA, $\Omega/J = {drive:g}$")
        dark: dict[str, Any] = {"color": "0.25", "linewidth": 1.1}
        line(upper, data, f"{name}_ce", "ce", label="cumulants" if k == 3 else None, **dark)
        circles(upper, data, f"{name}_exact", 4, label="exact" if k == 3 else None, markersize=3.8)
        deviation(lower, data, f"{name}_spins", colour)
        deviation(lower, data, f"{name}_pairs", colour, linestyle="-.")
        wrong = data[f"{name}_ce"].values - data[f"{name}_exact"].values
        lower.plot(t, wrong, "--", color=colour, linewidth=1.0)
    upper.set(xlim=(0, LAST), ylim=(-1.04, 1.0), ylabel=r"inversion  $\langle\sigma^z\rangle$")
    lower.set(xlabel=r"time  $Jt$", ylabel="method − exact")
    lower.plot([], [], color="0.4", label=FORMS["spins"][0])
    lower.plot([], [], "-.", color="0.4", label=FORMS["pairs"][0])
    lower.plot([], [], "--", color="0.4", linewidth=1.0, label=FORMS["ce"][0])
    lower.set_ylim(top=0.1)
    upper.legend(loc="upper right", ncols=2)
    lower.legend(loc="upper right", ncols=2)
    text = rf"Rydberg ring, $N = {data.attrs['N']}$, $\gamma_\downarrow = \kappa = 0.1\,J$"
    titled(figure, data, text)
    return figure
