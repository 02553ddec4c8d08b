r"""Many ensembles at zero phase: Ruks, Fig. 3(b), inset.

M = 1, 10, 100 and 1000 ensembles of N = 20 emitters at phi = 0, pump gamma = 0.25 N_tot Gamma, all
down (see :mod:`.ruks_chain`). All sites are alike; shown is the emission of one,
:math:`\langle J^+_m J^-_m\rangle/N^2`, in the TWA as the mean over the sites. At zero phase the
chain acts as one ensemble of N_tot emitters (:mod:`wignerflow.exact.reduction`), whose exact
solution is a master equation for p(J, M) up to N_tot = 200 and, beyond, an exact jump process,
sampled. The TWA simulates the chain itself, member by member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import new_figure
from .contract import Figure, Say, add_curve, dataset, difference, silent
from .ruks import PAPER
from .ruks_chain import chain_model

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

N = 20
PUMP = 0.25
SIZES = (1, 10, 100, 1000)
#: N_tot from which the exact solution is sampled.
SAMPLED_ABOVE = 500
#: N_tot Gamma dt.
STEP = 0.1
LAST = 40.0
#: Trajectories, and runs of the exact jump process, by M.
NTRAJ = {1: 100_000, 10: 100_000, 100: 20_000, 1000: 4_000}
RUNS = {100: 10_000, 1000: 2_000}
QUICK = {1: 20_000, 10: 20_000, 100: 2_000}
QUICK_RUNS = {100: 500}
SOURCE = f"{PAPER}, Fig. 3(b), inset"


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """Site emission by TWA and exactly; M up to 100 where quick."""
    counts = QUICK if quick else NTRAJ
    runs = QUICK_RUNS if quick else RUNS
    seed = 7 if seed is None else seed
    scaled = np.linspace(0, LAST, 101)
    facts = {"long_name": "scaled time N_tot Gamma t", "symbol": "N_tot Γt", "units": "1"}
    data = dataset(
        "ruks-3b-inset",
        SOURCE,
        {"scaled_time": ("scaled_time", scaled, facts)},
        Gamma=1.0,
        N=N,
        phi=0.0,
        pump="0.25 N_tot Gamma",
        sizes=list(counts),
        initial="all down",
    )
    for M, count in counts.items():
        count = count if ntraj is None else ntraj
        total = N * M
        chain, model = chain_model(M, N, 0.0, PUMP * total)
        times = scaled / total
        engine = "a jump process" if total > SAMPLED_ABOVE else "populations"
        say(f"M = {M}: {count} trajectories, exact one-ensemble solution by {engine}")
        twa = wf.solve(
            model, times, e_ops={"site": (chain.Jp * chain.Jm).sum() / (M * N**2)}, ntraj=count,
            seed=seed, threads=threads, dt=STEP / total, progress=False,
        )  # fmt: skip
        e_ops = {"site": chain[0].Jp * chain[0].Jm / N**2}
        options: dict[str, Any] = {"e_ops": e_ops, "progress": False}
        if total > SAMPLED_ABOVE:
            options |= {"method": "jumps", "ntraj": runs[M], "seed": seed, "threads": threads}
        else:
            options["method"] = "exact"
        _reference(data, M, wf.solve(model, times, **options))
        label = f"site emission / N², M = {M}, twa"
        add_curve(
            data, f"site_M{M}_twa", "scaled_time", twa, "site", label=label,
            reference=f"site_M{M}_exact", M=M,
        )  # fmt: skip
    return data


def _reference(data: xarray.Dataset, M: int, result: wf.Result) -> None:
    """The exact curve; with its standard error where it is sampled."""
    facts: dict[str, Any] = {"long_name": f"site emission / N², M = {M}, exact", "units": "1"}
    facts |= {"method": "exact", "engine": result.method, "M": M}
    if result.ntraj:
        facts |= {"runs": result.ntraj, "seed": str(result.seed), "error": f"site_M{M}_exact_sem"}
        error = {"long_name": f"{facts['long_name']}, standard error", "units": "1"}
        data[f"site_M{M}_exact_sem"] = ("scaled_time", result.sem["site"], error)
    data[f"site_M{M}_exact"] = ("scaled_time", result.expect["site"], facts)


def draw(data: xarray.Dataset) -> Drawing:
    """Curves above, TWA minus exact below, with bands of one standard error."""
    import matplotlib as mpl

    figure, axes = new_figure(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.1, 1]})
    figure.set_size_inches(7.4, 6.2)
    upper, lower = axes[:, 0]
    sizes = [int(M) for M in data.attrs["sizes"]]
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, len(sizes)))
    t = data["scaled_time"].values
    for M, colour in zip(sizes, shades, strict=True):
        _curve(upper, data, M, colour)
        change, error = (1e3 * x for x in difference(data, f"site_M{M}_twa"))
        lower.plot(t, change, color=colour, linewidth=1.4)
        lower.fill_between(t, change - error, change + error, color=colour, alpha=0.25, linewidth=0)
    upper.plot([], [], "k--", linewidth=1.1, label="exact")
    lower.axhline(0, color="black", linewidth=0.9, linestyle="--")
    upper.set_ylabel(r"site emission  $\langle J^+_m J^-_m\rangle / N^2$")
    upper.set(xlim=(0, LAST), ylim=(0, None))
    upper.legend(loc="lower right")
    lower.set_xlabel(r"scaled time  $N_{\rm tot}\Gamma t$")
    lower.set_ylabel(r"TWA $-$ exact  ($10^{-3}$)")
    figure.suptitle(
        rf"$M$ ensembles of ${N}$ at $\varphi = 0$, pump $\gamma = N_{{\rm tot}}\Gamma/4$;  "
        "bands: one standard error of both",
        fontsize=12,
    )
    return figure


def _curve(ax: Axes, data: xarray.Dataset, M: int, colour: object) -> None:
    t = data["scaled_time"].values
    y, e = (data[f"site_M{M}_twa{end}"].values for end in ("", "_sem"))
    ax.plot(t, y, color=colour, linewidth=2.6, label=f"TWA, $M = {M}$")  # type: ignore[arg-type]
    ax.fill_between(t, y - e, y + e, color=colour, alpha=0.3, linewidth=0)  # type: ignore[arg-type]
    ax.plot(t, data[f"site_M{M}_exact"].values, "k--", linewidth=1.1)


FIGURE = Figure(
    name="ruks-3b-inset",
    title="Site emission of 1 to 1000 ensembles at zero phase, exact by reduction to one ensemble",
    source=SOURCE,
    make=make,
    draw=draw,
)
