r"""Steady emission against the pump rate: Ruks, Fig. 2(b), inset.

:math:`\langle J^+J^-\rangle / N` for N = 25 and pump rates from 0.1 to 50 Gamma, at the time
10/gamma + 10/Gamma after all emitters were up, by when it no longer changes visibly; both methods
are taken at the same time. The paper marks its own form of the equations as invalid where
:math:`\langle J^+J^-\rangle` is of order one (grey); the Bloch form, which has exact first and
second moments under local channels, holds there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..plot import COLOURS, new_figure
from ..solve import solve
from .contract import Check, Figure, Say, dataset, difference, in_title, keeps, silent
from .ruks import PAPER, laser

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

N = 25
PUMPS = np.geomspace(0.1, 50, 13)
#: N Gamma dt = 0.05.
STEP = 2e-3
REQUIRED = 0.01
SOURCE = f"{PAPER}, Fig. 2(b), inset"
LABEL = "steady emission ⟨J⁺J⁻⟩/N"


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """Steady emission by TWA (5 x 10^4 trajectories per pump rate) and exactly."""
    pumps = PUMPS[::4] if quick else PUMPS
    ntraj = (10_000 if quick else 50_000) if ntraj is None else ntraj
    seed = 7 if seed is None else seed
    facts = {"long_name": "pump rate gamma / Gamma", "symbol": "γ/Γ", "units": "1"}
    data = dataset(
        "ruks-2b-inset",
        SOURCE,
        {"pump": ("pump", pumps, facts)},
        Gamma=1.0,
        N=N,
        initial="all up",
        time="10/pump + 10",
        quick=int(quick),
    )
    values: dict[str, list[float]] = {"twa": [], "twa_sem": [], "exact": []}
    for pump in pumps:
        atoms, model = laser(N, float(pump))
        e_ops = {"emission": atoms.Jp * atoms.Jm / N}
        options: dict[str, Any] = {"e_ops": e_ops, "progress": False}
        sampling: dict[str, Any] = {"ntraj": ntraj, "seed": seed, "threads": threads}
        times = [0, 10 / pump + 10]
        say(f"pump {pump:.3g}: {ntraj} trajectories, exact populations")
        twa = solve(model, times, dt=STEP, **sampling, **options)
        exact = solve(model, times, method="exact", **options)
        values["twa"].append(float(twa.expect["emission"][-1]))
        values["twa_sem"].append(float(twa.sem["emission"][-1]))
        values["exact"].append(float(exact.expect["emission"][-1]))
        for text in twa.stats["warnings"]:
            data.attrs["warnings"] += f"pump {pump:.3g}: {text}\n"
    common = {"units": "1", "N": N}
    data["emission_twa"] = ("pump", values["twa"], common)
    data["emission_twa"].attrs |= {
        "long_name": f"{LABEL}, twa",
        "method": "twa",
        "ntraj": ntraj,
        "seed": str(seed),
        "dt": STEP,
        "sem": "emission_twa_sem",
        "ancillary_variables": "emission_twa_sem",
        "reference": "emission_exact",
    }
    data["emission_twa_sem"] = ("pump", values["twa_sem"], {"units": "1"})
    data["emission_twa_sem"].attrs["long_name"] = f"{LABEL}, twa, standard error"
    data["emission_exact"] = ("pump", values["exact"], common)
    data["emission_exact"].attrs |= {"long_name": f"{LABEL}, exact", "method": "exact"}
    return data


def checks(data: xarray.Dataset) -> list[Check]:
    """The largest relative deviation, over all pump rates."""
    change, error = difference(data, "emission_twa")
    exact = data["emission_exact"].values
    k = int(np.argmax(np.abs(change / exact)))
    value, sem = abs(float(change[k] / exact[k])), float(error[k] / exact[k])
    what = f"largest relative deviation (at γ/Γ = {float(data['pump'][k]):.3g})"
    return [Check(what, value, sem, f"at most {REQUIRED:g}", keeps(value, sem, REQUIRED))]


def draw(data: xarray.Dataset) -> Drawing:
    """Emission above, relative deviation below."""
    figure, axes = new_figure(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.1, 1]})
    figure.set_size_inches(7.6, 6.2)
    upper, lower = axes[:, 0]
    pump, exact = data["pump"].values, data["emission_exact"].values
    change, error = difference(data, "emission_twa")
    marks: dict[str, Any] = {"color": COLOURS[0], "marker": "o", "linestyle": "none", "capsize": 3}
    upper.errorbar(pump, data["emission_twa"].values, error, label="TWA", **marks)
    upper.plot(pump, exact, "k--", linewidth=1.1, label="exact")
    lower.errorbar(pump, 100 * change / exact, 100 * error / exact, **marks)
    lower.axhline(0, color="black", linewidth=0.9, linestyle="--")
    upper.axhspan(0.5 * min(exact.min(), 1 / N), 2 / N, color="0.9", linewidth=0, zorder=0)
    upper.annotate(
        r"$\langle J^+J^-\rangle < 2$",
        (0.97, 0.03),
        xycoords="axes fraction",
        ha="right",
        color="0.35",
    )
    upper.set(xscale="log", yscale="log", ylim=(0.5 * min(exact.min(), 1 / N), None))
    upper.set_ylabel(r"steady emission  $\langle J^+J^-\rangle / N$")
    lower.set_ylabel("deviation (%)")
    lower.set_xlabel(r"pump rate  $\gamma / \Gamma$")
    lower.xaxis.set_major_formatter("{x:g}")
    upper.yaxis.set_major_formatter("{x:g}")
    upper.legend(loc="upper left")
    ntraj = data["emission_twa"].attrs["ntraj"]
    upper.set_title(
        rf"$N = {N}$ emitters: TWA with {in_title(ntraj)} trajectories, bars: one standard error",
        fontsize=12,
    )
    return figure


FIGURE = Figure(
    name="ruks-2b-inset",
    title="Steady emission against the pump rate, N = 25",
    source=SOURCE,
    make=make,
    draw=draw,
    checks=checks,
)
