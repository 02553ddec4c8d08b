r"""Tavis-Cummings laser, photon number over time: Hosseinabadi, Chelpanova and Marino, Fig. 3.

.. math:: H = \omega a^\dagger a + \frac\epsilon2\sum_i\sigma^z_i
    + \frac{g}{\sqrt N}\sum_i(a^\dagger\sigma^-_i + a\,\sigma^+_i)

with photon loss kappa, decay and pump of every emitter; photonic vacuum, emitters inverted. N = 15
with the pump, and N = 12 without in the inset (parameters of the caption; the ranges of time are
chosen here, the caption names none). Exact curves are block density matrices of one ensemble and
the mode. TWA in three forms: the emitters as spins, of fixed length as in the paper and in the
Bloch form, and as one ensemble, at a cost that does not depend on N. Means under decay and pump
alone are exact in the last two only, and the paper's form is too low by a twentieth around the
maximum (an independent integration of its Eqs. (29)-(32) gives the same). Second-order cumulants
overshoot, and in the inset turn unphysical. Mean field never leaves the start, an unstable fixed
point.

Steps of 0.0125/omega: steps twice as long change the photon number of the paper's form by
0.01 at most, and that of one ensemble by less than its sampling error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..plot import new_figure
from .contract import Check, Figure, Say, dataset, difference, in_title, keeps, sampling_of, silent
from .hosseinabadi import (
    FORMS,
    PAPER,
    add_methods,
    band,
    circles,
    deviation,
    line,
    solved,
    tavis_cummings,
    time_coordinate,
)

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

SOURCE = f"{PAPER}, Fig. 3"
#: By number of emitters: parameters in units of omega.
PARAMETERS: dict[int, dict[str, float]] = {
    15: {"omega": 1, "epsilon": 1, "kappa": 1, "g": 0.9, "loss": 1 / 8, "pump": 3 / 8},
    12: {"omega": 1, "epsilon": 0.5, "kappa": 1, "g": 1.7, "loss": 0.25, "pump": 0.0},
}
#: By number of emitters: coordinate and last time.
TIMES = {15: ("time", 15.0), 12: ("time12", 10.0)}
STEP = 0.0125
#: Largest deviation of the photon number at all times.
REQUIRED = 0.05
SAMPLED = ("spins", "linear", "bloch")
LARGEST, LATE = "largest deviation", "from ωt = 12 on"


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """Photon number by three forms of TWA (2 x 10^5 trajectories), cumulants, mean field, exact."""
    count = (5_000 if quick else 200_000) if ntraj is None else ntraj
    coordinates: dict[str, Any] = {}
    for name, last in TIMES.values():
        coordinates |= time_coordinate(name, last, 101, "ωt")
    data = dataset("hosseinabadi-3", SOURCE, coordinates, initial="vacuum, emitters up")
    sampling = sampling_of(count, seed, threads, 0.1 if quick else STEP)
    for N, parameters in PARAMETERS.items():
        say(f"N = {N}: {count} trajectories in three forms, cumulants, mean field, exact")
        dim = TIMES[N][0]
        results = {}
        for key in ("exact", "ce", "mf", *SAMPLED):
            mode, model = tavis_cummings(N, **parameters, together=key not in ("spins", "linear"))
            results[key] = solved(key, model, data[dim].values, {"photons": mode.n}, sampling)
        add_methods(
            data, f"photons_N{N}", dim, results, "photons", f"photon number, N = {N}",
            dict.fromkeys(SAMPLED, REQUIRED) if N == 15 else None, N=N, **parameters,
        )  # fmt: skip
    return data


def checks(data: xarray.Dataset) -> list[Check]:
    """Deviations of the photon number per emitter, as the paper plots it; cumulants fail."""
    out = []
    late = data["time"].values >= 12
    for key in SAMPLED:
        change, error = difference(data, f"photons_N15_{key}")
        for what, values in ((LARGEST, change), (LATE, change[late])):
            k = int(np.argmax(np.abs(values)))
            value, sem = abs(float(values[k])) / 15, float(error[-values.size :][k]) / 15
            out.append(
                Check(
                    f"photons per emitter, N = 15, {FORMS[key][0]}: {what}",
                    value,
                    sem,
                    "at most 0.01",
                    keeps(value, sem, 0.01),
                )
            )
    wrong = (data["photons_N15_ce"] - data["photons_N15_exact"]).values / 15
    for what, value in ((LARGEST, np.abs(wrong).max()), (LATE, np.abs(wrong[late]).max())):
        out.append(
            Check(
                f"photons per emitter, N = 15, {FORMS['ce'][0]}: {what}",
                float(value),
                None,
                "above 0.01, as in the paper",
                bool(value > 0.01),
            )
        )
    return out


def draw(data: xarray.Dataset) -> Drawing:
    """Photons per emitter with the inset; below, deviations of both numbers of emitters."""
    figure, axes = new_figure(2, 1, gridspec_kw={"height_ratios": [2.4, 1]}, sharex=True)
    figure.set_size_inches(7.6, 6.8)
    upper, lower = axes[:, 0]
    inset = upper.inset_axes((0.6, 0.62, 0.39, 0.35))
    for ax, N in ((upper, 15), (inset, 12)):
        dim = TIMES[N][0]
        for key in SAMPLED:
            label, colour = FORMS[key]
            wide = 2.2 if N == 15 else 1.6
            band(ax, data, f"photons_N{N}_{key}", colour, 1 / N, linewidth=wide, label=label)
        circles(ax, data, f"photons_N{N}_exact", 2, 1 / N, label="exact", markersize=4)
        for key in ("ce", "mf"):
            line(ax, data, f"photons_N{N}_{key}", key, 1 / N)
        ax.set(xlim=(0, data[dim].values[-1]), ylim=(-0.006, None))
    inset.set_title(r"$N = 12$, no pump", fontsize=10)
    inset.tick_params(labelsize=9)
    inset.set_xlabel(r"$\omega t$", fontsize=9, labelpad=1)
    for key in SAMPLED:
        deviation(lower, data, f"photons_N15_{key}", FORMS[key][1])
    lower.axhspan(-REQUIRED, REQUIRED, color="0.93", linewidth=0, zorder=0)
    lower.axhline(0, color="0.1", linewidth=0.9, linestyle="--")
    upper.set_ylabel(r"photons per emitter  $\langle a^\dagger a\rangle / N$")
    lower.set(xlabel=r"time  $\omega t$", ylabel=r"$\langle a^\dagger a\rangle$, TWA $-$ exact")
    upper.set_ylim(-0.006, 0.26)
    upper.legend(loc="lower right", bbox_to_anchor=(1.0, 0.02))
    ntraj = data["photons_N15_spins"].attrs["ntraj"]
    figure.suptitle(
        rf"Tavis-Cummings laser, $N = 15$;  TWA, {in_title(ntraj)} trajectories, "
        "bands: one standard error",
        fontsize=12,
    )
    return figure


FIGURE = Figure(
    "hosseinabadi-3",
    "Photon number of the Tavis-Cummings laser, N = 15, and N = 12 without pump",
    SOURCE,
    make,
    draw,
    checks,
    live="live-tavis_cummings",
)
