"""
Lambda atoms: spontaneous polarisation by competing collective decays
=====================================================================

N excited atoms decay to two ground states 0 and 1, each by a collective jump of its own::

    sqrt(r_0) sum_n |0><e|  and  sqrt(r_1) sum_n |1><e|.

The first photons decide, and light of one kind stimulates more of its kind. With equal rates every
share of the two ground states is equally likely: the number n_1 of atoms in state 1 is uniform from 0
to N, with the variance N (N + 2)/12, where independent atoms would have N/4. With rates 2 : 1 the
distribution leans over to the faster decay, further than the 2/3 of single atoms. After the burst
trajectories go on drifting a little between the ground states (left), an error that falls with N.
Atoms that only act together are one system of symmetric states, so that a hundred have an exact
solution, too.

`python spontaneous_polarisation.py [--quick]` writes spontaneous_polarisation.png and prints a table.

It takes a quarter of a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/spontaneous_polarisation.png
   :alt: Populations of ten Lambda atoms, trajectories over exact curves, and histograms of the final share of a hundred
"""

# sphinx_gallery_thumbnail_path = 'img/spontaneous_polarisation.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
ntraj = 2_000 if QUICK else 40_000
scaled = np.linspace(0, 30, 31)  # N t


def problem(N, r1=0.5):
    """All atoms in e, decays at 1 to 0 and at r1 to 1."""
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op("0", "e"), rate=1.0), wf.Jump(atoms.op("1", "e"), rate=r1)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.level("e")})
    one = atoms.pop("1") / N
    return model, {"in e / N": atoms.pop("e") / N, "in 1 / N": one, "n₁² / N²": one * one}


figure, axes = new_figure(1, 2)
left, right = axes[0]
N = 10
model, e_ops = problem(N)
exact = wf.solve(model, scaled / N, e_ops=e_ops, method="exact")
twa = wf.solve(model, scaled / N, e_ops=e_ops, ntraj=ntraj, seed=1)
for name, colour in zip(e_ops, ("C0", "C1", "C2"), strict=True):
    left.plot(scaled, exact.expect[name], "k--", lw=1)
    left.errorbar(scaled, twa.expect[name], twa.sem[name], color=colour, label=name)
left.set(xlabel="N Γ t", title="N = 10, rates 2 : 1; dashed: exact")
left.legend()

N = 100
for r1, colour in ((1.0, "C0"), (0.5, "C1")):
    model, e_ops = problem(N, r1)
    share, square = e_ops["in 1 / N"], e_ops["n₁² / N²"]
    variance = wf.function(lambda n, nn: N**2 * (nn - n**2), [share, square])
    e_ops = {"share of 1": share, "Var n_1": variance}
    run = wf.solve(model, [0, 60 / N], e_ops=e_ops, ntraj=ntraj, seed=2, keep="final")
    known = wf.solve(model, [0, 60 / N], e_ops=e_ops, method="exact").expect
    values = (f"{k} = {run.expect[k][-1]:.4g} ± {run.sem[k][-1]:.2g}" for k in run.expect)
    print(f"N = 100, rates 1 : {r1:g}:", ", ".join(values))
    print("    exact:", ", ".join(f"{k} = {v[-1]:.5g}" for k, v in known.items()))
    shares = run.final[:, run.variables.index("atoms.R[0,0]")] / N
    right.hist(shares, 30, range=(-0.1, 1.1), density=True, histtype="step", color=colour,
               label=f"rates 1 : {r1:g}")  # fmt: skip
right.set(xlabel="share of atoms in 0", ylabel="density", title="N = 100, in the end")
right.legend()
figure.savefig("spontaneous_polarisation.png")

small = (5, 10) if QUICK else (5, 10, 20, 40)
print(
    wf.certify(
        problem, lambda N: scaled / N, N=1000, small=small, small_ntraj=4 * ntraj, progress=False
    )
)
