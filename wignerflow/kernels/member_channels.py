"""Jumps of the members of arrays: their noise, and their part of a member's gradient."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..model.coefficients import Coef
from ..phasespace.channels import MatrixChannel, MemberChannel
from ..phasespace.polynomials import Leaf
from .correlated import CorrelatedPrinter
from .layout import Layout, Mono, Terms, derivatives, mono_names, times
from .links import Links
from .rng import DYNAMICS, LOCAL
from .text import DRIFT, NOISE, WHOLE, Lines, Prologue, fill, plus


class MemberChannels:
    """Prints independent jumps of every member, and families with a matrix of rates.

    Args:
        layout, prologue: of the kernel.
        links: of the kernel; None without any.
        part: what is printed; noise alone is drawn with the local step.
        apart: groups whose members make both stages in one pass, so that noise is not kept.
    """

    def __init__(
        self,
        layout: Layout,
        prologue: Prologue,
        links: Links | None = None,
        part: str = WHOLE,
        apart: Collection[int] = (),
    ):
        self.layout, self.prologue, self.links = layout, prologue, links
        self.part, self.keys = part, "kl" if part == NOISE else "kd"
        #: Room for the vacuum part and ordering of what enters ports.
        self.kept: dict[int, str] = {}
        self.apart = apart
        # pair number of the first member's noise, and room to keep it between the two stages
        self.channels: list[tuple[MemberChannel, str, str]] = []
        self.correlated: dict[int, CorrelatedPrinter] = {}
        for alone in layout.system.member_channels:
            pairs = alone.factor.shape[1] if isinstance(alone, MatrixChannel) else alone.size
            first, purpose = "", LOCAL if part == NOISE else DYNAMICS
            if part != DRIFT:
                first = layout.draws.first(purpose, f"jump\0{alone.name}", pairs)
            if isinstance(alone, MatrixChannel):
                self.correlated[len(self.channels)] = CorrelatedPrinter(layout, alone, part)
                self.channels.append((alone, first, ""))
                continue
            if alone.size in apart:
                self.channels.append((alone, first, ""))
                continue
            port = self._port(alone)
            if port and port.taps:
                self.kept[len(self.channels)] = layout.wide(3 * alone.size)
            self.channels.append((alone, first, layout.wide(2 * alone.size)))

    def _port(self, channel: MemberChannel) -> Links | None:
        """The links through which a channel's input comes, if it does."""
        return self.links if self.links and self.links.is_port(channel) else None

    def before(self, group: int, stage: int, source: str, out: Lines) -> None:
        """Before the loop over members: increments of families, which need all of them."""
        for j, family in self.correlated.items():
            if self.channels[j][0].size == group:
                family.before(out, self.channels[j][1], stage, source, self.keys)

    def add(
        self,
        group: int,
        stage: int,
        names: dict[Leaf, str],
        terms: Terms,
        out: Lines,
        lane: Lines,
    ) -> None:
        """Add Re[dl/dx X] to the terms of every component; ``lane``: lines of the lane loop."""
        for j, (channel, _, _) in enumerate(self.channels):
            if channel.size != group:
                continue
            scale, rdt, x = self._increment(j, stage, out, lane)
            parts: list[tuple[Mono, str, int]] = []
            for e, (mono, coefficients) in enumerate(channel.terms.items()):
                for part, values in enumerate(
                    (coefficients.real * scale, coefficients.imag * scale)
                ):
                    if not np.any(values):
                        continue
                    name = f"mc{j}_{e}_{part}"
                    out += [f"{name} = {self._coefficient(values)}"]
                    parts.append((mono, name, part))
                    if j in self.correlated or self.part == NOISE:
                        continue
                    # X_r takes Im l, X_i takes Re l
                    value = times(name, mono_names(mono, names) if mono else "1")
                    x[1 - part] = plus(x[1 - part], f"{rdt} * {value}")
            lane += (f"x{part}{j} = {x[i]}" for i, part in enumerate("ri") if x[i])
            for mono, name, part in parts:
                if not x[part]:
                    continue
                for found, d in derivatives(mono, terms, names):
                    if part == 0:
                        found.append(times(name, d, f"xr{j}"))
                    else:
                        found.append(f"(-{times(name, d, f'xi{j}')})")

    def _increment(
        self, j: int, stage: int, out: Lines, lane: Lines
    ) -> tuple[np.ndarray, str, list[str]]:
        """Factors of the symbol, (members,); the name of rate * dt; X_r and X_i but for l."""
        channel, first, room = self.channels[j]
        root, rdt, scale = "sqh", "h", np.ones(channel.size)
        if j in self.correlated:  # rates stand in its matrix
            re, im = self.correlated[j].increment
            out += [f"ic{j} = ({re} + m) * LN & FAR", f"id{j} = ({im} + m) * LN & FAR"]
            return scale, rdt, [f"w[ic{j} + l]", f"w[id{j} + l]"]
        if isinstance(channel.rate, Coef):
            root, rdt = self.prologue.rate(channel.rate)
        else:
            scale = np.sqrt(channel.rate)
        if channel.sign < 0:
            rdt = self.prologue.name(f"F(-1) * {rdt}")
        if self.part == DRIFT:
            return scale, rdt, ["", ""]
        if room:
            out += [f"ic{j} = ({room} + 2 * m) * LN & FAR"]
        total, kept = self.slots(j)
        if port := self._port(channel):
            root = port.root
            if j in self.kept:
                out += [f"iv{j} = ({self.kept[j]} + 3 * m) * LN & FAR"]
            if stage == 1:
                port.read(out, channel, "m", total, kept, f"{first} + m")
        elif stage == 1:
            fill(out, self.keys, f"{first} + m", total)
        lane += (f"w{j}_{i} = {total[i]}" for i in range(2))
        return scale, rdt, [f"{root} * w{j}_0", f"{root} * w{j}_1"]

    def slots(self, j: int) -> tuple[list[str], list[str]]:
        """Of a port's member in its lane loop: what enters, and what is kept beside it."""
        channel = self.channels[j][0]
        if channel.size in self.apart:
            s, port = self.layout.s, self._port(channel)
            kept = [s(f"kept_member{j}_{i}") for i in range(3)] if port and port.taps else []
            return [s(f"entering{j}_{i}") for i in range(2)], kept
        total = [f"w[ic{j} + l]", f"w[ic{j} + LN + l]"]
        return total, [f"w[iv{j} + {i} * LN + l]" for i in range(3)] if j in self.kept else []

    def begin_ports(self, group: int, out: Lines) -> None:
        """Outside the lane loop of a member: numbers of sqrt(r) l, and where fields are written."""
        for j, (channel, _, _) in enumerate(self.channels):
            port = self._port(channel)
            if channel.size != group or not port:
                continue
            port.places(out, channel, "m", f"m{j}")
            root = np.sqrt(np.asarray(channel.rate, float))
            terms = {mono: root * c for mono, c in channel.terms.items()}
            for kind, which in (("pl", terms), ("po", channel.ordering or {})):
                for e, c in enumerate(which.values()):
                    for part, values in enumerate((c.real, c.imag)):
                        if np.any(values):
                            name = self._coefficient(np.ascontiguousarray(values))
                            out += [f"{kind}{j}_{e}_{part} = {name}"]

    def write_ports(self, group: int, mean: dict[Leaf, str], out: Lines) -> None:
        """In the lane loop of a member after its step: what leaves its ports."""
        for j, (channel, _, _) in enumerate(self.channels):
            port = self._port(channel)
            if channel.size != group or not port:
                continue
            signal: list[list[str]] = [[], []]
            for e, (mono, c) in enumerate(channel.terms.items()):
                for part, values in enumerate((c.real, c.imag)):
                    if np.any(values):
                        value = mono_names(mono, mean) if mono else "1"
                        signal[part].append(times(f"pl{j}_{e}_{part}", value))
            ordering = [
                times(f"po{j}_{e}_0", mono_names(mono, mean) if mono else "1")
                for e, (mono, c) in enumerate((channel.ordering or {}).items())
                if np.any(c.real)
            ]
            total, kept = self.slots(j)
            for part, amplitude in enumerate((channel.entering.real, channel.entering.imag)):
                if amplitude:
                    number = self.layout.parameters.scalar(amplitude)
                    signal[part].append(self.prologue.name(number))
            l = [" + ".join(s) or "F(0)" for s in signal]
            port.write(out, channel, f"m{j}", total, kept, l, " + ".join(ordering))

    def _coefficient(self, values: np.ndarray) -> str:
        """The present member's, of those with the values (members,)."""
        if np.all(values == values[0]):
            return self.prologue.name(self.layout.parameters.scalar(values[0]))
        return self.layout.member_value(values)
