"""
A Raman laser with its cavity
=============================

Atoms with two ground states 0 and 1 and an excited one. A drive takes 0 to e, off resonance; a cavity
takes the light of e to 1; slow decays of single atoms and a repump from 1 to 0 close the cycle::

    H = delta N_e + (Omega/2) sum_n (|0><e| + h.c.) + g (a^+ sum_n |1><e| + h.c.),  g = 1/sqrt(N).

The mode is kept: below, photons and populations of five atoms by TWA and exactly (levels in
occupation numbers times Fock states).

`python raman_laser.py [--quick]` writes raman_laser.png and prints a table.

It takes half a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/raman_laser.png
   :alt: Raman laser of atoms with three levels, trajectories beside the exact solution
"""

# sphinx_gallery_thumbnail_path = 'img/raman_laser.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import compare_plot

QUICK = "--quick" in sys.argv
ntraj = 2_000 if QUICK else 40_000
t = np.linspace(0, 15, 31)


def problem(N):
    """All atoms in 0, no photons; loss of the cavity at the rate 1."""
    atoms, cavity = wf.Levels(N, ["0", "1", "e"], name="atoms"), wf.Mode(name="cavity")
    light = cavity.adag * atoms.op("1", "e")
    H = 0.5 * atoms.pop("e") + 0.5 * (atoms.op("0", "e") + atoms.op("e", "0"))
    H = H + (light + light.dag()) / np.sqrt(N)
    jumps = [
        wf.Jump(cavity.a, rate=1.0),
        wf.LocalJump(atoms.one("0", "e"), rate=0.1),
        wf.LocalJump(atoms.one("1", "e"), rate=0.1),
        wf.LocalJump(atoms.one("0", "1"), rate=0.5),
    ]
    return wf.Model(H, jumps, initial={atoms: wf.level("0"), cavity: wf.vacuum}), {
        "photons / N": cavity.n / N,
        "in 0 / N": atoms.pop("0") / N,
        "in e / N": atoms.pop("e") / N,
    }


N = 3 if QUICK else 5
model, e_ops = problem(N)
results = {
    "TWA": wf.solve(model, t, e_ops=e_ops, ntraj=ntraj, seed=1),
    "exact": wf.solve(model, t, e_ops=e_ops, method="exact"),
}
axes = compare_plot(results, reference="exact", xlabel="t κ")
axes[0, 0].figure.savefig("raman_laser.png")
print(results["TWA"])
print(
    wf.certify(
        problem, t, N=1000, small=(2, 3) if QUICK else (2, 3, 5), small_ntraj=2 * ntraj,
        progress=False,
    )
)  # fmt: skip
