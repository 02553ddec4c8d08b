r"""
How far to trust a result
=========================

Three errors add up: sampling, the step, and the method's own. The first is the error bar; the second can be made as
small as one likes; the third is what a comparison with an exact solution shows. ``wf.certify`` makes that comparison at
sizes where it is cheap, and carries it on to the size you want.
"""

# %%
import numpy as np

import wignerflow as wf


def laser(N):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=0.25 * N)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"emission": atoms.Jp * atoms.Jm / N**2}


def times(N):
    return np.linspace(0, 20 / N, 41)


# %%
# A smaller error bar costs trajectories: a hundred times as many for a tenth of the error.
for ntraj in (100, 10_000):
    model, e_ops = laser(50)
    result = wf.solve(model, times(50), e_ops=e_ops, ntraj=ntraj, seed=15)
    print(
        f"{ntraj:6d} trajectories: {result.expect['emission'][20]:.4f} ± {result.sem['emission'][20]:.4f}"
    )
exact = wf.solve(model, times(50), e_ops=e_ops, method="exact")
print(f"exact: {exact.expect['emission'][20]:.4f}")

# %%
# Several methods at once, each with its deviation from the exact solution.
comparison = wf.compare(model, times(50), e_ops=e_ops, ntraj=10_000, seed=15)
print(comparison)
comparison.plot()
