r"""Spin squeezing with dephasing: Huber, Fig. 6.

H = (g/2S) S_x^2, plain rate 2 Gamma_phi on S_z, all down; xi^2 of Wineland.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import wignerflow as wf

from ..plot import new_figure
from .contract import Figure, Say, dataset, sampling_of, silent
from .huber import METHODS, PAPER, add_spin, spin_model, time_axis

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

SOURCE = f"{PAPER}, Fig. 6"
SPINS = (10, 100)
RATES = (0.0, 0.25, 0.5, 1.0)
KEYS = ("w", "c", "bloch")


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """xi^2 against time for every rate."""
    times, coordinates = time_axis(5.0, 51, "gt")
    data = dataset("huber-6", SOURCE, coordinates, g=1.0, initial="all down")
    sampling = sampling_of(ntraj or (2_000 if quick else 50_000), seed, threads, 0.005)
    for S in (10,) if quick else SPINS:
        for i, rate in enumerate(RATES):
            spin, model = spin_model(S, dephasing=rate, twist=1.0, initial=wf.down)
            add_spin(
                data, spin, model, {f"xi{i}": (f"ξ², Γφ/g = {rate:g}", wf.WinelandSqueezing(spin))},
                f"S = {S}", times, KEYS, suffix=f"S{S}", say=say, **sampling,
            )  # fmt: skip
    return data


def draw(data: xarray.Dataset) -> Drawing:
    """Both spins; relative deviations below."""
    spins = [S for S in SPINS if f"xi0_exact_S{S}" in data]
    figure, axes = new_figure(2, len(spins), sharex=True, gridspec_kw={"height_ratios": [2, 1]})
    figure.set_size_inches(5.6 * len(spins) + 0.8, 6.8)
    t = data["time"].values
    shades = ("0.1", "0.35", "0.5", "0.65")
    for column, S in enumerate(spins):
        upper, lower = axes[:, column]
        for i, shade in enumerate(shades):
            exact = data[f"xi{i}_exact_S{S}"].values
            upper.plot(t, exact, color=shade, linewidth=1.8, label="exact" if i == 0 else None)
            for key in KEYS:
                label, _, marker, colour = METHODS[key]
                y = data[f"xi{i}_{key}_S{S}"].values
                offset = list(METHODS).index(key) % 3
                upper.plot(t[offset::4], y[offset::4], marker, color=colour, markersize=4.5,
                           fillstyle="none", label=label if i == 0 else None)  # fmt: skip
                lower.plot(t, y / exact - 1, color=colour, linewidth=1.1, alpha=1 - 0.2 * i)
        upper.set(yscale="log", title=f"S = {S}")
        lower.axhline(0, color="black", linewidth=0.9, linestyle="--")
        lower.set(xlabel=r"time  $gt$", ylim=(-0.2, 0.2))
    axes[0, 0].set_ylabel(r"squeezing  $\xi^2$")
    axes[1, 0].set_ylabel("method/exact − 1")
    axes[0, 0].legend()
    figure.suptitle(
        r"Spin squeezing with dephasing: $\Gamma_\phi/g = 0, 0.25, 0.5, 1$ (dark to light)",
        fontsize=13,
    )
    return figure


FIGURE = Figure("huber-6", "Spin squeezing with dephasing", SOURCE, make, draw)
