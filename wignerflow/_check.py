"""Argument checks shared by the whole package: messages name argument, requirement, value."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import numbers
import reprlib
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxlong, _REPR.maxother = 4, 117, 117, 117
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 12


#: The remedy for booleans.
AS_NUMBER = "Multiply a condition by one to make it a number, as in `1.0 * (t > 1)`."
#: That for functions, which operators and rates do not take.
OF_TIME = "A function f of time is given as `wf.coef(f)`."


class Note(str):
    """What a value was, in words: shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _show(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    text = " ".join(_REPR.repr(value).split())
    return text if len(text) <= 120 else text[:117] + "..."


def fail(
    argument: str, must: str, was: Any, hint: str = "", kind: type[Exception] = ValueError
) -> NoReturn:
    """Raise ``kind`` with the one form of message the library uses."""
    if not hint and must.startswith("be an operator") and hasattr(was, "operators"):
        hint = f"Its operators stand after a dot: {', '.join(was.operators())}."
    message = f"Argument `{argument}` must {must}, but was {_show(was)}."
    raise kind(f"{message} {hint}".rstrip())


#: Packages whose frames nobody is warned of; of context managers, which call back into this one.
INSIDE = (__name__.partition(".")[0], "contextlib")
C = TypeVar("C", bound=Callable[..., Any])


def called(example: str) -> Callable[[C], C]:
    """Let a call that does not fit a constructor or function end with one that does."""

    def around(function: C) -> C:
        @functools.wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            try:
                return function(*args, **named)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise  # from inside
                what = _misfit(function, args, named) or f"{error}."
            raise TypeError(f"{what} For example `{example}`.")

        return call  # type: ignore[return-value]

    return around


def _misfit(
    function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
) -> str | None:
    """What is wrong with the arguments: a name, a place, or one that is lacking."""
    parameters = list(inspect.signature(function).parameters.values())
    kind = f"wf.{function.__name__}"
    if parameters[0].name == "self":
        kind, args, parameters = type(args[0]).__name__, args[1:], parameters[1:]
    rest = any(p.kind is p.VAR_KEYWORD for p in parameters)
    parameters = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    names = [p.name for p in parameters]
    for name in named:
        if name not in names and not rest:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names)}."
            return f"{kind} has no argument `{name}`; {hint}"
    places = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    if len(args) > len(places):
        others = ", ".join(names[len(places) :]) or "nothing"
        return f"{kind} takes {', '.join(places)} by place, and {others} by name."
    given = {*places[: len(args)], *named}
    lacking = [p.name for p in parameters if p.default is p.empty and p.name not in given]
    if lacking:
        return f"{kind} needs the argument `{lacking[0]}`."
    return None


def warn(text: str, kind: type[Warning] = UserWarning) -> None:
    """Warn of the line outside of this package that all began with."""
    frame, level = sys._getframe(1), 2
    while frame is not None and str(frame.f_globals.get("__name__")).split(".")[0] in INSIDE:
        frame, level = frame.f_back, level + 1  # type: ignore[assignment]
    warnings.warn(text, kind, stacklevel=level)


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse array of SciPy, whose module is not imported to say so."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(value))


def integer(argument: str, value: Any, minimum: int, most: float = math.inf) -> int:
    """A whole number from ``minimum`` to ``most`` (bools are refused)."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        fail(argument, f"be an integer of at least {minimum}", value, kind=TypeError)
    if value < minimum:
        fail(argument, f"be an integer of at least {minimum}", value)
    if int(value) > most:
        fail(argument, f"be at most {most}", value)
    return int(value)


def real(argument: str, value: Any) -> float:
    """A finite real number."""
    if isinstance(value, (bool, np.bool_)):
        fail(argument, "be a real number", value, AS_NUMBER, TypeError)
    if not isinstance(value, numbers.Real):
        fail(argument, "be a real number", value, kind=TypeError)
    try:
        out = float(value)
    except OverflowError:
        fail(argument, "be representable as a double", value)
    if not math.isfinite(out):
        fail(argument, "be finite", value)
    return out


def positive(argument: str, value: Any) -> float:
    """A finite real number > 0."""
    out = real(argument, value)
    if out <= 0:
        fail(argument, "be positive", value)
    return out


def numeric_array(argument: str, value: Any, dtype: type = complex) -> NDArray[Any]:
    """A finite numeric array of the given dtype."""
    try:
        raw = np.asarray(value)
        if raw.dtype.kind == "b":
            fail(argument, "be numeric", value, AS_NUMBER, TypeError)
        if raw.dtype == object or raw.dtype.kind in "USVmM":
            raise TypeError
        if dtype is float and raw.dtype.kind == "c":
            fail(argument, "be real", value)
        out: NDArray[Any] = raw.astype(dtype)
    except (TypeError, ValueError) as error:
        if str(error).startswith("Argument"):
            raise
        fail(argument, "be numeric", value, kind=TypeError)
    if not np.all(np.isfinite(out)):
        fail(argument, "be finite everywhere", value)
    return out


def scalar(argument: str, value: Any) -> complex | None:
    """A number, as a complex one; None where it is none."""
    if isinstance(value, (numbers.Number, np.bool_)) or (
        isinstance(value, np.ndarray) and value.ndim == 0
    ):
        return complex(numeric_array(argument, value, complex))
    return None


def printable(text: str) -> str:
    """Text of unknown origin on one line of a terminal: control characters as their escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def one_of(argument: str, value: Any, options: Iterable[str]) -> str:
    """One of a set of names; suggests the nearest."""
    names = list(options)
    if not isinstance(value, str) or value not in names:
        near = difflib.get_close_matches(str(value), names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else ""
        fail(argument, "be one of " + ", ".join(repr(n) for n in names), value, hint)
    return value


def choices(allowed: Mapping[str, Iterable[str]], given: Mapping[str, Any]) -> None:
    """Every argument of a table is one of its names."""
    for name, options in allowed.items():
        one_of(name, given[name], options)


#: What stands for a time axis; NumPy's ``ArrayLike`` would let texts and single numbers pass.
Times: TypeAlias = Sequence[float] | NDArray[np.floating[Any] | np.integer[Any]]


def tlist(value: Any, argument: str = "tlist") -> NDArray[np.float64]:
    """A strictly increasing, finite time axis of at least two points."""
    t = numeric_array(argument, value, float)
    if t.ndim != 1 or t.size < 2:
        fail(argument, "be a one-dimensional array of at least two times", value)
    if not np.all(np.diff(t) > 0):
        fail(argument, "increase strictly", value)
    return t
