r"""
Lasing without a cavity: steady state and linewidth
===================================================

Pump every emitter at rate w and let all of them decay together at rate :math:`\Gamma`: a superradiant laser, whose
coherence is kept in the emitters instead of a cavity,

.. math:: \dot\rho = \Gamma\,\mathcal D[J^-]\rho + w\sum_n \mathcal D[\sigma^+_n]\rho .

It lases for :math:`\Gamma < w < N\Gamma`, brightest at :math:`w = N\Gamma/2`, where
:math:`\langle J^+J^-\rangle = N^2/8`.
"""

# %%
# ``wf.steady_state`` finds the steady state, and says how it is known that it is one.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

N = 100


def laser(pump):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=pump * N)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), atoms


pumps = np.linspace(0.1, 1.1, 11)
light, error, exact = [], [], []
for pump in pumps:
    model, atoms = laser(pump)
    e_ops = {"emission": atoms.Jp * atoms.Jm / N**2}
    state = wf.steady_state(model, e_ops, ntraj=1024, seed=3)
    light.append(state.expect["emission"])
    error.append(state.sem["emission"])
    exact.append(wf.steady_state(model, e_ops, method="exact").expect["emission"])

fig, ax = plt.subplots()
ax.errorbar(pumps, light, error, fmt="o", label="TWA")
ax.plot(pumps, exact, "k--", label="exact")
ax.plot(pumps, pumps * (1 - pumps) / 2, ":", color="0.5", label=r"$N\to\infty$: $x(1-x)/2$")
ax.set(xlabel=r"pump $x = w/N\Gamma$", ylabel=r"$\langle J^+J^-\rangle/N^2$", ylim=(0, None))
ax.legend()
plt.show()

# %%
# The linewidth is the decay rate of :math:`\langle J^+(t+\tau)J^-(t)\rangle` in the steady state. It is of the order
# of :math:`\Gamma` however many emitters there are; for large N it tends to :math:`(1 + x)/2(1 - x)`.
N = 30
model, atoms = laser(0.5)
for method, options in (("twa", {"ntraj": 8192, "seed": 4, "relax": 1.0}), ("exact", {})):
    spectrum = wf.spectrum(
        model, atoms.Jm, atoms.Jp, np.linspace(0, 2, 101), method=method, **options
    )
    print(f"{method}: {spectrum.linewidth(after=4 / (0.5 * N))}")
