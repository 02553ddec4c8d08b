"""What ensembles and spins have in common: three components, written with ladder operators."""

from __future__ import annotations

from typing import Any, ClassVar

from ... import _check
from ..numerals import power_text, runs
from ..states import BlochState
from .base import Subsystem
from .declared import O, Word


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
        """A word as a user types it."""
        names = {"+": "p", "-": "m"}
        return "*".join(
            f"{owner}.{self.prefix}{names.get(run[0], run[0])}" + power_text(len(run))
            for run in runs(word)
        )

    def power_latex(self, letter: str, power: int, below: str) -> str:
        """A power of one letter."""
        body = f"{self.symbol}^{{{letter}}}{below}"
        return body if power == 1 else rf"({body})^{{{power}}}"

    def check_state(self, argument: str, state: Any) -> None:
        """It takes states of the Bloch ball."""
        if not isinstance(state, BlochState):
            must = "be a spin state (wf.up, wf.bloch, …)"
            _check.fail(argument, must, state, kind=TypeError)
