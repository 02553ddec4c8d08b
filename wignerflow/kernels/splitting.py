"""The splitting scheme: one collective step of length h, then one local step.

Collective step (Stratonovich, explicit midpoint): with g dt = dh dt + sum_k Re[dl_k X_k] the
increment of the gradient at the start, X_k = sqrt(r_k) dW_k + i r_k l_k^* dt, every spin is
rotated by g/2, the gradient is taken again there with the same noise, and the whole step rotates
the original spin by it, by Rodrigues' formula (so lengths are kept exactly and constant fields are
exact). Modes are translated, or where frequency, loss or gain move them by themselves advance as
in ``oscillators``: their average over the step stands for the mid-point, and all else sees it in
both halves. The local step has exact first and second moments. Between outputs
the order is half local step, collective step, local step, collective step, ..., half local step: a
Strang splitting, of weak order two where the noise is local or additive and one in general, exact
for constant rotations.
"""

from __future__ import annotations

import numpy as np

from ..model.coefficients import Coef
from ..phasespace.polynomials import (
    Form,
    Leaf,
    Member,
    Monomial,
    Pair,
    Poly,
    TimePart,
    Var,
)
from ..phasespace.system import MODE, ROTOR, SPIN, MatrixChannel, MemberChannel
from .correlated import CorrelatedPrinter
from .fields import Fields
from .layout import Layout, mono_derivative, mono_names, needed_forms, single_names, times
from .local import LocalPrinter, fill, fill_many
from .oscillators import ModePrinter
from .text import LANE_LOOP, Lines, Prologue, expression, plus

ARGUMENTS = "v, q, s, w, p, o, ct, h, noise, lr, kd, kl, t0"


