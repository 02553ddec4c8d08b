"""Accuracy of the superradiant laser (ruks-2a) against the exact solution."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import wignerflow as wf

from ..figures.ruks import laser
from ..figures.ruks_2a import PUMP, REQUIRED
from .report import Entry, Section

NTRAJ = {10: 1_000_000, 25: 1_000_000, 100: 2_000_000}
#: N Gamma dt, so small that the step error is a few per cent of the deviation.
STEP = 0.0125


def section(quick: bool) -> Section:
    """Largest deviations over N Gamma t from 0 to 20, with standard errors."""
    entries = []
    scaled = np.linspace(0, 20, 201)
    for N, count in NTRAJ.items():
        atoms, model = laser(N, PUMP * N)
        e_ops = {"emission": atoms.Jp * atoms.Jm / N**2, "inversion": atoms.Jz / N}
        options: dict[str, Any] = {"e_ops": e_ops, "progress": False}
        ntraj = count // 20 if quick else count
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            twa = wf.solve(model, scaled / N, ntraj=ntraj, seed=7, dt=STEP / N, **options)
        exact = wf.solve(model, scaled / N, method="exact", **options)
        for quantity, symbol in (("emission", "⟨J⁺J⁻⟩/N²"), ("inversion", "⟨Jz⟩/N")):
            change = np.abs(twa.expect[quantity] - exact.expect[quantity])
            k = int(np.argmax(change))
            entries.append(
                Entry(
                    f"{quantity}_N{N}",
                    f"{symbol}, N = {N}",
                    float(change[k]),
                    sem=float(twa.sem[quantity][k]),
                    at_most=REQUIRED[N] if quantity == "emission" else None,
                )
            )
    counts = " / ".join(f"{(n // 20 if quick else n):.0e}" for n in NTRAJ.values())
    return Section(
        "Largest deviation from exact, superradiant laser",
        entries,
        f"TWA, all up, pump 0.25 N Gamma, NΓt from 0 to 20; {counts} trajectories, NΓdt = {STEP}.",
    )
