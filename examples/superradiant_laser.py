"""
The superradiant laser by three methods
=======================================

A superradiant laser by three methods: TWA, mean field, exact. Writes laser.png, laser.nc.
"""

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import compare_plot

N, rate = 100, 1.0
atoms = wf.Ensemble(N, name="atoms")
model = wf.Model(
    jumps=[wf.Jump(atoms.Jm, rate=rate), wf.LocalJump(atoms.sp, rate=0.25 * N * rate)],
    initial={atoms: wf.up},
)
t = np.linspace(0, 20 / (N * rate), 101)
e_ops = {"emission / N²": atoms.Jp * atoms.Jm / N**2, "inversion / N": atoms.Jz / N}

results = {
    "TWA": wf.solve(model, t, e_ops=e_ops, ntraj=10_000, seed=7),
    "mean field": wf.solve(model, t, e_ops=e_ops, method="mean-field"),
    "exact": wf.solve(model, t, e_ops=e_ops, method="exact"),
}
results["TWA"].save("laser.nc")
axes = compare_plot(results, reference="exact", xlabel="time × Γ")
axes[0, 0].figure.savefig("laser.png")
print(results["TWA"])
