"""Instantaneous pulses: unitary transformations at fixed times, ``Model(..., pulses=[...])``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from .coefficients import Coef
from .kinds.ensemble import LocalOp
from .op import Op
from .operators import ArrayOp

if TYPE_CHECKING:
    from .model import Model


class Pulse:
    r"""The state at time t is turned at once:

    .. math:: \rho \to U\rho\,U^+, \qquad U = e^{-i\,\mathrm{angle}\,\mathrm{op}} .

    Outputs at t are after it. Several pulses at one time act in the order in which they are given.
    All methods treat them, exactly: in phase space a pulse that is linear in the angular momenta of
    ensembles and spins (or in ``|a><b|`` of emitters with levels) turns them, and one that is
    linear or quadratic in modes displaces, turns or squeezes them, whatever its size.

    Args:
        t: time, in the units of ``tlist``; not before its first one.
        op: Hermitian operator, for example ``atoms.Jx``, ``spin.sx / 2``, ``cav.n`` or
            ``1j * (cav.adag - cav.a)``; constant in time.
        angle: real number that multiplies it, in radians where ``op`` is an angular momentum.

    Raises:
        ValueError: ``op`` is not Hermitian or depends on time, or a number is not finite. In a run:
            the time is before the first of ``tlist``, or a phase-space method meets a pulse that is
            nonlinear (Jz**2), which "exact" and "jumps" treat.
        TypeError: ``op`` is no operator.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(100, name="atoms")
        >>> model = wf.Model(0.5 * atoms.Jz, [wf.LocalJump(atoms.sz, 0.05)],
        ...                  initial={atoms: wf.down},
        ...                  pulses=[wf.pulse(0.0, atoms.Jx, np.pi / 2)])
        >>> result = wf.solve(model, [0.0, np.pi], e_ops={"x": atoms.Jx, "y": atoms.Jy}, seed=1)
        >>> bool(abs(result.expect["y"][0] - 50) < 1)
        True
    """

    def __init__(self, t: float, op: Op, angle: float):
        self.time = _check.real("t", t)
        self.angle = _check.real("angle", angle)
        if not isinstance(op, Op):
            hint = ""
            if isinstance(op, ArrayOp):
                hint = "Sum it over its members first: `chain.Jx.sum()`."
            elif isinstance(op, LocalOp):
                hint = op.summed
            _check.fail("op", "be an operator", op, hint, TypeError)
        if op.coefficients:
            hint = "A pulse takes no time. What takes time is a term of H: `wf.coef(f) * op`."
            _check.fail("op", "be constant in time", op, hint)
        if not op.is_hermitian():
            _check.fail("op", "be Hermitian", op, f"op - op^+ is {op - op.dag()!r}.")
        self.op = op.canonical()

    @property
    def generator(self) -> Op:
        """angle times op, of which exp(-i ...) is taken."""
        return self.op * self.angle

    def __repr__(self) -> str:
        return f"pulse({self.time!r}, {self.op!r}, {self.angle!r})"


@_check.called("wf.pulse(0.5, atoms.Jx, np.pi)")
def pulse(t: float, op: Op, angle: float) -> Pulse:
    """A pulse exp(-i angle op) at time t, for ``Model(..., pulses=[...])``; see :class:`Pulse`."""
    return Pulse(t, op, angle)


def read_pulses(model: Model, pulses: Any) -> tuple[Pulse, ...]:
    """The pulses of a model in the order in which they act.

    Raises:
        ValueError, TypeError: one is none, or does not belong to the model.
    """
    if isinstance(pulses, Pulse) or not isinstance(pulses, Iterable):
        _check.fail("pulses", "be a list of wf.pulse(t, op, angle)", pulses, "", TypeError)
    out = tuple(pulses)
    for k, one in enumerate(out):
        if not isinstance(one, Pulse):
            hint = "Make it by `wf.pulse(t, op, angle)`."
            _check.fail(f"pulses[{k}]", "be a wf.pulse", one, hint, TypeError)
        model._known(f"pulses[{k}]", one.op)
    if out and model.links:
        must = "be left out of a model whose links have delays"
        _check.fail("pulses", must, list(out), "A fast drive in H does the same.")
    return tuple(sorted(out, key=lambda p: p.time))


def check_pulses(model: Model, times: Any) -> None:
    """Raise where a pulse lies before the time at which the initial state holds."""
    for k, one in enumerate(model.pulses):
        if one.time < times[0]:
            hint = "The initial state holds there; a pulse at that very time turns it first."
            _check.fail(f"pulses[{k}]", f"not be before tlist[0] = {times[0]:g}", one.time, hint)


def pulse_times(model: Model, times: Any) -> np.ndarray:
    """Output times, and those of pulses up to the last one."""
    when = [p.time for p in model.pulses if times[0] <= p.time <= times[-1]]
    return np.union1d(times, when) if when else np.asarray(times)


def refuse_pulses(model: Model, what: str) -> None:
    """Raise where pulses have no meaning, or are not treated yet.

    Raises:
        ValueError: the model has some.
    """
    if model.pulses:
        hint = "Leave `pulses` out, or solve in time with wf.solve."
        _check.fail("model", f"have no pulses for {what}", model.pulses[0], hint)


def alone(model: Model, H: Op) -> Model:
    """The subsystems of a model under H, without anything else."""
    empty: dict[str, Any] = dict.fromkeys(("jumps", "given", "known", "links", "pulses"), ())
    return model.changed(H=H.canonical(), joined=None, **empty)


class _Never:
    """A coefficient that is zero at all times, and told from others."""

    def __call__(self, t: float) -> float:
        return 0.0


def stirred(model: Model) -> tuple[Model, list[Coef]]:
    """The model with its pulses in H, under coefficients that are zero at all times.

    The matrices of H that an engine writes under such a coefficient are those of its pulse. The
    coefficients come in the order of the pulses.
    """
    marks = [Coef(_Never()) for _ in model.pulses]
    H = model.H
    for mark, one in zip(marks, model.pulses, strict=True):
        H = H + mark * one.generator
    return model.changed(H=H), marks
