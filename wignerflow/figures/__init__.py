"""Published figures that the library reproduces, one file each.

A file has a ``TITLE``, a ``SOURCE``, ``make`` and ``draw``; some have ``checks``, which are
requirements other than bounds on deviations, and ``LIVE``, the live page of their model.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from .contract import Figure, no_checks


def _figure(name: str) -> Figure | None:
    """The figure of a file; None of one that several share."""
    file: Any = import_module(f"{__name__}.{name}")
    if not hasattr(file, "TITLE"):
        return None
    checks, live = getattr(file, "checks", no_checks), getattr(file, "LIVE", None)
    named = name.replace("_", "-")
    return Figure(named, file.TITLE, file.SOURCE, file.make, file.draw, checks, live)


_FOUND = [_figure(file.name) for file in pkgutil.iter_modules(__path__)]

#: Every figure by name; to add one, add a file.
REGISTRY: dict[str, Figure] = {figure.name: figure for figure in _FOUND if figure is not None}
