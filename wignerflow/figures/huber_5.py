r"""Spin squeezing with collective decay, and the optimum against the rate: Huber, Fig. 5.

H = (g/2S) S_x^2, plain rate Gamma/S on S^-, all down; xi^2 of Wineland. The Q form drops the
diffusion of the interaction, which its symbols count on: it shows squeezing that is not there, down
to negative variances.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import wignerflow as wf

from ..plot import new_figure
from .contract import Asked, Check, Data, Drawing, judged
from .data import add_values, axis, dataset, largest, time_axis
from .huber import METHODS, PAPER, add_spin, marked, spin_model

TITLE = "Spin squeezing with decay, and its optimum"
SOURCE = f"{PAPER}, Fig. 5"
SPINS = (10, 100)
RATES = (0.0, 0.0625, 0.125, 0.25, 0.5, 1.0)
SHOWN = (0.0, 0.125, 0.25, 0.5)
KEYS = ("w", "q", "c", "bloch")
#: Largest relative deviation of the optimum at S = 100 with decay, of the forms without Q.
REQUIRED = 0.05


def make(asked: Asked) -> Data:
    """xi^2 against time for every rate, and its minimum."""
    spins, rates = ((10,), (0.0, 0.25, 0.5)) if asked.quick else (SPINS, RATES)
    coordinates = time_axis(8.0, 81, "gt")
    data = dataset(coordinates | axis("rate", np.array(rates), "decay Gamma/g", "Γ/g"), g=1.0)
    sampling = asked.sampling(asked.many(50_000, 2_000), 0.02)
    for S in spins:
        for i, rate in enumerate(rates):
            spin, model = spin_model(S, decay=rate, twist=1.0, initial=wf.down)
            e_ops = {f"xi{i}": (f"ξ², Γ/g = {rate:g}", wf.WinelandSqueezing(spin))}
            add_spin(data, spin, model, e_ops, asked, KEYS, **sampling)
        _optimum(data, S, rates)
    return data


def _optimum(data: Data, S: int, rates: tuple[float, ...]) -> None:
    """The smallest xi^2 over time, per method."""
    for key in ("exact", *KEYS):
        curves = [data[f"xi{i}_{key}_S{S}"] for i in range(len(rates))]
        places = [int(np.argmin(curve.values)) for curve in curves]
        best = [float(curve[at]) for curve, at in zip(curves, places, strict=True)]
        facts: dict[str, Any] = {"method": curves[0].attrs["method"]}
        label, error = "exact", None
        if key != "exact":
            label, pairs = METHODS[key][0], zip(curves, places, strict=True)
            error = [float(data[curve.attrs["sem"]][at]) for curve, at in pairs]
            facts = {k: curves[0].attrs[k] for k in ("method", "ntraj", "seed", "dt")}
            facts["reference"] = f"optimum_exact_S{S}"
        label = f"optimal ξ², S = {S}, {label}"
        add_values(data, f"optimum_{key}_S{S}", "rate", best, error, label=label, **facts)


def checks(data: Data) -> list[Check]:
    """Relative deviation of the optimum with decay, of the forms without Q."""
    out = []
    S = max(s for s in SPINS if f"optimum_exact_S{s}" in data)
    decays = data["rate"].values > 0
    exact = data[f"optimum_exact_S{S}"].values[decays]
    for key in ("w", "c", "bloch"):
        name = f"optimum_{key}_S{S}"
        found, errors = (data[n].values[decays] / exact for n in (name, f"{name}_sem"))
        _, value, error = largest(found - 1, errors)
        what = f"optimal ξ², S = {S}, {METHODS[key][0]}: largest relative deviation for Γ > 0"
        check = judged(what, value, error, at_most=REQUIRED)
        out.append(check if S == 100 else replace(check, met=None))
    return out


def draw(data: Data) -> Drawing:
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
                some = slice(list(METHODS).index(key) % 4, None, 5)
                y = data[f"xi{i}_{key}_S{S}"].values
                marked(upper, t[some], y[some], key, markersize=4)
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
    figure.suptitle(r"Spin squeezing with decay: $\Gamma/g = 0, 0.125, 0.25, 0.5$ (dark to light)")
    return figure
