"""``make bench-gpu``: agreement of the GPU with the CPU, and trajectory-steps per second.

Without a GPU it says why and stops; ``--dry`` compiles every kind of kernel for the GPU all the
same, and counts what must not be in it. Rates stand next to the floor: the card's issue rate (one
instruction per scheduler and clock) over the instructions of a step.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import wignerflow as wf

from ..compiler.targets import nvidia
from ..figures import REGISTRY
from ..figures.ruks import chain_model, emissions, laser
from ..kernels.card import about, unavailable
from ..kernels.cuda import CudaKernel
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..observables import flatten
from ..run.pool import using_device
from .report import Entry, Section, as_dict, entry, machine, text

#: Instructions of one thread for a step, in machine code for sm_90 (the inner loop of ``run``, as
#: printed by nvdisasm): of the laser, of the same with three-point noise, means of two steps that
#: share a pair; and of an ensemble in a chain of 500, all threads together.
INSTRUCTIONS = {"one": 337, "three": 249, "chain": 408}
SCHEDULERS = 4  # per multiprocessor, each of 32 lanes
PROBE = 20  # steps over which single trajectories are compared


def mixed() -> tuple[wf.Model, dict[str, Any]]:
    """An ensemble with general local channels, a spin and a mode."""
    atoms, spin, mode = wf.Ensemble(30, name="atoms"), wf.Spin(name="spin"), wf.Mode(name="mode")
    H = 0.05 * (mode.a * atoms.Jp + mode.adag * atoms.Jm) + 0.3 * spin.sx + 0.2 * atoms.Jx
    jumps: list[wf.Jump | wf.LocalJump] = [
        wf.Jump(mode.a, 0.4), wf.Jump(spin.sm, 0.3), wf.Jump(atoms.Jm, 0.01),
        wf.LocalJump(atoms.sm + 0.4 * atoms.sz, 0.7),
    ]  # fmt: skip
    initial = {atoms: wf.bloch(1.0, 0.4), spin: wf.up, mode: wf.fock(2)}
    return wf.Model(H, jumps, initial=initial), {"n": mode.n, "z": atoms.Jz, "s": spin.sz}


def lattice(M: int, dense: bool) -> tuple[wf.Model, dict[str, Any]]:
    """Ensembles with nearest-neighbour or dense coupling and correlated decay."""
    sites = wf.Ensemble(20, name="sites", count=M)
    distance = 1 + np.abs(np.subtract.outer(np.arange(M), np.arange(M)))
    K = 1 / distance**3 if dense else wf.NearestNeighbour(periodic=True)
    rate: Any = 0.02 * np.exp(1 - distance) if dense else np.full(M, 0.02)
    H = 0.02 * wf.couple(sites.Jz, K, sites.Jz) + 0.3 * sites.Jx.sum()
    jumps: list[wf.Jump | wf.LocalJump] = [wf.Jump(sites.Jm, rate), wf.LocalJump(sites.sp, 0.4)]
    return wf.Model(H, jumps, initial={sites: wf.bloch(0.8, 0.3)}), {
        "z": sites.Jz,
        "all": sites.Jz.sum(),
    }


def spins() -> tuple[wf.Model, dict[str, Any]]:
    """A chain of three collective spins."""
    spins = wf.CollectiveSpin(5, name="spins", count=3)
    H = wf.couple(spins.Jx, wf.NearestNeighbour(), spins.Jx) * 0.1 + 0.3 * spins.Jz.sum()
    return wf.Model(H, [wf.Jump(spins.Jm, 0.1)], initial={spins: wf.down}), {"z": spins.Jz}


def driven() -> tuple[wf.Model, dict[str, Any]]:
    """What the generalised P-function treats exactly."""
    atoms = wf.Ensemble(40, name="atoms")
    jumps: list[wf.Jump | wf.LocalJump] = [
        wf.Jump(atoms.Jm, 0.02),
        wf.Jump(atoms.Jp, 0.02),
        wf.LocalJump(atoms.sm, 0.3),
    ]
    model = wf.Model(0.7 * atoms.Jx, jumps, initial={atoms: wf.bloch(0.4, 0.1)})
    return model, {"z": atoms.Jz, "zz": atoms.Jz * atoms.Jz}


def one() -> tuple[wf.Model, dict[str, Any]]:
    """The superradiant laser, N = 1000."""
    atoms, model = laser(1000, 250.0)
    return model, {
        "emission": atoms.Jp * atoms.Jm,
        "inversion": atoms.Jz,
        "xi": wf.Squeezing(atoms),
    }


def guide(M: int) -> tuple[wf.Model, dict[str, Any]]:
    """The pumped chain on a waveguide, N = 250."""
    chain, model = chain_model(M, 250, np.pi / 10, 250.0 * M / 100)
    return model, {"forward": emissions(chain, np.pi / 10)[0]}


#: What is compared: words, model, method, step.
KINDS: tuple[tuple[str, Callable[[], Any], Any, float], ...] = (
    ("one ensemble", one, wf.TWA(), 2.5e-5),
    ("one ensemble, three-point noise", one, wf.TWA(noise="three-point"), 2.5e-5),
    ("one ensemble, rotor form", one, wf.TWA(form="rotor"), 2.5e-5),
    ("ensemble, spin and mode", mixed, wf.TWA(), 0.02),
    ("waveguide chain, M = 8", lambda: guide(8), wf.TWA(), 2e-4),
    ("waveguide chain, M = 20", lambda: guide(20), wf.TWA(), 1e-4),
    ("waveguide chain, M = 500", lambda: guide(500), wf.TWA(), 4e-6),
    ("nearest neighbours, M = 40", lambda: lattice(40, False), wf.TWA(), 0.02),
    ("dense coupling and correlated decay, M = 40", lambda: lattice(40, True), wf.TWA(), 0.02),
    ("the same, M = 150", lambda: lattice(150, True), wf.TWA(), 0.005),
    ("Schwinger bosons", spins, wf.Schwinger("Q"), 0.01),
    ("generalised P-function", driven, wf.GeneralizedP(), 0.01),
)


def agreement() -> Section:
    """Single trajectories over a short time, and averages over a longer one, CPU against GPU."""
    entries = []
    for what, make, method, dt in KINDS:
        model, e_ops = make()
        options: dict[str, Any] = {"e_ops": e_ops, "method": method, "seed": 11, "dt": dt}
        options["progress"] = False
        times = [0.0, PROBE * dt]
        short = {"ntraj": 256, "precision": "double", "keep": "final", **options}
        here, there = (
            np.asarray(wf.solve(model, times, device=device, **short).final)
            for device in ("cpu", "cuda")
        )
        size = np.abs(here).max(axis=0).clip(1e-12)
        apart = float((np.abs(here - there) / size).max())
        entries.append(Entry("", f"{what}: single trajectories", apart, at_most=1e-4))
        times = [0.0, 5 * PROBE * dt, 10 * PROBE * dt]
        runs = [
            wf.solve(model, times, ntraj=4096, device=device, **options)
            for device in ("cpu", "cuda")
        ]
        entries.append(Entry("", "  averages, in standard errors", _apart(*runs), at_most=4))
    note = f"Same seed; {PROBE} steps in double precision, then {10 * PROBE} in single."
    return Section("The GPU next to the CPU", entries, note)


def _apart(one: Any, two: Any) -> float:
    """Largest difference of means in standard errors."""
    worst = 0.0
    for name, value in one.expect.items():
        error = np.hypot(one.sem[name], two.sem[name])
        difference = np.abs(value - two.expect[name])
        ratio = np.divide(difference, error, out=np.zeros_like(difference), where=error > 0)
        worst = max(worst, float(np.nanmax(ratio)))
    return worst


def rates(quick: bool) -> Section:
    """Trajectory-steps per second next to the floor, and the whole of ruks-4d."""
    repeats, ceiling = (1 if quick else 5), issue_rate()
    entries = []

    def add(
        key: str,
        what: str,
        job: Any,
        dt: float,
        ntraj: int,
        steps: int,
        need: float | None,
        noise: str = "gaussian",
    ) -> None:
        model, e_ops = job
        members = sum(sub.size for sub in model.initial)
        values = []
        for k in range(repeats + 1):  # the first compiles and warms up
            found = wf.solve(
                model, [0.0, steps * dt], e_ops=e_ops, ntraj=ntraj, seed=7 + k, dt=dt,
                method=wf.TWA(noise=noise), device="cuda", progress=False,
            )  # fmt: skip
            values.append(ntraj * steps * members / found.stats["run_time"] / 1e9)
        bound = None if need is None else need / 1e9
        entries.append(entry(key, what, values[1:], "10⁹/s", at_least=bound))
        kind = "chain" if members > 1 else "one" if noise == "gaussian" else "three"
        floor = ceiling / INSTRUCTIONS[kind] / 1e9
        entries.append(Entry(f"{key}_floor", "  no more than the card can issue", floor, "10⁹/s"))

    steps = 2000 if quick else 10_000
    add("gpu_one", "one ensemble, 10⁶ trajectories", one(), 1.25e-5, 10**6, steps, 4e10)
    add("gpu_one_1e5", "one ensemble, 10⁵ trajectories", one(), 1.25e-5, 10**5, 10 * steps, 1e10)
    three = "three-point"
    what = "one ensemble, three-point noise"
    add("gpu_three", f"{what}, 10⁶ trajectories", one(), 1.25e-5, 10**6, steps, 1e11, three)
    many = 10 * steps
    add("gpu_three_1e5", f"{what}, 10⁵ trajectories", one(), 1.25e-5, 10**5, many, 2.5e10, three)
    chain = guide(500)
    add("gpu_chain", "chain of 500, 8192 trajectories", chain, 4e-6, 8192, steps // 2, 2e10)
    add("gpu_chain_500", "chain of 500, 500 trajectories", chain, 4e-6, 500, 2 * steps, None)
    if not quick:
        start = time.perf_counter()
        with using_device("cuda"):
            REGISTRY["ruks-4d"].make()
        seconds = time.perf_counter() - start
        entries.append(Entry("gpu_ruks_4d", "ruks-4d complete", seconds, "s", at_most=90))
    note = "Trajectory-steps, or for chains ensemble-steps, per second; single precision."
    return Section("Rates", entries, note)


def issue_rate() -> float:
    """Instructions per second of all lanes of the first GPU."""
    card = about(0)
    return 32.0 * SCHEDULERS * card.multiprocessors * card.clock


def dry(capability: tuple[int, int] = (9, 0)) -> Section:
    """Compile every kind of kernel to assembly, without a GPU."""
    entries = []
    target, assembler = nvidia(capability), shutil.which("ptxas")
    for what, make, method, dt in KINDS:
        model, e_ops = make()
        _, base, plan = flatten(e_ops, model.subsystems)
        times = np.array([0.0, dt])
        system, symbols = method.lower(model, base, times)
        readouts = [Readout(symbols[k], plan.base[k].is_complex) for k in base]
        printed = KernelText(system, readouts)
        grid, none = Grid.make(times, dt), np.empty(0, np.int64)
        kernel = CudaKernel(printed, grid, single=True, batched=none, ready=False)
        begin = time.process_time()
        run, sums = kernel.kernels(target)
        seconds = time.process_time() - begin
        code = run.code.decode()
        doubles = len(re.findall(r"\.f64\b", code))
        memory = len(re.findall(r"(?:ld|st)\.local", code))
        name = f"{what}: double-precision operations"
        entries.append(Entry("", name, doubles, at_most=0))
        entries.append(Entry("", "  accesses to local memory", memory, at_most=0))
        entries.append(Entry("", "  compiled or loaded in", seconds, "s", at_most=5))
        if assembler is not None:
            spilled = sum(spills(assembler, x.code, target.cpu) for x in (run, sums))
            entries.append(Entry("", "  registers that spill, of ptxas", spilled, at_most=0))
    return Section("Kernels compiled for sm_{}{}".format(*capability), entries)


def spills(assembler: str, code: bytes, kind: str) -> int:
    """Bytes that the card's own assembler keeps in memory for want of registers.

    Raises:
        RuntimeError: it does not take the code.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.ptx"
        file.write_bytes(code)
        command = [assembler, f"-arch={kind}", "-v", str(file), "-o", str(file.with_suffix(".o"))]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ptxas refuses a kernel: {done.stderr.strip()}")
    return sum(map(int, re.findall(r"(\d+) bytes spill", done.stderr)))


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the numbers where asked; 1 if something is not met."""
    parser = argparse.ArgumentParser(prog="make bench-gpu", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="rough numbers, without ruks-4d")
    parser.add_argument("--dry", action="store_true", help="compile for a GPU, run nothing")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args(arguments)
    if options.dry:
        sections = [dry()]
    else:
        reason = unavailable()
        if reason is not None:
            print(f"Nothing measured: {reason}.")
            print("On a machine with an NVIDIA GPU: make bench-gpu (docs/gpu.md).")
            return 0
        sections = [agreement(), rates(options.quick)]
    for section in sections:
        print(text(section) + "\n", flush=True)
    if options.json is not None:
        data = as_dict({**machine(), "gpu": "" if options.dry else _name()}, sections)
        options.json.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    return 1 if any(e.met is False for s in sections for e in s.entries) else 0


def _name() -> str:
    from ..kernels.cuda import cuda_target

    return cuda_target()


if __name__ == "__main__":
    sys.exit(main())
