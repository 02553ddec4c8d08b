"""Families that were written after cumulants of higher order and shorter arrays judge, held out."""

from __future__ import annotations

import numpy as np

import wignerflow as wf

from .entry import Jumps, Made, family


@family("domain wall", (5, 8), [{"anisotropy": 0.0}, {"anisotropy": 1.5}], 3.0, True)
def wall(M: float, anisotropy: float) -> Made:
    """Half of an open chain is up; excitations hop and dephase."""
    s = wf.Spin(name="s", count=int(M))
    near = wf.NearestNeighbour()
    H = 0.5 * wf.couple(s.sp, near, s.sm) + anisotropy / 8 * wf.couple(s.sz, near, s.sz)
    start = [wf.up if m < M / 2 else wf.down for m in range(int(M))]
    model = wf.Model(H, [wf.Jump(s.sz, 0.1), wf.Jump(s.sm, 0.05)], initial={s: start})
    left = (np.arange(int(M)) < M / 2) * 1.0
    ops = {"left": (left * s.sz).sum(), "z": s.sz, "zz": wf.couple(s.sz, near, s.sz)}
    return model, ops


@family("dipoles in a drive", (4, 7), [{"spread": 0.0}, {"spread": 1.0}], 4.0, True)
def dipoles(M: float, spread: float) -> Made:
    """Spins with couplings 1/r^3 and different frequencies, driven and damped."""
    s = wf.Spin(name="s", count=int(M))
    law = wf.PowerLaw(3.0)
    detunings = spread * np.cos(1.9 * np.arange(int(M)))
    H = 0.3 * wf.couple(s.sz, law, s.sz) + (detunings * s.sz).sum() + 0.6 * s.sx.sum()
    model = wf.Model(H, [wf.Jump(s.sm, 0.5)], initial={s: wf.bloch(2.2, 0.5)})
    return model, {"z": s.sz.sum() / M, "x": s.sx, "zz": wf.couple(s.sz, law, s.sz) / M}


@family("modulated emitters", (9, 30), [{"depth": 0.5}, {"depth": 2.0}], 6.0, True)
def shaken(N: float, depth: float) -> Made:
    """A drive that oscillates, on emitters that decay one by one and together."""
    s = wf.Ensemble(int(N), name="s")
    drive = wf.coef(lambda t: 1.2 + depth * np.sin(2.1 * t))
    H = drive * s.Jx + 0.4 * s.Jz
    jumps: Jumps = [wf.Jump(s.Jm, 1.5 / N), wf.LocalJump(s.sm, 0.3), wf.LocalJump(s.sz, 0.05)]
    ops = {"z": s.Jz, "light": s.Jp * s.Jm, "wineland": wf.WinelandSqueezing(s), "y": s.Jy}
    return wf.Model(H, jumps, initial={s: wf.bloch(2.6, 1.0)}), ops


@family("driven levels", (2, 4), [{"drive": 0.5}, {"drive": 2.0}], 4.0, True)
def levels(N: float, drive: float) -> Made:
    """Atoms with three levels, driven on one transition, that decay together on the other."""
    atoms = wf.Levels(int(N), ["g", "m", "e"], name="atoms")
    up_ = atoms.op("e", "g")
    H = drive / 2 * (up_ + up_.dag()) + 0.3 * atoms.pop("m")
    jumps = [wf.Jump(atoms.op("m", "e"), 1.0), wf.Jump(atoms.op("g", "m"), 0.4)]
    ops = {"g": atoms.pop("g"), "m": atoms.pop("m"), "ee": atoms.pop("e") * atoms.pop("e")}
    return wf.Model(H, jumps, initial={atoms: wf.level("g")}), ops


@family("radiation pressure", (1, 4), [{"g": 0.1}, {"g": 0.4}], 8.0, True)
def pressure(n: float, g: float) -> Made:
    """A driven cavity of n quanta that pushes an oscillator."""
    a, b = wf.Mode(name="a"), wf.Mode(name="b")
    H = b.n - g / np.sqrt(n) * a.n * (b.a + b.adag) + 0.5 * np.sqrt(n) * (a.a + a.adag)
    jumps = [wf.Jump(a.a, 1.0), wf.Jump(b.a, 0.3)]
    ops = {"n": a.n, "b": b.n, "x": b.a + b.adag, "g2": wf.g2(a.a)}
    return wf.Model(H, jumps, initial={a: wf.coherent(0.5 * np.sqrt(n)), b: wf.vacuum}), ops


