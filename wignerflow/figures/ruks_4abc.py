r"""A chain of a hundred pumped ensembles: Ruks, Fig. 4(a), (b) and (c).

M = 100 ensembles of N = 250 emitters, pump gamma = 250 Gamma, phi = pi/10 between neighbours, all
down (see :mod:`.ruks`). Over logarithmic time: (a) forward and backward emission
:math:`\langle L^\dagger L\rangle/N_{tot}^2`, (b) emission of every site
:math:`\langle J^+_mJ^-_m\rangle/N^2`, (c) the structure factor
:math:`S(p) = \sum_{mm'} e^{ip(m-m')}\langle J^+_m J^-_{m'}\rangle`, whose peaks at p = -phi and
p = phi are the forward and the backward wave.

A burst synchronises the chain; the total emission is steady from t of about 0.01/Gamma on, while
the emission moves from the middle of the chain to all of it until t of about 1/Gamma.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Asked, Axes, Check, Data, Drawing
from .data import add_curve, axis, dataset
from .drawing import band, trajectories
from .ruks import PAPER, chain_model, emissions

TITLE = "Chain of 100 ensembles: total and site emission and structure factor over log time"
SOURCE = f"{PAPER}, Fig. 4(a), (b), (c)"
M, N, PUMP, PHI = 100, 250, 250.0, np.pi / 10
FIRST, LAST = 1e-3, 2.0
#: N_tot Gamma dt; from 4 down to 0.5 the results agree within sampling errors (see ruks-4d).
STEP = 1.0
NTRAJ, QUICK = 512, 64
#: Momenta in (-pi, pi], 20 of them per multiple of phi.
MOMENTA = 200


def make(asked: Asked) -> Data:
    """Totals and maps over site and momentum, 512 trajectories; 64 to Gamma t = 0.2 where quick."""
    how = asked.sampling(asked.many(NTRAJ, QUICK), STEP / (M * N))
    last, points = (LAST / 10, 100) if asked.quick else (LAST, 160)
    times = np.concatenate([[0.0], np.geomspace(FIRST, last, points)])
    momenta = np.pi * (np.arange(MOMENTA) + 1 - MOMENTA // 2) / (MOMENTA // 2)
    data = dataset(
        axis("time", times, "time Gamma t", "Γt")
        | {
            "site": ("site", np.arange(1, M + 1), {"long_name": "site m"}),
            "momentum": ("momentum", momenta, {"long_name": "momentum p"}),
        },
        Gamma=1.0,
        M=M,
        N=N,
        pump=PUMP,
        phi=PHI,
        initial="all down",
        quick=int(asked.quick),
    )
    chain, model = chain_model(M, N, PHI, PUMP)
    forward, backward = emissions(chain, PHI)
    e_ops: dict[str, Any] = {
        "forward": forward,
        "backward": backward,
        "site_emission": chain.Jp * chain.Jm / N**2,
        "structure": wf.StructureFactor(chain.Jm, momenta),
    }
    asked.say(f"{M} ensembles of {N}: {how['ntraj']} trajectories")
    result = wf.solve(model, times, e_ops=e_ops, progress=False, **how)
    for name, dims, label in (
        ("forward", "time", "forward emission / N_tot²"),
        ("backward", "time", "backward emission / N_tot²"),
        ("site_emission", ("time", "site"), "site emission / N²"),
        ("structure", ("time", "momentum"), "structure factor S(p)"),
    ):
        add_curve(data, name, dims, result, name, label=label)
    data.attrs["run_seconds"] = result.stats["run_time"]
    data.attrs["ns_per_ensemble_step"] = result.stats["ns_per_trajectory_step"] / M
    return data


def checks(data: Data) -> list[Check]:
    """What the paper says about the three panels, as numbers."""
    t = data["time"].values
    # the curves are correlated in time: the error of an average over time is that of one instant
    late = t > (0.03 if data.attrs["quick"] else 0.1)
    out = []
    for name in ("forward", "backward"):
        value = float(data[name].values[late].mean())
        error = float(data[f"{name}_sem"].values[late].mean())
        met = abs(value - 0.0046) <= 0.0002 + 2 * error
        what = f"{name} emission / N_tot², mean over Γt > {0.03 if data.attrs['quick'] else 0.1}"
        out.append(Check(what, value, error, "0.0046 ± 0.0002", met))
    value, error = _hump(data, 0.02)
    what = "middle / ends of the site emission at Γt = 0.02"
    out.append(Check(what, value, error, "above 2: humped", value > 2))
    if not data.attrs["quick"]:
        value, error = _hump(data, 1.0, LAST)
        what = "middle / ends of the site emission at Γt > 1"
        out.append(Check(what, value, error, "0.8 to 1.25: flat", 0.8 < value < 1.25))
        last = t >= 1.0
        value = float(data["site_emission"].values[last].mean())
        error = float(data["site_emission_sem"].values[last].mean())  # sites are correlated
        met = abs(value - 0.026) <= 0.001 + 2 * error
        out.append(Check("mean site emission / N², Γt > 1", value, error, "0.026 ± 0.001", met))
    p, S = data["momentum"].values, data["structure"].values[late].mean(axis=0)
    top = np.argsort(S)[-2:]
    distance = float(np.abs(np.sort(p[top]) - np.array([-PHI, PHI])).max())
    met = distance <= np.pi / (MOMENTA // 2)
    out.append(
        Check("distance of the highest S(p) from p = -φ, φ", distance, None, "one step, 0.031", met)
    )
    near = np.abs(np.abs(p) - PHI) < 0.15
    share = float(S[near].sum() / S.sum())
    out.append(Check("share of S within 0.15 of the peaks", share, None, "above 0.5", share > 0.5))
    return out


def _hump(data: Data, first: float, last: float | None = None) -> tuple[float, float]:
    """Emission of the middle fifth over that of the outer tenths.

    Sites emit in step, and mirror images are the same numbers: errors are added as if all of a
    part were one, and bound the error of its mean.
    """
    t = data["time"].values
    rows = slice(k := int(np.argmin(np.abs(t - first))), k + 1 if last is None else len(t))
    y = data["site_emission"].values[rows].mean(axis=0)
    e = data["site_emission_sem"].values[rows].mean(axis=0)
    middle, ends = slice(2 * M // 5, 3 * M // 5), np.r_[0 : M // 10, M - M // 10 : M]
    a, b = y[middle].mean(), y[ends].mean()
    da, db = e[middle].mean(), e[ends].mean()
    return float(a / b), float(a / b * np.hypot(da / a, db / b))


def draw(data: Data) -> Drawing:
    """Totals as lines; site emission and structure factor as maps."""
    figure, axes = new_figure(3, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1.25, 1.25]})
    figure.set_size_inches(8.2, 9.4)
    t = data["time"].values[1:]
    top, middle, bottom = axes[:, 0]
    for name, colour, style in (("forward", COLOURS[0], "-"), ("backward", COLOURS[1], "--")):
        band(top, data, name, colour, 1e3, first=1, linestyle=style, label=name)
    top.set_ylabel(r"$\langle L^\dagger L\rangle/N_{\rm tot}^2$  ($10^{-3}$)")
    top.set_ylim(0, None)
    top.legend(loc="lower right")
    sites = data["site"].values
    _map(middle, t, sites, data["site_emission"].values[1:], r"$\langle J^+_mJ^-_m\rangle/N^2$")
    middle.set_ylabel("site  $m$")
    momenta = data["momentum"].values / np.pi
    S = data["structure"].values[1:] / 1e6
    _map(bottom, t, momenta, S, r"$S(p)$  ($10^6$)", top=float(np.percentile(S, 99.7)))
    bottom.set_ylabel(r"momentum  $p/\pi$")
    bottom.set_xlabel(r"time  $\Gamma t$")
    bottom.set_xscale("log")
    bottom.set_xlim(t[0], t[-1])
    figure.suptitle(
        rf"Chain of $M = {M}$ ensembles of $N = {N}$, pump $\gamma = 250\,\Gamma$, "
        rf"$\varphi = \pi/10$;  {trajectories(data)}"
    )
    return figure


def _map(ax: Axes, t: Any, y: Any, values: Any, label: str, top: float | None = None) -> None:
    image = ax.pcolormesh(
        t, y, values.T, shading="nearest", rasterized=True, cmap="magma", vmin=0, vmax=top
    )
    extend = "neither" if top is None else "max"
    ax.figure.colorbar(image, ax=ax, label=label, extend=extend, pad=0.01)
