r"""Spin squeezing with collective decay, and the optimum against the rate: Huber, Fig. 5.

H = (g/2S) S_x^2, plain rate Gamma/S on S^-, all down; xi^2 of Wineland. The Q form drops the
diffusion of the interaction, which its symbols count on: it shows squeezing that is not there, down
to negative variances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import new_figure
from .contract import Check, Figure, Say, dataset, keeps, sampling_of, silent
from .huber import METHODS, PAPER, add_spin, spin_model, time_axis

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

SOURCE = f"{PAPER}, Fig. 5"
SPINS = (10, 100)
RATES = (0.0, 0.0625, 0.125, 0.25, 0.5, 1.0)
SHOWN = (0.0, 0.125, 0.25, 0.5)
KEYS = ("w", "q", "c", "bloch")
#: Largest relative deviation of the optimum at S = 100 with decay, of the forms without Q.
REQUIRED = 0.05


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """xi^2 against time for every rate, and its minimum."""
    times, coordinates = time_axis(8.0, 81, "gt")
    spins, rates = ((10,), (0.0, 0.25, 0.5)) if quick else (SPINS, RATES)
    facts = {"long_name": "decay Gamma/g", "symbol": "Γ/g", "units": "1"}
    data = dataset(
        "huber-5", SOURCE, coordinates | {"rate": ("rate", np.array(rates), facts)}, g=1.0
    )
    count = ntraj or (2_000 if quick else 50_000)
    sampling = sampling_of(count, seed, threads, 0.02)
    for S in spins:
        for i, rate in enumerate(rates):
            spin, model = spin_model(S, decay=rate, twist=1.0, initial=wf.down)
            add_spin(
                data, spin, model, {f"xi{i}": (f"ξ², Γ/g = {rate:g}", wf.WinelandSqueezing(spin))},
                f"S = {S}", times, KEYS, suffix=f"S{S}", say=say, **sampling,
            )  # fmt: skip
        _optimum(data, S, rates)
    return data


def _optimum(data: xarray.Dataset, S: int, rates: tuple[float, ...]) -> None:
    """The smallest xi^2 over time, per method."""
    for key in ("exact", *KEYS):
        best, error = [], []
        for i in range(len(rates)):
            curve = data[f"xi{i}_{key}_S{S}"]
            at = int(np.argmin(curve.values))
            best.append(float(curve[at]))
            error.append(0.0 if key == "exact" else float(data[curve.attrs["sem"]][at]))
        facts: dict[str, Any] = {
            k: v for k, v in curve.attrs.items() if k in ("method", "ntraj", "seed", "dt", "units")
        }
        label = "exact" if key == "exact" else METHODS[key][0]
        facts |= {"long_name": f"optimal ξ², S = {S}, {label}"}
        if key != "exact":
            name = f"optimum_{key}_S{S}_sem"
            facts |= {"sem": name, "reference": f"optimum_exact_S{S}"}
            data[name] = ("rate", error, {"long_name": "error", "units": "1"})
        data[f"optimum_{key}_S{S}"] = ("rate", best, facts)


def checks(data: xarray.Dataset) -> list[Check]:
    """Relative deviation of the optimum with decay."""
    out = []
    S = max(s for s in SPINS if f"optimum_exact_S{s}" in data)
    decays = data["rate"].values > 0
    exact = data[f"optimum_exact_S{S}"].values[decays]
    for key in KEYS:
        if key == "q":
            continue
        change = np.abs(data[f"optimum_{key}_S{S}"].values[decays] / exact - 1)
        k = int(np.argmax(change))
        error = float(data[f"optimum_{key}_S{S}_sem"].values[decays][k] / exact[k])
        value = float(change[k])
        what = f"optimal ξ², S = {S}, {METHODS[key][0]}: largest relative deviation for Γ > 0"
        met = keeps(value, error, REQUIRED) if S == 100 else None
        out.append(Check(what, value, error, f"at most {REQUIRED:g}", met))
    return out


def draw(data: xarray.Dataset) -> Drawing:
    """Time evolution above, optimum below."""
    spins = [S for S in SPINS if f"optimum_exact_S{S}" in data]
    figure, axes = new_figure(2, len(spins))
    figure.set_size_inches(5.6 * len(spins) + 0.8, 8.2)
    rates = data["rate"].values
    t = data["time"].values
    shades = ("0.1", "0.35", "0.5", "0.65")
    for column, S in enumerate(spins):
        upper, lower = axes[:, column]
        for shade, rate in zip(shades, [r for r in rates if r in SHOWN], strict=False):
            i = int(np.argmin(np.abs(rates - rate)))
            upper.plot(t, data[f"xi{i}_exact_S{S}"], color=shade, linewidth=1.8)
            for key in KEYS:
                _, _, marker, colour = METHODS[key]
                offset = list(METHODS).index(key) % 4
                upper.plot(t[offset::5], data[f"xi{i}_{key}_S{S}"].values[offset::5], marker,
                           color=colour, markersize=4, fillstyle="none")  # fmt: skip
        upper.set(yscale="log", ylim=(0.01 if S == 100 else 0.1, 3), title=f"S = {S}")
        upper.set_xlabel(r"time  $gt$")
        lower.plot(rates, data[f"optimum_exact_S{S}"], color="0.1", label="exact")
        for key in KEYS:
            label, _, marker, colour = METHODS[key]
            lower.errorbar(rates, data[f"optimum_{key}_S{S}"], data[f"optimum_{key}_S{S}_sem"],
                           fmt=marker, color=colour, fillstyle="none", label=label)  # fmt: skip
        lower.set(xlabel=r"decay  $\Gamma/g$", yscale="log")
    axes[0, 0].set_ylabel(r"squeezing  $\xi^2$")
    axes[1, 0].set_ylabel(r"optimal $\xi^2$")
    axes[1, 0].legend()
    figure.suptitle(
        r"Spin squeezing with decay: $\Gamma/g = 0, 0.125, 0.25, 0.5$ (dark to light)", fontsize=13
    )
    return figure


FIGURE = Figure("huber-5", "Spin squeezing with decay, and its optimum", SOURCE, make, draw, checks)