class StepPrinter:
    """Prints the functions ``local`` (a local step alone) and ``step`` of a system."""

    #: Half local steps stand at both ends of every output interval.
    strang = True
    #: Stages that need the normals and the table of the local step.
    local_stages: tuple[int, ...] = (2,)

    def __init__(self, layout: Layout, local: LocalPrinter):
        self.layout, self.local = layout, local
        system = layout.system
        self.prologue = Prologue(layout.parameters)
        self.pairs = [leaf for leaf in system.hamiltonian.leaves if isinstance(leaf, Pair)]
        self.static, self.rest = self._split(system.hamiltonian)
        self.fields = Fields(layout, [system.pairs[leaf.index] for leaf in self.pairs])
        self.numbers: list[tuple[str, tuple[Leaf, ...]]] | None = None
        self.symbols = []
        for channel in system.channels:
            scale = 1.0 if isinstance(channel.rate, Coef) else float(np.sqrt(channel.rate))
            symbol = channel.symbol * scale
            if any(isinstance(leaf, Pair) for leaf in symbol.leaves):
                raise NotImplementedError(
                    "A jump operator that contains a coupling sum over pairs has no kernel."
                )
            self.symbols.append((symbol.real(), symbol.imag(), channel.rate))
        dynamic = [self.rest, *(p for re, im, _ in self.symbols for p in (re, im))]
        self.forms = sorted({*needed_forms(dynamic), *self.fields.forms()})
        # the noise of channels lies in one piece of scratch, so that one loop fills it
        for k in range(len(self.symbols)):
            for i in range(2):
                layout.s(f"noise{k}_{i}")
        # member channels: pair numbers of their noise, and room to keep it between the two stages
        position = len(self.symbols)
        self.member: list[tuple[MemberChannel, str, str]] = []
        self.correlated: dict[int, CorrelatedPrinter] = {}
        for alone in system.member_channels:
            first = layout.parameters.integer(position)
            if isinstance(alone, MatrixChannel):
                self.correlated[len(self.member)] = CorrelatedPrinter(layout, alone)
                self.member.append((alone, first, ""))
                position += alone.factor.shape[1]
                continue
            self.member.append((alone, first, layout.wide(2 * alone.size)))
            position += alone.size
        self.modes = ModePrinter(layout, position)

    def _split(self, h: Poly) -> tuple[Poly, Poly]:
        """Terms that are one array sum or coupling times scalars, and all others."""
        static: dict[Monomial, complex] = {}
        rest: dict[Monomial, complex] = {}
        for (t, leaves), c in h.terms.items():
            alone = len(leaves) == 1 and isinstance(leaves[0], (Form, Pair))
            if not alone and any(isinstance(leaf, Pair) for leaf in leaves):
                raise NotImplementedError(
                    "A coupling sum multiplied by another operator has no kernel in H."
                )
            (static if alone else rest)[t, leaves] = c
        return Poly(static), Poly(rest)

    # -- pieces in the lane loop of the single subsystems --------------------------------------

    def _gradients(self, names: dict[Leaf, str], stage: int, lines: Lines) -> dict[Leaf, str]:
        """Emit the channels' amplitudes; return the gradient (times dt) of every leaf."""
        pro = self.prologue
        channels = []
        for k, (re, im, rate) in enumerate(self.symbols):
            root, rdt = "sqh", "h"
            if isinstance(rate, Coef):
                value = self.layout.parameters.time(TimePart(rate, "r"))
                root, rdt = pro.name(f"np.sqrt({value}) * sqh"), pro.name(f"{value} * h")
            lr, li = (expression(p, names, pro) for p in (re, im))
            x = [f"{root} * w{k}_0", f"{root} * w{k}_1"]
            if li:
                lines.add(f"li{k}_{stage} = {li}")
                x[0] += f" + {rdt} * li{k}_{stage}"
            if lr:
                lines.add(f"lr{k}_{stage} = {lr}")
                x[1] += f" + {rdt} * lr{k}_{stage}"
            lines.add(f"xr{k}_{stage} = {x[0]}", f"xi{k}_{stage} = {x[1]}")
            channels.append((re, im, f"xr{k}_{stage}", f"xi{k}_{stage}"))
        slopes = self._slopes(names)
        out: dict[Leaf, str] = {}
        for leaf in [*names]:
            parts = slopes.get(leaf, [])
            for re, im, xr, xi in channels:
                for poly, factor in ((re, xr), (im * -1, xi)):
                    d = expression(poly.derivative(leaf), names, pro)
                    if d:
                        parts.append(f"({d}) * {factor}" if " + " in d else f"{d} * {factor}")
            out[leaf] = plus(*parts)
        return out

    def _slopes(self, names: dict[Leaf, str]) -> dict[Leaf, list[str]]:
        """Terms of the gradient of H (times dt) by leaf; one number per term of H serves all."""
        if self.numbers is None:
            parameters, pro = self.layout.parameters, self.prologue
            self.numbers = []
            for times_, leaves, c in self.rest.sorted_terms():
                if c.real != 0:
                    factors = [parameters.scalar(c.real), *(parameters.time(t) for t in times_)]
                    self.numbers.append((pro.name(" * ".join([*factors, "h"])), leaves))
        out: dict[Leaf, list[str]] = {}
        for number, leaves in self.numbers:
            for leaf in dict.fromkeys(leaves):
                others = list(leaves)
                others.remove(leaf)
                n = leaves.count(leaf)
                factors = [number, *([f"F({n})"] if n > 1 else []), *(names[x] for x in others)]
                out.setdefault(leaf, []).append(" * ".join(factors))
        return out

    def _singles(self, stage: int, lines: Lines, fused: bool) -> None:
        """One stage for all single subsystems and forms, inside a lane loop."""
        layout = self.layout
        source = "v" if stage == 1 else "q"
        start, mid = single_names(layout, "x"), single_names(layout, "y")
        names = start if stage == 1 else mid
        if not fused or stage == 1:
            for leaf, name in names.items():
                assert isinstance(leaf, Var)
                lines.add(f"{name} = {layout.single(leaf.block, leaf.comp, source)}")
        if stage == 1:
            averaged = [leaf for leaf in names if leaf[0] in self.modes.steps]
            lines.add(*(f"{mid[leaf]} = {start[leaf]}" for leaf in averaged))
            names = {**names, **{leaf: mid[leaf] for leaf in averaged}}
        form_names: dict[Leaf, str] = {}
        for i in self.forms:
            lines.add(f"T{i} = {layout.s(f'form{i}')}", f"{layout.s(f'form{i}')} = F(0)")
            form_names[Form(i)] = f"T{i}"
        for k in range(len(self.symbols)):
            if stage == 1 or not fused:
                lines.add(*(f"w{k}_{i} = {layout.s(f'noise{k}_{i}')}" for i in range(2)))
        gradient = self._gradients({**names, **form_names}, stage, lines)
        scales = {scale: self.prologue.name(scale) for scale in self.fields.scales()}
        self.fields.begin(lines, {i: f"T{i}" for i in self.forms}, scales)
        if stage == 2 and not fused:
            for leaf, name in start.items():
                assert isinstance(leaf, Var)
                lines.add(f"{name} = {layout.single(leaf.block, leaf.comp, 'v')}")
        for k in self._modes_first(layout.singles):
            n = layout.block(k).components
            g = [gradient[Var(k, c)] for c in range(n)]
            x = [start[Var(k, c)] for c in range(n)]
            y = [mid[Var(k, c)] for c in range(n)]
            y = self._advance(k, f"{k}_{stage}", g, x, y, stage, lines)
            if stage == 2:
                lines.add(*(f"{layout.single(k, c, 'v')} = {y[c]}" for c in range(n)))
            elif not fused:
                lines.add(*(f"{layout.single(k, c, 'q')} = {y[c]}" for c in range(n)))
        for i in self.forms:
            if gradient[Form(i)]:
                lines.add(f"{layout.s(f'force{i}')} = {gradient[Form(i)]}")

    def _modes_first(self, blocks: list[int]) -> list[int]:
        """Modes with motion of their own before all else."""
        return sorted(blocks, key=lambda k: k not in self.modes.steps)

    def _advance(
        self, k: int, tag: str, g: list[str], x: list[str], y: list[str], stage: int, lines: Lines
    ) -> list[str]:
        """Emit the motion of block k: from ``x`` to the mid-point ``y`` in stage 1, to the end in
        stage 2.

        Returns the names of the new state.
        """
        n, kind = len(x), self.layout.block(k).kind
        if k in self.modes.steps:
            lines.add(*self.modes.read_noise(k), *self.modes.lines(k, g, x, y))
            if stage == 1:
                return y
            z = [f"z{k}_{c}" for c in range(n)]
            lines.add(*self.modes.end(k, x, y, z))
            return z
        if stage == 1:
            lines.add(*_move(kind, tag, g, x, y, stage))
            return y
        z = [f"z{k}_{c}" for c in range(n)]
        lines.add(*_move(kind, tag, g, x, z, stage))
        if k not in self.local.steps:
            return z
        u = [f"u{k}_{c}" for c in range(n)]
        lines.add(*self.local.read_noise(k), *self.local.lines(k, z, u))
        return u

    # -- the loop over the members of a group of arrays ----------------------------------------

    def _members(self, group: int, stage: int, out: Lines) -> None:
        layout, blocks = self.layout, self.layout.groups[group]
        source = "v" if stage == 1 else "q"
        self.fields.before(out, group, source)
        for j, family in self.correlated.items():
            if self.member[j][0].size == group:
                family.before(out, self.member[j][1], stage, source)
        layout.members(out, group)
        out.add(*(f"i{k} = {layout.member_index(k, 'm')}" for k in blocks))
        names: dict[Leaf, str] = {
            Member(k, c): f"{'x' if stage == 1 and k not in self.modes.steps else 'y'}{k}_{c}"
            for k in blocks
            for c in range(layout.block(k).components)
        }
        body = Lines(0)
        terms: dict[tuple[int, int], list[str]] = {
            (leaf.block, leaf.comp): [] for leaf in names if isinstance(leaf, Member)
        }
        self._static_terms(group, names, terms, out)
        self._force_terms(group, names, terms, out, body)
        self.fields.member(out, group)
        body.add(*self.fields.lane(group, source, names))
        self._pair_terms(group, names, terms, out)
        self._channel_terms(group, stage, names, terms, out, body)
        for k in blocks:
            if k in self.modes.steps:
                out.add(*self.modes.load(k, "m"))
                self.modes.noise_member(k, stage, out)
        if stage in self.local_stages:
            for k in blocks:
                if k in self.local.steps:
                    out.add(*self.local.load(k, "m"))
                    self.local.noise_member(k, out)
        out.open(LANE_LOOP)
        for k in blocks:
            for c in range(layout.block(k).components):
                out.add(f"{names[Member(k, c)]} = {source}[i{k} + {c} * LN + l]")
                if stage == 2 or k in self.modes.steps:
                    out.add(f"x{k}_{c} = v[i{k} + {c} * LN + l]")
        out.add(*(line.strip() for line in body.lines))
        end: dict[Leaf, str] = {}
        for k in self._modes_first(blocks):
            n = layout.block(k).components
            x = [f"x{k}_{c}" for c in range(n)]
            y = [f"y{k}_{c}" for c in range(n)]
            y = self._advance(k, f"{k}", [plus(*terms[k, c]) for c in range(n)], x, y, stage, out)
            target = "q" if stage == 1 else "v"
            out.add(*(f"{target}[i{k} + {c} * LN + l] = {y[c]}" for c in range(n)))
            end.update({Member(k, c): y[c] for c in range(n)})
        self._accumulate(group, end, out)
        out.close()
        out.close()

    def _accumulate(self, group: int, names: dict[Leaf, str], out: Lines) -> None:
        """Add this member to the forms."""
        for i in self.forms:
            spec = self.layout.system.forms[i]
            if self.layout.form_group(i) == group:
                weight = "1" if spec.uniform else f"a{i}"
                out.add(
                    f"{self.layout.s(f'form{i}')} += {times(weight, mono_names(spec.mono, names))}"
                )

    def _form_weights(self, group: int, out: Lines) -> None:
        for i in self.forms:
            spec = self.layout.system.forms[i]
            if self.layout.form_group(i) == group and not spec.uniform:
                out.add(f"a{i} = p[{self.layout.parameters.array(spec.weights)} + m]")

    def _static_terms(
        self,
        group: int,
        names: dict[Leaf, str],
        terms: dict[tuple[int, int], list[str]],
        out: Lines,
    ) -> None:
        """Fields of H without other members: constant ones are summed into one array each."""
        constant: dict[tuple[tuple[int, int], ...], np.ndarray] = {}
        scalars: dict[tuple[tuple[int, int], ...], list[str]] = {}
        for t, leaves, c in self.static.sorted_terms():
            leaf = leaves[0]
            if not isinstance(leaf, Form) or self.layout.form_group(leaf.index) != group:
                continue
            spec = self.layout.system.forms[leaf.index]
            if not t:
                constant[spec.mono] = constant.get(spec.mono, 0) + c.real * spec.weights
                continue
            scalar = self.prologue.name(
                " * ".join(
                    [
                        self.layout.parameters.scalar(c.real),
                        *(self.layout.parameters.time(p) for p in t),
                        "h",
                    ]
                )
            )
            weight = (
                "" if spec.uniform else f" * p[{self.layout.parameters.array(spec.weights)} + m]"
            )
            scalars.setdefault(spec.mono, []).append(scalar + weight)
        for mono, w in constant.items():
            if np.all(w == w[0]):
                scalars.setdefault(mono, []).append(
                    self.prologue.name(f"h * {self.layout.parameters.scalar(w[0])}")
                )
            else:
                scalars.setdefault(mono, []).append(f"h * p[{self.layout.parameters.array(w)} + m]")
        for j, (mono, parts) in enumerate(scalars.items()):
            out.add(f"st{j} = " + " + ".join(parts))
            for at in terms:
                d = mono_derivative(mono, at, names)
                if d is not None:
                    terms[at].append(times(f"st{j}", d))

    def _force_terms(
        self,
        group: int,
        names: dict[Leaf, str],
        terms: dict[tuple[int, int], list[str]],
        out: Lines,
        body: Lines,
    ) -> None:
        self._form_weights(group, out)
        for i in self.forms:
            spec = self.layout.system.forms[i]
            if self.layout.form_group(i) != group or f"force{i}" not in self.layout.scratch:
                continue
            weight = "1" if spec.uniform else f"a{i}"
            body.add(f"f{i} = {times(weight, self.layout.s(f'force{i}'))}")
            for at in terms:
                d = mono_derivative(spec.mono, at, names)
                if d is not None:
                    terms[at].append(times(f"f{i}", d))

    def _pair_terms(
        self,
        group: int,
        names: dict[Leaf, str],
        terms: dict[tuple[int, int], list[str]],
        out: Lines,
    ) -> None:
        for t, leaves, c in self.static.sorted_terms():
            if not isinstance(leaves[0], Pair):
                continue
            j = self.pairs.index(leaves[0])
            for e, (mono, weights, field, factor) in enumerate(self.fields.uses[j]):
                if self.layout.block(mono[0][0]).size != group:
                    continue
                parameters = self.layout.parameters
                scalar = self.prologue.name(
                    " * ".join(
                        [parameters.scalar(c.real * factor), *(parameters.time(p) for p in t), "h"]
                    )
                )
                name = f"pc{j}_{e}_{len(t)}"
                weight = "" if weights is None else f" * p[{parameters.array(weights)} + m]"
                out.add(f"{name} = {scalar}{weight}")
                for at in terms:
                    d = mono_derivative(mono, at, names)
                    if d is not None:
                        terms[at].append(times(name, field.name, d))

    def _channel_terms(
        self,
        group: int,
        stage: int,
        names: dict[Leaf, str],
        terms: dict[tuple[int, int], list[str]],
        out: Lines,
        body: Lines,
    ) -> None:
        """Independent jumps of the members."""
        parameters = self.layout.parameters
        for j, (channel, first, room) in enumerate(self.member):
            if channel.size != group:
                continue
            root, rdt = "sqh", "h"
            scale = np.ones(group)
            family = self.correlated.get(j)
            if family is not None:
                pass  # rates stand in its matrix
            elif isinstance(channel.rate, Coef):
                value = parameters.time(TimePart(channel.rate, "r"))
                root, rdt = (
                    self.prologue.name(f"np.sqrt({value}) * sqh"),
                    self.prologue.name(f"{value} * h"),
                )
            else:
                scale = np.sqrt(channel.rate)
            if family is None:
                out.add(f"ic{j} = ({room} + 2 * m) * LN & FAR")
                if stage == 1:
                    fill(out, "kd", f"{first} + m", [f"w[ic{j} + l]", f"w[ic{j} + LN + l]"])
                body.add(f"w{j}_0 = w[ic{j} + l]", f"w{j}_1 = w[ic{j} + LN + l]")
                x = [f"{root} * w{j}_0", f"{root} * w{j}_1"]
            else:
                re, im = family.increment
                out.add(f"ic{j} = ({re} + m) * LN & FAR", f"id{j} = ({im} + m) * LN & FAR")
                x = [f"w[ic{j} + l]", f"w[id{j} + l]"]
            parts: list[tuple[tuple[tuple[int, int], ...], str, int]] = []
            for e, (mono, coefficients) in enumerate(channel.terms.items()):
                for part, values in enumerate(
                    (coefficients.real * scale, coefficients.imag * scale)
                ):
                    if not np.any(values):
                        continue
                    name = f"mc{j}_{e}_{part}"
                    if np.all(values == values[0]):
                        out.add(f"{name} = {self.prologue.name(parameters.scalar(values[0]))}")
                    else:
                        out.add(f"{name} = p[{parameters.array(values)} + m]")
                    parts.append((mono, name, part))
                    if family is not None:
                        continue
                    # X_r takes Im l, X_i takes Re l
                    x[1 - part] += (
                        f" + {rdt} * {times(name, mono_names(mono, names) if mono else '1')}"
                    )
            body.add(f"xr{j} = {x[0]}", f"xi{j} = {x[1]}")
            for mono, name, part in parts:
                for at in terms:
                    d = mono_derivative(mono, at, names)
                    if d is not None:
                        terms[at].append(
                            times(name, d, f"xr{j}")
                            if part == 0
                            else f"(-{times(name, d, f'xi{j}')})"
                        )

    # -- functions -----------------------------------------------------------------------------

    def step(self) -> str:
        """Source of ``step``: a collective step of length h, a local step with table row lr."""
        layout, out = self.layout, Lines(0)
        fused = not layout.arrays
        body = Lines(1)
        if self.symbols:
            fill_many(layout, body, "kd", "0", len(self.symbols), layout.scratch["noise0_0"])
        self.modes.noise_singles(body)
        for k in layout.singles:
            if k in self.local.steps:
                self.local.noise_single(k, body)
        if fused:
            body.open(LANE_LOOP)
            self._singles(1, body, True)
            self._singles(2, body, True)
            body.close()
        else:
            for stage in (1, 2):
                running = [f"form{i}" for i in self.fields.forms()]
                layout.total(body, [f"form{i}" for i in self.forms], running)
                body.open(LANE_LOOP)
                self._singles(stage, body, False)
                body.add("pass")
                body.close()
                for group in layout.groups:
                    self._members(group, stage, body)
        out.open(f"def step({ARGUMENTS}):")
        out.add("sqh = noise * np.sqrt(h)", *self.prologue.lines())
        for k in layout.singles:
            if k in self.modes.steps:
                out.add(*self.modes.load(k, "0"))
            if k in self.local.steps:
                out.add(*self.local.load(k, "0"))
        return f"{out}\n{body}"

    def local_step(self) -> str:
        """Source of ``local``: the local step with table row lr, and the forms at its end."""
        layout, out = self.layout, Lines(0)
        out.open("def local(v, s, p, o, lr, kl, t0):")
        for k in layout.singles:
            if k in self.local.steps:
                out.add(*self.local.load(k, "0"))
                self.local.noise_single(k, out)
        out.open(LANE_LOOP)
        for i in self.forms:
            out.add(f"{layout.s(f'form{i}')} = F(0)")
        for k in layout.singles:
            if k not in self.local.steps:
                continue
            components = range(layout.block(k).components)
            x, y = ([f"{n}{k}_{c}" for c in components] for n in "xu")
            out.add(*(f"{x[c]} = {layout.single(k, c, 'v')}" for c in components))
            out.add(*self.local.read_noise(k), *self.local.lines(k, x, y))
            out.add(*(f"{layout.single(k, c, 'v')} = {y[c]}" for c in components))
        out.add("pass")
        out.close()
        for group, blocks in layout.groups.items():
            local_blocks = [k for k in blocks if k in self.local.steps]
            if not local_blocks and not any(layout.form_group(i) == group for i in self.forms):
                continue
            layout.members(out, group)
            out.add(*(f"i{k} = {layout.member_index(k, 'm')}" for k in blocks))
            self._form_weights(group, out)
            for k in local_blocks:
                out.add(*self.local.load(k, "m"))
                self.local.noise_member(k, out)
            out.open(LANE_LOOP)
            end: dict[Leaf, str] = {}
            for k in blocks:
                n = layout.block(k).components
                x = [f"x{k}_{c}" for c in range(n)]
                out.add(*(f"{x[c]} = v[i{k} + {c} * LN + l]" for c in range(n)))
                if k in local_blocks:
                    y = [f"u{k}_{c}" for c in range(n)]
                    out.add(*self.local.read_noise(k), *self.local.lines(k, x, y))
                    out.add(*(f"v[i{k} + {c} * LN + l] = {y[c]}" for c in range(n)))
                    x = y
                end.update({Member(k, c): x[c] for c in range(n)})
            self._accumulate(group, end, out)
            out.close()
            out.close()
        return str(out)


