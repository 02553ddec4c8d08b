r"""
Pump and decay of one emitter, N times
======================================

Every emitter is pumped and decays on its own: the inversion relaxes to (pump - decay)/(pump + decay), whatever N is.
"""

import numpy as np

import wignerflow as wf


def model_of(pump, decay):
    atoms = wf.Ensemble(50, name="atoms")
    jumps = [wf.LocalJump(atoms.sp, rate=pump), wf.LocalJump(atoms.sm, rate=decay)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.down})
    return model, {"inversion": 2 * atoms.Jz / 50}


model, e_ops = model_of(1.0, 0.5)
result = wf.solve(model, np.linspace(0, 5, 51), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("pumped.png")
result.to_html(
    "pumped.html",
    model_of=model_of,
    title="Pump and decay of one emitter, N times",
    sliders={"pump": (0.2, 3.0, 1.0), "decay": (0.2, 3.0, 0.5)},
)
