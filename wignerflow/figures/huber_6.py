r"""Spin squeezing with dephasing: Huber, Fig. 6.

H = (g/2S) S_x^2, plain rate 2 Gamma_phi on S_z, all down; xi^2 of Wineland.
"""

from __future__ import annotations

import wignerflow as wf

from .contract import Asked, Data, Drawing
from .data import dataset, time_axis
from .drawing import above_and_below
from .huber import METHODS, PAPER, add_spin, marked, spin_model

TITLE = "Spin squeezing with dephasing"
SOURCE = f"{PAPER}, Fig. 6"
SPINS = (10, 100)
RATES = (0.0, 0.25, 0.5, 1.0)
KEYS = ("w", "c", "bloch")


def make(asked: Asked) -> Data:
    """xi^2 against time for every rate."""
    data = dataset(time_axis(5.0, 51, "gt"), g=1.0, initial="all down")
    sampling = asked.sampling(asked.many(50_000, 2_000), 0.005)
    for S in (10,) if asked.quick else SPINS:
        for i, rate in enumerate(RATES):
            spin, model = spin_model(S, dephasing=rate, twist=1.0, initial=wf.down)
            e_ops = {f"xi{i}": (f"ξ², Γφ/g = {rate:g}", wf.WinelandSqueezing(spin))}
            add_spin(data, spin, model, e_ops, asked, KEYS, **sampling)
    return data


def draw(data: Data) -> Drawing:
    """Both spins; relative deviations below."""
    spins = [S for S in SPINS if f"xi0_exact_S{S}" in data]
    figure, axes = above_and_below(5.6 * len(spins) + 0.8, 6.8, len(spins), ratio=2.0)
    t = data["time"].values
    shades = ("0.1", "0.35", "0.5", "0.65")
    for column, S in enumerate(spins):
        upper, lower = axes[:, column]
        for i, shade in enumerate(shades):
            exact = data[f"xi{i}_exact_S{S}"].values
            upper.plot(t, exact, color=shade, linewidth=1.8, label="exact" if i == 0 else None)
            for key in KEYS:
                label, _, _, colour = METHODS[key]
                y = data[f"xi{i}_{key}_S{S}"].values
                some = slice(list(METHODS).index(key) % 3, None, 4)
                marked(upper, t[some], y[some], key, label=label if i == 0 else None)
                lower.plot(t, y / exact - 1, color=colour, linewidth=1.1, alpha=1 - 0.2 * i)
        upper.set(yscale="log", title=f"S = {S}")
        lower.set(xlabel=r"time  $gt$", ylim=(-0.2, 0.2))
    axes[0, 0].set_ylabel(r"squeezing  $\xi^2$")
    axes[1, 0].set_ylabel("method/exact − 1")
    axes[0, 0].legend()
    figure.suptitle(
        r"Spin squeezing with dephasing: $\Gamma_\phi/g = 0, 0.25, 0.5, 1$ (dark to light)"
    )
    return figure
