"""``wignerflow export model.toml --html page.html``: a live page of a model file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import UsageError


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "export",
        help="write a live page of a model file",
        description="Write one HTML file that runs the model of a TOML (or JSON) file in the "
        "browser of whoever opens it, with sliders for its numbers.",
    )
    parser.set_defaults(run=run)
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


def run(options: argparse.Namespace) -> int:
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
