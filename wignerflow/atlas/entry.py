"""An entry of the atlas: a model of one size, with an exact answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

Made = tuple[wf.Model, dict[str, Any]]
Jumps = list[wf.Jump | wf.LocalJump]


@dataclass(frozen=True)
class Family:
    """Models of one kind.

    Attributes:
        name: of the family.
        make: from a size and the numbers of a case, the model and its observables.
        sizes: sizes of all cases.
        cases: numbers of every case, by name.
        times: outputs, from a size and the numbers of a case.
        held: played no part in choosing what estimates rest on and are multiplied by.
    """

    name: str
    make: Callable[..., Made]
    sizes: tuple[float, ...]
    cases: tuple[Mapping[str, float], ...]
    times: Callable[..., NDArray[np.float64]]
    held: bool

    def entries(self) -> Iterator[Entry]:
        """Every case at every size."""
        for case, size in itertools.product(self.cases, self.sizes):
            yield Entry(self, size, case)


@dataclass(frozen=True)
class Entry:
    """One model."""

    family: Family
    size: float
    case: Mapping[str, float]

    @property
    def name(self) -> str:
        """The family, the size and the numbers."""
        numbers = ", ".join(f"{k} {v:g}" for k, v in self.case.items())
        return f"{self.family.name} {self.size:g}" + (f" ({numbers})" if numbers else "")

    def build(self) -> Made:
        """The model and its observables."""
        return self.family.make(self.size, **self.case)

    @property
    def times(self) -> NDArray[np.float64]:
        """Outputs."""
        return self.family.times(self.size, **self.case)


FAMILIES: dict[str, Family] = {}


def family(
    name: str,
    sizes: Iterable[float],
    cases: Iterable[Mapping[str, float]] = ({},),
    until: float | Callable[..., float] = 1.0,
    held: bool = False,
) -> Callable[[Callable[..., Made]], Callable[..., Made]]:
    """Add a family; ``until``: the last of nine times, from a size and the numbers of a case."""

    def add(make: Callable[..., Made]) -> Callable[..., Made]:
        def times(size: float, **case: float) -> NDArray[np.float64]:
            stop = until(size, **case) if callable(until) else until
            return np.linspace(0, stop, 9)

        FAMILIES[name] = Family(name, make, tuple(sizes), tuple(cases), times, held)
        return make

    return add


def entries() -> list[Entry]:
    """All of them."""
    return [e for f in FAMILIES.values() for e in f.entries()]
