r"""The local step of many levels with noise from a factor of R itself, of d x d numbers.

With R = S S^+ (capped where R has negative directions, as in ``capped``) and complex normals Xi,
(d, d) for every jump l of rate r,

.. math:: dR = \tfrac12 (X + X^\dagger), \qquad
   X = \sqrt{r\,dt}\,(M l^\dagger - l^\dagger M), \qquad M = \Xi S^\dagger

(parts of Xi of variance one) has exactly the covariance Tr R Gamma(x, y) dt of local channels: no
factor of (d^2 - 1)^2 numbers. Of l = |f><i| only row f and column i of M enter; the other entries
of that column are independent of all else, with variance R_ii in each part, so that the channels
of a pair of levels share them.

A step is half of the exact flow of the means, the noise at the middle, the other half: means are
exact, second moments to second order in the step.
"""

from __future__ import annotations

import numpy as np

from ..phasespace.matrices import Real, imaginary_part, real_part
from ..phasespace.system import MatrixInitial
from .capped import COUNTED, TINY, remainder
from .matrix_local import MatrixLocal
from .matrix_loops import Room, row_sum, rows
from .text import Lines, nested


class MatrixLow(MatrixLocal):
    """Prints the local step of a block; its interface is that of ``MatrixLocal``."""

    share = 0.5

    def _plan(self) -> int:
        d = self.levels
        spec = self.layout.system.initial[self.k]
        assert isinstance(spec, MatrixInitial)
        #: Levels in the order of their pivots: those occupied at the start come first.
        self.pivots = sorted(range(d), key=lambda a: not spec.occupied[a])
        entries = [list(zip(*np.nonzero(jump), strict=True)) for jump in self.step.jumps]
        #: Entries (part, f, i) of jumps of several entries, and of those of one.
        self.entries_of = [[(k, int(f), int(i)) for f, i in own] for k, own in enumerate(entries)]
        self.single = [own[0] for own in self.entries_of if len(own) == 1]
        #: Rows (part, a) of M that are needed whole.
        self.whole = [
            (k, a)
            for k, own in enumerate(self.entries_of)
            for a in (range(d) if len(own) > 1 else [f for _, f, _ in own])
        ]
        #: Levels into which jumps of one entry lead, and the places of their sources.
        self.ends = sorted({f for _, f, _ in self.single})
        self.sources = [sorted({i for _, f, i in self.single if f == end}) for end in self.ends]
        #: Pairs of levels with noise of their own.
        self.apart = [
            (a, b) for b in range(d) for a in range(b) if a in self.ends or b in self.ends
        ]
        self.pairs = len(self.whole) * d + len(self.apart)
        return 2 * sum(map(len, self.entries_of)) + sum(map(len, self.sources))

    def _loops(self) -> LowLoops:
        return LowLoops(self)

    def _noise_columns(self, rates: Real, lengths: Real, flows: Real, noise: bool) -> list[Real]:
        strength = np.sqrt(rates * lengths[:, None]) * float(noise)
        jumps = strength.T[:, :, None, None] * np.array(self.step.jumps)[:, None]
        values = [jumps[k][:, f, i].conj() for own in self.entries_of for k, f, i in own]
        weights = [
            sum(abs(jumps[k][:, f, i]) ** 2 for k, f, i in self.single if (f, i) == (end, source))
            for end, own in zip(self.ends, self.sources, strict=True)
            for source in own
        ]
        return [x for c in values for x in (c.real, c.imag)] + weights


