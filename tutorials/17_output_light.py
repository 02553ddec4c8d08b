r"""
Output light: photons, coherence, squeezing
===========================================

Detectors see the field, not the emitters. In phase space it is the noise that drives a jump plus what is emitted,

.. math:: b_{\rm out} = b_{\rm in} + \sqrt\Gamma\,L ,

and ``wf.photons`` records it in bins of time while the trajectories run.
"""

# %%
# A superradiant burst
# --------------------
#
# Light of a burst begins as that of independent emitters, :math:`g^{(2)} = 2 - 2/N`, and becomes nearly coherent while they
# give off what they have together. In the tail it is bunched again: bursts end at different times. Twenty emitters can be
# solved exactly.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

N = 20
atoms = wf.Ensemble(N, name="atoms")
emission = wf.Jump(atoms.Jm, 1.0)
model = wf.Model(jumps=[emission], initial={atoms: wf.up})
bins = np.linspace(0, 8 / N, 17)
exact = wf.photons(model, emission, bins=bins, method="exact", g1=False)
light = wf.photons(model, emission, bins=bins, ntraj=8192, seed=1, g1=False)
print(light.number())

fig, (left, right) = plt.subplots(1, 2, layout="constrained", figsize=(9, 3.8))
flux, g2 = light.flux(), light.g2()
left.errorbar(flux.times, flux.value, flux.sem, fmt="o", ms=4, label="TWA")
left.plot(flux.times, exact.flux().value, "k--", lw=1, label="exact")
left.set(xlabel=r"time $\Gamma t$", ylabel=r"photons per time $/\Gamma$", ylim=(0, None))
left.legend()
right.errorbar(g2.times, np.diag(g2.value), np.diag(g2.sem), fmt="o", ms=4)
right.plot(g2.times, np.diag(exact.g2().value), "k--", lw=1)
right.set(xlabel=r"time $\Gamma t$", ylabel=r"$g^{(2)}$ within a bin", ylim=(0.5, 2.5))
plt.show()

# %%
# A parametric oscillator
# -----------------------
#
# Half way to its threshold, :math:`x = 1/2`, one quadrature of the output has less noise than the vacuum,
#
# .. math:: S(\omega) = 1 - \frac{4x}{(1 + x)^2 + (2\omega/\kappa)^2}
#
# (C. W. Gardiner and M. J. Collett, Phys. Rev. A 31, 3761 (1985), Eq. (5.29)): 1/9 at :math:`\omega = 0`. The window of time
# is short here, so that lines are wider by its inverse.
x, kappa = 0.5, 1.0
mode = wf.Mode(name="mode")
mirror = wf.Jump(mode.a, kappa)
pump = 1j * x * kappa / 4
oscillator = wf.Model(
    pump * mode.adag * mode.adag - pump * mode.a * mode.a, [mirror], initial={mode: wf.vacuum}
)
window = 20 + 0.25 * np.arange(257)
squeezed = wf.photons(
    oscillator, mirror, bins=window, ntraj=512, seed=1, dt=0.125, g1=False, g2=False
)
spectrum = squeezed.quadrature(np.pi / 2)
fig, ax = plt.subplots()
omega = np.linspace(-4, 4, 201)
ax.errorbar(spectrum.omega, spectrum.value, spectrum.sem, fmt=".", label="TWA")
ax.plot(omega, 1 - 4 * x / ((1 + x) ** 2 + (2 * omega) ** 2), "k--", lw=1, label="closed form")
ax.set(xlabel=r"$\omega/\kappa$", ylabel="noise of the quadrature", xlim=(-4, 4), ylim=(0, 1.1))
ax.legend(loc="lower right")
plt.show()

# %%
# Everything of the light: :doc:`/output-light`, and what reflections and delays do to it, :doc:`/delays`.
