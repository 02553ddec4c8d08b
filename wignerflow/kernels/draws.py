"""Which pair of normals belongs to what: numbers of draws follow from names.

A pair's number is a number made from the name of what draws it (a subsystem, a jump) plus its place
among the pairs of that name. It is the same whatever else a model holds and in whatever order; a
kernel reads it from its integers, so its text does not know names.
"""

from __future__ import annotations

import bisect
import hashlib

import numpy as np
from numpy.typing import NDArray

from .text import Parameters

WORDS = 2**32


class Draws:
    """Ranges of pair numbers by purpose and name, known once all of them are asked for."""

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.sizes: dict[tuple[int, str], int] = {}
        #: Where the numbers of a range go: entries of an integer array.
        self._places: dict[tuple[int, str], tuple[NDArray[np.int64], int]] = {}
        self._alone: dict[tuple[int, str], str] = {}

    def first(self, purpose: int, name: str, size: int = 1) -> str:
        """Reserve ``size`` successive pair numbers; the source of the first."""
        self._reserve(purpose, name, size)
        self._alone[purpose, name] = place = self.parameters.integer(0)
        return place

    def table(self, purpose: int, sizes: dict[str, int]) -> str:
        """Reserve pair numbers by name; pair i of all has number ``o[<source> + i]``."""
        numbers, at = np.zeros(sum(sizes.values()), np.int64), 0
        for name, size in sizes.items():
            self._reserve(purpose, name, size)
            self._places[purpose, name] = numbers, at
            at += size
        return self.parameters.indices(numbers)

    def _reserve(self, purpose: int, name: str, size: int) -> None:
        if (purpose, name) in self.sizes:
            raise ValueError(f"Two draws of one purpose have the name {name!r}.")
        self.sizes[purpose, name] = size

    def settle(self) -> None:
        """Fill in all numbers. Where ranges would overlap, the later name gives way."""
        taken: list[tuple[int, int, int]] = []  # ascending, apart from each other
        for key in sorted(self.sizes):
            begin = self._free(key, taken)
            size = self.sizes[key]
            if key in self._alone:
                self.parameters.assign(self._alone[key], begin)
            else:
                numbers, at = self._places[key]
                numbers[at : at + size] = begin + np.arange(size)

    def _free(self, key: tuple[int, str], taken: list[tuple[int, int, int]]) -> int:
        (purpose, name), size = key, self.sizes[key]
        attempt = 0
        while True:
            begin = base(name, attempt) % (WORDS - size)
            at = bisect.bisect(taken, (purpose, begin, 0))
            before = at > 0 and taken[at - 1][0] == purpose and taken[at - 1][2] > begin
            after = at < len(taken) and taken[at][0] == purpose and taken[at][1] < begin + size
            if not (before or after):
                taken.insert(at, (purpose, begin, begin + size))
                return begin
            attempt += 1


def base(name: str, attempt: int = 0) -> int:
    """32 bits of BLAKE2b of a name."""
    text = f"{name}\0{attempt}" if attempt else name
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
