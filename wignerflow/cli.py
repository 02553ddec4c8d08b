"""The command line: ``wignerflow list | reproduce | run | verify | doctor | bench``.

Tables go to standard output, progress and warnings to standard error. Errors of usage end with exit
code 2, interrupts with 130.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import _check
from ._version import __version__
from .commands import UsageError, atlas, doctor, pages, prepare, run, verify


class _Parser(argparse.ArgumentParser):
    """Names the nearest choice when one is misspelt."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        raise SystemExit(2)


def _at_least(minimum: int) -> Any:
    def parse(text: str) -> int:
        try:
            value = (
                int(float(text)) if "e" in text.lower() and float(text).is_integer() else int(text)
            )
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be an integer, but was {text!r}") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}, but was {text}")
        return value

    return parse


def _seed(text: str) -> int:
    value: int = _at_least(0)(text)
    if value >= 2**64:
        raise argparse.ArgumentTypeError(f"must be below 2**64, but was {text}")
    return value


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = _Parser(
        prog="wignerflow", description="Phase-space simulation of driven, dissipative emitters."
    )
    top.add_argument("--version", action="version", version=f"wignerflow {__version__}")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )

    listing = commands.add_parser(
        "list", help="list what can be reproduced: published figures and live pages"
    )
    listing.set_defaults(run=_list)

    reproduce = commands.add_parser(
        "reproduce",
        help="reproduce a published figure, or write a live page",
        description="Write FIGURE.png and FIGURE.nc, and print each curve's largest deviation from "
        "the exact one with its standard error. Names that begin with live- are models that run in "
        "the browser: they write a page and its picture, and take no option but --out.",
    )
    reproduce.set_defaults(run=_reproduce)
    add = reproduce.add_argument
    add("figure", metavar="FIGURE", help="a name from `wignerflow list`")
    add("--quick", action="store_true", help="a smaller version that takes seconds")
    add("--out", type=Path, default=Path("."), metavar="DIR", help="where to (default: here)")
    add("--ntraj", type=_at_least(64), metavar="N", help="trajectories of every sampled curve")
    add("--seed", type=_seed, help="seed of the random numbers")
    add("--threads", type=_at_least(1), metavar="N", help="worker threads (default: all cores)")
    what = "where trajectories run: cpu (the default), cuda (NVIDIA GPUs), or auto"
    add("--device", choices=("cpu", "cuda", "auto"), default="cpu", help=what)

    run.add(commands, _at_least, _seed)
    pages.add_explore(commands)
    pages.add_export(commands)
    verify.add(commands, _at_least)
    doctor.add(commands)
    atlas.add(commands)

    bench = commands.add_parser(
        "bench",
        help="measure accuracy and speed",
        description="Measure accuracy, speed, start and memory, next to JAX, diffrax and NumPy "
        "(those that are installed).",
    )
    bench.set_defaults(run=_bench)
    add = bench.add_argument
    add("parts", nargs="*", metavar="PART", help="parts to measure, such as levels; none: all")
    add("--quick", action="store_true", help="fewer repeats and trajectories: rough numbers")
    add("--json", type=Path, metavar="FILE", help="write every number to FILE")
    return top


def _say(message: str) -> None:
    lines = message.splitlines()  # they may quote a file
    print("\n".join(_check.printable(line) for line in lines), file=sys.stderr, flush=True)


def _list(options: argparse.Namespace) -> int:
    from .figures import REGISTRY
    from .figures.live import PAGES

    width = max(map(len, [*REGISTRY, *PAGES]))
    for figure in REGISTRY.values():
        print(f"{figure.name:<{width}}  {figure.title}")
        live = f" (its model as a live page: {figure.live})" if figure.live else ""
        print(f"{'':<{width}}  {figure.source}{live}")
    for page in PAGES.values():
        print(f"{page.name:<{width}}  {page.title} (live page: runs in the browser, with sliders)")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    os.environ.setdefault("MPLBACKEND", "Agg")  # no window is ever opened
    from .figures import REGISTRY
    from .figures.contract import save, table
    from .figures.live import PAGES
    from .run.pool import choose_device, using_device
    from .solving import quietly

    name = options.figure
    if name in PAGES:
        return _write_live_page(options)
    if name not in REGISTRY:
        names = [*REGISTRY, *PAGES]
        near = [n for n in names if name and n.startswith(name)]
        near = near or difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"no figure is called {name!r}.{hint} `wignerflow list` shows all.")
    figure = REGISTRY[name]
    try:
        device, why = choose_device(options.device, True)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if why is not None:
        _say(f"wignerflow: running on the CPU: {why}")
    prepare(options.out)
    os.environ.setdefault("WIGNERFLOW_TRUNCATION", "off")  # the exact curves stand beside
    start = time.perf_counter()
    with quietly(), using_device(device):  # warnings stand in the data and in the table
        data = figure.make(
            options.quick, ntraj=options.ntraj, seed=options.seed, threads=options.threads, say=_say
        )
    files = save(figure, data, options.out)
    print(table(figure, data))
    print()
    print(f"Wrote {' and '.join(map(str, files))} in {time.perf_counter() - start:.1f} s.")
    return 0


def _write_live_page(options: argparse.Namespace) -> int:
    from .figures.live import PAGES

    given = [name for name in ("quick", "ntraj", "seed", "threads") if getattr(options, name)]
    if given or options.device != "cpu":
        option = f"--{given[0]}" if given else "--device"
        raise UsageError(f"{options.figure} is a live page, which takes no {option}.")
    prepare(options.out)
    files = PAGES[options.figure].write(options.out)
    print(f"Wrote {' and '.join(map(str, files))}.")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from . import bench
    from .files import write_atomic

    target: Path | None = options.json
    if target is not None:
        prepare(target.absolute().parent)
        if target.is_dir():
            raise UsageError(f"{str(target)!r} is a folder; --json takes the name of a file.")
    for part in options.parts:
        if part not in bench.PARTS:
            raise UsageError(f"no part is called {part!r}; there are {', '.join(bench.PARTS)}.")

    def show(text: str) -> None:
        print(text + "\n", flush=True)

    os.environ["WIGNERFLOW_TRUNCATION"] = "off"  # runs are timed, not estimates
    data = bench.run(options.quick, options.parts, say=_say, show=show)
    entries = [e for s in data["sections"] for e in s["entries"] if e["met"] is not None]
    failed = [e["what"].strip() for e in entries if not e["met"]]
    print(f"{len(entries) - len(failed)} of {len(entries)} requirements met.")
    if target is not None:
        write_atomic(target, lambda path: _write_json(path, data))
        print(f"Wrote {target}.")
    return 0


def _write_json(path: Path, data: dict[str, Any]) -> None:
    text = json.dumps(data, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except UsageError as error:
        _say(f"wignerflow: error: {error}")
        return 2
    except BrokenPipeError:  # whoever read has had enough, as in `wignerflow list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        _say(f"wignerflow: error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("wignerflow: interrupted")
        return 130
