"""What of a model lies beyond the truncated Wigner approximation, in words."""

from __future__ import annotations

import numpy as np

from ..model.levels import Levels
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
            f"{', '.join(modes)}: third derivatives in the Wigner equation (from terms of third "
            "order in H) are left out: leading order in one over the number of quanta"
        )
    kinds = {b.name: b.kind for b in system.blocks}
    jumps = {system.blocks[leaf.block].name for d in system.diffusions for leaf in d.leaves}
    noisy = sorted(name for name in jumps if kinds[name] == MODE)
    if noisy:
        out.append(
            f"{', '.join(map(repr, noisy))}: under nonlinear jumps means and second moments "
            "change exactly as long as the noise is not negative; negative noise (near the vacuum) "
            "is cut, which adds quanta"
        )
    return out


def _size(sub: Subsystem) -> float:
    """Emitters that a spin stands for."""
    if isinstance(sub, (Ensemble, Levels)):
        return float(np.min(sub.numbers))
    if isinstance(sub, CollectiveSpin):
        return float(2 * np.min(sub.lengths))
    return 1.0 if isinstance(sub, Spin) else np.inf


def _interacting(system: PhaseSpaceSystem) -> list[str]:
    """Names of modes in terms whose third derivatives the equations leave out."""
    found: set[int] = set()
    polys = [(system.hamiltonian, 3)] + [(channel.symbol, 3) for channel in system.channels]
    for poly, order in polys:
        found |= _blocks(system, poly, order)
    for channel in system.member_channels:
        found |= {b for mono in channel.terms if len(mono) >= 3 for b, _ in mono}
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
