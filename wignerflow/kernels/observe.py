"""Prints ``observe``: values of the observables, reduced over the lanes at once.

Real channels are numbered in the order given: a polynomial takes one channel per real part asked
for, a member observable one per member. If wanted, a last channel counts spins whose length is
of order one, or sums the squared length |alpha|^2 + |beta|^2 of Schwinger amplitudes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..phasespace.polynomials import Form, Leaf, Member, Pair, Poly, Record, Var
from ..phasespace.system import AMPLITUDES, MemberObservable, ProductObservable
from .fields import Fields
from .layout import ArraySums, Layout, member_loads, mono_names, needed_forms, single_names, times
from .products import ProductPrinter
from .pulses import Pulses
from .text import LANE_LOOP, Lines, Prologue, expression, nested

SHORT_LENGTH_SQUARED = 2.0


@dataclass(eq=False)
class Readout:
    """One observable: its symbol, and whether the imaginary part is wanted beside the real one."""

    symbol: Poly | MemberObservable | ProductObservable
    is_complex: bool

    @property
    def size(self) -> int:
        """Number of values."""
        return 1 if isinstance(self.symbol, Poly) else self.symbol.size

    @property
    def parts(self) -> int:
        """Real numbers per value."""
        return 2 if self.is_complex else 1


def channel_count(readouts: list[Readout]) -> int:
    """Number of real channels, without the diagnostic one."""
    return sum(r.parts * r.size for r in readouts)


class ObservePrinter:
    """Prints the readout of a list of observables, after the pulses that act there."""

    def __init__(self, layout: Layout, readouts: list[Readout], diagnostic: bool = True):
        self.layout, self.readouts = layout, readouts
        self.prologue = Prologue(layout.parameters)
        polys: list[Poly] = [r.symbol for r in readouts if isinstance(r.symbol, Poly)]
        for poly in polys:
            if poly.coefficients:
                raise ValueError(
                    "Argument `e_ops` must not contain time coefficients, but an observable does."
                )
        self.pairs = sorted(
            {leaf.index for p in polys for leaf in p.leaves if isinstance(leaf, Pair)}
        )
        forms = set(needed_forms(polys))
        self.fields: Fields | None = None
        if self.pairs:
            pairs = [layout.system.pairs[i] for i in self.pairs]
            self.fields = Fields(layout, pairs, values_only=True)
            forms |= {*self.fields.forms()}
        self.sums = ArraySums(layout, sorted(forms), "a", "seen")
        blocks = list(enumerate(layout.blocks))
        self.pulses = Pulses(layout) if layout.system.pulses else None
        self.ensembles = [k for k, b in blocks if diagnostic and b.source == "ensemble"]
        #: Blocks whose squared lengths are summed (no ensembles are beside them).
        self.lengths = [
            k for k, b in blocks if diagnostic and b.kind == AMPLITUDES and not self.ensembles
        ]
        self.share = layout.private(1)
        self.buffer = layout.private(
            max(1, sum(r.parts for r in readouts if isinstance(r.symbol, Poly)))
        )
        self.products = [
            ProductPrinter(layout, r.symbol, r.is_complex)
            if isinstance(r.symbol, ProductObservable)
            else None
            for r in readouts
        ]

    def _group(self, group: int, out: Lines) -> None:
        """First pass over the members of a group: sums, member observables, spin lengths."""
        layout, blocks = self.layout, self.layout.groups[group]
        ensembles = [k for k in blocks if k in self.ensembles]
        lengths = [k for k in blocks if k in self.lengths]
        members = [
            r
            for r in self.readouts
            if isinstance(r.symbol, MemberObservable) and r.symbol.size == group
        ]
        if not self.sums.of(group) and not ensembles and not lengths and not members:
            return
        loop = layout.members(out, group)
        loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
        names, loads = member_loads(layout, blocks, "v")
        self.sums.load(group, loop)
        lane = nested(loop, LANE_LOOP)
        lane += loads
        self.sums.add(group, names, lane)
        for k in ensembles:
            missing = f"{_length(names, k)} - F({SHORT_LENGTH_SQUARED})"
            lane += [f"{layout.s('short')} += below({missing})"]
        lane += (f"{layout.s('short')} += {_length(names, k, Member, 4)}" for k in lengths)
        lane += ["pass"]
        position = 0
        for r in self.readouts:
            if r in members:
                assert isinstance(r.symbol, MemberObservable)
                for part in range(r.parts):
                    at = position + part * r.size
                    self._member_channel(r.symbol, part, at, names, loads, loop)
            position += r.parts * r.size

    def _member_channel(
        self,
        symbol: MemberObservable,
        part: int,
        channel: int,
        names: dict[Leaf, str],
        loads: list[str],
        out: Lines,
    ) -> None:
        parameters = self.layout.parameters
        terms = []
        for e, (mono, coefficients) in enumerate(symbol.terms.items()):
            values = coefficients.imag if part else coefficients.real
            if np.any(values):
                out += [f"r{e} = {self.layout.member_value(values)}"]
                terms.append(f"r{e}" if not mono else times(f"r{e}", mono_names(mono, names)))
        out += [LANE_LOOP, [*loads, f"w[wb + l] = {' + '.join(terms) or 'F(0)'}"]]
        out += [_reduce("wb", f"{parameters.integer(channel)} + m")]

    def _pair_group(self, fields: Fields, group: int, out: Lines) -> None:
        """Second pass: coupling sums."""
        layout, blocks = self.layout, self.layout.groups[group]
        uses = [(i, *fields.uses[j][0]) for j, i in enumerate(self.pairs)]
        uses = [u for u in uses if layout.blocks[u[1][0][0]].size == group]
        if not uses:
            return
        fields.before(out, group, "v")
        loop = layout.members(out, group)
        loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
        names: dict[Leaf, str] = {}
        fields.member(loop, group)
        for i, _, weights, _, _ in uses:
            if weights is not None:
                loop += [f"u{i} = {layout.member_value(weights)}"]
        lane = nested(loop, LANE_LOOP)
        for k in blocks:
            for c in range(layout.blocks[k].components):
                names[Member(k, c)] = f"x{k}_{c}"
                lane += [f"x{k}_{c} = v[i{k} + {c} * LN + l]"]
        lane += fields.lane(group, "v", names)
        for i, mono, weights, field, _ in uses:
            weight = "1" if weights is None else f"u{i}"
            value = times(weight, field.name, mono_names(mono, names))
            lane += [f"{layout.s(f'pair{i}')} += {value}"]

    def source(self) -> Lines:
        """Source of ``observe``: fills row (c, i) of the output arrays."""
        layout, body = self.layout, Lines()
        if self.pulses:
            self.pulses.source(body)
        zeros = [f"seen{i}" for i in self.sums.forms] + [f"pair{i}" for i in self.pairs]
        if layout.arrays:
            zeros += [*(["short"] if self.ensembles or self.lengths else []), "check"]
        if zeros:
            body += [LANE_LOOP, [f"{layout.s(name)} = F(0)" for name in zeros]]
        checks = [f"F(0) * v[{j} * LN + l]" for j in range(layout.single_slots)]
        if layout.arrays:
            for group, blocks in layout.groups.items():
                loop = layout.members(body, group)
                loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
                lane = nested(loop, LANE_LOOP)
                state = [
                    f"v[i{k} + {c} * LN + l]"
                    for k in blocks
                    for c in range(layout.blocks[k].components)
                ]
                lane += [f"{layout.s('check')} += F(0) * ({' + '.join(state)})"]
            layout.total(body, ["check"])
            checks.append(layout.s("check"))
        alive = layout.s("alive")
        body += [
            LANE_LOOP,
            [f"{alive} = {alive} * finite({' + '.join(checks)})"],
            f"alive = {layout.scratch['alive']} * LN",
            f"wb = {self.buffer} * LN & FAR",
            f"wd = {self.share} * LN & FAR",
        ]
        body += ["tally(s, alive, c, i, count, bcount)"]
        for group in layout.groups:
            self._group(group, body)
        if layout.arrays:
            running = [f"seen{i}" for i in (self.fields.forms() if self.fields else ())]
            short = ["short"] if self.ensembles or self.lengths else []
            layout.total(body, [*(f"seen{i}" for i in self.sums.forms), *short], running)
        if self.fields:
            lane = nested(body, LANE_LOOP)
            seen = {i: layout.s(f"seen{i}") for i in self.sums.forms}
            self.fields.begin(lane, seen, self.prologue, "seen")
            lane += ["pass"]
            for group in layout.groups:
                self._pair_group(self.fields, group, body)
            layout.total(body, [f"pair{i}" for i in self.pairs])
        self._scalars(body)
        position = 0
        for r, product in zip(self.readouts, self.products, strict=True):
            if product is not None:
                product.source(body, layout.parameters.integer(position))
            position += r.parts * r.size
        head = "def observe(v, s, w, p, o, c, i, count, mean, m2, bcount, bsum, bmap):"
        return [head, [*self.prologue.lines(), *body]]

    def _scalars(self, body: Lines) -> None:
        layout = self.layout
        names = single_names(layout, "x")
        lane = nested(body, LANE_LOOP)
        lane += layout.load(names, "v")
        every: dict[Leaf, str] = dict(names)
        for i in self.sums.forms:
            lane += [f"T{i} = {layout.s(f'seen{i}')}"]
            every[Form(i)] = f"T{i}"
        for leaf in {leaf: None for r in self.readouts for leaf in _records(r)}:
            record = layout.s(f"record{leaf.index}")  # begins anew with the next interval
            lane += [f"Z{leaf.index} = {record}", f"{record} = F(0)"]
            every[leaf] = f"Z{leaf.index}"
        for i in self.pairs:
            lane += [f"P{i} = {layout.s(f'pair{i}')}"]
            every[Pair(i)] = f"P{i}"
        shorts = [
            f"below({_length(every, k, Var)} - F({SHORT_LENGTH_SQUARED}))"
            for k in self.ensembles
            if layout.blocks[k].count is None
        ]
        for k in self.lengths:
            if layout.blocks[k].count is None:
                shorts.append(_length(every, k, Var, 4))
        if layout.arrays and (self.ensembles or self.lengths):
            shorts.append(layout.s("short"))
        position, row, calls = 0, 0, []
        if self.ensembles:
            total = sum(layout.blocks[k].size for k in self.ensembles)
            share = self.prologue.name(layout.parameters.scalar(1 / total))
            lane += [f"w[wd + l] = {share} * ({' + '.join(shorts)})"]
        if self.lengths:
            lane += [f"w[wd + l] = {' + '.join(shorts)}"]
        for r in self.readouts:
            if not isinstance(r.symbol, Poly):
                position += r.parts * r.size
                continue
            parts = [r.symbol.real()]
            if r.is_complex:
                parts.append(r.symbol.imag())
            for poly in parts:
                value = expression(poly, every, self.prologue) or "F(0)"
                lane += [f"w[wb + {row} * LN + l] = {value}"]
                calls.append((row, position))
                position += 1
                row += 1
        lane += ["pass"]
        for first, channel, count in _runs(calls):
            at = layout.parameters.integer(channel)
            if count == 1:
                body += [_reduce(f"wb + {first} * LN", at)]
                continue
            body += [
                f"for row in range({count}):",
                [_reduce(f"wb + ({first} + row) * LN", f"{at} + row")],
            ]
        if self.ensembles or self.lengths:
            last = layout.parameters.integer(position)
            body += [f"reduce(w, wd, s, alive, c, i, {last}, count, mean, m2, bsum, bmap)"]


def _records(readout: Readout) -> list[Record]:
    leaves = readout.symbol.leaves if isinstance(readout.symbol, Poly) else []
    return [leaf for leaf in leaves if isinstance(leaf, Record)]


def _runs(calls: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(first row, first channel, count) of pairs in which both go up together."""
    out: list[tuple[int, int, int]] = []
    for row, channel in calls:
        if out and (row, channel) == (out[-1][0] + out[-1][2], out[-1][1] + out[-1][2]):
            out[-1] = (*out[-1][:2], out[-1][2] + 1)
        else:
            out.append((row, channel, 1))
    return out


def _reduce(start: str, channel: str) -> str:
    return f"reduce(w, {start}, s, alive, c, i, {channel}, count, mean, m2, bsum, bmap)"


def _length(names: dict[Leaf, str], k: int, kind: type = Member, components: int = 3) -> str:
    squares = [f"{names[kind(k, c)]} * {names[kind(k, c)]}" for c in range(components)]
    return " + ".join(squares)
