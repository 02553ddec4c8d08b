"""Families that were written after what estimates rest on was chosen, and played no part in it."""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from .entry import Jumps, Made, family


@family("two decays", (2, 3, 4), [{"other": 1.0}, {"other": 0.3}], lambda N, other: 6 / N, True)
def two_decays(N: float, other: float) -> Made:
    """Atoms with three levels: collective decays from one level into two."""
    atoms = wf.Levels(int(N), ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op("0", "e"), 1.0), wf.Jump(atoms.op("1", "e"), other)]
    zero = atoms.pop("0")
    variance = wf.function(lambda n, nn: nn - n**2, [zero, zero * zero])
    ops = {"zero": zero, "excited": atoms.pop("e"), "variance": variance}
    return wf.Model(jumps=jumps, initial={atoms: wf.level("e")}), ops


@family("collective exchange", (4, 8, 14), [{"tilt": 0.3}, {"tilt": 1.2}], 4.0, True)
def exchange(N: float, tilt: float) -> Made:
    """An anisotropic collective exchange in a field, with local decay."""
    s = wf.Ensemble(int(N), name="s")
    H = (s.Jx * s.Jx - s.Jy * s.Jy) / N + 0.5 * s.Jz
    jumps: Jumps = [wf.LocalJump(s.sm, 0.2)]
    ops = {"x": s.Jx, "z": s.Jz, "wineland": wf.WinelandSqueezing(s), "xx": s.Jx * s.Jx}
    return wf.Model(H, jumps, initial={s: wf.bloch(tilt, 0.4)}), ops


@family("two ensembles", (2, 4, 6), [{"ratio": 0.5}, {"ratio": 2.0}], 5.0, True)
def two_ensembles(N: float, ratio: float) -> Made:
    """An excited ensemble that gives its energy to another one of longer lifetime."""
    a, b = wf.CollectiveSpin(N / 2, name="a"), wf.CollectiveSpin(N / 2, name="b")
    H = (a.Jp * b.Jm + a.Jm * b.Jp) / N
    jumps = [wf.Jump(a.Jm, ratio / N), wf.Jump(b.Jm, 0.2 / N)]
    ops = {"a": a.Jz, "b": b.Jz, "bb": b.Jz * b.Jz, "light": (a.Jp + b.Jp) * (a.Jm + b.Jm)}
    return wf.Model(H, jumps, initial={a: wf.up, b: wf.down}), ops


@family("dispersive", (2, 5, 9), [{"chi": 0.1}, {"chi": 0.6}], 5.0, True)
def dispersive(N: float, chi: float) -> Made:
    """A driven cavity whose frequency depends on the inversion of emitters."""
    s, c = wf.Ensemble(int(N), name="s"), wf.Mode(name="c")
    H = chi * c.n * s.Jz * (2 / np.sqrt(N)) + 0.4 * (c.a + c.adag)
    x = c.a + c.adag
    ops = {"n": c.n, "x": s.Jx, "field": x, "nz": c.n * s.Jz, "z": s.Jz}
    return wf.Model(H, [wf.Jump(c.a, 1.0)], initial={s: wf.bloch(1.2, 0.0), c: wf.vacuum}), ops


@family("cat", (1, 3), [{"pairs": 0.3}, {"pairs": 1.0}], 4.0, True)
def cat(n: float, pairs: float) -> Made:
    """Pairs are driven and lost at once: towards a cat of n quanta, with a little loss."""
    a = wf.Mode(name="a")
    H = 0.5j * pairs * n * (a.adag * a.adag - a.a * a.a)
    x, p = a.a + a.adag, -1j * (a.a - a.adag)
    ops = {"n": a.n, "xx": x * x, "pp": p * p, "g2": wf.g2(a.a)}
    return wf.Model(
        H, [wf.Jump(a.a * a.a, pairs), wf.Jump(a.a, 0.2)], initial={a: wf.coherent(0.6)}
    ), ops


@family("saturated gain", (0.5, 2, 5), [{"gain": 0.6}, {"gain": 1.5}], 5.0, True)
def gain(n: float, gain: float) -> Made:
    """A mode with gain, loss and pair loss, from a thermal state."""
    a = wf.Mode(name="a")
    jumps = [wf.Jump(a.adag, gain), wf.Jump(a.a, 1.0), wf.Jump(a.a * a.a, 0.3 / n)]
    ops = {"n": a.n, "nn": a.n * a.n, "g2": wf.g2(a.a)}
    return wf.Model(0.5 * a.n, jumps, initial={a: wf.thermal(0.5 * n)}), ops


@family("swept drive", (4, 10, 16), [{"rate": 0.5}, {"rate": 2.0}], 6.0, True)
def swept(N: float, rate: float) -> Made:
    """A drive whose strength rises with time through the threshold of collective decay."""
    s = wf.CollectiveSpin(N / 2, name="s")
    drive = wf.coef(lambda t: N / 6 * rate * t / 3)
    ops: dict[str, Any] = {"z": s.Jz, "y": s.Jy, "light": s.Jp * s.Jm, "squeezing": wf.Squeezing(s)}
    return wf.Model(drive * s.Jx, [wf.Jump(s.Jm, 2 / N)], initial={s: wf.down}), ops
