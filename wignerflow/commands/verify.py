"""``wignerflow verify FILE``: run a part of a saved result again and compare."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add(commands: Any, at_least: Callable[[int], Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        help="run a part of a saved result again and compare",
        description="Run the first chunks of a saved result again, from the file alone. The exit "
        "code is 0 if they agree (to the bit on the same CPU target and versions), 1 if not.",
    )
    parser.set_defaults(run=run)
    put = parser.add_argument
    put("file", type=Path, metavar="FILE", help="a file written by Result.save")
    put("--chunks", type=at_least(1), default=16, metavar="N", help="at most N chunks (default 16)")
    put("--all", action="store_true", help="run all of it")
    put("--threads", type=at_least(1), metavar="N", help="worker threads (default: all cores)")


def run(options: argparse.Namespace) -> int:
    """Print the outcome; 1 if the file differs."""
    from ..analysis.verify import verify

    try:
        outcome = verify(
            options.file, chunks=options.chunks, whole=options.all, threads=options.threads
        )
    except ValueError as error:
        print(f"wignerflow: error: {error}", file=sys.stderr)
        return 2
    print(f"{options.file}: {outcome}")
    return 0 if outcome else 1
