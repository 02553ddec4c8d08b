r"""Stochastic against exact, Fig. 2 of Merkel et al.: N = 40, kappa_z = kappa_+, drive along x.

Light curves average 100 trajectories of the generalised P-function, bold ones 10^4, dashed is the
exact solution. (a) |Bx| < kappa_+: a localised steady state; (b) |Bx| > kappa_+: damped
oscillations. The paper prints neither Bx nor the initial coherent state; here Bx = 0.7 and 2
kappa_+, all down.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

import wignerflow as wf

from ..plot import COLOURS
from .contract import Asked, Check, Data, Drawing
from .data import EXACT, add_runs, dataset, difference, time_axis
from .drawing import above_and_below
from .merkel import PAPER, driven

TITLE = "Generalised P-function against exact, N = 40: 100 and 10^4 trajectories, both regimes"
SOURCE = f"{PAPER}, Fig. 2"
N = 40
FIELDS = {"a": 0.7, "b": 2.0}
COMPONENTS = ("x", "y", "z")
STEP = 0.01  # in 1/kappa_+: the step error is then below 1e-3, far below the sampling error
FAMILY = 1e-2  # family-wise error rate of the check on all times, components and regimes


def make(asked: Asked) -> Data:
    """2<J>/N by 100 and 10^4 trajectories, and exactly."""
    runs = {"few": asked.many(100), "many": asked.many(10_000, 2_000)}
    coordinates = time_axis(12, 61 if asked.quick else 241, "κ₊t")
    times = coordinates["time"][1]
    kappa = "kappa_z = kappa_+ = 1, kappa_- = 0"
    data = dataset(coordinates, N=N, kappa=kappa, initial="all down")
    for regime, field in FIELDS.items():
        asked.say(f"regime {regime}: Bx = {field} kappa_+, {runs['many']} trajectories")
        atoms, model = driven(N, (field, 0, 0), wf.down, kappa={"+": 1.0, "z": 1.0})
        quantities = {
            f"{c}_{regime}": (f"2⟨J{c}⟩/N, Bx = {field} κ₊", 2 / N * getattr(atoms, f"J{c}"))
            for c in COMPONENTS
        }
        how = {"method": "generalized-p"}
        methods = {k: asked.sampling(n, STEP, seed=1) | how for k, n in runs.items()}
        texts = {name: f"{count} trajectories" for name, count in runs.items()}
        methods["exact"] = EXACT
        add_runs(data, "time", times, model, quantities, methods, texts=texts, Bx=field)
    return data


def checks(data: Data) -> list[Check]:
    """Every time of the bold curves within sampling error of exact."""
    out = []
    for regime, field in FIELDS.items():
        worst, count = 0.0, 0
        for c in COMPONENTS:
            change, error = difference(data, f"{c}_{regime}_many")
            use = error > 1e-7
            worst = max(worst, float(np.abs(change[use] / error[use]).max()))
            count += int(use.sum())
        limit = float(-ndtri(FAMILY / 2 / count))
        what = f"largest |z| over {count} values, Bx = {field} κ₊"
        out.append(Check(what, worst, None, f"at most {limit:.2f}", worst <= limit))
    return out


def draw(data: Data) -> Drawing:
    """Components over time for both regimes, deviations in standard errors below."""
    figure, axes = above_and_below(11.5, 6.2, columns=2)
    t = data["time"].values
    for column, (regime, field) in enumerate(FIELDS.items()):
        top, low = axes[:, column]
        for c, colour in zip(COMPONENTS, COLOURS, strict=False):
            few, many = data[f"{c}_{regime}_few"], data[f"{c}_{regime}_many"]
            top.plot(t, few, color=colour, alpha=0.4, linewidth=1)
            top.plot(t, many, color=colour, linewidth=2.4, label=rf"$2\langle J_{c}\rangle/N$")
            exact = data[f"{c}_{regime}_exact"]
            top.plot(t, exact, "k--", linewidth=1, label="exact" if c == "z" else None)
            change, error = difference(data, f"{c}_{regime}_many")
            score = np.divide(change, error, out=np.full_like(change, np.nan), where=error > 1e-7)
            low.plot(t, score, color=colour, linewidth=1.1)
        inequality = "<" if field < 1 else ">"
        top.set_title(rf"({regime})  $B_x = {field}\,\kappa_+ {inequality} \kappa_+$")
        top.set(ylim=(-1.08, 1.08), xlim=(t[0], t[-1]))
        low.axhspan(-2, 2, color="0.9", zorder=0)
        low.set(xlabel=r"time  $\kappa_+ t$", ylim=(-4.5, 4.5))
    axes[0, 0].set_ylabel("spin per emitter")
    axes[1, 0].set_ylabel("deviation / sem")
    axes[0, 1].legend(loc="lower right", ncols=2)
    many = data["z_a_many"].attrs["ntraj"]
    few = data["z_a_few"].attrs["ntraj"]
    figure.suptitle(
        f"Generalised P-function, N = {N}, collective pump and dephasing: "
        f"{few} (light) and {many} (bold) trajectories"
    )
    return figure
