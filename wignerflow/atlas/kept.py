"""Answers of the atlas in files, one a model, so that it can be made in parts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from .._version import __version__
from .entry import Entry
from .table import NTRAJ, Row, rows

ARRAYS = ("true", "sem", "step", "truncation")
PLAIN = ("method", "observable", "scale", "basis", "cost")


def kept_rows(entry: Entry, folder: Path | None) -> list[Row]:
    """Rows of an entry: from its file, or solved, and then kept there.

    A file of another version, or of other numbers, is made again. Whoever changes an estimate
    begins with an empty folder.
    """
    if folder is None:
        return list(rows(entry))
    name = hashlib.sha256(entry.name.encode()).hexdigest()[:16]
    path = folder / f"{name}.json"
    made = {"version": __version__, "entry": entry.name, "ntraj": NTRAJ}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["made"] == made:
            return [_read(entry, row) for row in data["rows"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or cut off
    found = list(rows(entry))
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"made": made, "rows": [_write(row) for row in found]})
    with files.replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return found


def _write(row: Row) -> dict[str, Any]:
    arrays = {k: np.asarray(getattr(row, k), float).tolist() for k in ARRAYS}
    return {k: getattr(row, k) for k in PLAIN} | arrays


def _read(entry: Entry, data: dict[str, Any]) -> Row:
    fields: dict[str, Any] = {k: data[k] for k in PLAIN}
    fields |= {k: np.asarray(data[k], float) for k in ARRAYS}
    return Row(entry=entry, **fields)
