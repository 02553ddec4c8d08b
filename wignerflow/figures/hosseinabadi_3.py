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

from typing import Any

import numpy as np

from .contract import Asked, Check, Data, Drawing, judged
from .data import dataset, difference, largest, time_axis
from .drawing import above_and_below, band, deviation, titled
from .hosseinabadi import FORMS, PAPER, add_runs, circles, line, options, tavis_cummings

TITLE = "Photon number of the Tavis-Cummings laser, N = 15, and N = 12 without pump"
SOURCE = f"{PAPER}, Fig. 3"
LIVE = "live-tavis_cummings"
#: By number of emitters: parameters in units of omega.
PARAMETERS: dict[int, dict[str, Any]] = {
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


def make(asked: Asked) -> Data:
    """Photon number by three forms of TWA (2 x 10^5 trajectories), cumulants, mean field, exact."""
    coordinates: dict[str, Any] = {}
    for name, last in TIMES.values():
        coordinates |= time_axis(last, 101, "ωt", name)
    data = dataset(coordinates, initial="vacuum, emitters up")
    sampling = asked.sampling(asked.many(200_000, 5_000), 0.1 if asked.quick else STEP)
    each = f"{sampling['ntraj']} trajectories in three forms, cumulants, mean field, exact"
    for N, parameters in PARAMETERS.items():
        asked.say(f"N = {N}: {each}")
        dim, stem = TIMES[N][0], f"photons_N{N}"
        required = {f"{stem}_{key}": REQUIRED for key in SAMPLED} if N == 15 else {}
        for together, keys in (
            (True, ("exact", "ce", "mf", "bloch")),
            (False, ("spins", "linear")),
        ):
            mode, model = tavis_cummings(N, **parameters, together=together)
            add_runs(
                data, dim, data[dim].values, model, {stem: (f"photon number, N = {N}", mode.n)},
                options(keys, sampling), required, N=N, **parameters,
            )  # fmt: skip
    return data


def checks(data: Data) -> list[Check]:
    """Deviations of the photon number per emitter, as the paper plots it; cumulants fail."""
    out = []
    late = data["time"].values >= 12
    for key in (*SAMPLED, "ce"):
        what = f"photons per emitter, N = 15, {FORMS[key][0]}"
        if key == "ce":
            change = (data["photons_N15_ce"] - data["photons_N15_exact"]).values / 15
            for when, values in ((LARGEST, change), (LATE, change[late])):
                wrong, required = float(np.abs(values).max()), "above 0.01, as in the paper"
                out.append(Check(f"{what}: {when}", wrong, None, required, wrong > 0.01))
            continue
        change, error = (part / 15 for part in difference(data, f"photons_N15_{key}"))
        for when, some in ((LARGEST, slice(None)), (LATE, late)):
            _, value, sem = largest(change[some], error[some])
            out.append(judged(f"{what}: {when}", value, sem, at_most=0.01))
    return out


def draw(data: Data) -> Drawing:
    """Photons per emitter with the inset; below, deviations of both numbers of emitters."""
    figure, ((upper,), (lower,)) = above_and_below(7.6, 6.8, ratio=2.4)
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
    upper.set_ylabel(r"photons per emitter  $\langle a^\dagger a\rangle / N$")
    lower.set(xlabel=r"time  $\omega t$", ylabel=r"$\langle a^\dagger a\rangle$, TWA $-$ exact")
    upper.set_ylim(-0.006, 0.26)
    upper.legend(loc="lower right", bbox_to_anchor=(1.0, 0.02))
    titled(figure, data, r"Tavis-Cummings laser, $N = 15$")
    return figure
