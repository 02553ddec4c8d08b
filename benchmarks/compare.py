"""Four methods on the models of Hosseinabadi, Chelpanova and Marino, by ``wf.compare``.

    python benchmarks/compare.py [NAME ...]     all six, or those named: hosseinabadi-2 ...

Prints, per model, the largest deviation of the truncated Wigner approximation (fixed spin lengths
and the Bloch form), second-order cumulants and mean field from the exact solution, with the error
of sampling. Sizes are the paper's, but for the ring: eight atoms, so that exact takes seconds.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import wignerflow as wf
from wignerflow.figures import hosseinabadi as paper
from wignerflow.figures import hosseinabadi_3, hosseinabadi_4, hosseinabadi_5

METHODS = ["exact", wf.SpinTWA(), wf.TWA(spin_form="bloch"), "cumulant", "mean-field"]
Case = tuple[wf.Model, float, dict[str, Any]]


def driven_spin() -> Case:
    z, model = paper.driven_spin(1.0, 0.5, 0.0)
    return model, 15, {"sigma z": z}


def tavis_cummings() -> Case:
    mode, model = paper.tavis_cummings(15, **hosseinabadi_3.PARAMETERS[15], together=True)
    return model, 15, {"photons": mode.n}


def central_spin() -> Case:
    spin, model = paper.central_spin(30, **hosseinabadi_4.PARAMETERS, together=True)
    return model, 5, {"population": 0.5 + 0.5 * spin.sz}


def ring() -> Case:
    z, model = paper.rydberg_ring(8, Omega=0.5, **hosseinabadi_5.RATES)
    return model, 20, {"sigma z": z.sum() / 8}


def driven_chain() -> Case:
    spins, _, model = paper.chain(8, 0.2, 1.0, wf.down)
    return model, 10, {"excitation": spins.sz.sum() / 16 + 0.5}


def burst() -> Case:
    spins, _, model = paper.chain(8, 0.1, 0.0, wf.up)
    return model, 3, {"excitation": spins.sz.sum() / 16 + 0.5}


CASES: dict[str, Callable[[], Case]] = {
    "hosseinabadi-2": driven_spin,
    "hosseinabadi-3": tavis_cummings,
    "hosseinabadi-4": central_spin,
    "hosseinabadi-5": ring,
    "hosseinabadi-6": driven_chain,
    "hosseinabadi-7": burst,
}


def main() -> None:
    warnings.simplefilter("ignore", UserWarning)  # the table shows what they warn of
    for name in sys.argv[1:] or CASES:
        model, last, e_ops = CASES[name]()
        times = np.linspace(0, last, 101)
        found = wf.compare(
            model, times, e_ops=e_ops, methods=METHODS, ntraj=10_000, seed=1, progress=False
        )
        print(f"{name}: {found}\n", flush=True)


if __name__ == "__main__":
    main()
