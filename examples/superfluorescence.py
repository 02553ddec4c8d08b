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

Before many have decayed the equations are linear. Where light needs no time to cross, their flux is
exactly N Gamma (I_0(w)^2 - I_1(w)^2) with w = 2 sqrt(N Gamma t) and modified Bessel functions: the
propagator I_0(2 sqrt(n Gamma z t)) of the linear equations, squared and summed over the dipoles of
all slices and the noise of the vacuum at all times. It is the dotted curve.

`python superfluorescence.py [--quick]` writes superfluorescence.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np
from scipy.special import iv

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N, M = 2000, 8 if QUICK else 40
gain = 1.0  # N Gamma: unit of rates
ntraj = 64 if QUICK else 512


def pulse(crossing):
    """Light at the end of the sample, over time, for a crossing time in units of 1/(N Gamma)."""
    slices = wf.Ensemble(N // M, name="slices", count=M)
    delay = crossing / M
    line = wf.Line(slices, delays=delay, rate_up=gain / N, rate_down=0.0)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={slices: wf.up})
    bins = 0.5 * np.arange(20 if QUICK else 81)
    return wf.photons(
        model, line.outputs[1], bins=bins, ntraj=ntraj, seed=1, dt=0.025, g1=False, g2=False
    )


figure, axes = new_figure(1)
axis = axes[0, 0]
print(f"{'crossing':>9} {'peak':>9}   {'error':<6} {'time':>6} {'photons':>9}")
for crossing in (4.0,) if QUICK else (0.0, 1.0, 4.0, 16.0):
    light = pulse(crossing)
    flux = light.flux()
    label = f"crossing time {crossing:g} / (N Γ)" if crossing else "crossing time 0"
    axis.errorbar(light.times, flux.value, flux.sem, label=label)
    k, number = int(np.argmax(flux.value)), light.number()
    print(
        f"{crossing:>9g} {flux.value[k]:9.2f} ± {flux.sem[k]:<6.2f} {light.times[k]:6.2f} "
        f"{number.mean:9.1f}"
    )
w = 2 * np.sqrt(light.times)
axis.plot(light.times, iv(0, w) ** 2 - iv(1, w) ** 2, "k:", label="time 0, exact while linear")
axis.set(xlabel="N Γ t", ylabel="flux at the end / (N Γ)", ylim=(-4, 150))
axis.legend()
figure.savefig("superfluorescence.png")