@family("squeezed start", (0.4, 1.0), [{"U": 0.1}, {"U": 0.5}], 4.0, True)
def squeezed_start(r: float, U: float) -> Made:
    """A squeezed state of parameter r under a Kerr term and loss."""
    a = wf.Mode(name="a")
    H = U / 2 * a.adag * a.adag * a.a * a.a + 0.4 * (a.a + a.adag)
    x, p = a.a + a.adag, -1j * (a.a - a.adag)
    model = wf.Model(H, [wf.Jump(a.a, 0.6)], initial={a: wf.squeezed(r)})
    return model, {"n": a.n, "x": x, "xx": x * x, "pp": p * p}


@family(
    "counter-twisting", (10, 26), [{"noise": 0.0}, {"noise": 0.4}], lambda N, noise: 3 / N, True
)
def twisting(N: float, noise: float) -> Made:
    """Two-axis twisting of a coherent state, with collective noise of its phase."""
    s = wf.CollectiveSpin(N / 2, name="s")
    H = (s.Jx * s.Jy + s.Jy * s.Jx) / 2
    jumps = [wf.Jump(s.Jz, noise)] if noise else []
    ops = {"z": s.Jz, "xx": s.Jx * s.Jx, "wineland": wf.WinelandSqueezing(s)}
    return wf.Model(H, jumps, initial={s: wf.up}), ops


@family("pump pulse", (1, 5), [{"pairs": 0.3}, {"pairs": 0.9}], 6.0, True)
def pulse(n: float, pairs: float) -> Made:
    """A pulse of pair drive on a mode with loss and pair loss."""
    a = wf.Mode(name="a")
    drive = wf.coef(lambda t: pairs * np.exp(-((t - 2.5) ** 2)))
    H = drive * (0.5j * (a.adag * a.adag - a.a * a.a)) + 0.2 * a.n
    jumps = [wf.Jump(a.a, 0.5), wf.Jump(a.a * a.a, 0.05 / n)]
    ops = {"n": a.n, "nn": a.n * a.n, "x": a.a + a.adag}
    return wf.Model(H, jumps, initial={a: wf.coherent(0.4 * np.sqrt(n))}), ops


@family("coupling that ramps", (3, 8), [{"rate": 0.5}, {"rate": 2.0}], 5.0, True)
def ramped(N: float, rate: float) -> Made:
    """Half excited emitters, whose coupling to a cavity is switched on."""
    s, c = wf.CollectiveSpin(N / 2, name="s"), wf.Mode(name="c")
    g = wf.coef(lambda t: np.tanh(rate * t) / np.sqrt(N))
    H = g * (c.a * s.Jp + c.adag * s.Jm) + 0.5 * c.n
    ops = {"z": s.Jz, "n": c.n, "nn": c.n * c.n, "field": c.a + c.adag}
    return wf.Model(H, [wf.Jump(c.a, 0.8)], initial={s: wf.bloch(1.0, 0.0), c: wf.vacuum}), ops


@family("spins at different places", (2, 4), [{"loss": 0.5}, {"loss": 3.0}], 5.0, True)
def places(M: float, loss: float) -> Made:
    """Excited spins, each with its own coupling to a cavity and its own frequency."""
    s, c = wf.Spin(name="s", count=int(M)), wf.Mode(name="c")
    g = 1.0 + 0.4 * np.cos(1.1 * np.arange(int(M)))
    frequencies = 0.5 * np.sin(2.3 * np.arange(int(M)))
    H = c.adag * (g * s.sm).sum() + c.a * (g * s.sp).sum() + (frequencies * s.sz).sum() / 2
    model = wf.Model(H, [wf.Jump(c.a, loss), wf.Jump(s.sm, 0.1)], initial={s: wf.up, c: wf.vacuum})
    return model, {"z": s.sz, "n": c.n, "total": s.sz.sum()}
