"""
A source shines on a target
===========================

N inverted emitters emit a burst into a chiral waveguide; N others at rest stand downstream and
absorb it. Light comes back to nobody, so a delay tau only shifts the target's clock.

Mean field does nothing: the inverted source has no field to begin with. In trajectories the noise
that starts the burst is the vacuum of the waveguide, and what reaches the target is that same
noise with the emission, tau later. Without delay the link makes both one master equation (the
series product), which the exact engine solves: its target and its light, at local time, are the
reference.

`python cascade.py [--quick]` writes cascade.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N = 10 if QUICK else 20
tau = 0.25


def cascade(delay):
    source, target = wf.Ensemble(N, name="source"), wf.Ensemble(N, name="target")
    out, into = wf.Jump(source.Jm, 1.0), wf.Jump(target.Jm, 1.0)
    model = wf.Model(
        jumps=[out, into],
        initial={source: wf.up, target: wf.down},
        links=[wf.Link(out, into, delay)],
    )
    return model, {"source": source.Jz, "target": target.Jz}, into


local = np.linspace(0, 0.6, 25)
model, e_ops, into = cascade(0.0)
exact = wf.solve(model, local, e_ops=e_ops, method="exact")

bright = wf.photons(model, into, bins=local, method="exact", g1=False)

# %%
# The same with a delay. Output times are spaced evenly, so that the delay is a multiple.
model, e_ops, into = cascade(tau)
times = np.linspace(0, 0.85, 35)
options = {"e_ops": e_ops, "dt": 0.0025}
late = wf.solve(model, times, ntraj=2000 if QUICK else 20_000, seed=1, **options)
still = wf.solve(model, times, method="mean-field", **options)

# %%
# The light behind the target: what it lets through, and how bunched that is.
bins = tau + local
ntraj = 1024 if QUICK else 8192
light = wf.photons(model, into, bins=bins, ntraj=ntraj, seed=2, dt=0.0025, g1=False)

figure, axes = new_figure(2)
above, below = axes.ravel()
for name, curve in (("source", 0.0), ("target", tau)):
    (line,) = above.plot(local, exact.expect[name], label=f"{name}, exact")
    at = times >= curve - 1e-9
    above.errorbar(times[at] - curve, late.expect[name][at], late.sem[name][at], fmt="o", ms=3,
                   color=line.get_color(), label=f"{name}, trajectories, Γτ = {tau:g}")  # fmt: skip
above.plot(times - tau, still.expect["target"], "k:", label="target, mean field")
above.set(xlabel="local time Γ t", ylabel="Jz", xlim=(-0.02, 0.62), ylim=(-1.1 * N / 2, N))
above.legend(ncols=2, loc="upper center", fontsize="small")
flux, g2 = light.flux(), light.g2()
value, error = np.diagonal(g2.value), np.diagonal(g2.sem)
clear = error < 0.5  # elsewhere the light is nearly dark
below.plot(bright.times, bright.flux().value / N, label="flux / (N Γ), exact")
below.plot(bright.times, np.diagonal(bright.g2().value), label="g2 at equal times, exact")
below.errorbar(light.times - tau, flux.value / N, flux.sem / N, fmt="o", ms=3, color="C0",
               label="flux, trajectories")  # fmt: skip
below.errorbar(light.times[clear] - tau, value[clear], error[clear], fmt="s", ms=3, color="C1",
               label="g2, trajectories (errors < 0.5)")  # fmt: skip
below.set(xlabel="local time Γ t behind the target", ylim=(0, None))
below.legend(loc="upper right", fontsize="small")
figure.savefig("cascade.png")

print(f"{'local t':>8} {'exact':>9} {'trajectories':>13}   {'error':<6}")
for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
    k, j = np.argmin(np.abs(local - t)), np.argmin(np.abs(times - tau - t))
    mean, error = late.expect["target"][j], late.sem["target"][j]
    print(f"{t:>8.1f} {exact.expect['target'][k]:9.3f} {mean:13.3f} ± {error:<6.3f}")
