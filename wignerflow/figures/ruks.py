"""The model of Ruks, Fig. 2: an ensemble with collective decay and local pumping, all up."""

from __future__ import annotations

from ..model.model import Jump, LocalJump, Model
from ..model.states import up
from ..model.subsystems import Ensemble

PAPER = "L. Ruks, Semiclassical simulation of homogeneous emitter ensembles with local dissipation"


def laser(N: int, pump: float, rate: float = 1.0) -> tuple[Ensemble, Model]:
    """N emitters: collective decay ``rate`` D[J^-], local pump ``pump`` sum_n D[sigma_n^+].

    Rates are plain Lindblad rates; the paper's (Gamma/2) D with D[X]rho = 2 X rho X^+ - … is the
    plain rate Gamma.
    """
    atoms = Ensemble(N, name="atoms")
    jumps: list[Jump | LocalJump] = [Jump(atoms.Jm, rate), LocalJump(atoms.sp, pump)]
    return atoms, Model(jumps=jumps, initial={atoms: up})
