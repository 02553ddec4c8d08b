"""How a block moves under increments of its gradient: spins and matrices turn, modes are
translated.
"""

from __future__ import annotations

from ..phasespace.system import MATRIX, MODE, ROTOR, SPIN
from .layout import Layout
from .matrix_loops import PRINTED, turn_in_loops
from .turn import turn, turning


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
