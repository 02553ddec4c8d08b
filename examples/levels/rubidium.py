"""
Superradiance on the line J = 1/2 to J' = 3/2
=============================================

Six Zeeman states, as on the D2 line of rubidium without its nuclear spin. Each polarisation of light
has a collective jump with Clebsch-Gordan coefficients (``wf.zeeman``)::

    A_q = sum_m <1/2 m; 1 q | 3/2 m+q> |g, m><e, m+q|,       q = -1, 0, +1.

All atoms start in e+1/2, where the weights of pi and sigma+ light are 2/3 and 1/3: the two compete, and
the stronger one takes more than its weight. Every atom also decays by itself, at a tenth of what the
N atoms do together. Six levels reach many elements of the exact solution, so that N is 5 here;
errors of so few atoms are large (the final share of g+1/2 is 0.08 off for N = 3).

`python rubidium.py [--quick]` writes rubidium.png and prints a table.

It takes a minute and a half of one core, so this page does not run it: the picture is one that it made.

.. image:: /img/rubidium.png
   :alt: Emitted pi and sigma light and ground state population of five atoms, trajectories beside the exact solution
"""

# sphinx_gallery_thumbnail_path = 'img/rubidium.png'
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np

import wignerflow as wf
from wignerflow.plot import compare_plot

QUICK = "--quick" in sys.argv
ntraj = 1_000 if QUICK else 20_000
scaled = np.linspace(0, 10, 21)  # N t


def problem(N):
    """Collective decay at the rate 1 per polarisation, local decay at 0.1 N."""
    rb = wf.zeeman(1 / 2, 3 / 2, N, name="rubidium")
    jumps = [wf.Jump(rb.emission(q), rate=1.0) for q in (-1, 0, 1)]
    jumps += [wf.LocalJump(rb.emission_one(q), rate=0.1 * N) for q in (-1, 0, 1)]
    model = wf.Model(jumps=jumps, initial={rb.atoms: wf.level("e+1/2")})
    light = {
        name: rb.emission(q).dag() * rb.emission(q) / N**2
        for name, q in (("π light / N²", 0), ("σ+ light / N²", 1))
    }
    return model, {**light, "in g+1/2 / N": rb.atoms.pop("g+1/2") / N}


N = 3 if QUICK else 5
model, e_ops = problem(N)
results = {
    "TWA": wf.solve(model, scaled / N, e_ops=e_ops, ntraj=ntraj, seed=1),
    "exact": wf.solve(model, scaled / N, e_ops=e_ops, method="exact"),
}
axes = compare_plot(results, reference="exact", xlabel="t Γ")
axes[0, 0].figure.savefig("rubidium.png")
print(results["TWA"])
print(
    wf.certify(
        problem, lambda N: scaled / N, N=1000, small=(2, 3) if QUICK else (2, 3, 4, 5),
        small_ntraj=2 * ntraj, progress=False,
    )
)  # fmt: skip
