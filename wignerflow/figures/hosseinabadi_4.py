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

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import new_figure
from .contract import Check, Figure, Say, dataset, difference, in_title, keeps, sampling_of, silent
from .hosseinabadi import (
    DETERMINISTIC,
    FORMS,
    METHODS,
    PAPER,
    add_methods,
    band,
    central_spin,
    circles,
    deviation,
    line,
    solved,
    time_coordinate,
)

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

SOURCE = f"{PAPER}, Fig. 4"
N = 30
PARAMETERS: dict[str, float] = {
    "omega": 1,
    "epsilon": 1,
    "kappa": 1,
    "g": 3,
    "loss": 0.5,
    "pump": 1.5,
}
SIZES = (2, 4, 7, 12, 20, 30, 50, 80)
LAST = 5.0
STEP = 0.01
#: Trajectories of a steady state, each with its average over time.
STEADY = 6_000
#: Largest deviation of the steady population.
REQUIRED = 0.01
SAMPLED = ("spins", "bloch")


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """Population by both forms of TWA (10^5 trajectories), cumulants, mean field, exactly."""
    sizes = (2, 30) if quick else SIZES
    count = (5_000 if quick else 100_000) if ntraj is None else ntraj
    facts = {"long_name": "satellites N", "symbol": "N", "units": "1"}
    coordinates = time_coordinate("time", LAST, 101, "ωt") | {"N": ("N", list(sizes), facts)}
    data = dataset("hosseinabadi-4", SOURCE, coordinates, quick=int(quick), **PARAMETERS)
    sampling = sampling_of(count, seed, threads, 0.04 if quick else STEP)
    say(f"N = {N}: {count} trajectories in two forms, cumulants, mean field, exact")
    results = {}
    for key in ("exact", "ce", "mf", *SAMPLED):
        spin, model = central_spin(N, **PARAMETERS, together=key != "spins")
        e_ops = {"population": spin.sp * spin.sm}
        results[key] = solved(key, model, data["time"].values, e_ops, sampling)
    add_methods(data, "population", "time", results, "population", f"population, N = {N}", N=N)
    sampling["ntraj"] = min(count, STEADY) if ntraj is None else ntraj
    _steady(data, sampling, say)
    return data


def _steady(data: xarray.Dataset, sampling: dict[str, Any], say: Say) -> None:
    """Steady populations against N; trajectories count with their average over time."""
    found: dict[str, list[Any]] = {key: [] for key in ("exact", "ce", *SAMPLED)}
    for size in data["N"].values:
        say(f"N = {size}: steady state, {sampling['ntraj']} trajectories")
        for key, runs in found.items():
            spin, model = central_spin(int(size), **PARAMETERS, together=key != "spins")
            e_ops = {"population": spin.sp * spin.sm}
            sampled = {} if key in DETERMINISTIC else sampling
            runs.append(wf.steady_state(model, e_ops, METHODS[key], **sampled))
    for key, runs in found.items():
        name, text = f"steady_{key}", f"steady population, {FORMS[key][0]}"
        attrs: dict[str, Any] = {"long_name": text, "units": "1"}
        attrs["method"] = runs[0].method
        values = [float(r.expect["population"]) for r in runs]
        if key in SAMPLED:
            attrs |= {"ntraj": sampling["ntraj"], "seed": str(sampling["seed"])}
            attrs |= {"dt": sampling["dt"], "sem": f"{name}_sem", "reference": "steady_exact"}
            if key == "spins":
                attrs["required"] = REQUIRED
            error = [float(r.sem["population"]) for r in runs]
            data[f"{name}_sem"] = ("N", error, {"long_name": f"{text}, error", "units": "1"})
        data[name] = ("N", values, attrs)


def checks(data: xarray.Dataset) -> list[Check]:
    """The steady state at N = 30; cumulants miss it at every N."""
    out = []
    at = int(np.flatnonzero(data["N"].values == N)[0])
    for key in SAMPLED:
        change, error = difference(data, f"steady_{key}")
        value, sem = abs(float(change[at])), float(error[at])
        what = f"steady population, N = {N}, {FORMS[key][0]}: deviation"
        met = keeps(value, sem, REQUIRED)
        out.append(Check(what, value, sem, f"at most {REQUIRED:g}", met))
    wrong = float(np.abs(data["steady_ce"] - data["steady_exact"]).min())
    what = f"steady population, {FORMS['ce'][0]}: smallest deviation over N"
    out.append(Check(what, wrong, None, "above 0.03, as in the paper", wrong > 0.03))
    return out


def draw(data: xarray.Dataset) -> Drawing:
    """Population with the inset of steady states; deviations below."""
    figure, axes = new_figure(2, 1, gridspec_kw={"height_ratios": [2.4, 1]}, sharex=True)
    figure.set_size_inches(7.6, 6.8)
    upper, lower = axes[:, 0]
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
    lower.axhline(0, color="0.1", linewidth=0.9, linestyle="--")
    lower.set(xlabel=r"time  $\omega t$", ylabel=r"TWA $-$ exact")
    ntraj = data["population_spins"].attrs["ntraj"]
    figure.suptitle(
        rf"Central spin and $N = {N}$ satellites;  TWA with {in_title(ntraj)} trajectories, "
        "bands: one standard error",
        fontsize=12,
    )
    return figure


def _inset(ax: Axes, data: xarray.Dataset) -> None:
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


FIGURE = Figure(
    "hosseinabadi-4",
    "Population of a central spin with 30 satellites, and its steady state against N",
    SOURCE,
    make,
    draw,
    checks,
)
