"""Kills a run, resumes it, compares: every digest must be that of the run that was left alone.

    python benchmarks/resume.py           20 trials, each killed (SIGKILL) at a random moment
    python benchmarks/resume.py --cost    what checkpoints cost
    python benchmarks/resume.py --speed   two local Dask workers against one

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


def run(ntraj: int, dt: float = 1e-4, **options):
    """The run that is killed: a superradiant laser with a derived observable."""
    atoms = wf.Ensemble(1000, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=250.0)],
        initial={atoms: wf.up},
    )
    e_ops = {"emission": atoms.Jp * atoms.Jm, "squeezing": wf.Squeezing(atoms)}
    tlist = np.linspace(0, 0.02, 51)
    return wf.solve(
        model, tlist, e_ops=e_ops, ntraj=ntraj, seed=7, dt=dt, progress=False, **options
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


def cost(ntraj: int, every: float) -> float:
    """Processor time spent in writing checkpoints, as a share of that of the run."""
    from wignerflow.checkpoint import FileKeeper

    run(256)
    spent: list[float] = []
    whole = FileKeeper.save

    def save(self, state):
        begin = time.thread_time()
        whole(self, state)
        spent.append(time.thread_time() - begin)

    FileKeeper.save = save
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        run(ntraj, threads=1, checkpoint=f"{folder}/run.nc", every=every)
        total = time.process_time() - begin
    share = float(np.mean(spent)) / every
    print(
        f"{len(spent)} checkpoints of {np.mean(spent) * 1e3:.1f} ms in a run of {total:.2f} s of "
        f"processor time: {share:.2%} with one every {every:g} s, {np.mean(spent) / 60:.3%} with "
        "the usual 60 s"
    )
    return share


def speed(ntraj: int, dt: float = 2.5e-5) -> float:
    """Throughput of two local Dask workers over that of one; the step is N Gamma dt = 0.025."""
    from distributed import Client, LocalCluster

    seconds = {}
    for workers in (1, 2):
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            run(20_000 * workers, dt, client=client)
            best = np.inf
            for _ in range(3):
                begin = time.perf_counter()
                digest = run(ntraj, dt, client=client).digest()
                best = min(best, time.perf_counter() - begin)
            seconds[workers] = best
            print(f"{workers} worker(s): {ntraj / best:.3g} trajectories/s, digest {digest[:16]}")
    ratio = seconds[1] / seconds[2]
    print(f"two workers are {ratio:.2f} times as fast as one")
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--ntraj", type=int, default=300_000)
    parser.add_argument("--every", type=float, default=0.001, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.ntraj, options.every)
        return 0
    if options.cost:
        return int(cost(10 * options.ntraj, max(options.every, 2.0)) > 0.02)
    if options.speed:
        return int(speed(10 * options.ntraj) < 1.8)
    bad = trials(options.trials, options.ntraj, options.every, options.seed)
    print(
        f"{options.trials - bad} of {options.trials} digests are equal to that of the run that "
        "was left alone."
    )
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
