r"""
Many levels: a cascade of superradiant bursts
=============================================

Emitters with three levels, f above e above g, that all start in f. Both transitions are collective,

.. math:: \dot\rho = \Gamma_1\,\mathcal D\Big[\sum_n |e\rangle\langle f|_n\Big]\rho
          + \Gamma_2\,\mathcal D\Big[\sum_n |g\rangle\langle e|_n\Big]\rho ,

so that a first burst fills e, and a second empties it. ``wf.Levels`` has any number of levels up to eight; its
trajectories are one Hermitian matrix each, whatever the number of emitters.
"""

# %%
# ``op(a, b)`` is :math:`\sum_n|a\rangle\langle b|_n` and ``pop(a)`` the number of emitters in a.
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf


def cascade(N, ratio=0.5):
    atoms = wf.Levels(N, ["g", "e", "f"], name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.op("e", "f"), 1.0), wf.Jump(atoms.op("g", "e"), ratio)],
        initial={atoms: wf.level("f")},
    )
    light = {"first": ("e", "f", 1.0), "second": ("g", "e", ratio)}
    e_ops = {k: r * atoms.op(b, a) * atoms.op(a, b) / N**2 for k, (a, b, r) in light.items()}
    return model, e_ops | {f"in {x}": atoms.pop(x) / N for x in "gef"}


# %%
# Ten emitters have an exact solution: of the :math:`3^{10}` states those that exchange of emitters leaves alone.
N = 10
t = np.linspace(0, 20, 41) / N
model, e_ops = cascade(N)
twa = wf.solve(model, t, e_ops=e_ops, ntraj=4096, seed=1, progress=False)
exact = wf.solve(model, t, e_ops=e_ops, method="exact", progress=False)
print(twa)

fig, axes = plt.subplots(1, 2, layout="constrained", figsize=(9, 3.8))
for ax, names in ((axes[0], ("first", "second")), (axes[1], ("in f", "in e", "in g"))):
    for k, name in enumerate(names):
        ax.errorbar(
            N * t, twa.expect[name], twa.sem[name], fmt="o", ms=3, color=f"C{k}", label=name
        )
        ax.plot(N * t, exact.expect[name], "k--", lw=1)
    ax.set(xlabel=r"time $N\Gamma_1t$")
    ax.legend()
axes[0].set(ylabel="emission $/N^2$", title=f"N = {N}, dashed: exact")
axes[1].set(ylabel="share of the emitters")
plt.show()

# %%
# For ten thousand a trajectory costs the same, and the second burst comes apart from the first: the delays grow as ln N.
fig, ax = plt.subplots()
for k, N in enumerate((100, 10_000)):
    model, e_ops = cascade(N)
    scaled = np.linspace(0, 40, 81)
    run = wf.solve(model, scaled / N, e_ops=e_ops, ntraj=512, seed=2, progress=False)
    for name, style in (("first", "-"), ("second", "--")):
        ax.plot(scaled, run.expect[name], style, color=f"C{k}", label=f"{name}, N = {N}")
        low, high = (run.expect[name] + s * run.sem[name] for s in (-1, 1))
        ax.fill_between(scaled, low, high, color=f"C{k}", alpha=0.3, lw=0)
ax.set(xlabel=r"time $N\Gamma_1t$", ylabel="emission $/N^2$")
ax.legend()
plt.show()

# %%
# How far to trust them, level by level: :doc:`/levels`. Pumped three-level lasers, Raman lasers and spinor gases are in
# the :doc:`gallery </gallery/examples/index>`.
