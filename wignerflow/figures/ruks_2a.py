r"""The superradiant laser of Ruks, Fig. 2(a): a burst, relaxation, and steady collective emission.

.. math:: \dot\rho = \Gamma\, \mathcal D[J^-]\rho + \gamma \sum_n \mathcal D[\sigma^+_n]\rho, \qquad
    \mathcal D[L]\rho = L\rho L^\dagger - \{L^\dagger L, \rho\}/2,

with pump gamma = 0.25 N Gamma, all emitters up at t = 0, and Gamma = 1. From N = 100 on
trajectories come in nets (guided sampling), with steps for small noise: 16,384 of them have the
standard error of 10^5 plain ones at N = 100, and of millions from N = 1000 on. The exact curves
are populations p(J, M) up to N = 1000 (N = 100 in the quick version), and at N = 10^4 the mean of
a classical jump process with its own sampling error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS, new_figure
from .contract import Figure, Say, add_curve, dataset, difference, in_title, sampled, silent
from .ruks import PAPER, laser

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

PUMP = 0.25
NUMBERS = (10, 100, 1000, 10**6)
EXACT_UP_TO = 1000
#: Quantum jumps: number of emitters, and of runs.
JUMPS_AT = 10**4
RUNS = 4000
#: Trajectories by N; from GUIDED on they come in nets.
NTRAJ, NETS, GUIDED = 200_000, 16_384, 100
#: N Gamma dt of plain trajectories and of nets (by the scheme for small noise): the error of the
#: step is then below 2e-4 of N^2, and below 2e-5.
STEP, LONG = 0.05, 0.2
#: Bounds on the largest deviation of <J+J->/N^2 by N.
REQUIRED = {10: 0.0035, 25: 0.0015, 100: 0.001}
QUANTITIES = {"emission": "⟨J⁺J⁻⟩/N²", "inversion": "⟨Jz⟩/N"}
SOURCE = f"{PAPER}, Fig. 2(a)"


def name_of(quantity: str, N: int, method: str) -> str:
    """Name of a curve, such as "emission_N10_twa"."""
    return f"{quantity}_N{N}_{method}"


def label_of(quantity: str, N: int, method: str) -> str:
    """Label of a curve, such as "⟨J⁺J⁻⟩/N², N = 10, twa"."""
    power = len(str(N)) - 1
    number = f"10^{power}" if N >= 10**4 and 10**power == N else str(N)
    return f"{QUANTITIES[quantity]}, N = {number}, {method}"


def make(
    quick: bool = False,
    *,
    ntraj: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    say: Say = silent,
) -> xarray.Dataset:
    """Emission and inversion by TWA and, up to N = 10^4, exactly."""
    seed = 7 if seed is None else seed
    scaled = np.linspace(0, 20, 201)
    facts = {"long_name": "scaled time N Gamma t", "symbol": "NΓt", "units": "1"}
    data = dataset(
        "ruks-2a",
        SOURCE,
        {"scaled_time": ("scaled_time", scaled, facts)},
        Gamma=1.0,
        pump="0.25 N Gamma",
        initial="all up",
        numbers=list(NUMBERS) if quick else sorted({*NUMBERS, JUMPS_AT}),
    )
    largest = 100 if quick else EXACT_UP_TO
    for N in data.attrs["numbers"]:
        atoms, model = laser(N, PUMP * N)
        e_ops = {"emission": atoms.Jp * atoms.Jm / N**2, "inversion": atoms.Jz / N}
        options: dict[str, Any] = {"e_ops": e_ops, "progress": False}
        exact = largest >= N
        jumps = N == JUMPS_AT
        known = ", exact populations" if exact else f", {RUNS} quantum jump runs" if jumps else ""
        count, sampling = _sampling(N, ntraj)
        say(f"N = {N}: {count} trajectories{known}")
        sampling |= {"ntraj": count, "seed": seed, "threads": threads}
        results = {"twa": wf.solve(model, scaled / N, truncation=True, **sampling, **options)}
        if exact:
            results["exact"] = wf.solve(model, scaled / N, method="exact", **options)
        if jumps:
            few = RUNS if ntraj is None else min(RUNS, ntraj)
            runs: dict[str, Any] = {"ntraj": few, "seed": seed, "threads": threads}
            result = wf.solve(model, scaled / N, method="jumps", **runs, **options)
            for quantity in QUANTITIES:
                _reference(data, quantity, N, result)
        for quantity in QUANTITIES:
            for method, result in results.items():
                judged = (exact or jumps) and method == "twa"
                add_curve(
                    data,
                    name_of(quantity, N, method),
                    "scaled_time",
                    result,
                    quantity,
                    label=label_of(quantity, N, method),
                    reference=name_of(quantity, N, "exact") if judged else None,
                    required=REQUIRED.get(N) if judged and quantity == "emission" else None,
                    N=N,
                )
    return data


def _sampling(N: int, ntraj: int | None) -> tuple[int, dict[str, Any]]:
    """Trajectories at N, and how they are run; as many plain ones as are asked for."""
    if ntraj is None and N >= GUIDED:
        small = wf.TWA(scheme="small-noise")
        return NETS, {"variance": "guided", "dt": LONG / N, "method": small}
    return NTRAJ if ntraj is None else ntraj, {"dt": STEP / N}


def _reference(data: xarray.Dataset, quantity: str, N: int, result: wf.Result) -> None:
    """An exact curve by quantum jumps, with its sampling error."""
    name, label = (f(quantity, N, "exact") for f in (name_of, label_of))
    facts: dict[str, Any] = {"long_name": label, "units": "1", "N": N, "error": f"{name}_sem"}
    facts |= {"method": "exact", "engine": result.method, "runs": result.ntraj}
    data[name] = ("scaled_time", result.expect[quantity], facts | {"seed": str(result.seed)})
    error = {"long_name": f"{label}, standard error", "units": "1"}
    data[f"{name}_sem"] = ("scaled_time", result.sem[quantity], error)


def draw(data: xarray.Dataset) -> Drawing:
    """Curves above, TWA minus exact below, with bands of one standard error."""
    figure, axes = new_figure(2, 2, sharex=True, gridspec_kw={"height_ratios": [2.1, 1]})
    figure.set_size_inches(11.5, 6.4)
    axes[0, 0].plot([], [], color="0.6", linewidth=2.6, label="TWA")
    for column, quantity in enumerate(QUANTITIES):
        _curves(axes[0, column], data, quantity)
        _deviations(axes[1, column], data, quantity)
    axes[0, 0].set(ylabel=r"emission  $\langle J^+J^-\rangle / N^2$", ylim=(0, 0.235))
    axes[0, 1].set_ylabel(r"inversion  $\langle J_z\rangle / N$")
    axes[1, 0].set_ylabel(r"TWA $-$ exact  ($10^{-3}$)")
    axes[1, 0].set_xticks(np.arange(0, 21, 5))
    axes[0, 0].set_yticks(np.arange(0, 0.21, 0.05))
    for N, name, colour in _numbers(data, "emission"):
        top = int(np.argmax(data[name].values))
        where = (float(data["scaled_time"][top]), float(data[name][top]) + 0.006)
        number = in_title(N).strip("$")
        axes[0, 0].annotate(f"$N = {number}$", where, color=colour, ha="center", fontsize=12)

    axes[0, 0].legend(loc="upper right", ncols=2)
    counts = sorted({data[name].attrs["ntraj"] for name in sampled(data)})
    figure.suptitle(
        r"Superradiant laser: $N$ emitters, all up, local pumping $\gamma = N\Gamma/4$"
        f"\nTWA with {' and '.join(map(in_title, counts))} trajectories, bands: one standard error",
        fontsize=13,
    )
    return figure


def _numbers(data: xarray.Dataset, quantity: str) -> list[tuple[int, str, str]]:
    """(N, name of the TWA curve, colour)."""
    numbers = [int(N) for N in data.attrs["numbers"]]
    return [
        (N, name_of(quantity, N, "twa"), colour)
        for N, colour in zip(numbers, COLOURS, strict=False)
    ]


def _curves(ax: Axes, data: xarray.Dataset, quantity: str) -> None:
    x = data["scaled_time"].values
    for _, name, colour in _numbers(data, quantity):
        y, e = data[name].values, data[f"{name}_sem"].values
        ax.plot(x, y, color=colour, linewidth=2.6)
        ax.fill_between(x, y - e, y + e, color=colour, alpha=0.3, linewidth=0)
    known = [name_of(quantity, N, "exact") for N, _, _ in _numbers(data, quantity)]
    for k, name in enumerate(n for n in known if n in data):
        ax.plot(x, data[name].values, "k--", linewidth=1.1, label=None if k else "exact")
    ax.set_xlim(x[0], x[-1])


def _deviations(ax: Axes, data: xarray.Dataset, quantity: str) -> None:
    x = data["scaled_time"].values
    for _, name, colour in _numbers(data, quantity):
        if "reference" in data[name].attrs:
            change, error = difference(data, name)
            ax.plot(x, 1e3 * change, color=colour, linewidth=1.4)
            low, high = 1e3 * (change - error), 1e3 * (change + error)
            ax.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
    ax.axhline(0, color="black", linewidth=0.9, linestyle="--")
    ax.set_xlabel(r"scaled time  $N\Gamma t$")


FIGURE = Figure(
    name="ruks-2a",
    title="Superradiant laser: emission and inversion for N = 10 to 10^6",
    source=SOURCE,
    make=make,
    draw=draw,
    live="live-laser",
)