class LowLoops:
    """Its lines, its tables in the order of ``MatrixLow``."""

    def __init__(self, low: MatrixLow):
        self.low, layout, d = low, low.layout, low.levels
        p, k = layout.parameters, low.k
        self.layout, self.d = layout, p.integer(d)
        self.place = {level: q for q, level in enumerate(low.pivots)}
        self.moved = [j for j, keep in enumerate(low.kept) if not keep]
        self.flow = rows(layout, (low.flow[j] for j in self.moved))
        self.targets = p.indices(np.array([*self.moved, 0]))
        self.old, self.new = (Room(layout.room(f"local{k} {x}", d * d)) for x in "xy")
        self.S, self.X = (
            [Room(layout.room(f"local{k} {x}{part}", d * d)) for part in "ri"] for x in "SX"
        )
        self.M = [Room(layout.room(f"local{k} M{part}", d)) for part in "ri"]
        self.w, self.K = (Room(layout.room(f"local{k} {x}", d)) for x in "wk")
        self.g = Room(layout.room(f"local{k} g", d))
        self.normal = Room(layout.scratch.get(f"local{k}_0", 0))
        number = {e: n for n, e in enumerate(e for own in low.entries_of for e in own)}
        here = self.place
        # of every row a of M: (number, place of i) of entries (a, i), and (number, f, i) of all
        self.across = rows(
            layout,
            ([v for e in low.entries_of[k] if e[1] == a for v in (number[e], here[e[2]])]
             for k, a in low.whole),
        )  # fmt: skip
        self.along = rows(
            layout,
            ([v for e in low.entries_of[k]
              for v in (number[e], here[a] * d + here[e[1]], here[e[2]])] for k, a in low.whole),
        )  # fmt: skip
        self.sources = rows(layout, ([here[i] for i in own] for own in low.sources))
        self.ends = p.indices(np.array([*(here[f] for f in low.ends), 0]))
        self.apart = p.indices(
            np.array(
                [v for a, b in low.apart
                 for v in (here[a], here[b], real_part(a, b), imaginary_part(a, b))] or [0]
            )
        )  # fmt: skip
        counts = (len(self.moved), len(low.whole), len(low.ends), len(low.apart))
        self.counts = [p.integer(n) for n in counts]

    def lines(self, x: list[str], y: list[str]) -> Lines:
        """In lane: names ``y`` from names ``x``."""
        low, out, base = self.low, Lines(), f"b{self.low.k}"
        values = 2 * sum(map(len, low.entries_of))
        out += (f"{self.old[j]} = {name}" for j, name in enumerate(x))
        out += (f"{self.new[j]} = {x[j]}" for j, keep in enumerate(low.kept) if keep)
        self._flow(out, base)
        self._factor(out)
        self._rows(out, f"{base} + {low.moving}")
        self._apart(out, f"{base} + {low.moving + values}")
        self._add(out)
        out += (f"{self.old[j]} = {self.new[j]}" for j in range(len(x)))
        self._flow(out, base)
        out += (f"{name} = {self.new[j]}" for j, name in enumerate(y))
        return out

    def _flow(self, out: Lines, base: str) -> None:
        """Half of the flow of the means, from old to new."""
        loop = nested(out, f"for cj in range({self.counts[0]}):")
        row_sum(loop, self.flow, "cj", base, self.old)
        loop += [f"{self.new[f'o[{self.targets} + cj]']} = cs"]

    def _factor(self, out: Lines) -> None:
        """S, lower triangular in the order of pivots; no row is longer than its population."""
        d, (real, imag), n = self.low.levels, self.S, self.d
        for q, a in enumerate(self.low.pivots):
            out += [f"{self.K[q]} = fmax0({self.new[real_part(a, a)]})"]
            out += [f"{self.w[q]} = {self.K[q]}"]
            for r, b in enumerate(self.low.pivots[:q]):
                sign = "" if a < b else "-"
                out += [f"{real[q * d + r]} = {self.new[real_part(a, b)]}"]
                out += [f"{imag[q * d + r]} = {sign}{self.new[imaginary_part(*sorted((a, b)))]}"]
        out += [f"ct = F({COUNTED}) * ({' + '.join(self.K[q] for q in range(d))})"]
        below = [f"below({self.new[real_part(a, a)]} + ct)" for a in self.low.pivots]
        out += [f"cc = {' + '.join(below)}"]
        loop = nested(out, f"for cq in range({n}):")
        loop += [f"cw = {self.w['cq']}", "cd = np.sqrt(cw)"]
        large = f"cw - F({TINY}) * ct - F(1e-20)"
        loop += [f"cr = pick({large}, F(1) / (cd + F(1e-30)), F(0) * cw)"]
        own = f"cq * {n} + cq"
        loop += [f"{real[own]} = cd", f"{imag[own]} = F(0)"]
        body = nested(loop, f"for ci in range(cq + 1, {n}):")
        entry = f"ci * {n} + cq"
        body += [f"cu = {real[entry]} * cr", f"cv = {imag[entry]} * cr", f"cw = {self.w['ci']}"]
        body += ["ce = cu * cu + cv * cv", "cf = cw - ce", "cc = cc + below(cf + ct)"]
        body += ["cs = pick(cf, F(1), np.sqrt(cw / (ce + F(1e-30))))"]
        body += [f"{real[entry]} = cs * cu", f"{imag[entry]} = cs * cv"]
        body += [f"{self.w['ci']} = {remainder('cf', self.K['ci'])}"]
        body = nested(loop, f"for ci in range(cq + 1, {n}):")
        body += [f"cu = {real[entry]}", f"cv = {imag[entry]}"]
        loop = nested(body, "for cj in range(cq + 1, ci):")
        other, cell = f"cj * {n} + cq", f"ci * {n} + cj"
        loop += [f"cw = {real[other]}", f"cf = {imag[other]}"]
        loop += [f"{real[cell]} = {real[cell]} - (cu * cw + cv * cf)"]
        loop += [f"{imag[cell]} = {imag[cell]} - (cv * cw - cu * cf)"]
        out += [f"{self.layout.clip(self.low.k)} += below(F(0) - cc)"]

    def _rows(self, out: Lines, base: str) -> None:
        """X, from the rows of M that are needed whole."""
        n, (real, imag) = self.d, self.S
        out += [f"for cj in range({n} * {n}):", [f"{part['cj']} = F(0)" for part in self.X]]
        loop = nested(out, f"for cr in range({self.counts[1]}):")
        body = nested(loop, f"for cb in range({n}):")
        body += ["cs = F(0)", "ct = F(0)"]
        inner = nested(body, "for cq in range(cb + 1):")
        at, entry = f"2 * (cr * {n} + cq)", f"cb * {n} + cq"
        inner += [f"cu = {self.normal[at]}", f"cv = {self.normal[f'{at} + 1']}"]
        inner += [f"cw = {real[entry]}", f"cf = {imag[entry]}"]
        inner += ["cs = cs + (cu * cw + cv * cf)", "ct = ct + (cv * cw - cu * cf)"]
        body += [f"{self.M[0]['cb']} = cs", f"{self.M[1]['cb']} = ct"]
        start, entries = self.across
        body = nested(loop, f"for ce in range(o[{start} + cr], o[{start} + cr + 1], 2):")
        body += [f"ca = {base} + 2 * o[{entries} + ce]", "cu = p[ca]", "cv = p[ca + 1]"]
        body += [f"ci = o[{entries} + ce + 1]"]
        inner = nested(body, f"for cb in range({n}):")
        inner += [f"cw = {self.M[0]['cb']}", f"cf = {self.M[1]['cb']}", f"cn = ci * {n} + cb"]
        inner += [f"{self.X[0]['cn']} = {self.X[0]['cn']} - (cu * cw - cv * cf)"]
        inner += [f"{self.X[1]['cn']} = {self.X[1]['cn']} - (cu * cf + cv * cw)"]
        start, entries = self.along
        body = nested(loop, f"for ce in range(o[{start} + cr], o[{start} + cr + 1], 3):")
        body += [f"ca = {base} + 2 * o[{entries} + ce]", "cu = p[ca]", "cv = p[ca + 1]"]
        body += [f"cn = o[{entries} + ce + 1]", f"ci = o[{entries} + ce + 2]"]
        body += [f"cw = {self.M[0]['ci']}", f"cf = {self.M[1]['ci']}"]
        body += [f"{self.X[0]['cn']} = {self.X[0]['cn']} + (cu * cw - cv * cf)"]
        body += [f"{self.X[1]['cn']} = {self.X[1]['cn']} + (cu * cf + cv * cw)"]

    def _apart(self, out: Lines, base: str) -> None:
        """What is independent of all else: coherences of levels into which jumps lead."""
        if not self.low.apart:
            return
        out += (f"{self.g[q]} = F(0)" for q in range(self.low.levels))
        loop = nested(out, f"for ce in range({self.counts[2]}):")
        row_sum(loop, self.sources, "ce", base, self.K)
        loop += [f"{self.g[f'o[{self.ends} + ce]']} = cs"]
        loop = nested(out, f"for ce in range({self.counts[3]}):")
        a, b, re, im = (f"o[{self.apart} + 4 * ce + {i}]" for i in range(4))
        loop += [f"cu = F(0.5) * np.sqrt({self.g[a]} + {self.g[b]})"]
        at = f"2 * ({self.counts[1]} * {self.d} + ce)"
        value = self.new["cn"]
        for place, number in ((re, at), (im, f"{at} + 1")):
            loop += [f"cn = {place}", f"{value} = {value} + cu * {self.normal[number]}"]

    def _add(self, out: Lines) -> None:
        """The Hermitian part of X; the last population loses what the others win."""
        d, (real, imag) = self.low.levels, self.X
        for b in range(d):
            q = self.place[b]
            for a in range(b):
                r = self.place[a]
                one, two = r * d + q, q * d + r
                re, im = self.new[real_part(a, b)], self.new[imaginary_part(a, b)]
                out += [f"{re} = {re} + F(0.5) * ({real[one]} + {real[two]})"]
                out += [f"{im} = {im} + F(0.5) * ({imag[one]} - {imag[two]})"]
        own = [real[self.place[a] * (d + 1)] for a in range(d)]
        for a in range(d - 1):
            out += [f"{self.new[real_part(a, a)]} = {self.new[real_part(a, a)]} + {own[a]}"]
        last = self.new[real_part(d - 1, d - 1)]
        out += [f"{last} = {last} - ({' + '.join(own[:-1])})"]
