r"""Two pumped ensembles on a waveguide: Ruks, Fig. 3(b).

M = 2 ensembles of N = 20 emitters, pump gamma = 10 Gamma, phase phi = 0, pi/4 and pi/2 between them
(see :mod:`.ruks`). Exact curves are block density matrices of both ensembles, (J_1, J_2) with
conserved total M. The total forward emission does not tell phi from -phi (conjugation exchanges
forward and backward, which are equal here); tests of one ensemble up and one down do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plot import COLOURS
from .contract import Asked, Data, Drawing
from .data import EXACT, add_runs, axis, dataset
from .drawing import above_and_below, band, deviation, exact, titled
from .ruks import PAPER, chain_model, emissions

TITLE = "Two pumped ensembles on a waveguide: forward emission for φ = 0, π/4, π/2"
SOURCE = f"{PAPER}, Fig. 3(b)"
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


def make(asked: Asked) -> Data:
    """Forward emission by TWA (10^5 trajectories) and exactly; N = 10 and 10^4 where quick."""
    N = 10 if asked.quick else 20
    how = asked.sampling(asked.many(100_000, 20_000), STEP / (2 * N))
    times = np.linspace(0, 1, 101)
    data = dataset(
        axis("time", times, "time Gamma t", "Γt"),
        Gamma=1.0,
        M=2,
        N=N,
        pump=PUMP,
        phases=list(PHASES.values()),
        initial="all down",
    )
    for k, (text, phi) in enumerate(PHASES.items()):
        chain, model = chain_model(2, N, phi, PUMP)
        ops: dict[str, Any] = {
            "forward": emissions(chain, phi)[0],
            "site": chain[0].Jp * chain[0].Jm / N**2,
            "inversion": chain[0].Jz / N,
        }
        asked.say(f"φ = {text}: {how['ntraj']} trajectories, exact block density matrix")
        quantities = {f"{q}_phi{k}": (f"{QUANTITIES[q]}, φ = {text}", ops[q]) for q in ops}
        methods = {"twa": how, "exact": EXACT}
        required = {f"forward_phi{k}_twa": REQUIRED if N == 20 else None}
        add_runs(data, "time", times, model, quantities, methods, required, phi=phi)
    return data


def draw(data: Data) -> Drawing:
    """Curves above, TWA minus exact below, with bands of one standard error."""
    figure, ((upper,), (lower,)) = above_and_below(7.4, 6.2)
    for k, (text, colour) in enumerate(zip(TEX, COLOURS, strict=False)):
        name = f"forward_phi{k}_twa"
        band(upper, data, name, colour, label=rf"TWA, $\varphi = {text}$")
        exact(upper, data, f"forward_phi{k}_exact")
        deviation(lower, data, name, colour, 1e3)
    upper.plot([], [], "k--", linewidth=1.1, label="exact")
    if data.attrs["N"] == 20:
        for sign in (-1, 1):
            lower.axhline(sign * 1e3 * REQUIRED, color="0.6", linewidth=0.9, linestyle=":")
    upper.set_ylabel(r"forward emission  $\langle L_F^\dagger L_F\rangle / N_{\rm tot}^2$")
    upper.set(xlim=(0, 1), ylim=(0, None))
    upper.legend(loc="lower right")
    lower.set(xlabel=r"time  $\Gamma t$", ylabel=r"TWA $-$ exact  ($10^{-3}$)")
    text = rf"Two ensembles of ${data.attrs['N']}$ on a waveguide, pump $\gamma = 10\,\Gamma$"
    titled(figure, data, text)
    return figure
