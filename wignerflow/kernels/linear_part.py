r"""What moves a mode by itself, taken out of a system so that a step can make it exactly.

With x = (Re a, Im a) the terms of h that are quadratic in one mode alone, and the jumps l = p.x + c
that are linear in it and whose output nobody asks for, give

.. math:: dx = A x\,dt + \text{noise}, \qquad \langle\text{noise noise}^T\rangle = D\,dt,

A_ij = -r Im(b_i p_j^*) and D = r Re(b b^+) of a jump with b = (p_1, -p_0)/2; A of h = x.Q x/2 is
(Q_1j, -Q_0j)/2. The constant of a jump acts as the Hamiltonian -r Im(c^* p.x).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..phasespace.channels import MemberChannel
from ..phasespace.polynomials import Form, Leaf, Poly, TimePart, Times, Var
from ..phasespace.system import MODE, ModeStep, PhaseSpaceSystem

Mono = tuple[tuple[int, int], ...]


def take_linear(system: PhaseSpaceSystem) -> PhaseSpaceSystem:
    """The same system with the linear motion of modes in ``modes``, and nowhere else."""
    steps: dict[int, ModeStep] = {}
    out = replace(system, channels=[], member_channels=[])
    rest: dict[tuple[Times, tuple[Leaf, ...]], complex] = {}
    for (times, leaves), c in system.hamiltonian.terms.items():
        found = _quadratic(system, leaves)
        if found is None:
            rest[times, leaves] = c
        else:
            (block, i), (_, j), weights = found
            Q = np.zeros((weights.size, 2, 2))
            Q[:, i, j] += c.real * weights
            Q[:, j, i] += c.real * weights
            A = np.stack([Q[:, 1], -Q[:, 0]], axis=1) / 2
            _add(steps, block, times, A, np.zeros_like(A))
    out.hamiltonian = Poly(rest)
    seen = {id(channel) for field in system.fields for channel, _, _ in field.terms}
    seen |= {id(port.channel) for link in system.links for port in link.ports}
    seen |= {id(p.channel) for field in system.port_fields for p, _ in field.ports}
    for channel in system.channels:
        terms = _single_terms(channel.symbol)
        if id(channel) in seen or not _one_mode(system, terms):
            out.channels.append(channel)
            continue
        times, values = _rate(channel.rate, 1)
        out.hamiltonian = out.hamiltonian + _take(
            system, steps, terms, times, values, channel.noisy
        )
    for member in system.member_channels:
        plain = type(member) is MemberChannel and id(member) not in seen
        if not plain or not _one_mode(system, member.terms):
            out.member_channels.append(member)
            continue
        times, values = _rate(member.rate, member.size)
        out.hamiltonian = out.hamiltonian + _take(
            system, steps, member.terms, times, values, member.noisy
        )
    out.modes = [steps[k] for k in sorted(steps)]
    return out


def _quadratic(
    system: PhaseSpaceSystem, leaves: tuple[Leaf, ...]
) -> tuple[tuple[int, int], tuple[int, int], NDArray[np.float64]] | None:
    """Two components of one mode and a weight per member, or None for any other term."""
    mono: Mono = tuple((x.block, x.comp) for x in leaves if isinstance(x, Var))
    weights = np.ones(1)
    if len(leaves) == 1 and isinstance(leaves[0], Form):
        form = system.forms[leaves[0].index]
        mono, weights = form.mono, form.weights
    elif len(mono) < len(leaves):
        return None
    if len(mono) != 2 or mono[0][0] != mono[1][0] or system.blocks[mono[0][0]].kind != MODE:
        return None
    return mono[0], mono[1], weights


def _single_terms(symbol: Poly) -> dict[Mono, NDArray[np.complex128]] | None:
    """The terms of a symbol without sums and time coefficients, as those of a member."""
    out = {}
    for (times, leaves), c in symbol.terms.items():
        if times or not all(isinstance(x, Var) for x in leaves):
            return None
        mono = tuple((x.block, x.comp) for x in leaves if isinstance(x, Var))
        out[mono] = np.array([c])
    return out


def _one_mode(system: PhaseSpaceSystem, terms: dict[Mono, NDArray[np.complex128]] | None) -> bool:
    """True if terms are linear in one mode, or constant, and not all constant."""
    if not terms or any(len(mono) > 1 for mono in terms):
        return False
    blocks = {mono[0][0] for mono in terms if mono}
    return len(blocks) == 1 and system.blocks[blocks.pop()].kind == MODE


def _rate(rate: float | NDArray[np.float64] | Coef, size: int) -> tuple[Times, NDArray[np.float64]]:
    if isinstance(rate, Coef):
        return (TimePart(rate, "r"),), np.ones(size)
    return (), np.broadcast_to(np.asarray(rate, float), (size,))


def _take(
    system: PhaseSpaceSystem,
    steps: dict[int, ModeStep],
    terms: dict[Mono, NDArray[np.complex128]] | None,
    times: Times,
    rate: NDArray[np.float64],
    noisy: bool,
) -> Poly:
    """Add a linear jump to the steps; the Hamiltonian that its constant stands for."""
    assert terms is not None
    p = np.zeros((rate.size, 2), complex)
    constant = np.zeros(rate.size, complex)
    block = 0
    for mono, values in terms.items():
        if mono:
            block, comp = mono[0]
            p[:, comp] = values
        else:
            constant = values
    b = np.stack([p[:, 1], -p[:, 0]], axis=1) / 2
    A = -rate[:, None, None] * (b[:, :, None] * p[:, None, :].conj()).imag
    D = noisy * rate[:, None, None] * (b[:, :, None] * b[:, None, :].conj()).real
    _add(steps, block, times, A, D)
    out = Poly()
    for comp in range(2):
        weights = -rate * (constant.conj() * p[:, comp]).imag
        scale = float(weights[np.argmax(np.abs(weights))])
        if scale == 0:
            continue
        leaf: Leaf = Var(block, comp)
        if system.blocks[block].count is not None:
            leaf = Form(system.form(((block, comp),), weights / scale))
        out = out + Poly({(times, (leaf,)): scale})
    return out


def _add(
    steps: dict[int, ModeStep],
    block: int,
    times: Times,
    A: NDArray[np.float64],
    D: NDArray[np.float64],
) -> None:
    parts = steps.setdefault(block, ModeStep(block, {})).parts
    if times in parts:
        A, D = A + parts[times][0], D + parts[times][1]
    parts[times] = A, D
