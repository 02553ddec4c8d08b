r"""
Synchronisation: two ensembles find one phase
=============================================

Two ensembles of emitters, A and B, whose frequencies differ by :math:`\delta`, are pumped one by one and share one decay:

.. math:: \dot\rho = -i\tfrac{\delta}{2}[J^z_A - J^z_B, \rho] + \Gamma\,\mathcal D[J^-_A + J^-_B]\rho
          + w\sum_n \mathcal D[\sigma^+_n]\rho .

Each alone is a superradiant laser with a phase of its own. Through the common decay they lock as long as the detuning
is below about the pump rate: M. Xu, D. A. Tieri, E. C. Fine, J. K. Thompson and M. J. Holland, Phys. Rev. Lett. 113,
154101 (2014). The phases themselves are random; what is left in the mean is their difference, in
:math:`g^{(1)}_{AB} = \langle J^+_A J^-_B\rangle / \sqrt{\langle J^+_AJ^-_A\rangle\langle J^+_BJ^-_B\rangle}`.
"""

# %%
# ``count=2`` makes an array of two ensembles, ``wf.Coherence`` their normalised coherence.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf


def pair_of(N, detuning):
    """Two ensembles of N; the pump is half of N Γ, and the detuning in units of it."""
    w = N / 2
    pair = wf.Ensemble(N, count=2, name="pair")
    model = wf.Model(
        H=(np.array([0.5, -0.5]) * detuning * w * pair.Jz).sum(),
        jumps=[wf.Jump(pair.Jm.sum(), rate=1.0), wf.LocalJump(pair.sp, rate=w)],
        initial={pair: wf.up},
    )
    return model, {"g1": wf.Coherence(pair.Jm, pairs=[(0, 1)])}, np.linspace(0, 40 / w, 3)


def locking(N, detunings, method, **options):
    """The coherence at the end, when it is steady, and its standard error."""
    found = []
    for detuning in detunings:
        model, e_ops, times = pair_of(N, detuning)
        run = wf.solve(
            model, times, e_ops=e_ops, method=method, truncation=False, progress=False, **options
        )
        found.append((run.expect["g1"][-1, 0], abs(run.sem["g1"][-1, 0]) if run.ntraj else 0.0))
    return np.transpose(found)


# %%
# Five emitters each can be solved exactly, which says more than an estimate of the truncation. For a hundred each there are
# second-order cumulants beside.
few = np.linspace(0.0, 3.0, 7)
many = np.linspace(0.0, 3.0, 9)
fig, (left, right) = plt.subplots(1, 2, sharey=True, layout="constrained", figsize=(9, 3.8))
for ax, N, detunings, method in ((left, 5, few, "exact"), (right, 100, many, "cumulant")):
    value, error = locking(N, detunings, "twa", ntraj=2048, seed=4)
    ax.errorbar(detunings, abs(value), error.real, fmt="o", label="TWA")
    behind = locking(N, detunings, method)[0]
    ax.plot(
        detunings, abs(behind), "k--", lw=1, label={"cumulant": "cumulants"}.get(method, method)
    )
    ax.plot(
        detunings, -np.angle(behind) / np.pi, ":", color="0.5", label=r"phase difference $/\pi$"
    )
    ax.set(xlabel=r"detuning $\delta/w$", title=f"{N} emitters each")
    print(f"N = {N}: |g1| = {abs(value[1]):.3f} ± {error[1].real:.3f} at δ = {detunings[1]:.2f} w")
left.set_ylabel(r"$|g^{(1)}_{AB}|$")
left.legend(loc="upper right")
right.legend(loc="center right", bbox_to_anchor=(1, 0.38))
plt.show()

# %%
# At small detunings the two emit with one phase, shifted by a lag that grows with the detuning. Beyond the pump rate
# each goes its own way. A live page of the same model is in the :doc:`gallery </gallery/live/synchronised>`.
