"""
Superfluorescence of a long sample
==================================

Maxwell-Bloch equations with quantum noise: a long sample as many thin slices, one after the other.

A sample of length L holds N inverted emitters in M slices; light runs along it in a time L/c. In
one direction each slice is an ensemble that emits at the plain rate Gamma into light that reaches the
next one a delay later. For many slices that is

    (d/dz + (1/c) d/dt) b = sqrt(Gamma) n J-,      dJ/dt driven by b,

the equations of Maxwell and Bloch, the noise of whose vacuum and of the emitters' dipoles starts the
pulse. The first light rings (Burnham and Chiao, Phys. Rev. 188, 667 (1969)), since what is emitted
early at one end is absorbed and emitted again further on; the noise of the start smears it.

`python superfluorescence.py [--quick]` writes superfluorescence.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N, M = 2000, 8 if QUICK else 40
gain = 1.0  # N Gamma: unit of rates
ntraj = 64 if QUICK else 512


def pulse(crossing, state=wf.up, method="twa"):
    """Light at the end of the sample, over time, for a crossing time in units of 1/(N Gamma)."""
    slices = wf.Ensemble(N // M, name="slices", count=M)
    delay = crossing / M
    line = wf.Line(slices, delays=delay, rate_up=gain / N, rate_down=0.0)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={slices: state})
    bins = 0.5 * np.arange(20 if QUICK else 81)
    return wf.photons(
        model, line.outputs[1], bins=bins, ntraj=ntraj, seed=1, dt=0.025, g1=False, g2=False
    )


figure, axes = new_figure(1)
axis = axes[0, 0]
print(f"{'crossing':>9} {'peak':>9}   {'error':<6} {'time':>6} {'photons':>9}")
for crossing in (4.0,) if QUICK else (1.0, 4.0, 16.0):
    light = pulse(crossing)
    flux = light.flux()
    axis.errorbar(light.times, flux.value, flux.sem, label=f"crossing time {crossing:g} / (N Γ)")
    k, number = int(np.argmax(flux.value)), light.number()
    print(
        f"{crossing:>9g} {flux.value[k]:9.2f} ± {flux.sem[k]:<6.2f} {light.times[k]:6.2f} "
        f"{number.mean:9.1f}"
    )
axis.set(xlabel="N Γ t", ylabel="flux at the end / (N Γ)")
axis.legend()
figure.savefig("superfluorescence.png")
