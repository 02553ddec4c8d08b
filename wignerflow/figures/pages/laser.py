r"""
A superradiant laser
====================

Emitters pumped one by one decay together into a bad cavity: steady superradiance between the thresholds of the pump.
D. Meiser, J. Ye, D. R. Carlson and M. J. Holland, Phys. Rev. Lett. 102, 163601 (2009).
"""

import numpy as np

import wignerflow as wf


def model_of(N, pump):
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1 / N), wf.LocalJump(atoms.sp, rate=pump)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"emission / N^2": atoms.Jp * atoms.Jm / N**2, "inversion / N": atoms.Jz / N}


model, e_ops = model_of(20, 0.3)
result = wf.solve(model, np.linspace(0, 15, 61), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("laser.png")
result.to_html(
    "laser.html",
    model_of=model_of,
    title="A superradiant laser",
    sliders={"N": (10, 40, 20), "pump": (0.1, 0.8, 0.3)},
)
