"""
Entanglement of weakly pumped emitters
======================================

Entanglement of weakly pumped emitters: the squeezing parameter with its jackknife error.
"""

import warnings

import numpy as np

import wignerflow as wf

N = 25
atoms = wf.Ensemble(N, name="atoms")
model = wf.Model(
    jumps=[wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=0.4)],
    initial={atoms: wf.up},
)
t = np.linspace(0, 4, 9)
e_ops = {"xi2": wf.Squeezing(atoms), "s": wf.Subradiance(atoms)}

warnings.simplefilter("ignore")  # the TWA warns that spins are short here: this is its limit
twa = wf.solve(model, t, e_ops=e_ops, ntraj=10_000, seed=7, dt=2e-3)
exact = wf.solve(model, t, e_ops=e_ops, method="exact")

print("  t   xi^2 (TWA)         exact    s (TWA)            exact")
for k, when in enumerate(t):
    xi2, s = (f"{twa.expect[n][k]:.3f} ± {twa.sem[n][k]:.3f}" for n in e_ops)
    print(f"{when:4.1f}  {xi2:17}  {exact.expect['xi2'][k]:.3f}", end="    ")
    print(f"{s:17}  {exact.expect['s'][k]:.3f}")
