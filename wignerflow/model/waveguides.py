"""Emitters along a one-dimensional waveguide: coherent coupling and jumps at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .arrays import ArrayOp, couple
from .couplings import Waveguide
from .model import Jump
from .op import Op
from .subsystems import Subsystem

LADDER = {
    "ensemble": ("Jp", "Jm"),
    "collective": ("Jp", "Jm"),
    "spin": ("sp", "sm"),
    "mode": ("adag", "a"),
}


def waveguide(
    array: Subsystem | ArrayOp,
    phi: Any,
    rate: Any = None,
    *,
    rate_forward: Any = None,
    rate_backward: Any = None,
) -> tuple[Op, list[Jump]]:
    r"""Hamiltonian and jumps of an array coupled to a bidirectional waveguide, hbar = 1.

    Eq. (8) of the many-ensemble paper, with phases :math:`\theta_m = \varphi m` or as given:

    .. math::
        H = \Gamma\sum_{mm'} \tfrac12\sin|\theta_m - \theta_{m'}|\,J^+_m J^-_{m'}, \qquad
        L_F = \sum_m e^{+i\theta_m}J^-_m, \quad L_B = \sum_m e^{-i\theta_m}J^-_m,

    where each jump L has the plain rate Gamma/2, rate * (L rho L^+ - {L^+ L, rho}/2). With
    different rates in the two directions the waveguide is chiral,

    .. math::
        H = \sum_{mm'} K_{mm'} J^+_m J^-_{m'}, \quad K_{mm'} = \tfrac12\left[
        (\Gamma_F + \Gamma_B)\sin\Delta + i(\Gamma_F - \Gamma_B)\cos\Delta\right]
        \text{ for } m > m',\ \Delta = \theta_m - \theta_{m'},

    and K Hermitian; :math:`\Gamma_F = \Gamma_B = \Gamma/2` is the case above. With the sign of H
    as printed, light of the forward jump :math:`L_F` passes from higher to lower m and acts on no
    member above its source; a drive :math:`\Omega\sum_m(e^{-i\theta_m}J^+_m + h.c.)` feeds it.

    Args:
        array: an array (``count=M``) of ensembles, collective spins, spins or modes, whose lowering
            operators are ``Jm``, ``sm`` or ``a``; or an array operator to take in their place, such
            as ``atoms.op("g", "e")`` of emitters with levels.
        phi: phase between neighbours (radians), or the M ascending accumulated phases of members
            at arbitrary positions.
        rate: Gamma, the total rate of both directions, a number or one per member: member m then
            couples with :math:`\sqrt{\Gamma_m}`.
        rate_forward, rate_backward: plain rates Gamma_F and Gamma_B instead, numbers.

    Returns:
        ``(H, [forward, backward])``.

    Raises:
        ValueError: the phases do not ascend or are not M; a rate is negative or missing.
        TypeError: ``array`` is not an array of subsystems.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> chain = wf.Ensemble(250, name="chain", count=100)
        >>> H, (forward, backward) = wf.waveguide(chain, np.pi / 10, rate=1.0)
        >>> forward.rate, backward.rate
        (0.5, 0.5)
    """
    lowering, count = _lowering(array)
    weights, forward, backward = _rates(count, rate, rate_forward, rate_backward)
    total = forward + backward
    chirality = (forward - backward) / total if total > 0 else 0.0
    structure = Waveguide(phi, chirality)
    structure.check(count)
    phase = np.exp(1j * structure.phases(count))
    H = total * couple(weights * lowering.dag(), structure, weights * lowering)
    jumps = [
        Jump((weights * phase * lowering).sum(), forward),
        Jump((weights * phase.conj() * lowering).sum(), backward),
    ]
    return H, jumps


def _lowering(array: Any) -> tuple[ArrayOp, int]:
    """The lowering operators of an array, or those given, and how many they are."""
    if isinstance(array, ArrayOp):
        return array, array.size
    if not isinstance(array, Subsystem) or array.count is None:
        hint = "Give the subsystem `count=M`."
        _check.fail("array", "be an array of subsystems", array, hint, TypeError)
    if array.kind not in LADDER:
        hint = "Give the operator of the transition: `wf.waveguide(array.op('g', 'e'), ...)`."
        _check.fail("array", "have one lowering operator", array, hint, TypeError)
    out = getattr(array, LADDER[array.kind][1])
    assert isinstance(out, ArrayOp)
    return out, array.count


def _rates(size: int, rate: Any, forward: Any, backward: Any) -> tuple[Any, float, float]:
    """Weights of the members, and the plain rates of the two directions."""
    if rate is None:
        if forward is None or backward is None:
            must = "be given, or both `rate_forward` and `rate_backward`"
            _check.fail("rate", must, rate)
        return 1.0, _rate("rate_forward", forward), _rate("rate_backward", backward)
    for name, value in (("rate_forward", forward), ("rate_backward", backward)):
        if value is not None:
            _check.fail(name, "be omitted where `rate` is given", value)
    if np.ndim(rate) == 0:
        total = _rate("rate", rate)
        return 1.0, total / 2, total / 2
    rates = _check.numeric_array("rate", rate, float)
    if rates.shape != (size,):
        must = f"be one number or have shape ({size},)"
        _check.fail("rate", must, _check.Note(f"an array of shape {rates.shape}"))
    if np.any(rates < 0):
        m = int(np.argmin(rates))
        must = "be non-negative for every member"
        _check.fail("rate", must, _check.Note(f"{rates[m]:g} for member {m}"))
    total = float(rates.max())
    return np.sqrt(rates / total) if total > 0 else 1.0, total / 2, total / 2


def _rate(argument: str, value: Any) -> float:
    out = _check.real(argument, value)
    if out < 0:
        _check.fail(argument, "be non-negative", value)
    return out
