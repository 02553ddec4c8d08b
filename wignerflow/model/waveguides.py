"""Arrays along a waveguide: coupling and jumps at once, or links with travel times and mirrors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .couplings import Waveguide
from .links import Instant, Link, check_power
from .model import Jump
from .op import Op
from .operators import ArrayOp, couple
from .outputs import Output
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
    given = {"rate_forward": rate_forward, "rate_backward": rate_backward}
    weights, forward, backward = _rates(count, rate, given)
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


def _rates(size: int, rate: Any, directions: Mapping[str, Any]) -> tuple[Any, float, float]:
    """Weights of the members, and the plain rates of the two directions."""
    if np.ndim(rate) == 0:
        return 1.0, *_directions(rate, directions)
    rates = _check.numeric_array("rate", rate, float)
    if rates.shape != (size,):
        must = f"be one number or have shape ({size},)"
        _check.fail("rate", must, _check.Note(f"an array of shape {rates.shape}"))
    if np.any(rates < 0):
        m = int(np.argmin(rates))
        must = "be non-negative for every member"
        _check.fail("rate", must, _check.Note(f"{rates[m]:g} for member {m}"))
    total = float(rates.max())
    weights = np.sqrt(rates / total) if total > 0 else 1.0
    return weights, *_directions(total, directions)


def _directions(rate: Any, directions: Mapping[str, Any]) -> tuple[float, float]:
    """Plain rates of two directions, given by name or as their sum."""
    (one, first), (two, second) = directions.items()
    if rate is None:
        if first is None or second is None:
            _check.fail("rate", f"be given, or both `{one}` and `{two}`", rate)
        return _rate(one, first), _rate(two, second)
    for name, value in directions.items():
        if value is not None:
            _check.fail(name, "be omitted where `rate` is given", value)
    return _rate("rate", rate) / 2, _rate("rate", rate) / 2


def _rate(argument: str, value: Any) -> float:
    out = _check.real(argument, value)
    if out < 0:
        _check.fail(argument, "be non-negative", value)
    return out


@dataclass(frozen=True)
class Mirror:
    r"""A mirror at one end of a line, which turns the light round.

    Args:
        end: "start", beside member 0, or "end", beside the last member.
        delay: of the way there and back, 2 d/v at the distance d from the member, positive.
        phase: of the way there and back and of the mirror itself (pi for a metal), in radians.
        reflectivity: of power, from 0 to 1; the rest leaves and is replaced by vacuum.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.
    """

    end: str
    delay: float
    phase: float = np.pi
    reflectivity: float = 1.0

    def __post_init__(self) -> None:
        _check.one_of("end", self.end, ["start", "end"])
        _check.positive("delay", self.delay)
        _check.real("phase", self.phase)
        check_power("reflectivity", self.reflectivity)


class Line:
    r"""An array along a waveguide with travel times: ports of every member in both directions.

    Member m emits into light that goes up, to higher members, at the plain rate ``rate_up``, and
    into light that goes down at ``rate_down``; both travel with the delays :math:`\tau_m` and
    phases :math:`\varphi_m` between m and m + 1 (see :class:`Link`). Without delays that is
    :func:`wignerflow.waveguide`, whose ``forward`` goes down and ``backward`` goes up.

    Args:
        array: an array (``count=M``) of ensembles, collective spins, spins or modes.
        positions: of the members, ascending, shape (M,), with ``velocity``; or
        delays: between neighbours, shape (M - 1,) or one number for all.
        velocity: of light in the line, positive.
        rate: the total plain rate of both directions, half for each; or
        rate_up, rate_down: plain rates.
        phases: between neighbours (radians), a number or shape (M - 1,); 0 by default.
        mirror: a :class:`Mirror` at one end.
        transmission: of power between neighbours, from 0 to 1.

    Attributes:
        jumps: for the model, ``jumps=[*line.jumps, …]``.
        links: for the model, ``links=line.links``.
        outputs: (forward, backward), the fields that leave at the start and at the end, both
            referred to member 0 in phase; with a mirror None at its end.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement.

    Range: methods "twa" and "mean-field". Others treat ``line.at_zero_delay()``.

    References:
        Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), Eq. (2.22), for b_out; Gough and James,
        IEEE Trans. Autom. Control 54, 2530 (2009), for links.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> chain = wf.Ensemble(50, count=4, name="chain")
        >>> line = wf.Line(chain, delays=0.01, rate=1.0)
        >>> model = wf.Model(jumps=line.jumps, links=line.links, initial={chain: wf.up})
        >>> out = wf.solve(model, np.linspace(0, 0.04, 5), e_ops={"z": chain.Jz}, dt=0.001, seed=1)
        >>> out.expect["z"].shape
        (5, 4)
    """

    def __init__(
        self,
        array: Subsystem,
        *,
        positions: Any = None,
        delays: Any = None,
        velocity: float | None = None,
        rate: float | None = None,
        rate_up: float | None = None,
        rate_down: float | None = None,
        phases: Any = 0.0,
        mirror: Mirror | None = None,
        transmission: float = 1.0,
    ):
        if not isinstance(array, Subsystem) or array.count is None:
            hint = "Give the subsystem `count=M`, which may be 1."
            _check.fail("array", "be an array of subsystems", array, hint, TypeError)
        self.array, self.size = array, array.size
        self.delays = self._delays(positions, delays, velocity)
        self.phases = self._segments("phases", phases)
        self.transmission = check_power("transmission", transmission)
        if mirror is not None and not isinstance(mirror, Mirror):
            _check.fail("mirror", "be a wf.Mirror", mirror, kind=TypeError)
        self.mirror = mirror
        directions = {"rate_up": rate_up, "rate_down": rate_down}
        self.rate_up, self.rate_down = _directions(rate, directions)
        if not self.rate_up + self.rate_down:
            _check.fail("rate", "be positive in one direction at least", rate)
        self.turn = np.concatenate([[0.0], np.cumsum(self.phases)])
        if not np.any(self.delays) and mirror is None:
            self._instant()
        else:
            self._delayed()

    def _delays(self, positions: Any, delays: Any, velocity: Any) -> NDArray[np.float64]:
        if (positions is None) == (delays is None):
            _check.fail("delays", "be given, or `positions` with `velocity`", delays)
        if delays is not None:
            if velocity is not None:
                _check.fail("velocity", "be left out where delays are given", velocity)
            values = self._segments("delays", delays)
            if np.any(values < 0):
                _check.fail("delays", "be non-negative", delays)
            return values
        places = _check.numeric_array("positions", positions, float)
        if places.shape != (self.size,):
            was = _check.Note(f"an array of shape {places.shape}")
            _check.fail("positions", f"have shape ({self.size},)", was)
        if np.any(np.diff(places) <= 0):
            _check.fail("positions", "ascend", positions)
        if velocity is None:
            _check.fail("velocity", "be given with `positions`", None)
        return np.diff(places) / _check.positive("velocity", velocity)

    def _segments(self, argument: str, value: Any) -> NDArray[np.float64]:
        number = self.size - 1
        values = _check.numeric_array(argument, value, float)
        if values.shape not in ((), (number,)):
            must = f"be one number or have shape ({number},), one per segment"
            _check.fail(argument, must, _check.Note(f"an array of shape {values.shape}"))
        return np.broadcast_to(values, (number,)).astype(float)

    def _instant(self) -> None:
        """Without delays: the waveguide."""
        if self.transmission != 1:
            _check.fail("transmission", "be 1 without delays", self.transmission)
        H, jumps = self.at_zero_delay()
        self.jumps: tuple[Jump, ...] = tuple(jumps)
        self.links: tuple[Link | Instant, ...] = (Instant(H),)
        ends = [Output(jump) if jump.rate > 0 else None for jump in jumps]
        self.outputs: tuple[Output | None, Output | None] = (ends[0], ends[1])

    def _delayed(self) -> None:
        lowering = getattr(self.array, LADDER[self.array.kind][1])
        up = Jump(lowering, self.rate_up) if self.rate_up > 0 else None
        down = Jump(lowering, self.rate_down) if self.rate_down > 0 else None
        self.jumps = tuple(j for j in (up, down) if j is not None)
        links: list[Link | Instant] = []
        last = self.size - 1
        for m in range(last):
            given = (float(self.delays[m]), float(self.phases[m]), self.transmission)
            if up is not None:
                links.append(Link(Output(up, m), Output(up, m + 1), *given))
            if down is not None:
                links.append(Link(Output(down, m + 1), Output(down, m), *given))
        start = None if down is None else Output(down, 0)
        end = None if up is None else np.exp(-1j * self.turn[-1]) * Output(up, last)
        if self.mirror is not None:
            if up is None or down is None:
                must = "be left out where light goes one way only"
                _check.fail("mirror", must, self.mirror)
            given = (self.mirror.delay, self.mirror.phase, self.mirror.reflectivity)
            if self.mirror.end == "start":
                links.append(Link(Output(down, 0), Output(up, 0), *given))
                start = None
            else:
                links.append(Link(Output(up, last), Output(down, last), *given))
                end = None
        self.links = tuple(links)
        self.outputs = (start, end)

    def at_zero_delay(self) -> tuple[Op, list[Jump]]:
        """Hamiltonian and jumps (forward, backward) of the same line without travel times.

        Raises:
            ValueError: there is a mirror, or light is lost on the way.
        """
        if self.mirror is not None or self.transmission != 1:
            raise ValueError("A line with a mirror or losses has no waveguide without delays.")
        given = {"rate_forward": self.rate_down, "rate_backward": self.rate_up}
        return waveguide(self.array, self.turn if self.size > 1 else 0.0, **given)

    def __repr__(self) -> str:
        return f"Line({self.array.name!r}, {self.size} members)"
