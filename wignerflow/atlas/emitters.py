"""Families of one ensemble, and of emitters with a cavity."""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from .entry import Jumps, Made, family


def _moments(s: Any, light: bool = True) -> dict[str, Any]:
    out = {"z": s.Jz, "zz": s.Jz * s.Jz, "emission": s.Jp * s.Jm, "squeezing": wf.Squeezing(s)}
    return out | ({"g2": wf.g2(s.Jm)} if light else {})


@family(
    "laser", (4, 8, 16, 32), [{"pump": 0.1}, {"pump": 0.5}, {"pump": 1.2}], lambda N, pump: 20 / N
)
def laser(N: float, pump: float) -> Made:
    """Superradiant lasing: collective decay 1, local pump pump N, from the ground state up."""
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps: Jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, pump * N)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), _moments(atoms)


@family("burst", (5, 10, 20, 40), [{"phase": 0.0}, {"phase": 0.3}], lambda N, phase: 8 / N)
def burst(N: float, phase: float) -> Made:
    """A superradiant burst, with local dephasing phase N / 2 per emitter."""
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps: Jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sm, 0.1)]
    if phase:
        jumps.append(wf.LocalJump(atoms.sz, phase * N / 4))
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), _moments(atoms)


@family("dephased ground state", (10, 20, 40), [{"phase": 0.3}, {"phase": 0.05}], 20.0)
def dephased(N: float, phase: float) -> Made:
    """All down, collective decay and local dephasing: nothing happens."""
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps: Jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sz, phase)]
    return wf.Model(jumps=jumps, initial={atoms: wf.down}), _moments(atoms, light=False)


@family("squeezing", (8, 16, 32), [{"loss": 0.0}, {"loss": 0.05}], lambda N, loss: 3 / N ** (2 / 3))
def squeezing(N: float, loss: float) -> Made:
    """One-axis twisting of a coherent state, with local decay."""
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps = [wf.LocalJump(atoms.sm, loss * N ** (2 / 3))] if loss and N <= 16 else []
    ops = {"x": atoms.Jx, "xx": atoms.Jx * atoms.Jx, "squeezing": wf.Squeezing(atoms)}
    ops["yz"] = (atoms.Jy * atoms.Jz + atoms.Jz * atoms.Jy) / 2
    return wf.Model(atoms.Jz * atoms.Jz, jumps, initial={atoms: wf.bloch(np.pi / 2, 0)}), ops


@family(
    "time crystal", (6, 12, 24), [{"drive": r} for r in (0.4, 1.0, 2.0)], lambda N, drive: 20 / N
)
def crystal(N: float, drive: float) -> Made:
    """Driven collective decay, drive in units of the threshold N/2."""
    atoms = wf.CollectiveSpin(N / 2, name="atoms")
    model = wf.Model(drive * N / 2 * atoms.Jx, [wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.down})
    return model, _moments(atoms, light=False) | {"y": atoms.Jy}


@family("driven", (4, 8, 12), [{"drive": 1.0}, {"drive": 4.0}], 4.0)
def driven(N: float, drive: float) -> Made:
    """Driven emitters that decay one by one and together."""
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps: Jumps = [wf.LocalJump(atoms.sm, 1.0), wf.Jump(atoms.Jm, 4 / N)]
    return wf.Model(drive * atoms.Jx, jumps, initial={atoms: wf.down}), _moments(atoms, light=False)


