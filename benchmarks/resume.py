"""Kills a run, resumes it, compares: every digest must be that of the run that was left alone.

    python benchmarks/resume.py           20 trials, each killed (SIGKILL) at a random moment
    python benchmarks/resume.py --cost    what checkpoints cost: the same run with and without

The child processes call ``wf.solve`` with a checkpoint written as often as possible, so that kills
fall inside writes too. Exit code 1 if any digest differs.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import wignerflow as wf


def run(ntraj: int, **options):
    """The run that is killed: a superradiant laser with a derived observable."""
    atoms = wf.Ensemble(1000, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=250.0)],
        initial={atoms: wf.up},
    )
    e_ops = {"emission": atoms.Jp * atoms.Jm, "squeezing": wf.Squeezing(atoms)}
    tlist = np.linspace(0, 0.02, 51)
    return wf.solve(
        model, tlist, e_ops=e_ops, ntraj=ntraj, seed=7, dt=1e-4, progress=False, **options
    )


def child(path: str, ntraj: int, every: float) -> None:
    """What the killed process does."""
    print("started", flush=True)
    result = run(ntraj, checkpoint=path, every=every, threads=1)
    print(result.digest(), result.stats.get("resumed", 0), flush=True)


def start(path: Path, ntraj: int, every: float) -> subprocess.Popen:
    command = [sys.executable, __file__, "--child", str(path), "--ntraj", str(ntraj)]
    process = subprocess.Popen(
        [*command, "--every", str(every)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    return process


def trials(number: int, ntraj: int, every: float, seed: int, say=print) -> int:
    """Kill, resume, compare; the number of trials whose digest differs."""
    rng = random.Random(seed)
    run(256)  # compiles, so that what follows is the run itself
    begin = time.perf_counter()
    digest = run(ntraj, threads=1).digest()
    seconds = time.perf_counter() - begin
    say(f"left alone     {digest}  {seconds:.2f} s, {ntraj} trajectories")
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(number):
            path = Path(folder) / f"run{trial}.nc"
            wait = rng.uniform(0.05, 1.3 * seconds + 0.4)
            process = start(path, ntraj, every)
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
            code = process.wait()
            held = wf.load(path).ntraj if path.exists() else 0
            process = start(path, ntraj, every)
            out, _ = process.communicate()
            found, resumed = out.split()
            bad += found != digest or int(resumed) != held
            killed = f"killed after {wait:.2f} s" if code == -signal.SIGKILL else "ended before"
            say(f"trial {trial + 1:<3}      {found}  {killed}, {held} trajectories kept")
    return bad


def cost(ntraj: int, every: float, repeats: int) -> float:
    """Processor time of a run with checkpoints over that without (best of some), minus one."""
    run(256)
    best = {True: np.inf, False: np.inf}
    with tempfile.TemporaryDirectory() as folder:
        for k in range(repeats):
            for kept in (False, True):
                options = {"checkpoint": f"{folder}/{k}.nc", "every": every} if kept else {}
                begin = time.process_time()
                run(ntraj, threads=1, **options)
                best[kept] = min(best[kept], time.process_time() - begin)
    share = best[True] / best[False] - 1
    print(
        f"without {best[False]:.2f} s, with a checkpoint every {every} s {best[True]:.2f} s: "
        f"{share:+.2%}"
    )
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--ntraj", type=int, default=150_000)
    parser.add_argument("--every", type=float, default=0.001, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.ntraj, options.every)
        return 0
    if options.cost:
        return int(cost(options.ntraj, max(options.every, 5.0), 2) > 0.02)
    bad = trials(options.trials, options.ntraj, options.every, options.seed)
    print(
        f"{options.trials - bad} of {options.trials} digests are equal to that of the run that "
        "was left alone."
    )
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
