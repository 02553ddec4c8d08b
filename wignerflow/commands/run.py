"""``wignerflow run model.toml``: a simulation without Python."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .. import _check
from ..files import write_atomic
from . import UsageError, prepare


def add(commands: Any, at_least: Any, seed: Any) -> None:
    """Add the command to the parser.

    Args:
        commands: the subparsers.
        at_least: makes parsers of integers with a lower bound.
        seed: parser of a seed.
    """
    parser = commands.add_parser(
        "run",
        help="run a model file",
        description="Run the simulation that a TOML (or JSON) file describes; write NAME.nc and "
        "NAME.png, where NAME is the file's `output`, or else its own name.",
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the model file (docs/model-files.md)")
    add("--out", type=Path, default=Path("."), metavar="DIR", help="where to (default: here)")
    add("--check", action="store_true", help="read and check the file only")
    what = "say what it needs in time and memory, and run nothing"
    add("--dry-run", action="store_true", help=what)
    add("--ntraj", type=at_least(2), metavar="N", help="instead of the file's")
    add("--seed", type=seed, help="instead of the file's")
    add("--threads", type=at_least(1), metavar="N", help="instead of the file's")
    what = "keep finished trajectories in FILE; the same command continues from it"
    add("--checkpoint", type=Path, metavar="FILE", help=what)
    add("--every", metavar="TIME", help="how often: 60s (the default), 5min, '100 chunks'")
    add("--device", choices=("cpu", "cuda", "auto"), help="instead of the file's")


def run(options: argparse.Namespace) -> int:
    """Read the file, solve, write the result and its plot."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # no window is ever opened
    from ..runfile import read_run_file

    try:
        job = read_run_file(options.file)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{options.file}: {error}") from error
    if options.check:
        print(f"{options.file} is valid: {job.model!r}")
        return 0
    if options.dry_run:
        return _dry(options, job)
    stem = options.out / (job.output or options.file.stem)
    files = [stem.with_name(stem.name + suffix) for suffix in (".nc", ".png")]
    _prepare(files)
    if "checkpoint" in job.options:  # beside the results
        job.options["checkpoint"] = options.out / job.options["checkpoint"]
    for name in ("ntraj", "seed", "threads", "device", "checkpoint", "every"):
        if getattr(options, name) is not None:
            job.options[name] = getattr(options, name)
    kept = job.options.get("checkpoint")
    if kept is not None and kept.absolute() in [file.absolute() for file in files]:
        raise UsageError(f"the checkpoint {str(kept)!r} must not be a file that the result takes.")
    return _solve(options.file, job, files)


def _dry(options: argparse.Namespace, job: Any) -> int:
    """Print what the run needs; 1 if this machine cannot hold it."""
    from ..estimate import machine_memory, size

    given = {k: v for k, v in job.options.items() if k not in ("checkpoint", "every", "timeout")}
    for name in ("ntraj", "seed", "threads", "device"):
        if getattr(options, name) is not None:
            given[name] = getattr(options, name)
    try:
        needs = job.model.estimate(job.tlist, e_ops=job.e_ops, method=job.method, **given)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{options.file}: {error}") from error
    have = machine_memory()
    print(f"{options.file}: {needs!r}; this machine has {size(have)}")
    return int(needs.bytes > have)


def _solve(source: Path, job: Any, files: list[Path]) -> int:
    from ..checkpoint import CheckpointFailed
    from ..run.loop import Interrupts
    from ..solving import FailedTrajectories, quietly, solve

    start, code = time.perf_counter(), 0
    with quietly():  # warnings stand in the result, and below
        try:
            result = solve(job.model, job.tlist, e_ops=job.e_ops, method=job.method, **job.options)
        except (FailedTrajectories, CheckpointFailed) as error:
            if error.result is None:
                raise
            _say(f"error: {error}")
            result, code = error.result, 1
        except (ValueError, TypeError) as error:
            raise UsageError(f"{source}: {error}") from error
    with Interrupts() as interrupts:  # the first Ctrl-C waits until it is written
        interrupts.armed = True
        written, failed = _written(result, files)
    print(result)
    for text in [*result.stats.get("warnings", ()), *failed]:
        _say(f"warning: {text}")
    if written:
        names = " and ".join(map(str, written))
        print(f"Wrote {names} in {time.perf_counter() - start:.1f} s.")
    if interrupts.wanted or result.stats.get("stopped_because") == "interrupted":
        _say("interrupted; the files hold what was done")
        return 130
    return 1 if failed else code


def _written(result: Any, files: list[Path]) -> tuple[list[Path], list[str]]:
    """Files that were written, and what could not be.

    A result that fits nowhere else goes into the temporary folder: hours may have gone into it.
    """
    written, failed = list[Path](), list[str]()

    def write(path: Path, save: Any) -> None:
        try:
            write_atomic(path, save)
            written.append(path)
        except OSError as error:
            failed.append(str(error))

    write(files[0], result.save)
    if not written:
        write(Path(tempfile.mkdtemp(prefix="wignerflow-")) / files[0].name, result.save)
    write(files[1], lambda path: _draw(result, path))
    return written, failed


def _say(message: str) -> None:
    """On standard error, on one line: names in it may come from a file."""
    print(f"wignerflow: {_check.printable(message)}", file=sys.stderr)


def _draw(result: Any, path: Path) -> None:
    """Observables below each other: their sizes may differ by orders of magnitude."""
    from ..plot import new_figure, plot_result

    names = list(result.expect)
    figure, axes = new_figure(len(names), 1, sharex=True)
    figure.set_size_inches(7.6, 1.4 + 2.2 * len(names))
    for ax, name in zip(axes[:, 0], names, strict=True):
        plot_result(result, [name], ax)
        ax.set_ylabel(name)
        if ax is not axes[-1, 0]:
            ax.set_xlabel("")
    figure.align_ylabels()
    figure.savefig(path)


def _prepare(files: list[Path]) -> None:
    """Find out before any work that the files cannot be written."""
    prepare(files[0].parent)
    for file in files:
        if file.is_dir():
            raise UsageError(f"{str(file)!r} is a folder; the result needs that name.")
