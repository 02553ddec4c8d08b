"""How many Fock states of a mode exact engines keep, and whether they were enough.

A mode without a cutoff starts from a guess and gets more states until the population at its edge
stays below a limit at all times. The edge is as wide as the longest stride with which H or a jump
moves the photon number (at least two states), so that no process can step over it unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.subsystems import Mode, Subsystem
from .mode_states import SPREAD, is_mixed
from .solution import TooLarge

Cutoffs = dict[tuple[Subsystem, int], int]

#: Largest population at the edge that passes without a larger cutoff, and the one above which a
#: result with a cutoff of the user's is warned about.
EDGE, WARN = 1e-7, 1e-5


class Edge(NamedTuple):
    """The edge of a mode: its place and label, the states kept, the population of the highest."""

    place: tuple[Subsystem, int]
    label: str
    dim: int
    population: float


def guess_cutoffs(model: Model) -> Cutoffs:
    """A first cutoff for every mode that has none, from its initial state."""
    out: Cutoffs = {}
    for sub, states in model.initial.items():
        if isinstance(sub, Mode) and sub.cutoff is None:
            for m, state in enumerate(states):
                assert isinstance(state, ModeState)
                is_mixed(state.kind)  # refuses those that are not known
                mean, spread = SPREAD[state.kind](state.value)
                out[sub, m] = int(mean + spread) + 8
    return out


def widen(edges: list[Edge], cutoffs: Cutoffs, limit: float = EDGE) -> bool:
    """Raise the cutoffs that were chosen here and proved too small; False if none did."""
    narrow = [e.place for e in edges if e.population > limit and e.place in cutoffs]
    for place in narrow:
        cutoffs[place] = int(1.5 * cutoffs[place]) + 4
    return bool(narrow)


def uncertified(error: TooLarge, edges: list[Edge]) -> TooLarge:
    """The refusal, with the mode whose cutoff made the density matrix so large."""
    for e in edges:
        if e.population > EDGE:
            return TooLarge(
                f"{error} The cutoff of mode {e.label!r} cannot be certified: with {e.dim} Fock "
                f"states the highest hold {e.population:.2g}."
            )
    return error


def strides(model: Model, number: Mapping[tuple[Subsystem, int], int]) -> dict[int, int]:
    """Width of the edge of every mode, by number of its site."""
    out = {k: 2 for (sub, _), k in number.items() if isinstance(sub, Mode)}
    pulses = (p.op for p in model.pulses)
    for op in (model.H, *pulses, *(op for op, _ in model.channels())) if out else ():
        for _, _, factors in op.expand():
            for sub, m, word in factors:
                k = number[sub, m]
                if k in out:
                    out[k] = max(out[k], abs(word.count("d") - word.count("a")))
    return out


def edge_stats(edges: list[Edge]) -> dict[str, Any]:
    """Cutoffs and largest populations at the edges, and warnings, for ``stats``."""
    if not edges:
        return {}
    out: dict[str, Any] = {
        "cutoffs": {e.label: e.dim for e in edges},
        "edge": {e.label: e.population for e in edges},
    }
    warnings = [
        f"The highest of the {e.dim} Fock states of mode {e.label!r} hold {e.population:.2g} of "
        "its population: raise its `cutoff`, or leave it out."
        for e in edges
        if e.population > WARN
    ]
    return {**out, "warnings": warnings} if warnings else out
