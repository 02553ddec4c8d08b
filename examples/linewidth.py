"""
Linewidth of the superradiant laser
===================================

Linewidth of the superradiant laser against the pump: trajectories, exact, and two formulas.

N emitters decay collectively (rate Gamma = 1) and are pumped one by one (rate w = x N). The light
has the correlation <J-(t + tau) J+(t)>, whose decay is the linewidth Delta (full width).

1. Regression with a constant inversion z of the emitters gives Delta = w + 1 - (N - 1) z, where z
   and the correlation c of two emitters follow from the second-order equations (Meiser, Ye, Carlson
   and Holland, Phys. Rev. Lett. 102, 163601 (2009), in the limit of a bad cavity)::

       w (1 - z) - (1 + z) = 2 (N - 1) c,      c (w + 1 - (N - 2) z) = z (1 + z) / 2 .

2. For large N the amplitude is fixed, J+J- = N^2 x (1 - x) / 2 with z = x, and only the phase
   diffuses: the pump adds N w / 4, decay z^2 N^2 / 4 per unit time to the variance of J-'s other
   quadrature, so that Delta = (1 + x) / (2 (1 - x)).

Both are of the order of Gamma, which is 4 g^2/kappa for a bad cavity, however many emitters.
`python linewidth.py [--quick]` writes linewidth.png and prints a table.

It takes two minutes of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/linewidth.png
   :alt: Linewidth over pump, trajectories of 40, 200 and 10,000 emitters over two formulas
"""

# sphinx_gallery_thumbnail_path = 'img/linewidth.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np
from scipy.optimize import brentq

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
pumps = np.array([0.2, 0.5]) if QUICK else np.linspace(0.1, 0.7, 7)
sizes = (40,) if QUICK else (40, 200, 10_000)
ntraj = 512 if QUICK else 4096


def linewidth(N, x, method, **options):
    """Fitted where fluctuations of the amplitude, which relax at rates of order w, have decayed."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=x * N)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    taus = np.linspace(0, 2, 101)
    light = wf.spectrum(model, atoms.Jm, atoms.Jp, taus, method=method, **options)
    return light.linewidth(after=4 / (x * N))


def second_order(N, x):
    """Formula 1."""
    w = x * N

    def balance(z):
        c = (w * (1 - z) - (1 + z)) / (2 * (N - 1))
        return c * (w + 1 - (N - 2) * z) - z * (1 + z) / 2

    return w + 1 - (N - 1) * brentq(balance, 0, (w - 1) / (w + 1))


figure, axes = new_figure(1)
ax = axes[0, 0]
for N in sizes:
    options = {"ntraj": ntraj, "relax": 1.0, "dt": 0.2 / N}
    lines = [linewidth(N, x, "twa", seed=k, **options) for k, x in enumerate(pumps)]
    ax.errorbar(pumps, [line.value for line in lines], [line.sem for line in lines],
                fmt="o", label=f"TWA, N = {N}")  # fmt: skip
    for x, line in zip(pumps, lines, strict=True):
        print(f"N = {N:5d}   pump {x:.1f} N   {line}")
exact = [linewidth(40, x, "exact").value for x in pumps]
print("exact, N = 40: " + ", ".join(f"{v:.3f}" for v in exact))
fine = np.linspace(pumps[0], pumps[-1], 100)
ax.plot(pumps, exact, "kx", ms=8, label="exact, N = 40", zorder=4)
ax.plot(fine, [second_order(40, x) for x in fine], color="0.5", lw=1, label="second order, N = 40")
ax.plot(
    fine, (1 + fine) / (2 * (1 - fine)), ":", color="0.3", label=r"second order, $N \to \infty$"
)
ax.set(xlabel=r"pump $w/N\Gamma$", ylabel=r"linewidth $\Delta/\Gamma$", ylim=(0, None))
ax.legend()
figure.savefig("linewidth.png")
