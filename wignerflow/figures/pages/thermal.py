r"""
A mode that warms up
====================

A mode in contact with a bath of n quanta relaxes to n, from a coherent state, while its amplitude decays at half the rate.
"""

import numpy as np

import wignerflow as wf


def model_of(rate, n):
    mode = wf.Mode(name="mode")
    jumps = [wf.Jump(mode.a, rate=rate * (n + 1)), wf.Jump(mode.adag, rate=rate * n)]
    model = wf.Model(jumps=jumps, initial={mode: wf.coherent(2.0)})
    return model, {"quanta": mode.n, "amplitude": 0.5 * (mode.a + mode.adag)}


model, e_ops = model_of(1.0, 1.0)
result = wf.solve(model, np.linspace(0, 6, 61), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("thermal.png")
result.to_html(
    "thermal.html",
    model_of=model_of,
    title="A mode that warms up",
    sliders={"rate": (0.3, 2.0, 1.0), "n": (0.1, 3.0, 1.0)},
)
