r"""
A boundary time crystal
=======================

N emitters driven at :math:`\Omega` that decay collectively,

.. math:: H = \Omega J_x, \qquad L = \sqrt{\kappa/N}\,J^- ,

relax to a steady state for :math:`\Omega < \kappa/2` and oscillate ever longer, the larger N, above it: a
dissipative phase that breaks the symmetry of translation in time.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

kappa = 1.0


def crystal(N, drive):
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        drive * atoms.Jx, [wf.Jump(atoms.Jm, rate=kappa / N)], initial={atoms: wf.down}
    )
    return model, {"inversion": 2 * atoms.Jz / N}


t = np.linspace(0, 60, 241)
fig, axes = plt.subplots(2, 1, sharex=True)
for ax, drive in zip(axes, (0.3, 1.0), strict=True):
    for N in (20, 100, 1000):
        model, e_ops = crystal(N, drive)
        result = wf.solve(model, t, e_ops=e_ops, ntraj=2000, seed=7)
        ax.plot(t, result.expect["inversion"], label=f"N = {N}")
    model, e_ops = crystal(20, drive)
    exact = wf.solve(model, t, e_ops=e_ops, method="exact")
    ax.plot(t, exact.expect["inversion"], "k--", lw=1, label="exact, N = 20")
    ax.set(ylabel=r"$2\langle J_z\rangle/N$", title=rf"$\Omega = {drive}\kappa$")
axes[0].legend(ncols=2)
axes[1].set(xlabel=r"time $\kappa t$")
fig.tight_layout()
plt.show()
print(
    f"N = 1000, Ω = κ: {result.expect['inversion'][-1]:.3f} ± {result.sem['inversion'][-1]:.3f} at the end"
)
