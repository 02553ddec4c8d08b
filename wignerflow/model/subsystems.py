"""Subsystems: what a model is made of, and the elementary operators of each."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .operators import ArrayOp, LocalOp, Op, Site

_uid = itertools.count()


class Subsystem:
    """Base of all subsystems: a name, a kind, and ``count`` members (None for a single one).

    ``sub[m]`` of an array gives a view whose operators act on member ``m``.
    """

    kind = ""
    letters: dict[str, dict[str, complex]] = {}

    def __init__(self, name: str | None, count: int | None):
        self.uid = next(_uid)
        self.name = name if name is not None else f"{self.kind}{self.uid}"
        if not isinstance(self.name, str) or not self.name:
            _check.fail("name", "be a non-empty string", name, kind=TypeError)
        self.count = None if count is None else _check.integer("count", count, 1)

    @property
    def size(self) -> int:
        """Number of members (1 for a single subsystem)."""
        return 1 if self.count is None else self.count

    def _per_member(self, argument: str, value: Any, minimum: float, step: float) -> NDArray[np.float64]:
        """A number or one per member, each a multiple of ``step`` and at least ``minimum``; shape (size,)."""
        must = "be a positive integer" if step == 1 else "be a positive multiple of 1/2"
        raw = _check.numeric_array(argument, value, float)
        if isinstance(value, (bool, np.bool_)) or np.any(raw < minimum) or np.any(raw / step != np.round(raw / step)):
            _check.fail(argument, must, value)
        if raw.ndim and (self.count is None or raw.shape != (self.count,)):
            need = "be one number" if self.count is None else f"be one number or have shape ({self.count},)"
            _check.fail(argument, need, f"an array of shape {raw.shape}")
        return np.broadcast_to(raw, (self.size,)).copy()

    def _operator(self, combination: dict[str, complex], member: int | None) -> Any:
        if self.count is not None and member is None:
            return ArrayOp({((self, w),): np.full(self.count, c, complex) for w, c in combination.items()})
        return Op({((), (Site(self, member or 0, w),)): c for w, c in combination.items()})

    def __getattr__(self, name: str) -> Any:
        combination = type(self).letters.get(name)
        if combination is not None:
            return self._operator(combination, None)
        raise AttributeError(f"{type(self).__name__} has no operator or attribute {name!r}; it has {', '.join(self.letters)}.")

    def __getitem__(self, m: int) -> Member:
        if self.count is None:
            raise TypeError(f"{self.name!r} is a single subsystem; give it `count=` to index members.")
        index = _check.integer("index", m, -self.count)
        if index >= self.count:
            raise IndexError(f"Argument `index` must be below {self.count}, the members of {self.name!r}, but was {m}.")
        return Member(self, index % self.count)

    def __len__(self) -> int:
        if self.count is None:
            raise TypeError(f"{self.name!r} is a single subsystem and has no length.")
        return self.count

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments besides name and count."""
        return {}

    def __repr__(self) -> str:
        inner = [f"{k}={v}" for k, v in self.parameters().items() if np.size(v) < 4]
        inner.append(f"name={self.name!r}")
        if self.count is not None:
            inner.append(f"count={self.count}")
        return f"{type(self).__name__}({', '.join(inner)})"


class Member:
    """One member of an array, with the operators of its kind."""

    def __init__(self, sub: Subsystem, m: int):
        self.sub, self.m = sub, m

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        combination = type(self.sub).letters.get(name)
        if combination is not None:
            return self.sub._operator(combination, self.m)
        if isinstance(self.sub, Ensemble) and name in _ONE_EMITTER:
            return LocalOp(self.sub, _ONE_EMITTER[name], self.m)
        raise AttributeError(f"{self.sub!r} has no operator {name!r}; it has {', '.join(self.sub.letters)}.")

    def __repr__(self) -> str:
        return f"{self.sub.name}[{self.m}]"


