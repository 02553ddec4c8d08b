"""Tables in pages of the documentation, each between two marks that name it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def put(page: str, name: str, text: str) -> None:
    """Replace what stands between the two marks ``name`` of a page, a path from the root."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    path = ROOT / page
    before, rest = path.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
