r"""What the figures of Ruks share: a pumped ensemble, and the chain of them on a waveguide.

The ensemble of Fig. 2 decays together and is pumped one by one. Rates are plain Lindblad rates; the
paper's (Gamma/2) D with D[X]rho = 2 X rho X^+ - … is the plain rate Gamma. The chain of Figs. 3(b)
and 4 has M ensembles of N emitters, Eq. (8),

.. math::
    H = \frac\Gamma2 \sum_{mm'} \sin(\varphi|m - m'|)\, J^+_m J^-_{m'}, \qquad
    L_{F(B)} = \sum_m e^{\pm i\varphi m} J^-_m, \qquad
    \dot\rho = -i[H, \rho] + \frac\Gamma2 (\mathcal D[L_F] + \mathcal D[L_B])\rho
    + \gamma \sum_{mn} \mathcal D[\sigma^+_{mn}]\rho,

with D[L]rho = L rho L^+ - {L^+L, rho}/2, Gamma = 1 and all emitters down at t = 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

if TYPE_CHECKING:
    from ..model.operators import Op

PAPER = "L. Ruks, Semiclassical simulation of homogeneous emitter ensembles with local dissipation"


def laser(N: int, pump: float) -> tuple[wf.Ensemble, wf.Model]:
    """N emitters, all up: collective decay D[J^-], local pump ``pump`` sum_n D[sigma_n^+]."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps: list[wf.Jump | wf.LocalJump] = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, pump)]
    return atoms, wf.Model(jumps=jumps, initial={atoms: wf.up})


def light_and_inversion(atoms: wf.Ensemble) -> dict[str, Any]:
    """<J^+J^->/N^2 and <J_z>/N."""
    N = int(atoms.numbers[0])
    return {"emission": atoms.Jp * atoms.Jm / N**2, "inversion": atoms.Jz / N}


def directions(chain: wf.Ensemble, phi: float) -> tuple[Op, Op]:
    """L_F and L_B."""
    turn = np.exp(1j * phi * np.arange(chain.size))
    return (turn * chain.Jm).sum(), (turn.conj() * chain.Jm).sum()


def chain_model(
    M: int, N: int, phi: float, pump: float, drive: float = 0.0
) -> tuple[wf.Ensemble, wf.Model]:
    """The pumped chain, all down.

    ``drive`` Omega adds the forward field Omega sum_m (e^{-i phi m} J^+_m + h.c.) = Omega (L_F^+ +
    L_F): emitters follow J^-_m ~ e^{-i phi m}, which feeds L_F. The paper prints the opposite
    phase, which with its own Eq. (8) feeds L_B.
    """
    chain = wf.Ensemble(N, count=M, name="chain")
    H, jumps = wf.waveguide(chain, phi, 1.0)
    if drive:
        forward, _ = directions(chain, phi)
        H = H + drive * (forward.dag() + forward)
    return chain, wf.Model(H, [*jumps, wf.LocalJump(chain.sp, pump)], initial={chain: wf.down})


def emissions(chain: wf.Ensemble, phi: float) -> tuple[Op, Op]:
    """Forward and backward emission <L^+L> / N_tot^2."""
    total = float(chain.numbers.sum()) ** 2
    forward, backward = directions(chain, phi)
    return forward.dag() * forward / total, backward.dag() * backward / total
