r"""
Bistability of a driven Kerr resonator
======================================

.. math:: H = \Delta\,a^\dagger a + \tfrac U2\,a^\dagger a^\dagger a a + F(a + a^\dagger), \qquad \text{loss } \kappa .

Mean-field theory has two stable amplitudes over a range of drives; quantum noise switches between them, so the true
steady state is unique. With many photons (small U) switching is rare: a sweep up and a sweep down differ in any finite
time. That is hysteresis, and it is what an experiment records.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

kappa, detuning, U = 1.0, -2.0, 0.1


def resonator(F, start=wf.vacuum):
    a = wf.Mode(name="a")
    H = detuning * a.n + 0.5 * U * a.adag * a.adag * a.a * a.a + F * (a.a + a.adag)
    return wf.Model(H, [wf.Jump(a.a, rate=kappa)], initial={a: start}), {"n": a.n}


# %%
# Classical amplitudes: :math:`|\alpha|^2 [\kappa^2/4 + (\Delta + U|\alpha|^2)^2] = F^2`.
n = np.linspace(0.01, 40, 2000)
drive_of = np.sqrt(n * (kappa**2 / 4 + (detuning + U * n) ** 2))

# %%
# Trajectories, long after the switch-on, from the vacuum and from the bright branch.
drives = np.linspace(2.0, 6.0, 9)
t = np.array([0.0, 30.0])
fig, ax = plt.subplots()
ax.plot(drive_of, n, color="0.7", lw=1, label="classical")
for label, start in (("from vacuum", wf.vacuum), ("from the bright branch", wf.coherent(-5.0))):
    values = []
    for F in drives:
        model, e_ops = resonator(F, start)
        result = wf.solve(model, t, e_ops=e_ops, ntraj=2000, seed=6)
        values.append((result.expect["n"][-1], result.sem["n"][-1]))
    mean, sem = np.transpose(values)
    ax.errorbar(drives, mean, sem, fmt="o-", ms=4, label=f"TWA, {label}")
    print(label, np.round(mean, 2), "±", np.round(sem, 2))
ax.set(
    xlabel=r"drive $F/\kappa$",
    ylabel=r"$\langle a^\dagger a\rangle$ at $\kappa t = 30$",
    xlim=(1.8, 6.2),
)
ax.legend()
plt.show()
