r"""Steady emission against the pump rate: Ruks, Fig. 2(b), inset.

:math:`\langle J^+J^-\rangle / N` in the steady state for N = 25 and pump rates from 0.1 to 50
Gamma: the null vector of the Lindbladian, and time averages of relaxed trajectories in the Bloch
form and in both rotor forms of the paper's own phase space. The paper marks its equations as
invalid where :math:`\langle J^+J^-\rangle` is of order one (grey); the Bloch form, which has exact
first and second moments under local channels, holds there too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS
from .contract import Asked, Check, Data, Drawing, judged
from .data import add_steady, axis, dataset, difference, largest
from .drawing import above_and_below, trajectories
from .ruks import PAPER, laser

TITLE = "Steady emission against the pump rate, N = 25, in all forms"
SOURCE = f"{PAPER}, Fig. 2(b), inset"
N = 25
PUMPS = np.geomspace(0.1, 50, 13)
#: N Gamma dt = 0.05, and pump * dt = 0.02, whichever is shorter; the rotor form needs the second.
STEP, LOCAL_STEP = 2e-3, 0.02
#: Trajectories by method; each counts with its average over time.
NTRAJ = {"twa": 24_000, "rotor": 6_000, "leading": 6_000}
QUICK = 2_000
METHODS: dict[str, tuple[str, Any]] = {
    "exact": ("exact", "exact"),
    "twa": ("Bloch form", wf.TWA()),
    "rotor": ("rotor form, corrected", wf.TWA(form="rotor")),
    "leading": ("rotor form, leading order", wf.TWA(form="rotor", corrected=False)),
}
REQUIRED = 0.015
LABEL = "steady emission ⟨J⁺J⁻⟩/N"


def make(asked: Asked) -> Data:
    """Steady emission by all forms and exactly; minutes on two cores."""
    pumps = PUMPS[::4] if asked.quick else PUMPS
    coordinates = axis("pump", pumps, "pump rate gamma / Gamma", "γ/Γ")
    data = dataset(coordinates, Gamma=1.0, N=N, quick=int(asked.quick), known="")
    found: dict[str, list[Any]] = {method: [] for method in METHODS}
    for pump in pumps:
        atoms, model = laser(N, float(pump))
        e_ops = {"emission": atoms.Jp * atoms.Jm / N}
        asked.say(f"pump {pump:.3g}: null vector, Bloch form, both rotor forms")
        for method, (text, engine) in METHODS.items():
            step = STEP if method == "twa" else min(STEP, LOCAL_STEP / pump)
            many = asked.many(NTRAJ.get(method, QUICK), QUICK)
            how = {} if method == "exact" else asked.sampling(many, step)
            out = wf.steady_state(model, e_ops, engine, **how)
            found[method].append(out)
            data.attrs["known"] += f"pump {pump:.3g}, {text}: {out.stats['known']}\n"
    for method, (text, _) in METHODS.items():
        name, label = f"emission_{method}", f"{LABEL}, {text}"
        facts: dict[str, Any] = {"label": label, "reference": "emission_exact", "N": N}
        add_steady(data, name, "pump", found[method], "emission", **facts)
    return data


def checks(data: Data) -> list[Check]:
    """The largest relative deviation of the Bloch form, over all pump rates."""
    exact = data["emission_exact"].values
    k, value, sem = largest(*(part / exact for part in difference(data, "emission_twa")))
    what = f"largest relative deviation, Bloch form (at γ/Γ = {float(data['pump'][k]):.3g})"
    return [judged(what, value, sem, at_most=REQUIRED)]


def draw(data: Data) -> Drawing:
    """Emission above, relative deviation below."""
    figure, ((upper,), (lower,)) = above_and_below(7.6, 6.8, ratio=1.6)
    pump, exact = data["pump"].values, data["emission_exact"].values
    for method, colour, marker in zip(NTRAJ, COLOURS, "oDs", strict=False):
        name, text = f"emission_{method}", METHODS[method][0]
        change, error = difference(data, name)
        fill = "none" if method == "leading" else "full"
        marks: dict[str, Any] = {"color": colour, "marker": marker, "capsize": 3, "fillstyle": fill}
        upper.errorbar(pump, data[name].values, error, label=text, linestyle="none", **marks)
        lower.errorbar(
            pump, 100 * change / exact, 100 * error / exact, linestyle=":", linewidth=1, **marks
        )
    upper.plot(pump, exact, "k--", linewidth=1.1, label="exact")
    lower.axhspan(-100 * REQUIRED, 100 * REQUIRED, color="0.92", linewidth=0, zorder=0)
    upper.axhspan(0.5 * min(exact.min(), 1 / N), 2 / N, color="0.9", linewidth=0, zorder=0)
    small = r"$\langle J^+J^-\rangle < 2$"
    upper.annotate(small, (0.97, 0.03), xycoords="axes fraction", ha="right", color="0.35")
    upper.set(xscale="log", yscale="log", ylim=(0.5 * min(exact.min(), 1 / N), None))
    upper.set_ylabel(r"steady emission  $\langle J^+J^-\rangle / N$")
    lower.set_ylabel("deviation (%)")
    lower.set_xlabel(r"pump rate  $\gamma / \Gamma$")
    lower.xaxis.set_major_formatter("{x:g}")
    upper.yaxis.set_major_formatter("{x:g}")
    upper.legend(loc="upper left")
    upper.set_title(
        rf"$N = {N}$ emitters: TWA with {trajectories(data)}, "
        "bars: one standard error"
    )
    return figure
