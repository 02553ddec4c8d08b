"""The model of Ruks, Fig. 2: an ensemble with collective decay and local pumping, all up."""

from __future__ import annotations

import wignerflow as wf

PAPER = "L. Ruks, Semiclassical simulation of homogeneous emitter ensembles with local dissipation"


def laser(N: int, pump: float, rate: float = 1.0) -> tuple[wf.Ensemble, wf.Model]:
    """N emitters: collective decay ``rate`` D[J^-], local pump ``pump`` sum_n D[sigma_n^+].

    Rates are plain Lindblad rates; the paper's (Gamma/2) D with D[X]rho = 2 X rho X^+ - … is the
    plain rate Gamma.
    """
    atoms = wf.Ensemble(N, name="atoms")
    jumps: list[wf.Jump | wf.LocalJump] = [wf.Jump(atoms.Jm, rate), wf.LocalJump(atoms.sp, pump)]
    return atoms, wf.Model(jumps=jumps, initial={atoms: wf.up})
