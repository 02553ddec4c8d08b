r"""Burst of an inverted chain in free space: Hosseinabadi, Chelpanova and Marino, Fig. 7.

The chain of :mod:`.hosseinabadi_6` without drive, all up: ten atoms at three spacings (chosen here
apart from a tenth of a wavelength, as is the direction of the dipoles), and in the inset N up to
1000 at a tenth of a wavelength. Shown is the emission rate per atom,

.. math:: R = -\frac{1}{N\Gamma_0}\frac{d}{dt}\langle n\rangle
    = \frac{1}{N\Gamma_0}\Big\langle\sum_{ij}\Gamma_{ij}s^+_is^-_j
    + \frac{\Gamma_0}{2}\sum_is^z_i\Big\rangle,

Eq. (61) with its sign put right. Its on-site part is :math:`(3 - s_z^2)/4 + s_z/2` and not the
population :math:`(1 + s_z)/2`, which TWA does not bring to zero without drive; both are the same
to a quantum spin. R is taken from the balance, as the loss of excitation between two times, exact
curves alike. The error of a difference adds the noise of the interval, of variance
:math:`(R - \langle s_z\rangle/2)\,\Gamma_0/N` per trajectory and unit of time, to the spread of R.

Steps of 0.01/Gamma_0; ones twice as long change R by less than 0.01.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS
from .contract import Asked, Axes, Check, Data, Drawing, in_title, judged
from .data import add_values, axis, dataset, deviation_at
from .drawing import above_and_below, band, deviation
from .hosseinabadi import FORMS, PAPER, chain, circles, options

TITLE = "Superradiant burst of a chain of atoms, ten to a thousand"
SOURCE = f"{PAPER}, Fig. 7"
N = 10
SPACINGS = (0.1, 0.2, 0.5)
TEX = (r"\lambda/10", r"\lambda/5", r"\lambda/2")
#: Atoms and trajectories of the inset.
SIZES = {10: 20_000, 30: 10_000, 100: 3_000, 300: 1_000, 1000: 200}
LAST, WIDTH = 3.0, 0.05
STEP = 0.01
#: Largest deviation of R at a tenth of a wavelength, as a fraction of its peak.
REQUIRED = 0.05


def make(asked: Asked) -> Data:
    """Emission rate by TWA (10^5 trajectories) and exact; six atoms where quick."""
    size, sizes = (6, {6: 1000}) if asked.quick else (N, SIZES)
    edges = np.linspace(0, LAST, round(LAST / WIDTH) + 1)
    times = axis("time", (edges[1:] + edges[:-1]) / 2, "time Gamma_0 t", "Γ₀t")
    data = dataset(times, N=size, dipole="perpendicular", initial="up", width=WIDTH)
    sampling = asked.sampling(asked.many(100_000, 2_000), 0.05 if asked.quick else STEP)
    for k, spacing in enumerate(SPACINGS):
        asked.say(f"a/λ = {spacing:g}: {sampling['ntraj']} trajectories, exact")
        for key in ("exact", "spins"):
            result = _run(key, size, spacing, edges, sampling)
            text = f"emission rate, a/λ = {spacing:g}, {FORMS[key][0]}"
            _rate(data, f"rate{k}", key, result, size, text, spacing=spacing)
    for number, many in sizes.items():
        sampling["ntraj"] = asked.many(many)
        asked.say(f"N = {number}: {sampling['ntraj']} trajectories")
        result = _run("spins", number, SPACINGS[0], edges, sampling)
        text = f"emission rate, N = {number}, {FORMS['spins'][0]}"
        _rate(data, f"size{number}", "spins", result, number, text, N=number)
    peak = float(data["rate0_exact"].max())
    data["rate0_spins"].attrs["required"] = REQUIRED * peak
    return data


def _run(key: str, number: int, spacing: float, times: Any, sampling: dict[str, Any]) -> wf.Result:
    spins, Gamma, model = chain(number, spacing, 0.0, wf.up)
    e_ops: dict[str, Any] = {"excitation": spins.sz.sum() / (2 * number) + 0.5}
    if key != "exact":
        e_ops["rate"] = wf.couple(spins.sp, Gamma, spins.sm) / number
    how = options([key], sampling)[key]
    return wf.solve(model, times, e_ops=e_ops, progress=False, **how)


def _rate(
    data: Data,
    stem: str,
    key: str,
    result: wf.Result,
    number: int,
    label: str,
    **attributes: Any,
) -> None:
    """Loss of excitation per unit of time and atom."""
    n = result.expect["excitation"]
    rate = -np.diff(n) / WIDTH
    facts: dict[str, Any] = {"method": result.method} | attributes
    error = None
    if result.ntraj:
        facts |= {"ntraj": result.ntraj, "seed": str(result.seed), "dt": result.dt}
        if f"{stem}_exact" in data:
            facts["reference"] = f"{stem}_exact"
        inversion = n[1:] + n[:-1] - 1
        noise = np.maximum(rate - inversion / 2, 0) / (number * WIDTH * result.ntraj)
        spread = np.abs(result.sem["rate"])
        error = np.sqrt(noise + np.maximum(spread[1:], spread[:-1]) ** 2)
    add_values(data, f"{stem}_{key}", "time", rate, error, label=label, **facts)


def checks(data: Data) -> list[Check]:
    """Height of the burst at a tenth of a wavelength; none at half of one."""
    exact = data["rate0_exact"].values
    k = int(np.argmax(exact))
    value, sem = (x / exact[k] for x in deviation_at(data, "rate0_spins", k))
    what = "height of the burst, a = λ/10: relative deviation"
    out = [judged(what, value, sem, at_most=REQUIRED)]
    few, first = int(data.attrs["N"]), float(exact[k])
    many = max(_sizes(data))
    if many == few:
        return out
    peak = data[f"size{many}_spins"].values
    k = int(np.argmax(peak))
    value, sem = float(peak[k]), float(data[f"size{many}_spins_sem"][k])
    what = f"height of the burst of {many} atoms: above that of {few}, {first:.3g}"
    return [*out, judged(what, value, sem, at_least=first)]


def _sizes(data: Data) -> list[int]:
    """Numbers of atoms in the inset."""
    return [curve.attrs["N"] for curve in data.values() if "N" in curve.attrs]


def draw(data: Data) -> Drawing:
    """Emission rates with the inset; deviations below."""
    figure, ((upper,), (lower,)) = above_and_below(7.6, 6.8, ratio=2.4)
    for k, (text, colour) in enumerate(zip(TEX, COLOURS, strict=False)):
        band(upper, data, f"rate{k}_spins", colour, label=rf"TWA, $a = {text}$")
        label = "exact" if k == len(TEX) - 1 else None
        circles(upper, data, f"rate{k}_exact", 1, label=label, markersize=3.8)
        deviation(lower, data, f"rate{k}_spins", colour)
    bound = data["rate0_spins"].attrs["required"]
    lower.axhspan(-bound, bound, color="0.93", linewidth=0, zorder=0)
    upper.set(xlim=(0, LAST), ylim=(0, None), ylabel=r"emission rate per atom  $R/\Gamma_0$")
    lower.set(xlabel=r"time  $\Gamma_0 t$", ylabel=r"TWA $-$ exact")
    upper.legend(loc="upper left", bbox_to_anchor=(0.13, 1.0))
    _inset(upper.inset_axes((0.55, 0.36, 0.44, 0.6)), data)
    ntraj = in_title(data["rate0_spins"].attrs["ntraj"])
    figure.suptitle(
        rf"Inverted chain of $N = {data.attrs['N']}$ atoms;  TWA, {ntraj} trajectories, "
        "bands: one standard error"
    )
    return figure


def _inset(ax: Axes, data: Data) -> None:
    for N, colour in zip(_sizes(data), reversed(COLOURS), strict=False):
        band(ax, data, f"size{N}_spins", colour, linewidth=1.5, label=f"{N}")
    ax.set(xlim=(0, 1), ylim=(0, None))
    ax.tick_params(labelsize=9)
    ax.set_title(r"$a = \lambda/10$", fontsize=10)
    ax.legend(title="atoms", fontsize=8, title_fontsize=8, loc="upper right")
