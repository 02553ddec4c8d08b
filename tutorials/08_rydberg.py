r"""
A ring of Rydberg atoms
=======================

Driven atoms whose excited states repel each other,

.. math:: H = \Omega\sum_i \sigma^x_i + V \sum_i n_i n_{i+1}, \qquad n = \tfrac12(1 + \sigma^z),

with decay and dephasing of every atom. Single spins are the hardest case for trajectories; the comparison with the
exact answer of a short ring tells how far they can be trusted on a long one.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf


def ring(M, drive=0.5, V=1.0, decay=0.1, dephasing=0.1):
    atoms = wf.Spin(name="atom", count=M)
    bonds = wf.NearestNeighbour(periodic=True)  # each bond twice
    zz = wf.couple(atoms.sz, bonds, atoms.sz) / 2
    H = drive * atoms.sx.sum() + V / 4 * (zz + 2 * atoms.sz.sum())
    jumps = [wf.Jump(atoms.sm, decay), wf.Jump(atoms.sz, dephasing)]
    return wf.Model(H, jumps, initial={atoms: wf.down}), {"inversion": atoms.sz.sum() / M}


t = np.linspace(0, 20, 81)
model, e_ops = ring(6)
small = wf.solve(model, t, e_ops=e_ops, ntraj=8000, seed=10)
exact = wf.solve(model, t, e_ops=e_ops, method="exact")
model, e_ops = ring(100)
large = wf.solve(model, t, e_ops=e_ops, ntraj=256, seed=11)
worst = np.abs(small.expect["inversion"] - exact.expect["inversion"]).max()
print(f"six atoms: largest deviation from exact {worst:.3f}")
print(large)

# %%
fig, ax = plt.subplots()
ax.plot(t, exact.expect["inversion"], "k--", label="exact, 6 atoms")
ax.errorbar(t, small.expect["inversion"], small.sem["inversion"], fmt=".", label="TWA, 6 atoms")
ax.plot(t, large.expect["inversion"], label="TWA, 100 atoms")
ax.set(xlabel="time", ylabel=r"$\langle\sigma^z\rangle$")
ax.legend()
plt.show()
