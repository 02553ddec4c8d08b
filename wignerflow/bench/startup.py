"""Import, first results and peak memory, each in a fresh process."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .report import Entry, Section, entry

PACKAGE = Path(__file__).resolve().parent.parent

IMPORT = """
import time
start = time.perf_counter()
import wignerflow
seconds = time.perf_counter() - start
"""

# What the demo shows first: TWA and exact curves of N = 10.
FIRST = """
import time
start = time.perf_counter()
import warnings
warnings.simplefilter("ignore", UserWarning)
import numpy as np
import wignerflow as wf
N = 10
atoms = wf.Ensemble(N, name="atoms")
model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=0.25 * N)],
                 initial={atoms: wf.up})
e_ops = {"emission": atoms.Jp * atoms.Jm, "inversion": atoms.Jz}
t = np.linspace(0, 20 / N, 201)
wf.solve(model, t, e_ops=e_ops, ntraj=10_000, seed=7, progress=False)
wf.solve(model, t, e_ops=e_ops, method="exact", progress=False)
seconds = time.perf_counter() - start
"""

MEMORY = """
import numpy as np
import wignerflow as wf
N = 1000
atoms = wf.Ensemble(N, name="atoms")
model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=0.25 * N)],
                 initial={atoms: wf.up})
t = np.linspace(0, 2 / N, 21)
wf.solve(model, t, e_ops=[atoms.Jz], ntraj=NTRAJ, dt=0.1 / N, seed=7, progress=False)
"""

# What ``fresh`` adds where "mebibytes" is asked for.
PEAK = """
try:  # the peak of this process alone; getrusage would include the one that started it
    status = open("/proc/self/status").read()
    mebibytes = int(status.split("VmHWM:")[1].split()[0]) / 1024
except OSError:
    import resource, sys
    unit = 2**20 if sys.platform == "darwin" else 2**10
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
"""


def fresh(
    code: str, names: list[str], cache: Path, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Variables of ``code`` after it ran in a new interpreter with this cache directory.

    "mebibytes" is the memory that it needed; ``environment``: its variables, else those of this
    process.
    """
    environment = dict(os.environ if environment is None else environment)
    environment["WIGNERFLOW_CACHE_DIR"] = str(cache / "kernels")
    path = [str(PACKAGE.parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(p for p in path if p)
    code += PEAK if "mebibytes" in names else ""
    tail = f"\nimport json\nprint(json.dumps([{', '.join(names)}]))\n"
    done = subprocess.run(
        [sys.executable, "-c", code + tail],
        env=environment, capture_output=True, text=True, check=False, cwd=cache,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"A benchmark process failed:\n{done.stderr.strip()}")
    return dict(zip(names, json.loads(done.stdout.splitlines()[-1]), strict=True))


def section(quick: bool) -> Section:
    """Import time, cold and warm first result, peak memory against trajectories."""
    repeats = 2 if quick else 5
    entries: list[Entry] = []
    with tempfile.TemporaryDirectory(prefix="wignerflow-bench-") as folder:
        cache = Path(folder)
        fresh(IMPORT, ["seconds"], cache)  # byte code
        times = [fresh(IMPORT, ["seconds"], cache)["seconds"] for _ in range(repeats)]
        entries.append(entry("import", "import wignerflow", times, "s", at_most=0.4))
        cold = []
        for k in range(1 if quick else 3):
            own = cache / f"cold{k}"
            own.mkdir()
            cold.append(fresh(FIRST, ["seconds"], own)["seconds"])
        warm = [fresh(FIRST, ["seconds"], cache / "cold0")["seconds"] for _ in range(repeats)]
        what = "first result (N = 10, TWA and exact, import included)"
        entries.append(entry("first_cold", f"{what}, cold cache", cold, "s", at_most=20))
        entries.append(entry("first_warm", f"{what}, warm cache", warm, "s", at_most=2))
        compiling = statistics.median(cold) - statistics.median(warm)
        entries.append(Entry("compile", "  difference: compiling", compiling, "s"))
        own = cache / "cold0"
        sizes = (10_000, 100_000, 1_000_000) if quick else (10_000, 100_000, 1_000_000, 10_000_000)
        fresh(MEMORY.replace("NTRAJ", "1000"), ["mebibytes"], own)  # compiles
        peaks = {}
        for ntraj in sizes:
            code = MEMORY.replace("NTRAJ", str(ntraj))
            peaks[ntraj] = fresh(code, ["mebibytes"], own)["mebibytes"]
            what = f"peak memory, {ntraj:.0e} trajectories".replace("e+0", "e")
            entries.append(Entry(f"memory_{ntraj}", what, peaks[ntraj], "MiB"))
        growth = max(peaks.values()) / min(peaks.values())
        entries.append(Entry("memory_growth", "  largest / smallest peak", growth, at_most=1.1))
    return Section("Start and memory, fresh processes", entries)
