r"""What the figures of Merkel, Link, Luoma and Strunz share.

Their rates in plain ones: collective K_k = 2 kappa_k/N, local g_± = 2 gamma_± (with the ladder
operators sigma^±) and g_z = gamma_z/2; H = B.J.
"""

from __future__ import annotations

from typing import Any

from ..model.model import Jump, LocalJump, Model
from ..model.subsystems import Ensemble

PAPER = (
    "Merkel, Link, Luoma, Strunz, Phase space theory for open quantum systems with local and "
    "collective dissipative processes (2020)"
)


def driven(
    N: int,
    B: tuple[float, float, float],
    initial: Any,
    *,
    kappa: dict[str, float],
    gamma: dict[str, float] | None = None,
) -> tuple[Ensemble, Model]:
    """Their model; ``kappa`` and ``gamma`` by channel "+", "-", "z" in the paper's rates."""
    atoms = Ensemble(N, name="atoms")
    J = {"+": atoms.Jp, "-": atoms.Jm, "z": atoms.Jz}
    s = {"+": atoms.sp, "-": atoms.sm, "z": atoms.sz}
    plain = {"+": 2.0, "-": 2.0, "z": 0.5}
    jumps: list[Any] = [Jump(J[k], 2 * rate / N) for k, rate in kappa.items() if rate]
    jumps += [LocalJump(s[k], plain[k] * rate) for k, rate in (gamma or {}).items() if rate]
    H = B[0] * atoms.Jx + B[1] * atoms.Jy + B[2] * atoms.Jz
    return atoms, Model(H, jumps, initial={atoms: initial})
