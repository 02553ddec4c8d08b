r"""Links between ports: ring buffers of output fields, signal and noise together.

The input of a linked port is what left another one d steps before, times a factor, and vacuum in
place of what was lost. All delayed inputs are known at the start of a step, so members decouple.
Fields are kept as numbers w_0 + i w_1 with :math:`\Delta B = \tfrac i2\sqrt h\,(w_0 + iw_1)^*`,
standard normals in the vacuum; a step adds :math:`2\sqrt{rh}\,(\mathrm{Im}\,\bar l,
\mathrm{Re}\,\bar l)` to them. Until light has crossed a line, fresh vacuum comes out of it.

A delay :math:`\tau = (d + f)h` that is no multiple of the step passes d whole steps and an all-pass
filter, :math:`y = \alpha x + s`, :math:`s' = (1 - \alpha^2)x - \alpha s`,
:math:`\alpha = (1 - f)/(1 + f)` with :math:`\tfrac12\le f < \tfrac32`: an orthogonal map of (x, s),
so that vacuum stays vacuum and no energy is lost. (Linear interpolation would lose both.)

Where fields are recorded, the vacuum part of what passes and its ordering term, by which the symbol
of :math:`b^\dagger b` exceeds the square of the signal, travel along.

Reference: Laakso et al., IEEE Signal Process. Mag. 13, 30 (1996), Eq. (86), for the filter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..phasespace.channels import Channel, LinkSpec, MemberChannel, Port
from .layout import Layout
from .rng import DYNAMICS
from .text import HIGH, LANE_LOOP, LOW, STRIDE, Lines, Prologue, Values, fill, index_of, nested

#: Numbers of a field: w_0, w_1, and with records those of its vacuum part and its ordering term.
PLAIN, RECORDED = 2, 5
#: More steps than any delay may have.
FULL = 2**40


class Links:
    """Prints reads and writes of the ring buffers of a system with links, and fills in places."""

    def __init__(self, layout: Layout, prologue: Prologue):
        system, parameters = layout.system, layout.parameters
        self.layout, self.prologue, self.links = layout, prologue, system.links
        #: Ports whose fields are recorded, and of every field its taps and their factors.
        self.taps: list[Port] = []
        self.fields: list[list[tuple[int, complex]]] = []
        for field in system.port_fields:
            self.fields.append([(self._tap(port), c) for port, c in field.ports])
        self.rows = RECORDED if self.taps else PLAIN
        given = {id(p.channel): p.channel for link in self.links for p in link.ports}
        given |= {id(p.channel): p.channel for p in self.taps}
        self.given = given
        self.now = prologue.name(
            f"int({parameters.time(HIGH)}) * {STRIDE} + int({parameters.time(LOW)})"
        )
        self.root = prologue.name("np.sqrt(h)")
        self.two = prologue.name("F(2) * np.sqrt(h)")
        self.maps = {key: self._map(c) for key, c in given.items()}
        count = len(self.links)
        self.lengths = parameters.indices(np.ones(count, np.int64))
        self.offsets = parameters.indices(np.zeros(count, np.int64))
        self.strides = parameters.indices(np.zeros(count, np.int64))
        self.start, self.alpha = parameters.integer(0), parameters.integer(0)
        #: Steps made before the run, as far as buffers are concerned: many where it starts full.
        self.past = parameters.integer(0)
        factors = np.array([link.factor for link in self.links])
        self.factor = parameters.array(factors.real), parameters.array(factors.imag)
        self.loss = parameters.array(np.array([link.loss for link in self.links]))
        self.filter = layout.wide(2 * (2 if self.taps else 1) * count)
        self.state = layout.draws.first(DYNAMICS, "links", count)
        self.tap = layout.wide(self.rows * max(1, len(self.taps)))
        self.dump = layout.wide(self.rows)

    def _map(self, channel: Channel | MemberChannel) -> tuple[str, str, str]:
        """Of every member of a channel: the link that ends and that begins there, and its tap."""
        size = channel.size if isinstance(channel, MemberChannel) else 1
        into, out, tap = (np.full(size, -1, np.int64) for _ in range(3))
        for r, link in enumerate(self.links):
            if link.target.channel is channel:
                into[link.target.member] = r
            if link.source.channel is channel:
                out[link.source.member] = r
        for t, port in enumerate(self.taps):
            if port.channel is channel:
                tap[port.member] = t
        into_, out_, tap_ = (self.layout.parameters.indices(x) for x in (into, out, tap))
        return into_, out_, tap_

    def _tap(self, port: Port) -> int:
        """The number of a port among those that are recorded, each once."""
        for t, other in enumerate(self.taps):
            if other.channel is port.channel and other.member == port.member:
                return t
        self.taps.append(port)
        return len(self.taps) - 1

    def is_port(self, channel: Channel | MemberChannel) -> bool:
        """Whether the noise of a channel is an input field that comes through here."""
        return id(channel) in self.given

    # -- text ------------------------------------------------------------------------------------

    def read(
        self,
        out: Lines,
        channel: Channel | MemberChannel,
        m: str,
        total: list[str],
        kept: list[str],
        pair: str = "",
    ) -> None:
        """The field that enters a port, into ``total``; its vacuum part and ordering to ``kept``.

        ``pair``: number of the pair of normals of the vacuum; "" where ``total`` holds them.
        """
        out += [f"rt = o[{self.maps[id(channel)][0]} + {m}]", "dt = 1", "early = 1", "lossy = F(0)"]
        loop = nested(out, "if rt >= 0:")
        loop += [f"dt = o[{self.lengths} + rt]", f"lossy = p[{self.loss} + rt]"]
        loop += [f"if {self.now} + {self.past} >= dt:", ["early = 0"]]
        if pair:
            out += ["wanted = early", "if lossy > F(0):", ["wanted = 1"]]
            loop = nested(out, "if wanted > 0:")
            fill(loop, "kd", pair, total)
        own = [*total, "F(0)"]
        loop = nested(out, "if rt < 0:")
        lane = nested(loop, LANE_LOOP)
        lane += (f"{x} = noise * {x}" for x in total)
        lane += (f"{a} = {b}" for a, b in zip(kept, own, strict=False))
        loop = nested(out, "if rt >= 0:")
        parts = 2 if self.taps else 1
        state = [f"w[js + {i} * LN + l]" for i in range(2 * parts)]
        loop += [f"al = p[{self.alpha} + rt]", "be = F(1) - al * al"]
        loop += [f"js = ({self.filter} + {2 * parts} * rt) * LN & FAR"]
        body = nested(loop, f"if {self.now} + {self.past} == 0:")
        fill(body, "kd", f"{self.state} + rt", state[:2])
        body += ["gs = noise * np.sqrt(be)"]
        lane = nested(body, LANE_LOOP)
        lane += (f"{x} = gs * {x}" for x in state[:2])
        lane += (f"{a} = {b}" for a, b in zip(state[2:], state[:2], strict=False))
        body = nested(loop, "if early > 0:")
        lane = nested(body, LANE_LOOP)
        for i in range(2):
            lane += [f"x{i} = noise * {total[i]}", f"y{i} = al * x{i} + {state[i]}"]
            lane += [f"{state[i]} = be * x{i} - al * {state[i]}", f"{total[i]} = y{i}"]
        lane += (f"{a} = {b}" for a, b in zip(state[2:], state[:2], strict=False))
        lane += (f"{a} = {b}" for a, b in zip(kept, own, strict=False))
        body = nested(loop, "if early < 1:")
        # a cell more than steps of delay: where it reads nothing is written in this step
        body += [self._place("iz", "rt", f"({self.now} + 1) % (dt + 1)")]
        body += [f"fr = p[{self.factor[0]} + rt]", f"fi = p[{self.factor[1]} + rt]"]
        body += ["lo = noise * lossy"]
        for condition, filtered in (("be > F(0)", True), ("be <= F(0)", False)):
            loop = nested(body, f"if {condition}:")
            lane = nested(loop, LANE_LOOP)
            lane += (f"n{i} = lo * {total[i]}" for i in range(2))
            for part in range(parts):
                for i in range(2):
                    at = 2 * part + i
                    lane += [f"x{i} = w[iz + {at} * LN + l]"]
                    if filtered:
                        lane += [f"y{i} = al * x{i} + {state[at]}"]
                        lane += [f"{state[at]} = be * x{i} - al * {state[at]}"]
                goal, y = total if part == 0 else kept, "y" if filtered else "x"
                lane += [f"{goal[0]} = fr * {y}0 + fi * {y}1 + n0"]
                lane += [f"{goal[1]} = fr * {y}1 - fi * {y}0 + n1"]
            if self.taps:
                lane += [f"{kept[2]} = (fr * fr + fi * fi) * w[iz + 4 * LN + l]"]

    def _place(self, name: str, ring: str, cell: str) -> str:
        first = f"{self.start} + o[{self.offsets} + {ring}]"
        return f"{name} = ({first} + o[{self.strides} + {ring}] * ({cell})) * LN & FAR"

    def places(self, out: Lines, channel: Channel | MemberChannel, m: str, tag: str) -> None:
        """Outside the lane loop: where to write what leaves a port."""
        _, ring, tap = self.maps[id(channel)]
        out += [f"rq = o[{ring} + {m}]", f"iy{tag} = {self.dump} * LN & FAR"]
        out += [
            "if rq >= 0:",
            [self._place(f"iy{tag}", "rq", f"{self.now} % (o[{self.lengths} + rq] + 1)")],
        ]
        if self._tapped(channel):
            out += [f"tk = o[{tap} + {m}]", f"ik{tag} = {self.dump} * LN & FAR"]
            out += ["if tk >= 0:", [f"ik{tag} = ({self.tap} + {self.rows} * tk) * LN & FAR"]]

    def _tapped(self, channel: Channel | MemberChannel) -> bool:
        return any(port.channel is channel for port in self.taps)

    def write(
        self,
        out: Lines,
        channel: Channel | MemberChannel,
        tag: str,
        total: list[str],
        kept: list[str],
        signal: list[str],
        ordering: str,
    ) -> None:
        """In the lane loop after a step: what leaves; ``signal``: sqrt(r) times (Re l, Im l)."""
        values = [f"{total[i]} + {self.two} * ({signal[1 - i]})" for i in range(2)]
        if self.taps:
            values += [*kept[:2], f"{kept[2]} + {ordering or 'F(0)'}"]
        out += (f"out{tag}_{i} = {x}" for i, x in enumerate(values))
        for name in ["iy", "ik"] if self._tapped(channel) else ["iy"]:
            out += (f"w[{name}{tag} + {i} * LN + l] = out{tag}_{i}" for i in range(len(values)))

    def tapped(self, t: int, i: int) -> str:
        """In a lane loop: number i of the field of tap t in this step."""
        return f"w[it{t} + {i} * LN + l]"

    def tap_places(self, out: Lines) -> None:
        """Outside the lane loop."""
        for t in range(len(self.taps)):
            out += [f"it{t} = ({self.tap} + {self.rows * t}) * LN & FAR"]

    # -- tables ----------------------------------------------------------------------------------

    def steps(self, lengths: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Whole steps of every link and the coefficient of its filter, for steps of these lengths.

        Raises:
            ValueError: a step is longer than a delay, or steps differ.
        """
        h = float(lengths.mean())
        if np.ptp(lengths) > 1e-9 * h:
            raise ValueError("Delayed links need steps of one length: space the times evenly.")
        return delays_in_steps(self.links, h)

    def _rooms(self, whole: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Of every ring: its first place and the distance of its cells; all slots.

        Rings of one length lie side by side: cells of one step make a block, and are read in order.
        """
        first, apart = np.zeros((2, whole.size), np.int64)
        total = 0
        for d in dict.fromkeys(whole.tolist()):
            same = np.flatnonzero(whole == d)
            first[same] = total + self.rows * np.arange(same.size)
            apart[same] = self.rows * same.size
            total += self.rows * same.size * (d + 1)
        return first, apart, total

    def wide(self, lengths: NDArray[np.float64]) -> int:
        """Slots of the buffers."""
        return self._rooms(self.steps(lengths)[0])[2]

    def tables(self, lengths: NDArray[np.float64], start: int) -> Values:
        """Lengths, places and filters for a step grid; buffers begin at slot ``start``."""
        whole, alpha = self.steps(lengths)
        first, apart, _ = self._rooms(whole)
        integers: Values = {self.lengths: whole, self.offsets: first, self.strides: apart}
        return integers | {self.start: start, self.alpha: alpha}

    # -- states ----------------------------------------------------------------------------------

    def under_way(
        self, lengths: NDArray[np.float64], o: NDArray[np.int64], steps: int
    ) -> NDArray[np.int64]:
        """Slots of what is under way after so many steps: of rings from old to new, of filters."""
        whole, alpha = self.steps(lengths)
        first, apart, _ = self._rooms(whole)
        rings = [
            self.layout.wide_slots + at + far * ((steps + 1 + np.arange(d)) % (d + 1))[:, None]
            + np.arange(self.rows)
            for at, far, d in zip(first, apart, whole, strict=True)
        ]  # fmt: skip
        parts = 4 if self.taps else 2
        filters = int(o[index_of(self.filter)]) + np.arange(parts * alpha.size)
        return np.concatenate([*(ring.ravel() for ring in rings), filters])

    def energy(
        self, light: NDArray[np.float64], lengths: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Photons under way beyond the vacuum, from (slots of ``under_way`` with records, n)."""
        whole, alpha = self.steps(lengths)
        cells = RECORDED * int(whole.sum())
        rings = light[:cells].reshape(-1, RECORDED, light.shape[1])
        filters = light[cells:].reshape(alpha.size, 4, -1)
        weight = np.where(alpha < 1, 1 / np.maximum(1 - alpha**2, 1e-9), 0)[:, None]
        out = np.zeros(light.shape[1])
        for part, w in ((rings, np.ones(1)), (filters, weight)):
            square = part.astype(float) ** 2
            beyond = square[:, :2].sum(axis=1) - square[:, 2:4].sum(axis=1)
            out += (w * beyond).sum(axis=0) / 4
        return out

    def names(self, lengths: NDArray[np.float64]) -> tuple[str, ...]:
        """Names of what is under way, in the order of ``under_way`` (without records)."""
        whole = self.steps(lengths)[0].tolist()
        places = [f"links[{r}][{k}]" for r, d in enumerate(whole) for k in range(d)]
        places += [f"links[{r}].filter" for r in range(len(whole))]
        return tuple(f"{place}.{i}" for place in places for i in "01")

    def fill(self, o: NDArray[np.int64]) -> None:
        """Let a run start with full buffers."""
        o[index_of(self.past)] = FULL


def delays_in_steps(
    links: list[LinkSpec], h: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Whole steps of every link, and the coefficient of its all-pass filter (1: none)."""
    delays = np.array([link.delay for link in links]) / h
    whole = np.rint(delays)
    alpha = np.ones(delays.size)
    odd = np.abs(delays - whole) > 1e-6
    whole[odd] = np.floor(delays[odd] - 0.5 + 1e-9)
    part = delays[odd] - whole[odd]
    alpha[odd] = (1 - part) / (1 + part)
    if np.any(whole < 1):
        shortest = h * float(delays.min())
        least = shortest / 1.5
        must = f"be at most {least:.6g}, or {shortest:.6g} where delays are multiples of it"
        _check.fail("dt", must, h)
    if np.any(whole >= FULL):
        longest = _check.Note(f"{h * float(delays.max()):.3g}, {float(whole.max()):.3g} steps")
        _check.fail("delay", f"be shorter than {FULL:.2g} steps", longest)
    return whole.astype(np.int64), alpha
