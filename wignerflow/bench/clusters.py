"""Clusters of 1, 2 and 3 spins on four small models, next to the exact solution."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

import wignerflow as wf

from .report import Entry, Section

if TYPE_CHECKING:
    from ..model.op import Op
    from ..model.states import State

SIZES = (1, 2, 3)
SPINS = 6
STEP = 0.1
NTRAJ = 20_000
#: By what factor bond correlations of the Ising chain are better with pairs, at least (rms).
GAIN = 2.5


def models() -> dict[str, tuple[wf.Spin, wf.Model, float, bool]]:
    """Name -> spins, model, last time, whether it is a ring."""
    out = {}

    def add(
        name: str, ring: bool, fields: dict[str, float], bonds: dict[str, float],
        jumps: dict[str, float], start: State, last: float,
    ) -> None:  # fmt: skip
        chain = wf.Spin(name="chain", count=SPINS)
        terms = [h * getattr(chain, f"s{x}").sum() for x, h in fields.items()]
        for x, J in bonds.items():
            one = getattr(chain, f"s{x}")
            terms.append(J / 2 * wf.couple(one, wf.NearestNeighbour(periodic=ring), one))
        H: Op = sum(terms[1:], terms[0])
        loss = [wf.Jump(getattr(chain, name), rate) for name, rate in jumps.items()]
        out[name] = chain, wf.Model(H, loss, initial={chain: start}), last, ring

    add("Ising chain with loss", False, {"z": 0.5}, {"x": 1.0}, {"sm": 1.0}, wf.down, 8)
    add("XXZ chain", False, {"x": 0.3}, {"x": 0.5, "y": 0.5, "z": 0.25}, {"sm": 0.2}, wf.up, 10)
    add("XYZ ring", True, {}, {"x": 0.45, "y": 0.55, "z": 0.5}, {"sm": 0.5}, wf.up, 8)
    # n n' with n = (1 + sz)/2 on every bond of a ring
    add(
        "Rydberg ring", True, {"x": 1.0, "z": 0.5}, {"z": 0.25}, {"sz": 0.1, "sm": 0.1}, wf.down, 15
    )
    return out


def observables(chain: wf.Spin, ring: bool) -> dict[str, Op]:
    """The mean of sigma_z, and of sigma_z sigma_z over bonds."""
    bonds = SPINS if ring else SPINS - 1
    pairs = wf.couple(chain.sz, wf.NearestNeighbour(periodic=ring), chain.sz)
    return {"z": chain.sz.sum() / SPINS, "zz": pairs / (2 * bonds)}


def section(quick: bool) -> Section:
    """Largest and rms deviations over time by size of the clusters."""
    entries = []
    ntraj = NTRAJ // 10 if quick else NTRAJ
    for name, (chain, model, last, ring) in models().items():
        t = np.linspace(0, last, round(5 * last) + 1)
        ops = observables(chain, ring)
        exact = wf.solve(model, t, e_ops=ops, method="exact", progress=False).expect
        largest: dict[int, float] = {}
        rms: dict[int, float] = {}
        for k in SIZES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                run = wf.solve(
                    model, t, e_ops=ops, method=wf.ClusterTWA(size=k), ntraj=ntraj, seed=11,
                    dt=STEP, progress=False, truncation=False,
                )  # fmt: skip
            for what, symbol in (("z", "⟨σz⟩"), ("zz", "⟨σzσz⟩ of bonds")):
                gap = np.abs(run.expect[what] - exact[what])
                at = int(np.argmax(gap))
                if what == "zz":
                    largest[k], rms[k] = float(gap[at]), float(np.sqrt(np.mean(gap**2)))
                entries.append(
                    Entry(
                        f"{name}_{what}_{k}".replace(" ", "_"),
                        f"{name}, {symbol}, k = {k}",
                        float(gap[at]),
                        sem=float(run.sem[what][at]),
                        at_most=largest[1] if what == "zz" and k == 3 else None,
                        note=f"rms {np.sqrt(np.mean(gap**2)):.4f}",
                    )
                )
        if name == "Ising chain with loss":
            entries.append(
                Entry(
                    "gain",
                    "rms error of bonds, Ising chain: k = 1 over k = 2",
                    rms[1] / rms[2],
                    at_least=GAIN,
                )
            )
    return Section(
        "Clusters of spins: largest deviation over time from exact",
        entries,
        f"Six spins, {ntraj} trajectories, dt = {STEP}; the bound of k = 3 is the error of k = 1.",
    )
