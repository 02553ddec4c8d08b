r"""
Disorder: frequencies and places that differ
============================================

Emitters are never quite alike. Here the frequencies of a broadened ensemble take the superradiance away, and then the
places of emitters in a chain. Both are arrays in one model, so that all realisations run the same compiled kernel.
"""

# %%
# Inhomogeneous broadening
# ------------------------
#
# ``wf.spread`` sorts a distribution into bins, each of which is one ensemble. The mean dipole of independent emitters
# with normally distributed frequencies falls as its Fourier transform, :math:`e^{-\sigma^2t^2/2}`: the first thing to
# check is that the bins are fine enough.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf


def broadened(N, width, bins, state, rate=1.0, by="frequency"):
    omega, numbers = wf.spread("gaussian", width, bins=bins, N=N, by=by)
    atoms = wf.Ensemble(numbers, count=len(numbers), name="atoms")
    model = wf.Model(
        H=(omega * atoms.Jz).sum(),
        jumps=[wf.Jump(atoms.Jm.sum(), rate)] if rate else [],
        initial={atoms: state},
    )
    dipole, light = 2 * atoms.Jx.sum() / N, atoms.Jp.sum() * atoms.Jm.sum() / N**2
    return model, {"dipole": dipole, "emission": light}


t = np.linspace(0, 4, 33)
fig, ax = plt.subplots()
for bins, mark in ((7, "s"), (31, "o")):
    model, e_ops = broadened(10_000, 1.0, bins, wf.bloch(np.pi / 2, 0.0), rate=0.0)
    free = wf.solve(model, t, e_ops=e_ops, ntraj=256, seed=1, dt=0.05, progress=False)
    ax.errorbar(
        t, free.expect["dipole"], free.sem["dipole"], fmt=mark, ms=4, label=f"TWA, {bins} bins"
    )
ax.plot(t, np.exp(-(t**2) / 2), "k--", lw=1, label=r"$e^{-\sigma^2t^2/2}$")
ax.set(xlabel=r"time $\sigma t$", ylabel="mean dipole")
ax.legend()
plt.show()

# %%
# A burst needs all dipoles in phase for its delay, :math:`\ln N/N\Gamma`. The light of inverted emitters grows at the rate s
# for which
#
# .. math:: 1 = \frac{N\Gamma}{2}\int\frac{g(\omega)\,d\omega}{s + i\omega}, \qquad\text{so that it does where}\qquad
#           \sigma < \sqrt{\pi/8}\,N\Gamma .
#
# Twelve emitters in three bins of four have an exact solution; beyond the threshold each bin still has a small burst of its
# own. Ten thousand in 21 bins are beyond exact solutions, and cost the same.
fig, ax = plt.subplots()
for N, bins, colour in ((12, 3, "C0"), (10_000, 21, "C1")):
    times = np.linspace(0, 2 * np.log(N) / N, 41)
    peaks, errors, exact = [], [], []
    widths = np.array([0.0, 0.25, 0.5, 1.0, 2.0])
    for width in widths * N:
        model, e_ops = broadened(N, width, bins, wf.up, by="population")
        run = wf.solve(
            model, times, e_ops=e_ops, ntraj=1024, seed=2, truncation=False, progress=False
        )
        k = int(np.argmax(run.expect["emission"]))
        peaks.append(run.expect["emission"][k])
        errors.append(run.sem["emission"][k])
        if N == 12:
            both = wf.solve(model, times, e_ops=e_ops, method="exact", progress=False)
            exact.append(both.expect["emission"].max())
    ax.errorbar(widths, peaks, errors, fmt="o", color=colour, label=f"TWA, N = {N}")
    if exact:
        ax.plot(widths, exact, "k--", lw=1, label=f"exact, N = {N}")
    print(f"N = {N}: peak {peaks[1]:.4f} ± {errors[1]:.4f} N² at a width of N Γ / 4")
ax.axvline(np.sqrt(np.pi / 8), color="0.6", ls=":", label=r"$\sqrt{\pi/8}$")
ax.set(xlabel=r"width $\sigma/N\Gamma$", ylabel="peak of the emission $/N^2$", ylim=(0, None))
ax.legend()
plt.show()

# %%
# Places
# ------
#
# In a chain of emitters in free space both coupling and correlated decay depend on the distances. Every realisation of
# the places is another pair of matrices; means over realisations have the error of their scatter. Eight emitters have
# an exact solution, here for the first realisation. Late light is too bright in trajectories, and the warning says so: it
# comes from subradiant states, where few excitations are left and noise counts (:doc:`07_subradiance`).
t = np.linspace(0, 2, 21)
rng = np.random.default_rng(3)


def chain(places):
    J, Gamma = wf.emitters.free_space(places, dipole=[0, 0, 1], wavelength=1.0)
    atoms = wf.Spin(name="atoms", count=len(places))
    model = wf.Model(
        wf.couple(atoms.sp, J, atoms.sm), [wf.Jump(atoms.sm, rate=Gamma)], initial={atoms: wf.up}
    )
    return model, {"emission": wf.couple(atoms.sp, Gamma, atoms.sm) / len(places)}


fig, ax = plt.subplots()
for sigma, colour in ((0.0, "C0"), (0.05, "C1")):
    runs = []
    for k in range(6 if sigma else 1):
        places = 0.1 * np.outer(np.arange(8), [1, 0, 0]) + sigma * rng.normal(size=(8, 3))
        model, e_ops = chain(places)
        run = wf.solve(
            model, t, e_ops=e_ops, ntraj=1024, seed=k, dt=0.02, truncation=k == 0, progress=False
        )
        runs.append(run.expect["emission"])
        if k == 0:
            label = f"σ = {sigma}: first realisation"
            ax.errorbar(t, runs[0], run.sem["emission"], fmt="o", color=colour, ms=4, label=label)
            exact = wf.solve(model, t, e_ops=e_ops, method="exact", progress=False)
            ax.plot(t, exact.expect["emission"], "k--", lw=1)
    if sigma:
        mean, error = np.mean(runs, axis=0), np.std(runs, axis=0, ddof=1) / np.sqrt(len(runs))
        ax.fill_between(t, mean - error, mean + error, color=colour, alpha=0.3, label="mean of six")
ax.plot([], [], "k--", lw=1, label="exact")
ax.set(xlabel=r"time $\Gamma_0t$", ylabel=r"emission per emitter $/\Gamma_0$", ylim=(0, None))
ax.legend()
plt.show()

# %%
# Larger ones are in the gallery: :doc:`a broadened laser and its threshold </gallery/examples/broadened_laser>`, and
# :doc:`forty emitters at random places </gallery/examples/disorder>`.
