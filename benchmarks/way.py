"""The way of the README's first example through the code: files entered, switches between them.

    python benchmarks/way.py [--calls]

A switch is a call from a function of one file of the package into a function of another, on the
main thread, in a second run: kernels are compiled, imports done, and the smaller models solved from
which the method's own error is estimated. Loops over files are counted as often as they call.
`--calls` lists the calls into every file, and from where.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import wignerflow as wf

ROOT = os.path.dirname(wf.__file__) + os.sep


def example() -> wf.Result:
    """The README's first example."""
    N, rate = 1000, 1.0
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, rate=rate), wf.LocalJump(atoms.sp, rate=0.25 * N * rate)],
        initial={atoms: wf.up},
    )
    t = np.linspace(0, 20 / (N * rate), 201)
    e_ops = {"emission": atoms.Jp * atoms.Jm, "inversion": atoms.Jz}
    return wf.solve(model, t, e_ops=e_ops, ntraj=10_000, seed=7, progress=False)


def way(work: Callable[[], Any]) -> tuple[set[str], Counter[tuple[str, str]]]:
    """Files of the package that `work` enters, and its calls from one of them into another."""
    files: set[str] = set()
    switches: Counter[tuple[str, str]] = Counter()

    def look(frame: Any, event: str, _: Any) -> None:
        if event != "call" or not (here := frame.f_code.co_filename).startswith(ROOT):
            return
        files.add(here[len(ROOT) :])
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(ROOT):
            caller = caller.f_back
        if caller is not None and (there := caller.f_code.co_filename) != here:
            switches[there[len(ROOT) :], here[len(ROOT) :]] += 1

    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
    return files, switches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", action="store_true", help="list the calls")
    options = parser.parse_args()
    example()
    files, switches = way(example)
    print(f"{len(files)} files, {switches.total()} switches")
    if options.calls:
        for (there, here), count in switches.most_common():
            print(f"{count:6d}  {there} -> {here}")
        print("\n".join(sorted(files)))


if __name__ == "__main__":
    main()
