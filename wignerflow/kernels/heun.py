"""The Heun scheme: predictor and corrector with local channels in drift and noise.

With g the gradient increment of a collective step (see ``splitting``), a = -Lambda J + (N/2) c the
local drift and B B^T = D the local diffusion,

    Y = J + g(J) x J + a(J) h + B(J) dW,
    J' = J + (g(J) x J + g(Y) x Y)/2 + (a(J) + a(Y)) h/2 + B(J) dW.

The collective part is Stratonovich (both stages), the local noise Itô (taken at the start of the
step). Lengths are kept to the order of the scheme only. It needs smaller steps than the splitting
and exists as an independent check of it. Weak order one; two for the deterministic part.
"""

from __future__ import annotations

from ..phasespace.system import MODE
from .layout import Layout
from .local import AXIAL, GENERAL, LocalPrinter, heun_row
from .splitting import StepPrinter
from .text import Lines


class HeunLocal(LocalPrinter):
    """Local tables for the Heun scheme."""

    row = staticmethod(heun_row)
    extra = 12

    def load(self, k: int, m: str) -> list[str]:
        """Scalar loads of the table row, noise and drift."""
        first = AXIAL if self.axial[k] else GENERAL
        return super().load(k, m) + [f"D{k}_{i} = p[b{k} + {first + i}]" for i in range(12)]

    def drift(self, k: int, x: list[str]) -> list[str]:
        """Drift times h at ``x``, one expression per component."""
        rows = range(3)
        if self.axial[k]:
            return [f"D{k}_{4 * a} * {x[a]} + D{k}_{9 + a}" for a in rows]
        return [
            " + ".join(f"D{k}_{3 * a + b} * {x[b]}" for b in range(3)) + f" + D{k}_{9 + a}"
            for a in rows
        ]


class HeunPrinter(StepPrinter):
    """Prints ``step`` and ``local`` (which adds up the array sums only)."""

    strang = False
    local_stages = (1, 2)
    local: HeunLocal

    def __init__(self, layout: Layout, local: HeunLocal):
        super().__init__(layout, local)

    def _advance(
        self, k: int, tag: str, g: list[str], x: list[str], y: list[str], stage: int, lines: Lines
    ) -> list[str]:
        n, kind = len(x), self.layout.block(k).kind
        at = x if stage == 1 else y
        lines.add(*(f"Rg{tag}_{c} = {g[c]}" for c in range(n) if g[c]))
        named = [f"Rg{tag}_{c}" if g[c] else "" for c in range(n)]
        slope = [_increment(kind, named, at, c) for c in range(n)]
        noisy = x
        if k in self.local.steps:
            slope = [
                " + ".join(part for part in pair if part)
                for pair in zip(slope, self.local.drift(k, at), strict=True)
            ]
            noisy = [f"e{k}_{c}_{stage}" for c in range(n)]
            lines.add(*self.local.read_noise(k), *self.local.lines(k, x, noisy))
        if stage == 1:
            lines.add(
                *(f"{y[c]} = {noisy[c]}" + (f" + {slope[c]}" if slope[c] else "") for c in range(n))
            )
            return y
        # y = noisy + slope(x), so the mean of both slopes is (y - noisy + slope(y))/2
        z = [f"z{k}_{c}" for c in range(n)]
        for c in range(n):
            total = f"{y[c]} + {noisy[c]}" + (f" + {slope[c]}" if slope[c] else "")
            lines.add(f"{z[c]} = F(0.5) * ({total})")
        return z

    def local_step(self) -> str:
        """Source of ``local``: the forms at the start of an output interval."""
        steps, self.local.steps = self.local.steps, {}
        out = super().local_step()
        self.local.steps = steps
        return out


def _increment(kind: str, g: list[str], x: list[str], c: int) -> str:
    """Component c of g x J (spins) or of the translation of a mode; "" for zero."""
    if kind == MODE:
        if not g[1 - c]:
            return ""
        return f"F({0.5 if c == 0 else -0.5}) * {g[1 - c]}"
    i, j = (c + 1) % 3, (c + 2) % 3
    parts = []
    if g[i]:
        parts.append(f"{g[i]} * {x[j]}")
    if g[j]:
        parts.append(f"F(-1) * {g[j]} * {x[i]}")
    return " + ".join(parts)
