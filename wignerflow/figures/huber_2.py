r"""Dephasing of a collective spin: Huber, Fig. 2.

Plain rate 2 Gamma_phi on S_z, from S_x = S. Nothing is approximated in the equations; the start is,
for P and Wigner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import wignerflow as wf

from .contract import Figure, Say, dataset, sampling_of, silent
from .huber import PAPER, add_spin, draw_spins, spin_model, time_axis

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

SOURCE = f"{PAPER}, Fig. 2"
SPINS = (10, 100)
REQUIRED = {"w": 0.01, "p": 0.01, "q": 0.01, "c": 0.01, "bloch": 0.01}


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """<S_x> of S = 10 and 100 by every method."""
    times, coordinates = time_axis(4.0, 41, "Γφ t")
    data = dataset("huber-2", SOURCE, coordinates, Gamma_phi=1.0, initial="along x")
    count = ntraj or (2_000 if quick else 50_000)
    sampling = sampling_of(count, seed, threads, 0.01)
    for S in SPINS:
        spin, model = spin_model(S, dephasing=1.0, initial=wf.bloch_vector(1, 0, 0))
        add_spin(
            data, spin, model, {"x": ("⟨Sx⟩/S", spin.Jx / S)}, f"S = {S}", times,
            list(REQUIRED), required=REQUIRED if S == 100 else None, say=say, **sampling,
        )  # fmt: skip
    return data


def draw(data: xarray.Dataset) -> Drawing:
    """Both spins, deviations below."""
    return draw_spins(
        data,
        [f"S = {S}" for S in SPINS],
        title="Dephasing of a collective spin",
        xlabel=r"time  $\Gamma_\phi t$",
        ylabel=r"$\langle S_x\rangle/S$",
    )


FIGURE = Figure("huber-2", "Dephasing of S = 10 and S = 100", SOURCE, make, draw)
