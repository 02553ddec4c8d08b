r"""
A boundary time crystal
=======================

A driven spin with collective decay comes to rest below the critical drive, and oscillates above it, the longer the larger
it is. F. Iemini et al., Phys. Rev. Lett. 121, 035301 (2018).
"""

import numpy as np

import wignerflow as wf


def model_of(N, drive):
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=2 / N)]
    model = wf.Model(drive * atoms.Jx, jumps, initial={atoms: wf.down})
    return model, {"Jz / N": atoms.Jz / N, "Jy / N": atoms.Jy / N}


model, e_ops = model_of(40, 1.5)
result = wf.solve(model, np.linspace(0, 20, 101), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("time_crystal.png")
result.to_html(
    "time_crystal.html",
    model_of=model_of,
    title="A boundary time crystal",
    sliders={"N": (20, 80, 40), "drive": (0.5, 2.5, 1.5)},
    reference=None,
)
