"""Emitters of d levels: the subsystem ``Levels`` and operators of one of its emitters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .kinds.base import Member, O, Subsystem
from .kinds.ensemble import LocalOp
from .level_states import LevelState
from .numerals import latex_name
from .operators import ArrayOp, Op
from .reading_values import nearest, per_member, sequence
from .words import LEVEL, LEVELS, MOST, Algebra, letter, levels_of

if TYPE_CHECKING:
    from typing import Self

Matrix = NDArray[np.complex128]
_METHODS = ("op", "pop", "matrix", "one", "one_pop", "one_matrix")
_SPIN = ("Sx", "Sy", "Sz", "Sp", "Sm")


class SpinWord:
    """A component of the collective spin of ``Levels.spin``; other levels have none."""

    def __init__(self, doc: str):
        self.__doc__ = doc

    def __set_name__(self, owner: Any, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, owner: None, kind: Any) -> Self: ...
    @overload
    def __get__(self, owner: LevelOperators[O], kind: Any) -> O: ...
    def __get__(self, owner: Any, kind: Any) -> Any:
        if owner is None:
            return self
        levels = owner._levels
        if not levels.is_spin:
            raise AttributeError(self.name)
        return owner._sum(spin_matrix(self.name, levels.d))


class LevelOperators(Generic[O]):
    """Operators of emitters of d levels: of a set of them, or of one member of an array."""

    Sx = SpinWord("x component of the spin of ``Levels.spin``.")
    Sy = SpinWord("y component of the spin of ``Levels.spin``.")
    Sz = SpinWord("z component of the spin of ``Levels.spin``.")
    Sp = SpinWord("Raises the spin of ``Levels.spin``: S_x + i S_y.")
    Sm = SpinWord("Lowers the spin of ``Levels.spin``: S_x - i S_y.")

    if TYPE_CHECKING:

        def _operator(self, combination: dict[str, complex]) -> O: ...

        def _one(self, c: Matrix) -> LevelOp: ...

    @property
    def _levels(self) -> Levels[Any]:
        found: Any = self.sub if isinstance(self, Member) else self
        return found  # type: ignore[no-any-return]

    def __dir__(self) -> list[str]:
        return [n for n in super().__dir__() if n not in _SPIN or hasattr(self, n)]

    def op(self, a: str, b: str) -> O:
        """sum_n |a><b|_n: takes an emitter from level b to a."""
        return self._sum(self._levels._unit(a, b))

    def pop(self, a: str) -> O:
        """The number of emitters in level a."""
        return self._sum(self._levels._unit(a, a))

    def matrix(self, A: ArrayLike) -> O:
        """sum_n A_n for a d x d matrix A, rows and columns in the order of ``labels``."""
        return self._sum(self._levels._matrix(A))

    def one(self, a: str, b: str) -> LevelOp:
        """|a><b| of one emitter, for ``LocalJump``: a jump b -> a."""
        return self._one(self._levels._unit(a, b))

    def one_pop(self, a: str) -> LevelOp:
        """|a><a| of one emitter, for ``LocalJump``."""
        return self._one(self._levels._unit(a, a))

    def one_matrix(self, A: ArrayLike) -> LevelOp:
        """A d x d matrix of one emitter, for ``LocalJump``."""
        return self._one(self._levels._matrix(A))

    def _sum(self, A: Matrix) -> O:
        entries = {letter(a, b): complex(A[a, b]) for a, b in zip(*np.nonzero(A), strict=True)}
        return self._operator(entries or {letter(0, 0): 0j})


class LevelsMember(Member, LevelOperators[Op]):
    """One set of emitters of an array."""

    @property
    def N(self) -> int:
        """Number of its emitters."""
        return int(self.sub.numbers[self.m])

    def _one(self, c: Matrix) -> LevelOp:
        return LevelOp(self.sub, c, self.m)


class Levels(Subsystem[O], LevelOperators[O]):
    r"""N identical emitters of d levels, treated as permutation invariant.

    Collective operators, of all emitters, are made from labels of levels:

    - ``op(a, b)`` is :math:`\sum_n |a\rangle\langle b|_n`, a jump b -> a;
    - ``pop(a)`` is ``op(a, a)``, the number of emitters in level a;
    - ``matrix(A)`` is :math:`\sum_n A_n` for any d x d matrix A, in the order of ``labels``.

    ``one(a, b)``, ``one_pop(a)`` and ``one_matrix(A)`` are the same on one emitter, which only
    ``LocalJump`` takes. Initial states are ``wf.level``, ``wf.levels``, ``wf.mixture`` and
    ``wf.density``.

    Args:
        N: number of emitters, or one number per member, shape (count,).
        labels: d different names of levels, 2 to 8, or d for the names "0" to "d-1".
        name: label used in results and messages.
        count: None for one set of emitters, M for an array of M.

    Raises:
        TypeError: a label is no string.
        ValueError: N is not a positive integer; labels are equal, empty, more than 8, or hold
            characters that write operators.

    Example:
        >>> import wignerflow as wf
        >>> atoms = wf.Levels(100, ["g", "e", "f"], name="atoms")
        >>> atoms.op("g", "e").dag() == atoms.op("e", "g")
        True
    """

    kind = "levels"
    required = ("N", "labels")
    latex_where = r"\Sigma^{ab} = \sum_{n} \sigma^{ab}_{n},\quad \sigma^{ab} = |a\rangle\langle b|"

    @overload
    def __init__(
        self: Levels[Op],
        N: float,
        labels: Sequence[str] | int,
        name: str | None = None,
        *,
        count: None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Levels[ArrayOp],
        N: ArrayLike,
        labels: Sequence[str] | int,
        name: str | None = None,
        *,
        count: int,
    ) -> None: ...
    @overload
    def __init__(
        self: Levels[Any],
        N: ArrayLike,
        labels: Sequence[str] | int,
        name: str | None = None,
        *,
        count: int | None,
    ) -> None: ...
    @_check.called("wf.Levels(100, ['g', 'e', 'f'], name='atoms')")
    def __init__(self, N: Any, labels: Any, name: str | None = None, *, count: int | None = None):
        super().__init__(name, count)
        self.numbers = self._per_member("N", N, 1, 1).astype(np.int64)
        self.numbers.flags.writeable = False
        self.labels = _labels(labels)

    @overload
    @classmethod
    def spin(
        cls, F: float, N: float, name: str | None = None, *, count: None = None
    ) -> Levels[Op]: ...
    @overload
    @classmethod
    def spin(
        cls, F: float, N: ArrayLike, name: str | None = None, *, count: int
    ) -> Levels[ArrayOp]: ...
    @classmethod
    def spin(cls, F: Any, N: Any, name: str | None = None, *, count: int | None = None) -> Any:
        r"""N emitters of spin F, with the collective ``Sx Sy Sz Sp Sm``.

        Levels are the eigenstates of :math:`S_z`, labelled "-F" to "+F" in steps of one ("0" for
        zero, "-1/2" for halves), in this order.

        Args:
            F: spin of one emitter, a positive multiple of 1/2, at most 7/2.
            N: number of emitters, or one number per member, shape (count,).
            name: label used in results and messages.
            count: None for one set of emitters, M for an array of M.

        Raises:
            ValueError: F is no positive multiple of 1/2, or larger than 7/2.

        Example:
            >>> import wignerflow as wf
            >>> wf.Levels.spin(1, 100).labels
            ('-1', '0', '+1')
        """
        twice = 2 * _check.real("F", F)
        if twice <= 0 or twice != round(twice) or twice > MOST - 1:
            _check.fail("F", f"be a positive multiple of 1/2, at most {MOST - 1}/2", F)
        return cls(N, spin_labels(round(twice)), name, count=count)

    @property
    def N(self) -> Any:
        """Number of emitters: an integer, or an integer array of shape (count,)."""
        return int(self.numbers[0]) if self.count is None else self.numbers

    @property
    def d(self) -> int:
        """Number of levels."""
        return len(self.labels)

    @property
    def is_spin(self) -> bool:
        """Whether the levels are those of a spin F = (d - 1)/2, as ``Levels.spin`` names them."""
        return self.labels == spin_labels(self.d - 1)

    @property
    def algebra(self) -> Algebra:
        """Rules of multiplication: products of operators of one emitter are such operators."""
        return LEVEL if np.all(self.numbers == 1) else LEVELS

    def index(self, label: Any, argument: str = "label") -> int:
        """The number of a level.

        Raises:
            ValueError: there is none of that label; the nearest is named.
        """
        if not isinstance(label, str):
            _check.fail(argument, "be the label of a level", label, kind=TypeError)
        if label not in self.labels:
            listed = ", ".join(map(repr, self.labels))
            must = f"be a level of {self.name!r} ({listed})"
            _check.fail(argument, must, label, nearest(label, list(self.labels)))
        return self.labels.index(label)

    def __getitem__(self, m: int) -> LevelsMember:
        return LevelsMember(self, self._index(m))

    def _one(self, c: Matrix) -> LevelOp:
        return LevelOp(self, c)

    def _unit(self, a: Any, b: Any) -> Matrix:
        out = np.zeros((self.d, self.d), complex)
        out[self.index(a, "a"), self.index(b, "b")] = 1
        return out

    def _matrix(self, A: Any) -> Matrix:
        out = _check.numeric_array("A", A, complex)
        if out.shape != (self.d, self.d):
            must = f"have shape ({self.d}, {self.d}), one row and column per level"
            _check.fail("A", must, _check.Note(f"of shape {out.shape}"))
        return np.asarray(out)

    def plain_name(self, x: str) -> str:
        """The name |a><b| of a letter in the plain form."""
        a, b = levels_of(x)
        return f"|{self.labels[a]}><{self.labels[b]}|"

    @classmethod
    def _names(cls) -> list[str]:
        return list(_METHODS)

    @classmethod
    def _unknown(cls, name: str) -> str:
        return f"{super()._unknown(name)} Those of `Levels.spin` have {', '.join(_SPIN)}, too."

    def operators(self) -> list[str]:
        return [*_METHODS, *(_SPIN if self.is_spin else ())]

    def named(self) -> dict[str, Any]:
        """Operators |a><b| by the names of the plain form, with a and b."""
        pairs = [(a, b) for a in range(self.d) for b in range(self.d)]
        return {self.plain_name(letter(a, b)): (a, b) for a, b in pairs}

    def collective(self, name: str, m: int | None) -> Any:
        a, b = self.named()[name]
        return (self if m is None else self[m])._operator({letter(int(a), int(b)): 1.0})

    def parameters(self) -> dict[str, Any]:
        n = self.numbers
        N = int(n[0]) if np.all(n == n[0]) else n.tolist()
        return {"N": N, "labels": list(self.labels)}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        N = per_member(f"{where}.N", entry["N"], count)
        return {"N": N, "labels": sequence(f"{where}.labels", entry["labels"], MOST)}

    def word_text(self, owner: str, word: str) -> str:
        pairs = [[self.labels[i] for i in levels_of(x)] for x in word]
        return "*".join(
            f"{owner}.pop({a!r})" if a == b else f"{owner}.op({a!r}, {b!r})" for a, b in pairs
        )

    def power_latex(self, letter: str, power: int, below: str) -> str:
        body = rf"\Sigma^{{{self.pair_latex(*levels_of(letter))}}}{below}"
        return body if power == 1 else rf"({body})^{{{power}}}"

    def pair_latex(self, a: int, b: int) -> str:
        """The labels of two levels."""
        return rf"{latex_name(self.labels[a])}\,{latex_name(self.labels[b])}"

    def check_state(self, argument: str, state: Any) -> None:
        """It takes states of its levels."""
        if not isinstance(state, LevelState):
            must = "be a state of levels (wf.level, wf.levels, wf.mixture, wf.density)"
            _check.fail(argument, must, state, kind=TypeError)
        state.density(self, argument)


def spin_labels(twice: int) -> tuple[str, ...]:
    """Labels of the levels of a spin ``twice``/2."""
    values = [Fraction(2 * k - twice, 2) for k in range(twice + 1)]
    return tuple(f"+{m}" if m > 0 else str(m) for m in values)


def spin_matrix(name: str, d: int) -> Matrix:
    """S_x, S_y, S_z, S_+ or S_- in the basis of ascending m."""
    F = (d - 1) / 2
    m = np.arange(d) - F
    plus = np.diag(np.sqrt(F * (F + 1) - m[:-1] * m[1:]), -1).astype(complex)
    minus = plus.T
    return {
        "Sx": (plus + minus) / 2,
        "Sy": (plus - minus) / 2j,
        "Sz": np.diag(m).astype(complex),
        "Sp": plus,
        "Sm": minus,
    }[name]


def _labels(labels: Any) -> tuple[str, ...]:
    if isinstance(labels, (int, np.integer)) and not isinstance(labels, bool):
        number = _check.integer("labels", labels, 2)
        if number > MOST:
            _check.fail("labels", f"be at most {MOST} levels", number)
        labels = [str(k) for k in range(number)]
    if isinstance(labels, str) or not isinstance(labels, (list, tuple)):
        must = 'be a list of names of levels such as ["g", "e"]'
        _check.fail("labels", must, labels, kind=TypeError)
    if not 2 <= len(labels) <= MOST:
        _check.fail("labels", f"be 2 to {MOST} names", _check.Note(f"a list of {len(labels)}"))
    for k, label in enumerate(labels):
        where = f"labels[{k}]"
        if not isinstance(label, str):
            _check.fail(where, "be a string", label, kind=TypeError)
        if not label or not label.isprintable() or set("[].|<>,") & set(label):
            _check.fail(where, "be printable text without any of [ ] . | < > and comma", label)
        if label in (*_METHODS, *_SPIN):
            _check.fail(where, "be no name of an operator", label)
        if label in labels[:k]:
            _check.fail(where, "be different from every other label", label)
    return tuple(labels)


class LevelOp(LocalOp):
    r"""A one-emitter operator of ``Levels``, a d x d matrix ``c``; see :class:`LocalOp`."""

    sub: Levels
    summed = "Its sum over all emitters is collective: use op(a, b), pop(a) or matrix(A)."

    def _identity(self) -> Matrix:
        return np.eye(self.sub.d, dtype=complex)

    def _times(self, other: LocalOp) -> Matrix:
        return np.asarray(self.c @ other.c)

    def dag(self) -> LevelOp:
        return LevelOp(self.sub, self.c.conj().T, self.member)

    def over_emitters(self) -> Any:
        whole: Any = self.sub if self.member is None else self.sub[self.member]
        total = 0
        for a, b in zip(*np.nonzero(self.c), strict=True):
            total = total + self.c[a, b] * whole.op(self.sub.labels[a], self.sub.labels[b])
        return total

    def matrix(self) -> Matrix:
        """The d x d matrix in the order of the labels."""
        return np.asarray(self.c)

    def named_terms(self) -> list[tuple[complex, str]]:
        labels = self.sub.labels
        entries = zip(*np.nonzero(self.c), strict=True)
        return [(complex(self.c[a, b]), f"one({labels[a]!r}, {labels[b]!r})") for a, b in entries]

    def latex_terms(self, index: str) -> list[tuple[complex, str]]:
        return [
            (complex(self.c[a, b]), rf"\sigma^{{{self.sub.pair_latex(a, b)}}}_{{{index}}}")
            for a, b in zip(*np.nonzero(self.c), strict=True)
        ]

    def plain_terms(self) -> list[tuple[str, complex]]:
        return list(zip(self.sub.named(), self.c.ravel().tolist(), strict=True))
