"""
A chain of large spins with local decay
=======================================

Huber's chain of large spins made of two-level emitters that also decay one by one.

Local decay shortens a spin, so every site is an ensemble of N = 2S emitters instead of a collective
spin, and the method is "twa".
"""

import numpy as np

import wignerflow as wf

SITES, S, GAMMA, JX, JY = 40, 500, 1.0, 0.5, -2.6
chain = wf.Ensemble(2 * S, count=SITES, name="chain")
bonds = wf.NearestNeighbour(periodic=True)  # every bond twice
H = JX * wf.couple(chain.Jx, bonds, chain.Jx) + JY * wf.couple(chain.Jy, bonds, chain.Jy)
times = np.linspace(0, 40, 41)
ops = {"z": chain.Jz.sum() / (S * SITES), "xx": (chain.Jx * chain.Jx).sum() / (S**2 * SITES)}
print("local decay   <Jz>/S    <Jx²>/S²")
for local in (0.0, 0.2, 0.5, 1.0):
    model = wf.Model(
        0.5 / (2 * S) * H,
        [wf.Jump(chain.Jm, GAMMA / S), wf.LocalJump(chain.sm, local)],
        initial={chain: wf.down},
    )
    result = wf.solve(model, times, e_ops=ops, ntraj=64, dt=0.05, seed=1)
    late = times >= 30
    values = [(result.expect[k][late].mean(), result.sem[k][late].mean()) for k in ops]
    print(f"{local:11.1f}   " + "   ".join(f"{m:.4f} ± {e:.4f}" for m, e in values))
