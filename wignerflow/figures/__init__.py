"""Published figures that the library reproduces: one file each, which ends in a ``FIGURE``."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from .contract import Figure

_FILES = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]

#: Every figure by name; to add one, add a file.
REGISTRY: dict[str, Figure] = {f.FIGURE.name: f.FIGURE for f in _FILES if hasattr(f, "FIGURE")}
