r"""Squeezing and subradiance under weak pumping: Ruks, Fig. 2(b).

The model of Fig. 2(a) with N = 25 and pump gamma = 0.4 Gamma. Shown are Tóth's generalised
squeezing parameter and the emission relative to independent emitters,

.. math:: \xi^2 = \langle(\Delta J_x)^2 + (\Delta J_y)^2 + (\Delta J_z)^2\rangle / (N/2), \qquad
    s = \langle J^+J^-\rangle / \langle J_z + N/2\rangle,

with jackknife errors. The truncated Wigner approximation is an expansion in the inverse spin length
and is worst where :math:`\langle J^+J^-\rangle` is of order one.
"""

from __future__ import annotations

import numpy as np

import wignerflow as wf

from ..plot import COLOURS
from .contract import Asked, Axes, Check, Data, Drawing, judged
from .data import EXACT, add_runs, axis, dataset, difference, largest
from .drawing import above_and_below, band, deviation, exact, titled
from .ruks import PAPER, laser, light_and_inversion

TITLE = "Squeezing and subradiance for N = 25 under weak pumping"
SOURCE = f"{PAPER}, Fig. 2(b)"
N = 25
PUMP = 0.4
LAST = 8.0
#: N Gamma dt = 0.025: the step error is a tenth of the deviations shown.
STEP = 1e-3
#: Largest deviation of both curves where the emitters radiate less than independent ones.
REQUIRED = 0.05
LABELS = {
    "squeezing": "squeezing ξ²",
    "subradiance": "subradiance s",
    "emission": "emission ⟨J⁺J⁻⟩/N²",
    "inversion": "inversion ⟨Jz⟩/N",
}


def make(asked: Asked) -> Data:
    """Both parameters by TWA (10^5 trajectories) and exactly, to Gamma t = 8."""
    how = asked.sampling(asked.many(100_000, 10_000), STEP)
    times = np.concatenate([[0.0], np.geomspace(0.01, LAST, 119)])
    facts = {"Gamma": 1.0, "pump": PUMP, "N": N, "initial": "all up"}
    data = dataset(axis("time", times, "time Gamma t", "Γt"), **facts)
    atoms, model = laser(N, PUMP)
    ops = {"squeezing": wf.Squeezing(atoms), "subradiance": wf.Subradiance(atoms)}
    ops |= light_and_inversion(atoms)
    quantities = {name: (LABELS[name], op) for name, op in ops.items()}
    asked.say(f"N = {N}: {how['ntraj']} trajectories, exact populations")
    methods, required = {"twa": how, "exact": EXACT}, {"squeezing_twa": REQUIRED}
    add_runs(data, "time", times, model, quantities, methods, required, N=N)
    return data


def checks(data: Data) -> list[Check]:
    """The subradiant stage apart: during the burst before it, s itself is above ten."""
    change, error = difference(data, "subradiance_twa")
    quiet = data["subradiance_exact"].values < 1
    k, value, sem = largest(np.where(quiet, change, 0), error)
    what = f"largest deviation of s where s < 1 (at Γt = {float(data['time'][k]):.2g})"
    return [judged(what, value, sem, at_most=REQUIRED)]


def draw(data: Data) -> Drawing:
    """Curves above, TWA minus exact below; grey where the method is at its limit."""
    figure, axes = above_and_below(11.5, 6.4, columns=2)
    for column, (quantity, colour) in enumerate(
        zip(("squeezing", "subradiance"), COLOURS, strict=False)
    ):
        upper, lower = axes[:, column]
        band(upper, data, f"{quantity}_twa", colour, first=1, label="TWA")
        exact(upper, data, f"{quantity}_exact", first=1, label="exact")
        deviation(lower, data, f"{quantity}_twa", colour, first=1)
        upper.axhline(1, color="0.4", linewidth=0.9, linestyle=":")
        lower.set_xlabel(r"time  $\Gamma t$")
        for ax in (upper, lower):
            _limit(ax, data)
    axes[0, 0].set_ylabel(r"squeezing  $\xi^2$")
    axes[0, 1].set_ylabel(r"subradiance  $s$")
    axes[1, 0].set_ylabel(r"TWA $-$ exact")
    axes[0, 0].set(xscale="log", xlim=(0.01, LAST), yscale="log")
    axes[0, 1].set_yscale("log")
    axes[0, 0].annotate("entangled below", (0.0112, 0.97), va="top", color="0.3", fontsize=10)
    axes[0, 1].annotate("subradiant below", (0.0112, 0.93), va="top", color="0.3", fontsize=10)
    for ax in axes[0]:
        ax.yaxis.set_major_formatter("{x:g}")
    axes[0, 0].xaxis.set_major_formatter("{x:g}")
    axes[0, 0].legend(loc="upper left")
    titled(figure, data, rf"$N = {N}$ emitters, all up, weak local pumping $\gamma = 0.4\,\Gamma$")
    return figure


def _limit(ax: Axes, data: Data) -> None:
    """Grey where <J+J-> is below two."""
    t, emission = data["time"].values, data["emission_exact"].values * N**2
    low = t[emission < 2]
    if low.size:
        ax.axvspan(low[0], low[-1], color="0.9", linewidth=0, zorder=0)
        if ax.get_subplotspec().is_first_row():  # type: ignore[union-attr]
            middle = float(np.sqrt(low[0] * low[-1]))
            ax.annotate(
                r"$\langle J^+J^-\rangle < 2$", (middle, 0.98), xycoords=("data", "axes fraction"),
                ha="center", va="top", color="0.35", fontsize=10,
            )  # fmt: skip
