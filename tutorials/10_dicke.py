r"""
The Dicke transition in a lossy cavity
======================================

.. math:: H = \omega_c\,a^\dagger a + \omega_0 J_z + \frac{2g}{\sqrt N}(a + a^\dagger)J_x, \qquad \text{loss } \kappa .

Above :math:`g_c = \tfrac12\sqrt{\omega_0(\omega_c^2 + \kappa^2/4)/\omega_c}` the cavity fills with light of either
sign. The transition is sharp for large N only; trajectories show how it rounds.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

omega_c, omega_0, kappa = 1.0, 1.0, 1.0
g_c = 0.5 * np.sqrt(omega_0 * (omega_c**2 + kappa**2 / 4) / omega_c)


def dicke(N, g):
    atoms, cavity = wf.Ensemble(N, name="atoms"), wf.Mode(name="cavity")
    H = omega_c * cavity.n + omega_0 * atoms.Jz
    H = H + 2 * g / np.sqrt(N) * (cavity.a + cavity.adag) * atoms.Jx
    model = wf.Model(H, [wf.Jump(cavity.a, kappa)], initial={atoms: wf.down, cavity: wf.vacuum})
    return model, {"photons": cavity.n / N}


couplings = np.linspace(0.2, 1.0, 9)
t = np.linspace(0, 60, 31)
fig, ax = plt.subplots()
for N in (20, 200, 2000):
    means, errors = [], []
    for g in couplings:
        model, e_ops = dicke(N, g)
        result = wf.solve(model, t, e_ops=e_ops, ntraj=512, seed=13)
        late = t >= 40
        means.append(result.expect["photons"][late].mean())
        errors.append(result.sem["photons"][late].mean())
    ax.errorbar(couplings, means, errors, fmt="o-", ms=4, label=f"TWA, N = {N}")
    print(f"N = {N}: photons per atom at g = 1: {means[-1]:.3f} ± {errors[-1]:.3f}")
above = couplings > g_c
classical = np.zeros_like(couplings)
classical[above] = (couplings[above] ** 2 / (omega_c**2 + kappa**2 / 4)) * (
    1 - (g_c / couplings[above]) ** 4
)
ax.plot(couplings, classical, "k:", label=r"mean field, $N\to\infty$")
ax.axvline(g_c, color="0.8", lw=1)
ax.set(xlabel="coupling g", ylabel=r"$\langle a^\dagger a\rangle/N$")
ax.legend()
plt.show()
