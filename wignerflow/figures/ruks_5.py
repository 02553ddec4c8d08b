r"""The boundary time crystal of Ruks, Fig. 5: inversion without and with local dissipation.

.. math:: H = \Omega J_x, \qquad \dot\rho = -i[H, \rho] + \Gamma\, \mathcal D[J^-]\rho
    + \gamma \sum_n \mathcal D[\sigma^q_n]\rho, \qquad
    \mathcal D[L]\rho = L\rho L^\dagger - \{L^\dagger L, \rho\}/2,

with Omega = N Gamma, above the threshold N Gamma/2 of lasting oscillations, and gamma = 0.2 N Gamma
of local dephasing (sigma^z) or local decay (sigma^-), from the ground and from the inverted state.
Exact curves are block density matrices; at N = 10^4 there is none.
"""

from __future__ import annotations

import numpy as np

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Asked, Axes, Data, Drawing, in_title
from .data import EXACT, add_runs, axis, dataset
from .drawing import ZERO, band, deviation, exact, titled
from .ruks import PAPER

TITLE = "Boundary time crystal without and with local dephasing or decay"
SOURCE = f"{PAPER}, Fig. 5"
DRIVE, LOCAL = 1.0, 0.2
NUMBERS = (10, 50, 10**4)
EXACT_UP_TO = 50
LAST = 30.0
#: N Gamma dt: halving it changes no curve by more than 3e-4.
STEP = 0.025
#: Bounds on the largest deviation of <J_z>/N by N.
REQUIRED = {10: 0.02, 50: 0.006}
CHANNELS = {"none": "no local dissipation", "dephasing": "local dephasing", "decay": "local decay"}
STARTS = {"ground": wf.down, "inverted": wf.up}


def stem_of(channel: str, start: str, N: int) -> str:
    """What names of curves begin with, such as "inversion_decay_ground_N10"."""
    return f"inversion_{channel}_{start}_N{N}"


def time_crystal(N: int, channel: str, start: str) -> tuple[wf.Ensemble, wf.Model]:
    """The model with Gamma = 1."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps: list[wf.Jump | wf.LocalJump] = [wf.Jump(atoms.Jm, 1.0)]
    if channel != "none":
        local = {"dephasing": atoms.sz, "decay": atoms.sm}[channel]
        jumps.append(wf.LocalJump(local, LOCAL * N))
    return atoms, wf.Model(DRIVE * N * atoms.Jx, jumps, initial={atoms: STARTS[start]})


def make(asked: Asked) -> Data:
    """Inversion by TWA (10^5 trajectories) and, up to N = 50, exactly."""
    scaled = np.linspace(0, LAST, 151)
    data = dataset(
        axis("scaled_time", scaled, "scaled time N Gamma t", "NΓt"),
        Gamma=1.0,
        Omega="N Gamma",
        local_rate="0.2 N Gamma",
        numbers=list(NUMBERS),
    )
    for channel, text in CHANNELS.items():
        for N in NUMBERS:
            methods = {"twa": asked.sampling(asked.many(100_000, 20_000), STEP / N)}
            known = ""
            if N <= (10 if asked.quick else EXACT_UP_TO):
                methods["exact"], known = EXACT, ", exact blocks"
            asked.say(f"{text}, N = {N}: {methods['twa']['ntraj']} trajectories{known}")
            for start in STARTS:
                atoms, model = time_crystal(N, channel, start)
                stem = stem_of(channel, start, N)
                quantities = {stem: (f"⟨Jz⟩/N, {text}, {start}, N = {N}", atoms.Jz / N)}
                add_runs(
                    data, "scaled_time", scaled / N, model, quantities, methods,
                    {f"{stem}_twa": REQUIRED.get(N)}, N=N, channel=channel, start=start,
                )  # fmt: skip
    return data


def draw(data: Data) -> Drawing:
    """A column per channel, a row per initial state, and TWA minus exact below."""
    figure, axes = new_figure(
        3, 3, sharex=True, sharey="row", gridspec_kw={"height_ratios": [1.6, 1.6, 1]}
    )
    figure.set_size_inches(12.5, 8.2)
    for column, (channel, text) in enumerate(CHANNELS.items()):
        for row, start in enumerate(STARTS):
            _curves(axes[row, column], data, channel, start)
            _deviations(axes[2, column], data, channel, start)
        axes[0, column].set_title(text)
        axes[2, column].axhline(0, **ZERO)
        axes[2, column].set_xlabel(r"scaled time  $N\Gamma t$")
    for row, start in enumerate(STARTS):
        axes[row, 0].set_ylabel(rf"$\langle J_z\rangle/N$ from {start}")
    axes[2, 0].set_ylabel(r"TWA $-$ exact  ($10^{-3}$)")
    axes[0, 0].set_xlim(0, LAST)
    ax = axes[0, 2]
    for N, colour in zip(_numbers(data), COLOURS, strict=False):
        ax.plot([], [], color=colour, linewidth=2.6, label=f"TWA, $N =$ {in_title(N)}")
    ax.plot([], [], "k--", linewidth=1.1, label="exact")
    ax.legend(loc="upper right", ncols=2)
    text = r"Boundary time crystal: $\Omega = N\Gamma$, local rate $\gamma = 0.2\,N\Gamma$"
    titled(figure, data, text)
    return figure


def _numbers(data: Data) -> list[int]:
    return [int(N) for N in data.attrs["numbers"]]


def _curves(ax: Axes, data: Data, channel: str, start: str) -> None:
    for N, colour in zip(_numbers(data), COLOURS, strict=False):
        band(ax, data, f"{stem_of(channel, start, N)}_twa", colour)
    for N in _numbers(data):
        name = f"{stem_of(channel, start, N)}_exact"
        if name in data:
            exact(ax, data, name)
    ax.set_ylim(-0.55, 0.62)


def _deviations(ax: Axes, data: Data, channel: str, start: str) -> None:
    style = "-" if start == "ground" else ":"
    for N, colour in zip(_numbers(data), COLOURS, strict=False):
        name = f"{stem_of(channel, start, N)}_twa"
        if "reference" in data[name].attrs:
            deviation(ax, data, name, colour, 1e3, linestyle=style)
    if ax.get_subplotspec().colspan.start == 0 and start == "inverted":  # type: ignore[union-attr]
        ax.plot([], [], color="0.4", linewidth=1.4, label="from ground")
        ax.plot([], [], color="0.4", linewidth=1.4, linestyle=":", label="from inverted")
        ax.legend(loc="upper right", ncols=2)
