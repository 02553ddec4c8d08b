r"""Records of output fields: integrals over an output interval, one set of six per field.

With the increments of a step, :math:`\Delta B_k = \frac i2\Delta W_k^*` of a channel's input and
:math:`\bar l_k` its symbol at the mean of the two ends of the rotation,

.. math:: v = \sum_k (c_k\Delta B_k + d_k\Delta B_k^*), \qquad
   s = \sum_k \sqrt{r_k}\,h\,(c_k\bar l_k + d_k\bar l_k^*) + \beta h,

the records are Re and Im of the sum of v + s, Re and Im of that of v, the integral of the symbol of
:math:`b^\dagger b`, and the sum of :math:`(|v + s|^2 - |v|^2)/h`. The noise is the step's own. They
begin at zero with every output interval, and are read by the observables ``Record``.
"""

from __future__ import annotations

from ..model.coefficients import Coef
from ..phasespace.channels import RECORDS, Field
from ..phasespace.polynomials import Form, Leaf, Member, Poly, TimePart, Var
from ..phasespace.system import ROTOR, SPIN
from .layout import ArraySums, Layout, needed_forms
from .links import Links
from .member_channels import MemberChannels
from .text import LANE_LOOP, Lines, Prologue, expression, nested


class Recorder:
    """Prints the records of the fields of a system.

    Args:
        layout, prologue: of the kernel.
        averaged: blocks whose motion in a step is known on average (modes with their own).
        moved: blocks that move on in a step after the rotation.
    """

    def __init__(
        self,
        layout: Layout,
        prologue: Prologue,
        averaged: set[int],
        moved: set[int],
        links: Links | None,
        members: MemberChannels | None,
    ):
        self.layout, self.prologue, self.averaged = layout, prologue, averaged
        self.links, self.members = links, members
        system = layout.system
        #: Single channels that are ports.
        self.ports = [k for k, c in enumerate(system.channels) if links and links.is_port(c)]
        self.wanted = {
            b
            for channel, _, _ in (members.channels if members else ())
            if links and links.is_port(channel)
            for mono in [*channel.terms, *(channel.ordering or {})]
            for b, _ in mono
        }
        self.fields = system.fields
        number = {id(channel): k for k, channel in enumerate(system.channels)}
        self.numbers = [[number[id(c)] for c, _, _ in f.terms] for f in self.fields]
        self.fluxes = [f.flux for f in self.fields if f.flux is not None]
        signals = [c.symbol for f in self.fields for c, _, _ in f.terms]
        for k in self.ports:
            channel = system.channels[k]
            signals += [p for p in (channel.symbol, channel.ordering) if p is not None]
        self.count = len(self.fields) + len(system.port_fields)
        self.mean = ArraySums(layout, needed_forms(signals), "rw", "mean")
        #: Array sums that are needed at the start of a step.
        self.forms = needed_forms(self.fluxes)
        # where nothing moves on, those of the next start are there already
        later = [i for i in self.forms if layout.loops.spread or self._blocks(i) & moved]
        self.end = ArraySums(layout, later, "ew", "end")
        leaves = [leaf for p in [*signals, *self.fluxes] for leaf in p.leaves]
        self.singles = sorted({x.block for x in leaves if isinstance(x, Var)})

    def _blocks(self, form: int) -> set[int]:
        return {b for b, _ in self.layout.system.forms[form].mono}

    def _record(self, field: int, i: int) -> str:
        return self.layout.s(f"record{RECORDS * field + i}")

    def clear(self, out: Lines) -> None:
        """In the lane loop that begins an output interval: all records are zero."""
        for j in range(self.count):
            out += (f"{self._record(j, i)} = F(0)" for i in range(RECORDS))
        self._clear_sums(out)

    def _clear_sums(self, out: Lines) -> None:
        for sums in (self.mean, self.end):
            out += (f"{self.layout.s(f'{sums.kept}{i}')} = F(0)" for i in sums.forms)

    def begin(self, names: dict[Leaf, str], out: Lines) -> None:
        """In the lane loop of the single subsystems, at the start of a step: the fluxes there."""
        for j, f in enumerate(self.fields):
            if f.flux is not None:
                value = expression(f.flux, names, self.prologue) or "F(0)"
                out += [f"{self.layout.s(f'flux{j}')} = {value}"]

    def after_single(self, k: int, out: Lines) -> None:
        """In the same at the end of the rotation: keep block k's mean point and end."""
        if k not in self.singles:
            return
        for c in range(self.layout.blocks[k].components):
            out += [f"{self.layout.s(f'mean{k}_{c}')} = {self._mean(k, c, f'{k}_2')}"]
            out += [f"{self.layout.s(f'end{k}_{c}')} = z{k}_{c}"]

    def _mean(self, k: int, c: int, tag: str) -> str:
        if k in self.averaged:
            return f"y{k}_{c}"
        # a spin that turns by an angle g moves as by tan(g/2)/(g/2) of g at the mean of its ends
        half = f"Rh{tag}" if self.layout.blocks[k].kind in (SPIN, ROTOR) else "F(0.5)"
        return f"{half} * (x{k}_{c} + z{k}_{c})"

    def load(self, group: int, out: Lines) -> None:
        """Per member, outside the lane loop."""
        self.mean.load(group, out)
        self.end.load(group, out)
        if self.members:
            self.members.begin_ports(group, out)

    def after_member(self, group: int, blocks: list[int], out: Lines) -> None:
        """In the lane loop of a member, at the end of the rotation: add it to the sums."""
        wanted = self.wanted | {
            b for i in self.mean.of(group) for b, _ in self.layout.system.forms[i].mono
        }
        mean: dict[Leaf, str] = {}
        end: dict[Leaf, str] = {}
        for k in blocks:
            for c in range(self.layout.blocks[k].components):
                end[Member(k, c)] = f"z{k}_{c}"
                if k in wanted:
                    mean[Member(k, c)] = f"m{k}_{c}"
                    out += [f"m{k}_{c} = {self._mean(k, c, f'{k}')}"]
        self.mean.add(group, mean, out)
        self.end.add(group, end, out)
        if self.members:
            self.members.write_ports(group, mean, out)

    def finish(self, body: Lines) -> None:
        """At the end of a step: add its increments."""
        layout, pro = self.layout, self.prologue
        layout.total(body, [f"{s.kept}{i}" for s in (self.mean, self.end) for i in s.forms])
        half, per = pro.name("F(0.5) * h"), pro.name("F(1) / h")
        if self.links:
            for k in self.ports:
                self.links.places(body, layout.system.channels[k], "0", f"s{k}")
        lane = nested(body, LANE_LOOP)
        mean: dict[Leaf, str] = {}
        end: dict[Leaf, str] = {}
        for k in self.singles:
            for c in range(layout.blocks[k].components):
                mean[Var(k, c)], end[Var(k, c)] = f"m{k}_{c}", f"e{k}_{c}"
                lane += [f"m{k}_{c} = {layout.s(f'mean{k}_{c}')}"]
                lane += [f"e{k}_{c} = {layout.s(f'end{k}_{c}')}"]
        for i in self.mean.forms:
            mean[Form(i)] = f"M{i}"
            lane += [f"M{i} = {layout.s(f'mean{i}')}"]
        for i in self.forms:
            end[Form(i)] = f"E{i}"
            kept = self.end.kept if i in self.end.forms else "form"
            lane += [f"E{i} = {layout.s(f'{kept}{i}')}"]
        for k in sorted({k for numbers in self.numbers for k in numbers}):
            root = pro.name("F(0.5) * sqh")
            for i in range(2):
                lane += [f"b{k}_{i} = {root} * {layout.s(f'noise{k}_{1 - i}')}"]
        for j, field in enumerate(self.fields):
            v, s = self._noise(j, field), self._signal(field, mean)
            for i, part in enumerate("ri"):
                lane += [f"v{part}{j} = {v[i]}", f"s{part}{j} = {s[i]}"]
                lane += [f"{self._record(j, i)} += v{part}{j} + s{part}{j}"]
                lane += [f"{self._record(j, 2 + i)} += v{part}{j}"]
            if field.flux is not None:
                flux = expression(field.flux, end, pro) or "F(0)"
                lane += [f"{self._record(j, 4)} += {half} * ({layout.s(f'flux{j}')} + {flux})"]
            gain = " + ".join(f"s{p}{j} * (s{p}{j} + v{p}{j} + v{p}{j})" for p in "ri")
            lane += [f"{self._record(j, 5)} += {per} * ({gain})"]
        if self.links:
            for k in self.ports:
                self._write_port(self.links, k, mean, lane)
        self._clear_sums(lane)
        lane += ["pass"]
        if self.links and self.links.taps:
            self._taps(self.links, body, half, per)

    def port_slots(self, k: int) -> tuple[list[str], list[str]]:
        """Of a single port: what enters, and what is kept beside it."""
        total = self.layout.slots(f"noise{k}", 2)
        kept = self.layout.slots(f"kept{k}", 3) if self.links and self.links.taps else []
        return total, kept

    def read_ports(self, out: Lines) -> None:
        """At the start of a step: what enters single ports, whose vacua are drawn."""
        if self.links:
            for k in self.ports:
                self.links.read(out, self.layout.system.channels[k], "0", *self.port_slots(k))

    def _write_port(self, links: Links, k: int, mean: dict[Leaf, str], body: Lines) -> None:
        channel = self.layout.system.channels[k]
        assert not isinstance(channel.rate, Coef)
        symbol = channel.symbol * float(channel.rate) ** 0.5
        if channel.entering:
            symbol = symbol + Poly.constant(channel.entering)
        parts = [symbol.real(), symbol.imag()]
        signal = [expression(p, mean, self.prologue) or "F(0)" for p in parts]
        ordering = channel.ordering or Poly()
        order = expression(ordering.real(), mean, self.prologue)
        total, kept = self.port_slots(k)
        links.write(body, channel, f"s{k}", total, kept, signal, order)

    def _taps(self, links: Links, body: Lines, half: str, per: str) -> None:
        """Records of what left ports in this step."""
        pro = self.prologue
        root = pro.name("F(0.5) * np.sqrt(h)")
        links.tap_places(body)
        lane = nested(body, LANE_LOOP)
        for t in range(len(links.taps)):
            for name, first in (("tc", 0), ("tv", 2)):
                re, im = (f"{root} * {links.tapped(t, first + i)}" for i in (1, 0))
                lane += [f"{name}r{t} = {re}", f"{name}i{t} = {im}"]
        for j, parts in enumerate(links.fields, len(self.fields)):
            for first, n in ((0, "c"), (2, "v")):
                total: tuple[list[str], list[str]] = [], []
                for t, c in parts:
                    a, b = (self._number(x) for x in (c.real, c.imag))
                    total[0].append(f"{a} * t{n}r{t} - {b} * t{n}i{t}")
                    total[1].append(f"{a} * t{n}i{t} + {b} * t{n}r{t}")
                lane += (f"{n}{p}{j} = {' + '.join(x)}" for p, x in zip("ri", total, strict=True))
                lane += [f"{self._record(j, first)} += {n}r{j}"]
                lane += [f"{self._record(j, first + 1)} += {n}i{j}"]
            lane += [f"sr{j} = cr{j} - vr{j}", f"si{j} = ci{j} - vi{j}"]
            gain = " + ".join(f"s{p}{j} * (c{p}{j} + v{p}{j})" for p in "ri")
            lane += [f"gain{j} = {per} * ({gain})", f"{self._record(j, 5)} += gain{j}"]
            flux = f"gain{j}"
            if len(parts) == 1:  # the symbol; of sums it would need the ordering of pairs
                ((t, c),) = parts
                square = self._number(abs(c) ** 2)
                signal = f"{per} * (sr{j} * sr{j} + si{j} * si{j})"
                flux = f"{signal} + {square} * h * {links.tapped(t, 4)}"
            lane += [f"{self._record(j, 4)} += {flux}"]

    def _number(self, value: float) -> str:
        return self.prologue.name(self.layout.parameters.scalar(value))

    def _noise(self, j: int, field: Field) -> list[str]:
        """Real and imaginary part of v."""
        out: list[list[str]] = [[], []]
        for k, (_, c, d) in zip(self.numbers[j], field.terms, strict=True):
            re, im = f"b{k}_0", f"b{k}_1"
            for part, a, b in ((0, (c + d).real, (d - c).imag), (1, (c + d).imag, (c - d).real)):
                for number, name in ((a, re), (b, im)):
                    if number != 0:
                        out[part].append(f"{self._number(number)} * {name}")
        return [" + ".join(terms) or "F(0)" for terms in out]

    def _signal(self, field: Field, names: dict[Leaf, str]) -> list[str]:
        """Real and imaginary part of s."""
        constant, timed = field.amplitude, []
        for channel, c, d in field.terms:
            l, bar = channel.symbol, channel.symbol.real() + channel.symbol.imag() * -1j
            total = l * c + bar * d
            if isinstance(channel.rate, Coef):
                rate = self.layout.parameters.time(TimePart(channel.rate, "r"))
                timed.append((total, self.prologue.name(f"np.sqrt({rate}) * h")))
            else:
                constant = constant + total * float(channel.rate) ** 0.5
        out = []
        for part in (Poly.real, Poly.imag):
            parts = [expression(part(constant), names, self.prologue, "h")]
            parts += [expression(part(p), names, self.prologue, scale) for p, scale in timed]
            out.append(" + ".join(p for p in parts if p) or "F(0)")
        return out
