"""``wignerflow doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Instruction sets that make trajectories fast, the most capable first.
FEATURES = ("avx512f", "avx2", "fma", "avx", "sse4.2", "neon", "sve")
REQUIRED = ("numpy", "scipy", "llvmlite", "matplotlib", "xarray", "h5netcdf", "tqdm")
#: Optional packages: (distribution, extra, what for).
OPTIONAL = (
    ("qutip", "exact", "exchange of models and states with QuTiP"),
    ("dask", "cluster", "runs on several machines"),
    ("distributed", "cluster", "runs on several machines"),
    ("cuda-bindings", "gpu", "runs on a GPU"),
)

#: Machines that kernels can be compiled for beside this one: (name, LLVM's triple).
TARGETS = (
    ("NVIDIA GPUs", "nvptx64-nvidia-cuda"),
    ("WebAssembly", "wasm32-unknown-unknown"),
    ("AMD GPUs", "amdgcn-amd-amdhsa"),
    ("ARM", "aarch64-unknown-linux-gnu"),
    ("x86-64", "x86_64-unknown-linux-gnu"),
)

Line = tuple[str, str, str]  # state ("ok", "missing", "PROBLEM"), what, found


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation",
        description="Show versions, CPU, threads, cache and GPU; what is missing and how to get "
        "it. The exit code is 1 if something is broken.",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the report; 1 if something is broken."""
    lines = list(report())
    width = max(len(what) for _, what, _ in lines)
    for state, what, found in lines:
        print(f"{state:<8}{what:<{width}}  {found}")
    broken = [what for state, what, _ in lines if state == "PROBLEM"]
    print()
    print(f"Broken: {', '.join(broken)}." if broken else "Everything that is needed works.")
    return 1 if broken else 0


def report() -> Iterator[Line]:
    """Every line of the report."""
    from .._version import __version__

    yield "ok", "wignerflow", f"{__version__} in {Path(__file__).parents[1]}"
    yield "ok", "Python", f"{platform.python_version()} ({sys.executable})"
    yield "ok", "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    for name in REQUIRED:
        yield _package(name)
    yield from _processor()
    yield _targets()
    yield _cache()
    yield _kernel()
    yield _compiler()
    for name, extra, purpose in OPTIONAL:
        version = _version(name)
        get = f"for {purpose}: pip install 'wignerflow[{extra}]'"
        yield ("ok", name, version) if version else ("missing", name, get)
    yield _gpu()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(name: str) -> Line:
    version = _version(name)
    if version is None:
        return "PROBLEM", name, f"not installed: pip install {name}"
    return "ok", name, version


def _processor() -> Iterator[Line]:
    import llvmlite.binding as llvm

    from ..kernels.cpu import cpu_target
    from ..run.pool import available_threads

    try:
        features = dict(llvm.get_host_cpu_features())
    except RuntimeError:
        features = {}
    have = [name for name in FEATURES if features.get(name)]
    yield "ok", "CPU", f"{cpu_target()}; {' '.join(have) or 'no vector instructions known'}"
    usable, cores = available_threads(), os.cpu_count() or 1
    limited = f" of {cores} (limited by the system)" if usable < cores else ""
    yield "ok", "threads", f"{usable}{limited}; `threads=` takes fewer"


def _targets() -> Line:
    """What LLVM makes code for."""
    import llvmlite.binding as llvm

    from ..kernels.cpu import cpu_target

    llvm.initialize_all_targets()
    have = []
    for name, triple in TARGETS:
        with contextlib.suppress(RuntimeError):
            llvm.Target.from_triple(triple)
            have.append(name)
    version = ".".join(map(str, llvm.llvm_version_info))
    return "ok", "targets", f"LLVM {version}: {cpu_target()}; code for {', '.join(have)}"


def _cache() -> Line:
    from ..compiler.cache import cache_directory

    folder = cache_directory()
    advice = "kernels are compiled anew every time; set WIGNERFLOW_CACHE_DIR to a folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".tmp") as draft:
            draft.write(bytes(2**17))  # as large as a kernel: the disk may be full
            draft.flush()
    except OSError as error:
        reason = error.strerror or error
        return "PROBLEM", "cache", f"{folder} cannot be written ({reason}): {advice}"
    files = [p for p in folder.rglob("*") if p.is_file()]
    kernels = sum(p.suffix == ".kernel" for p in files)
    size = sum(p.stat().st_size for p in files) / 2**20
    free = shutil.disk_usage(folder).free / 2**30
    return "ok", "cache", f"{folder}: {kernels} kernels, {size:.0f} MiB, {free:.0f} GiB free"


def _kernel() -> Line:
    """Compile and run the smallest kernel that there is."""
    import time

    import numpy as np

    from .. import Ensemble, LocalJump, Model, solve, up

    atoms = Ensemble(100, name="atoms")
    model = Model(jumps=[LocalJump(atoms.sm, 1.0)], initial={atoms: up})
    start = time.perf_counter()
    try:
        result = solve(
            model, np.array([0.0, 1.0]), e_ops={"z": atoms.Jz}, ntraj=1024, seed=1,
            truncation=False, progress=False,
        )  # fmt: skip
    except Exception as error:  # whatever it is, the user must see it here
        return "PROBLEM", "kernel", f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    exact = 100 * (np.exp(-1.0) - 0.5)
    if abs(result.expect["z"][-1] - exact) > 6 * result.sem["z"][-1]:
        return "PROBLEM", "kernel", f"<J_z> is {result.expect['z'][-1]:.3f}, not {exact:.3f}"
    return (
        "ok",
        "kernel",
        f"compiled or taken from the cache, and run, in {seconds:.1f} s; right result",
    )


def _compiler() -> Line:
    """Time one compile, past the cache."""
    import time

    from .. import TWA, Ensemble, Jump, LocalJump, Model, up
    from ..compiler import build, targets
    from ..kernels.module import KernelText

    atoms = Ensemble(100, name="atoms")
    model = Model(jumps=[Jump(atoms.Jm, 1.0), LocalJump(atoms.sp, 25.0)], initial={atoms: up})
    system, _ = TWA().lower(model, {}, None)
    text = KernelText(system, []).module(single=True, lanes=128)
    start = time.perf_counter()
    try:
        size = len(build.compiled(text, targets.host()))
    except Exception as error:  # whatever it is, the user must see it here
        return "PROBLEM", "compiler", f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    return "ok", "compiler", f"the kernel of a laser in {seconds:.1f} s, {size // 1024} KiB"


def _gpu() -> Line:
    found = _driver()
    if found is None:
        return "missing", "GPU", "no NVIDIA driver found; nothing is lost, runs use the CPU"
    from ..kernels.card import unavailable

    reason = unavailable()
    return ("ok", "GPU", found) if reason is None else ("missing", "GPU", f"{found}, but {reason}")


def _driver() -> str | None:
    """Name and driver of the first GPU, from the driver's own tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        out = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = out.stdout.strip().splitlines()
    return lines[0].replace(", ", ", driver ") if out.returncode == 0 and lines else None
