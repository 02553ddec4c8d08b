r"""The splitting for small noise: the whole drift to fourth order between kicks of noise.

A step is noise (1/6), half the drift, noise (2/3), half the drift, noise (1/6), see ``kicks``. With
noise of strength eps (eps^2 = 1/N in ensembles) its error is O(h^4 + eps^4 h^2) where the scheme
``splitting`` makes O(h^2 + eps^2 h). The drift of the Stratonovich equations, local channels and
linear motion of modes included, advances by a commutator-free Lie group method: with u_i the
increment h times the field at Y_i (a rotation vector of spins that keep their length, dJ or d(Re a,
Im a) of all else) and exp(u) its action,

    Y_1 = v,   Y_2 = exp(u_1/2) v,   Y_3 = exp(u_2/2) v,   Y_4 = exp(u_3 - u_1/2) Y_2,
    v' = exp((-u_1 + 2 u_2 + 2 u_3 + 3 u_4)/12) exp((3 u_1 + 2 u_2 + 2 u_3 - u_4)/12) v.

What blocks do by themselves (local channels, linear modes) belongs to the field and acts exactly,
see ``flows``: half of it in every exponential. So constant rotations, driven linear modes and local
channels alone are exact, lengths are kept to rounding where ``splitting`` keeps them, and without
any of it the method is the classical Runge-Kutta method.

References: Celledoni, Marthinsen and Owren, Future Gener. Comput. Syst. 19, 341 (2003), for the
drift; McLachlan, BIT 35, 258 (1995), for the weights; Milstein and Tretyakov, SIAM J. Sci. Comput.
18, 1067 (1997), for small noise.
"""

from __future__ import annotations

from ..phasespace.polynomials import Form, Leaf, Member, Poly, Var
from ..phasespace.system import MODE, SPIN, LocalStep, PhaseSpaceSystem
from .flows import Flows
from .kicks import Kicks
from .layout import (
    ArraySums,
    Layout,
    Terms,
    derivatives,
    needed_forms,
    single_names,
    times,
)
from .member_channels import MemberChannels
from .members import Members
from .rng import LOCAL
from .splitting import ARGUMENTS, SingleGradient, move, split
from .text import DRIFT, LANE_LOOP, NOISE, Lines, Prologue, nested, plus

STAGES = (1, 2, 3, 4)
#: Factors of u_1, u_2 + u_3 and u_4 in the two exponentials of the end.
FIRST, SECOND = (3 / 12, 2 / 12, -1 / 12), (-1 / 12, 2 / 12, 3 / 12)

Names = list[str]


def suits(system: PhaseSpaceSystem) -> bool:
    """True if the scheme knows all that a system has: jumps linear in spins and modes, constants

    in time, no recorded output.
    """
    if system.explicit or system.links or system.fields or system.port_fields:
        return False
    if system.diffusions or system.coefficients() or system.increments != "gaussian":
        return False
    if any(block.kind not in (SPIN, MODE) for block in system.blocks):
        return False
    if any(not isinstance(step, LocalStep) or step.rotor for step in system.local):
        return False
    for channel in system.channels:
        for _, leaves in channel.symbol.terms:
            if len(leaves) > 1 or any(not _flat(system, leaf) for leaf in leaves):
                return False
    return all(len(mono) <= 1 for c in system.member_channels for mono in c.terms)


def _flat(system: PhaseSpaceSystem, leaf: Leaf) -> bool:
    """True for a variable, or a sum of one over an array."""
    if isinstance(leaf, Form):
        return len(system.forms[leaf.index].mono) == 1
    return isinstance(leaf, Var)


