r"""
A parametric oscillator below threshold
=======================================

Pairs of photons are driven into a lossy mode: its noise is squeezed, and the number of photons grows towards the
threshold at drive = 1/2.
"""

import numpy as np

import wignerflow as wf


def model_of(drive, loss):
    mode = wf.Mode(name="mode", cutoff=40)
    H = 0.5j * drive * (mode.adag**2 - mode.a**2)
    model = wf.Model(H, [wf.Jump(mode.a, rate=loss)], initial={mode: wf.vacuum})
    return model, {"photons": mode.n, "squeezed q^2": -0.25 * (mode.a - mode.adag) ** 2}


model, e_ops = model_of(0.3, 1.0)
result = wf.solve(model, np.linspace(0, 10, 51), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("parametric.png")
result.to_html(
    "parametric.html",
    model_of=model_of,
    title="A parametric oscillator below threshold",
    sliders={"drive": (0.05, 0.4, 0.3), "loss": (0.9, 2.0, 1.0)},
)
