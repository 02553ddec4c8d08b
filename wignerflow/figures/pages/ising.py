r"""
A ring of spins in a transverse field
=====================================

Spins on a ring start down and turn in a field across the axis of their coupling, with decay of each.
"""

import numpy as np

import wignerflow as wf


def model_of(coupling, field):
    ring = wf.Spin(name="ring", count=8)
    chain = wf.NearestNeighbour(periodic=True)
    H = -0.25 * coupling * wf.couple(ring.sz, chain, ring.sz) + 0.5 * field * ring.sx.sum()
    model = wf.Model(H, [wf.Jump(ring.sm, rate=0.2)], initial={ring: wf.down})
    return model, {"magnetisation": ring.sz.sum() / 8}


model, e_ops = model_of(0.5, 1.0)
result = wf.solve(model, np.linspace(0, 10, 51), e_ops=e_ops, ntraj=2000, seed=1)
print(result)
np.ravel(result.plot())[0].figure.savefig("ising.png")
result.to_html(
    "ising.html",
    model_of=model_of,
    title="A ring of spins in a transverse field",
    sliders={"coupling": (0.1, 1.0, 0.5), "field": (0.3, 2.0, 1.0)},
    reference=None,
)
