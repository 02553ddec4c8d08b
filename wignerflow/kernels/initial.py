"""Prints ``initial``: the initial states of a block of lanes, of matrices too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..phasespace.matrices import imaginary_part, real_part
from ..phasespace.system import (
    AMPLITUDES,
    DISCRETE,
    FIXED,
    FOCK,
    GAMMA,
    GAUSSIAN,
    MATRIX,
    MODE,
    PINNED,
    RANGE,
    ROTOR,
    SPIN,
    InitialSpec,
    MatrixInitial,
)
from .layout import Layout
from .rng import INITIAL
from .text import LANE_LOOP, Lines, nested
from .turn import Number, Printer

if TYPE_CHECKING:
    from .layout import Layout


def _initial_blocks(layout: Layout, blocks: list[int], out: Lines) -> None:
    """Draws of blocks of one kind."""
    block, every_spec = layout.blocks[blocks[0]], [layout.system.initial[k] for k in blocks]
    specs = [x for x in every_spec if isinstance(x, InitialSpec)]
    spec, count = specs[0], sum(x.kind.size for x in specs)
    table = np.concatenate([np.column_stack([x.e1, x.e2, x.e3, x.mean, x.sigma]) for x in specs])
    at = layout.parameters.array(table)
    every = np.concatenate([x.kind for x in specs])
    kinds = layout.parameters.indices(every)
    size = layout.parameters.integer(count)
    start = layout.loops.start(layout, blocks[0])
    single, alike = block.count is None, [layout.blocks[k] for k in blocks]
    if len(blocks) > 1:
        pair = f"o[{layout.draws.table(INITIAL, {b.name: 2 * b.size for b in alike})} + 2 * m"
        draws = [f"pair0 = U({pair}])", f"pair1 = U({pair} + 1])"]
    else:
        pair = f"{layout.draws.first(INITIAL, block.name, 2 * block.size)} + 2 * m"
        draws = [f"pair0 = U({pair})", f"pair1 = U({pair} + 1)"]
    if block.kind == ROTOR:
        frames = layout.draws.first(INITIAL, f"{block.name}\0frame", block.size)
        draws.append(f"pair2 = U({frames} + m)")
    if single:
        loop = nested(layout.loops.alone(out), f"for m in range({size}):")
    else:
        loop = layout.loops.members(out, layout, size)
    loop += [f"b = {at} + 11 * m", f"i = {layout.loops.index(layout, blocks[0], start, 'm')}"]
    loop += [*(f"c{j} = p[b + {j}]" for j in range(11)), *draws]
    series = 0
    if spec.series is not None:
        series = spec.series.shape[1]
        first_term = layout.parameters.array(spec.series)
        loop += (f"d{j} = p[{first_term} + {series} * m + {j}]" for j in range(series))
    kinds_present = sorted(set(every.tolist()))
    if block.kind == SPIN and {GAUSSIAN, FIXED} & set(kinds_present):
        # alike: which of them a pure state has depends on N, and the text must not
        kinds_present = sorted({GAUSSIAN, FIXED, *kinds_present})
    for kind in kinds_present:
        lane = [f"n{2 * i}, n{2 * i + 1} = normal_pair(k0, k1, U(t0 + l), pair{i})" for i in (0, 1)]
        loop += [f"if o[{kinds} + m] == {kind}:", [LANE_LOOP, lane]]
        if block.kind == AMPLITUDES:
            lane += _amplitude_draw(kind, series)
        else:
            lane += _mode_draw(kind) if block.kind == MODE else _spin_draw(kind)
        if block.kind == ROTOR:
            lane += frame_draw()


def initial_source(layout: Layout) -> Lines:
    """Function ``initial``: draws the initial state of a block of lanes."""
    out: Lines = []
    for alike in _alike(layout):
        if layout.blocks[alike[0]].kind == MATRIX:
            matrix_initial(layout, alike[0], out)
            continue
        # a loop over single subsystems would give their variables changing places
        for blocks in [[k] for k in alike] if layout.loops.registers else [alike]:
            _initial_blocks(layout, blocks, out)
    return ["def initial(v, s, w, p, o, k0, k1, t0):", out]


def _alike(layout: Layout) -> list[list[int]]:
    """Blocks in the order of the state; neighbours of one kind are drawn in one loop."""
    out: list[list[int]] = []
    for k in layout.singles + layout.arrays:
        kind = layout.blocks[k].kind
        if out and kind in (SPIN, MODE) and layout.blocks[out[-1][0]].kind == kind:
            out[-1].append(k)
        else:
            out.append([k])
    return out


def _spin_draw(kind: int) -> list[str]:
    if kind == DISCRETE:
        # the axes carry the factor 1/2; c10 holds the threshold of the longitudinal sign
        lines = [f"a{i} = F(1) - F(2) * below(n{i})" for i in range(2)]
        longitudinal = "a2 = F(1) - F(2) * below(c10 - n2)"
    else:
        lines = ["a0 = n0", "a1 = n1"]
        longitudinal = "a2 = c9 + c10 * n2"
        if kind == FIXED:
            longitudinal = "a2 = np.sqrt(fmax0(c9 * c9 - g0 * g0 - g1 * g1 - g2 * g2))"
    lines += [f"g{j} = a0 * c{j} + a1 * c{3 + j}" for j in range(3)]
    return [
        *lines,
        longitudinal,
        *(f"v[i + {j} * LN + l] = g{j} + a2 * c{6 + j}" for j in range(3)),
    ]


def _mode_draw(kind: int) -> list[str]:
    if kind == FOCK:
        return [
            "r = np.sqrt(c9 + below(n2)) / np.sqrt(n0 * n0 + n1 * n1)",
            "v[i + l] = r * n0",
            "v[i + LN + l] = r * n1",
        ]
    return ["v[i + l] = c9 + c10 * n0", "v[i + LN + l] = c0 + c1 * n0 + c2 * n1"]


def _amplitude_draw(kind: int, terms: int) -> list[str]:
    """Amplitudes A (large) and B along the spin's direction, then rotated."""
    lines = ["g2 = c10 * n2", "g3 = c10 * n3", "g1 = F(0) * n1"]
    if kind == PINNED:
        lines.append("g0 = np.sqrt(fmax0(c9 * c9 - g2 * g2 - g3 * g3))")
    elif kind == GAMMA:
        # Clenshaw's recurrence for sum_j d_j T_j(u)
        lines += [f"u = n0 * F({1 / RANGE})", "a0 = F(0) * n0", "a1 = F(0) * n0"]
        now, last = "a0", "a1"
        for j in range(terms - 1, 0, -1):
            lines.append(f"{last} = F(2) * u * {now} - {last} + d{j}")
            now, last = last, now
        lines.append(f"g0 = u * {now} - {last} + d0")
    else:
        lines += ["g0 = c9 + c10 * n0", "g1 = c10 * n1"]
    return [
        *lines,
        "v[i + l] = c0 * g0 - c1 * g1 + c2 * g2 - c3 * g3",
        "v[i + LN + l] = c0 * g1 + c1 * g0 + c2 * g3 + c3 * g2",
        "v[i + 2 * LN + l] = c0 * g2 + c1 * g3 - c2 * g0 - c3 * g1",
        "v[i + 3 * LN + l] = c0 * g3 - c1 * g2 - c2 * g1 + c3 * g0",
    ]


