r"""
Spin squeezing and Ramsey: how much better than N independent atoms
===================================================================

One-axis twisting, :math:`H = \chi J_z^2`, shears the noise of a coherent spin state into an ellipse. In a Ramsey
sequence the phase error of the squeezed state falls below that of N independent atoms by the Wineland parameter

.. math:: \xi^2 = \frac{N\,\min_\perp \mathrm{Var}\,J_\perp}{|\langle\mathbf J\rangle|^2} ,

with a minimum :math:`\propto N^{-2/3}`. Dephasing of single atoms limits it.
"""

# %%
# Start along x, twist, dephase every atom at rate ``gamma``.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

N, chi = 200, 1.0


def twisted(gamma):
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        H=chi * atoms.Jz * atoms.Jz,
        jumps=[wf.LocalJump(atoms.sz, rate=gamma)],
        initial={atoms: wf.bloch(np.pi / 2, 0)},
    )
    return model, {"xi2": wf.WinelandSqueezing(atoms)}


t = np.linspace(0, 0.06, 41)
fig, ax = plt.subplots()
for k, gamma in enumerate((0.0, 1.0, 4.0)):
    model, e_ops = twisted(gamma)
    result = wf.solve(model, t, e_ops=e_ops, ntraj=8192, seed=5)
    xi2, sem = result.expect["xi2"], result.sem["xi2"]
    ax.errorbar(t, xi2, sem, fmt=".", color=f"C{k}", label=rf"TWA, $\gamma = {gamma:g}\chi$")
    best = xi2.argmin()
    print(
        f"gamma = {gamma}: smallest xi^2 = {xi2[best]:.4f} ± {sem[best]:.4f} at chi t = {t[best]:.4f}"
    )
    if (
        gamma == 0
    ):  # without dissipation the collective spin stays in its largest block: exact is cheap
        exact = wf.solve(model, t, e_ops=e_ops, method="exact")
        ax.plot(t, exact.expect["xi2"], "k--", label="exact")
ax.set(yscale="log", xlabel=r"time $\chi t$", ylabel=r"$\xi^2$ (Wineland)", title=f"N = {N}")
ax.legend()
plt.show()

# %%
# A Ramsey signal: rotate the squeezed state so that its quiet axis is read out. The gain in variance over independent
# atoms is :math:`1/\xi^2`.
model, e_ops = twisted(1.0)
best = wf.solve(model, t, e_ops=e_ops, ntraj=8192, seed=5).expect["xi2"].min()
print(
    f"with dephasing 1 χ: {10 * np.log10(1 / best):.1f} dB below the projection noise of {N} atoms"
)
