r"""Dephasing of a collective spin: Huber, Fig. 2.

Plain rate 2 Gamma_phi on S_z, from S_x = S. Nothing is approximated in the equations; the start is,
for P and Wigner.
"""

from __future__ import annotations

import wignerflow as wf

from .contract import Asked, Data, Drawing
from .data import dataset, time_axis
from .huber import PAPER, add_spin, draw_spins, spin_model

TITLE = "Dephasing of S = 10 and S = 100"
SOURCE = f"{PAPER}, Fig. 2"
SPINS = (10, 100)
REQUIRED = {"w": 0.01, "p": 0.01, "q": 0.01, "c": 0.01, "bloch": 0.01}


def make(asked: Asked) -> Data:
    """<S_x> of S = 10 and 100 by every method."""
    data = dataset(time_axis(4.0, 41, "Γφ t"), Gamma_phi=1.0, initial="along x")
    sampling = asked.sampling(asked.many(50_000, 2_000), 0.01)
    for S in SPINS:
        spin, model = spin_model(S, dephasing=1.0, initial=wf.bloch_vector(1, 0, 0))
        required, e_ops = REQUIRED if S == 100 else None, {"x": ("⟨Sx⟩/S", spin.Jx / S)}
        add_spin(data, spin, model, e_ops, asked, list(REQUIRED), required, **sampling)
    return data


def draw(data: Data) -> Drawing:
    """Both spins, deviations below."""
    return draw_spins(
        data,
        title="Dephasing of a collective spin",
        xlabel=r"time  $\Gamma_\phi t$",
        ylabel=r"$\langle S_x\rangle/S$",
    )
