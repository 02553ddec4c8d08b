"""``wignerflow atlas``: true against stated errors of every method on many small models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "atlas",
        help="true against stated errors of every method on many small models",
        description="Solve many small models exactly and by every method that accepts them, and "
        "print how their true errors compare with those that their results state. Writes atlas.md "
        "and a picture per method. Takes about ten minutes.",
    )
    parser.set_defaults(run=run)
    put = parser.add_argument
    put("--quick", action="store_true", help="one model per family: a minute")
    put("--out", type=Path, metavar="DIR", help="write the page there (default: print only)")


def run(options: argparse.Namespace) -> int:
    """Solve, print, write."""
    from ..atlas import entries, page, quick, rows

    todo = quick() if options.quick else entries()
    found = []
    for k, entry in enumerate(todo, 1):
        print(f"{k} of {len(todo)}: {entry.name}", file=sys.stderr, flush=True)
        found += list(rows(entry))
    print(page.text(page.summary(found)))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        files = page.write(found, options.out)
        print(f"Wrote {', '.join(map(str, files))}.")
    return 0
