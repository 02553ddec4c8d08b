"""What of a model lies beyond the truncated Wigner approximation, in words."""

from __future__ import annotations

import numpy as np

from ..model.model import Model
from ..model.subsystems import CollectiveSpin, Ensemble, Spin, Subsystem
from .polynomials import Form, Leaf, Pair, Poly, Var
from .system import MODE, PhaseSpaceSystem

SHORT = 5  # emitters, or half lengths of a spin, below which 1/N is no small number


def validity(system: PhaseSpaceSystem, model: Model) -> list[str]:
    """Statements about small spins, and about modes that interact, that travel with a result."""
    out = []
    small = [repr(sub.name) for sub in model.subsystems if _size(sub) < SHORT]
    if small:
        out.append(
            f"{', '.join(small)}: few emitters, or a short spin; the expansion is in one over "
            "their number, so compare with an exact method"
        )
    modes = _interacting(system)
    if modes:
        out.append(
            f"{', '.join(modes)}: terms of third order in H, or of second order in a jump, hold to "
            "leading order in one over the number of quanta"
        )
    return out


def _size(sub: Subsystem) -> float:
    """Emitters that a spin stands for."""
    if isinstance(sub, Ensemble):
        return float(np.min(sub.numbers))
    if isinstance(sub, CollectiveSpin):
        return float(2 * np.min(sub.lengths))
    return 1.0 if isinstance(sub, Spin) else np.inf


def _interacting(system: PhaseSpaceSystem) -> list[str]:
    """Names of modes in terms whose third derivatives the equations leave out."""
    found: set[int] = set()
    polys = [(system.hamiltonian, 3)] + [(channel.symbol, 2) for channel in system.channels]
    for poly, order in polys:
        found |= _blocks(system, poly, order)
    for channel in system.member_channels:
        found |= {b for mono in channel.terms if len(mono) >= 2 for b, _ in mono}
    return [repr(b.name) for k, b in enumerate(system.blocks) if k in found and b.kind == MODE]


def has_other_noise(system: PhaseSpaceSystem) -> bool:
    """Whether a jump, local ones apart, is more than linear loss or gain of modes."""
    found = [
        [b for leaf in leaves for b in _of(system, leaf)]
        for channel in system.channels
        for _, leaves, _ in channel.symbol.sorted_terms()
    ]
    found += [[b for b, _ in mono] for c in system.member_channels for mono in c.terms]
    return any(len(bs) > 1 or any(system.blocks[b].kind != MODE for b in bs) for bs in found)


def _blocks(system: PhaseSpaceSystem, poly: Poly, order: int) -> set[int]:
    out: set[int] = set()
    for _, leaves, _ in poly.sorted_terms():
        blocks = [b for leaf in leaves for b in _of(system, leaf)]
        if len(blocks) >= order:
            out |= set(blocks)
    return out


def _of(system: PhaseSpaceSystem, leaf: Leaf) -> list[int]:
    """The block of every variable that a leaf multiplies."""
    if isinstance(leaf, Var):
        return [leaf.block]
    if isinstance(leaf, Form):
        return [b for b, _ in system.forms[leaf.index].mono]
    if isinstance(leaf, Pair):
        pair = system.pairs[leaf.index]
        return [b for b, _ in (*pair.left, *pair.right)]
    return []
