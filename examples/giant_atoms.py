"""
Two giant atoms, braided
========================

Each of two ensembles couples to a waveguide at two points, in the order A B A B. At a phase of
pi/2 between neighbouring points the light of the two points of one ensemble cancels outside, so
that neither decays, yet light between them is exchanged:

    H = Gamma (J_A^+ J_B^- + h.c.)

(Kockum, Johansson and Nori, Phys. Rev. Lett. 120, 140404 (2018), for single atoms). Gamma is the
rate of one point, half of it in each direction. That holds where light needs no time between the
points; with a delay tau, light that left before the other point could cancel it is lost.

Top: one ensemble inverted, the other at rest: trajectories at zero delay beside the exact solution
(without dissipation they follow it for one swap, longer for more emitters), and with delays from a
dark waveguide: until light has come from the other point, an ensemble decays. Bottom: the weakly
excited limit, modes, with delays of parts of the time pi/Gamma of a swap there and back.

`python giant_atoms.py [--quick]` writes giant_atoms.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N = 6 if QUICK else 16


def braided(one, two, lower, initial, delay):
    """Four points in the order one, two, one, two; light in both directions."""
    points = [one, two, one, two]
    up = [wf.Jump(getattr(p, lower), 0.5) for p in points]
    down = [wf.Jump(getattr(p, lower), 0.5) for p in points]
    links = [wf.Link(up[k], up[k + 1], delay, np.pi / 2) for k in range(3)]
    links += [wf.Link(down[k + 1], down[k], delay, np.pi / 2) for k in range(3)]
    return wf.Model(jumps=[*up, *down], links=links, initial=initial)


# %%
# Ensembles. Without delay all links are one master equation, here without any dissipation.
A, B = wf.Ensemble(N, name="A"), wf.Ensemble(N, name="B")
initial = {A: wf.up, B: wf.down}
e_ops = {"A": A.Jz, "B": B.Jz}
T = 16 / N
times = np.linspace(0, T, 41)
exact = wf.solve(braided(A, B, "Jm", initial, 0.0), times, e_ops=e_ops, method="exact")
figure, axes = new_figure(2)
above, below = axes.ravel()
above.plot(N * times, exact.expect["A"] / N, "k", label="exact, τ = 0")
ntraj = 256 if QUICK else 8000
print(f"{'N Γ τ':>6} {'lowest Jz of A / N':>20}   {'photons lost / N':>16}")
for x in (0.0, 0.4) if QUICK else (0.0, 0.1, 0.4):
    model = braided(A, B, "Jm", initial, x / N)
    found = wf.solve(model, times, e_ops=e_ops, ntraj=ntraj, seed=1, dt=0.05 / N)
    a, b = (found.expect[k] / N for k in "AB")
    error = found.sem["A"] / N
    above.errorbar(N * times, a, error, fmt="o-", ms=2.5, lw=0.6,
                   label=f"trajectories, N Γ τ = {x:g}")  # fmt: skip
    k = int(np.argmin(a))
    print(f"{x:>6g} {a[k]:11.3f} ± {error[k]:.3f}     {-(a + b)[-1]:16.3f}")
k = int(np.argmin(exact.expect["A"]))
print(f"{'exact':>6} {exact.expect['A'][k] / N:11.3f}")
above.set(xlabel="N Γ t", ylabel="⟨Jz⟩ / N of A", ylim=(-0.55, 0.95))
above.legend(ncols=2, loc="upper center")

# %%
# Modes: cos(Gamma t)^2 without delay.
a, b = wf.Mode(name="a"), wf.Mode(name="b")
weak = {a: wf.coherent(1.0), b: wf.vacuum}
swap = np.linspace(0, 2 * np.pi, 161)
print(f"{'Γ τ':>6} {'n of a after both swaps':>24}")
for part in (40,) if QUICK else (np.inf, 160, 40, 10):
    delay = np.pi / part
    model = braided(a, b, "a", weak, delay)
    kept = wf.solve(model, swap, e_ops={"n": a.n}, method="mean-field", dt=np.pi / 320)
    below.plot(swap, kept.expect["n"], label=f"Γ τ = π/{part:g}" if delay else "τ = 0")
    print(f"{delay:>6.3f} {kept.expect['n'][80]:24.3f}")
below.set(xlabel="Γ t", ylabel="quanta of a", ylim=(-0.05, 1.6))
below.legend(ncols=2, loc="upper center")
figure.savefig("giant_atoms.png")
