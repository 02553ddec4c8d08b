r"""Central spin, population and steady state: Hosseinabadi, Chelpanova and Marino, Fig. 4.

.. math:: H = \frac\omega2\tau^z + \frac\epsilon2\sum_i\sigma^z_i
    + \frac{g}{\sqrt N}\sum_i(\tau^+\sigma^-_i + \tau^-\sigma^+_i)

with decay kappa of the central spin, decay and pump of every satellite; central spin down, N = 30
satellites up; the inset shows the steady state against N (parameters of the caption; numbers of
satellites and the range of time are chosen here). Exact curves are block density matrices of one
ensemble and one spin, and null vectors of the Lindbladian. TWA with the satellites as spins of
fixed length, as in the paper, and as one ensemble, which is an expansion in 1/N and off at small N.
Second-order cumulants end at the wrong value for every N; mean field never leaves the start.

Steps of 0.01/omega: steps twice as long or half as long change no curve beyond its sampling error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from .contract import Asked, Axes, Check, Data, Drawing, Say, in_title, judged
from .data import add_steady, axis, dataset, deviation_at, time_axis
from .drawing import above_and_below, band, deviation
from .hosseinabadi import FORMS, PAPER, add_runs, central_spin, circles, line, options

TITLE = "Population of a central spin with 30 satellites, and its steady state against N"
SOURCE = f"{PAPER}, Fig. 4"
N = 30
PARAMETERS = {"omega": 1.0, "epsilon": 1.0, "kappa": 1.0, "g": 3.0, "loss": 0.5, "pump": 1.5}
SIZES = (2, 4, 7, 12, 20, 30, 50, 80)
LAST = 5.0
STEP = 0.01
#: Trajectories of a steady state, each with its average over time.
STEADY = 6_000
#: Largest deviation of the steady population.
REQUIRED = 0.01
SAMPLED = ("spins", "bloch")


def make(asked: Asked) -> Data:
    """Population by both forms of TWA (10^5 trajectories), cumulants, mean field, exactly."""
    sizes = (2, 30) if asked.quick else SIZES
    coordinates = time_axis(LAST, 101, "ωt") | axis("N", list(sizes), "satellites N", "N")
    data = dataset(coordinates, quick=int(asked.quick), **PARAMETERS)
    sampling = asked.sampling(asked.many(100_000, 5_000), 0.04 if asked.quick else STEP)
    each = f"{sampling['ntraj']} trajectories in two forms, cumulants, mean field, exact"
    asked.say(f"N = {N}: {each}")
    for together, keys in ((True, ("exact", "ce", "mf", "bloch")), (False, ("spins",))):
        spin, model = central_spin(N, **PARAMETERS, together=together)
        quantities = {"population": (f"population, N = {N}", spin.sp * spin.sm)}
        methods = options(keys, sampling)
        add_runs(data, "time", data["time"].values, model, quantities, methods, N=N)
    sampling["ntraj"] = asked.many(min(sampling["ntraj"], STEADY))
    _steady(data, sampling, asked.say)
    return data


def _steady(data: Data, sampling: dict[str, Any], say: Say) -> None:
    """Steady populations against N; trajectories count with their average over time."""
    found: dict[str, list[Any]] = {key: [] for key in ("exact", "ce", *SAMPLED)}
    for size in data["N"].values:
        say(f"N = {size}: steady state, {sampling['ntraj']} trajectories")
        for key, runs in found.items():
            spin, model = central_spin(int(size), **PARAMETERS, together=key != "spins")
            e_ops = {"population": spin.sp * spin.sm}
            runs.append(wf.steady_state(model, e_ops, **options([key], sampling)[key]))
    for key, runs in found.items():
        add_steady(
            data, f"steady_{key}", "N", runs, "population", reference="steady_exact",
            label=f"steady population, {FORMS[key][0]}",
            **({"required": REQUIRED} if key == "spins" else {}),
        )  # fmt: skip


def checks(data: Data) -> list[Check]:
    """The steady state at N = 30; cumulants miss it at every N."""
    out = []
    at = int(np.flatnonzero(data["N"].values == N)[0])
    for key in SAMPLED:
        what = f"steady population, N = {N}, {FORMS[key][0]}: deviation"
        out.append(judged(what, *deviation_at(data, f"steady_{key}", at), at_most=REQUIRED))
    wrong = float(np.abs(data["steady_ce"] - data["steady_exact"]).min())
    what = f"steady population, {FORMS['ce'][0]}: smallest deviation over N"
    out.append(Check(what, wrong, None, "above 0.03, as in the paper", wrong > 0.03))
    return out


def draw(data: Data) -> Drawing:
    """Population with the inset of steady states; deviations below."""
    figure, ((upper,), (lower,)) = above_and_below(7.6, 6.8, ratio=2.4)
    for key in SAMPLED:
        label, colour = FORMS[key]
        band(upper, data, f"population_{key}", colour, linewidth=2.2, label=label)
        deviation(lower, data, f"population_{key}", colour)
    circles(upper, data, "population_exact", 2, label="exact", markersize=4)
    for key in ("ce", "mf"):
        line(upper, data, f"population_{key}", key)
    upper.set(xlim=(0, LAST), ylim=(-0.02, 1), ylabel=r"population of the central spin")
    upper.legend(loc="upper right")
    _inset(upper.inset_axes((0.45, 0.12, 0.53, 0.36)), data)
    lower.axhspan(-REQUIRED, REQUIRED, color="0.93", linewidth=0, zorder=0)
    lower.set(xlabel=r"time  $\omega t$", ylabel=r"TWA $-$ exact")
    ntraj = in_title(data["population_spins"].attrs["ntraj"])
    figure.suptitle(
        rf"Central spin and $N = {N}$ satellites;  TWA with {ntraj} trajectories, "
        "bands: one standard error"
    )
    return figure


def _inset(ax: Axes, data: Data) -> None:
    x = data["N"].values
    for key, marker in zip(SAMPLED, "sD", strict=True):
        y, error = data[f"steady_{key}"].values, data[f"steady_{key}_sem"].values
        ax.errorbar(x, y, error, fmt=marker, color=FORMS[key][1], markersize=4)
    ax.plot(x, data["steady_ce"].values, "x--", color=FORMS["ce"][1], linewidth=1.0, markersize=5)
    ax.plot(x, data["steady_exact"].values, "o--", color=FORMS["exact"][1], linewidth=1.0,
            markersize=5.5, fillstyle="none")  # fmt: skip
    ax.set(xscale="log")
    ax.set_xticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.tick_params(labelsize=9)
    ax.set_xlabel(r"satellites $N$", fontsize=9, labelpad=1)
    ax.set_ylabel("steady state", fontsize=9)
