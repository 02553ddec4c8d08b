"""Arrays by name of observable."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

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


class ByName:
    """Advice for who looks for an entry of its dicts in the object itself: ``it["n"]``, ``it.n``.

    Neither is a mean, as that would be one without its error.
    """

    #: Attributes that hold entries by name, the first two in what is said.
    shelves: ClassVar[tuple[str, str]] = ("expect", "sem")

    if not TYPE_CHECKING:  # whose users find that there is nothing

        def __getitem__(self, name: object) -> NoReturn:
            known = self.__dict__[self.shelves[0]]
            entry = name if name in known else next(iter(known), "name")
            raise TypeError(f"{type(self).__name__!r} object is not subscriptable{self._at(entry)}")

        def __getattr__(self, name: str) -> NoReturn:
            known = self.__dict__.get(self.shelves[0], ())
            advice = self._at(name) if name in known else ""
            what = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(what + advice, name=name, obj=self)

        def _at(self, name: object) -> str:
            value, error = self.shelves
            return f"; take .{value}[{name!r}], and its error .{error}[{name!r}]"
