r"""Driven chain in free space, excitation over time: Hosseinabadi, Chelpanova and Marino, Fig. 6.

.. math:: H = \Omega\sum_i\sigma^x_i + \sum_{i\ne j}J_{ij}\sigma^+_i\sigma^-_j, \qquad
    \sum_{ij}\Gamma_{ij}(\sigma^-_j\rho\,\sigma^+_i - \tfrac12\{\sigma^+_i\sigma^-_j, \rho\})

with eight atoms at a fifth of a wavelength, from the ground state. The paper does not name drives,
detuning and the direction of the dipoles: here four drives in units of the decay rate of one
atom, on resonance, dipoles perpendicular to the chain. Where the drive is weak, TWA fails: its
vectors of fixed length have no dark state. Exact curves are density matrices. Clusters of two
neighbours, beyond the paper, hold the dark state of their pair; decay shared with other pairs turns
them.

Steps of 0.02/Gamma_0; ones five times as long change curves by 0.005.
"""

from __future__ import annotations

import wignerflow as wf

from ..plot import COLOURS
from .contract import Asked, Check, Data, Drawing, judged
from .data import dataset, deviation_at, time_axis
from .drawing import above_and_below, band, deviation, titled
from .hosseinabadi import FORMS, PAPER, add_runs, chain, circles, options

TITLE = "Driven chain of atoms with correlated decay"
SOURCE = f"{PAPER}, Fig. 6"
N = 8
SPACING = 0.2
DRIVES = (0.2, 0.5, 1.0, 2.0)
LAST = 10.0
STEP = 0.02
#: Largest deviation of the excitation where the drive is at least the decay of one atom.
REQUIRED = 0.04


def make(asked: Asked) -> Data:
    """Excitation by TWA of spins and of pairs (3 x 10^4 trajectories) and exact.

    Five atoms where quick.
    """
    size = 5 if asked.quick else N
    facts = {"N": size, "spacing": SPACING, "dipole": "perpendicular", "initial": "down"}
    data = dataset(time_axis(LAST, 101, "Γ₀t"), **facts)
    sampling = asked.sampling(asked.many(30_000, 2_000), 0.1 if asked.quick else STEP)
    for k, drive in enumerate(DRIVES):
        asked.say(f"Ω/Γ₀ = {drive:g}: {sampling['ntraj']} trajectories, exact")
        spins, _, model = chain(size, SPACING, drive, wf.down)
        label = f"excitation per atom, Ω/Γ₀ = {drive:g}"
        quantities = {f"excitation{k}": (label, spins.sz.sum() / (2 * size) + 0.5)}
        methods = options(("exact", "spins", "pairs"), sampling)
        required = {f"excitation{k}_spins": REQUIRED if drive >= 1 else None}
        times = data["time"].values
        add_runs(data, "time", times, model, quantities, methods, required, Omega=drive)
    return data


def checks(data: Data) -> list[Check]:
    """The last time: right under a strong drive, wrong under a weak one."""
    out = []
    for k, limit in ((0, {"at_least": 0.03}), (3, {"at_most": 0.01})):
        what = f"excitation at the end, Ω/Γ₀ = {DRIVES[k]:g}: deviation"
        out.append(judged(what, *deviation_at(data, f"excitation{k}_spins", -1), **limit))
    return out


def draw(data: Data) -> Drawing:
    """Excitation above, deviations below."""
    figure, ((upper,), (lower,)) = above_and_below(7.6, 6.8)
    for k, (drive, colour) in enumerate(zip(DRIVES, COLOURS, strict=False)):
        name = f"excitation{k}_spins"
        band(upper, data, name, colour, label=rf"TWA, $\Omega/\Gamma_0 = {drive:g}$")
        label = "exact" if k == len(DRIVES) - 1 else None
        circles(upper, data, f"excitation{k}_exact", 2, label=label, markersize=3.8)
        deviation(lower, data, name, colour)
        deviation(lower, data, f"excitation{k}_pairs", colour, linestyle="-.")
    upper.set(xlim=(0, LAST), ylim=(0, 0.95), ylabel="excitations per atom")
    lower.set(xlabel=r"time  $\Gamma_0 t$", ylabel=r"TWA $-$ exact")
    lower.plot([], [], "-.", color="0.4", label=FORMS["pairs"][0])
    lower.legend(loc="best")
    upper.legend(loc="upper right", ncols=2)
    titled(figure, data, rf"Driven chain, $N = {data.attrs['N']}$ atoms, $a = \lambda/5$")
    return figure
