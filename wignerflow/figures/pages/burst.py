r"""
A superradiant burst
====================

Emitters that start excited and share one decay channel emit a burst whose height grows as :math:`N^2`; decay of each on
its own, at the rate ``alone``, ends it. Behind: the exact solution. R. H. Dicke, Phys. Rev. 93, 99 (1954).
"""

import numpy as np

import wignerflow as wf


def model_of(N, alone):
    atoms = wf.Ensemble(int(N), name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1 / N), wf.LocalJump(atoms.sm, rate=alone)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"emission / N^2": atoms.Jp * atoms.Jm / N**2, "inversion / N": atoms.Jz / N}


model, e_ops = model_of(20, 0.05)
result = wf.solve(model, np.linspace(0, 8, 81), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("burst.png")
result.to_html(
    "burst.html",
    model_of=model_of,
    title="A superradiant burst",
    sliders={"N": (8, 30, 20), "alone": (0.01, 0.5, 0.05)},
)
