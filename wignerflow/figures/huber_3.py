r"""Transient of a driven, decaying collective spin: Huber, Fig. 3.

H = Omega S_x with Omega = 2 Gamma, plain rate Gamma/S on S^-, all down. The positive-diffusion
forms lose the late oscillations; with the noises' correlation kept, and in the Bloch form, they
stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import wignerflow as wf

from .contract import Figure, Say, dataset, sampling_of, silent
from .huber import PAPER, add_spin, draw_spins, spin_model, time_axis

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

SOURCE = f"{PAPER}, Fig. 3"
SPINS = (10, 100)
DRIVE = 2.0
REQUIRED = {"c": 0.01, "bloch": 0.01}


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """The three components of the spin, by every method."""
    times, coordinates = time_axis(10.0, 81, "Γt")
    data = dataset("huber-3", SOURCE, coordinates, Gamma=1.0, Omega=DRIVE, initial="all down")
    count = ntraj or (2_000 if quick else 100_000)
    sampling = sampling_of(count, seed, threads, 0.01)
    for S in (10, 30) if quick else SPINS:
        spin, model = spin_model(S, decay=1.0, drive=DRIVE, initial=wf.down)
        e_ops = {
            "z": ("⟨Sz⟩/S", spin.Jz / S),
            "y": ("⟨Sy⟩/S", spin.Jy / S),
            "x": ("⟨Sx⟩/S", spin.Jx / S),
        }
        add_spin(
            data, spin, model, e_ops, f"S = {S}", times, ["w", "p", "q", "c", "bloch"],
            required=REQUIRED if S == 100 else None, say=say, **sampling,
        )  # fmt: skip
    return data


def draw(data: xarray.Dataset) -> Drawing:
    """Both spins, deviations below."""
    panels = list(
        dict.fromkeys(v.attrs["panel"] for v in data.data_vars.values() if "panel" in v.attrs)
    )
    return draw_spins(
        data,
        panels,
        title=r"Driven, decaying collective spin, $\Omega = 2\,\Gamma$",
        xlabel=r"time  $\Gamma t$",
        ylabel=r"$\langle S_{x,y,z}\rangle/S$",
        quantities={"z": "$S_z$", "y": "$S_y$", "x": "$S_x$"},
    )


FIGURE = Figure("huber-3", "Driven transient of S = 10 and S = 100", SOURCE, make, draw)
