"""
A disordered Rydberg array by pair clusters
===========================================

Eight atoms at random places, driven to a Rydberg state that decays and dephases:

    H = Omega sum_n sx_n + sum_{n<m} V_nm n_n n_m,    V_nm = C / r_nm^6,    n = (1 + sz)/2.

Where two atoms stand close together their blockade is a quantum correlation, which trajectories of
single spins do not hold. ``wf.ClusterTWA`` makes the strongest pairs (threes) one emitter of four
(eight) levels, exact inside; what couples them to the others is treated as before. The
change from one size to the next says how large the error is, without an exact solution:
``wf.certify(..., clusters=(1, 2, 3))``.

`python rydberg_pairs.py [--quick]` writes rydberg_pairs.png and prints a table.

It takes a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/rydberg_pairs.png
   :alt: Excited share of eight Rydberg atoms and double excitation of the closest pair, by clusters of one, two and three atoms and exactly
"""

# sphinx_gallery_thumbnail_path = 'img/rydberg_pairs.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import compare_plot

QUICK = "--quick" in sys.argv
M = 4 if QUICK else 8
ntraj = 500 if QUICK else 3_000
sizes = (1, 2) if QUICK else (1, 2, 3)
t = np.linspace(0, 8, 9 if QUICK else 33)

places = np.sort(np.random.default_rng(4).uniform(0, M, M))  # a line, one atom per unit of length
distance = np.abs(places[:, None] - places[None]) + np.eye(M)
V = np.minimum(distance**-6.0, 5.0) * (1 - np.eye(M))  # closer ones are blockaded all the same

atoms = wf.Spin(name="atoms", count=M)
H = 0.5 * atoms.sx.sum() + 0.125 * wf.couple(atoms.sz, V, atoms.sz)
H = H + 0.25 * (V.sum(axis=1) * atoms.sz).sum()
model = wf.Model(
    H, [wf.Jump(atoms.sz, rate=0.05), wf.Jump(atoms.sm, rate=0.1)], initial={atoms: wf.down}
)
order = np.argwhere(np.triu(V) == np.triu(V).max())[0]
a, b = (0.5 + 0.5 * atoms.sz[int(k)] for k in order)
e_ops = {"excited share": (0.5 + atoms.sz.sum() / (2 * M)), "closest pair both": a * b}

# a step that resolves the blockade; dt=None finds one, with a bound on its error, in some minutes
options = {"ntraj": ntraj, "seed": 1, "dt": 0.005, "progress": False}
budget = wf.certify(model, t, e_ops, clusters=sizes, **options)
results = {f"clusters of {k}": run for k, run in budget.results.items()}
results["exact"] = wf.solve(model, t, e_ops=e_ops, method="exact")
axes = compare_plot(results, reference="exact", xlabel="time")
axes[0, 0].figure.savefig("rydberg_pairs.png")
print(results[f"clusters of {sizes[-1]}"])
print(budget)
for label, run in results.items():
    errors = (np.abs(run.expect[k] - results["exact"].expect[k]).max() for k in e_ops)
    print(f"{label:14}", "largest errors", *(f"{x:.4f}" for x in errors))
