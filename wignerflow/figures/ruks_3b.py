r"""Two pumped ensembles on a waveguide: Ruks, Fig. 3(b).

M = 2 ensembles of N = 20 emitters, pump gamma = 10 Gamma, phase phi = 0, pi/4 and pi/2 between them
(see :mod:`.ruks_chain`). Exact curves are block density matrices of both ensembles, (J_1, J_2) with
conserved total M. The total forward emission does not tell phi from -phi (conjugation exchanges
forward and backward, which are equal here); tests of one ensemble up and one down do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Figure, Say, add_curve, dataset, difference, in_title, silent
from .ruks import PAPER
from .ruks_chain import chain_model, emissions

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

PUMP = 10.0
PHASES = {"0": 0.0, "π/4": np.pi / 4, "π/2": np.pi / 2}
TEX = ("0", r"\pi/4", r"\pi/2")
#: N_tot Gamma dt.
STEP = 0.04
#: Bound on the deviation of the forward emission, in units of N_tot^2, for N = 20.
REQUIRED = 0.0015
QUANTITIES = {
    "forward": "forward emission / N_tot²",
    "site": "emission of ensemble 1 / N²",
    "inversion": "inversion of ensemble 1 / N",
}
SOURCE = f"{PAPER}, Fig. 3(b)"


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """Forward emission by TWA (10^5 trajectories) and exactly; N = 10 and 10^4 where quick."""
    N = 10 if quick else 20
    ntraj = (20_000 if quick else 100_000) if ntraj is None else ntraj
    seed = 7 if seed is None else seed
    times = np.linspace(0, 1, 101)
    facts = {"long_name": "time Gamma t", "symbol": "Γt", "units": "1"}
    data = dataset(
        "ruks-3b",
        SOURCE,
        {"time": ("time", times, facts)},
        Gamma=1.0,
        M=2,
        N=N,
        pump=PUMP,
        phases=list(PHASES.values()),
        initial="all down",
    )
    for k, (text, phi) in enumerate(PHASES.items()):
        chain, model = chain_model(2, N, phi, PUMP)
        e_ops: dict[str, Any] = {
            "forward": emissions(chain, phi)[0],
            "site": chain[0].Jp * chain[0].Jm / N**2,
            "inversion": chain[0].Jz / N,
        }
        say(f"φ = {text}: {ntraj} trajectories, exact block density matrix")
        sampling: dict[str, Any] = {"ntraj": ntraj, "seed": seed, "threads": threads}
        step = STEP / (2 * N)
        results = {
            "twa": wf.solve(model, times, e_ops=e_ops, dt=step, progress=False, **sampling),
            "exact": wf.solve(model, times, e_ops=e_ops, method="exact", progress=False),
        }
        for quantity, label in QUANTITIES.items():
            for method, result in results.items():
                judged = method == "twa"
                bound = REQUIRED if judged and quantity == "forward" and N == 20 else None
                add_curve(
                    data,
                    f"{quantity}_phi{k}_{method}",
                    "time",
                    result,
                    quantity,
                    label=f"{label}, φ = {text}, {method}",
                    reference=f"{quantity}_phi{k}_exact" if judged else None,
                    required=bound,
                    phi=phi,
                )
    return data


def draw(data: xarray.Dataset) -> Drawing:
    """Curves above, TWA minus exact below, with bands of one standard error."""
    figure, axes = new_figure(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.1, 1]})
    figure.set_size_inches(7.4, 6.2)
    upper, lower = axes[:, 0]

    for k, (text, colour) in enumerate(zip(TEX, COLOURS, strict=False)):
        _curve(upper, data, k, text, colour)
        t = data["time"].values
        change, error = (1e3 * x for x in difference(data, f"forward_phi{k}_twa"))
        lower.plot(t, change, color=colour, linewidth=1.4)
        lower.fill_between(t, change - error, change + error, color=colour, alpha=0.25, linewidth=0)
    upper.plot([], [], "k--", linewidth=1.1, label="exact")
    lower.axhline(0, color="black", linewidth=0.9, linestyle="--")
    if data.attrs["N"] == 20:
        for sign in (-1, 1):
            lower.axhline(sign * 1e3 * REQUIRED, color="0.6", linewidth=0.9, linestyle=":")
    upper.set_ylabel(r"forward emission  $\langle L_F^\dagger L_F\rangle / N_{\rm tot}^2$")
    upper.set(xlim=(0, 1), ylim=(0, None))
    upper.legend(loc="lower right")
    lower.set(xlabel=r"time  $\Gamma t$", ylabel=r"TWA $-$ exact  ($10^{-3}$)")
    ntraj = data["forward_phi0_twa"].attrs["ntraj"]
    figure.suptitle(
        rf"Two ensembles of ${data.attrs['N']}$ on a waveguide, pump $\gamma = 10\,\Gamma$;  "
        f"TWA with {in_title(ntraj)} trajectories",
        fontsize=12,
    )
    return figure


def _curve(ax: Axes, data: xarray.Dataset, k: int, text: str, colour: str) -> None:
    t = data["time"].values
    y, e = (data[f"forward_phi{k}_twa{end}"].values for end in ("", "_sem"))
    ax.plot(t, y, color=colour, linewidth=2.6, label=rf"TWA, $\varphi = {text}$")
    ax.fill_between(t, y - e, y + e, color=colour, alpha=0.3, linewidth=0)
    ax.plot(t, data[f"forward_phi{k}_exact"].values, "k--", linewidth=1.1)


FIGURE = Figure(
    name="ruks-3b",
    title="Two pumped ensembles on a waveguide: forward emission for φ = 0, π/4, π/2",
    source=SOURCE,
    make=make,
    draw=draw,
)
