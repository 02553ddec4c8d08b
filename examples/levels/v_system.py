"""
A laser of V-type atoms with two polarisations
==============================================

Atoms with one ground state g and two excited ones, a and b, whose light has opposite polarisations.
Both transitions are collective and both levels are pumped atom by atom::

    sum_n |g><a|,   sum_n |g><b|   at the rate 1,      |a><g| and |b><g| on every atom at w/2 each.

Each atom can give its excitation to one kind of light alone, so that the two compete for the ground
state: where one emits strongly the other is weak. The correlation of both intensities at one time,
<I_a I_b> against <I_a> <I_b>, says how much.

`python v_system.py [--quick]` writes v_system.png and prints a table.

It takes half a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/v_system.png
   :alt: Atoms with two excited levels that decay together, trajectories beside the exact solution
"""

# sphinx_gallery_thumbnail_path = 'img/v_system.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import compare_plot

QUICK = "--quick" in sys.argv
ntraj = 2_000 if QUICK else 40_000
scaled = np.linspace(0, 15, 31)  # N t


def problem(N):
    """Pump w = N/2 in all, every atom in a or b with equal probability."""
    atoms = wf.Levels(N, ["g", "a", "b"], name="atoms")
    jumps = [wf.Jump(atoms.op("g", x), rate=1.0) for x in "ab"]
    jumps += [wf.LocalJump(atoms.one(x, "g"), rate=N / 4) for x in "ab"]
    start = wf.mixture({"a": 0.5, "b": 0.5})
    a, b = (atoms.op(x, "g") * atoms.op("g", x) for x in "ab")
    return wf.Model(jumps=jumps, initial={atoms: start}), {
        "I_a / N²": a / N**2,
        "I_a I_b / N⁴": atoms.op("a", "g") * b * atoms.op("g", "a") / N**4,
        "in g / N": atoms.pop("g") / N,
    }


N = 10
model, e_ops = problem(N)
results = {
    "TWA": wf.solve(model, scaled / N, e_ops=e_ops, ntraj=ntraj, seed=1),
    "exact": wf.solve(model, scaled / N, e_ops=e_ops, method="exact"),
}
axes = compare_plot(results, reference="exact", xlabel="t Γ")
axes[0, 0].figure.savefig("v_system.png")
print(results["TWA"])
for label, run in results.items():
    ratio = run.expect["I_a I_b / N⁴"][-1] / run.expect["I_a / N²"][-1] ** 2
    print(f"{label}: <I_a I_b> / (<I_a> <I_b>) = {ratio:.3f} in the end")
print(
    wf.certify(
        problem, lambda N: scaled / N, N=1000, small=(5, 10, 20), small_ntraj=4 * ntraj,
        progress=False,
    )
)  # fmt: skip
