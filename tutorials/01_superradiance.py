r"""
Superradiance: a burst of light
===============================

N inverted two-level emitters that share one decay channel do not decay one by one. Their dipoles lock, and the light
comes as a burst of height :math:`\propto N^2` after a delay :math:`\propto \ln N / N`. The master equation is

.. math:: \dot\rho = \Gamma\,\big(J^-\rho J^+ - \tfrac12\{J^+J^-, \rho\}\big), \qquad J^\pm = \sum_n \sigma^\pm_n .

The burst is started by quantum noise alone: mean-field equations stay at the inverted state for ever. Trajectories of
the truncated Wigner approximation start with that noise.
"""

# %%
# One ensemble, one jump. ``rate`` is the plain Lindblad rate :math:`\Gamma`, which we take as the unit.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

N = 100
atoms = wf.Ensemble(N, name="atoms")
model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0)], initial={atoms: wf.up})
print(model)

# %%
# The emitted power is :math:`\Gamma\langle J^+J^-\rangle`. The same call solves the model by trajectories, by
# mean field and exactly.
t = np.linspace(0, 10 / N, 101)
e_ops = {"emission": atoms.Jp * atoms.Jm / N**2, "inversion": atoms.Jz / N}
twa = wf.solve(model, t, e_ops=e_ops, ntraj=10_000, seed=1)
exact = wf.solve(model, t, e_ops=e_ops, method="exact")
print(twa)

# %%
# Every mean has its standard error; the exact curve lies within it.
fig, ax = plt.subplots()
mean, sem = twa.expect["emission"], twa.sem["emission"]
ax.plot(N * t, mean, label="TWA, 10⁴ trajectories")
ax.fill_between(N * t, mean - 2 * sem, mean + 2 * sem, alpha=0.3)
ax.plot(N * t, exact.expect["emission"], "k--", label="exact")
ax.set(xlabel=r"time $N\Gamma t$", ylabel=r"$\langle J^+J^-\rangle/N^2$", title=f"N = {N}")
ax.legend()
plt.show()

# %%
# The cost does not depend on N: a million emitters take as long as a hundred.
fig, ax = plt.subplots()
for N in (10**2, 10**4, 10**6):
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0)], initial={atoms: wf.up})
    t = np.linspace(0, 22 / N, 101)
    burst = wf.solve(model, t, e_ops={"emission": atoms.Jp * atoms.Jm / N**2}, ntraj=4000, seed=2)
    ax.plot(N * t, burst.expect["emission"], label=f"N = {N:.0e}")
    peak = burst.expect["emission"].argmax()
    mean, sem = burst.expect["emission"][peak], burst.sem["emission"][peak]
    print(f"N = {N:.0e}: peak {mean:.3f} ± {sem:.3f} at N t = {N * t[peak]:.2f}")
ax.set(xlabel=r"time $N\Gamma t$", ylabel=r"$\langle J^+J^-\rangle/N^2$")
ax.legend()
plt.show()
