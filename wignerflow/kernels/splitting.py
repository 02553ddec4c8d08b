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

The order of a step stands here, and the part of single subsystems and sums; that of arrays in
``array_steps``. What gradients do to a block is printed by ``move`` (spins and matrices turn, modes
are translated), ``oscillators`` and ``local``.
"""

from __future__ import annotations

import numpy as np

from ..model.coefficients import Coef
from ..phasespace.polynomials import Form, Leaf, Monomial, Pair, Poly, Var
from ..phasespace.system import MATRIX, MODE, ROTOR, SPIN, PhaseSpaceSystem
from .diffusions import DiffusionPrinter
from .layout import ArraySums, Layout, needed_forms, single_names
from .links import Links
from .local import LocalPrinter
from .matrix_loops import PRINTED, turn_in_loops
from .members import Members
from .oscillators import ModePrinter
from .records import Recorder
from .rng import DYNAMICS
from .text import DRIFT, LANE_LOOP, NOISE, WHOLE, Lines, Prologue, expression, nested, plus
from .turn import turn, turning

ARGUMENTS = "v, q, s, w, p, o, ct, h, noise, lr, kd, kl, t0"

#: Of a jump: real and imaginary part, rate, sign.
Symbol = tuple[Poly, Poly, float | Coef, float]


def symbols_of(system: PhaseSpaceSystem) -> list[Symbol]:
    """Real and imaginary part of every jump's symbol, with a constant rate's root; rate, sign."""
    out: list[Symbol] = []
    for channel in system.channels:
        scale = 1.0 if isinstance(channel.rate, Coef) else float(np.sqrt(channel.rate))
        symbol = channel.symbol * scale
        if any(isinstance(leaf, Pair) for leaf in symbol.leaves):
            raise NotImplementedError(
                "A jump operator that contains a coupling sum over pairs has no kernel."
            )
        out.append((symbol.real(), symbol.imag(), channel.rate, channel.sign))
    return out


class SingleGradient:
    """Prints the gradient of h and of the jumps, from the start of a step or its mid-point.

    The gradient times dt of a variable x of a single subsystem, or of an array sum, is

        g_x = dh/dx dt + sum_k (dRe[l_k]/dx Re[X_k] - dIm[l_k]/dx Im[X_k]).

    ``rest``: the part of H that is no array sum or coupling times scalars.
    """

    def __init__(
        self,
        system: PhaseSpaceSystem,
        prologue: Prologue,
        rest: Poly,
        links: Links | None = None,
        part: str = WHOLE,
    ):
        self.prologue, self.rest, self.part = prologue, rest, part
        self.symbols = symbols_of(system)
        self.slopes = [(re.gradient(), (im * -1).gradient()) for re, im, _, _ in self.symbols]
        #: What noise is multiplied by: sqrt(h), or by links where input comes through them.
        self.roots = ["sqh"] * len(self.symbols)
        if links:
            self.roots = [links.root if links.is_port(c) else "sqh" for c in system.channels]
        self.numbers: list[tuple[str, tuple[Leaf, ...]]] | None = None

    @property
    def polynomials(self) -> list[Poly]:
        """All that it is the gradient of."""
        return [self.rest, *(p for re, im, _, _ in self.symbols for p in (re, im))]

    def emit(self, names: dict[Leaf, str], stage: int, lines: Lines) -> dict[Leaf, str]:
        """Emit the channels' amplitudes; return the gradient (times dt) of every leaf."""
        pro = self.prologue
        channels: list[tuple[dict[Leaf, Poly], str]] = []
        for k, (re, im, rate, sign) in enumerate(self.symbols):
            root, rdt = self.roots[k], "h"
            if isinstance(rate, Coef):
                root, rdt = pro.rate(rate)
            if sign < 0:
                rdt = pro.name(f"F(-1) * {rdt}")
            lr, li = (expression(p, names, pro) for p in (re, im))
            terms = [[f"{root} * w{k}_{i}"] if self.part != DRIFT else [] for i in range(2)]
            for i, (name, value) in enumerate((("li", li), ("lr", lr))):
                if value and self.part != NOISE:
                    lines += [f"{name}{k}_{stage} = {value}"]
                    terms[i].append(f"{rdt} * {name}{k}_{stage}")
            x = [f"x{part}{k}_{stage}" if terms[i] else "" for i, part in enumerate("ri")]
            lines += (f"{x[i]} = {plus(*terms[i])}" for i in range(2) if x[i])
            channels += zip(self.slopes[k], x, strict=True)
        slopes = self._slopes(names)
        out: dict[Leaf, str] = {}
        for leaf in [*names]:
            parts = slopes.get(leaf, [])
            for gradient, factor in channels:
                if factor and leaf in gradient:
                    d = expression(gradient[leaf], names, pro)
                    parts.append(f"({d}) * {factor}" if " + " in d else f"{d} * {factor}")
            out[leaf] = plus(*parts)
        return out

    def _slopes(self, names: dict[Leaf, str]) -> dict[Leaf, list[str]]:
        """Terms of the gradient of H (times dt) by leaf; one number per term of H serves all."""
        if self.numbers is None:
            self.numbers = [
                (self.prologue.number(c.real, times), leaves)
                for times, leaves, c in self.rest.sorted_terms
                if c.real != 0
            ]
        out: dict[Leaf, list[str]] = {}
        for number, leaves in self.numbers:
            for leaf in dict.fromkeys(leaves):
                others = list(leaves)
                others.remove(leaf)
                n = leaves.count(leaf)
                factors = [number, *([f"F({n})"] if n > 1 else []), *(names[x] for x in others)]
                out.setdefault(leaf, []).append(" * ".join(factors))
        return out


