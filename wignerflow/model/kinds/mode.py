"""Bosonic modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from ... import _check
from .. import words
from ..mode_states import ModeState
from ..numerals import power_text, runs
from ..operators import ArrayOp, Op
from .base import Member, O, Subsystem, Word


class Bosonic:
    """Operators of a bosonic mode."""

    a = Word("Annihilates a quantum.", a=1)
    adag = Word("Creates a quantum.", d=1)
    n = Word("Number of quanta, adag a.", da=1)


class ModeMember(Member, Bosonic):
    """One mode of an array."""


class Mode(Subsystem[O], Bosonic):
    r"""One bosonic mode: ``a``, ``adag`` and ``n`` = adag a, with :math:`[a, a^\dagger] = 1`.

    Args:
        name: label used in results and messages.
        cutoff: number of Fock states kept by exact methods; None lets them choose and check it.
        count: None for one mode, M for an array of M.
    """

    kind = "mode"
    algebra = words.BOSON  # type: ignore[assignment]
    optional = ("cutoff",)

    @overload
    def __init__(
        self: Mode[Op], name: str | None = None, *, cutoff: int | None = None, count: None = None
    ) -> None: ...
    @overload
    def __init__(
        self: Mode[ArrayOp], name: str | None = None, *, cutoff: int | None = None, count: int
    ) -> None: ...
    @overload
    def __init__(
        self: Mode[Any], name: str | None = None, *, cutoff: int | None = None, count: int | None
    ) -> None: ...
    def __init__(
        self, name: str | None = None, *, cutoff: int | None = None, count: int | None = None
    ):
        super().__init__(name, count)
        self.cutoff = None if cutoff is None else _check.integer("cutoff", cutoff, 2)

    def __getitem__(self, m: int) -> ModeMember:
        return ModeMember(self, self._index(m))

    def parameters(self) -> dict[str, Any]:
        return {} if self.cutoff is None else {"cutoff": self.cutoff}

    @classmethod
    def read(cls, where: str, entry: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        if "cutoff" not in entry:
            return {}
        return {"cutoff": _check.integer(f"{where}.cutoff", entry["cutoff"], 2)}

    def plain_name(self, letter: str) -> str:
        """``a`` or ``adag``."""
        return {"d": "adag", "a": "a"}[letter]

    def word_text(self, owner: str, word: str) -> str:
        if word == "da":
            return f"{owner}.n"
        return "*".join(
            f"{owner}.{self.plain_name(run[0])}" + power_text(len(run)) for run in runs(word)
        )

    def power_latex(self, letter: str, power: int, below: str) -> str:
        above = (r"\dagger " if letter == "d" else "") + (str(power) if power > 1 else "")
        return (f"a^{{{above.strip()}}}" if above else "a") + below

    def check_state(self, argument: str, state: Any) -> None:
        """It takes states of a mode that do not depend on time."""
        if not isinstance(state, ModeState):
            must = "be a mode state (wf.vacuum, wf.coherent, …)"
            _check.fail(argument, must, state, kind=TypeError)
