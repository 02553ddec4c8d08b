"""Families of arrays of spins and ensembles."""

from __future__ import annotations

import numpy as np

import wignerflow as wf

from .entry import Made, family


@family("Ising chain", (3, 4, 5), [{"field": 0.5}, {"field": 2.0}], 4.0)
def ising(M: float, field: float) -> Made:
    """A ring of damped spins with Ising coupling in a transverse field."""
    s = wf.Spin(name="s", count=int(M))
    H = 0.25 * wf.couple(s.sz, wf.NearestNeighbour(periodic=True), s.sz) + field * s.sx.sum()
    model = wf.Model(H, [wf.Jump(s.sm, 0.5)], initial={s: wf.down})
    ring = wf.couple(s.sz, wf.NearestNeighbour(periodic=True), s.sz) / (2 * M)
    return model, {"z": s.sz.sum() / M, "x": s.sx.sum() / M, "zz": ring}


@family("exchange chain", (3, 4, 5), [{"V": 0.5}, {"V": 2.0}], 4.0)
def exchange(M: float, V: float) -> Made:
    """Excitations hop along an open chain of damped spins."""
    s = wf.Spin(name="s", count=int(M))
    H = V / 2 * wf.couple(s.sp, wf.NearestNeighbour(), s.sm)
    tilt = [wf.bloch(0.3 + 0.5 * m, 0.0) for m in range(int(M))]
    model = wf.Model(H, [wf.Jump(s.sm, 0.3)], initial={s: tilt})
    return model, {"z": s.sz, "hop": wf.couple(s.sp, wf.NearestNeighbour(), s.sm)}


@family("spins in a waveguide", (3, 4, 5), [{"phi": 0.3}, {"phi": np.pi / 2}], 4.0)
def guided(M: float, phi: float) -> Made:
    """Excited spins along a waveguide."""
    s = wf.Spin(name="s", count=int(M))
    H, jumps = wf.waveguide(s, phi, 1.0)
    total = (np.exp(1j * phi * np.arange(int(M))) * s.sm).sum()
    model = wf.Model(H, [*jumps, wf.Jump(s.sm, 0.1)], initial={s: wf.up})
    return model, {"z": s.sz.sum(), "forward": total.dag() * total}


@family("ensembles in a waveguide", (2, 4), [{"phi": 0.3}, {"phi": np.pi / 2}], 4.0)
def chain(N: float, phi: float) -> Made:
    """Two excited ensembles along a waveguide."""
    c = wf.Ensemble(int(N), name="c", count=2)
    H, jumps = wf.waveguide(c, phi, 2 / N)
    model = wf.Model(H, jumps, initial={c: wf.up})
    total = (np.exp(1j * phi * np.arange(2)) * c.Jm).sum()
    return model, {"z": c.Jz, "forward": total.dag() * total}


@family("disordered spins", (3, 4, 5), [{"spread": 0.5}, {"spread": 3.0}], 6.0)
def disordered(M: float, spread: float) -> Made:
    """Spins of different frequency, tilted, that decay together."""
    s = wf.Spin(name="s", count=int(M))
    frequencies = spread * np.sin(2.7 * np.arange(int(M)) + 0.4)
    H = (frequencies * s.sz).sum() / 2
    model = wf.Model(
        H, [wf.Jump(s.sm.sum(), 1 / M), wf.Jump(s.sm, 0.1)], initial={s: wf.bloch(1.0, 0)}
    )
    total = s.sm.sum()
    return model, {"z": s.sz.sum(), "emission": total.dag() * total, "x": s.sx.sum()}


@family("all-to-all spins", (3, 4, 5), [{"g": 1.0}, {"g": 3.0}], 4.0)
def all_to_all(M: float, g: float) -> Made:
    """Spins with equal Ising couplings of all pairs, damped and driven."""
    s = wf.Spin(name="s", count=int(M))
    H = g / (4 * M) * wf.couple(s.sz, wf.AllToAll(), s.sz) + 0.7 * s.sx.sum()
    model = wf.Model(H, [wf.Jump(s.sm, 0.4)], initial={s: wf.bloch(0.8, 0.3)})
    pairs = wf.couple(s.sz, wf.AllToAll(), s.sz) / (M * (M - 1))
    return model, {"z": s.sz.sum() / M, "zz": pairs, "y": s.sy.sum() / M}
