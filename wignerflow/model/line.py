"""Arrays along a waveguide with travel times, and mirrors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .links import Instant, Link, check_power
from .model import Jump
from .op import Op
from .outputs import Output
from .subsystems import Subsystem
from .waveguides import LADDER, waveguide


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
        self.rate_up, self.rate_down = _rates(rate, rate_up, rate_down)
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


def _rates(rate: Any, up: Any, down: Any) -> tuple[float, float]:
    if rate is not None:
        for name, value in (("rate_up", up), ("rate_down", down)):
            if value is not None:
                _check.fail(name, "be omitted where `rate` is given", value)
        up = down = _check.real("rate", rate) / 2
    elif up is None or down is None:
        _check.fail("rate", "be given, or both `rate_up` and `rate_down`", rate)
    out = []
    for name, value in (("rate_up", up), ("rate_down", down)):
        number = _check.real(name, value)
        if number < 0:
            _check.fail(name if rate is None else "rate", "be non-negative", value)
        out.append(number)
    if not any(out):
        _check.fail("rate", "be positive in one direction at least", rate)
    return out[0], out[1]
