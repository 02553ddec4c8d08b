"""
A lattice of large spins
========================

A two-dimensional lattice of large spins with decay: Huber's chain, on a torus of 12 x 12 sites.

Every site has four neighbours, so the polarised state becomes unstable at Jx Jy = -Gamma^2/4.
"""

import numpy as np
import scipy.sparse as sp

import wignerflow as wf

SIDE, S, GAMMA, JX = 12, 1000, 1.0, 0.5
ring = sp.diags_array([1.0, 1.0, 1.0, 1.0], offsets=[1, -1, SIDE - 1, 1 - SIDE], shape=(SIDE, SIDE))
one = sp.eye_array(SIDE)
bonds = (sp.kron(ring, one) + sp.kron(one, ring)).tocsr()  # every bond twice

spins = wf.CollectiveSpin(S, count=SIDE**2, name="spins")
times = np.linspace(0, 40, 41)
print(" Jy/Gamma   <Sz>/S")
for jy in (-0.3, -0.45, -0.55, -1.0):
    coupling = JX * wf.couple(spins.Jx, bonds, spins.Jx) + jy * wf.couple(spins.Jy, bonds, spins.Jy)
    model = wf.Model(
        0.5 / (2 * S) * coupling,
        [wf.Jump(spins.Jm, GAMMA / S)],
        initial={spins: wf.down},
    )
    ops = {"z": spins.Jz.sum() / (S * SIDE**2)}
    method = wf.Schwinger("W", correlated_noise=True)
    result = wf.solve(model, times, e_ops=ops, method=method, ntraj=64, dt=0.05, seed=1)
    late = times >= 30
    mean, error = result.expect["z"][late].mean(), result.sem["z"][late].mean()
    print(f"{jy:9.2f} {mean:9.4f} ± {error:.4f}")
