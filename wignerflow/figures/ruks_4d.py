r"""A weak forward drive turns the emission of a pumped chain forward: Ruks, Fig. 4(d).

Chains of M = 20, 30, 50, 100 and 500 ensembles of N = 250 emitters with the medium's phase
M phi = 10 pi and the cooperativity Gamma N_tot/gamma = 100 held fixed, all down at t = 0, and the
forward drive Omega sum_m (e^{-i phi m} J^+_m + h.c.) switched on (see :mod:`.ruks`). Shown
are the fractions :math:`\langle I_F\rangle/\langle I_F + I_B\rangle` and
:math:`\langle I_B\rangle/\langle I_F + I_B\rangle` at t = 2/Gamma against Omega/gamma.

**Direction of the drive.** The paper drives with Omega sum_m (e^{+i phi m} J^+_m + h.c.). With its
Eq. (8), L_F = sum_m e^{+i phi m} J^-_m, emitters that follow that field radiate into L_B. Here the
drive is forward in the sense of L_F.

The scheme is that for small noise, whose steps may be twelve times as long as with the splitting.
The step is fixed first, by halving it on the shortest chain under a strong drive until the fraction
and the emission change by less than the tolerance; N_tot Gamma dt is the same for all chains, whose
rates all scale with N_tot. At N_tot Gamma dt = 32 the first trajectories diverge.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import numpy as np

import wignerflow as wf

from ..plot import new_figure
from .contract import Asked, Check, Data, Drawing, Say, in_title
from .data import add_values, axis, dataset
from .drawing import shades
from .ruks import PAPER, chain_model, emissions

TITLE = "Directional emission of chains of 20 to 500 ensembles against a weak forward drive"
SOURCE = f"{PAPER}, Fig. 4(d)"
N = 250
SIZES, QUICK_SIZES = (20, 30, 50, 100, 500), (20, 50)
#: Omega / gamma.
DRIVES = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
QUICK_DRIVES = (0.0, 0.05, 0.1, 0.2, 0.3)
NTRAJ, QUICK_NTRAJ = 500, 128
TIME = 2.0
#: N_tot Gamma dt, tried in this order; the first that passes is taken.
STEPS = (24.0, 12.0, 6.0)
#: Largest change of the forward fraction, and of the emission relative to itself, by halving.
TOLERANCE = 0.01
PILOT_NTRAJ, QUICK_PILOT = 4096, 1024
PILOT_DRIVE = 0.1
#: Forward fractions to be found: (M, Omega/gamma) -> value.
EXPECTED = {(50, 0.1): 0.66, (50, 0.3): 0.955, (100, 0.1): 0.78, (100, 0.3): 0.963}
MEMORY = 2e9


def run(M: int, drive: float, scaled_step: float, **sampling: Any) -> wf.Result:
    """Fractions and total emission of one chain at t = 2/Gamma; ``drive`` is Omega/gamma."""
    pump, phi = N * M / 100, 10 * np.pi / M
    chain, model = chain_model(M, N, phi, pump, drive * pump)
    forward, backward = emissions(chain, phi)
    e_ops: dict[str, Any] = {
        "forward_fraction": wf.Ratio(forward, forward + backward),
        "backward_fraction": wf.Ratio(backward, forward + backward),
        "emission": forward + backward,
    }
    step = scaled_step / (N * M)
    # averages over the mirror of the chain without drive would make its fractions 1/2 untested
    how: dict[str, Any] = {"method": wf.TWA(scheme="small-noise"), "symmetrize": False}
    how |= {"truncation": False, "progress": False}
    return wf.solve(model, [0.0, TIME], e_ops=e_ops, dt=step, **how, **sampling)


def choose_step(say: Say, **sampling: Any) -> tuple[float, list[list[float]]]:
    """The scaled step, and rows (step, change of fraction, error, that of emission, error)."""
    rows: list[list[float]] = []
    before: wf.Result | None = None
    for step in (*STEPS, STEPS[-1] / 2):
        found = run(SIZES[0], PILOT_DRIVE, step, **sampling)
        if before is not None:
            row = [2 * step]
            for name in ("forward_fraction", "emission"):
                scale = 1.0 if name == "forward_fraction" else found.expect[name][-1]
                row.append(float(found.expect[name][-1] - before.expect[name][-1]) / scale)
                row.append(float(np.hypot(found.sem[name][-1], before.sem[name][-1])) / scale)
            rows.append(row)
            say(f"step {row[0]:g}: halving changes the fraction by {row[1]:.4f} ± {row[2]:.4f}")
            # an error that sampling cannot tell from zero counts by its upper bound
            if max(abs(row[1]) - row[2], abs(row[3]) - row[4]) <= TOLERANCE:
                return 2 * step, rows
        before = found
    raise RuntimeError(f"No step met the tolerance: {rows}")


def make(asked: Asked) -> Data:
    """Five sizes and nine drives, 500 trajectories each; two sizes and five drives where quick."""
    sizes, drives = (QUICK_SIZES, QUICK_DRIVES) if asked.quick else (SIZES, DRIVES)
    how = asked.sampling(asked.many(NTRAJ, QUICK_NTRAJ))
    del how["dt"]  # is chosen
    start = time.perf_counter()
    pilot = how | {"ntraj": QUICK_PILOT if asked.quick else PILOT_NTRAJ, "seed": how["seed"] + 1}
    step, rows = choose_step(asked.say, **pilot)
    sampling = {"ntraj": how["ntraj"], "seed": str(how["seed"])}
    data = dataset(
        axis("drive", list(drives), "drive Omega / gamma", "Ω/γ") | {"M": ("M", list(sizes))},
        Gamma=1.0,
        N=N,
        phi="10 pi / M",
        pump="N_tot Gamma / 100",
        initial="all down",
        time=TIME,
        scaled_step=step,
        step_change=rows[-1][1],
        step_change_sem=rows[-1][2],
        quick=int(asked.quick),
        **sampling,
    )
    names = ("forward_fraction", "backward_fraction", "emission")
    values, errors = np.empty((2, len(names), len(sizes), len(drives)))
    for i, M in enumerate(sizes):
        asked.say(f"M = {M}: {how['ntraj']} trajectories, {len(drives)} drives")
        for j, drive in enumerate(drives):
            result = run(M, drive, step, **how)
            for k, name in enumerate(names):
                values[k, i, j], errors[k, i, j] = result.expect[name][-1], result.sem[name][-1]
            for text in result.stats["warnings"]:
                data.attrs["warnings"] += f"M = {M}, drive = {drive}: {text}\n"
    for k, name in enumerate(names):
        label = name.replace("_", " ") + (" / N_tot²" if name == "emission" else "")
        facts = {"label": label, "method": "twa"} | sampling
        add_values(data, name, ("M", "drive"), values[k], errors[k], **facts)
    data.attrs["seconds"] = time.perf_counter() - start
    data.attrs["peak_memory"] = float(_peak_memory())
    return data


def _peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def checks(data: Data) -> list[Check]:
    """Known fractions, the rise with the drive, its steepening with M, step and memory."""
    change, error = data.attrs["step_change"], data.attrs["step_change_sem"]
    what = f"change of the fraction on halving the step N_tot Γ dt = {data.attrs['scaled_step']:g}"
    met = abs(change) - error <= TOLERANCE
    out = [Check(what, change, error, f"within {TOLERANCE:g}", met)]
    F, E = data["forward_fraction"], data["forward_fraction_sem"]
    for (M, drive), expected in EXPECTED.items():
        if M in data["M"].values and drive in data["drive"].values:
            at = {"M": M, "drive": drive}
            value, error = float(F.sel(at)), float(E.sel(at))
            met = abs(value - expected) <= 0.02 + 2 * error
            what = f"forward fraction, M = {M}, Ω/γ = {drive:g}"
            out.append(Check(what, value, error, f"{expected:g} ± 0.02", met))
    for M in data["M"].values:
        value, error = float(F.sel(M=M)[0]), float(E.sel(M=M)[0])
        met = abs(value - 0.5) <= 3 * error
        out.append(Check(f"forward fraction without drive, M = {M}", value, error, "1/2", met))
    weak = F.sel(drive=0.1).values
    rise = float(np.diff(weak).min())
    where = int(np.argmin(np.diff(weak)))
    error = float(np.hypot(*E.sel(drive=0.1).values[where : where + 2]))
    what = "least rise of the fraction from one M to the next, Ω/γ = 0.1"
    out.append(Check(what, rise, error, "above 0", True if rise > 0 else None))
    peak = data.attrs["peak_memory"]
    out.append(Check("peak memory, GB", peak / 1e9, None, "below 2", peak < MEMORY))
    return out


def draw(data: Data) -> Drawing:
    """Forward fractions solid, backward dashed, dark to light with M."""
    figure, axes = new_figure(1, 1)
    figure.set_size_inches(7.4, 5.4)
    ax = axes[0, 0]
    sizes = data["M"].values
    x = data["drive"].values
    for M, colour in zip(sizes, shades(len(sizes)), strict=True):
        for name, style, marker in (("forward", "-", "o"), ("backward", "--", "s")):
            y = data[f"{name}_fraction"].sel(M=M).values
            e = data[f"{name}_fraction_sem"].sel(M=M).values
            ax.errorbar(
                x, y, e, color=colour, linestyle=style, marker=marker, markersize=4, capsize=2,
                label=f"$M = {M}$" if name == "forward" else None,
            )  # fmt: skip
    ax.axhline(0.5, color="0.6", linewidth=0.8, linestyle=":")
    ax.set(xlabel=r"drive  $\Omega/\gamma$", ylim=(-0.02, 1.02))
    ax.set_ylabel(r"fraction of the emission at $t = 2/\Gamma$")
    ax.annotate("forward", (x[-1], 0.9), ha="right", va="top", color="0.3")
    ax.annotate("backward", (x[-1], 0.1), ha="right", va="bottom", color="0.3")
    ax.legend(loc="center right", frameon=True, framealpha=1, edgecolor="none")
    figure.suptitle(
        rf"Pumped chains under a forward drive: $M\varphi = 10\pi$, "
        rf"$\Gamma N_{{\rm tot}}/\gamma = 100$;  {in_title(data.attrs['ntraj'])} trajectories"
    )
    return figure
