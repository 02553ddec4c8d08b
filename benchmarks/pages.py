"""Tables in pages of the documentation, each between two marks that name it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def put(page: str, name: str, text: str) -> None:
    """Replace what stands between the two marks ``name`` of a page, a path from the root."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    path = ROOT / page
    before, rest = path.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def command(about: str, page: str, tables: dict[str, Callable[[], str]]) -> None:
    """A script that prints tables, and with ``--write`` puts each between its marks of a page."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"into {page}")
    options = parser.parse_args()
    for name, table in tables.items():
        text = table()
        print(text, flush=True)
        if options.write:
            put(page, name, text)
