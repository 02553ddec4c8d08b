r"""
Two ensembles that synchronise
==============================

Two pumped ensembles of different frequencies share one decay channel. For a small detuning they lock, and emit with one
phase. M. Xu et al., Phys. Rev. Lett. 113, 154101 (2014).
"""

import numpy as np

import wignerflow as wf


def model_of(detuning, pump):
    one, two = wf.Ensemble(50, name="one"), wf.Ensemble(50, name="two")
    H = 0.5 * detuning * (one.Jz - two.Jz)
    jumps = [
        wf.Jump(one.Jm + two.Jm, rate=0.02),
        wf.LocalJump(one.sp, pump),
        wf.LocalJump(two.sp, pump),
    ]
    model = wf.Model(H, jumps, initial={one: wf.up, two: wf.up})
    return model, {
        "emission": one.Jp * one.Jm / 2500,
        "locking": 0.5 * (one.Jp * two.Jm + two.Jp * one.Jm) / 2500,
    }


model, e_ops = model_of(0.5, 0.5)
result = wf.solve(model, np.linspace(0, 15, 76), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("synchronised.png")
result.to_html(
    "synchronised.html",
    model_of=model_of,
    title="Two ensembles that synchronise",
    sliders={"detuning": (0.05, 3.0, 0.5), "pump": (0.2, 1.2, 0.5)},
    reference=None,
)
