"""
Light of a superradiant burst and of a parametric oscillator
============================================================

Photon statistics of what leaves, from trajectories and exact.

Top: 100 inverted emitters, one collective jump. Second-order coherence of bins at equal times and
at two times, beside the exact solution: thermal light at the start (1.98), nearly coherent at the
peak, and bunched again in the tail, since pulses end at different times.

Bottom: a parametric oscillator half way to threshold, x = 1/2. The spectrum of the squeezed
quadrature of its output is S = 1 - 4 x / ((1 + x)^2 + (2 omega/kappa)^2) (Gardiner and Collett,
Phys. Rev. A 31, 3761 (1985), Eq. (5.29)), 1/9 of the vacuum at omega = 0.

`python output_light.py [--quick]` writes output_light.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv

# %%
# The burst.
N = 100
atoms = wf.Ensemble(N, name="atoms")
emission = wf.Jump(atoms.Jm, 1.0)
model = wf.Model(jumps=[emission], initial={atoms: wf.up})
bins = 0.005 * np.arange(8 if QUICK else 21)
exact = wf.photons(model, emission, bins=bins, method="exact", g1=False)
ntraj = 512 if QUICK else 8192
burst = wf.photons(model, emission, bins=bins, ntraj=ntraj, seed=1, dt=0.00125, g1=False)

# %%
# The oscillator.
x, kappa = 0.5, 1.0
mode = wf.Mode(name="mode")
mirror = wf.Jump(mode.a, kappa)
pump = 1j * x * kappa / 4
H = pump * mode.adag * mode.adag - pump * mode.a * mode.a
oscillator = wf.Model(H, [mirror], initial={mode: wf.vacuum})
edges = 20 + 0.25 * np.arange(129 if QUICK else 513)
squeezed = wf.photons(
    oscillator,
    mirror,
    bins=edges,
    ntraj=128 if QUICK else 1024,
    seed=1,
    dt=0.125,
    g1=False,
    g2=False,
)
S = squeezed.quadrature(np.pi / 2)

figure, axes = new_figure(2)
above, below = axes.ravel()
times, one, two = N * burst.times, burst.g2(), exact.g2().value
for k, label in ((0, "the same bin"), (4, "2 / (N Γ) apart")):
    at = slice(k, None)
    curve = np.diagonal(one.value, k), np.diagonal(one.sem, k)
    (line,) = above.plot(times[at], np.diagonal(two, k), label=f"{label}: exact, trajectories")
    above.errorbar(times[at], *curve, fmt="o", ms=3, color=line.get_color())
above.set(xlabel="N Γ t (of the later one)", ylabel="g2")
above.legend()
below.errorbar(S.omega, S.value, S.sem, fmt="o", ms=2.5, label="trajectories")
fine = np.linspace(-6, 6, 400)
known = 1 - 4 * x / ((1 + x) ** 2 + (2 * fine / kappa) ** 2)
below.plot(fine, known, "k", lw=1, zorder=3, label="exact")
below.set(xlabel="ω / κ", ylabel="squeezing spectrum S", xlim=(-6, 6), ylim=(0, 1.4))
below.legend()
figure.savefig("output_light.png")

print(f"{'bins':>8} {'g2':>9} {'error':>8} {'exact':>8}")
last = bins.size - 2
for j, k in ((0, 0), (2, 6), (last, last)):
    print(f"{j:>4}{k:>4} {one.value[j, k]:9.4f} {one.sem[j, k]:8.4f} {two[j, k]:8.4f}")
number, known_number = burst.number(), exact.number()
print(f"photons: {number.mean:.2f} ± {number.mean_sem:.2f}, exact {known_number.mean:.2f}")
zero = int(np.argmin(np.abs(S.omega)))
T = edges[-1] - edges[0]
g = kappa * (1 + x) / 2
window = 1 / 9 + 8 / 9 * (1 - np.exp(-g * T)) / (g * T)
print(f"S(0) = {S.value[zero]:.3f} ± {S.sem[zero]:.3f}, exact in this window {window:.3f}")
