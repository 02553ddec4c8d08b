r"""
A laser of atoms in a cavity
============================

.. math:: H = g\,(a J^+ + a^\dagger J^-), \qquad \text{cavity loss } \kappa,\ \text{pump } w,\ \text{decay } \gamma
   \text{ of every atom}.

The Tavis-Cummings laser. Threshold, gain saturation and the photon statistics
:math:`g^{(2)} = \langle a^{\dagger2}a^2\rangle/\langle a^\dagger a\rangle^2`, from thermal light (2) to laser light (1).
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

N, g, kappa, gamma = 60, 0.3, 1.0, 0.2


def laser(w):
    atoms, cavity = wf.Ensemble(N, name="atoms"), wf.Mode(name="cavity")
    H = g * (cavity.a * atoms.Jp + cavity.adag * atoms.Jm)
    jumps = [wf.Jump(cavity.a, kappa), wf.LocalJump(atoms.sp, w), wf.LocalJump(atoms.sm, gamma)]
    model = wf.Model(H, jumps, initial={atoms: wf.down, cavity: wf.vacuum})
    return model, {"photons": cavity.n, "g2": wf.g2(cavity.a)}


pumps = np.geomspace(0.05, 20, 10)
photons, g2, closure = [], [], []
for w in pumps:
    model, e_ops = laser(w)
    state = wf.steady_state(model, e_ops, ntraj=1024, seed=14)
    photons.append((state.expect["photons"], state.sem["photons"]))
    g2.append((state.expect["g2"], state.sem["g2"]))
    second = wf.steady_state(model, {"photons": e_ops["photons"]}, method="cumulant")
    closure.append(second.expect["photons"])
    print(
        f"w = {w:6.2f}: n = {photons[-1][0]:.2f} ± {photons[-1][1]:.2f}, g2 = {g2[-1][0]:.2f} ± {g2[-1][1]:.2f}"
    )

# %%
fig, axes = plt.subplots(2, 1, sharex=True)
axes[0].errorbar(pumps, *np.transpose(photons), fmt="o", label="TWA")
axes[0].plot(pumps, closure, label="second-order cumulants")
axes[0].set(ylabel=r"$\langle a^\dagger a\rangle$")
axes[0].legend()
axes[1].errorbar(pumps, *np.transpose(g2), fmt="o")
axes[1].axhline(1, color="0.7", lw=0.8)
axes[1].set(xscale="log", xlabel="pump $w/\\kappa$", ylabel=r"$g^{(2)}(0)$", ylim=(0.8, 2.4))
plt.show()
