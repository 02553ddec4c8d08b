r"""
Ensembles along a waveguide
===========================

M ensembles of N emitters, each coupled to the light that runs both ways along a waveguide. With a phase
:math:`\varphi` between neighbours the light of one drives all others, and two jumps carry it out at the ends,

.. math:: L_{F,B} = \sum_m e^{\pm i\varphi m} J^-_m, \qquad
   H = \tfrac\Gamma2 \sum_{m,m'} \sin(\varphi|m-m'|)\,J^+_m J^-_{m'} .

``wf.waveguide`` returns both at once. The cost of a step is proportional to M, not to :math:`M^2`.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

M, N, phi = 20, 50, 0.3 * np.pi
chain = wf.Ensemble(N, count=M, name="chain")
H, (forward, backward) = wf.waveguide(chain, phi, rate=1.0)
model = wf.Model(H, [forward, backward, wf.LocalJump(chain.sp, rate=N)], initial={chain: wf.down})

total = M * N
e_ops = {
    "forward": forward.op.dag() * forward.op / total**2,
    "site": chain.Jp * chain.Jm / N**2,
}
t = np.geomspace(1e-3, 2, 41)
result = wf.solve(model, np.concatenate([[0], t]), e_ops=e_ops, ntraj=1024, seed=8)
print(result)

# %%
# An array observable is a map over time and site.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
axes[0].plot(t, result.expect["forward"][1:])
axes[0].set(
    xscale="log", xlabel=r"time $\Gamma t$", ylabel=r"$\langle L_F^\dagger L_F\rangle/N_{tot}^2$"
)
image = axes[1].pcolormesh(np.arange(M), t, result.expect["site"][1:], shading="nearest")
axes[1].set(yscale="log", xlabel="site", ylabel=r"time $\Gamma t$")
fig.colorbar(image, label=r"$\langle J^+_mJ^-_m\rangle/N^2$")
plt.show()
