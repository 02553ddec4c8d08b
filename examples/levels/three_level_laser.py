"""
A superradiant laser of three-level atoms
=========================================

The pump of a superradiant laser goes through a third level. Atoms in g are lifted to f at the rate w
and fall from there to e at gamma; e to g is the collective transition, at the rate 1::

    sqrt(1) sum_n |g><e|,    sqrt(w) |f><g| and sqrt(gamma) |e><f| on every atom.

For gamma much above w level f stays empty and the laser is that of two-level atoms pumped from g to
e. On the left emission of 10 atoms, exact and by TWA; on the right how the first peak of emission
approaches that of two-level atoms. Below, how errors fall with N.

`python three_level_laser.py [--quick]` writes three_level_laser.png and prints a table.

It takes half a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/three_level_laser.png
   :alt: Laser of atoms with three levels, trajectories beside the exact solution
"""

# sphinx_gallery_thumbnail_path = 'img/three_level_laser.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
ntraj = 2_000 if QUICK else 50_000
scaled = np.linspace(0, 20, 61)  # N t


def problem(N, decay=4.0):
    """Pump w = N/4, f to e at ``decay`` times w, all atoms in e."""
    w = N / 4
    atoms = wf.Levels(N, ["g", "e", "f"], name="atoms")
    jumps = [
        wf.Jump(atoms.op("g", "e"), rate=1.0),
        wf.LocalJump(atoms.one("f", "g"), rate=w),
        wf.LocalJump(atoms.one("e", "f"), rate=decay * w),
    ]
    model = wf.Model(jumps=jumps, initial={atoms: wf.level("e")})
    emission = atoms.op("e", "g") * atoms.op("g", "e") / N**2
    return model, {"emission / N²": emission, "in f / N": atoms.pop("f") / N}


def two_levels(N):
    """Its limit: the pump takes g to e at once."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=N / 4)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), {
        "emission / N²": atoms.Jp * atoms.Jm / N**2
    }


figure, axes = new_figure(1, 2)
left, right = axes[0]
N = 10
model, e_ops = problem(N)
exact = wf.solve(model, scaled / N, e_ops=e_ops, method="exact")
twa = wf.solve(model, scaled / N, e_ops=e_ops, ntraj=ntraj, seed=1)
for name, colour in (("emission / N²", "C0"), ("in f / N", "C1")):
    left.plot(scaled, exact.expect[name], "k--", lw=1)
    left.errorbar(scaled, twa.expect[name], twa.sem[name], color=colour, label=name)
left.set(xlabel="N Γ t", title="N = 10; dashed: exact")
left.legend()

ratios = (1, 4) if QUICK else (1, 2, 4, 10, 20, 50)
peaks = {"exact": [], "TWA": []}
for ratio in ratios:
    model, e_ops = problem(N, ratio)
    for label, options in (("exact", {"method": "exact"}), ("TWA", {"ntraj": ntraj, "seed": 2})):
        run = wf.solve(model, scaled / N, e_ops=e_ops, **options)
        value, error = run.expect["emission / N²"], run.sem["emission / N²"]
        top = int(np.argmax(value))
        peaks[label].append((value[top], error[top]))
model, e_ops = two_levels(N)
limit = wf.solve(model, scaled / N, e_ops=e_ops, method="exact").expect["emission / N²"].max()
right.axhline(limit, color="k", ls="--", lw=1, label="two levels, exact")
right.plot(ratios, [v for v, _ in peaks["exact"]], "kx", label="three levels, exact")
value, error = np.array(peaks["TWA"]).T
right.errorbar(ratios, value, error, fmt="o", color="C0", label="three levels, TWA")
right.set(xlabel="γ / w", ylabel="peak of emission / N²", xscale="log", title="Two-level limit")
right.set_xticks(ratios, ratios)
right.minorticks_off()
right.legend(loc="lower right")
figure.savefig("three_level_laser.png")

for ratio, (v, e), (x, _) in zip(ratios, peaks["TWA"], peaks["exact"], strict=True):
    print(f"decay {ratio:>3} w: peak {v:.4f} ± {e:.4f}, exact {x:.4f}, two levels {limit:.4f}")
print(
    wf.certify(
        problem, lambda N: scaled / N, N=1000, small=(5, 10, 20), small_ntraj=4 * ntraj,
        progress=False,
    )
)  # fmt: skip
