r"""Transient of a driven, decaying collective spin: Huber, Fig. 3.

H = Omega S_x with Omega = 2 Gamma, plain rate Gamma/S on S^-, all down. The positive-diffusion
forms lose the late oscillations; with the noises' correlation kept, and in the Bloch form, they
stay.
"""

from __future__ import annotations

import wignerflow as wf

from .contract import Asked, Data, Drawing
from .data import dataset, time_axis
from .huber import PAPER, add_spin, draw_spins, spin_model

TITLE = "Driven transient of S = 10 and S = 100"
SOURCE = f"{PAPER}, Fig. 3"
SPINS = (10, 100)
DRIVE = 2.0
REQUIRED = {"c": 0.01, "bloch": 0.01}


def make(asked: Asked) -> Data:
    """The three components of the spin, by every method."""
    data = dataset(time_axis(10.0, 81, "Γt"), Gamma=1.0, Omega=DRIVE, initial="all down")
    sampling = asked.sampling(asked.many(100_000, 2_000), 0.01)
    methods = ["w", "p", "q", "c", "bloch"]
    for S in (10, 30) if asked.quick else SPINS:
        spin, model = spin_model(S, decay=1.0, drive=DRIVE, initial=wf.down)
        e_ops = {c: (f"⟨S{c}⟩/S", getattr(spin, f"J{c}") / S) for c in "zyx"}
        required = REQUIRED if S == 100 else None
        add_spin(data, spin, model, e_ops, asked, methods, required, **sampling)
    return data


def draw(data: Data) -> Drawing:
    """Both spins, deviations below."""
    return draw_spins(
        data,
        title=r"Driven, decaying collective spin, $\Omega = 2\,\Gamma$",
        xlabel=r"time  $\Gamma t$",
        ylabel=r"$\langle S_{x,y,z}\rangle/S$",
        quantities={"z": "$S_z$", "y": "$S_y$", "x": "$S_x$"},
    )