@family("weakly driven dark state", (4, 8, 12), [{"drive": 0.1}, {"drive": 0.3}], 30.0)
def dark(N: float, drive: float) -> Made:
    """A weak drive on two halves with opposite signs, that decay together."""
    halves = wf.Ensemble(int(N) // 2, name="halves", count=2)
    H = drive * (halves[0].Jx - halves[1].Jx)
    model = wf.Model(H, [wf.Jump(halves.Jm.sum(), 1.0)], initial={halves: wf.down})
    total = halves.Jm.sum()
    ops = {"z": halves.Jz.sum(), "emission": total.dag() * total}
    return model, ops | {"between": halves[0].Jp * halves[1].Jm + halves[1].Jp * halves[0].Jm}


@family(
    "thermal ladder", (6, 12, 20), [{"n": 0.2}, {"n": 1.0}, {"n": 1e3}], lambda N, n: 4 / (1 + n)
)
def thermal(N: float, n: float) -> Made:
    """Collective decay and pump by a bath of n quanta; 1000: a flat ladder."""
    atoms = wf.CollectiveSpin(N / 2, name="atoms")
    jumps = [wf.Jump(atoms.Jm, (1 + n) / N), wf.Jump(atoms.Jp, n / N)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), _moments(atoms)


@family("Dicke", (2, 4, 6), [{"g": 0.6}, {"g": 1.0}, {"g": 1.4}], 12.0)
def dicke(N: float, g: float) -> Made:
    """The open Dicke model, g in units of its threshold; detuning, splitting and loss one."""
    atoms, light = wf.CollectiveSpin(N / 2, name="atoms"), wf.Mode(name="light")
    critical = np.sqrt(1.25) / 2
    H = light.n + atoms.Jz + 2 * g * critical / np.sqrt(N) * (light.a + light.adag) * atoms.Jx
    model = wf.Model(
        H, [wf.Jump(light.a, 1.0)], initial={atoms: wf.bloch(np.pi - 0.3, 0), light: wf.vacuum}
    )
    return model, {"z": atoms.Jz, "n": light.n, "xx": atoms.Jx * atoms.Jx}


@family("Tavis-Cummings", (1, 2, 4, 8), [{"g": 2.0, "loss": 0.2}, {"g": 0.7, "loss": 2.0}], 6.0)
def tavis(N: float, g: float, loss: float) -> Made:
    """Excited emitters in a cavity, g sqrt(N) fixed."""
    atoms, light = wf.CollectiveSpin(N / 2, name="atoms"), wf.Mode(name="light")
    H = g / np.sqrt(N) * (light.a * atoms.Jp + light.adag * atoms.Jm)
    model = wf.Model(H, [wf.Jump(light.a, loss)], initial={atoms: wf.up, light: wf.vacuum})
    return model, {"z": atoms.Jz, "n": light.n, "nn": light.n * light.n}


@family("pumped into a cavity", (2, 4, 6), [{"pump": 0.5}, {"pump": 2.0}], 6.0)
def pumped(N: float, pump: float) -> Made:
    """Emitters pumped together, in a lossy cavity."""
    atoms, light = wf.CollectiveSpin(N / 2, name="atoms"), wf.Mode(name="light")
    H = 1 / np.sqrt(N) * (light.a * atoms.Jp + light.adag * atoms.Jm)
    jumps = [wf.Jump(light.a, 1.0), wf.Jump(atoms.Jp, pump / N)]
    model = wf.Model(H, jumps, initial={atoms: wf.down, light: wf.vacuum})
    return model, {"z": atoms.Jz, "n": light.n, "g2": wf.g2(light.a)}


@family("central spin", (4, 8, 12), [{"field": 0.0}, {"field": 1.0}], 6.0)
def central(N: float, field: float) -> Made:
    """A spin in a bath of spins, both damped."""
    bath, spin = wf.Ensemble(int(N), name="bath"), wf.Spin(name="spin")
    A = 1 / np.sqrt(N)
    H = field * spin.sz + A * (spin.sp * bath.Jm + spin.sm * bath.Jp + spin.sz * bath.Jz)
    jumps = [wf.Jump(spin.sm, 0.2), wf.Jump(bath.Jm, 0.4 / N)]
    model = wf.Model(H, jumps, initial={bath: wf.bloch(2.0, 0), spin: wf.up})
    return model, {"spin": spin.sz, "z": bath.Jz, "x": bath.Jx}


@family("pulsed", (6, 12, 24), [{"area": 0.5}, {"area": 1.0}], lambda N, area: 16 / N)
def pulsed(N: float, area: float) -> Made:
    """A Gaussian pulse of area in units of pi on emitters that decay together."""
    atoms = wf.CollectiveSpin(N / 2, name="atoms")
    middle, width = 4 / N, 1 / N

    def envelope(t: Any) -> Any:
        x = (t - middle) / width
        return np.sqrt(np.pi) * area / width * np.exp(-(x**2))

    model = wf.Model(
        wf.coef(envelope) * atoms.Jx, [wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.down}
    )
    return model, _moments(atoms, light=False)


@family("disordered pair", (4, 8, 12), [{"spread": 1.0}, {"spread": 5.0}], 6.0)
def disordered(N: float, spread: float) -> Made:
    """Two halves of different frequency that decay together, from an equator state."""
    halves = wf.Ensemble(int(N) // 2, name="halves", count=2)
    H = spread / 2 * (halves[0].Jz - halves[1].Jz)
    jumps = [wf.Jump(halves.Jm.sum(), 2 / N)]
    total = halves.Jm.sum()
    ops = {"z": halves.Jz, "emission": total.dag() * total, "x": halves.Jx.sum()}
    return wf.Model(H, jumps, initial={halves: wf.bloch(np.pi / 2, 0)}), ops


@family("coherent start", (2, 4, 8), [{"quanta": 2.0}, {"quanta": 6.0}], 6.0)
def swapping(N: float, quanta: float) -> Made:
    """A coherent field and emitters in the ground state."""
    atoms, light = wf.CollectiveSpin(N / 2, name="atoms"), wf.Mode(name="light")
    H = 1 / np.sqrt(N) * (light.a * atoms.Jp + light.adag * atoms.Jm)
    start = {atoms: wf.down, light: wf.coherent(np.sqrt(quanta))}
    return wf.Model(H, [wf.Jump(light.a, 0.3)], initial=start), {"z": atoms.Jz, "n": light.n}
