r"""
Emitters and a cavity
=====================

Excited emitters hand their energy to a cavity and take it back: collective Rabi oscillations, damped by the cavity's loss.
M. Tavis and F. W. Cummings, Phys. Rev. 170, 379 (1968).
"""

import numpy as np

import wignerflow as wf


def model_of(coupling, loss):
    atoms, cavity = wf.Ensemble(100, name="atoms"), wf.Mode(name="cavity")
    H = coupling / 10 * (cavity.a * atoms.Jp + cavity.adag * atoms.Jm)
    model = wf.Model(H, [wf.Jump(cavity.a, rate=loss)], initial={atoms: wf.up, cavity: wf.vacuum})
    return model, {"photons / N": cavity.n / 100, "inversion / N": atoms.Jz / 100}


model, e_ops = model_of(1.0, 0.5)
result = wf.solve(model, np.linspace(0, 15, 76), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("tavis_cummings.png")
result.to_html(
    "tavis_cummings.html",
    model_of=model_of,
    title="Emitters and a cavity",
    sliders={"coupling": (0.5, 2.0, 1.0), "loss": (0.2, 2.0, 0.5)},
    reference=None,
)
