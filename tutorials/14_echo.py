r"""
Ramsey fringes and spin echo
============================

Two pulses of :math:`\pi/2` turn a phase into an inversion. Atoms of different frequencies lose their common phase between
them, and a pulse of :math:`\pi` half-way brings it back; what is lost by dephasing of every atom stays lost. Pulses are
instantaneous here, ``wf.pulse(t, op, angle)``: :math:`\rho \to e^{-i\,\mathrm{angle}\,\mathrm{op}}\rho\,e^{+i\,\mathrm{angle}\,\mathrm{op}}`.
"""

# %%
# Twenty groups of 500 atoms, whose frequencies have a normal distribution, and a weak common decay.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

M, N, width, dephasing, decay = 20, 500, 2.0, 0.05, 2e-5
detunings = width * np.linspace(-2.5, 2.5, M)
weights = np.exp(-((detunings / width) ** 2) / 2)
numbers = np.round(M * N * weights / weights.sum()).astype(int)


def ramsey(T, echo):
    """The inversion after a Ramsey sequence of length T, per atom."""
    atoms = wf.Ensemble(numbers, count=M, name="atoms")
    Jx, Jy = atoms.Jx.sum(), atoms.Jy.sum()
    pulses = [wf.pulse(0.0, Jx, np.pi / 2), wf.pulse(T, Jx, np.pi / 2)]
    if echo:
        pulses.append(wf.pulse(T / 2, Jy, np.pi))
    model = wf.Model(
        H=(detunings * atoms.Jz).sum(),
        jumps=[wf.Jump(atoms.Jm.sum(), decay), wf.LocalJump(atoms.sz, dephasing)],
        initial={atoms: wf.down},
        pulses=pulses,
    )
    return model, {"inversion": 2 * atoms.Jz.sum() / int(numbers.sum())}


# %%
# Every length is a run of its own; outputs are after the pulses at their time.
lengths = np.linspace(0.05, 3.0, 15)
fig, ax = plt.subplots()
for echo, colour in ((False, "C0"), (True, "C1")):
    found = []
    for T in lengths:
        model, e_ops = ramsey(T, echo)
        run = wf.solve(model, [0.0, T], e_ops=e_ops, ntraj=512, seed=3, dt=T / 20, progress=False)
        found.append((run.expect["inversion"][-1], run.sem["inversion"][-1]))
    mean, sem = np.transpose(found)
    print(f"echo {echo!s:5}: inversion {mean[-1]:.3f} ± {sem[-1]:.3f} after the longest sequence")
    label = "with a pulse of π half-way" if echo else "two pulses"
    ax.errorbar(lengths, mean, sem, fmt="o", color=colour, label=label)
ax.plot(
    lengths, np.exp(-2 * dephasing * lengths), "k--", lw=1, label="dephasing of single atoms alone"
)
ax.set(
    xlabel="time between the first and last pulse", ylabel="inversion per atom", ylim=(-0.35, 1.05)
)
ax.legend()
plt.show()

# %%
# A trajectory is turned by a pulse at once and exactly, whatever its size, so no step has to resolve it. The same model with
# ``method="exact"`` (for few atoms), ``"cumulant"`` or ``"mean-field"`` has the same pulses: see :doc:`/pulses`.
