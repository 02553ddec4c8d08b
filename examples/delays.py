"""
Bursts with travel times, and a mode before a mirror
====================================================

Light that takes time from one place to the next.

Top: M ensembles of 50 emitters, all inverted, on a waveguide with phases of multiples of 2 pi and a
delay tau between neighbours. Without delays they emit as one, with a peak of 0.2 (N M)^2; the
cooperation ends where light needs about as long to cross the array as a burst takes: the exact
peak without delays, of one ensemble of N M, and that of two ensembles that know of no other, which
is what reaches the ends when delays are long, are dotted.

Bottom: a mode at the distance d before a mirror, in phase opposition: light that comes back turns
emission off, and (1 + kappa tau/2)^-2 of the quanta stay for ever, tau = 2 d/v. Methods without
noise solve the same delay equation.

`python delays.py [--quick]` writes delays.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N = 50


def burst(M, delay, ntraj):
    """Peak of the light that leaves at both ends, its error, and its time."""
    atoms = wf.Ensemble(N, name="atoms", count=M)
    line = wf.Line(atoms, delays=delay, rate=1.0)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={atoms: wf.up})
    start, end = line.outputs
    width = 0.25 / (N * M)
    bins = width * np.arange(round(5.5 / N / width))
    light = wf.photons(
        model, {"start": start, "end": end}, bins=bins, ntraj=ntraj, seed=1,
        dt=0.125 / (N * M), g1=False, g2=False,
    )  # fmt: skip
    one, two = light.flux("start"), light.flux("end")
    total, k = one.value + two.value, int(np.argmax(one.value + two.value))
    return total[k], float(np.hypot(one.sem[k], two.sem[k])), light.times[k]


def alone(number):
    """Exact peak of the light of one ensemble."""
    atoms = wf.Ensemble(number, name="atoms")
    emission = wf.Jump(atoms.Jm, 1.0)
    times = np.linspace(0, 8 / number, 81)
    model = wf.Model(jumps=[emission], initial={atoms: wf.up})
    out = wf.solve(model, times, e_ops={"flux": wf.Flux(emission)}, method="exact")
    return out.expect["flux"].max()


figure, axes = new_figure(2)
above, below = axes.ravel()
delays = np.array([0.3, 1.0]) if QUICK else np.array([0.03, 0.1, 0.3, 1.0, 3.0])
print(f"{'M':>4} {'N Γ τ':>6} {'peak':>8}   {'error':<4} {'N Γ t':>6}")
for M in (2,) if QUICK else (2, 4, 10):
    found = np.array([burst(M, d / N, 128 if QUICK else 4096) for d in delays])
    peaks, errors = found[:, :2].T / (N * M) ** 2
    line = above.errorbar(delays, peaks, errors, fmt="o-", ms=3, label=f"M = {M}")
    color = line[0].get_color()
    for ends, one in ((delays[:1] * [0.6, 1.0], alone(N * M)), (delays[-1:] * [1, 1.7], alone(N))):
        above.plot(ends, [one / (N * M) ** 2] * 2, ":", color=color)
    for d, (peak, error, when) in zip(delays, found, strict=True):
        print(f"{M:>4} {d:>6g} {peak:8.0f} ± {error:<4.0f} {N * when:6.2f}")
above.set(xscale="log", xlabel="N Γ τ", ylabel="peak of the flux / (N M)²")
above.legend()

print(f"{'κ τ':>5} {'stays':>7} {'exact':>7}")
for delay in (1.0, 4.0) if QUICK else (0.5, 1.0, 2.0, 4.0):
    mode = wf.Mode(name="mode", count=1)
    mirror = wf.Mirror("start", delay=delay, phase=np.pi)
    line = wf.Line(mode, delays=[], rate=1.0, mirror=mirror)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={mode: wf.coherent(1.0)})
    times = np.linspace(0, 24, 193)
    kept = wf.solve(model, times, e_ops={"n": mode.n}, method="mean-field", dt=delay / 32)
    (curve,) = below.plot(times, kept.expect["n"][:, 0], label=f"κ τ = {delay:g}")
    below.axhline((1 + delay / 2) ** -2, color=curve.get_color(), ls=":", lw=1)
    print(f"{delay:>5g} {kept.expect['n'][-1, 0]:7.4f} {(1 + delay / 2) ** -2:7.4f}")
below.set(xlabel="κ t", ylabel="n / n(0)", ylim=(0, 1.25))
below.legend(ncols=4)
figure.savefig("delays.png")