class SmallNoisePrinter:
    """Prints the functions ``local`` (noise alone) and ``step`` (drift, then noise) of a system."""

    work, pilot_draws = 2, ((8, 2, 4), (4, 1, 2))  # see ``KernelText``

    def __init__(self, layout: Layout, kicks: Kicks):
        self.layout, self.kicks = layout, kicks
        system = layout.system
        self.prologue = Prologue(layout.parameters)
        self.amplitudes = Prologue(layout.parameters, "j")
        spins = {k: step for k, step in kicks.steps.items() if isinstance(step, LocalStep)}
        self.flows = Flows(layout, spins)
        static, rest = split(system.hamiltonian)
        self.links = None
        self.single = SingleGradient(system, self.prologue, rest, part=DRIFT)
        self.noise = SingleGradient(system, self.amplitudes, Poly(), part=NOISE)
        self.jumps = len(self.single.symbols)
        forms = set(needed_forms(self.single.polynomials))
        #: What acts on arrays; None where there are none.
        self.members: Members | None = None
        if layout.arrays:
            self.members = Members(layout, self.prologue, static, part=DRIFT)
            self.drawn = MemberChannels(layout, self.amplitudes, part=NOISE)
            forms |= {*self.members.fields.forms()}
        self.sums = ArraySums(layout, sorted(forms), "a")
        # the noise of channels lies in one piece of scratch, so that one loop fills it
        for k in range(self.jumps):
            layout.slots(f"noise{k}", 2)
        # u_1 and u_2 + u_3 of arrays
        self.room = {
            k: layout.wide(2 * layout.blocks[k].components * layout.blocks[k].size)
            for k in layout.arrays
        }

    # -- motion of a block in lane ----------------------------------------------------------------

    def _increment(self, k: int, tag: str, g: Names, y: Names, lines: Lines) -> Names:
        """Emit u of block k at the point ``y`` from its gradient; a name per component."""
        kind = self.layout.blocks[k].kind
        if kind == MODE:
            u = [f"F(0.5) * ({g[1]})" if g[1] else "", f"F(-0.5) * ({g[0]})" if g[0] else ""]
        elif k in self.flows.form:
            named = [f"g{tag}_{c}" if g[c] else "" for c in range(3)]
            lines += (f"{named[c]} = {g[c]}" for c in range(3) if g[c])
            u = []
            for c in range(3):
                i, j = (c + 1) % 3, (c + 2) % 3
                up, down = (f"{named[a]} * {y[b]}" if named[a] else "" for a, b in ((i, j), (j, i)))
                u.append(f"{up} - {down}" if up and down else up or (f"-({down})" if down else ""))
        else:
            u = g
        names = [f"u{tag}_{c}" if u[c] else "" for c in range(len(u))]
        lines += (f"{name} = {text}" for name, text in zip(names, u, strict=True) if name)
        return names

    def _act(
        self, k: int, tag: str, x: Names, shares: list[tuple[float, Names]], lines: Lines
    ) -> Names:
        """Emit the action of a sum of increments on ``x``; names of the new point."""
        n = []
        for c in range(len(x)):
            n.append(plus(*(f"F({share}) * {u[c]}" for share, u in shares if u[c])))
        y = [f"y{tag}_{c}" for c in range(len(x))]
        if k in self.flows.form:
            lines += self.flows.lines(k, x, n, y)
        elif self.layout.blocks[k].kind == MODE:
            lines += (f"{y[c]} = {plus(x[c], n[c])}" for c in range(len(x)))
        else:
            lines += move(self.layout, SPIN, tag, n, x, y, 2)
        return y

    def _advance(
        self, k: int, stage: int, x: Names, u: Names, kept: list[Names], lines: Lines
    ) -> Names:
        """Emit a stage of block k from its start ``x`` and the increment ``u`` at its point.

        ``kept`` holds names of u_1 and u_2 + u_3 of the stages before. The next point, at stage 4
        the end.
        """
        if stage in (1, 2):
            return self._act(k, f"{k}_{stage}", x, [(0.5, u)], lines)
        if stage == 3:
            half = self._act(k, f"{k}_3h", x, [(0.5, kept[0])], lines)
            return self._act(k, f"{k}_3", half, [(1.0, u), (-0.5, kept[0])], lines)
        for e, shares in enumerate((FIRST, SECOND)):
            every = [kept[0], kept[1], u]
            x = self._act(k, f"{k}_4{e}", x, list(zip(shares, every, strict=True)), lines)
        return x

    def _keep(self, stage: int, u: Names, slots: list[Names], lines: Lines) -> None:
        """Emit what later stages need of an increment."""
        for c, name in enumerate(u):
            if name and stage == 1:
                lines += [f"{slots[0][c]} = {name}"]
            elif name and stage == 2:
                lines += [f"{slots[1][c]} = {name}"]
            elif name and stage == 3:
                lines += [f"{slots[1][c]} += {name}"]

    @staticmethod
    def _read(stage: int, u: Names, slots: list[Names]) -> list[Names]:
        """What was kept, as expressions."""
        return [[slot if name else "" for slot, name in zip(s, u, strict=True)] for s in slots]

    # -- drift ------------------------------------------------------------------------------------

    def _singles(self, stage: int, lines: Lines) -> None:
        """One stage of all single subsystems and forms, inside a lane loop."""
        layout = self.layout
        source = "v" if stage == 1 else "q"
        start = single_names(layout, "x")
        names: dict[Leaf, str] = start if stage == 1 else single_names(layout, "q")
        if stage == 1 or self.members:
            lines += layout.load(names, source)
        if stage > 1 and self.members:
            lines += layout.load(start, "v")
        form_names = self.sums.take(lines)
        gradient = self.single.emit({**names, **form_names}, stage, lines)
        if self.members:
            self.members.start(lines, self.sums)
        new: dict[Leaf, str] = {}
        for k in layout.singles:
            every = range(layout.blocks[k].components)
            x = [start[Var(k, c)] for c in every]
            at = [names[Var(k, c)] for c in every]
            u = self._increment(k, f"{k}_{stage}", [gradient[Var(k, c)] for c in every], at, lines)
            slots = [
                [layout.s(f"r{k}_{e}_{c}") if self.members else f"r{k}_{e}_{c}" for c in every]
                for e in range(2)
            ]
            y = self._advance(k, stage, x, u, self._read(stage, u, slots), lines)
            self._keep(stage, u, slots, lines)
            new.update({Var(k, c): y[c] for c in every})
        for leaf, name in new.items():
            assert isinstance(leaf, Var)
            if stage < 4 and not self.members:
                lines += [f"q{leaf.block}_{leaf.comp} = {name}"]
            else:
                target = layout.single(leaf.block, leaf.comp, "q" if stage < 4 else "v")
                lines += [f"{target} = {name}"]
        for i in self.sums.forms:
            if gradient[Form(i)]:
                lines += [f"{layout.s(f'force{i}')} = {gradient[Form(i)]}"]

    def _members(self, members: Members, group: int, stage: int, out: Lines) -> None:
        """One stage of the arrays of a group."""
        layout, blocks = self.layout, self.layout.groups[group]
        source = "v" if stage == 1 else "q"
        members.fields.before(out, group, source)
        members.channels.before(group, 0, source, out)
        loop = layout.members(out, group)
        loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
        prefix = "x" if stage == 1 else "q"
        names: dict[Leaf, str] = {
            Member(k, c): f"{prefix}{k}_{c}"
            for k in blocks
            for c in range(layout.blocks[k].components)
        }
        terms, body = members.begin(group, stage, source, names, self.sums, loop)
        for k in blocks:
            n = layout.blocks[k].components
            loop += [*self.flows.load(k, "m"), f"ir{k} = ({self.room[k]} + {2 * n} * m) * LN & FAR"]
        lane = nested(loop, LANE_LOOP)
        for k in blocks:
            for c in range(layout.blocks[k].components):
                lane += [f"{names[Member(k, c)]} = {source}[i{k} + {c} * LN + l]"]
                if stage > 1:
                    lane += [f"x{k}_{c} = v[i{k} + {c} * LN + l]"]
        lane += body
        end: dict[Leaf, str] = {}
        for k in blocks:
            n = layout.blocks[k].components
            x, at = [f"x{k}_{c}" for c in range(n)], [names[Member(k, c)] for c in range(n)]
            g = [plus(*terms[k, c]) for c in range(n)]
            u = self._increment(k, f"{k}_{stage}", g, at, lane)
            slots = [[f"w[ir{k} + {e * n + c} * LN + l]" for c in range(n)] for e in range(2)]
            y = self._advance(k, stage, x, u, self._read(stage, u, slots), lane)
            self._keep(stage, u, slots, lane)
            end.update({Member(k, c): y[c] for c in range(n)})
        target = "q" if stage < 4 else "v"
        lane += layout.store(end, target)
        if stage < 4:
            self.sums.add(group, end, lane)

    # -- noise ------------------------------------------------------------------------------------

    def _turned(self, k: int, g: Names, x: Names, lines: Lines) -> Names:
        """Emit the increments of jumps on block k; the new names."""
        if not any(g):
            return x
        y = [f"t{k}_{c}" for c in range(len(x))]
        lines += move(self.layout, self.layout.blocks[k].kind, f"n{k}", g, x, y, 2)
        return y

    def _kicked(self, k: int, x: Names, lines: Lines) -> Names:
        """Emit the noise of local channels or of a mode by itself; the new names."""
        if k not in self.kicks.steps and k not in self.kicks.modes:
            return x
        y = [f"e{k}_{c}" for c in range(len(x))]
        lines += self.kicks.kick(k, x, y)
        return y

    def _draw(self, out: Lines) -> None:
        """Normals of jumps and of single subsystems into scratch."""
        layout = self.layout
        if self.jumps:
            names = [f"jump\0{channel.name}" for channel in layout.system.channels]
            layout.normals(out, "kl", LOCAL, names, 1, layout.scratch["noise0_0"])
        self.kicks.draw_modes(out)
        for k in layout.singles:
            if k in self.kicks.steps:
                self.kicks.noise_single(k, out)

    def _kick_singles(self, lines: Lines) -> None:
        """The noise of all single subsystems, inside a lane loop; forms begin at zero."""
        layout = self.layout
        start = single_names(layout, "z")
        lines += layout.load(start, "v")
        for i in self.sums.forms:
            lines += [f"{layout.s(f'form{i}')} = F(0)"]
        for k in range(self.jumps):
            lines += (f"w{k}_{i} = {layout.s(f'noise{k}_{i}')}" for i in range(2))
        forms: dict[Leaf, str] = {Form(i): "" for i in needed_forms(self.noise.polynomials)}
        gradient = self.noise.emit({**start, **forms}, 5, lines)
        for k in layout.singles:
            every = range(layout.blocks[k].components)
            x = [start[Var(k, c)] for c in every]
            y = self._turned(k, [gradient[Var(k, c)] for c in every], x, lines)
            y = self._kicked(k, y, lines)
            lines += (f"{layout.single(k, c, 'v')} = {y[c]}" for c in every)
        for leaf in forms:
            assert isinstance(leaf, Form)
            if gradient[leaf]:
                lines += [f"{layout.s(f'turn{leaf.index}')} = {gradient[leaf]}"]

    def _kick_members(self, group: int, out: Lines) -> None:
        """The noise of the arrays of a group, and their sums after it."""
        layout, blocks = self.layout, self.layout.groups[group]
        self.drawn.before(group, 1, "v", out)
        loop = layout.members(out, group)
        loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
        names: dict[Leaf, str] = {
            Member(k, c): f"z{k}_{c}" for k in blocks for c in range(layout.blocks[k].components)
        }
        body: Lines = []
        terms: Terms = {(leaf.block, leaf.comp): [] for leaf in names if isinstance(leaf, Member)}
        for i in needed_forms(self.noise.polynomials):
            spec = layout.system.forms[i]
            if layout.form_group(i) != group or f"turn{i}" not in layout.scratch:
                continue
            weight = "1"
            if not spec.uniform:
                weight = f"aw{i}"
                loop += [f"aw{i} = {layout.member_value(spec.weights)}"]
            body += [f"tf{i} = {times(weight, layout.s(f'turn{i}'))}"]
            for found, d in derivatives(spec.mono, terms, names):
                found.append(times(f"tf{i}", d))
        self.drawn.add(group, 1, names, terms, loop, body)
        self.sums.load(group, loop)
        for k in blocks:
            loop += self.kicks.load(k, "m")
            self.kicks.draw_member(k, loop)
        lane = nested(loop, LANE_LOOP)
        lane += layout.load(names, "v")
        lane += body
        end: dict[Leaf, str] = {}
        for k in blocks:
            n = layout.blocks[k].components
            x = [names[Member(k, c)] for c in range(n)]
            y = self._turned(k, [plus(*terms[k, c]) for c in range(n)], x, lane)
            y = self._kicked(k, y, lane)
            end.update({Member(k, c): y[c] for c in range(n)})
        lane += layout.store(end, "v")
        self.sums.add(group, end, lane)

    # -- functions --------------------------------------------------------------------------------

    def step(self) -> Lines:
        """Source of ``step``: half the drift, noise, half the drift, noise with table row lr."""
        layout, body = self.layout, Lines()
        if not self.members:
            lane = nested(body, LANE_LOOP)
            for stage in STAGES:
                self._singles(stage, lane)
            lane += ["pass"]
        else:
            for stage in STAGES:
                self.members.total(body, self.sums)
                lane = nested(body, LANE_LOOP)
                self._singles(stage, lane)
                lane += ["pass"]
                for group in layout.groups:
                    self._members(self.members, group, stage, body)
        loads = [line for k in layout.singles for line in self.flows.load(k, "0")]
        drift: Lines = [*self.prologue.lines(), *loads, *body]
        whole: Lines = [
            "half = F(0.5) * h",
            "drift(v, q, s, w, p, o, ct, half)",
            f"local(v, s, w, p, o, {self.kicks.middle} + {self.flows.row}, kd, t0)",
            "drift(v, q, s, w, p, o, ct, half)",
            "local(v, s, w, p, o, lr, kl, t0)",
        ]
        head = f"def step({ARGUMENTS}):"
        return ["def drift(v, q, s, w, p, o, ct, h):", drift, "", "", head, whole]

    def local_step(self) -> Lines:
        """Source of ``local``: the noise with table row lr, and the forms after it."""
        body: Lines = []
        self._draw(body)
        lane = nested(body, LANE_LOOP)
        self._kick_singles(lane)
        lane += ["pass"]
        for group in self.layout.groups:
            self._kick_members(group, body)
        head = [f"sqh = p[{self.kicks.root} + lr]", *self.amplitudes.lines()]
        head += (line for k in self.layout.singles for line in self.kicks.load(k, "0"))
        return ["def local(v, s, w, p, o, lr, kl, t0):", [*head, *body]]
