r"""Many ensembles at zero phase: Ruks, Fig. 3(b), inset.

M = 1, 10, 100 and 1000 ensembles of N = 20 emitters at phi = 0, pump gamma = 0.25 N_tot Gamma, all
down (see :mod:`.ruks`). All sites are alike; shown is the emission of one,
:math:`\langle J^+_m J^-_m\rangle/N^2`, in the TWA as the mean over the sites. At zero phase the
chain acts as one ensemble of N_tot emitters (:mod:`wignerflow.exact.reduction`), whose exact
solution is a master equation for p(J, M) up to N_tot = 200 and, beyond, an exact jump process,
sampled. The TWA simulates the chain itself, member by member.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from .contract import Asked, Data, Drawing
from .data import add_curve, axis, dataset
from .drawing import above_and_below, band, deviation, exact, shades
from .ruks import PAPER, chain_model

TITLE = "Site emission of 1 to 1000 ensembles at zero phase, exact by reduction to one ensemble"
SOURCE = f"{PAPER}, Fig. 3(b), inset"
N = 20
PUMP = 0.25
SIZES = (1, 10, 100, 1000)
#: N_tot from which the exact solution is sampled.
SAMPLED_ABOVE = 500
#: N_tot Gamma dt.
STEP = 0.1
LAST = 40.0
#: Trajectories, and runs of the exact jump process, by M.
NTRAJ = {1: 100_000, 10: 100_000, 100: 20_000, 1000: 4_000}
RUNS = {100: 10_000, 1000: 2_000}
QUICK = {1: 20_000, 10: 20_000, 100: 2_000}
QUICK_RUNS = {100: 500}


def make(asked: Asked) -> Data:
    """Site emission by TWA and exactly; M up to 100 where quick."""
    counts, runs = (QUICK, QUICK_RUNS) if asked.quick else (NTRAJ, RUNS)
    scaled = np.linspace(0, LAST, 101)
    data = dataset(
        axis("scaled_time", scaled, "scaled time N_tot Gamma t", "N_tot Γt"),
        Gamma=1.0,
        N=N,
        phi=0.0,
        pump="0.25 N_tot Gamma",
        sizes=list(counts),
        initial="all down",
    )
    for M, count in counts.items():
        total = N * M
        how = asked.sampling(asked.many(count), STEP / total)
        chain, model = chain_model(M, N, 0.0, PUMP * total)
        engine = "a jump process" if total > SAMPLED_ABOVE else "populations"
        asked.say(f"M = {M}: {how['ntraj']} trajectories, exact one-ensemble solution by {engine}")
        all_sites = {"site": (chain.Jp * chain.Jm).sum() / (M * N**2)}
        twa = wf.solve(model, scaled / total, e_ops=all_sites, progress=False, **how)
        e_ops = {"site": chain[0].Jp * chain[0].Jm / N**2}
        options: dict[str, Any] = {"e_ops": e_ops, "progress": False, "method": "exact"}
        if total > SAMPLED_ABOVE:
            options |= asked.sampling(runs[M]) | {"method": "jumps"}
        found = wf.solve(model, scaled / total, **options)
        label = f"site emission / N², M = {M}"
        name = f"site_M{M}_exact"
        add_curve(data, name, "scaled_time", found, "site", label=f"{label}, exact", M=M)
        add_curve(
            data, f"site_M{M}_twa", "scaled_time", twa, "site", label=f"{label}, twa",
            reference=name, M=M,
        )  # fmt: skip
    return data


def draw(data: Data) -> Drawing:
    """Curves above, TWA minus exact below, with bands of one standard error."""
    figure, ((upper,), (lower,)) = above_and_below(7.4, 6.2)
    sizes = [int(M) for M in data.attrs["sizes"]]
    for M, colour in zip(sizes, shades(len(sizes)), strict=True):
        band(upper, data, f"site_M{M}_twa", colour, label=f"TWA, $M = {M}$")
        exact(upper, data, f"site_M{M}_exact")
        deviation(lower, data, f"site_M{M}_twa", colour, 1e3)
    upper.plot([], [], "k--", linewidth=1.1, label="exact")
    upper.set_ylabel(r"site emission  $\langle J^+_m J^-_m\rangle / N^2$")
    upper.set(xlim=(0, LAST), ylim=(0, None))
    upper.legend(loc="lower right")
    lower.set_xlabel(r"scaled time  $N_{\rm tot}\Gamma t$")
    lower.set_ylabel(r"TWA $-$ exact  ($10^{-3}$)")
    figure.suptitle(
        rf"$M$ ensembles of ${N}$ at $\varphi = 0$, pump $\gamma = N_{{\rm tot}}\Gamma/4$;  "
        "bands: one standard error of both"
    )
    return figure
