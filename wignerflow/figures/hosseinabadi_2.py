r"""One driven spin with decay, and where each form of TWA is better: Hosseinabadi et al., Fig. 2.

.. math:: H = \Omega\sigma^x, \qquad
    \dot s^x = \tfrac\gamma2 s^xs^z + \xi^xs^z, \quad
    \dot s^y = -2\Omega s^z + \tfrac\gamma2 s^ys^z + \xi^ys^z, \quad
    \dot s^z = 2\Omega s^y - \tfrac\gamma2 (s_x^2 + s_y^2) - \xi^xs^x - \xi^ys^y

with decay gamma, spin down at first, :math:`s = (\pm1, \pm1, -1)`. Panel (a) is the paper's: decay
of 0.1 Omega to 2 Omega (chosen here, the text names 0.1 only) and, dotted, the equations of 0.1
without noise. Panel (b) shows the error, with a pump as strong as the decay too, where the form is
exact. Panels (c) and (d) go beyond the paper and compare its form, which keeps the length of the
vector, with the Bloch form, whose means under jumps of one spin are exact: a spin that decays
undriven, where the paper's form ends at the wrong value, and a Rydberg ring of five spins (see
:mod:`.hosseinabadi_5`) of Omega = J, kappa = 0.1 J, where the paper's form is the better one as
long as decay is weak.

Steps of 0.01/Omega; their error is below that of sampling, 0.002.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Asked, Axes, Check, Data, Drawing, Say, in_title, judged, keeps
from .data import add_values, axis, dataset, deviation_at, difference, largest, time_axis
from .drawing import band, deviation
from .hosseinabadi import (
    FORMS,
    METHODS,
    PAPER,
    add_runs,
    circles,
    driven_spin,
    options,
    rydberg_ring,
)

TITLE = "A driven spin with decay, and where each form of TWA is better"
SOURCE = f"{PAPER}, Fig. 2"
DECAYS = (0.1, 0.5, 1.0, 2.0)
#: Size of the ring, and its decay rates in units of J.
RING, RING_DECAYS = 5, (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
STEP, RING_STEP = 0.01, 0.02
#: Largest deviation of the paper's form at gamma = 0.1 Omega, and with pump = decay = Omega.
REQUIRED = 0.02


def make(asked: Asked) -> Data:
    """All panels, with exact curves (3 x 10^5 trajectories of the spin, 4 x 10^4 of the ring)."""
    rates = RING_DECAYS[1::3] if asked.quick else RING_DECAYS
    coordinates = time_axis(15.0, 151, "Ωt") | time_axis(6.0, 61, "γt", "decay_time")
    data = dataset(coordinates | axis("decay", list(rates), "decay of the ring gamma / J", "γ/J"))
    sampling = asked.sampling(asked.many(300_000, 5_000), 0.05 if asked.quick else STEP)
    asked.say(f"driven spin: {sampling['ntraj']} trajectories, exact")
    for k, decay in enumerate(DECAYS):
        _spin(data, f"driven{k}", "time", 1.0, decay, 0.0, sampling, f"⟨σᶻ⟩, γ/Ω = {decay:g}")
    _spin(data, "pumped", "time", 1.0, 1.0, 1.0, sampling, "⟨σᶻ⟩, γ↑ = γ↓ = Ω")
    _noiseless(data, DECAYS[0])
    asked.say("undriven decay: both forms")
    _spin(data, "undriven", "decay_time", 0.0, 1.0, 0.0, sampling, "⟨σᶻ⟩, undriven", linear=True)
    sampling = asked.sampling(asked.many(40_000, 2_000), 0.1 if asked.quick else RING_STEP)
    _ring(data, sampling, asked.say)
    return data


def _spin(
    data: Data,
    stem: str,
    dim: str,
    drive: float,
    decay: float,
    pump: float,
    sampling: dict[str, Any],
    label: str,
    linear: bool = False,
) -> None:
    """One spin, driven from below or left alone above: TWA and exact."""
    z, model = driven_spin(drive, decay, pump)
    methods = options(("exact", "spins", *(("linear",) if linear else ())), sampling)
    required = {f"{stem}_spins": REQUIRED} if stem in ("driven0", "pumped") else {}
    facts: dict[str, Any] = {"decay": decay, "pump": pump}
    add_runs(data, dim, data[dim].values, model, {stem: (label, z)}, methods, required, **facts)


def _noiseless(data: Data, decay: float) -> None:
    """The paper's equations with the noise left out, from the same initial vectors."""
    from scipy.integrate import solve_ivp  # its import takes longer than to draw other figures

    def slope(_: float, s: Any) -> Any:
        x, y, z = s
        damp = decay / 2
        return [damp * x * z, -2 * z + damp * y * z, 2 * y - damp * (x * x + y * y)]

    times = data["time"].values
    starts = [(x, y, -1.0) for x in (-1.0, 1.0) for y in (-1.0, 1.0)]
    runs = [solve_ivp(slope, (0, times[-1]), s, "DOP853", times, rtol=1e-9).y[2] for s in starts]
    label = f"⟨σᶻ⟩, γ/Ω = {decay:g}, without noise"
    mean = np.mean(runs, axis=0)
    add_values(data, "noiseless", "time", mean, label=label, method="twa without noise")


