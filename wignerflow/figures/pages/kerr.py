r"""
A driven Kerr resonator
=======================

A mode with a Kerr shift, driven off resonance: two branches for some drives. P. D. Drummond and D. F. Walls, J. Phys. A
13, 725 (1980).
"""

import numpy as np

import wignerflow as wf


def model_of(drive, detuning):
    mode = wf.Mode(name="mode", cutoff=30)
    H = -detuning * mode.n + 0.1 * mode.adag**2 * mode.a**2 + drive * (mode.a + mode.adag)
    model = wf.Model(H, [wf.Jump(mode.a, rate=1.0)], initial={mode: wf.vacuum})
    return model, {"photons": mode.n}


model, e_ops = model_of(1.5, 1.0)
result = wf.solve(model, np.linspace(0, 12, 61), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("kerr.png")
result.to_html(
    "kerr.html",
    model_of=model_of,
    title="A driven Kerr resonator",
    sliders={"drive": (0.5, 2.0, 1.5), "detuning": (0.2, 1.5, 1.0)},
    reference=None,
)
