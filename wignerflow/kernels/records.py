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
from ..phasespace.polynomials import Form, Leaf, Member, Poly, TimePart, Var
from ..phasespace.system import RECORDS, ROTOR, SPIN, Field
from .array_sums import ArraySums
from .layout import Layout, needed_forms
from .text import LANE_LOOP, Lines, Prologue, expression


class Recorder:
    """Prints the records of the fields of a system.

    Args:
        layout, prologue: of the kernel.
        averaged: blocks whose motion in a step is known on average (modes with their own).
    """

    def __init__(self, layout: Layout, prologue: Prologue, averaged: set[int]):
        self.layout, self.prologue, self.averaged = layout, prologue, averaged
        system = layout.system
        self.fields = system.fields
        number = {id(channel): k for k, channel in enumerate(system.channels)}
        self.numbers = [[number[id(c)] for c, _, _ in f.terms] for f in self.fields]
        self.fluxes = [f.flux for f in self.fields if f.flux is not None]
        signals = [c.symbol for f in self.fields for c, _, _ in f.terms]
        self.mean = ArraySums(layout, needed_forms(signals), "rw", "mean")
        self.end = ArraySums(layout, needed_forms(self.fluxes), "ew", "end")
        leaves = [leaf for p in [*signals, *self.fluxes] for leaf in p.leaves]
        self.singles = sorted({x.block for x in leaves if isinstance(x, Var)})

    @property
    def forms(self) -> list[int]:
        """Array sums that are needed at the start of a step."""
        return self.end.forms

    def _record(self, field: int, i: int) -> str:
        return self.layout.s(f"record{RECORDS * field + i}")

    def clear(self, out: Lines) -> None:
        """In the lane loop that begins an output interval: all records are zero."""
        for j in range(len(self.fields)):
            out.add(*(f"{self._record(j, i)} = F(0)" for i in range(RECORDS)))
        self._clear_sums(out)

    def _clear_sums(self, out: Lines) -> None:
        for sums in (self.mean, self.end):
            out.add(*(f"{self.layout.s(f'{sums.kept}{i}')} = F(0)" for i in sums.forms))

    def begin(self, names: dict[Leaf, str], out: Lines) -> None:
        """In the lane loop of the single subsystems, at the start of a step: the fluxes there."""
        for j, f in enumerate(self.fields):
            if f.flux is not None:
                value = expression(f.flux, names, self.prologue) or "F(0)"
                out.add(f"{self.layout.s(f'flux{j}')} = {value}")

    def after_single(self, k: int, out: Lines) -> None:
        """In the same at the end of the rotation: keep block k's mean point and end."""
        if k not in self.singles:
            return
        for c in range(self.layout.block(k).components):
            out.add(f"{self.layout.s(f'mean{k}_{c}')} = {self._mean(k, c, f'{k}_2')}")
            out.add(f"{self.layout.s(f'end{k}_{c}')} = z{k}_{c}")

    def _mean(self, k: int, c: int, tag: str) -> str:
        if k in self.averaged:
            return f"y{k}_{c}"
        # a spin that turns by an angle g moves as by tan(g/2)/(g/2) of g at the mean of its ends
        half = f"Rh{tag}" if self.layout.block(k).kind in (SPIN, ROTOR) else "F(0.5)"
        return f"{half} * (x{k}_{c} + z{k}_{c})"

    def load(self, group: int, out: Lines) -> None:
        """Per member, outside the lane loop."""
        self.mean.load(group, out)
        self.end.load(group, out)

    def after_member(self, group: int, blocks: list[int], out: Lines) -> None:
        """In the lane loop of a member, at the end of the rotation: add it to the sums."""
        wanted = {b for i in self.mean.of(group) for b, _ in self.layout.system.forms[i].mono}
        mean: dict[Leaf, str] = {}
        end: dict[Leaf, str] = {}
        for k in blocks:
            for c in range(self.layout.block(k).components):
                end[Member(k, c)] = f"z{k}_{c}"
                if k in wanted:
                    mean[Member(k, c)] = f"m{k}_{c}"
                    out.add(f"m{k}_{c} = {self._mean(k, c, f'{k}')}")
        self.mean.add(group, mean, out)
        self.end.add(group, end, out)

    def finish(self, body: Lines) -> None:
        """At the end of a step: add its increments."""
        if not self.fields:
            return
        layout, pro = self.layout, self.prologue
        layout.total(body, [f"{s.kept}{i}" for s in (self.mean, self.end) for i in s.forms])
        half, per = pro.name("F(0.5) * h"), pro.name("F(1) / h")
        body.open(LANE_LOOP)
        mean: dict[Leaf, str] = {}
        end: dict[Leaf, str] = {}
        for k in self.singles:
            for c in range(layout.block(k).components):
                mean[Var(k, c)], end[Var(k, c)] = f"m{k}_{c}", f"e{k}_{c}"
                body.add(f"m{k}_{c} = {layout.s(f'mean{k}_{c}')}")
                body.add(f"e{k}_{c} = {layout.s(f'end{k}_{c}')}")
        for i in self.mean.forms:
            mean[Form(i)] = f"M{i}"
            body.add(f"M{i} = {layout.s(f'mean{i}')}")
        for i in self.end.forms:
            end[Form(i)] = f"E{i}"
            body.add(f"E{i} = {layout.s(f'end{i}')}")
        for k in sorted({k for numbers in self.numbers for k in numbers}):
            root = pro.name("F(0.5) * sqh")
            for i in range(2):
                body.add(f"b{k}_{i} = {root} * {layout.s(f'noise{k}_{1 - i}')}")
        for j, field in enumerate(self.fields):
            v, s = self._noise(j, field), self._signal(field, mean)
            for i, part in enumerate("ri"):
                body.add(f"v{part}{j} = {v[i]}", f"s{part}{j} = {s[i]}")
                body.add(f"{self._record(j, i)} += v{part}{j} + s{part}{j}")
                body.add(f"{self._record(j, 2 + i)} += v{part}{j}")
            if field.flux is not None:
                flux = expression(field.flux, end, pro) or "F(0)"
                body.add(f"{self._record(j, 4)} += {half} * ({layout.s(f'flux{j}')} + {flux})")
            gain = " + ".join(f"s{p}{j} * (s{p}{j} + v{p}{j} + v{p}{j})" for p in "ri")
            body.add(f"{self._record(j, 5)} += {per} * ({gain})")
        self._clear_sums(body)
        body.close()

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
