"""Families of modes."""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from .entry import Made, family


def _moments(a: Any) -> dict[str, Any]:
    x, p = a.a + a.adag, -1j * (a.a - a.adag)
    return {"n": a.n, "x": x, "xx": x * x, "pp": p * p}


@family("Kerr, free", (1, 3, 6), [{"loss": 0.0}, {"loss": 0.1}], lambda n, loss: 2 * np.pi)
def free(n: float, loss: float) -> Made:
    """A coherent state of n quanta under H = (1/2) n^2, until its revival."""
    a = wf.Mode(name="a")
    jumps = [wf.Jump(a.a, loss)] if loss else []
    return wf.Model(0.5 * a.n * a.n, jumps, initial={a: wf.coherent(np.sqrt(n))}), _moments(a)


@family("Kerr, driven", (0.5, 2, 6), [{"U": 0.2}, {"U": 1.0}, {"U": 3.0}], 10.0)
def driven(n: float, U: float) -> Made:
    """A driven Kerr mode, drive and detuning such that n quanta are near the bistable point."""
    a = wf.Mode(name="a")
    u = U / n
    H = -U * a.n + u / 2 * a.adag * a.adag * a.a * a.a + 0.6 * np.sqrt(n) * (a.a + a.adag)
    return wf.Model(H, [wf.Jump(a.a, 1.0)], initial={a: wf.vacuum}), _moments(a)


@family("parametric oscillator", (1, 3), [{"e": 0.3}, {"e": 0.6}, {"e": 1.0}, {"e": 1.5}], 10.0)
def parametric(n: float, e: float) -> Made:
    """A pair drive e (threshold 1/2), loss 1 and pair loss 0.1 / n."""
    a = wf.Mode(name="a")
    H = 0.5j * e * (a.adag * a.adag - a.a * a.a)
    jumps = [wf.Jump(a.a, 1.0), wf.Jump(a.a * a.a, 0.1 / n)]
    return wf.Model(H, jumps, initial={a: wf.vacuum}), _moments(a) | {"g2": wf.g2(a.a)}


@family("pair loss", (1, 4, 9), [{"loss": 0.5}, {"loss": 2.0}], 2.0)
def pairs(n: float, loss: float) -> Made:
    """Pairs are lost from a coherent state of n quanta."""
    a = wf.Mode(name="a")
    jumps = [wf.Jump(a.a * a.a, loss / n), wf.Jump(a.a, 0.2)]
    return wf.Model(jumps=jumps, initial={a: wf.coherent(np.sqrt(n))}), _moments(a) | {
        "g2": wf.g2(a.a)
    }


@family("phase noise", (1, 4), [{"rate": 0.3}, {"rate": 1.5}], 4.0)
def phases(n: float, rate: float) -> Made:
    """A driven mode with noise of its phase: exact in the Wigner representation."""
    a = wf.Mode(name="a")
    H = a.n + 0.3 * np.sqrt(n) * (a.a + a.adag)
    jumps = [wf.Jump(a.a, 0.5), wf.Jump(a.n, rate)]
    return wf.Model(H, jumps, initial={a: wf.coherent(np.sqrt(n))}), _moments(a)


@family("two coupled modes", (1, 3), [{"U": 0.0}, {"U": 0.5}], 8.0)
def dimer(n: float, U: float) -> Made:
    """Two coupled modes with Kerr terms, one of them driven."""
    m = wf.Mode(name="m", count=2)
    H = 0.7 * (m[0].adag * m[1].a + m[1].adag * m[0].a) + 0.5 * np.sqrt(n) * (m[0].a + m[0].adag)
    for k in (0, 1):
        H = H + U / (2 * n) * m[k].adag * m[k].adag * m[k].a * m[k].a
    model = wf.Model(H, [wf.Jump(m.a, 1.0)], initial={m: wf.vacuum})
    return model, {"n": m.n, "transfer": m[0].adag * m[1].a + m[1].adag * m[0].a}


@family("thermal mode", (0.5, 2), [{"U": 0.0}, {"U": 0.3}], 4.0)
def warm(n: float, U: float) -> Made:
    """A thermal state that cools, with a Kerr term."""
    a = wf.Mode(name="a")
    H = U / n * a.adag * a.adag * a.a * a.a + 0.3 * (a.a + a.adag)
    jumps = [wf.Jump(a.a, 1.2), wf.Jump(a.adag, 0.2)]
    return wf.Model(H, jumps, initial={a: wf.thermal(n)}), _moments(a) | {"g2": wf.g2(a.a)}


@family("modulated drive", (1, 4), [{"U": 0.2}, {"U": 1.0}], 12.0)
def modulated(n: float, U: float) -> Made:
    """A Kerr mode under a drive whose strength oscillates."""
    a = wf.Mode(name="a")
    drive = wf.coef(lambda t: 0.6 * np.sqrt(n) * (1 + 0.8 * np.cos(1.3 * t)))
    H = -U * a.n + U / (2 * n) * a.adag * a.adag * a.a * a.a + drive * (a.a + a.adag)
    return wf.Model(H, [wf.Jump(a.a, 1.0)], initial={a: wf.vacuum}), _moments(a)