_ANGULAR: dict[str, dict[str, complex]] = {
    "Jx": {"x": 1},
    "Jy": {"y": 1},
    "Jz": {"z": 1},
    "Jp": {"x": 1, "y": 1j},
    "Jm": {"x": 1, "y": -1j},
}
_ONE_EMITTER = {
    "sx": [0, 1, 0, 0],
    "sy": [0, 0, 1, 0],
    "sz": [0, 0, 0, 1],
    "sp": [0, 0.5, 0.5j, 0],
    "sm": [0, 0.5, -0.5j, 0],
}


class Ensemble(Subsystem):
    r"""N identical two-level emitters, treated as permutation invariant.

    Operators: collective ``Jx Jy Jz Jp Jm`` with :math:`J_a = \sum_n \sigma^a_n/2` and
    :math:`J^\pm = J_x \pm i J_y`; one-emitter ``sx sy sz sp sm`` (Pauli and ladder,
    :math:`\sigma^\pm = (\sigma^x \pm i\sigma^y)/2`), which only ``LocalJump`` takes.

    Args:
        N: number of emitters, or one number per member, shape (count,).
        name: label used in results and messages.
        count: None for one ensemble, M for an array of M.

    Raises:
        ValueError: N is not a positive integer.
    """

    kind = "ensemble"
    letters = _ANGULAR

    def __init__(self, N: Any, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)
        self.numbers = self._per_member("N", N, 1, 1).astype(np.int64)

    @property
    def N(self) -> Any:
        """Number of emitters: an integer, or an integer array of shape (count,)."""
        return int(self.numbers[0]) if self.count is None else self.numbers

    def __getattr__(self, name: str) -> Any:
        if name in _ONE_EMITTER:
            return LocalOp(self, _ONE_EMITTER[name])
        return super().__getattr__(name)

    def parameters(self) -> dict[str, Any]:
        n = self.numbers
        return {"N": int(n[0]) if np.all(n == n[0]) else n.tolist()}


class CollectiveSpin(Subsystem):
    r"""An angular momentum of fixed length S (a positive multiple of 1/2).

    Operators ``Jx Jy Jz Jp Jm`` with :math:`[J_x, J_y] = i J_z`. ``S`` may be one number per member.
    """

    kind = "collective"
    letters = _ANGULAR

    def __init__(self, S: Any, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)
        self.lengths = self._per_member("S", S, 0.5, 0.5)

    @property
    def S(self) -> Any:
        """Spin length: a number, or an array of shape (count,)."""
        return float(self.lengths[0]) if self.count is None else self.lengths

    def parameters(self) -> dict[str, Any]:
        s = self.lengths
        return {"S": float(s[0]) if np.all(s == s[0]) else s.tolist()}


class Spin(Subsystem):
    r"""One spin-1/2: Pauli ``sx sy sz`` and ladder ``sp sm``, :math:`\sigma^\pm = (\sigma^x \pm i\sigma^y)/2`."""

    kind = "spin"
    letters = {
        "sx": {"x": 1},
        "sy": {"y": 1},
        "sz": {"z": 1},
        "sp": {"x": 0.5, "y": 0.5j},
        "sm": {"x": 0.5, "y": -0.5j},
    }

    def __init__(self, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)


class Mode(Subsystem):
    r"""One bosonic mode: ``a``, ``adag`` and ``n`` :math:`= a^\dagger a`, :math:`[a, a^\dagger] = 1`.

    Args:
        cutoff: highest Fock state plus one for exact methods; None lets them choose and check it.
    """

    kind = "mode"
    letters = {"a": {"a": 1}, "adag": {"d": 1}, "n": {"da": 1}}

    def __init__(self, name: str | None = None, *, cutoff: int | None = None, count: int | None = None):
        super().__init__(name, count)
        self.cutoff = None if cutoff is None else _check.integer("cutoff", cutoff, 2)

    def parameters(self) -> dict[str, Any]:
        return {} if self.cutoff is None else {"cutoff": self.cutoff}


KINDS: dict[str, type[Subsystem]] = {c.kind: c for c in (Ensemble, CollectiveSpin, Spin, Mode)}