def _ring(data: Data, sampling: dict[str, Any], say: Say) -> None:
    """Largest deviation over time of the ring's inversion, in both forms, against decay."""
    times = np.linspace(0, 20, 81)
    found: dict[str, list[tuple[float, float]]] = {"spins": [], "linear": []}
    for decay in data["decay"].values:
        say(f"ring, γ/J = {decay:g}: {sampling['ntraj']} trajectories of both forms, exact")
        z, model = rydberg_ring(RING, Omega=1.0, J=1.0, loss=float(decay), dephasing=0.1)
        e_ops = {"z": z.sum() / RING}
        curves = {
            key: wf.solve(model, times, e_ops=e_ops, progress=False, **how)
            for key, how in options(("exact", "spins", "linear"), sampling).items()
        }
        for key, values in found.items():
            change = curves[key].expect["z"] - curves["exact"].expect["z"]
            values.append(largest(change, curves[key].sem["z"])[1:])
    facts = {"dt": sampling["dt"], "ntraj": sampling["ntraj"], "seed": str(sampling["seed"])}
    for key, values in found.items():
        label = f"ring: largest deviation, {FORMS[key][0]}"
        method = METHODS[key].name
        pairs = np.array(values).T
        add_values(data, f"ring_{key}", "decay", *pairs, label=label, method=method, **facts)


def checks(data: Data) -> list[Check]:
    """Where each form is better, as numbers."""
    out = []
    for key, limit in (("spins", {"at_least": 0.1}), ("linear", {"at_most": 0.01})):
        what = f"undriven decay, steady state, {FORMS[key][0]}: deviation"
        out.append(judged(what, *deviation_at(data, f"undriven_{key}", -1), **limit))
    for at, better, worse in ((0, "spins", "linear"), (-1, "linear", "spins")):
        low, high = (float(data[f"ring_{key}"][at]) for key in (better, worse))
        errors = [float(data[f"ring_{key}_sem"][at]) for key in (better, worse)]
        ratio = low / high
        error_ = ratio * float(np.hypot(errors[0] / low, errors[1] / high))
        rate = f"γ/J = {float(data['decay'][at]):g}"
        what = f"ring, {rate}: deviation of {FORMS[better][0]} relative to {FORMS[worse][0]}"
        out.append(Check(what, ratio, error_, "below 1", keeps(ratio, error_, 1.0)))
    return out


def draw(data: Data) -> Drawing:
    """The paper's figure and its errors above, the forms compared below."""
    figure, axes = new_figure(2, 2)
    figure.set_size_inches(12.0, 8.2)
    _driven(axes[0, 0], axes[0, 1], data)
    _undriven(axes[1, 0], data)
    _compared(axes[1, 1], data)
    for letter, ax in zip("abcd", axes.flat, strict=True):
        ax.set_title(f"({letter})", loc="left")
    ntraj = in_title(data["driven0_spins"].attrs["ntraj"])
    figure.suptitle(
        f"Single driven spin;  TWA with {ntraj} trajectories, bands: one standard error"
    )
    return figure


def _driven(left: Axes, right: Axes, data: Data) -> None:
    t = data["time"].values
    for k, (decay, colour) in enumerate(zip(DECAYS, COLOURS, strict=False)):
        name = f"driven{k}_spins"
        band(left, data, name, colour, label=rf"TWA, $\gamma_\downarrow/\Omega = {decay:g}$")
        label = "exact" if k == 3 else None
        circles(left, data, f"driven{k}_exact", 3, label=label, markersize=3.5)
        deviation(right, data, name, colour, label=rf"$\gamma_\downarrow/\Omega = {decay:g}$")
    left.plot(t, data["noiseless"], ":", color=COLOURS[0], linewidth=1.3, label="0.1, no noise")
    change, _ = difference(data, "pumped_spins")
    label = r"$\gamma_\uparrow = \gamma_\downarrow = \Omega$"
    right.plot(t, change, "--", color="0.35", linewidth=1.2, label=label)
    right.axhline(0, color="0.1", linewidth=0.9, linestyle="--")
    left.set(xlim=(0, 15), ylim=(-1.05, 1.75), ylabel=r"$\langle\sigma^z\rangle$")
    right.set(xlim=(0, 15), ylabel=r"$\langle\sigma^z\rangle$, TWA $-$ exact")
    left.set_yticks([-1, -0.5, 0, 0.5, 1])
    left.legend(loc="upper right", ncols=2)
    right.legend(loc="upper right", ncols=2)
    for ax in (left, right):
        ax.set_xlabel(r"time  $\Omega t$")


def _undriven(ax: Axes, data: Data) -> None:
    for key, text in (("spins", "TWA, the paper's form"), ("linear", "TWA, Bloch form")):
        band(ax, data, f"undriven_{key}", FORMS[key][1], label=text)
    circles(ax, data, "undriven_exact", 2, label="exact")
    ax.set(xlim=(0, 6), ylim=(-1.05, 1.05), xlabel=r"time  $\gamma_\downarrow t$")
    ax.set_ylabel(r"$\langle\sigma^z\rangle$ without drive")
    ax.legend(loc="upper right")


def _compared(ax: Axes, data: Data) -> None:
    x = data["decay"].values
    for key, marker, text in (("spins", "o", "the paper's form"), ("linear", "s", "Bloch form")):
        y, error = data[f"ring_{key}"].values, data[f"ring_{key}_sem"].values
        ax.errorbar(x, y, error, fmt=f"{marker}-", color=FORMS[key][1], linewidth=1.4, label=text)
    ax.set(xscale="log", ylim=(0, None), xlabel=r"decay  $\gamma_\downarrow/J$")
    ax.set_ylabel(r"largest deviation of $\langle\sigma^z\rangle$")
    ax.set_xticks([0.02, 0.1, 0.5, 2], ["0.02", "0.1", "0.5", "2"])
    ax.minorticks_off()
    ax.annotate(rf"Rydberg ring, $N = {RING}$, $\Omega = J$, $\kappa = 0.1\,J$", (0.5, 0.97),
                xycoords="axes fraction", ha="center", va="top", fontsize=10)  # fmt: skip
    ax.legend(loc="upper left", bbox_to_anchor=(0.02, 0.9))
