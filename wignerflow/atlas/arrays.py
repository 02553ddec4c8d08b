"""Families of arrays of spins and ensembles."""

from __future__ import annotations

import numpy as np

from ..model.couplings import AllToAll, NearestNeighbour
from ..model.model import Jump, Model
from ..model.operators import couple
from ..model.states import bloch, down, up
from ..model.subsystems import Ensemble, Spin
from ..model.waveguides import waveguide
from .entry import Made, family


@family("Ising chain", (3, 4, 5), [{"field": 0.5}, {"field": 2.0}], 4.0)
def ising(M: float, field: float) -> Made:
    """A ring of damped spins with Ising coupling in a transverse field."""
    s = Spin(name="s", count=int(M))
    H = 0.25 * couple(s.sz, NearestNeighbour(periodic=True), s.sz) + field * s.sx.sum()
    model = Model(H, [Jump(s.sm, 0.5)], initial={s: down})
    ring = couple(s.sz, NearestNeighbour(periodic=True), s.sz) / (2 * M)
    return model, {"z": s.sz.sum() / M, "x": s.sx.sum() / M, "zz": ring}


@family("exchange chain", (3, 4, 5), [{"V": 0.5}, {"V": 2.0}], 4.0)
def exchange(M: float, V: float) -> Made:
    """Excitations hop along an open chain of damped spins."""
    s = Spin(name="s", count=int(M))
    H = V / 2 * couple(s.sp, NearestNeighbour(), s.sm)
    tilt = [bloch(0.3 + 0.5 * m, 0.0) for m in range(int(M))]
    model = Model(H, [Jump(s.sm, 0.3)], initial={s: tilt})
    return model, {"z": s.sz, "hop": couple(s.sp, NearestNeighbour(), s.sm)}


@family("spins in a waveguide", (3, 4, 5), [{"phi": 0.3}, {"phi": np.pi / 2}], 4.0)
def guided(M: float, phi: float) -> Made:
    """Excited spins along a waveguide."""
    s = Spin(name="s", count=int(M))
    H, jumps = waveguide(s, phi, 1.0)
    total = (np.exp(1j * phi * np.arange(int(M))) * s.sm).sum()
    model = Model(H, [*jumps, Jump(s.sm, 0.1)], initial={s: up})
    return model, {"z": s.sz.sum(), "forward": total.dag() * total}


@family("ensembles in a waveguide", (2, 4), [{"phi": 0.3}, {"phi": np.pi / 2}], 4.0)
def chain(N: float, phi: float) -> Made:
    """Two excited ensembles along a waveguide."""
    c = Ensemble(int(N), name="c", count=2)
    H, jumps = waveguide(c, phi, 2 / N)
    model = Model(H, jumps, initial={c: up})
    total = (np.exp(1j * phi * np.arange(2)) * c.Jm).sum()
    return model, {"z": c.Jz, "forward": total.dag() * total}


@family("disordered spins", (3, 4, 5), [{"spread": 0.5}, {"spread": 3.0}], 6.0)
def disordered(M: float, spread: float) -> Made:
    """Spins of different frequency, tilted, that decay together."""
    s = Spin(name="s", count=int(M))
    frequencies = spread * np.sin(2.7 * np.arange(int(M)) + 0.4)
    H = (frequencies * s.sz).sum() / 2
    model = Model(H, [Jump(s.sm.sum(), 1 / M), Jump(s.sm, 0.1)], initial={s: bloch(1.0, 0)})
    total = s.sm.sum()
    return model, {"z": s.sz.sum(), "emission": total.dag() * total, "x": s.sx.sum()}


@family("all-to-all spins", (3, 4, 5), [{"g": 1.0}, {"g": 3.0}], 4.0)
def all_to_all(M: float, g: float) -> Made:
    """Spins with equal Ising couplings of all pairs, damped and driven."""
    s = Spin(name="s", count=int(M))
    H = g / (4 * M) * couple(s.sz, AllToAll(), s.sz) + 0.7 * s.sx.sum()
    model = Model(H, [Jump(s.sm, 0.4)], initial={s: bloch(0.8, 0.3)})
    pairs = couple(s.sz, AllToAll(), s.sz) / (M * (M - 1))
    return model, {"z": s.sz.sum() / M, "zz": pairs, "y": s.sy.sum() / M}
