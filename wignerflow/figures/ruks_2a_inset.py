r"""The error of the truncated Wigner approximation against N: Ruks, Fig. 2(a), inset.

For the model of Fig. 2(a), the largest deviation from the exact solution of
:math:`\langle J^+J^-\rangle/N^2` and :math:`\langle J_z\rangle/N` over N Gamma t from 0 to 20. The
more accurate the method, the more trajectories are needed to see its error at all. Where they do
not resolve it, the figure shows upper bounds (deviation plus two standard errors).

The full version shows both rotor forms of the paper's own phase space too, up to N = 100: their
deviations are larger, so that the gain of the Bloch form is seen.

The step is N Gamma dt = 0.0125. Halving it, with coarse noise the sum of the fine noise, changes
the mean emission by at most 4e-5, 1.2e-5 and 5e-6 of N^2 at N = 10, 25 and 100. From N = 56 on
trajectories come in nets (guided sampling), each of which stands for 3 plain ones at N = 56, 7 at
N = 100, 150 at N = 320 and 550 at N = 1000, with steps of 0.1 for small noise: halving them there
changes the emission by at most 1.2e-6 of N^2, with sampling errors of up to 0.9e-6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Asked, Axes, Check, Data, Drawing, deviations
from .data import EXACT, add_runs, axis, dataset, sampled
from .ruks import PAPER, laser, light_and_inversion
from .ruks_2a import PUMP, QUANTITIES, REQUIRED, label_of, name_of

TITLE = "Largest error of emission and inversion against N, with the 1/N line"
SOURCE = f"{PAPER}, Fig. 2(a), inset"
#: Trajectories by N.
NTRAJ = {
    10: 1_000_000, 18: 1_000_000, 25: 1_000_000, 32: 2_000_000, 56: 2**21, 100: 2**21,
    180: 2**22, 320: 2**22, 560: 2**23, 1000: 2**24,
}  # fmt: skip
#: From here on trajectories come in nets.
GUIDED = 56
#: The same for each rotor form, of which the quick version has none.
ROTOR = {10: 400_000, 18: 400_000, 32: 800_000, 56: 1_000_000, 100: 2_000_000}
FORMS = {
    "rotor": ("rotor form, corrected", True),
    "leading": ("rotor form, leading order", False),
}
#: Largest deviation of the emission at N = 10 by the rotor forms.
ROTOR_REQUIRED = 0.012
QUICK = {10: 200_000, 18: 200_000, 32: 200_000, 100: 100_000}
#: N Gamma dt, of plain trajectories and of nets.
STEP, LONG = 0.0125, 0.1
#: Deviations below this many standard errors are shown as bounds.
RESOLVED = 3.0
EXPONENT = 0.8


def make(asked: Asked) -> Data:
    """Curves of every N by TWA and exactly, and their largest deviations; minutes on two cores."""
    counts = QUICK if asked.quick else NTRAJ
    step = 4 * STEP if asked.quick else STEP
    numbers = list(counts)
    scaled = np.linspace(0, 20, 101)
    data = dataset(
        axis("scaled_time", scaled, "scaled time N Gamma t", "NΓt")
        | {"N": ("N", numbers, {"long_name": "number of emitters"})},
        Gamma=1.0,
        pump="0.25 N Gamma",
        initial="all up",
        scaled_step=step,
        quick=int(asked.quick),
    )
    for N in numbers:
        how = asked.sampling(asked.many(counts[N]), step / N)
        atoms, model = laser(N, PUMP * N)
        rotor: dict[str, Any] = how | {"ntraj": asked.many(ROTOR.get(N, 0))}
        if asked.ntraj is None and N >= GUIDED:
            small = {"variance": "guided", "method": wf.TWA(scheme="small-noise")}
            how |= {"dt": LONG / N} | small
        methods = {"twa": how, "exact": EXACT}
        said = f"N = {N}: {how['ntraj']} trajectories, exact populations"
        if not asked.quick and N in ROTOR:
            said += f"; {rotor['ntraj']} trajectories of each rotor form"
            for form, (_, corrected) in FORMS.items():
                methods[form] = rotor | {"method": wf.TWA(form="rotor", corrected=corrected)}
        asked.say(said)
        ops = light_and_inversion(atoms)
        quantities = {f"{q}_N{N}": (label_of(q, N), op) for q, op in ops.items()}
        required = {f"emission_N{N}_twa": REQUIRED.get(N)}
        if N == 10:
            required |= {f"emission_N{N}_{form}": ROTOR_REQUIRED for form in FORMS}
        texts = {form: text for form, (text, _) in FORMS.items()}
        add_runs(
            data, "scaled_time", scaled / N, model, quantities, methods, required, texts=texts, N=N
        )
    found = dict(zip(sampled(data), deviations(data), strict=True))
    for quantity, text in QUANTITIES.items():
        for method in ("twa", *(() if asked.quick else FORMS)):
            rows = [found.get(name_of(quantity, N, method)) for N in numbers]
            form = "" if method == "twa" else f", {FORMS[method][0]}"
            label = f"largest deviation of {text} from exact{form}"
            name = deviation_of(quantity, method)
            data[name] = ("N", [d.value if d else np.nan for d in rows], {"long_name": label})
            about = {"long_name": f"{label}, standard error at that time"}
            data[f"{name}_sem"] = ("N", [d.sem if d else np.nan for d in rows], about)
        value = float(data[f"{quantity}_deviation"][0])
        about = {"long_name": "1/N through the first point"}
        line = value * numbers[0] / np.array(numbers)
        data[f"{quantity}_one_over_N"] = ("N", line, about)
    return data


def deviation_of(quantity: str, method: str) -> str:
    """Name of the deviations of a method."""
    return f"{quantity}_deviation" + ("" if method == "twa" else f"_{method}")


def fit(data: Data, quantity: str) -> tuple[float, float, float]:
    r"""Exponent a, its standard error, and prefactor of deviation = c N^-a.

    Weighted least squares of logarithms over the resolved deviations; the error is scaled by
    :math:`\sqrt{\chi^2/\mathrm{dof}}` where a power law fits worse than the errors allow.
    """
    N, value, error = _values(data, quantity)
    use = value > RESOLVED * error
    if use.sum() < 2:
        return np.nan, np.nan, np.nan
    x, y, w = np.log(N[use]), np.log(value[use]), value[use] / error[use]
    line, covariance = np.polyfit(x, y, 1, w=w, cov="unscaled")
    excess = float(np.sum((w * (y - np.polyval(line, x))) ** 2)) / max(1, use.sum() - 2)
    sigma = float(np.sqrt(covariance[0, 0] * max(1.0, excess)))
    return -float(line[0]), sigma, float(np.exp(line[1]))


def _values(data: Data, quantity: str) -> list[NDArray[Any]]:
    """N, deviations and their errors."""
    names = ("N", f"{quantity}_deviation", f"{quantity}_deviation_sem")
    return [data[n].values.astype(float) for n in names]


def checks(data: Data) -> list[Check]:
    """How fast the error falls, and how well it is resolved."""
    out = []
    span = f"N = {int(data['N'].min())} to {int(data['N'].max())}"
    for quantity, text in QUANTITIES.items():
        exponent, sigma, _ = fit(data, quantity)
        what = f"exponent a of deviation ~ N^-a, {text}, {span}"
        met = None if np.isnan(exponent) else bool(exponent >= EXPONENT)
        out.append(Check(what, exponent, sigma, f"at least {EXPONENT:g}", met))
    for quantity, text in QUANTITIES.items() if not data.attrs["quick"] else ():
        _, value, error = _values(data, quantity)
        ratio = float(np.max(error / value))
        what = f"largest standard error / deviation, {text}, {span}"
        out.append(Check(what, ratio, None, "below 1/3", ratio < 1 / 3))
    return out


def draw(data: Data) -> Drawing:
    """Deviations against N on logarithmic axes, with 1/N lines and fits."""
    figure, axes = new_figure(1, 1)
    figure.set_size_inches(7.6, 6.0)
    ax = axes[0, 0]
    symbols = {"emission": r"$\langle J^+J^-\rangle/N^2$", "inversion": r"$\langle J_z\rangle/N$"}
    for (quantity, symbol), colour, marker in zip(symbols.items(), COLOURS, "os", strict=False):
        _quantity(ax, data, quantity, symbol, colour, marker)
        _rotor_forms(ax, data, quantity, colour)
    if "emission_deviation_rotor" in data:
        for style, (text, _) in zip(("full", "none"), FORMS.values(), strict=True):
            dots: dict[str, Any] = {"color": "0.5", "marker": "D", "markersize": 5}
            ax.plot([], [], linestyle=":", fillstyle=style, label=text, **dots)
    ax.plot([], [], color="0.5", linestyle="--", label=r"$1/N$")
    bound: dict[str, Any] = {"marker": "v", "fillstyle": "none", "linestyle": "none"}
    ax.plot([], [], color="0.5", label="upper bound (deviation + 2 s.e.)", **bound)
    ax.set(xscale="log", yscale="log", xlabel=r"number of emitters  $N$")
    ax.set_xlim(8, 1.3 * float(data["N"].max()))
    ax.set_ylabel("largest |TWA $-$ exact|")
    ax.set_title("Error of the TWA, superradiant laser; bars: one standard error")
    ax.legend(loc="lower left")
    return figure


def _quantity(ax: Axes, data: Data, quantity: str, symbol: str, colour: str, marker: str) -> None:
    N, value, error = _values(data, quantity)
    seen = value > RESOLVED * error
    exponent, sigma, prefactor = fit(data, quantity)
    ax.errorbar(
        N[seen], value[seen], error[seen], color=colour, marker=marker, linestyle="none", capsize=3,
        label=rf"{symbol}:  fit $N^{{-{exponent:.2f} \pm {sigma:.2f}}}$",
    )  # fmt: skip
    bound: dict[str, Any] = {"marker": "v", "fillstyle": "none", "linestyle": "none"}
    ax.plot(N[~seen], (value + 2 * error)[~seen], color=colour, **bound)
    line = N[[0, -1]]
    ax.plot(line, prefactor * line**-exponent, color=colour, linewidth=1.2)
    ax.plot(N, data[f"{quantity}_one_over_N"].values, color=colour, linestyle="--", linewidth=1)


def _rotor_forms(ax: Axes, data: Data, quantity: str, colour: str) -> None:
    for method, style in zip(FORMS, ("full", "none"), strict=True):
        name = deviation_of(quantity, method)
        if name in data:
            known = np.isfinite(data[name].values)
            N, value, error = (
                data[n].values[known].astype(float) for n in ("N", name, f"{name}_sem")
            )
            ax.errorbar(
                N, value, error, color=colour, marker="D", markersize=5, fillstyle=style,
                linestyle=":", linewidth=1, capsize=2,
            )  # fmt: skip
