r"""Superradiant decay of a collective spin: Huber, Fig. 1.

Plain rate Gamma/S on S^-, all up. At S = 100 the positive-diffusion approximation is off by 1.0 %
of S (Wigner, fixed length), 1.3 % (Q), 2.0 % (P) and 2.2 % (Wigner, with the paper's coherent
start, whose lengths spread); with the noises' correlation kept, by 0.1 %.

P stands at its bound of 2 %: 1.98 +- 0.03 % in three million trajectories, the same at twice the
step. That is the method's own error, so no number of trajectories decides the verdict clearly.
"""

from __future__ import annotations

import wignerflow as wf

from .contract import Asked, Data, Drawing
from .data import dataset, time_axis
from .huber import PAPER, add_spin, draw_spins, spin_model

TITLE = "Superradiant decay of S = 10 and S = 100"
SOURCE = f"{PAPER}, Fig. 1"
SPINS = (10, 100)
REQUIRED = {"w": 0.02, "p": 0.02, "q": 0.02, "c": 0.01, "bloch": 0.01}


def make(asked: Asked) -> Data:
    """<S_z> of S = 10 and 100 by every method."""
    data = dataset(time_axis(6.0, 61, "Γt"), Gamma=1.0, initial="all up")
    sampling = asked.sampling(asked.many(200_000, 2_000), 0.01)
    for S in SPINS:
        spin, model = spin_model(S, decay=1.0, initial=wf.up)
        required, e_ops = REQUIRED if S == 100 else None, {"z": ("⟨Sz⟩/S", spin.Jz / S)}
        add_spin(data, spin, model, e_ops, asked, [*REQUIRED, "w0"], required, **sampling)
    return data


def draw(data: Data) -> Drawing:
    """Both spins, deviations below."""
    return draw_spins(
        data,
        title="Superradiant decay of a collective spin",
        xlabel=r"time  $\Gamma t$",
        ylabel=r"$\langle S_z\rangle/S$",
    )
