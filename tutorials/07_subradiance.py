r"""
Atoms closer than a wavelength: bursts and subradiance
======================================================

Atoms in free space couple through the field they share: coherently, :math:`J_{ij}`, and by decay,
:math:`\Gamma_{ij}`. ``wf.emitters.free_space`` gives both matrices for any positions and any polarisation. Closer than
half a wavelength, an inverted array emits a burst; what is left afterwards decays slowly.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

M = 16
positions = np.zeros((M, 3))
positions[:, 2] = 0.1 * np.arange(M)  # in wavelengths, along z
J, Gamma = wf.emitters.free_space(positions, dipole=[1, 0, 0], wavelength=1.0)
atoms = wf.Spin(name="atom", count=M)
model = wf.Model(
    wf.couple(atoms.sp, J, atoms.sm), [wf.Jump(atoms.sm, Gamma)], initial={atoms: wf.up}
)

# %%
# The rate of photons is :math:`\sum_{ij}\Gamma_{ij}\langle\sigma^+_i\sigma^-_j\rangle`; independent atoms would give
# :math:`M e^{-t}`.
t = np.linspace(0, 3, 61)
e_ops = {
    "photons": wf.couple(atoms.sp, Gamma, atoms.sm) / M,
    "excited": (1 + atoms.sz.sum() / M) / 2,
}
twa = wf.solve(model, t, e_ops=e_ops, ntraj=8000, seed=9)
cumulant = wf.solve(model, t, e_ops=e_ops, method="cumulant")
print(twa)

# %%
fig, ax = plt.subplots()
ax.errorbar(t, twa.expect["photons"], twa.sem["photons"], fmt=".", label="TWA")
ax.plot(t, cumulant.expect["photons"], label="second-order cumulants")
ax.plot(t, np.exp(-t), ":", color="0.5", label="independent atoms")
ax.set(
    xlabel=r"time $\Gamma_0 t$",
    ylabel="photons per atom and $1/\\Gamma_0$",
    yscale="log",
    ylim=(1e-2, 3),
)
ax.legend()
plt.show()
