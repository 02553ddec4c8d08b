"""How many Fock states of a mode exact engines keep, and whether they were enough.

A mode without a cutoff starts from a guess and gets more states until the population at its edge
stays below a limit at all times. The edge is as wide as the longest stride with which H or a jump
moves the photon number (at least two states), so that no process can step over it unseen.
"""

from __future__ import annotations

from typing import Any

from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.subsystems import Mode, Subsystem
from .ladder import Basis, Site, shift
from .mode_states import SPREAD, is_mixed

Cutoffs = dict[tuple[Subsystem, int], int]

#: Population at the edge above which a result with a cutoff of the user's is warned about.
WARN = 1e-5


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


def widened(cutoff: int) -> int:
    """The cutoff to try after one that proved too small."""
    return int(1.5 * cutoff) + 4


def strides(model: Model, basis: Basis) -> dict[int, int]:
    """Width of the edge of every mode, by number of its site."""
    out = {k: 2 for k, site in enumerate(basis.sites) if site.kind == "mode"}
    if out:
        for op in (model.H, *(op for op, _ in model.channels())):
            for group in basis.expand(op).values():
                for word in group:
                    for k, text in word:
                        if k in out:
                            out[k] = max(out[k], abs(shift(text)))
    return out


def edge_stats(edges: list[tuple[Site, float]]) -> dict[str, Any]:
    """Cutoffs and largest populations at the edges, and warnings, for ``stats``."""
    if not edges:
        return {}
    out: dict[str, Any] = {
        "cutoffs": {s.label: s.dim for s, _ in edges},
        "edge": {s.label: e for s, e in edges},
    }
    warnings = [
        f"The highest of the {s.dim} Fock states of mode {s.label!r} hold {e:.2g} of its "
        "population: raise its `cutoff`, or leave it out."
        for s, e in edges
        if e > WARN
    ]
    return {**out, "warnings": warnings} if warnings else out
