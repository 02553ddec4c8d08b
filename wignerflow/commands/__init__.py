"""Commands of the command line that have a module of their own."""

from __future__ import annotations

import os
from pathlib import Path


class UsageError(Exception):
    """The command cannot be carried out as given."""


def prepare(folder: Path) -> None:
    """Find out before any work that the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"the folder {str(folder)!r} cannot be made: {reason}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"the folder {str(folder)!r} cannot be written.")
