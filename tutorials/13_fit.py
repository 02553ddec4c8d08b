r"""
From measured curves to parameters
==================================

A burst was recorded, with error bars. How many emitters were there, and how fast were they pumped? ``wf.fit`` varies
the parameters of a model until its curves lie on the data, with the same random numbers in every run, so that the
curves move smoothly.
"""

# %%
# Data: 40 points of a burst of 800 emitters, with 3 % noise (here made by the model itself, with another seed).
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf


def laser(N, pump):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=pump)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), {"emission": atoms.Jp * atoms.Jm}


t = np.linspace(0, 0.025, 41)
model, e_ops = laser(800, 200.0)
clean = wf.solve(model, t, e_ops=e_ops, ntraj=50_000, seed=99).expect["emission"]
error = np.full(t.size, 0.03 * clean.max())
measured = clean + error * np.random.default_rng(1).standard_normal(t.size)

# %%
# A first guess far off, and the fit. N is continued to real numbers inside ``fit``.
data = {"time": t, "emission": measured, "emission_sem": error}
found = wf.fit(laser, data, {"N": 500, "pump": 100.0}, ntraj=4000)
print(found)

# %%
# The covariance says how far the two can be told apart.
correlation = found.covariance[0, 1] / np.sqrt(found.covariance[0, 0] * found.covariance[1, 1])
print(f"correlation of N and pump: {correlation:.2f}")
found.plot()
plt.show()
