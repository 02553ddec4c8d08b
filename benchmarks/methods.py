"""How far both forms of single spins and second-order cumulants are off: tables of docs/methods.md.

    python benchmarks/methods.py            print both tables
    python benchmarks/methods.py --write    put them into docs/methods.md, between their marks

Every number is a largest difference from ``method="exact"`` over the output times, or one between
steady states. About a minute of one core.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from pages import command

import wignerflow as wf
from wignerflow.figures import hosseinabadi as paper
from wignerflow.figures import hosseinabadi_3, hosseinabadi_4, hosseinabadi_5
from wignerflow.figures.ruks import laser
from wignerflow.figures.ruks_2a import PUMP

PAGE = "docs/methods.md"

# ---------------------------------------------------------------- forms of single spins

#: Drive and decay of a column; the spin starts down where it is driven, up where it is not.
SPINS = ((1.0, 0.1), (1.0, 0.5), (1.0, 1.0), (1.0, 2.0), (0.0, 1.0))
FORMS = {"length-conserving": wf.SpinTWA(), "Bloch": wf.TWA(spin_form="bloch")}
SAMPLING: dict[str, Any] = {"ntraj": 200_000, "seed": 7, "dt": 0.01}


def means(model: wf.Model, times: Any, op: Any, method: Any, **options: Any) -> list[Any]:
    """A mean over time: by a method, and exact."""
    return [
        wf.solve(model, times, e_ops={"x": op}, method=m, progress=False, **o).expect["x"].real
        for m, o in ((method, options), ("exact", {}))
    ]


def largest(*arguments: Any, **options: Any) -> float:
    """Largest deviation of that mean from the exact one."""
    found, exact = means(*arguments, **options)
    return float(np.abs(found - exact).max())


def spins() -> str:
    """Inversion of one spin until t = 10."""
    heads = ("", "Ω = 1: γ = 0.1", "0.5", "1", "2", "Ω = 0: γ = 1, from up")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    times = np.linspace(0, 10, 101)
    for name, method in FORMS.items():
        cells = [name]
        for drive, decay in SPINS:
            z, model = paper.driven_spin(drive, decay, 0.0)
            cells.append(f"{largest(model, times, z, method, **SAMPLING):.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


# ---------------------------------------------------------------- second-order cumulants


def steady(model: wf.Model, op: Any) -> tuple[float, float]:
    """A mean in the steady state: by cumulants, and exact."""
    found, exact = (
        float(wf.steady_state(model, {"x": op}, method).expect["x"])
        for method in ("cumulant", "exact")
    )
    return found, exact


def emission() -> str:
    out = []
    for N in (10, 25, 100, 1000):
        atoms, model = laser(N, PUMP * N)
        op = atoms.Jp * atoms.Jm / N**2
        out.append(f"{largest(model, np.linspace(0, 20 / N, 401), op, 'cumulant'):.3f}")
    return ", ".join(out) + " (in the burst)"


def steady_emission() -> str:
    out = []
    for N in (10, 25, 50, 100):
        atoms, model = laser(N, PUMP * N)
        found, exact = steady(model, atoms.Jp * atoms.Jm)
        out.append(f"{100 * (found / exact - 1):+.1f} %")
    return ", ".join(out)


def photons(N: int) -> tuple[str, str]:
    """Per emitter, with the rates of hosseinabadi-3: over time, and steady."""
    mode, model = paper.tavis_cummings(N, **hosseinabadi_3.PARAMETERS[15], together=True)
    found, exact = steady(model, mode.n / N)
    change = largest(model, np.linspace(0, 15, 301), mode.n / N, "cumulant")
    return f"{change:.3f}", f"{found:.3g} for {exact:.3g}"


def population() -> str:
    spin, model = paper.central_spin(30, **hosseinabadi_4.PARAMETERS, together=True)
    op = spin.sp * spin.sm
    found, exact = steady(model, op)
    change = largest(model, np.linspace(0, 5, 301), op, "cumulant")
    return f"{change:.2f}; steady state {found:.3g} for {exact:.3g}"


def burst() -> tuple[float, float]:
    """Emission of an inverted chain: its peak, and the largest deviation."""
    chain, Gamma, model = paper.chain(8, 0.1, 0.0, wf.up)
    op = wf.couple(chain.sp, Gamma, chain.sm)
    found, exact = means(model, np.linspace(0, 3, 301), op, "cumulant")
    return float(exact.max()), float(np.abs(found - exact).max())


def driven_chain() -> str:
    chain, _, model = paper.chain(8, 0.1, 2.0, wf.down)
    op = chain.sz.sum() / 8
    return f"{largest(model, np.linspace(0, 10, 201), op, 'cumulant'):.3f}"


def ring() -> str:
    z, model = paper.rydberg_ring(7, Omega=0.5, **hosseinabadi_5.RATES)
    return f"{largest(model, np.linspace(0, 20, 401), z.sum() / 7, 'cumulant'):.3f}"


def cumulants() -> str:
    """Deviations of second-order cumulants, a line a model."""
    peak, change = burst()
    light = "; steady state ".join(photons(8))
    rows = (
        ("superradiant laser, pump 0.25 NΓ, N = 10, 25, 100, 1000: ⟨J⁺J⁻⟩/N²", emission()),
        ("the same in the steady state, N = 10, 25, 50, 100", steady_emission()),
        ("Tavis-Cummings laser of Hosseinabadi et al., N = 8: photons per emitter", light),
        ("the same, N = 15: steady state", photons(15)[1]),
        ("central spin, N = 30: population", population()),
        (
            f"chain of 8 atoms at λ/10 in free space, all up: emission (peak {peak:.1f} Γ)",
            f"{change:.2f} Γ; its subradiant tail decays too fast",
        ),
        ("the same, driven with Ω = 2 Γ from below: ⟨σ^z⟩ until Γt = 10", driven_chain()),
        ("driven Rydberg ring of 7, Ω = J/2, decay and dephasing 0.1 J: ⟨σ^z⟩", ring()),
    )
    return "\n".join(["| model | deviation |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    command(__doc__, PAGE, {"spin forms": spins, "cumulants": cumulants})
