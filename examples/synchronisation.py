"""
Two ensembles lock their phases
===============================

Two detuned ensembles lock their phases: Xu et al., Phys. Rev. Lett. 113, 154101 (2014).

Two pumped ensembles A and B share one collective decay, with frequencies +delta/2 and -delta/2::

    H = (delta/2) (Jz_A - Jz_B),  jump J^-_A + J^-_B (rate Gamma),  pump w on every emitter.

Their relative phase is locked while abs(g1(A, B)) stays of order one, up to detunings of the order
of the pump rate. `python synchronisation.py [--quick]` writes synchronisation.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N, rate = 100, 1.0
pump = N * rate / 2
detunings = pump * (np.linspace(0, 3, 4) if QUICK else np.linspace(0, 3, 25))
times = np.array([0.0, 0.5, 1.0]) * 40 / pump


def locking(detuning, method="twa"):
    """g1(A, B) and emission / N^2 in the steady state, with standard errors."""
    pair = wf.Ensemble(N, count=2, name="pair")
    model = wf.Model(
        H=(np.array([0.5, -0.5]) * detuning * pair.Jz).sum() if detuning else None,
        jumps=[wf.Jump(pair.Jm.sum(), rate=rate), wf.LocalJump(pair.sp, rate=pump)],
        initial={pair: wf.up},
    )
    e_ops = {
        "g1": wf.Coherence(pair.Jm, pairs=[(0, 1)]),
        "emission": pair.Jp.sum() * pair.Jm.sum() / (2 * N) ** 2,
    }
    ntraj = 1000 if QUICK else 10_000
    result = wf.solve(
        model, times, e_ops=e_ops, method=method, ntraj=ntraj, seed=7, dt=0.1 / (N * rate)
    )
    return [x[k][-1] for k in ("g1", "emission") for x in (result.expect, result.sem)]


rows = [locking(d) for d in detunings]
g1, g1_error = np.array([[r[0][0], r[1][0]] for r in rows]).T
emission = np.array([r[2] for r in rows]).real

figure, axes = new_figure(2, sharex=True)
x = detunings / pump
axes[0, 0].errorbar(x, np.abs(g1), np.abs(g1_error), marker="o", label=r"$|g^{(1)}|$")
axes[0, 0].plot(x, np.angle(g1) / np.pi, "s--", color="0.5", label=r"relative phase$/\pi$")
axes[0, 0].legend()
axes[1, 0].plot(x, emission, "o-")
axes[1, 0].set(xlabel=r"detuning $\delta/w$", ylabel="emission$/N_{tot}^2$", ylim=(0, None))
figure.savefig("synchronisation.png")
for d, value, error in zip(x, g1, g1_error, strict=True):
    print(f"detuning / pump {d:5.2f}   |g1| {abs(value):.3f} ± {abs(error):.3f}")
