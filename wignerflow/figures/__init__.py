"""Published figures that the library reproduces: one file per figure, and this registry."""

from __future__ import annotations

from . import ruks_2a
from .contract import Figure

#: Every figure by name; to add one, add a file and a line here.
REGISTRY: dict[str, Figure] = {f.name: f for f in (ruks_2a.FIGURE,)}
