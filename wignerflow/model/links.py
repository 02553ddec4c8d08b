r"""Links: the output of one jump becomes the input of another, at once or some time later.

Links without delay make one port of ports in a row, by the series product. A field that leaves
port 1 and enters port 2 at once, with the amplitude :math:`c = e^{i\varphi}\sqrt\eta`, makes of
:math:`L_1, L_2` (square roots of rates included)

.. math:: L = L_2 + c L_1, \qquad
   H \to H + \tfrac1{2i}(c L_2^\dagger L_1 - c^* L_1^\dagger L_2), \qquad
   L_\mathrm{lost} = \sqrt{1 - \eta}\,L_1,

with the input of port 1 and the output of port 2. Rows are followed from their first port to their
last, whatever the order in which jumps and links are given: light that goes down an array meets its
members in the other order than light that goes up.

Reference: Gough and James, IEEE Trans. Autom. Control 54, 2530 (2009), Eq. (23).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _check
from .coefficients import Coef
from .mode_states import coherent
from .model import Connection, Jump, LocalJump, Model
from .op import Op
from .operators import ArrayOp
from .outputs import Output, single

#: A jump, and the member whose port it is (None: it has one operator).
Key = tuple[Jump, int | None]


@dataclass
class Joined:
    """Jumps with rows of ports made one.

    Attributes:
        jumps: all of them.
        drive: what the links add to H.
        inner: ports whose output enters another one at once.
        outputs, inputs: the port that has the output of a row's last port, the input of its first.
        split: ports whose input light is lost in part inside of the row.
        rest: array jumps without the members that are ports of rows, by what they were.
    """

    jumps: list[Jump | LocalJump]
    inner: frozenset[Key]
    drive: Op = field(default_factory=Op)
    outputs: dict[Key, Key] = field(default_factory=dict)
    inputs: dict[Key, Key] = field(default_factory=dict)
    split: set[Key] = field(default_factory=set)
    rest: dict[Jump, Jump] = field(default_factory=dict)

    def output(self, argument: str, key: Key) -> Key:
        """The port that has the output of a jump as it was given."""
        if key in self.inner:
            hint = "Take the output of the jump where the link ends."
            must = "not be of a jump whose light enters another one without delay"
            _check.fail(argument, must, key[0], hint)
        return self.outputs.get(key, (self.rest.get(key[0], key[0]), key[1]))

    def input(self, argument: str, key: Key) -> Key:
        """The port that has the input of a jump as it was given."""
        if key in self.split:
            hint = "Give that link a delay, or the transmission to the delayed one."
            must = "not end at a jump from which a link without delay loses light"
            _check.fail(argument, must, key[0], hint)
        return self.inputs.get(key, (self.rest.get(key[0], key[0]), key[1]))


def join(given: Sequence[Jump | LocalJump], links: Iterable[Any]) -> Joined:
    """Make one port of each row of ports that links without delay connect.

    Args:
        given: the jumps.
        links: with ``source_key``, ``target_key``, ``amplitude`` and ``transmission``; one at most
            begins and one at most ends at a port.

    Raises:
        ValueError: links without delay form a loop.
    """
    following = {link.source_key: link for link in links}
    targets = {link.target_key for link in following.values()}
    taken = [*following, *(t for t in targets if t not in following)]
    out = Joined([], frozenset(following))
    for jump in given:
        members = [m for j, m in taken if j is jump]
        if not members:
            out.jumps.append(jump)
        elif members != [None] and isinstance(jump, Jump):
            rest = out.rest[jump] = _without(jump, members)
            out.jumps += [rest] if np.any(rest.rate) else []
    left = len(following)
    for first in following:  # in the order of the links: creation and hashes play no part
        if first in targets:
            continue
        row, at = [], first
        while at in following:
            row.append(following[at])
            at = following[at].target_key
        left -= len(row)
        _join_row(out, first, row)
    if left:
        was = _check.Note(f"{left} links in loops")
        hint = "Give one link of each loop a delay."
        _check.fail("links", "hold no loop without delay", was, hint)
    return out


def _join_row(out: Joined, first: Key, row: list[Any]) -> None:
    beta = first[0].input.value if first[0].input is not None else 0.0
    L = _amplitude(first)
    for link in row:
        c = link.amplitude
        lost = np.sqrt(1 - link.transmission)
        if lost > 0:
            out.split.add(first)
            given = coherent(lost * beta) if first[0].input is not None else None
            out.jumps.append(Jump(lost * L, 1.0, input=given))
        after = _amplitude(link.target_key)
        exchange = c * (after.dag() * L)
        out.drive = out.drive - 0.5j * (exchange - exchange.dag())
        L, beta = after + c * L, c * beta
    given = coherent(beta) if first[0].input is not None else None
    whole = (Jump(L, 1.0, input=given), None)
    out.jumps.append(whole[0])
    out.inputs[first] = out.outputs[row[-1].target_key] = whole


def _amplitude(key: Key) -> Op:
    """sqrt(r) L of a port."""
    op, rate = single(*key)
    return float(np.sqrt(rate)) * op


def _without(jump: Jump, members: list[int | None]) -> Jump:
    """The jump of an array without some members."""
    assert isinstance(jump.op, ArrayOp)
    rates = np.broadcast_to(np.asarray(jump.rate, float), (jump.op.size,)).copy()
    rates[[m for m in members if m is not None]] = 0.0
    return Jump(jump.op, rates, input=jump.input)


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
        delay: tau, not negative. Without delay both jumps become one (see ``model.links``), so
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
