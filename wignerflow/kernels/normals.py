"""Source that draws standard normals, one pair per lane."""

from __future__ import annotations

from .layout import Layout
from .text import LANE_LOOP, Lines


def fill(out: Lines, keys: str, pair: str, slots: list[str]) -> None:
    """Two standard normals per lane into ``slots``.

    One draw with the key in ``keys``; where several keys are given (step-size pilots), the sum of
    as many draws over the root of their number, so that coarse noise is the sum of fine noise.
    """
    _each_key(out, keys)
    _draw(out, keys, pair)
    out.add(*(f"{slot} = keep * {slot} + share * n{i}" for i, slot in enumerate(slots)))
    out.close()
    out.close()


def fill_one(out: Lines, keys: str, pair: str, slot: str, spare: str) -> None:
    """One standard normal per lane into ``slot``: two steps share a pair.

    A step whose number is even takes the first and leaves the second in ``spare``, of a scratch
    that nothing else writes to; the odd one after it draws none.
    """
    _each_key(out, keys)
    out.open(f"if {keys}[3 * r + 2] == U(0):")
    _draw(out, keys, pair)
    out.add(f"{slot} = keep * {slot} + share * n0", f"{spare} = n1")
    out.close()
    out.close()
    out.open("else:")
    out.open(LANE_LOOP)
    out.add(f"{slot} = keep * {slot} + share * {spare}")
    out.close()
    out.close()
    out.close()


def _each_key(out: Lines, keys: str) -> None:
    """Open the loop over keys, three words each: see ``module.RUN``."""
    out.open(f"for r in range({keys}.size // 3):")
    out.add("keep = F(0) if r == 0 else F(1)", f"share = F(1) / np.sqrt(F({keys}.size // 3))")


def _draw(out: Lines, keys: str, pair: str) -> None:
    """Open a lane loop with normals n0 and n1 of key number r."""
    out.add(f"ka = {keys}[3 * r]", f"kb = {keys}[3 * r + 1]", f"kc = U({pair})")
    out.open(LANE_LOOP)
    out.add("n0, n1 = normal_pair(ka, kb, U(t0 + l), kc)")


def fill_many(
    layout: Layout, out: Lines, keys: str, purpose: int, names: list[str], size: int, slot: int
) -> None:
    """The same for ``size`` pairs of every name, into scratch from ``slot`` on."""
    draws, count = layout.draws, size * len(names)
    if count == 1 or layout.loops.registers:
        for n, name in enumerate(names):
            first = draws.first(purpose, name, size)
            for j in range(size):
                at = slot + 2 * (n * size + j)
                places = [f"s[{at + i} * LN + l]" for i in range(2)]
                fill(out, keys, f"{first} + {j}" if j else first, places)
        return
    numbers = draws.table(purpose, dict.fromkeys(names, size))
    out.open(f"for pair in range({count}):")
    out.add(f"at = ({slot} + 2 * pair) * LN & FAR")
    fill(out, keys, f"o[{numbers} + pair]", ["s[at + l]", "s[at + LN + l]"])
    out.close()
