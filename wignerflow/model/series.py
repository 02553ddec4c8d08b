r"""Links without delay: ports in a row become one port, by the series product.

A field that leaves port 1 and enters port 2 at once, with the amplitude
:math:`c = e^{i\varphi}\sqrt\eta`, makes of :math:`L_1, L_2` (square roots of rates included)

.. math:: L = L_2 + c L_1, \qquad
   H \to H + \tfrac1{2i}(c L_2^\dagger L_1 - c^* L_1^\dagger L_2), \qquad
   L_\mathrm{lost} = \sqrt{1 - \eta}\,L_1,

with the input of port 1 and the output of port 2. Rows are followed from their first port to their
last, whatever the order in which jumps and links are given: light that goes down an array meets its
members in the other order than light that goes up.

Reference: Gough and James, IEEE Trans. Autom. Control 54, 2530 (2009), Eq. (23).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _check
from .arrays import ArrayOp
from .mode_states import coherent
from .model import Jump, LocalJump
from .op import Op
from .outputs import single

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
