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
        "and a picture per method. Takes about a quarter of an hour of an idle core; with --keep "
        "it can be stopped and goes on where it was.",
    )
    parser.set_defaults(run=run)
    put = parser.add_argument
    put("--quick", action="store_true", help="one model per family: a minute")
    put("--keep", type=Path, metavar="DIR", help="keep each model's answers there, and use them")
    put("--part", metavar="K/M", help="only the K-th of M parts, K = 1 to M (with --keep)")
    put("--out", type=Path, metavar="DIR", help="write the page there (default: print only)")


def run(options: argparse.Namespace) -> int:
    """Solve, print, write."""
    from ..atlas import entries, page, quick
    from ..atlas.table import kept_rows

    todo = quick() if options.quick else entries()
    if options.part is not None:
        some = _part(todo, options.part)
        if some is None or options.keep is None:
            wrong = "--part needs --keep, where the parts come together."
            if some is None:
                wrong = f"--part must be K/M with 1 <= K <= M, but was {options.part!r}."
            print(f"error: {wrong}", file=sys.stderr)
            return 2
        todo = some
    found = []
    for k, entry in enumerate(todo, 1):
        print(f"{k} of {len(todo)}: {entry.name}", file=sys.stderr, flush=True)
        found += kept_rows(entry, options.keep)
    if options.part is not None:
        print(f"{len(todo)} models are in {options.keep}.")
        return 0
    print(page.text(page.summary(found)))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        files = page.write(found, options.out)
        print(f"Wrote {', '.join(map(str, files))}.")
    return 0


def _part(todo: list[Any], which: str) -> list[Any] | None:
    """Every M-th entry from the K-th on; None where that is not what was asked for."""
    numbers = which.split("/")
    if len(numbers) == 2 and all(n.isdecimal() for n in numbers):
        k, m = map(int, numbers)
        if 1 <= k <= m:
            return todo[k - 1 :: m]
    return None
