"""Tables, lists and numbers of a plain form, read strictly: every message names the place.

A place is text such as ``model.H[2].coef``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import _check

# Sizes beyond which a plain form is refused, before anything large is built.
FORMAT = 1
MAX_SUBSYSTEMS = 10_000
MAX_MEMBERS = 2_000_000  # over all subsystems
MAX_TERMS = 100_000  # of one operator
MAX_JUMPS = 100_000
MAX_LETTERS = 12  # elementary operators in one term
MAX_SUMS = 4  # sums and couplings in one term
MAX_SIZE = 1e30  # of a number, so that products and squares stay finite
MAX_WORK = 500_000_000  # entries of all weights, products counted by their expansion


ROOT = "model"


def nearest(name: Any, names: Iterable[str]) -> str:
    """A hint with the name that may be meant; empty if none is near."""
    text, names = str(name)[:80], list(names)[:10_000]
    near = [n for n in names if n.lower() == text.lower()]
    near += difflib.get_close_matches(text, names, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else ""


def table(
    where: str, data: Any, required: Iterable[str], optional: Iterable[str] = ()
) -> Mapping[str, Any]:
    """A table that has the required keys and no others than the optional ones."""
    required, optional = list(required), list(optional)
    known = required + optional
    if not isinstance(data, Mapping):
        keys = ", ".join(known)
        _check.fail(where, f"be a table with the keys {keys}", data, kind=TypeError)
    for key in data:
        if key not in known:
            listed = ", ".join(known)
            _check.fail(where, f"have no other keys than {listed}", key, nearest(key, known))
    for key in required:
        if key not in data:
            missing(where, key, data, [k for k in data if k not in required])
    return data


def missing(where: str, key: str, data: Mapping[str, Any], spare: list[str]) -> NoReturn:
    """Refuse a table that lacks ``key``; one of the keys ``spare`` may be its misspelling."""
    near = difflib.get_close_matches(key, [str(k)[:80] for k in spare], n=1)
    hint = f"Did you mean {key!r} where it says {near[0]!r}?" if near else ""
    have = ", ".join(map(str, data)) or "no keys"
    _check.fail(where, f"have the key {key!r}", _check.Note(f"a table with {have}"), hint)


def sequence(where: str, data: Any, limit: int) -> list[Any]:
    """A list of at most ``limit`` entries."""
    if not isinstance(data, (list, tuple)):
        _check.fail(where, "be a list", data, kind=TypeError)
    if len(data) > limit:
        _check.fail(where, f"have at most {limit} entries", _check.Note(f"a list of {len(data)}"))
    return list(data)


def real(where: str, data: Any) -> float:
    """A finite number."""
    if isinstance(data, str):
        _check.fail(where, "be a number", data, "Expressions are not evaluated.", TypeError)
    out = _check.real(where, data)
    if abs(out) > MAX_SIZE:
        _check.fail(where, f"be at most {MAX_SIZE:g} in size", data)
    return out


def reals(where: str, data: Any, size: int | None = None) -> NDArray[np.float64]:
    """A list of finite numbers, shape (size,)."""
    values = sequence(where, data, 2**40)
    if size is not None and len(values) != size:
        _check.fail(
            where, f"have {size} entries, one per member", _check.Note(f"a list of {len(values)}")
        )
    if not {type(v) for v in values} <= {int, float}:
        return np.array([real(f"{where}[{k}]", v) for k, v in enumerate(values)], float)
    try:
        out = np.array(values, float)
    except OverflowError:
        out = np.array([np.inf])
    if not np.all(np.abs(out) <= MAX_SIZE):
        return np.array([real(f"{where}[{k}]", v) for k, v in enumerate(values)], float)
    return out


def rows(where: str, data: Any, size: int) -> NDArray[np.float64]:
    """A square matrix as a list of rows, shape (size, size)."""
    values = sequence(where, data, 2**40)
    if len(values) != size:
        _check.fail(where, f"have {size} rows, one per member", _check.Note(f"{len(values)} rows"))
    return np.array([reals(f"{where}[{k}]", row, size) for k, row in enumerate(values)])


def flag(where: str, data: Any) -> bool:
    """True or false."""
    if not isinstance(data, bool):
        _check.fail(where, "be true or false", data, kind=TypeError)
    return data


def per_member(where: str, data: Any, count: int | None) -> Any:
    """A number, or one per member of an array."""
    if isinstance(data, (list, tuple)) and count is not None:
        return reals(where, data, count)
    return real(where, data)


def scalar(where: str, data: Any) -> complex:
    """A number, or [re, im]."""
    if isinstance(data, (list, tuple)):
        if len(data) != 2:
            _check.fail(where, "be a number or [real part, imaginary part]", data)
        return complex(real(f"{where}[0]", data[0]), real(f"{where}[1]", data[1]))
    return complex(real(where, data))


def name_of(where: str, data: Any, names: Iterable[str], what: str) -> str:
    """One of the given names."""
    if not isinstance(data, str):
        _check.fail(where, f"be the name of {what}", data, kind=TypeError)
    names = list(names)
    if data not in names:
        listed = ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "")
        _check.fail(where, f"name {what} ({listed or 'there is none'})", data, nearest(data, names))
    return data


def complex_plain(w: Any) -> dict[str, Any]:
    """Real and imaginary parts as lists; the imaginary part only where it is not zero."""
    out: dict[str, Any] = {"real": (w.real + 0.0).tolist()}
    return {**out, "imag": (w.imag + 0.0).tolist()} if np.any(w.imag) else out


def entry_complex(parts: Mapping[str, Any]) -> Any:
    """Real and imaginary parts put together."""
    if "imag" not in parts:
        return parts["real"]
    if np.shape(parts["real"]) != np.shape(parts["imag"]):
        _check.fail(
            "imag", "have the shape of `real`", _check.Note(f"of shape {np.shape(parts['imag'])}")
        )
    return parts["real"] + 1j * parts["imag"]


def indices(where: str, data: Any, size: int) -> NDArray[np.int64]:
    """A list of indices below ``size``."""
    values = sequence(where, data, 2**40)
    for k, v in enumerate(values):
        if type(v) is not int or not 0 <= v < size:
            _check.fail(f"{where}[{k}]", f"be an index from 0 to {size - 1}", v)
    return np.array(values, np.int64)


class naming:
    """Says where in the file an error of the library's own constructors arose."""

    def __init__(self, where: str):
        self.where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, (ValueError, TypeError)) and f"`{ROOT}." not in str(error):
            raise type(error)(f"In `{self.where}`: {error}") from None
