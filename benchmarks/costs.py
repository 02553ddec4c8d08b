"""What exact solutions and cumulants cost: tables of docs/methods.md. For a quiet machine.

    python benchmarks/costs.py            print both tables
    python benchmarks/costs.py --write    put them into docs/methods.md, between their marks

Processor seconds of whole calls, after a first call at a smaller size that compiles. Ten minutes.
"""

from __future__ import annotations

import os
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before NumPy is imported

import numpy as np  # noqa: E402
from pages import command  # noqa: E402

import wignerflow as wf  # noqa: E402
from wignerflow.bench.report import measure  # noqa: E402
from wignerflow.figures import hosseinabadi as paper  # noqa: E402
from wignerflow.figures import hosseinabadi_3, hosseinabadi_4, hosseinabadi_5  # noqa: E402

PAGE = "docs/methods.md"
RUNS = 1000

# ---------------------------------------------------------------- exact solutions


def tavis_cummings(small):
    N = 3 if small else 15
    mode, model = paper.tavis_cummings(N, **hosseinabadi_3.PARAMETERS[15], together=True)
    return model, {"n": mode.n}, 15.0


def central_spin(small):
    N = 3 if small else 30
    spin, model = paper.central_spin(N, **hosseinabadi_4.PARAMETERS, together=True)
    return model, {"z": spin.sz}, 5.0


def driven_chain(small):
    spins, _, model = paper.chain(3 if small else 8, 0.2, 1.0, wf.down)
    return model, {"z": spins.sz.sum()}, 10.0


def burst(small):
    spins, Gamma, model = paper.chain(3 if small else 10, 0.1, 0.0, wf.up)
    return model, {"emission": wf.couple(spins.sp, Gamma, spins.sm)}, 3.0


def ring(small):
    z, model = paper.rydberg_ring(3 if small else 10, Omega=0.5, **hosseinabadi_5.RATES)
    return model, {"z": z.sum()}, 20.0


#: Model, its title, and whether it is solved by quantum jumps too.
EXACT = (
    (tavis_cummings, "Tavis-Cummings, N = 15, local decay and pump, one mode", False),
    (central_spin, "central spin with N = 30", False),
    (driven_chain, "driven chain of 8, dense decay matrix", True),
    (burst, "superradiant burst of 10, dense decay matrix", True),
    (ring, "Rydberg ring of 10", True),
)


def timed(make, method, **options):
    """Processor seconds of one solution, and its stats."""
    out = []
    for small in (True, False):
        model, ops, last = make(small)
        times = np.linspace(0, last, 101)

        def work(model=model, ops=ops, times=times):
            more = {"progress": False, **options}
            return out.append(wf.solve(model, times, e_ops=ops, method=method, **more))

        seconds = measure(work).cpu
    return seconds, out[-1].stats


def exact() -> str:
    """Elements kept and seconds, per model."""
    heads = ("model", "elements kept", '`"exact"`', f'{RUNS} runs of `"jumps"`')
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for make, title, jumps in EXACT:
        seconds, stats = timed(make, "exact")
        cells = [title, f"{stats['components']:,}", f"{seconds:.2g}", ""]
        if jumps:
            options = {"ntraj": RUNS, "seed": 7, "threads": 1}
            cells[3] = f"{timed(make, 'jumps', **options)[0]:.2g}"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


# ---------------------------------------------------------------- second-order cumulants


def dense(M):
    spins = wf.Spin(name="spins", count=M)
    K = 1 / (1 + np.abs(np.subtract.outer(np.arange(M), np.arange(M)))) / M
    H = wf.couple(spins.sx, K, spins.sx) + spins.sz.sum()
    model = wf.Model(H, [wf.Jump(spins.sm, 0.5)], initial={spins: wf.down})
    return model, {"z": spins.sz.sum() / M}, 0.1


def neighbours(M):
    spins = wf.Spin(name="spins", count=M)
    H = wf.couple(spins.sx, wf.NearestNeighbour(), spins.sx) / 2 + spins.sz.sum()
    model = wf.Model(H, [wf.Jump(spins.sm, 0.5)], initial={spins: wf.down})
    return model, {"z": spins.sz.sum() / M}, 0.1


def waveguide(M):
    chain = wf.Ensemble(250, name="chain", count=M)
    H, jumps = wf.waveguide(chain, np.pi / 10, rate=1.0)
    model = wf.Model(H, [*jumps, wf.LocalJump(chain.sp, 250.0)], initial={chain: wf.up})
    return model, {"z": chain.Jz.sum()}, 0.2


CUMULANTS = (
    (dense, "spins, dense couplings, to t = 0.1", (100, 300)),
    (neighbours, "spins, next-neighbour couplings, to t = 0.1", (300,)),
    (waveguide, "ensembles of 250 on a waveguide, pump 250 Γ, to Γt = 0.2", (20, 100)),
)


def cumulants() -> str:
    """Moments, seconds that deriving the equations and integrating them takes, per model."""
    heads = ("model", "M", "moments", "deriving", "integrating", "of that, one right-hand side")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for make, title, sizes in CUMULANTS:
        for M in (3, *sizes):
            model, ops, last = make(M)
            times = np.linspace(0, last, 11)
            stats = wf.Cumulant().solve(model, times, ops).stats
            if M == 3:
                continue  # imports and compiles
            run = stats["wall_time"] - stats["derivation_time"]
            cells = [title, M, f"{stats['moments']:,}", f"{stats['derivation_time']:.2g} s"]
            cells += [f"{run:.2g} s", f"{1e3 * run / stats['evaluations']:.2g} ms"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    command(__doc__, PAGE, {"exact costs": exact, "cumulant costs": cumulants})
