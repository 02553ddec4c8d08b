r"""
One-axis twisting
=================

A spin that starts along x shears under :math:`J_z^2`; its length shrinks as the state wraps around the sphere. M. Kitagawa
and M. Ueda, Phys. Rev. A 47, 5138 (1993).
"""

import numpy as np

import wignerflow as wf


def model_of(twist, dephasing):
    atoms = wf.Ensemble(12, name="atoms")
    jumps = [wf.LocalJump(atoms.sz, rate=dephasing)]
    model = wf.Model(
        twist / 12 * atoms.Jz * atoms.Jz, jumps, initial={atoms: wf.bloch(np.pi / 2, 0)}
    )
    return model, {"length / N": atoms.Jx / 12, "Jy^2 / N": atoms.Jy * atoms.Jy / 12}


model, e_ops = model_of(1.0, 0.02)
result = wf.solve(model, np.linspace(0, 5, 51), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("twisting.png")
result.to_html(
    "twisting.html",
    model_of=model_of,
    title="One-axis twisting",
    sliders={"twist": (0.2, 2.0, 1.0), "dephasing": (0.005, 0.1, 0.02)},
)
