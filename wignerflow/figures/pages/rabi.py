r"""
Rabi oscillations that dephase
==============================

A resonant drive turns the emitters; dephasing of each on its own lets the oscillation fade to half of them excited. Here
the truncated Wigner approximation is exact for means.
"""

import numpy as np

import wignerflow as wf


def model_of(drive, dephasing):
    atoms = wf.Ensemble(100, name="atoms")
    jumps = [wf.LocalJump(atoms.sz, rate=dephasing)]
    model = wf.Model(drive * atoms.Jx, jumps, initial={atoms: wf.down})
    return model, {"excited": atoms.Jz / 100 + 0.5, "coherence": atoms.Jy / 100}


model, e_ops = model_of(2.0, 0.1)
result = wf.solve(model, np.linspace(0, 10, 101), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("rabi.png")
result.to_html(
    "rabi.html",
    model_of=model_of,
    title="Rabi oscillations that dephase",
    sliders={"drive": (0.5, 4.0, 2.0), "dephasing": (0.02, 0.5, 0.1)},
)
