"""A stand-in for a GPU: the library's own host code, and compiled code that ``ptx`` runs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np

from wignerflow.kernels import card, cuda
from wignerflow.kernels.card import About

from .ptx import Emulated


class Memory:
    """Memory of the card, as it is found: nothing that a result may rest on."""

    def __init__(self, shape, dtype):
        self.array = np.empty(shape, dtype)
        self.array.fill(np.nan if np.issubdtype(dtype, np.floating) else -(2**40))
        self.shape, self.address = self.array.shape, self.array.ctypes.data

    @staticmethod
    def of(array):
        out = Memory(array.shape, np.float64)
        out.array = np.array(array)
        out.address = out.array.ctypes.data
        return out

    def copy(self):
        return self.array.copy()


@contextlib.contextmanager
def emulated_card(
    capability: tuple[int, int] = (9, 0), change: Callable[[str], str] = lambda ptx: ptx
) -> Iterator[dict[str, int]]:
    """Let ``device="cuda"`` compile for a real card, and run that code on the CPU.

    ``change`` is applied to the assembly of the kernel ``run``. What is returned says in which
    ``order`` threads take turns: forwards (0), backwards (1) or in disorder (2).
    """
    turns = {"order": 0}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        made: dict[card.Function, Emulated] = {}

        def load(function) -> None:
            if function not in made:
                code = function.code.decode()
                made[function] = Emulated(change(code) if function.name == "run" else code, folder)

        def launch(function, grid, block, arguments) -> None:
            load(function)
            made[function](grid, (*block, 1), card.pack(arguments), turns["order"])

        found = About("emulated", capability, 1, 64, 1e9)
        for owner, name, value in (
            (cuda, "Memory", Memory),
            (card.Function, "load", load),
            (card.Function, "launch", launch),
            (cuda, "about", lambda number: found),
            (cuda, "count", lambda: 1),
            (cuda, "current", lambda: 0),
            (cuda, "free_memory", lambda number: 4e9),
            (card, "free_memory", lambda number: 4e9),
            (card, "unavailable", lambda: None),
            (card, "use", lambda number: None),
        ):
            stack.enter_context(patch.object(owner, name, value))
        yield turns
