"""
Inhomogeneous broadening
========================

A superradiant laser with inhomogeneous broadening, in 41 frequency bins, and its threshold.

N emitters with Gaussian frequencies of width sigma, sorted into bins: every bin is one ensemble::

    H = sum_k omega_k Jz_k,  jump sum_k J^-_k (rate Gamma),  pump w on every emitter.

Linearised about the pumped state (all up), mean field gives::

    d<J^-_k>/dt = -(w/2 + i omega_k) <J^-_k> + (Gamma N_k / 2) sum_l <J^-_l>,

which grows where::

    (Gamma / 2) sum_k N_k (w/2) / ((w/2)^2 + omega_k^2) > 1.

`python broadened_laser.py [--quick]` writes broadened_laser.png and prints a table.

It takes half a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/broadened_laser.png
   :alt: Emission over the width of the frequencies of the emitters, trajectories and mean field with its threshold
"""

# sphinx_gallery_thumbnail_path = 'img/broadened_laser.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np
from scipy.optimize import brentq

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N, rate, bins = 4100, 1.0, 41
pump = 0.25 * N * rate
widths = pump * (np.array([0.25, 3.0]) if QUICK else np.linspace(0.1, 3.1, 21))
times = np.array([0.0, 20.0, 40.0]) / pump
OMEGA, SHARE = wf.spread("gaussian", 1.0, bins=bins)


def gain(width):
    """Growth condition of the field: above one it lases."""
    return rate * N / 2 * np.sum(SHARE * (pump / 2) / ((pump / 2) ** 2 + (width * OMEGA) ** 2))


def emission(width, method, initial):
    """Emission / N^2 in the steady state, and its standard error."""
    omega, numbers = wf.spread("gaussian", width, bins=bins, N=N)
    atoms = wf.Ensemble(numbers, count=len(numbers), name="atoms")
    model = wf.Model(
        H=(omega * atoms.Jz).sum(),
        jumps=[wf.Jump(atoms.Jm.sum(), rate=rate), wf.LocalJump(atoms.sp, rate=pump)],
        initial={atoms: initial},
    )
    e_ops = {"emission": atoms.Jp.sum() * atoms.Jm.sum() / N**2}
    ntraj = 200 if QUICK else 2000
    result = wf.solve(
        model, times, e_ops=e_ops, method=method, ntraj=ntraj, seed=7, dt=0.1 / (N * rate)
    )
    return result.expect["emission"][-1], result.sem["emission"][-1]


threshold = brentq(lambda width: gain(width) - 1, 1e-3 * pump, 100 * pump)
twa = np.array([emission(w, "twa", wf.up) for w in widths])
field = np.array([emission(w, "mean-field", wf.bloch(0.2, 0.0))[0] for w in widths])

figure, axes = new_figure(1)
ax = axes[0, 0]
ax.errorbar(widths / pump, twa[:, 0], twa[:, 1], marker="o", label="TWA")
ax.plot(widths / pump, field, "--", color="0.4", label="mean field")
ax.axvline(threshold / pump, color="0.7", linestyle=":", label="mean-field threshold")
ax.set(xlabel=r"width $\sigma/w$", ylabel="emission$/N^2$")
ax.legend()
figure.savefig("broadened_laser.png")
print(f"mean-field threshold at width / pump = {threshold / pump:.3f}")
for w, (value, error), mean in zip(widths / pump, twa, field, strict=True):
    print(
        f"width / pump {w:5.2f}   emission / N² {value:.5f} ± {error:.5f}   mean field {mean:.5f}"
    )
