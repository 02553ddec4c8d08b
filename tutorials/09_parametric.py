r"""
A parametric oscillator squeezes light
======================================

Below threshold, :math:`H = \tfrac{i\epsilon}2(a^{\dagger2} - a^2)` with loss :math:`\kappa` is linear: the truncated
Wigner approximation is exact, and the error bar is all there is. The quadrature
:math:`p = -i(a - a^\dagger)`, of variance one in the vacuum, is squeezed to
:math:`\langle p^2\rangle = 1/(1 + 2\epsilon/\kappa)`; :math:`x = a + a^\dagger` is stretched to
:math:`1/(1 - 2\epsilon/\kappa)`.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import wignerflow as wf

kappa = 1.0
a = wf.Mode(name="a")
x, p = a.a + a.adag, -1j * (a.a - a.adag)
t = np.linspace(0, 12, 61)
fig, ax = plt.subplots()
for k, eps in enumerate((0.1, 0.25, 0.4)):
    H = 0.5j * eps * (a.adag * a.adag - a.a * a.a)
    model = wf.Model(H, [wf.Jump(a.a, kappa)], initial={a: wf.vacuum})
    result = wf.solve(model, t, e_ops={"x²": x * x, "p²": p * p}, ntraj=20_000, seed=12)
    ax.errorbar(
        t, result.expect["p²"], result.sem["p²"], fmt=".", color=f"C{k}", label=f"ε = {eps} κ"
    )
    ax.axhline(1 / (1 + 2 * eps / kappa), color=f"C{k}", lw=0.8, ls="--")
    end, sem = result.expect["p²"][-1], result.sem["p²"][-1]
    print(f"ε = {eps}: ⟨p²⟩ = {end:.4f} ± {sem:.4f}, formula {1 / (1 + 2 * eps / kappa):.4f}")
ax.set(xlabel=r"time $\kappa t$", ylabel=r"$\langle p^2\rangle$ (vacuum: 1)")
ax.legend()
plt.show()
