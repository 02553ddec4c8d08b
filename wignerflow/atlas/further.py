"""Families that were written after orders that part were no longer trusted, and held out."""

from __future__ import annotations

import numpy as np

import wignerflow as wf

from .entry import Jumps, Made, family


@family("twist and turn", (8, 20), [{"turn": 0.5}, {"turn": 2.0}], lambda N, turn: 6 / N, True)
def twist_and_turn(N: float, turn: float) -> Made:
    """One-axis twisting with a field across the mean spin, and a little collective decay."""
    s = wf.CollectiveSpin(N / 2, name="s")
    H = s.Jz * s.Jz - turn * N / 2 * s.Jx
    model = wf.Model(H, [wf.Jump(s.Jm, 0.1)], initial={s: wf.bloch(np.pi / 2, 0.0)})
    ops = {"x": s.Jx, "zz": s.Jz * s.Jz, "wineland": wf.WinelandSqueezing(s)}
    return model, ops | {"xy": s.Jx * s.Jy + s.Jy * s.Jx}


@family("cubic field", (6, 16), [{"local": 0.0}, {"local": 0.3}], lambda N, local: 6 / N, True)
def cubic(N: float, local: float) -> Made:
    """A Hamiltonian of third order in J, whose normal order leaves many terms, with decay."""
    s = wf.Ensemble(int(N), name="s")
    H = 4 / N * (s.Jx * s.Jy * s.Jz + s.Jz * s.Jy * s.Jx) + N / 8 * s.Jy
    jumps: Jumps = [wf.Jump(s.Jm, 0.2)]
    if local:
        jumps.append(wf.LocalJump(s.sz, local))
    return wf.Model(H, jumps, initial={s: wf.bloch(0.7, 0.3)}), {
        "z": s.Jz,
        "x": s.Jx,
        "yy": s.Jy * s.Jy,
    }


@family("absorber", (4, 9, 18), [{"n": 0.0}, {"n": 0.5}], lambda N, n: 12 / N, True)
def absorber(N: float, n: float) -> Made:
    """Half excited emitters that give light away together, warmed and dephased one by one."""
    s = wf.Ensemble(int(N), name="s")
    jumps: Jumps = [wf.Jump(s.Jm, 1.0), wf.LocalJump(s.sz, 0.02 * N)]
    if n:
        jumps += [wf.LocalJump(s.sm, 0.1 * (1 + n)), wf.LocalJump(s.sp, 0.1 * n)]
    ops = {"z": s.Jz, "light": s.Jp * s.Jm, "g2": wf.g2(s.Jm), "squeezing": wf.Squeezing(s)}
    return wf.Model(jumps=jumps, initial={s: wf.bloch(np.pi / 2, 0.0)}), ops


@family("three-wave mixing", (1, 4), [{"g": 0.2}, {"g": 0.7}], 5.0, True)
def mixing(n: float, g: float) -> Made:
    """A pump mode of n quanta that turns into pairs of another mode."""
    a, b = wf.Mode(name="a"), wf.Mode(name="b")
    H = g / np.sqrt(n) * (b.adag * a.a * a.a + b.a * a.adag * a.adag) / 2
    jumps = [wf.Jump(a.a, 0.4), wf.Jump(b.a, 0.2)]
    model = wf.Model(H, jumps, initial={a: wf.vacuum, b: wf.coherent(np.sqrt(n))})
    return model, {"pump": b.n, "pairs": a.n, "field": b.a + b.adag, "nn": a.n * a.n}


@family("noisy Kerr", (0.8, 3), [{"rate": 0.2}, {"rate": 1.0}], 5.0, True)
def noisy(n: float, rate: float) -> Made:
    """A driven Kerr mode with phase noise, from a thermal state."""
    a = wf.Mode(name="a")
    H = 0.4 / n * a.adag * a.adag * a.a * a.a - 0.3 * a.n + 0.5 * np.sqrt(n) * (a.a + a.adag)
    jumps = [wf.Jump(a.a, 1.0), wf.Jump(a.n, rate)]
    x = a.a + a.adag
    return wf.Model(H, jumps, initial={a: wf.thermal(0.3 * n)}), {"n": a.n, "x": x, "xx": x * x}


@family("exchange in a bunch", (4, 7), [{"loss": 0.0}, {"loss": 0.5}], 4.0, True)
def bunch(M: float, loss: float) -> Made:
    """Single spins that all exchange excitations, with a field that differs, one of them up."""
    s = wf.Spin(name="s", count=int(M))
    fields = 0.6 * np.sin(1.7 * np.arange(int(M)))
    H = 2 / M * wf.couple(s.sp, wf.AllToAll(), s.sm) + (fields * s.sz).sum() + 0.2 * s.sx.sum()
    jumps = [wf.Jump(s.sm, loss)] if loss else []
    model = wf.Model(H, jumps, initial={s: [wf.up] + [wf.down] * (int(M) - 1)})
    return model, {"z": s.sz, "first": s[0].sz, "x": s.sx.sum() / M}


@family("ladder of levels", (2, 3), [{"pump": 0.3}, {"pump": 1.5}], 5.0, True)
def ladder(N: float, pump: float) -> Made:
    """Three-level atoms that are pumped one by one and decay together into a cavity."""
    atoms, c = wf.Levels(int(N), ["g", "e", "f"], name="atoms"), wf.Mode(name="c")
    raised = c.a * atoms.op("f", "e")
    H = 1 / np.sqrt(N) * (raised + raised.dag())
    jumps: Jumps = [wf.Jump(c.a, 2.0), wf.LocalJump(atoms.one("f", "g"), pump)]
    jumps.append(wf.LocalJump(atoms.one("g", "e"), 0.5))
    ops = {"g": atoms.pop("g"), "f": atoms.pop("f"), "n": c.n}
    return wf.Model(H, jumps, initial={atoms: wf.level("g"), c: wf.vacuum}), ops


@family("switched loss", (6, 15), [{"drive": 0.5}, {"drive": 1.5}], 5.0, True)
def switched(N: float, drive: float) -> Made:
    """Driven emitters whose collective decay is switched on halfway."""
    s = wf.Ensemble(int(N), name="s")
    rate = wf.coef(lambda t: 2 / N * (1 + np.tanh(4 * (t - 2.5))))
    jumps: Jumps = [wf.Jump(s.Jm, rate), wf.LocalJump(s.sm, 0.2)]
    ops = {"z": s.Jz, "y": s.Jy, "light": s.Jp * s.Jm}
    return wf.Model(drive * s.Jx, jumps, initial={s: wf.down}), ops
