r"""Squeezing and subradiance under weak pumping: Ruks, Fig. 2(b).

The model of Fig. 2(a) with N = 25 and pump gamma = 0.4 Gamma. Shown are Tóth's generalised
squeezing parameter and the emission relative to independent emitters,

.. math:: \xi^2 = \langle(\Delta J_x)^2 + (\Delta J_y)^2 + (\Delta J_z)^2\rangle / (N/2), \qquad
    s = \langle J^+J^-\rangle / \langle J_z + N/2\rangle,

with jackknife errors. The truncated Wigner approximation is an expansion in the inverse spin length
and is worst where :math:`\langle J^+J^-\rangle` is of order one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Check, Figure, Say, add_curve, dataset, difference, in_title, keeps, silent
from .ruks import PAPER, laser

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

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
SOURCE = f"{PAPER}, Fig. 2(b)"


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """Both parameters by TWA (10^5 trajectories) and exactly, to Gamma t = 8."""
    ntraj = (10_000 if quick else 100_000) if ntraj is None else ntraj
    seed = 7 if seed is None else seed
    times = np.concatenate([[0.0], np.geomspace(0.01, LAST, 119)])
    facts = {"long_name": "time Gamma t", "symbol": "Γt", "units": "1"}
    data = dataset(
        "ruks-2b",
        SOURCE,
        {"time": ("time", times, facts)},
        Gamma=1.0,
        pump=PUMP,
        N=N,
        initial="all up",
    )
    atoms, model = laser(N, PUMP)
    e_ops: dict[str, Any] = {
        "squeezing": wf.Squeezing(atoms),
        "subradiance": wf.Subradiance(atoms),
        "emission": atoms.Jp * atoms.Jm / N**2,
        "inversion": atoms.Jz / N,
    }
    say(f"N = {N}: {ntraj} trajectories, exact populations")
    sampling: dict[str, Any] = {"ntraj": ntraj, "seed": seed, "threads": threads, "dt": STEP}
    results = {
        "twa": wf.solve(model, times, e_ops=e_ops, progress=False, **sampling),
        "exact": wf.solve(model, times, e_ops=e_ops, method="exact", progress=False),
    }
    for quantity, label in LABELS.items():
        for method, result in results.items():
            add_curve(
                data,
                f"{quantity}_{method}",
                "time",
                result,
                quantity,
                label=f"{label}, {method}",
                reference=f"{quantity}_exact" if method == "twa" else None,
                required=REQUIRED if (quantity, method) == ("squeezing", "twa") else None,
                N=N,
            )
    return data


def checks(data: xarray.Dataset) -> list[Check]:
    """The subradiant stage apart: during the burst before it, s itself is above ten."""
    change, error = difference(data, "subradiance_twa")
    quiet = data["subradiance_exact"].values < 1
    k = int(np.argmax(np.where(quiet, np.abs(change), 0)))
    value = abs(float(change[k]))
    what = f"largest deviation of s where s < 1 (at Γt = {float(data['time'][k]):.2g})"
    met = keeps(value, float(error[k]), REQUIRED)
    return [Check(what, value, float(error[k]), f"at most {REQUIRED:g}", met)]


def draw(data: xarray.Dataset) -> Drawing:
    """Curves above, TWA minus exact below; grey where the method is at its limit."""
    figure, axes = new_figure(2, 2, sharex=True, gridspec_kw={"height_ratios": [2.1, 1]})
    figure.set_size_inches(11.5, 6.4)
    for column, (quantity, colour) in enumerate(
        zip(("squeezing", "subradiance"), COLOURS, strict=False)
    ):
        upper, lower = axes[:, column]
        _panel(upper, data, quantity, colour)
        _deviation(lower, data, quantity, colour)
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
    ntraj = data["squeezing_twa"].attrs["ntraj"]
    figure.suptitle(
        rf"$N = {N}$ emitters, all up, weak local pumping $\gamma = 0.4\,\Gamma$;  "
        f"TWA with {in_title(ntraj)} trajectories, bands: one standard error",
        fontsize=13,
    )
    return figure


def _panel(ax: Axes, data: xarray.Dataset, quantity: str, colour: str) -> None:
    t = data["time"].values[1:]
    y, e = (data[f"{quantity}_twa{end}"].values[1:] for end in ("", "_sem"))
    ax.plot(t, y, color=colour, linewidth=2.6, label="TWA")
    ax.fill_between(t, y - e, y + e, color=colour, alpha=0.3, linewidth=0)
    ax.plot(t, data[f"{quantity}_exact"].values[1:], "k--", linewidth=1.1, label="exact")


def _deviation(ax: Axes, data: xarray.Dataset, quantity: str, colour: str) -> None:
    t = data["time"].values[1:]
    change, error = (part[1:] for part in difference(data, f"{quantity}_twa"))
    ax.plot(t, change, color=colour, linewidth=1.4)
    ax.fill_between(t, change - error, change + error, color=colour, alpha=0.25, linewidth=0)
    ax.axhline(0, color="black", linewidth=0.9, linestyle="--")


def _limit(ax: Axes, data: xarray.Dataset) -> None:
    """Grey where <J+J-> is below two."""
    t, emission = data["time"].values, data["emission_exact"].values * N**2
    low = t[emission < 2]
    if low.size:
        ax.axvspan(low[0], low[-1], color="0.9", linewidth=0, zorder=0)
        if ax.get_subplotspec().is_first_row():  # type: ignore[union-attr]
            middle = float(np.sqrt(low[0] * low[-1]))
            ax.annotate(
                "$\\langle J^+J^-\\rangle < 2$",
                (middle, 0.98),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                color="0.35",
                fontsize=10,
            )


FIGURE = Figure(
    name="ruks-2b",
    title="Squeezing and subradiance for N = 25 under weak pumping",
    source=SOURCE,
    make=make,
    draw=draw,
    checks=checks,
)