def frame_draw() -> list[str]:
    """After the draw of J: n perpendicular to it in a uniformly random direction."""
    square = " + ".join(f"v[i + {c} * LN + l] * v[i + {c} * LN + l]" for c in range(3))
    lines = [
        "f0, f1 = normal_pair(k0, k1, U(t0 + l), pair2)",
        f"r = F(1) / np.sqrt({square} + F(1e-12))",
        *(f"e{c} = r * v[i + {c} * LN + l]" for c in range(3)),
        # a frame without branches (Duff et al., J. Comput. Graph. Tech. 6, 1, 2017)
        "g = F(1) - F(2) * below(e2)",
        "a = F(-1) / (g + e2)",
        "b = e0 * e1 * a",
        "o0 = f0 * (F(1) + g * e0 * e0 * a) + f1 * b",
        "o1 = f0 * g * b + f1 * (g + e1 * e1 * a)",
        "o2 = F(-1) * f0 * g * e0 - f1 * e1",
        "u = F(1) / np.sqrt(o0 * o0 + o1 * o1 + o2 * o2 + F(1e-30))",
    ]
    return lines + [f"v[i + {3 + c} * LN + l] = u * o{c}" for c in range(3)]


def matrix_initial(layout: Layout, k: int, out: Lines) -> None:
    """Draws of block k: normals into wide scratch, there made the variables z, then transformed."""
    block, spec = layout.blocks[k], layout.system.initial[k]
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
        loop = nested(layout.loops.alone(out), f"for m in range({p.integer(1)}):")
    else:
        loop = layout.loops.members(out, layout, layout.group_size[block.size])
    loop += [f"i = {layout.loops.index(layout, k, layout.loops.start(layout, k), 'm')}"]
    loop += [f"iz = {room} * LN & FAR", f"b = {transform} + {stride} * m"]
    body = nested(loop, f"for j in range({pairs}):")
    body += ["at = iz + 2 * j * LN & FAR", f"pair0 = U({first} + {pairs} * m + j)"]
    lane = nested(body, LANE_LOOP)
    lane += ["n0, n1 = normal_pair(k0, k1, U(t0 + l), pair0)"]
    lane += ["w[at + l] = n0", "w[at + LN + l] = n1"]
    loop += (f"c{a} = p[{widths} + {d} * m + {a}]" for a in range(d))
    for kind, lines in ((FIXED, _fixed(d)), (DISCRETE, _discrete(d))):
        if kind == FIXED or DISCRETE in spec.kind:  # whether a state is FIXED depends on N
            loop += [f"if o[{kinds} + m] == {kind}:", [LANE_LOOP, [*lines]]]
    assert set(spec.kind.tolist()) <= {GAUSSIAN, FIXED, DISCRETE}
    body = nested(loop, f"for a in range({n}):")
    body += ["at = i + a * LN & FAR", f"c0 = p[{means} + {n} * m + a]"]
    body += [LANE_LOOP, ["v[at + l] = c0"]]
    inner = nested(body, f"for j in range({n}):")
    inner += ["is_ = iz + j * LN & FAR", f"c0 = p[b + {n} * a + j]"]
    inner += [LANE_LOOP, ["v[at + l] += c0 * w[is_ + l]"]]


def _site_draws(layout: Layout, k: int, sites: NDArray[np.float64], out: Lines) -> None:
    """Draws of clusters of spins: the product of what is drawn for every spin."""
    block, p = layout.blocks[k], layout.parameters
    spins = sites.shape[1]
    first = layout.draws.first(INITIAL, block.name, 2 * spins * block.size)
    table = p.array(sites)
    assert block.count is not None
    loop = layout.loops.members(out, layout, layout.group_size[block.size])
    loop += [f"i = {layout.loops.index(layout, k, layout.loops.start(layout, k), 'm')}"]
    for e in range(spins):
        loop += (f"c{e}_{j} = p[{table} + ({spins} * m + {e}) * 10 + {j}]" for j in range(10))
        loop += [f"pair{e} = U({first} + 2 * ({spins} * m + {e}))"]
        loop += [f"next{e} = U({first} + 2 * ({spins} * m + {e}) + 1)"]
    lane = nested(loop, LANE_LOOP)
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
    lane += lines


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
