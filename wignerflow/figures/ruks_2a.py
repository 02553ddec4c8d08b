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

from typing import Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS
from .contract import Asked, Data, Drawing, in_title
from .data import EXACT, add_runs, axis, dataset
from .drawing import above_and_below, band, deviation, exact, titled
from .ruks import PAPER, laser, light_and_inversion

TITLE = "Superradiant laser: emission and inversion for N = 10 to 10^6"
SOURCE = f"{PAPER}, Fig. 2(a)"
LIVE = "live-laser"
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


def name_of(quantity: str, N: int, method: str) -> str:
    """Name of a curve, such as "emission_N10_twa"."""
    return f"{quantity}_N{N}_{method}"


def label_of(quantity: str, N: int) -> str:
    """Label of curves, such as "⟨J⁺J⁻⟩/N², N = 10"."""
    power = len(str(N)) - 1
    number = f"10^{power}" if N >= 10**4 and 10**power == N else str(N)
    return f"{QUANTITIES[quantity]}, N = {number}"


def make(asked: Asked) -> Data:
    """Emission and inversion by TWA and, up to N = 10^4, exactly."""
    scaled = np.linspace(0, 20, 201)
    data = dataset(
        axis("scaled_time", scaled, "scaled time N Gamma t", "NΓt"),
        Gamma=1.0,
        pump="0.25 N Gamma",
        initial="all up",
        numbers=list(NUMBERS) if asked.quick else sorted({*NUMBERS, JUMPS_AT}),
    )
    largest = 100 if asked.quick else EXACT_UP_TO
    for N in data.attrs["numbers"]:
        atoms, model = laser(N, PUMP * N)
        methods = {"twa": _sampling(N, asked) | {"truncation": True}}
        known = ""
        if largest >= N:
            methods["exact"], known = EXACT, ", exact populations"
        elif N == JUMPS_AT:
            runs = asked.sampling(min(RUNS, asked.many(RUNS)))
            methods["exact"], known = runs | {"method": "jumps"}, f", {RUNS} quantum jump runs"
        asked.say(f"N = {N}: {methods['twa']['ntraj']} trajectories{known}")
        ops = light_and_inversion(atoms)
        quantities = {f"{q}_N{N}": (label_of(q, N), op) for q, op in ops.items()}
        required = {f"emission_N{N}_twa": REQUIRED.get(N)}
        add_runs(data, "scaled_time", scaled / N, model, quantities, methods, required, N=N)
    return data


def _sampling(N: int, asked: Asked) -> dict[str, Any]:
    """How trajectories at N are run; plain ones where a number of them is asked for."""
    if asked.ntraj is None and N >= GUIDED:
        small = {"variance": "guided", "method": wf.TWA(scheme="small-noise")}
        return asked.sampling(NETS, LONG / N) | small
    return asked.sampling(asked.many(NTRAJ), STEP / N)


def draw(data: Data) -> Drawing:
    """Curves above, TWA minus exact below, with bands of one standard error."""
    figure, axes = above_and_below(11.5, 6.4, columns=2)
    axes[0, 0].plot([], [], color="0.6", linewidth=2.6, label="TWA")
    for column, quantity in enumerate(QUANTITIES):
        known = [name_of(quantity, N, "exact") for N, _, _ in _numbers(data, quantity)]
        for _, name, colour in _numbers(data, quantity):
            band(axes[0, column], data, name, colour)
            if "reference" in data[name].attrs:
                deviation(axes[1, column], data, name, colour, 1e3)
        for k, name in enumerate(n for n in known if n in data):
            exact(axes[0, column], data, name, label=None if k else "exact")
        axes[1, column].set_xlabel(r"scaled time  $N\Gamma t$")
    axes[0, 0].set_xlim(0, 20)
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
    text = r"Superradiant laser: $N$ emitters, all up, local pumping $\gamma = N\Gamma/4$"
    titled(figure, data, text)
    return figure


def _numbers(data: Data, quantity: str) -> list[tuple[int, str, str]]:
    """(N, name of the TWA curve, colour)."""
    numbers = [int(N) for N in data.attrs["numbers"]]
    return [
        (N, name_of(quantity, N, "twa"), colour)
        for N, colour in zip(numbers, COLOURS, strict=False)
    ]
