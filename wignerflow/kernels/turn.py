r"""How a Hermitian matrix of variables turns: R -> U R U^+, printed without what is zero.

U = (1 + iF/2)^{-1} (1 - iF/2) keeps the spectrum of R exactly for every Hermitian F. Of F only the
entries that a model fills are known, and neither rows of U that are those of the identity nor zeros
are printed: a jump between two of many levels turns two rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..phasespace.matrices import imaginary_part, real_part


@dataclass(frozen=True)
class Number:
    """A complex number in the text: source of both parts, "" for zero."""

    re: str = ""
    im: str = ""

    def __bool__(self) -> bool:
        return bool(self.re or self.im)

    @property
    def conj(self) -> Number:
        """Complex conjugate; the imaginary part must be a name."""
        return Number(self.re, f"(-{self.im})" if self.im else "")


ONE = Number("F(1)")


def _product(a: str, b: str) -> str:
    if not a or not b:
        return ""
    if "F(1)" in (a, b):
        return b if a == "F(1)" else a
    return f"{a} * {b}"


def _sum(plus: list[str], minus: list[str]) -> str:
    parts = [p for p in plus if p]
    text = " + ".join(parts)
    for m in minus:
        if m:
            text = f"{text} - {m}" if text else f"(-({m}))"
    return text


class Printer:
    """Appends assignments of complex numbers to lines."""

    def __init__(self, lines: list[str], tag: str):
        self.lines, self.tag, self.count = lines, tag, 0

    def keep(self, re: str, im: str) -> Number:
        """Names for two expressions."""
        self.count += 1
        out = []
        for text, part in ((re, "r"), (im, "i")):
            if text and text != "F(1)":
                name = f"U{self.tag}_{self.count}{part}"
                self.lines.append(f"{name} = {text}")
                text = name
            out.append(text)
        return Number(*out)

    def dot(self, pairs: list[tuple[Number, Number]], minus: bool = False) -> Number:
        """sum a b, or its negative."""
        re = ([_product(a.re, b.re) for a, b in pairs], [_product(a.im, b.im) for a, b in pairs])
        crossed = [_product(x, y) for a, b in pairs for x, y in ((a.re, b.im), (a.im, b.re))]
        im: tuple[list[str], list[str]] = (crossed, [])
        if minus:
            re, im = re[::-1], im[::-1]
        return self.keep(_sum(*re), _sum(*im))

    def add(self, a: Number, b: Number) -> Number:
        """a + b."""
        if not a or not b:
            return a or b
        return self.keep(_sum([a.re, b.re], []), _sum([a.im, b.im], []))

    def inverse(self, a: Number) -> Number:
        """1/a."""
        if a == ONE:
            return ONE
        self.count += 1
        name = f"U{self.tag}_{self.count}n"
        square = _sum([_product(a.re, a.re), _product(a.im, a.im)], [])
        self.lines.append(f"{name} = F(1) / ({square})")
        return self.keep(_product(a.re, name), f"(-{a.im}) * {name}" if a.im else "")


def turning(g: list[str]) -> list[int]:
    """Levels that increments of the gradient turn ("" for zero), in order."""
    d = round(len(g) ** 0.5)
    pairs = [(a, b) for b in range(d) for a in range(b + 1)]
    some = [(a, b) for a, b in pairs if g[real_part(a, b)] or (a < b and g[imaginary_part(a, b)])]
    return sorted({level for pair in some for level in pair})


def turn(tag: str, g: list[str], x: list[str], y: list[str], stage: int) -> list[str]:
    """New names ``y`` from ``x`` under the increments ``g`` of the gradient ("" for zero).

    Half of them in stage 1.
    """
    d = round(len(x) ** 0.5)
    lines: list[str] = []
    out = Printer(lines, tag)
    half, quarter = ("F(0.25)", "F(0.125)") if stage == 1 else ("F(0.5)", "F(0.25)")
    G = [f"Rg{tag}_{k}" if text else "" for k, text in enumerate(g)]
    lines += [f"{name} = {text}" for name, text in zip(G, g, strict=True) if name]
    M = [[Number() for _ in range(d)] for _ in range(d)]  # 1 + iF/2
    for b in range(d):
        diagonal = G[real_part(b, b)]
        M[b][b] = out.keep("F(1)", f"{half} * {diagonal}" if diagonal else "")
        for a in range(b):
            re, im = G[real_part(a, b)], G[imaginary_part(a, b)]
            one, two = (f"{quarter} * {part}" if part else "" for part in (im, re))
            both = out.keep(one, two)
            M[b][a] = both
            M[a][b] = Number(f"(-{both.re})" if both.re else "", both.im)
    U = _unitary(out, M)
    old = [[Number() for _ in range(d)] for _ in range(d)]
    for b in range(d):
        old[b][b] = Number(x[real_part(b, b)])
        for a in range(b):
            old[a][b] = Number(x[real_part(a, b)], x[imaginary_part(a, b)])
            old[b][a] = old[a][b].conj
    rows = [[_times_row(out, U, old, a, b) for b in range(d)] for a in range(d)]
    for b in range(d):
        for a in range(b + 1):
            names = [y[real_part(a, b)]] + ([y[imaginary_part(a, b)]] if a < b else [])
            entry = _entry(out, rows, U, a, b, a < b)
            lines += [f"{n} = {t or 'F(0)'}" for n, t in zip(names, entry, strict=False)]
    return lines


def _times_row(
    out: Printer, U: list[list[Number]], old: list[list[Number]], a: int, b: int
) -> Number:
    """(U R)_ab."""
    pairs = [(U[a][k], old[k][b]) for k in range(len(U)) if U[a][k]]
    return old[a][b] if pairs[0][0] == ONE and len(pairs) == 1 else out.dot(pairs)


def _entry(
    out: Printer, rows: list[list[Number]], U: list[list[Number]], a: int, b: int, both: bool
) -> tuple[str, str]:
    """Source of the parts of (U R U^+)_ab; the imaginary one only where ``both``."""
    pairs = [(rows[a][k], U[b][k]) for k in range(len(U)) if U[b][k]]  # second one conjugate
    re = _sum([_product(p, q) for r, u in pairs for p, q in ((r.re, u.re), (r.im, u.im))], [])
    if not both:
        return re, ""
    up = [_product(r.im, u.re) for r, u in pairs]
    return re, _sum(up, [_product(r.re, u.im) for r, u in pairs])


def _unitary(out: Printer, M: list[list[Number]]) -> list[list[Number]]:
    """2 M^{-1} - 1 by Gauss and Jordan; M has the Hermitian part 1, so no pivot vanishes."""
    d = len(M)
    M = [row[:] for row in M]
    W = [[ONE if a == b else Number() for b in range(d)] for a in range(d)]
    for c in range(d):
        others = [b for b in range(c + 1, d) if M[c][b]]
        pivot = out.inverse(M[c][c])
        for row, columns in ((M[c], others), (W[c], [b for b in range(d) if W[c][b]])):
            for b in columns:
                row[b] = out.dot([(row[b], pivot)]) if pivot != ONE else row[b]
        for a in range(d):
            factor = M[a][c]
            if a == c or not factor:
                continue
            for b in others:
                M[a][b] = out.add(M[a][b], out.dot([(factor, M[c][b])], minus=True))
            for b in range(d):
                if W[c][b]:
                    W[a][b] = out.add(W[a][b], out.dot([(factor, W[c][b])], minus=True))
    for a in range(d):
        for b in range(d):
            w = W[a][b]
            if not w or w == ONE:
                continue
            re = f"F(2) * {w.re}" if w.re else ""
            if a == b:
                re = f"{re} - F(1)" if re else "F(-1)"
            W[a][b] = out.keep(re, f"F(2) * {w.im}" if w.im else "")
    return W