class StepPrinter:
    """Prints the functions ``local`` (a local step alone) and ``step`` of a system."""

    work, pilot_draws = 1, ((2, 2, 4), (1, 1, 2))  # see ``KernelText``

    def __init__(self, layout: Layout, local: LocalPrinter):
        self.layout, self.local = layout, local
        system = layout.system
        self.prologue = Prologue(layout.parameters)
        self.start, self.mid = single_names(layout, "x"), single_names(layout, "y")
        static, rest = split(system.hamiltonian)
        self.links = Links(layout, self.prologue) if system.links else None
        self.single = SingleGradient(system, self.prologue, rest, self.links)
        self.jumps = len(self.single.symbols)
        forms = set(needed_forms(self.single.polynomials))
        #: What acts on arrays; None where there are none.
        self.members: Members | None = None
        if layout.arrays:
            fluxes = [f.flux for f in system.fields if f.flux is not None]
            seen = [*self.single.polynomials, *fluxes]
            self.members = Members(layout, self.prologue, static, self.links, seen=seen)
            forms |= {*self.members.fields.forms()}
        #: Blocks whose motion in a step is known on average: modes with their own.
        self.averaged = {step.block for step in system.modes}
        moved = {*local.steps, *(x.block for d in system.diffusions for x in d.leaves)}
        #: Of what few systems have, None where there is none.
        self.records: Recorder | None = None
        self.diffusions: DiffusionPrinter | None = None
        if system.fields or system.port_fields or system.links:
            channels = self.members.channels if self.members else None
            own = self.averaged, moved, self.links, channels
            self.records = Recorder(layout, self.prologue, *own)
        #: Sums that only records read, at the start of a step.
        self.seen = {*self.records.forms} - forms if self.records else set()
        self.sums = ArraySums(layout, sorted(forms | self.seen), "a")
        # the noise of channels lies in one piece of scratch, so that one loop fills it
        for k in range(self.jumps):
            layout.slots(f"noise{k}", 2)
        self.modes = ModePrinter(layout) if system.modes else None
        if system.diffusions:
            self.diffusions = DiffusionPrinter(layout, self.prologue)

    # -- pieces in the lane loop of the single subsystems --------------------------------------

    def _singles(self, stage: int, lines: Lines) -> None:
        """One stage for all single subsystems and forms, inside a lane loop."""
        layout = self.layout
        source = "v" if stage == 1 else "q"
        start, mid = self.start, self.mid
        names = start if stage == 1 else mid
        if self.members or stage == 1:
            lines += layout.load(names, source)
        if stage == 1:
            known = [leaf for leaf in names if leaf[0] in self.averaged]
            lines += (f"{mid[leaf]} = {start[leaf]}" for leaf in known)
            names = {**names, **{leaf: mid[leaf] for leaf in known}}
        form_names = self.sums.take(lines)
        for k in range(self.jumps):
            if stage == 1 or self.members:
                lines += (f"w{k}_{i} = {x}" for i, x in enumerate(layout.slots(f"noise{k}", 2)))
        if self.records and stage == 1:
            self.records.begin({**start, **form_names}, lines)
        gradient = self.single.emit({**names, **form_names}, stage, lines)
        if self.members:
            self.members.start(lines, self.sums)
        if stage == 2 and self.members:
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
            if stage == 1 and self.members:
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

    def _stages(self, out: Lines) -> None:
        """Both stages: in one lane loop, since singles alone are there."""
        lane = nested(out, LANE_LOOP)
        for stage in (1, 2):
            self._singles(stage, lane)

    # -- functions -----------------------------------------------------------------------------

    def step(self) -> Lines:
        """Source of ``step``: a collective step of length h, a local step with table row lr."""
        layout, body = self.layout, Lines()
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
        self._stages(body)
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
