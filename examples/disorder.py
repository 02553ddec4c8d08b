"""
Disorder and a superradiant burst
=================================

The superradiant burst of a chain of emitters, and what disorder in their positions does to it.

N inverted emitters a tenth of a wavelength apart in free space; every position is off by a Gaussian
of width sigma in all directions. Nothing in the model is rewritten for that: couplings and rates
are arrays, and all realisations run the same compiled kernel.
`python disorder.py [--quick]` writes disorder.png and prints a table.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import new_figure

QUICK = "--quick" in sys.argv
N, spacing = (10, 0.1) if QUICK else (40, 0.1)
realisations, ntraj = (2, 64) if QUICK else (10, 500)
t = np.linspace(0, 2, 41)
rng = np.random.default_rng(3)


def burst(sigma, seed):
    """Emission per emitter in units of Gamma_0, and its standard error."""
    places = spacing * np.outer(np.arange(N), [1, 0, 0]) + sigma * rng.normal(size=(N, 3))
    J, Gamma = wf.emitters.free_space(places, dipole=[0, 0, 1], wavelength=1.0)
    atoms = wf.Spin(name="atoms", count=N)
    model = wf.Model(
        wf.couple(atoms.sp, J, atoms.sm), [wf.Jump(atoms.sm, rate=Gamma)], initial={atoms: wf.up}
    )
    e_ops = {"emission": wf.couple(atoms.sp, Gamma, atoms.sm) / N}
    result = wf.solve(model, t, e_ops=e_ops, ntraj=ntraj, seed=seed, dt=0.02, progress=False)
    return result.expect["emission"], result.sem["emission"]


figure, axes = new_figure(1)
for sigma in (0.0, 0.02, 0.05, 0.1):
    runs = [burst(sigma, seed) for seed in range(realisations if sigma else 1)]
    mean = np.mean([value for value, _ in runs], axis=0)
    error = np.sqrt(np.mean([sem**2 for _, sem in runs], axis=0) / len(runs))
    if sigma:  # realisations differ by more than the sampling error
        error = np.std([value for value, _ in runs], axis=0, ddof=1) / np.sqrt(len(runs))
    axes[0, 0].plot(t, mean, label=rf"$\sigma/a = {sigma / spacing:.1f}$")
    axes[0, 0].fill_between(t, mean - error, mean + error, alpha=0.25, linewidth=0)
    k = int(np.argmax(mean))
    print(
        f"sigma / a = {sigma / spacing:.1f}   peak {mean[k]:.3f} ± {error[k]:.3f} at t = {t[k]:.2f}"
    )
axes[0, 0].set(xlabel=r"time $\times\ \Gamma_0$", ylabel=r"emission$/N\Gamma_0$")
axes[0, 0].legend()
figure.savefig("disorder.png")
