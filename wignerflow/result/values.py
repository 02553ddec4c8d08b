"""Arrays by name of observable."""

from __future__ import annotations

import difflib
from typing import Any

from numpy.typing import NDArray


class UnknownObservable(KeyError, ValueError):
    """A result has no observable of this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class Values(dict[str, NDArray]):
    """Arrays by name of observable; a missing name raises with the nearest one."""

    def __missing__(self, name: Any) -> NDArray:
        near = difflib.get_close_matches(str(name), self, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(map(repr, self))
        raise UnknownObservable(f"This result has no observable {name!r}; it has {known}.{hint}")
