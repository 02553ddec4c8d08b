"""Accuracy against exact: the superradiant laser (ruks-2a), and clusters of spins."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

from ..figures.data import largest
from ..figures.ruks import laser, light_and_inversion
from ..figures.ruks_2a import PUMP, QUANTITIES, REQUIRED
from .report import Entry, Section

if TYPE_CHECKING:
    from ..model.op import Op
    from ..model.states import State

NTRAJ = {10: 1_000_000, 25: 1_000_000, 100: 2_000_000}
#: N Gamma dt, so small that the step error is a few per cent of the deviation.
STEP = 0.0125


def quiet(
    model: wf.Model, t: NDArray[np.float64], ops: dict[str, Any], **options: Any
) -> wf.Result:
    """A run whose warnings are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        run: wf.Result = wf.solve(model, t, e_ops=ops, progress=False, **options)
    return run


def off(run: wf.Result, exact: wf.Result, name: str) -> tuple[float, float]:
    """Largest deviation from exact over time, and its standard error."""
    return largest(run.expect[name] - exact.expect[name], run.sem[name])[1:]


def section(quick: bool) -> Section:
    """Largest deviations over N Gamma t from 0 to 20, with standard errors."""
    entries = []
    scaled = np.linspace(0, 20, 201)
    counts = {N: count // 20 if quick else count for N, count in NTRAJ.items()}
    for N, ntraj in counts.items():
        atoms, model = laser(N, PUMP * N)
        ops = light_and_inversion(atoms)
        twa = quiet(model, scaled / N, ops, ntraj=ntraj, seed=7, dt=STEP / N)
        exact = quiet(model, scaled / N, ops, method="exact")
        for quantity, symbol in QUANTITIES.items():
            value, error = off(twa, exact, quantity)
            bound = REQUIRED[N] if quantity == "emission" else None
            what = f"{symbol}, N = {N}"
            entries.append(Entry(f"{quantity}_N{N}", what, value, sem=error, at_most=bound))
    many = " / ".join(f"{n:.0e}" for n in counts.values())
    return Section(
        "Largest deviation from exact, superradiant laser",
        entries,
        f"TWA, all up, pump 0.25 N Gamma, NΓt from 0 to 20; {many} trajectories, NΓdt = {STEP}.",
    )


# ---------------------------------------------------------------- clusters of 1, 2 and 3 spins

SIZES = (1, 2, 3)
SPINS = 6
CLUSTER_STEP = 0.1
CLUSTER_NTRAJ = 20_000
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


def clusters(quick: bool) -> Section:
    """Largest and rms deviations over time by size of the clusters, on four small models."""
    entries = []
    ntraj = CLUSTER_NTRAJ // 10 if quick else CLUSTER_NTRAJ
    how: dict[str, Any] = {"ntraj": ntraj, "seed": 11, "dt": CLUSTER_STEP, "truncation": False}
    for name, (chain, model, last, ring) in models().items():
        t = np.linspace(0, last, round(5 * last) + 1)
        ops = observables(chain, ring)
        exact = quiet(model, t, ops, method="exact")
        alone: float | None = None  # largest error of bonds, one spin by one
        rms: dict[str, list[float]] = {what: [] for what in ops}
        for k in SIZES:
            run = quiet(model, t, ops, method=wf.ClusterTWA(size=k), **how)
            for what, symbol in (("z", "⟨σz⟩"), ("zz", "⟨σzσz⟩ of bonds")):
                gap, error = off(run, exact, what)
                mean = float(np.sqrt(np.mean((run.expect[what] - exact.expect[what]) ** 2)))
                rms[what].append(mean)
                entries.append(
                    Entry(
                        f"{name}_{what}_{k}".replace(" ", "_"), f"{name}, {symbol}, k = {k}", gap,
                        sem=error, at_most=alone if k == 3 and what == "zz" else None,
                        note=f"rms {mean:.4f}",
                    )
                )  # fmt: skip
            alone = gap if k == 1 else alone
        if name == "Ising chain with loss":
            what = "rms error of bonds, Ising chain: k = 1 over k = 2"
            entries.append(Entry("gain", what, rms["zz"][0] / rms["zz"][1], at_least=GAIN))
    return Section(
        "Clusters of spins: largest deviation over time from exact",
        entries,
        f"Six spins, {ntraj} trajectories, dt = {CLUSTER_STEP}; the bound of k = 3 is the error of "
        "k = 1.",
    )
