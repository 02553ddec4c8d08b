"""Pages for the browser: ``wignerflow explore`` serves one, ``wignerflow export`` writes one."""

from __future__ import annotations

import argparse
import contextlib
import webbrowser
from pathlib import Path
from typing import Any

from . import UsageError


def add_explore(commands: Any) -> None:
    """Add ``wignerflow explore [MODEL.toml]``: a model edited, run and compared."""
    parser = commands.add_parser(
        "explore",
        help="edit, run and compare a model in the browser",
        description="Serve a page on this machine alone (127.0.0.1, behind a random token) in "
        "which a model file is edited and run by several methods side by side, with sliders and "
        "exports. Ctrl-C ends it.",
    )
    parser.set_defaults(run=explore)
    add = parser.add_argument
    add("file", type=Path, nargs="?", metavar="FILE", help="a model file in TOML to begin with")
    add("--port", type=int, default=0, help="port on 127.0.0.1 (default: any that is free)")
    add("--no-browser", action="store_true", help="print the address only")


def explore(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from ..explore import TEMPLATE, Explorer

    text = TEMPLATE
    if options.file is not None:
        try:
            text = options.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{options.file}: {error}") from error
    if not 0 <= options.port < 65536:
        raise UsageError(f"--port must be 0 to 65535, but was {options.port}.")
    explorer = Explorer(text, options.port)
    print(f"{explorer.url}\nCtrl-C ends it.", flush=True)
    if not options.no_browser:
        webbrowser.open(explorer.url)
    with contextlib.suppress(KeyboardInterrupt):
        explorer.serve()
    return 0


def add_export(commands: Any) -> None:
    """Add ``wignerflow export model.toml --html page.html``: a live page of a model file."""
    parser = commands.add_parser(
        "export",
        help="write a live page of a model file",
        description="Write one HTML file that runs the model of a TOML (or JSON) file in the "
        "browser of whoever opens it, with sliders for its numbers.",
    )
    parser.set_defaults(run=export)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the model file (docs/model-files.md)")
    add("--html", type=Path, required=True, metavar="PAGE", help="the page to write")
    what = "a number of the model and its range, as often as you like (default: the first two)"
    add("--slider", action="append", default=[], type=_slider, metavar="'NAME=LOW:HIGH'", help=what)
    add("--title", default="", help="heading of the page")


def _slider(text: str) -> tuple[str, tuple[float, float]]:
    name, _, ends = text.rpartition("=")
    low, _, high = ends.partition(":")
    try:
        return name.strip(), (_number(low), _number(high))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be NAME=LOW:HIGH, but was {text!r}") from None


def _number(text: str) -> float:
    return int(text) if text.strip().isdecimal() else float(text)


def export(options: argparse.Namespace) -> int:
    """Read the file and write the page."""
    from ..live import check_page, file_page, write_page
    from ..runfile import read_run_file

    try:
        out = check_page("--html", options.html)
    except ValueError as error:
        raise UsageError(str(error)) from error
    try:
        job = read_run_file(options.file)
        page = file_page(
            job.model, job.tlist, job.e_ops, job.method, dict(options.slider) or None,
            title=options.title or options.file.stem, dt=job.options.get("dt"),
        )  # fmt: skip
    except (ValueError, TypeError) as error:
        raise UsageError(f"{options.file}: {error}") from error
    write_page(out, page)
    print(f"Wrote {options.html}.")
    return 0
