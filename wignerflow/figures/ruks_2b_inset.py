r"""Steady emission against the pump rate: Ruks, Fig. 2(b), inset.

:math:`\langle J^+J^-\rangle / N` in the steady state for N = 25 and pump rates from 0.1 to 50
Gamma: the null vector of the Lindbladian, and time averages of relaxed trajectories in the Bloch
form and in both rotor forms of the paper's own phase space. The paper marks its equations as
invalid where :math:`\langle J^+J^-\rangle` is of order one (grey); the Bloch form, which has exact
first and second moments under local channels, holds there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Check, Figure, Say, dataset, difference, in_title, keeps, silent
from .ruks import PAPER, laser

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

N = 25
PUMPS = np.geomspace(0.1, 50, 13)
#: N Gamma dt = 0.05, and pump * dt = 0.02, whichever is shorter; the rotor form needs the second.
STEP, LOCAL_STEP = 2e-3, 0.02
#: Trajectories by method; each counts with its average over time.
NTRAJ = {"twa": 24_000, "rotor": 6_000, "leading": 6_000}
QUICK = 2_000
METHODS: dict[str, tuple[str, Any]] = {
    "twa": ("Bloch form", wf.TWA()),
    "rotor": ("rotor form, corrected", wf.TWA(form="rotor")),
    "leading": ("rotor form, leading order", wf.TWA(form="rotor", corrected=False)),
}
REQUIRED = 0.015
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
    """Steady emission by all forms and exactly; minutes on two cores."""
    pumps = PUMPS[::4] if quick else PUMPS
    seed = 7 if seed is None else seed
    facts = {"long_name": "pump rate gamma / Gamma", "symbol": "γ/Γ", "units": "1"}
    data = dataset(
        "ruks-2b-inset",
        SOURCE,
        {"pump": ("pump", pumps, facts)},
        Gamma=1.0,
        N=N,
        quick=int(quick),
    )
    common = {"units": "1", "N": N}
    exact: list[float] = []
    found: dict[str, list[Any]] = {method: [] for method in METHODS}
    for pump in pumps:
        atoms, model = laser(N, float(pump))
        e_ops = {"emission": atoms.Jp * atoms.Jm / N}
        say(f"pump {pump:.3g}: null vector, Bloch form, both rotor forms")
        exact.append(float(wf.steady_state(model, e_ops, "exact").expect["emission"]))
        for method, (text, engine) in METHODS.items():
            count = (QUICK if quick else NTRAJ[method]) if ntraj is None else ntraj
            step = STEP if method == "twa" else min(STEP, LOCAL_STEP / pump)
            out = wf.steady_state(
                model, e_ops, engine, ntraj=count, seed=seed, dt=step, threads=threads
            )
            found[method].append(out)
            data.attrs["known"] = data.attrs.get("known", "") + (
                f"pump {pump:.3g}, {text}: {out.stats['known']}\n"
            )
    data["emission_exact"] = ("pump", exact, common)
    data["emission_exact"].attrs |= {"long_name": f"{LABEL}, exact", "method": "exact"}
    for method, (text, _) in METHODS.items():
        name, runs = f"emission_{method}", found[method]
        data[name] = ("pump", [float(r.expect["emission"]) for r in runs], common)
        data[name].attrs |= {
            "long_name": f"{LABEL}, {text}",
            "method": "twa",
            "ntraj": runs[0].ntraj,
            "seed": str(seed),
            "dt": STEP,
            "sem": f"{name}_sem",
            "ancillary_variables": f"{name}_sem",
            "reference": "emission_exact",
        }
        data[f"{name}_sem"] = ("pump", [float(r.sem["emission"]) for r in runs], {"units": "1"})
        data[f"{name}_sem"].attrs["long_name"] = f"{LABEL}, {text}, standard error"
    return data


def checks(data: xarray.Dataset) -> list[Check]:
    """The largest relative deviation of the Bloch form, over all pump rates."""
    change, error = difference(data, "emission_twa")
    exact = data["emission_exact"].values
    k = int(np.argmax(np.abs(change / exact)))
    value, sem = abs(float(change[k] / exact[k])), float(error[k] / exact[k])
    what = f"largest relative deviation, Bloch form (at γ/Γ = {float(data['pump'][k]):.3g})"
    return [Check(what, value, sem, f"at most {REQUIRED:g}", keeps(value, sem, REQUIRED))]


def draw(data: xarray.Dataset) -> Drawing:
    """Emission above, relative deviation below."""
    figure, axes = new_figure(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.1, 1.3]})
    figure.set_size_inches(7.6, 6.8)
    upper, lower = axes[:, 0]
    pump, exact = data["pump"].values, data["emission_exact"].values
    for (method, (text, _)), colour, marker in zip(METHODS.items(), COLOURS, "oDs", strict=False):
        name = f"emission_{method}"
        change, error = difference(data, name)
        fill = "none" if method == "leading" else "full"
        marks: dict[str, Any] = {"color": colour, "marker": marker, "capsize": 3, "fillstyle": fill}
        upper.errorbar(pump, data[name].values, error, label=text, linestyle="none", **marks)
        lower.errorbar(
            pump, 100 * change / exact, 100 * error / exact, linestyle=":", linewidth=1, **marks
        )
    upper.plot(pump, exact, "k--", linewidth=1.1, label="exact")
    lower.axhline(0, color="black", linewidth=0.9, linestyle="--")
    lower.axhspan(-100 * REQUIRED, 100 * REQUIRED, color="0.92", linewidth=0, zorder=0)
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
    counts = sorted({data[f"emission_{method}"].attrs["ntraj"] for method in METHODS})
    upper.set_title(
        rf"$N = {N}$ emitters: TWA with {' and '.join(map(in_title, counts))} trajectories, "
        "bars: one standard error",
        fontsize=12,
    )
    return figure


FIGURE = Figure(
    name="ruks-2b-inset",
    title="Steady emission against the pump rate, N = 25, in all forms",
    source=SOURCE,
    make=make,
    draw=draw,
    checks=checks,
)
