"""The scheme for systems that give drift and noise in full: predictor and corrector.

With a the drift, b the noise columns and dW the increments of a step of length h,

    y = v + a(v) h + b(v) dW,
    Itô:           v' = v + (a(v) + a(y)) h/2 + n,
    Stratonovich:  v' = v + (a(v) + a(y)) h/2 + (b(v) + b(y)) dW/2     (stochastic Heun),

where n is the noise term of ``weak_two`` and the scheme of weak order two, if the equations ask
for it and each member's noise depends on its own variables alone. Otherwise n = b(v) dW, of weak
order one as is stochastic Heun: two where the noise is additive, and in error by O(h^2 + eps^2 h)
for small noise of strength eps. A block may conserve its length: v' is then scaled to the length of
v, which keeps the order. Kloeden and Platen, Numerical Solution of SDEs (1992), sections 15.5 and
11.2; Milstein and Tretyakov, SIAM J. Sci. Comput. 18, 1067 (1997), for small noise.
"""

from __future__ import annotations

from ..phasespace.polynomials import Aux, Coupled, Form, Leaf, Member, Number, Poly, Var
from ..phasespace.system import SQUARE_ROOT, Explicit
from .fields import Field, Fields
from .layout import ArraySums, Layout, member_loads, needed_forms, single_names
from .links import Links
from .rng import DYNAMICS
from .splitting import ARGUMENTS
from .text import LANE_LOOP, Lines, Prologue, expression, fill, nested, plus
from .weak_two import noise_term, spare_normals, suits

START, END = "1", "2"  # tags of the names of roots at the start of a step and at its predicted end


