"""Families that were written after what estimates rest on was chosen, and played no part in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..derived import Squeezing, WinelandSqueezing, g2
from ..derived.function import function
from ..model.coefficients import coef
from ..model.level_states import level
from ..model.levels import Levels
from ..model.mode_states import coherent, thermal, vacuum
from ..model.model import Jump, LocalJump, Model
from ..model.states import bloch, down, up
from ..model.subsystems import CollectiveSpin, Ensemble, Mode
from .entry import Made, family

Jumps = list[Jump | LocalJump]


@family("two decays", (2, 3, 4), [{"other": 1.0}, {"other": 0.3}], lambda N, other: 6 / N, True)
def two_decays(N: float, other: float) -> Made:
    """Atoms with three levels: collective decays from one level into two."""
    atoms = Levels(int(N), ["0", "1", "e"], name="atoms")
    jumps = [Jump(atoms.op("0", "e"), 1.0), Jump(atoms.op("1", "e"), other)]
    zero = atoms.pop("0")
    variance = function(lambda n, nn: nn - n**2, [zero, zero * zero])
    ops = {"zero": zero, "excited": atoms.pop("e"), "variance": variance}
    return Model(jumps=jumps, initial={atoms: level("e")}), ops


@family("collective exchange", (4, 8, 14), [{"tilt": 0.3}, {"tilt": 1.2}], 4.0, True)
def exchange(N: float, tilt: float) -> Made:
    """An anisotropic collective exchange in a field, with local decay."""
    s = Ensemble(int(N), name="s")
    H = (s.Jx * s.Jx - s.Jy * s.Jy) / N + 0.5 * s.Jz
    jumps: Jumps = [LocalJump(s.sm, 0.2)]
    ops = {"x": s.Jx, "z": s.Jz, "wineland": WinelandSqueezing(s), "xx": s.Jx * s.Jx}
    return Model(H, jumps, initial={s: bloch(tilt, 0.4)}), ops


@family("two ensembles", (2, 4, 6), [{"ratio": 0.5}, {"ratio": 2.0}], 5.0, True)
def two_ensembles(N: float, ratio: float) -> Made:
    """An excited ensemble that gives its energy to another one of longer lifetime."""
    a, b = CollectiveSpin(N / 2, name="a"), CollectiveSpin(N / 2, name="b")
    H = (a.Jp * b.Jm + a.Jm * b.Jp) / N
    jumps = [Jump(a.Jm, ratio / N), Jump(b.Jm, 0.2 / N)]
    ops = {"a": a.Jz, "b": b.Jz, "bb": b.Jz * b.Jz, "light": (a.Jp + b.Jp) * (a.Jm + b.Jm)}
    return Model(H, jumps, initial={a: up, b: down}), ops


@family("dispersive", (2, 5, 9), [{"chi": 0.1}, {"chi": 0.6}], 5.0, True)
def dispersive(N: float, chi: float) -> Made:
    """A driven cavity whose frequency depends on the inversion of emitters."""
    s, c = Ensemble(int(N), name="s"), Mode(name="c")
    H = chi * c.n * s.Jz * (2 / np.sqrt(N)) + 0.4 * (c.a + c.adag)
    x = c.a + c.adag
    ops = {"n": c.n, "x": s.Jx, "field": x, "nz": c.n * s.Jz, "z": s.Jz}
    return Model(H, [Jump(c.a, 1.0)], initial={s: bloch(1.2, 0.0), c: vacuum}), ops


@family("cat", (1, 3), [{"pairs": 0.3}, {"pairs": 1.0}], 4.0, True)
def cat(n: float, pairs: float) -> Made:
    """Pairs are driven and lost at once: towards a cat of n quanta, with a little loss."""
    a = Mode(name="a")
    H = 0.5j * pairs * n * (a.adag * a.adag - a.a * a.a)
    x, p = a.a + a.adag, -1j * (a.a - a.adag)
    ops = {"n": a.n, "xx": x * x, "pp": p * p, "g2": g2(a.a)}
    return Model(H, [Jump(a.a * a.a, pairs), Jump(a.a, 0.2)], initial={a: coherent(0.6)}), ops


@family("saturated gain", (0.5, 2, 5), [{"gain": 0.6}, {"gain": 1.5}], 5.0, True)
def gain(n: float, gain: float) -> Made:
    """A mode with gain, loss and pair loss, from a thermal state."""
    a = Mode(name="a")
    jumps = [Jump(a.adag, gain), Jump(a.a, 1.0), Jump(a.a * a.a, 0.3 / n)]
    ops = {"n": a.n, "nn": a.n * a.n, "g2": g2(a.a)}
    return Model(0.5 * a.n, jumps, initial={a: thermal(0.5 * n)}), ops


@family("swept drive", (4, 10, 16), [{"rate": 0.5}, {"rate": 2.0}], 6.0, True)
def swept(N: float, rate: float) -> Made:
    """A drive whose strength rises with time through the threshold of collective decay."""
    s = CollectiveSpin(N / 2, name="s")
    drive = coef(lambda t: N / 6 * rate * t / 3)
    ops: dict[str, Any] = {"z": s.Jz, "y": s.Jy, "light": s.Jp * s.Jm, "squeezing": Squeezing(s)}
    return Model(drive * s.Jx, [Jump(s.Jm, 2 / N)], initial={s: down}), ops
