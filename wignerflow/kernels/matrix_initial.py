"""Draws of the initial state of a block of Hermitian matrices, see ``MatrixInitial``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..phasespace.matrices import imaginary_part, real_part
from ..phasespace.system import DISCRETE, FIXED, GAUSSIAN, MatrixInitial
from .rng import INITIAL
from .text import LANE_LOOP, Lines
from .turn import Number, Printer

if TYPE_CHECKING:
    from .layout import Layout


def matrix_initial(layout: Layout, k: int, out: Lines) -> None:
    """Draws of block k: normals into wide scratch, there made the variables z, then transformed."""
    block, spec = layout.block(k), layout.system.initial[k]
    assert isinstance(spec, MatrixInitial)
    if spec.sites is not None:
        _site_draws(layout, k, spec.sites, out)
        return
    d, n, p = block.levels, block.components, layout.parameters
    pairs = (n + 1) // 2
    first = layout.draws.first(INITIAL, block.name, pairs * block.size)
    kinds, means, widths = p.indices(spec.kind), p.array(spec.mean), p.array(spec.width)
    same = bool((spec.transform == spec.transform[:1]).all())
    transform = p.array(spec.transform[:1] if same else spec.transform)
    stride = p.integer(0 if same else n * n)
    room = layout.private(2 * pairs)
    if block.count is None:
        layout.loops.begin_single(out)
        out.open(f"for m in range({p.integer(1)}):")
    else:
        layout.loops.members(out, layout, layout.group_size[block.size])
    out.add(f"i = {layout.loops.index(layout, k, layout.loops.start(layout, k), 'm')}")
    out.add(f"iz = {room} * LN & FAR", f"b = {transform} + {stride} * m")
    out.open(f"for j in range({pairs}):")
    out.add("at = iz + 2 * j * LN & FAR", f"pair0 = U({first} + {pairs} * m + j)")
    out.open(LANE_LOOP)
    out.add("n0, n1 = normal_pair(k0, k1, U(t0 + l), pair0)")
    out.add("w[at + l] = n0", "w[at + LN + l] = n1")
    out.close()
    out.close()
    out.add(*(f"c{a} = p[{widths} + {d} * m + {a}]" for a in range(d)))
    for kind, lines in ((FIXED, _fixed(d)), (DISCRETE, _discrete(d))):
        if kind == FIXED or DISCRETE in spec.kind:  # whether a state is FIXED depends on N
            out.open(f"if o[{kinds} + m] == {kind}:")
            out.open(LANE_LOOP)
            out.add(*lines)
            out.close()
            out.close()
    assert set(spec.kind.tolist()) <= {GAUSSIAN, FIXED, DISCRETE}
    out.open(f"for a in range({n}):")
    out.add("at = i + a * LN & FAR", f"c0 = p[{means} + {n} * m + a]")
    out.open(LANE_LOOP)
    out.add("v[at + l] = c0")
    out.close()
    out.open(f"for j in range({n}):")
    out.add("is_ = iz + j * LN & FAR", f"c0 = p[b + {n} * a + j]")
    out.open(LANE_LOOP)
    out.add("v[at + l] += c0 * w[is_ + l]")
    out.close()
    out.close()
    out.close()
    out.close()
    if block.count is None:
        layout.loops.end_single(out)


def _site_draws(layout: Layout, k: int, sites: NDArray[np.float64], out: Lines) -> None:
    """Draws of clusters of spins: the product of what is drawn for every spin."""
    block, p = layout.block(k), layout.parameters
    spins = sites.shape[1]
    first = layout.draws.first(INITIAL, block.name, 2 * spins * block.size)
    table = p.array(sites)
    assert block.count is not None
    layout.loops.members(out, layout, layout.group_size[block.size])
    out.add(f"i = {layout.loops.index(layout, k, layout.loops.start(layout, k), 'm')}")
    for e in range(spins):
        out.add(*(f"c{e}_{j} = p[{table} + ({spins} * m + {e}) * 10 + {j}]" for j in range(10)))
        out.add(f"pair{e} = U({first} + 2 * ({spins} * m + {e}))")
        out.add(f"next{e} = U({first} + 2 * ({spins} * m + {e}) + 1)")
    out.open(LANE_LOOP)
    lines: list[str] = []
    printer = Printer(lines, "s")
    R = [[Number("F(1)")]]
    for e in range(spins):
        lines += [
            f"n0, n1 = normal_pair(k0, k1, U(t0 + l), pair{e})",
            f"n2, n3 = normal_pair(k0, k1, U(t0 + l), next{e})",
            "a0 = F(1) - F(2) * below(n0)",
            "a1 = F(1) - F(2) * below(n1)",
            f"a2 = F(1) - F(2) * below(c{e}_9 - n2)",
        ]
        for j in range(3):
            lines.append(f"J{e}_{j} = a0 * c{e}_{j} + a1 * c{e}_{3 + j} + a2 * c{e}_{6 + j}")
        lines += [f"u{e} = F(0.5) + J{e}_2", f"d{e} = F(0.5) - J{e}_2"]
        one = [
            [Number(f"u{e}"), Number(f"J{e}_0", f"(-J{e}_1)")],
            [Number(f"J{e}_0", f"J{e}_1"), Number(f"d{e}")],
        ]
        size = len(R)
        R = [
            [printer.dot([(R[a // 2][b // 2], one[a % 2][b % 2])]) for b in range(2 * size)]
            for a in range(2 * size)
        ]
    for b in range(block.levels):
        for a in range(b):
            lines.append(f"v[i + {real_part(a, b)} * LN + l] = {R[a][b].re}")
            lines.append(f"v[i + {imaginary_part(a, b)} * LN + l] = {R[a][b].im}")
        lines.append(f"v[i + {real_part(b, b)} * LN + l] = {R[b][b].re}")
    out.add(*lines)
    out.close()
    out.close()


def _normal(j: int) -> str:
    return f"w[iz + {j} * LN + l]"


def _fixed(d: int) -> list[str]:
    """z = |psi><psi|; normals 2a, 2a + 1 make psi_a."""
    lines = []
    for a in range(1, d):
        root = f"np.sqrt(F(0.5) * c{a})"
        lines += [f"r{a} = {root} * {_normal(2 * a)}", f"j{a} = {root} * {_normal(2 * a + 1)}"]
    square = " + ".join(f"r{a} * r{a} + j{a} * j{a}" for a in range(1, d))
    lines.append(f"r0 = np.sqrt(fmax0(F(1) - ({square})))")
    for b in range(d):
        for a in range(b):
            re, im = f"r{a} * r{b}", f"(-r{a} * j{b})"
            if a:
                re, im = f"{re} + j{a} * j{b}", f"j{a} * r{b} - r{a} * j{b}"
            lines.append(f"{_normal(real_part(a, b))} = {re}")
            lines.append(f"{_normal(imaginary_part(a, b))} = {im}")
        own = f"r{b} * r{b}" + (f" + j{b} * j{b}" if b else "")
        lines.append(f"{_normal(real_part(b, b))} = {own}")
    return lines


def _discrete(d: int) -> list[str]:
    """One level a with n_a = 1, by thresholds c_a of a normal; signs for what lies beside it."""
    lines = [f"g = {_normal(real_part(0, 0))}", "e0 = below(g - c0)"]
    lines += [f"e{a} = below(g - c{a}) - below(g - c{a - 1})" for a in range(1, d)]
    for b in range(d):
        for a in range(b):
            lines.append(f"f = np.sqrt(F(0.25) * (e{a} + e{b}))")
            for at in (real_part(a, b), imaginary_part(a, b)):
                lines.append(f"{_normal(at)} = f * (F(1) - F(2) * below({_normal(at)}))")
        lines.append(f"{_normal(real_part(b, b))} = e{b}")
    return lines
