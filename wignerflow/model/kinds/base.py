"""What every kind of subsystem answers for itself.

One class per kind, one file per class: its letters and their algebra, its names and LaTeX, its
plain form and the states it takes. All of it is asked for: what a kind leaves open it cannot be
made without. (How phase-space methods and references treat a kind they say themselves.)
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, overload
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from ... import _check
from ..normal import on_site
from ..numerals import power_text, runs
from ..operators import ArrayOp, Op, member_index
from ..states import BlochState
from ..words import Algebra

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import TypeVar

    from .ensemble import LocalOp

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


# Ascending within a process, and different between processes, so that a subsystem sent to another
# process is never taken for one that was made there.
_serial = itertools.count()
_PROCESS = secrets.randbits(31) << 32


def _forked() -> None:
    """A process that was forked counts on in numbers of its own, above those it was given."""
    global _PROCESS
    _PROCESS += (1 + secrets.randbits(31)) << 32


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

#: What lives here, by that number: one that comes back is the one that left.
_living: WeakValueDictionary[int, Subsystem[Any]] = WeakValueDictionary()


def _again(kind: type[Subsystem[O]], state: dict[str, Any]) -> Subsystem[O]:
    """A subsystem that arrives from elsewhere, or from here."""
    if (known := _living.get(state["uid"])) is not None:
        return known
    new = object.__new__(kind)
    vars(new).update(state)
    _living[new.uid] = new
    return new


MAX_COUNT = 10_000_000
SAME_NAME = "It is another subsystem of that name: make each once, and use that object throughout."


def natural(name: str) -> tuple[str | int, ...]:
    """A name as texts and numbers in turn, which sorts "s9" before "s10"."""
    return tuple(int(x) if k % 2 else x for k, x in enumerate(re.split(r"([0-9]+)", name)))


class Subsystem(ABC, Generic[O]):
    """Base of all subsystems: a name, a kind, and ``count`` members (None for a single one).

    Each is itself alone: no copy of it exists, and none is made by pickling.

    ``sub[m]`` of an array gives a view whose operators act on member ``m``. Operators are of type
    O: ``Op`` of a single subsystem, ``ArrayOp`` of an array.

    Attributes:
        kind: name in the plain form.
        letters: words by the names of collective operators, those declared as ``Word``.
        one_emitter: Pauli coefficients by the names of operators declared as ``LocalWord``.
        required, optional: keys of the plain form beside kind, name, initial and count.
    """

    kind: ClassVar[str]
    letters: ClassVar[dict[str, dict[str, complex]]] = {}
    one_emitter: ClassVar[dict[str, list[complex]]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = {n: w for base in reversed(cls.__mro__) for n, w in vars(base).items()}
        cls.letters = {n: w.combination for n, w in declared.items() if isinstance(w, Word)}
        cls.one_emitter = {n: w.c for n, w in declared.items() if isinstance(w, LocalWord)}

    @property
    @abstractmethod
    def algebra(self) -> Algebra:
        """The rules by which its words are multiplied."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Constructor arguments besides name and count, plain."""

    @classmethod
    @abstractmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        """Constructor arguments besides name and count, from a table of the plain form."""

    @abstractmethod
    def plain_name(self, letter: str) -> str:
        """The name of a letter in the plain form."""

    @abstractmethod
    def word_text(self, owner: str, word: str) -> str:
        """A word (ladder letters too) as a user types it, ``owner`` the name of what it acts on."""

    @abstractmethod
    def power_latex(self, letter: str, power: int, below: str) -> str:
        """A power of one letter (ladder letters too) as LaTeX, with a subscript or none."""

    @abstractmethod
    def check_state(self, argument: str, state: Any) -> None:
        """Raise where a state does not suit it."""

    #: Definitions that LaTeX of a model with it ends with.
    latex_where: ClassVar[str] = ""

    def __init__(self, name: str | None, count: int | None):
        self.uid = _PROCESS + next(_serial)
        _living[self.uid] = self
        #: Given by the user, or the kind; a model tells several unnamed ones apart, see ``naming``.
        self.name = self.kind if name is None else name
        self.unnamed = name is None
        if not isinstance(self.name, str) or not self.name:
            _check.fail("name", "be a non-empty string", name, kind=TypeError)
        if not self.name.isprintable() or set("[]") & set(self.name):
            _check.fail("name", "be printable and free of brackets, which index members", name)
        #: Where it stands among others: by name, "s9" before "s10"; last by ``uid``, so that two
        #: unnamed ones are not taken for each other.
        self.order = (natural(self.name), self.uid)
        self.count = None if count is None else _check.integer("count", count, 1, MAX_COUNT)
        #: Number of members (1 for a single subsystem).
        self.size = self.count or 1

    def _per_member(
        self, argument: str, value: Any, minimum: float, step: float
    ) -> NDArray[np.float64]:
        """A number or one per member, multiples of ``step`` and >= ``minimum``; shape (size,)."""
        must = "be a positive integer" if step == 1 else "be a positive multiple of 1/2"
        if isinstance(value, (bool, np.bool_)):
            _check.fail(argument, must, value, kind=TypeError)
        if isinstance(value, int) and value > 2**53:
            _check.fail(argument, "be at most 2^53", value)
        raw = _check.numeric_array(argument, value, float)
        broken = raw / step != np.round(raw / step)
        wrong = (raw < minimum) | (broken & (step != 1 or not _real_sizes.get()))
        if np.any(wrong):
            if raw.ndim:
                m = int(np.argmax(wrong))
                _check.fail(
                    argument,
                    must + " for every member",
                    _check.Note(f"{raw.ravel()[m]:g} for member {m}"),
                )
            _check.fail(argument, must, value)
        if np.any(raw > 2**53):
            _check.fail(argument, "be at most 2^53", value)
        if raw.ndim and (self.count is None or raw.shape != (self.count,)):
            need = (
                "be one number"
                if self.count is None
                else f"be one number or have shape ({self.count},)"
            )
            _check.fail(argument, need, _check.Note(f"an array of shape {raw.shape}"))
        return np.broadcast_to(raw, (self.size,)).copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), vars(self))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def _operator(self, combination: dict[str, complex]) -> O:
        made: Any
        if self.count is None:
            made = self._of_member(combination, 0)
        else:
            made = ArrayOp(
                {((self, w),): np.full(self.count, c, complex) for w, c in combination.items()}
            )
        return made  # type: ignore[no-any-return]

    def _of_member(self, combination: dict[str, complex], m: int) -> Op:
        return Op(on_site(self, m, combination))

    if not TYPE_CHECKING:  # editors know what is declared

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(type(self)._unknown(name))

    @classmethod
    def _names(cls) -> list[str]:
        return [*cls.letters, *cls.one_emitter]

    @classmethod
    def _unknown(cls, name: str) -> str:
        names = cls._names()
        near = [n for n in names if n.lower() == name.lower()]
        near += difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        have = ", ".join(names)
        return f"{cls.__name__} has no operator or attribute {name!r}; it has {have}.{hint}"

    def __getitem__(self, m: int) -> Member:
        return Member(self, self._index(m))

    def _index(self, m: Any) -> int:
        if self.count is None:
            raise TypeError(
                f"{self.name!r} is a single subsystem; give it `count=` to index members."
            )
        return member_index("index", m, self.count, repr(self.name))

    def __len__(self) -> int:
        if self.count is None:
            raise TypeError(f"{self.name!r} is a single subsystem and has no length.")
        return self.count

    def operators(self) -> list[str]:
        """Names of what stands after its dot and makes operators."""
        return [*type(self).letters, *type(self).one_emitter]

    def __dir__(self) -> list[str]:
        """What users write after the dot; all else is for kinds themselves."""
        hidden = [n for n in super().__dir__() if n.startswith("_")]
        return [*hidden, *self.operators(), *self.required, *self.optional, "name", "count"]

    def named(self) -> dict[str, Any]:
        """Collective operators by the names of the plain form, and what makes each."""
        return dict(zip(type(self).letters, type(self).letters, strict=True))

    def collective(self, name: str, m: int | None) -> Any:
        """The collective operator of a name of the plain form, of member m or of all."""
        return getattr(self if m is None else self[m], name)

    def __repr__(self) -> str:
        return self.text(None if self.unnamed else self.name)

    def text(self, name: str | None) -> str:
        """What is printed for it under a name."""
        inner = [
            f"{k}={v}" if np.size(v) <= 4 else f"{k}=[{np.min(v):g} … {np.max(v):g}]"
            for k, v in self.parameters().items()
        ]
        if name is not None:
            inner.append(f"name={name!r}")
        if self.count is not None:
            inner.append(f"count={self.count}")
        return f"{type(self).__name__}({', '.join(inner)})"