class ExplicitPrinter:
    """Prints the functions ``step`` and ``local`` of a system of explicit equations."""

    work, pilot_draws = 1, ((2, 2, 2), (1, 1, 1))  # see ``KernelText``

    def __init__(self, layout: Layout):
        self.layout, system = layout, layout.system
        self.ito = system.calculus == "ito"
        self.prologue = Prologue(layout.parameters)
        self.links = Links(layout, self.prologue) if system.links else None
        self.equations = {e.block: e for e in system.explicit}
        missing = [b.name for k, b in enumerate(system.blocks) if k not in self.equations]
        if missing:
            raise NotImplementedError(
                f"Explicit equations must cover every block, but {missing[0]!r} has none."
            )
        self.fields = Fields(layout, [])
        self.field: dict[Leaf, Field] = {}
        polys = [p for e in system.explicit for p in e.polynomials]
        for leaf in dict.fromkeys(x for p in polys for x in p.leaves if isinstance(x, Coupled)):
            spec = system.coupled[leaf.index]
            self.field[leaf] = self.fields.add(spec.coupling, spec.mono, spec.weights)
        self.sums = ArraySums(layout, sorted({*needed_forms(polys), *self.fields.forms()}), "fw")
        self.numbers = {
            leaf: layout.parameters.array(system.numbers[leaf.index])
            for leaf in dict.fromkeys(x for p in polys for x in p.leaves if isinstance(x, Number))
        }
        # noise: pairs of normals per member; singles first, then arrays
        self.second = {
            k for k, e in self.equations.items() if self.ito and e.order == 2 and suits(e)
        }
        self.normals = {k: len(e.noise) for k, e in self.equations.items()}
        for k in self.second:
            self.normals[k] += spare_normals(self.normals[k])
        self.pairs = {k: (n + 1) // 2 for k, n in self.normals.items()}
        self.first = {
            k: layout.draws.first(
                DYNAMICS, layout.blocks[k].name, self.pairs[k] * layout.blocks[k].size
            )
            for k in layout.singles + layout.arrays
        }
        # between the stages an array block keeps its noise term (Itô) or its normals (Stratonovich)
        self.room: dict[int, tuple[str, int]] = {}
        for k in layout.arrays:
            size = layout.blocks[k].size
            width = layout.blocks[k].components if self.ito else 2 * self.pairs[k]
            self.room[k] = layout.wide(width * size), width

    # -- one block in a lane loop --------------------------------------------------------------

    def _roots(
        self, e: Explicit, polys: list[Poly], names: dict[Leaf, str], tag: str, out: Lines
    ) -> dict[Leaf, str]:
        """Emit the roots that polynomials need and that have no name yet; all names."""
        wanted = {leaf.index for p in polys for leaf in p.leaves if isinstance(leaf, Aux)}
        for i in range(len(e.roots) - 1, -1, -1):
            if i in wanted:
                wanted |= {x.index for x in e.roots[i].of.leaves if isinstance(x, Aux)}
        known = dict(names)
        for i in sorted(i for i in wanted if Aux(e.block, i) not in names):
            root, name = e.roots[i], f"g{e.block}_{i}_{tag}"
            value = expression(root.of, known, self.prologue) or "F(0)"
            out += [f"{name}p = {value}"]
            if tag == START and root.kind == SQUARE_ROOT:
                tolerance = self.prologue.name(self.layout.parameters.scalar(root.tolerance))
                out += [f"{self.layout.clip(e.block)} += below({name}p + {tolerance})"]
            text = f"np.sqrt(fmax0({name}p))"
            if root.kind != SQUARE_ROOT:
                text = f"pick({name}p, F(1) / np.sqrt(fmax0({name}p) + F(1e-30)), F(0) * {name}p)"
            out += [f"{name} = {text}"]
            known[Aux(e.block, i)] = name
        return known

    def _column(
        self, e: Explicit, j: int, names: dict[Leaf, str], tag: str, out: Lines
    ) -> list[str]:
        """Emit noise column j at the named point; a name per component ("" for zero)."""
        known = self._roots(e, e.noise[j], names, tag, out)
        values = []
        for c, p in enumerate(e.noise[j]):
            value = expression(p, known, self.prologue)
            name = f"b{e.block}_{j}_{tag}_{c}" if value else ""
            if value:
                out += [f"{name} = {value}"]
            values.append(name)
        return values

    def _columns(
        self, e: Explicit, names: dict[Leaf, str], tag: str, out: Lines
    ) -> list[list[str]]:
        polys = [p for column in e.noise for p in column]
        known = self._roots(e, polys, names, tag, out)
        return [self._column(e, j, known, tag, out) for j in range(len(e.noise))]

    def _drift(self, e: Explicit, names: dict[Leaf, str], tag: str, out: Lines) -> list[str]:
        """Emit the roots; per component the drift times h ("" for zero)."""
        known = self._roots(e, e.drift, names, tag, out)
        return [expression(p, known, self.prologue, "h") for p in e.drift]

    def _sum(self, k: int, columns: list[list[str]]) -> list[str]:
        """Per component the columns times their increments ("" for zero)."""
        components = range(self.layout.blocks[k].components)
        return [
            plus(*(f"{column[c]} * w{k}_{j}" for j, column in enumerate(columns) if column[c]))
            for c in components
        ]

    def _predict(self, e: Explicit, names: dict[Leaf, str], out: Lines) -> None:
        """From x: the drift step a{k}_c, the predicted y, and a term n{k}_c of the corrector."""
        k, variables = e.block, self._leaves(e.block)
        known = self._roots(e, e.polynomials, names, START, out)
        drift = self._drift(e, known, START, out)
        columns = [self._column(e, j, known, START, out) for j in range(len(e.noise))]
        first = self._sum(k, columns)
        out += (f"a{k}_{c} = {a or 'F(0)'}" for c, a in enumerate(drift))
        out += (f"n{k}_{c} = {n or 'F(0)'}" for c, n in enumerate(first))
        out += (f"y{k}_{c} = x{k}_{c} + a{k}_{c} + n{k}_{c}" for c in range(len(drift)))
        if k in self.second:

            def evaluate(j: int, point: dict[Leaf, str], tag: str) -> list[str]:
                return self._column(e, j, point, tag, out)

            term = noise_term(e, variables, names, columns, evaluate, out)
            # the corrector adds (y + n)/2, of which y brings the first-order noise
            out += (f"n{k}_{c} = F(2) * {t} - n{k}_{c}" for c, t in enumerate(term) if t)

    def _leaves(self, k: int) -> list[Leaf]:
        kind: type = Var if self.layout.blocks[k].count is None else Member
        return [kind(k, c) for c in range(self.layout.blocks[k].components)]

    def _correct(self, e: Explicit, names: dict[Leaf, str], out: Lines) -> None:
        """From x, y and (Itô) n: the final z. Uses v + a h/2 + b dW/2 = (v + y)/2."""
        k = e.block
        drift = self._drift(e, names, END, out)
        noise = [f"n{k}_{c}" for c in range(len(drift))]
        if not self.ito:
            noise = self._sum(k, self._columns(e, names, END, out))
        for c, (a, n) in enumerate(zip(drift, noise, strict=True)):
            out += [f"z{k}_{c} = F(0.5) * ({plus(f'x{k}_{c} + y{k}_{c}', a, n)})"]
        if e.conserve:
            components = range(len(drift))
            before = " + ".join(f"x{k}_{c} * x{k}_{c}" for c in components)
            after = " + ".join(f"z{k}_{c} * z{k}_{c}" for c in components)
            out += [f"q{k} = np.sqrt(({before}) / (({after}) + F(1e-30)))"]
            out += (f"z{k}_{c} = q{k} * z{k}_{c}" for c in components)

    def _read_normals(self, k: int, slots: list[str]) -> list[str]:
        """The increments w, and for the second order the standard normals xi."""
        columns = len(self.equations[k].noise)
        if k not in self.second:
            return [f"w{k}_{j} = sqh * {slot}" for j, slot in enumerate(slots[:columns])]
        out = [f"xi{k}_{j} = {slot}" for j, slot in enumerate(slots[: self.normals[k]])]
        return [*out, *(f"w{k}_{j} = sqh * xi{k}_{j}" for j in range(columns))]

    def _read_single_normals(self, k: int) -> list[str]:
        slots = [self.layout.s(f"noise{k}_{j}") for j in range(2 * self.pairs[k])]
        return self._read_normals(k, slots)

    # -- single subsystems ---------------------------------------------------------------------

    def _totals(self, lines: Lines) -> dict[Leaf, str]:
        """Take the sums gathered so far and start new ones."""
        names: dict[Leaf, str] = {}
        for i in self.sums.forms:
            lines += [
                f"T{i} = {self.layout.s(f'form{i}')}",
                f"{self.layout.s(f'total{i}')} = T{i}",
                f"{self.layout.s(f'form{i}')} = F(0)",
            ]
            names[Form(i)] = f"T{i}"
        self.fields.begin(lines, {i: f"T{i}" for i in self.sums.forms}, self.prologue)
        return names

    def _single_numbers(self, names: dict[Leaf, str]) -> dict[Leaf, str]:
        numbers: dict[Leaf, str] = {
            leaf: self.prologue.name(f"p[{at}]") for leaf, at in self.numbers.items()
        }
        return {**names, **numbers}

    def _fused(self, out: Lines) -> None:
        """Both stages of single subsystems, when there are no arrays."""
        layout = self.layout
        start, mid = (self._single_numbers(single_names(layout, n)) for n in "xy")
        lane = nested(out, LANE_LOOP)
        own = single_names(layout, "x")
        lane += layout.load(own, "v")
        for k in layout.singles:
            lane += self._read_single_normals(k)
            self._predict(self.equations[k], start, lane)
        for k in layout.singles:
            self._correct(self.equations[k], mid, lane)
        lane += layout.store(single_names(layout, "z"), "v")

    def _singles(self, stage: int, out: Lines) -> None:
        """One stage of single subsystems, and the sums over arrays handed on."""
        layout = self.layout
        running = [f"form{i}" for i in self.fields.forms()]
        layout.total(out, [f"form{i}" for i in self.sums.forms], running)
        names = single_names(layout, "x" if stage == 1 else "y")
        lane = nested(out, LANE_LOOP)
        source = "v" if stage == 1 else "q"
        lane += layout.load(names, source)
        known = self._single_numbers({**names, **self._totals(lane)})
        for k in layout.singles:
            components = range(layout.blocks[k].components)
            kept = layout.slots(f"kept{k}", len(components))
            lane += self._read_single_normals(k)
            if stage == 1:
                self._predict(self.equations[k], known, lane)
                lane += layout.store(single_names(layout, "y", [k]), "q")
                lane += (f"{kept[c]} = n{k}_{c}" for c in components)
                continue
            lane += layout.load(single_names(layout, "x", [k]), "v")
            lane += (f"n{k}_{c} = {kept[c]}" for c in components)
            self._correct(self.equations[k], known, lane)
            # other members still read this block at mid-step from q, so v may change now
            lane += layout.store(single_names(layout, "z", [k]), "v")
        lane += ["pass"]

    # -- arrays --------------------------------------------------------------------------------

    def _members(self, group: int, stage: int, out: Lines) -> None:
        layout, blocks = self.layout, self.layout.groups[group]
        source = "v" if stage == 1 else "q"
        self.fields.before(out, group, source)
        loop = layout.members(out, group)
        loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
        for k in blocks:
            room, width = self.room[k]
            loop += [f"r{k} = ({room} + {width} * m) * LN & FAR"]
            if stage == 1:
                for j in range(self.pairs[k]):
                    slots = [self._slot(k, 2 * j + i) for i in range(2)]
                    fill(loop, "kd", f"{self.first[k]} + {self.pairs[k]} * m + {j}", slots)
        used = dict.fromkeys(
            x for k in blocks for p in self.equations[k].polynomials for x in p.leaves
        )
        names: dict[Leaf, str] = {leaf: f"c{leaf.index}" for leaf in self.numbers}
        for x in self.numbers:
            if x in used:
                loop += [f"c{x.index} = {layout.member_value(layout.system.numbers[x.index])}"]
        self.sums.load(group, loop)
        self.fields.member(loop, group)
        lane = nested(loop, LANE_LOOP)
        point = "x" if stage == 1 else "y"
        for k in blocks:
            for c in range(layout.blocks[k].components):
                names[Member(k, c)] = f"{point}{k}_{c}"
                lane += [f"{point}{k}_{c} = {source}[i{k} + {c} * LN + l]"]
                if stage == 2:
                    lane += [f"x{k}_{c} = v[i{k} + {c} * LN + l]"]
        lane += self.fields.lane(group, source, names)
        for leaf, field in self.field.items():
            names[leaf] = field.name
        for leaf in used:
            if isinstance(leaf, Var):
                # in stage 2 single subsystems are at mid-step in q
                names[leaf] = name = f"x{leaf.block}_{leaf.comp}"
                lane += [f"{name} = {layout.single(leaf.block, leaf.comp, source)}"]
            elif isinstance(leaf, Form):
                lane += [f"T{leaf.index} = {layout.s(f'total{leaf.index}')}"]
                names[leaf] = f"T{leaf.index}"
        for k in blocks:
            e, components = self.equations[k], range(layout.blocks[k].components)
            if stage == 1 or not self.ito:
                slots = [self._slot(k, j) for j in range(2 * self.pairs[k])]
                lane += self._read_normals(k, slots)
            if stage == 1:
                self._predict(e, names, lane)
                lane += (f"q[i{k} + {c} * LN + l] = y{k}_{c}" for c in components)
                if self.ito:
                    lane += (f"w[r{k} + {c} * LN + l] = n{k}_{c}" for c in components)
                continue
            if self.ito:
                lane += (f"n{k}_{c} = w[r{k} + {c} * LN + l]" for c in components)
            self._correct(e, names, lane)
            lane += (f"v[i{k} + {c} * LN + l] = z{k}_{c}" for c in components)
        end = "y" if stage == 1 else "z"
        self.sums.add(
            group,
            {
                Member(k, c): f"{end}{k}_{c}"
                for k in blocks
                for c in range(layout.blocks[k].components)
            },
            lane,
        )

    def _slot(self, k: int, j: int) -> str:
        """Where normal j of the current member lies."""
        return self.layout.s(f"noise{k}_{j}") if self.ito else f"w[r{k} + {j} * LN + l]"

    # -- functions -----------------------------------------------------------------------------

    def step(self) -> Lines:
        """Source of ``step``: a step of length h."""
        layout, prologue = self.layout, self.prologue
        body: Lines = []
        for k in layout.singles:
            for e in range(self.pairs[k]):
                slots = [layout.s(f"noise{k}_{2 * e + i}") for i in range(2)]
                fill(body, "kd", f"{self.first[k]} + {e}", slots)
        if layout.arrays:
            for stage in (1, 2):
                self._singles(stage, body)
                for group in layout.groups:
                    self._members(group, stage, body)
        else:
            self._fused(body)
        head = ["sqh = noise * np.sqrt(h)", *prologue.lines()]
        return [f"def step({ARGUMENTS}):", [*head, *body]]

    def local_step(self) -> Lines:
        """Source of ``local``: no step, but the sums over arrays when an interval begins."""
        layout, out = self.layout, Lines()
        out += [LANE_LOOP, [*(f"{layout.s(f'form{i}')} = F(0)" for i in self.sums.forms), "pass"]]
        for group, blocks in layout.groups.items():
            if not self.sums.of(group):
                continue
            loop = layout.members(out, group)
            loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
            self.sums.load(group, loop)
            lane = nested(loop, LANE_LOOP)
            names, loads = member_loads(layout, blocks, "v")
            lane += loads
            self.sums.add(group, names, lane)
        return ["def local(v, s, w, p, o, lr, kl, t0):", out]
