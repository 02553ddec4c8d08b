"""How kinds of subsystems declare operators: what stands after the dot, for people and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, overload

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import TypeVar

    from ..local import LocalOp

    #: Operator of a subsystem: ``Op`` of a single one, ``ArrayOp`` of an array.
    O = TypeVar("O", default=Any)
else:
    from typing import TypeVar

    O = TypeVar("O")
Made = TypeVar("Made", covariant=True)


class Owner(Protocol[Made]):
    """What has operators: a subsystem, or a member of an array."""

    def _operator(self, combination: dict[str, complex]) -> Made: ...


class LocalOwner(Protocol):
    """What has operators of one emitter."""

    def _local(self, c: list[complex]) -> LocalOp: ...


class Word:
    """A declared operator: ``Jm = Word("J_x - i J_y", x=1, y=-1j)``, by words of the algebra."""

    def __init__(self, doc: str, **combination: complex):
        self.__doc__ = doc
        self.combination = combination

    @overload
    def __get__(self, owner: None, kind: Any) -> Self: ...
    @overload
    def __get__(self, owner: Owner[O], kind: Any) -> O: ...
    def __get__(self, owner: Any, kind: Any) -> Any:
        return self if owner is None else owner._operator(self.combination)


class LocalWord:
    """A declared operator of one emitter: coefficients of 1, sigma^x, sigma^y, sigma^z."""

    def __init__(self, doc: str, *c: complex):
        self.__doc__ = doc
        self.c = list(c)

    @overload
    def __get__(self, owner: None, kind: Any) -> Self: ...
    @overload
    def __get__(self, owner: LocalOwner, kind: Any) -> LocalOp: ...
    def __get__(self, owner: Any, kind: Any) -> Any:
        return self if owner is None else owner._local(self.c)