def naming(subsystems: Iterable[Subsystem]) -> dict[Subsystem, str]:
    """Names that tell subsystems apart: those given, and for the others their kind.

    Unnamed ones of one kind are numbered by their place, "mode", "mode2", …, whatever else was made
    in the process: noise, files and prints are keyed by these names.
    """
    out: dict[Subsystem, str] = {}
    subsystems = tuple(subsystems)
    taken = {s.name for s in subsystems if not s.unnamed}
    for sub in subsystems:
        name = sub.name
        if sub.unnamed:
            numbered = (f"{sub.kind}{k}" for k in itertools.count(2))
            name = next(n for n in itertools.chain([sub.kind], numbered) if n not in taken)
            taken.add(name)
        out[sub] = name
    return out


_real_sizes: ContextVar[bool] = ContextVar("real_sizes", default=False)


@contextmanager
def real_sizes() -> Iterator[None]:
    """Within, ensembles take any real N >= 1: phase-space equations are analytic in N.

    Fits need derivatives by N. Models made here are for methods that never count emitters one by
    one.
    """
    token = _real_sizes.set(True)
    try:
        yield
    finally:
        _real_sizes.reset(token)


class Member:
    """One member of an array: the operators and parameters (``N``, ``S``) of its kind."""

    sub: Any

    def __init__(self, sub: Any, m: int):
        self.sub, self.m = sub, m

    @property
    def name(self) -> str:
        """Name of the array with the index in brackets."""
        return f"{self.sub.name}[{self.m}]"

    @property
    def kind(self) -> str:
        """Kind of the array."""
        return str(self.sub.kind)

    def _operator(self, combination: dict[str, complex]) -> Op:
        made: Op = self.sub._of_member(combination, self.m)
        return made

    if not TYPE_CHECKING:  # editors know what is declared

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(type(self.sub)._unknown(name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Member) and (self.sub, self.m) == (other.sub, other.m)

    def __hash__(self) -> int:
        return hash((self.sub, self.m))

    def __repr__(self) -> str:
        return self.name


class Angular:
    """Operators of an angular momentum."""

    Jx = Word("x component.", x=1)
    Jy = Word("y component.", y=1)
    Jz = Word("z component: half the difference of excited and unexcited emitters.", z=1)
    Jp = Word("Raises: J_x + i J_y.", x=1, y=1j)
    Jm = Word("Lowers: J_x - i J_y.", x=1, y=-1j)


class Vector(Subsystem[O]):
    """A kind whose letters are x, y, z, and + and - where that is shorter to read."""

    prefix: ClassVar[str] = "J"
    symbol: ClassVar[str] = "J"

    def plain_name(self, letter: str) -> str:
        """J_x, J_y or J_z."""
        return self.prefix + letter

    def word_text(self, owner: str, word: str) -> str:
        names = {"+": "p", "-": "m"}
        return "*".join(
            f"{owner}.{self.prefix}{names.get(run[0], run[0])}" + power_text(len(run))
            for run in runs(word)
        )

    def power_latex(self, letter: str, power: int, below: str) -> str:
        body = f"{self.symbol}^{{{letter}}}{below}"
        return body if power == 1 else rf"({body})^{{{power}}}"

    def check_state(self, argument: str, state: Any) -> None:
        """It takes states of the Bloch ball."""
        if not isinstance(state, BlochState):
            must = "be a spin state (wf.up, wf.bloch, …)"
            _check.fail(argument, must, state, kind=TypeError)