def _move(kind: str, tag: str, g: list[str], x: list[str], y: list[str], stage: int) -> list[str]:
    """New names ``y`` from ``x`` under the increments ``g`` ("" for zero), half in stage 1."""
    if not any(g):
        return [f"{b} = {a}" for a, b in zip(x, y, strict=True)]
    if kind == MODE:
        half = "F(0.25)" if stage == 1 else "F(0.5)"
        return [
            f"{y[0]} = {x[0]}" + (f" + {half} * ({g[1]})" if g[1] else ""),
            f"{y[1]} = {x[1]}" + (f" - {half} * ({g[0]})" if g[0] else ""),
        ]
    assert kind in (SPIN, ROTOR)
    out, c = [], [f"Rc{tag}_{a}" if g[a] else "" for a in range(3)]
    factor = "F(0.25)"
    if stage == 2:
        out += [f"Rg{tag}_{a} = {g[a]}" for a in range(3) if g[a]]
        square = " + ".join(f"Rg{tag}_{a} * Rg{tag}_{a}" for a in range(3) if g[a])
        out.append(f"Ra{tag} = {square}")
        # tan(|g|/2)/(|g|/2) to order |g|^6, so that the Cayley form turns by |g| itself
        series = f"Ra{tag} * (F({1 / 12}) + Ra{tag} * (F({1 / 120}) + Ra{tag} * F({17 / 20160})))"
        out.append(f"Rh{tag} = F(0.5) + F(0.5) * {series}")
        factor = f"Rh{tag}"
    out += [
        f"{c[a]} = {factor} * " + (f"Rg{tag}_{a}" if stage == 2 else f"({g[a]})")
        for a in range(3)
        if g[a]
    ]

    def cross(u: list[str], w: list[str], a: int) -> str:
        i, j = (a + 1) % 3, (a + 2) % 3
        text = ""
        if u[i] and w[j]:
            text = f"{u[i]} * {w[j]}"
        if u[j] and w[i]:
            text += f" - {u[j]} * {w[i]}" if text else f"-({u[j]} * {w[i]})"
        return text

    norm = " + ".join(f"{a} * {a}" for a in c if a)
    out.append(f"Rf{tag} = F(2) / (F(1) + {norm})")
    for first in range(0, len(x), 3):  # J, and n of a rotor
        u, v, name = x[first : first + 3], y[first : first + 3], "tn"[first // 3]
        t = [cross(c, u, a) for a in range(3)]
        out += [f"R{name}{tag}_{a} = {t[a]}" for a in range(3) if t[a]]
        tn = [f"R{name}{tag}_{a}" if t[a] else "" for a in range(3)]
        for a in range(3):
            second = cross(c, tn, a)
            inner = " + ".join(part for part in (tn[a], f"({second})" if second else "") if part)
            out.append(f"{v[a]} = {u[a]}" + (f" + Rf{tag} * ({inner})" if inner else ""))
    return out
