"""``wignerflow explore [MODEL.toml]``: edit, run and compare a model in the browser."""

from __future__ import annotations

import argparse
import contextlib
import webbrowser
from pathlib import Path
from typing import Any

from . import UsageError


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "explore",
        help="edit, run and compare a model in the browser",
        description="Serve a page on this machine alone (127.0.0.1, behind a random token) in "
        "which a model file is edited and run by several methods side by side, with sliders and "
        "exports. Ctrl-C ends it.",
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("file", type=Path, nargs="?", metavar="FILE", help="a model file in TOML to begin with")
    add("--port", type=int, default=0, help="port on 127.0.0.1 (default: any that is free)")
    add("--no-browser", action="store_true", help="print the address only")


def run(options: argparse.Namespace) -> int:
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
