r"""Links: the output of one jump becomes the input of another, some time later."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import _check
from .coefficients import Coef
from .model import Connection, Jump, Model
from .op import Op
from .outputs import Output, single
from .series import Joined, join


class Link(Connection):
    r"""The field that leaves one jump enters another one some time later.

    .. math:: b_{\mathrm{in},2}(t) = e^{i\varphi}\sqrt\eta\;b_{\mathrm{out},1}(t - \tau)
       + \sqrt{1 - \eta}\;b_\mathrm{vacuum}(t), \qquad
       b_\mathrm{out} = b_\mathrm{in} + \sqrt r\,L,

    signal and noise together. Before t = 0 the way between holds vacuum. A jump is one port, with
    one input and one output; jumps that are equal stay ports of their own, so that an emitter may
    have several (a giant atom). A link from a jump to itself is feedback.

    Args:
        source: a :class:`Jump` of the model, or an ``Output`` of one member of an array jump.
        target: the same.
        delay: tau, not negative. Without delay both jumps become one (see ``model.series``), so
            that exact methods treat the model where no other link has one.
        phase: phi in radians, the carrier's on the way; independent of the delay.
        transmission: eta, a ratio of powers from 0 to 1.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement; the target has an input.

    Range: with delays methods "twa" and "mean-field". Steps must not be longer than a delay;
    ``dt=None`` sees to it. Links without delay may not form a loop.

    References:
        Gough and James, IEEE Trans. Autom. Control 54, 2530 (2009), Eq. (23), without delay.

    Example:
        >>> import wignerflow as wf
        >>> source, target = wf.Mode(name="source"), wf.Mode(name="target")
        >>> out, into = wf.Jump(source.a, 1.0), wf.Jump(target.a, 1.0)
        >>> initial = {source: wf.coherent(2.0), target: wf.vacuum}
        >>> model = wf.Model(jumps=[out, into], initial=initial, links=[wf.Link(out, into, 0.5)])
    """

    @_check.called("wf.Link(out, into, delay=0.5)")
    def __init__(
        self,
        source: Jump | Output,
        target: Jump | Output,
        delay: float,
        phase: float = 0.0,
        transmission: float = 1.0,
    ):
        self.source_key, factor = _port("source", source)
        self.target_key, back = _port("target", target)
        if factor != 1 or back != 1:
            _check.fail("source", "be the output of one jump, without a factor", source)
        for name, (jump, _) in (("source", self.source_key), ("target", self.target_key)):
            if jump.input is not None and (name == "target" or jump.input.kind != "coherent"):
                must = "have no input" if name == "target" else "have a vacuum or coherent input"
                _check.fail(name, must, jump)
        self.delay = _check.real("delay", delay)
        if self.delay < 0:
            _check.fail("delay", "be non-negative", delay)
        self.phase = _check.real("phase", phase)
        self.transmission = check_power("transmission", transmission)

    def check(self, argument: str, model: Model) -> None:
        for jump, _ in (self.source_key, self.target_key):
            if not any(jump is j for j in model.known):
                _check.fail(argument, "connect jumps of the model", jump)

    @property
    def instant(self) -> bool:  # type: ignore[override]
        """Whether it has no delay."""
        return self.delay == 0

    @property
    def amplitude(self) -> complex:
        """What the field is multiplied by."""
        return complex(np.exp(1j * self.phase) * np.sqrt(self.transmission))

    def join(self, jumps: tuple[Any, ...], links: list[Any]) -> Joined:
        return join(jumps, links)

    def moved(self, joined: Joined) -> Link:
        """The same between the ports that links without delay have made."""
        new = copy.copy(self)
        new.source_key = joined.output("links", self.source_key)
        new.target_key = joined.input("links", self.target_key)
        return new

    def to_dict(self, model: Model) -> dict[str, Any]:
        """Plain form, by the numbers of the model's jumps."""

        def end(key: tuple[Jump, int | None]) -> list[int]:
            number = model.number(key[0])
            return [number] if key[1] is None else [number, key[1]]

        return {
            "source": end(self.source_key),
            "target": end(self.target_key),
            "delay": self.delay,
            "phase": self.phase + 0.0,
            "transmission": self.transmission + 0.0,
        }

    def __repr__(self) -> str:
        (a, i), (b, k) = self.source_key, self.target_key
        ends = [f"{j.op!r}{'' if n is None else f'[{n}]'}" for j, n in ((a, i), (b, k))]
        return f"Link({ends[0]} -> {ends[1]}, delay={self.delay:g})"


class Instant(Connection):
    """Links without delay, as the Hamiltonian that stands for them."""

    def __init__(self, H: Op):
        self.drive = H

    def __repr__(self) -> str:
        return "Instant(links without delay)"


def _port(argument: str, end: Any) -> tuple[tuple[Jump, int | None], complex]:
    output = end if isinstance(end, Output) else Output(end)
    if len(output.terms) != 1:
        _check.fail(argument, "be the output of one jump", end)
    ((key, factor),) = output.terms.items()
    rate = single(*key)[1]
    if isinstance(rate, Coef) or key[0].matrix is not None:
        _check.fail(argument, "have one constant rate", key[0])
    return key, factor


def check_power(argument: str, value: Any) -> float:
    """A ratio of powers."""
    power = _check.real(argument, value)
    if not 0 <= power <= 1:
        _check.fail(argument, "be from 0 to 1, a ratio of powers", value)
    return power
