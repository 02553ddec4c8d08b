"""Arrays of spins: a ring of a thousand, dense couplings next to a BLAS, long Hamiltonians."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import wignerflow as wf

from ..kernels.cpu import CpuKernel
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..run.pool import available_threads
from .report import Entry, Section, Time, entry, measure, repeated
from .startup import fresh

SIZE = 1000
#: The ring's requirement: this many trajectories and steps in a minute on two cores.
TRAJECTORIES, STEPS, MINUTE = 10_000, 500, 60.0
TERMS = 150

BLAS = """
import time
import numpy as np
rng = np.random.default_rng(0)
best = {}
for name in ("float32", "float64"):
    A = rng.normal(size=(1000, 1000)).astype(name)
    B = rng.normal(size=(1000, COLUMNS)).astype(name)
    A @ B
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(10):
            A @ B
        rate = 10 * 2e-9 * A.size * COLUMNS / (time.process_time() - start)
        best[name] = max(best.get(name, 0.0), rate)
single, double = best["float32"], best["float64"]
"""

COMPILE = """
import time
import numpy as np
import wignerflow as wf
rng = np.random.default_rng(SEED)
spins = [wf.Spin(name=f"s{k}") for k in range(12)]
modes = [wf.Mode(name=f"m{k}") for k in range(4)]
letters = [(s, x) for s in spins for x in ("sx", "sy", "sz")]
H = sum(rng.normal() * getattr(s, x) for s, x in letters)
pairs = [(a, b) for a in letters for b in letters if spins.index(a[0]) < spins.index(b[0])]
for k in range(0, len(pairs), max(1, len(pairs) // TERMS)):
    (a, x), (b, y) = pairs[k]
    H = H + rng.normal() * getattr(a, x) * getattr(b, y)
for k, m in enumerate(modes):
    H = H + m.n + 0.1 * rng.normal() * (m.a + m.adag) * spins[k].sx
jumps = [wf.Jump(s.sm, 0.1) for s in spins] + [wf.Jump(m.a, 1.0) for m in modes]
initial = {**{s: wf.up for s in spins}, **{m: wf.vacuum for m in modes}}
model = wf.Model(H, jumps, initial=initial)
terms = len(model.H.terms)
e_ops = {s.name: s.sz for s in spins}
start = time.process_time()
wf.solve(model, [0, 0.01], e_ops=e_ops, ntraj=64, seed=7, dt=0.01, threads=1, progress=False)
seconds = time.process_time() - start
"""


def ring_model(size: int = SIZE) -> tuple[wf.Spin, wf.Model]:
    """A driven ring of spins with interacting neighbours, decay and dephasing."""
    ring = wf.Spin(name="ring", count=size)
    H = 0.25 * wf.couple(ring.sz, wf.NearestNeighbour(periodic=True), ring.sz) + 0.5 * ring.sx.sum()
    jumps = [wf.Jump(ring.sm, 0.1), wf.Jump(ring.sz, 0.05)]
    return ring, wf.Model(H, jumps, initial={ring: wf.down})


def correlated_model(size: int = SIZE) -> wf.Model:
    """Spins that decay together: a dense, real matrix of full rank."""
    chain = wf.Spin(name="chain", count=size)
    W = np.random.default_rng(1).normal(size=(size, size))
    return wf.Model(None, [wf.Jump(chain.sm, W @ W.T / size)], initial={chain: wf.up})


def coupled_model(size: int = SIZE) -> wf.Model:
    """Spins coupled each to each by a dense matrix."""
    chain = wf.Spin(name="chain", count=size)
    K = np.random.default_rng(2).normal(size=(size, size)) / size
    np.fill_diagonal(K, 0.0)
    H = wf.couple(chain.sp, K + K.T, chain.sm)
    return wf.Model(H, [wf.Jump(chain.sm, 0.1)], initial={chain: wf.up})


def kernel(model: wf.Model, steps: int, single: bool = True) -> CpuKernel:
    """The compiled kernel of ``steps`` steps of 0.02."""
    times = np.array([0.0, 0.02 * steps])
    system, _ = wf.TWA().lower(model, {}, times)
    grid = Grid.make(times, 0.02)
    return CpuKernel(KernelText(system, []), grid, single=single, batched=np.empty(0, np.int64))


def per_step(run: CpuKernel, steps: int, chunks: int) -> Callable[[], Time]:
    """A function that runs a kernel; seconds per trajectory and step."""
    ntraj = chunks * run.lanes
    return lambda: measure(lambda: run.simulate(0, chunks, ntraj, 7)) * (1 / (ntraj * steps))


def section(quick: bool) -> Section:
    """The ring, the rate of dense products, and compile times."""
    repeats = 3 if quick else 7
    entries = _ring(quick, repeats)
    with tempfile.TemporaryDirectory(prefix="wignerflow-bench-") as folder:
        entries += _dense(quick, repeats, Path(folder))
        entries += _compile(Path(folder))
    note = f"{SIZE} spins; processor time on one core. BLAS: NumPy's own, one thread."
    return Section("Arrays of single spins", entries, note)


def _ring(quick: bool, repeats: int) -> list[Entry]:
    _, model = ring_model()
    steps = 50 if quick else 200
    times = repeated(per_step(kernel(model, steps), steps, 4), repeats)
    found = [t.cpu * 1e9 / SIZE for t in times]
    what = f"Rydberg ring of {SIZE}, per spin and step"
    cores = min(2, available_threads())
    whole = min(found) * 1e-9 * SIZE * TRAJECTORIES * STEPS / cores
    long = f"  {TRAJECTORIES} trajectories, {STEPS} steps, {cores} cores (from the fastest run)"
    return [
        entry("ring_ns", what, found, "ns"),
        Entry("ring_seconds", long, whole, "s", at_most=MINUTE),
    ]


def _dense(quick: bool, repeats: int, folder: Path) -> list[Entry]:
    out = []
    models = {"correlated decay": (correlated_model(), 12), "dense coupling": (coupled_model(), 8)}
    kernels = {
        (name, single): kernel(model, 10, single)
        for name, (model, _) in models.items()
        for single in (True, False)
    }
    lanes = next(iter(kernels.values())).lanes
    setting = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    setting |= {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    text = BLAS.replace("REPEATS", str(repeats)).replace("COLUMNS", str(lanes))
    blas = fresh(text, ["single", "double"], folder, environment=setting)
    for (name, single), compiled in kernels.items():
        precision = "single" if single else "double"
        flops = models[name][1] * SIZE**2  # products alone; the rest of a step counts as lost
        times = repeated(per_step(compiled, 10, 2 if quick else 4), repeats)
        rate = [1e-9 * flops / t.cpu for t in times]
        what = f"{name}, {precision} precision, products per time of the whole step"
        slug = f"{name.split()[0]}_{precision}"
        out.append(entry(slug, what, rate, "GFLOP/s"))
        limit = blas[precision]
        share = f"  of the BLAS on blocks of {lanes} columns ({limit:.0f} GFLOP/s), fastest runs"
        out.append(Entry(f"{slug}_share", share, max(rate) / limit, at_least=0.5))
    return out


def _compile(folder: Path) -> list[Entry]:
    def run(seed: int) -> dict[str, float]:
        text = COMPILE.replace("TERMS", str(TERMS)).replace("SEED", str(seed))
        return fresh(text, ["seconds", "terms"], folder)

    cold, warm, other = run(1), run(1), run(2)
    what = f"a Hamiltonian of {cold['terms']:.0f} terms on 12 spins and 4 modes, first result"
    return [
        Entry("terms_cold", what, cold["seconds"], "s", at_most=20),
        Entry("terms_warm", "  found in the cache", warm["seconds"], "s", at_most=1),
        Entry("terms_other", "  with other numbers", other["seconds"], "s", at_most=1),
    ]
