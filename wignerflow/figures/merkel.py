r"""What the figures of Merkel, Link, Luoma and Strunz share.

Their rates in plain ones: collective K_k = 2 kappa_k/N, local g_± = 2 gamma_± (with the ladder
operators sigma^±) and g_z = gamma_z/2; H = B.J.
"""

from __future__ import annotations

from typing import Any

import wignerflow as wf

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
) -> tuple[wf.Ensemble, wf.Model]:
    """Their model; ``kappa`` and ``gamma`` by channel "+", "-", "z" in the paper's rates."""
    atoms = wf.Ensemble(N, name="atoms")
    J = {"+": atoms.Jp, "-": atoms.Jm, "z": atoms.Jz}
    s = {"+": atoms.sp, "-": atoms.sm, "z": atoms.sz}
    plain = {"+": 2.0, "-": 2.0, "z": 0.5}
    jumps: list[Any] = [wf.Jump(J[k], 2 * rate / N) for k, rate in kappa.items() if rate]
    jumps += [wf.LocalJump(s[k], plain[k] * rate) for k, rate in (gamma or {}).items() if rate]
    H = B[0] * atoms.Jx + B[1] * atoms.Jy + B[2] * atoms.Jz
    return atoms, wf.Model(H, jumps, initial={atoms: initial})
