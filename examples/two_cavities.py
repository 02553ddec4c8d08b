"""
Two cavities, three ensembles and a pulse
=========================================

Two coupled cavities, three ensembles and a drive pulse: derived, printed, solved, compared.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf

cavities = wf.Mode(name="cavity", count=2)
atoms = wf.Ensemble([60, 40, 20], name="atoms", count=3)
left, right = cavities[0], cavities[1]
G = np.array([[0.20, 0.05], [0.15, 0.15], [0.05, 0.25]])  # ensemble by cavity
pulse = wf.coef(lambda t: 8 * np.exp(-(((t - 2) / 0.7) ** 2)))

exchange = 0.5 * left.adag * right.a
for c in range(2):
    exchange = exchange + cavities[c].adag * (G[:, c] * atoms.Jm).sum()
drive = pulse * (left.a + left.adag)
model = wf.Model(
    H=exchange + exchange.dag() + drive + (np.array([0.3, 0.0, -0.3]) * atoms.Jz).sum(),
    jumps=[wf.Jump(cavities.a, rate=[1.0, 0.5]), wf.LocalJump(atoms.sm, rate=0.1)],
    initial={cavities: wf.vacuum, atoms: wf.down},
)
print(model, model.latex(), model.equations(), sep="\n\n")

t = np.linspace(0, 12, 61 if "--quick" in sys.argv else 241)
e_ops = {"left photons": left.n, "right photons": right.n, "excited": atoms.Jz.sum() + 60}
methods = ["twa", "cumulant", "mean-field"]
result = wf.compare(model, t, e_ops=e_ops, methods=methods, ntraj=2000, seed=1, dt=0.01)
print(result)
print(result["twa"])
result.plot()[0, 0].figure.savefig("two_cavities.png")
