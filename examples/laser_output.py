"""
The line of a superradiant laser, from its light
================================================

N emitters decay collectively and are pumped one by one at the rate w = N/2. The light that leaves
is recorded as it leaves: `wf.photons` in the steady state gives its first- and second-order
coherence over delays, time-ordered and normally ordered, and its spectrum.

The line is Lorentzian but for the relaxation of the amplitude: its width is the rate at which
g1 decays, fitted once fluctuations of the amplitude are over.

`python laser_output.py [--quick]` writes laser_output.png and prints a table.

It takes half a minute of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/laser_output.png
   :alt: Coherence g1 and g2 over delays, and the spectrum, trajectories over exact curves
"""

# sphinx_gallery_thumbnail_path = 'img/laser_output.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N = 20 if QUICK else 50
atoms = wf.Ensemble(N, name="atoms")
emission = wf.Jump(atoms.Jm, 1.0)
model = wf.Model(jumps=[emission, wf.LocalJump(atoms.sp, N / 2)], initial={atoms: wf.up})
width, window = 0.5 / N, 2.0 if QUICK else 4.0
given = {"width": width, "window": window, "t": "steady"}
exact = wf.photons(model, emission, method="exact", **given)
runs = [
    wf.photons(model, emission, ntraj=64 if QUICK else 1024, seed=seed, relax=30 / N,
               dt=0.125 / N, **given)
    for seed in range(4 if QUICK else 8)
]  # fmt: skip


def linewidth(light):
    """Twice the rate at which g1 falls between delays of 4/w and a quarter of the window."""
    taus, g1 = light.taus, np.abs(light.g1().value)
    some = (taus > 8 / N) & (taus < window / 4)
    return -2 * np.polyfit(taus[some], np.log(g1[some]), 1)[0]


def over_runs(values):
    """Mean and standard error over independent runs."""
    values = np.array(values)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


figure, axes = new_figure(2)
above, below = axes.ravel()
taus = exact.taus
for name, color in (("g1", "C0"), ("g2", "C1")):
    mean, error = over_runs([np.abs(getattr(light, name)().value) for light in runs])
    known = np.abs(getattr(exact, name)().value)
    scale = known[0] if name == "g1" else 1.0
    above.plot(taus, known / scale, color=color, label=f"{name}, exact")
    above.errorbar(taus[::6], mean[::6] / scale, error[::6] / scale, fmt="o", ms=3, color=color,
                   label=f"{name}, trajectories")  # fmt: skip
above.set(xlabel="Γ τ", ylabel="g1/g1(0) and g2", xlim=(-0.02, 1.5), ylim=(0, 1.4))
above.legend()
omega = np.linspace(-12, 12, 121)
mean, error = over_runs([light.spectrum(omega=omega).value for light in runs])
below.plot(omega, exact.spectrum(omega=omega).value, "C0", label="exact")
below.errorbar(omega, mean, error, fmt="o", ms=2.5, color="C0", label="trajectories")
half = linewidth(exact) / 2
flux = float(exact.flux().value[0])
label = f"Lorentzian, width {2 * half:.2f} Γ"
below.plot(omega, flux * 2 * half / (half**2 + omega**2), "k:", label=label)
below.set(xlabel="ω / Γ", ylabel="spectrum (photons)", ylim=(0, None))
below.legend()
figure.savefig("laser_output.png")

value, spread = over_runs([linewidth(light) for light in runs])
print(f"linewidth: {value:.3f} ± {spread:.3f}, exact {linewidth(exact):.3f} Gamma")
value, spread = over_runs([light.flux().value[0] for light in runs])
print(f"flux:      {value:.1f} ± {spread:.1f}, exact {flux:.1f} Gamma")
value, spread = over_runs([light.g2().value[2] for light in runs])
print(f"g2({taus[2]:.3f}): {value:.4f} ± {spread:.4f}, exact {exact.g2().value[2]:.4f}")
