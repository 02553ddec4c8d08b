"""
Spin mixing in a spinor gas with loss
=====================================

N atoms of spin 1 that collide in one spatial mode: pairs in m = 0 become pairs in m = +1 and -1,

    H = -(1/N) S^2 + (q) sum_n s_z^2,

here with q = 0.5 and two channels of every atom: relaxation from m = +-1 to 0 and dephasing. All atoms start
in m = 0, a fixed point of mean field: mixing begins from quantum fluctuations alone, which is what the
initial samples of TWA hold. Without dissipation trajectories follow until the first return and not
the revivals; with it errors fall with N.

`python spin_mixing.py [--quick]` writes spin_mixing.png and prints a table.

It takes half a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/spin_mixing.png
   :alt: Populations of spin-1 atoms that mix, trajectories beside the exact solution
"""

# sphinx_gallery_thumbnail_path = 'img/spin_mixing.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import compare_plot

QUICK = "--quick" in sys.argv
ntraj = 2_000 if QUICK else 40_000
t = np.linspace(0, 12, 25)


def problem(N, relaxation=0.2, dephasing=0.1):
    """All atoms in m = 0."""
    gas = wf.Levels.spin(1, N, name="gas")
    square = gas.matrix(np.diag([1.0, 0, 1]))
    H = -(gas.Sx * gas.Sx + gas.Sy * gas.Sy + gas.Sz * gas.Sz) / N + 0.5 * square
    jumps = [
        wf.LocalJump(gas.one("0", "+1"), rate=relaxation),
        wf.LocalJump(gas.one("0", "-1"), rate=relaxation),
        wf.LocalJump(gas.one_matrix(np.diag([-1.0, 0, 1])), rate=dephasing),
    ]
    return wf.Model(H, jumps, initial={gas: wf.level("0")}), {
        "in m = 0 / N": gas.pop("0") / N,
        "S_x² / N²": gas.Sx * gas.Sx / N**2,
    }


N = 5 if QUICK else 10
model, e_ops = problem(N)
results = {
    "TWA": wf.solve(model, t, e_ops=e_ops, ntraj=ntraj, seed=1),
    "exact": wf.solve(model, t, e_ops=e_ops, method="exact"),
    "mean field": wf.solve(model, t, e_ops=e_ops, method="mean-field"),
}
axes = compare_plot(results, reference="exact", xlabel="time")
axes[0, 0].figure.savefig("spin_mixing.png")
print(results["TWA"])
print(
    wf.certify(
        problem, t, N=1000, small=(3, 5) if QUICK else (4, 6, 8, 10), small_ntraj=2 * ntraj,
        progress=False,
    )
)  # fmt: skip
