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

The order of a step stands here. Gradients are printed by ``gradient`` and ``member_channels``
(jumps of members), what they do to a block by ``move`` (spins and matrices turn, modes are
translated), ``oscillators`` and ``local``.
"""

from __future__ import annotations

from ..phasespace.channels import MatrixChannel
from ..phasespace.polynomials import Form, Leaf, Member, Monomial, Pair, Poly, Var
from ..phasespace.system import MATRIX, MODE, ROTOR, SPIN
from .diffusions import DiffusionPrinter
from .fields import Fields
from .gradient import MemberGradient, SingleGradient
from .layout import ArraySums, Layout, needed_forms, single_names
from .links import Links
from .local import LocalPrinter
from .matrix_loops import PRINTED, turn_in_loops
from .member_channels import MemberChannels
from .oscillators import ModePrinter
from .records import Recorder
from .rng import DYNAMICS
from .text import LANE_LOOP, Lines, Prologue, nested, plus
from .turn import turn, turning

ARGUMENTS = "v, q, s, w, p, o, ct, h, noise, lr, kd, kl, t0"


class StepPrinter:
    """Prints the functions ``local`` (a local step alone) and ``step`` of a system."""

    work, pilot_draws = 1, ((2, 2, 4), (1, 1, 2))  # see ``KernelText``

    def __init__(self, layout: Layout, local: LocalPrinter):
        self.layout, self.local = layout, local
        system = layout.system
        self.prologue = Prologue(layout.parameters)
        self.start, self.mid = single_names(layout, "x"), single_names(layout, "y")
        pairs = [leaf for leaf in system.hamiltonian.leaves if isinstance(leaf, Pair)]
        static, rest = split(system.hamiltonian)
        self.fields = Fields(layout, [system.pairs[leaf.index] for leaf in pairs])
        self.links = Links(layout, self.prologue)
        self.single = SingleGradient(system, self.prologue, rest, self.links)
        self.jumps = len(self.single.symbols)
        self.apart = self._apart() if layout.arrays else set()
        self.channels = MemberChannels(layout, self.prologue, self.links, apart=self.apart)
        #: Blocks whose motion in a step is known on average: modes with their own.
        self.averaged = {step.block for step in system.modes}
        moved = {*local.steps, *(x.block for d in system.diffusions for x in d.leaves)}
        #: Of what few systems have, None where there is none.
        self.records: Recorder | None = None
        self.diffusions: DiffusionPrinter | None = None
        if system.fields or system.port_fields or system.links:
            own = self.averaged, moved, self.links, self.channels
            self.records = Recorder(layout, self.prologue, *own)
        forms = {*needed_forms(self.single.polynomials), *self.fields.forms()}
        #: Sums that only records read, at the start of a step.
        self.seen = {*self.records.forms} - forms if self.records else set()
        self.sums = ArraySums(layout, sorted(forms | self.seen), "a")
        # the noise of channels lies in one piece of scratch, so that one loop fills it
        for k in range(self.jumps):
            layout.slots(f"noise{k}", 2)
        self.member = MemberGradient(layout, self.prologue, static, pairs, self.fields, self.sums)
        self.modes = ModePrinter(layout) if system.modes else None
        if system.diffusions:
            self.diffusions = DiffusionPrinter(layout, self.prologue)

    def _apart(self) -> set[int]:
        """Groups of arrays whose members do not see each other within a step.

        Both evaluations of such a member are made in one pass, and nothing between them is kept.
        """
        layout, system = self.layout, self.layout.system
        fluxes = [f.flux for f in system.fields if f.flux is not None]
        forms = {*needed_forms([*self.single.polynomials, *fluxes]), *self.fields.forms()}
        seen = {layout.form_group(i) for i in forms}
        seen |= {layout.blocks[use[0][0][0]].size for uses in self.fields.uses for use in uses}
        seen |= {f.size for f in system.member_channels if isinstance(f, MatrixChannel)}
        return {*layout.groups} - seen

    # -- pieces in the lane loop of the single subsystems --------------------------------------

    def _singles(self, stage: int, lines: Lines, fused: bool) -> None:
        """One stage for all single subsystems and forms, inside a lane loop."""
        layout = self.layout
        source = "v" if stage == 1 else "q"
        start, mid = self.start, self.mid
        names = start if stage == 1 else mid
        if not fused or stage == 1:
            lines += layout.load(names, source)
        if stage == 1:
            known = [leaf for leaf in names if leaf[0] in self.averaged]
            lines += (f"{mid[leaf]} = {start[leaf]}" for leaf in known)
            names = {**names, **{leaf: mid[leaf] for leaf in known}}
        form_names = self.sums.take(lines)
        for k in range(self.jumps):
            if stage == 1 or not fused:
                lines += (f"w{k}_{i} = {x}" for i, x in enumerate(layout.slots(f"noise{k}", 2)))
        if self.records and stage == 1:
            self.records.begin({**start, **form_names}, lines)
        gradient = self.single.emit({**names, **form_names}, stage, lines)
        self.fields.begin(lines, {i: f"T{i}" for i in self.sums.forms}, self.prologue)
        if stage == 2 and not fused:
            lines += layout.load(start, "v")
        end: dict[Leaf, str] = {}
        for k in self._modes_first(layout.singles):
            n = layout.blocks[k].components
            g = [gradient[Var(k, c)] for c in range(n)]
            x = [start[Var(k, c)] for c in range(n)]
            y = [mid[Var(k, c)] for c in range(n)]
            y = self._advance(k, f"{k}_{stage}", g, x, y, stage, lines)
            end.update({Var(k, c): y[c] for c in range(n)})
            if self.records and stage == 2:
                self.records.after_single(k, lines)
            if stage == 1 and not fused:
                lines += (f"{layout.single(k, c, 'q')} = {y[c]}" for c in range(n))
        if stage == 2:
            if self.diffusions:
                end.update(self.diffusions.lines(None, end, lines))
            lines += layout.store(end, "v")
        for i in self.sums.forms:
            if gradient[Form(i)]:
                lines += [f"{layout.s(f'force{i}')} = {gradient[Form(i)]}"]

    def _modes_first(self, blocks: list[int]) -> list[int]:
        """Modes with motion of their own before all else."""
        return sorted(blocks, key=lambda k: k not in self.averaged)

    def _advance(
        self, k: int, tag: str, g: list[str], x: list[str], y: list[str], stage: int, lines: Lines
    ) -> list[str]:
        """Emit the motion of block k: from ``x`` to the mid-point ``y`` in stage 1, to the end in
        stage 2.

        Returns the names of the new state.
        """
        n, kind = len(x), self.layout.blocks[k].kind
        if self.modes and k in self.averaged:
            lines += [*self.modes.read_noise(k), *self.modes.lines(k, g, x, y)]
            if stage == 1:
                return y
            z = [f"z{k}_{c}" for c in range(n)]
            lines += self.modes.end(k, x, y, z)
            return z
        if stage == 1:
            lines += move(self.layout, kind, tag, g, x, y, stage)
            return y
        z = [f"z{k}_{c}" for c in range(n)]
        lines += move(self.layout, kind, tag, g, x, z, stage)
        if k not in self.local.steps:
            return z
        u = [f"u{k}_{c}" for c in range(n)]
        lines += [*self.local.read_noise(k), *self.local.lines(k, z, u)]
        return u

    # -- the loop over the members of a group of arrays ----------------------------------------

    def _members(self, group: int, stages: tuple[int, ...], out: Lines) -> None:
        """One stage for the members of a group, or both in one pass where they are apart."""
        layout, blocks = self.layout, self.layout.groups[group]
        first = stages[0]
        source = "v" if first == 1 else "q"
        self.fields.before(out, group, source)
        self.channels.before(group, first, source, out)
        loop = layout.members(out, group)
        loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
        points: dict[int, dict[Leaf, str]] = {}
        gradients = {}
        for stage in stages:
            points[stage] = {
                Member(k, c): f"{'x' if stage == 1 and k not in self.averaged else 'y'}{k}_{c}"
                for k in blocks
                for c in range(layout.blocks[k].components)
            }
            gradients[stage] = self.member.begin(
                group, stage, source, points[stage], self.channels, loop
            )
            for k in blocks:
                if self.modes and k in self.averaged:
                    loop += self.modes.load(k, "m")
                    self.modes.noise_member(k, stage, loop)
        if 2 in stages:
            for k in blocks:
                if k in self.local.steps:
                    loop += self.local.load(k, "m")
                    self.local.noise_member(k, loop)
            if self.diffusions:
                self.diffusions.before_member(group, loop)
            if self.records:
                self.records.load(group, loop)
        for stage in stages:
            # a loop for each: its chain of dependent operations is half as long
            terms, body = gradients[stage]
            last = stage == stages[-1]
            lane = nested(loop, LANE_LOOP)
            for k in blocks:
                for c in range(layout.blocks[k].components):
                    place = f"{source}[i{k} + {c} * LN + l]"
                    if stage != first:
                        place = layout.s(f"mid{k}_{c}")
                    lane += [f"{points[stage][Member(k, c)]} = {place}"]
                    if stage == 2 or k in self.averaged:
                        lane += [f"x{k}_{c} = v[i{k} + {c} * LN + l]"]
            lane += body
            end: dict[Leaf, str] = {}
            for k in self._modes_first(blocks):
                n = layout.blocks[k].components
                x, y = ([f"{name}{k}_{c}" for c in range(n)] for name in "xy")
                g = [plus(*terms[k, c]) for c in range(n)]
                y = self._advance(k, f"{k}", g, x, y, stage, lane)
                end.update({Member(k, c): y[c] for c in range(n)})
            if not last:
                for leaf, name in end.items():
                    assert isinstance(leaf, Member)
                    lane += [f"{layout.s(f'mid{leaf.block}_{leaf.comp}')} = {name}"]
                continue
            if self.diffusions and 2 in stages:
                end.update(self.diffusions.lines(group, end, lane))
            target = "v" if 2 in stages else "q"
            lane += layout.store(end, target)
            self.sums.add(group, end, lane, () if 2 in stages else self.seen)
            if self.records and 2 in stages:
                self.records.after_member(group, blocks, lane)

    # -- functions -----------------------------------------------------------------------------

    def step(self) -> Lines:
        """Source of ``step``: a collective step of length h, a local step with table row lr."""
        layout, body = self.layout, Lines()
        fused = not layout.arrays
        if self.jumps:
            names = [f"jump\0{channel.name}" for channel in layout.system.channels]
            layout.normals(body, "kd", DYNAMICS, names, 1, layout.scratch["noise0_0"])
        if self.records:
            self.records.read_ports(body)
        if self.modes:
            self.modes.noise_singles(body)
        if self.diffusions:
            self.diffusions.before_singles(body)
        for k in layout.singles:
            if k in self.local.steps:
                self.local.noise_single(k, body)
        if fused:
            lane = nested(body, LANE_LOOP)
            self._singles(1, lane, True)
            self._singles(2, lane, True)
        else:
            for stage in (1, 2):
                running = [f"form{i}" for i in self.fields.forms()]
                layout.total(body, [f"form{i}" for i in self.sums.forms], running)
                lane = nested(body, LANE_LOOP)
                self._singles(stage, lane, False)
                lane += ["pass"]
                for group in layout.groups:
                    if group not in self.apart:
                        self._members(group, (stage,), body)
                    elif stage == 1:
                        self._members(group, (1, 2), body)
        if self.records:
            self.records.finish(body)
        head = ["sqh = noise * np.sqrt(h)", *self.prologue.lines()]
        for k in layout.singles:
            if self.modes and k in self.averaged:
                head += self.modes.load(k, "0")
            if k in self.local.steps:
                head += self.local.load(k, "0")
        return [f"def step({ARGUMENTS}):", [*head, *body]]

    def local_step(self) -> Lines:
        """Source of ``local``: the local step with table row lr, and the forms at its end."""
        layout, out = self.layout, Lines()
        for k in layout.singles:
            if k in self.local.steps:
                out += self.local.load(k, "0")
                self.local.noise_single(k, out)
        lane = nested(out, LANE_LOOP)
        if self.records:
            self.records.clear(lane)
        for i in self.sums.forms:
            lane += [f"{layout.s(f'form{i}')} = F(0)"]
        for k in layout.singles:
            if k not in self.local.steps:
                continue
            start, end = (single_names(layout, n, [k]) for n in "xu")
            lane += layout.load(start, "v")
            moved = self.local.lines(k, [*start.values()], [*end.values()])
            lane += [*self.local.read_noise(k), *moved, *layout.store(end, "v")]
        lane += ["pass"]
        for group, blocks in layout.groups.items():
            local_blocks = [k for k in blocks if k in self.local.steps]
            if not local_blocks and not self.sums.of(group):
                continue
            loop = layout.members(out, group)
            loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
            self.sums.load(group, loop)
            for k in local_blocks:
                loop += self.local.load(k, "m")
                self.local.noise_member(k, loop)
            lane = nested(loop, LANE_LOOP)
            end = {}
            for k in blocks:
                n = layout.blocks[k].components
                x = [f"x{k}_{c}" for c in range(n)]
                lane += (f"{x[c]} = v[i{k} + {c} * LN + l]" for c in range(n))
                if k in local_blocks:
                    y = [f"u{k}_{c}" for c in range(n)]
                    lane += [*self.local.read_noise(k), *self.local.lines(k, x, y)]
                    lane += (f"v[i{k} + {c} * LN + l] = {y[c]}" for c in range(n))
                    x = y
                end.update({Member(k, c): x[c] for c in range(n)})
            self.sums.add(group, end, lane)
        return ["def local(v, s, w, p, o, lr, kl, t0):", out]


def split(h: Poly) -> tuple[Poly, Poly]:
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


def move(
    layout: Layout, kind: str, tag: str, g: list[str], x: list[str], y: list[str], stage: int
) -> list[str]:
    """New names ``y`` from ``x`` under the increments ``g`` ("" for zero), half in stage 1."""
    if not any(g):
        return [f"{b} = {a}" for a, b in zip(x, y, strict=True)]
    if kind == MODE:
        half = "F(0.25)" if stage == 1 else "F(0.5)"
        return [
            f"{y[0]} = {x[0]}" + (f" + {half} * ({g[1]})" if g[1] else ""),
            f"{y[1]} = {x[1]}" + (f" - {half} * ({g[0]})" if g[0] else ""),
        ]
    if kind == MATRIX:
        if len(turning(g)) > PRINTED:
            return turn_in_loops(layout, tag, g, x, y, stage)
        return turn(tag, g, x, y, stage)
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
