"""Prints ``initial``: the initial states of a block of lanes."""

from __future__ import annotations

import numpy as np

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
)
from .layout import Layout
from .matrix_initial import matrix_initial
from .rng import INITIAL
from .text import LANE_LOOP, Lines


def _initial_blocks(layout: Layout, blocks: list[int], out: Lines) -> None:
    """Draws of blocks of one kind."""
    block, every_spec = layout.system.blocks[blocks[0]], [layout.system.initial[k] for k in blocks]
    specs = [x for x in every_spec if isinstance(x, InitialSpec)]
    spec, count = specs[0], sum(x.kind.size for x in specs)
    table = np.concatenate([np.column_stack([x.e1, x.e2, x.e3, x.mean, x.sigma]) for x in specs])
    at = layout.parameters.array(table)
    every = np.concatenate([x.kind for x in specs])
    kinds = layout.parameters.indices(every)
    size = layout.parameters.integer(count)
    start = layout.loops.start(layout, blocks[0])
    single, alike = block.count is None, [layout.block(k) for k in blocks]
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
        layout.loops.begin_single(out)
        out.open(f"for m in range({size}):")
    else:
        layout.loops.members(out, layout, size)
    out.add(f"b = {at} + 11 * m", f"i = {layout.loops.index(layout, blocks[0], start, 'm')}")
    out.add(*(f"c{j} = p[b + {j}]" for j in range(11)), *draws)
    series = 0
    if spec.series is not None:
        series = spec.series.shape[1]
        first_term = layout.parameters.array(spec.series)
        out.add(*(f"d{j} = p[{first_term} + {series} * m + {j}]" for j in range(series)))
    kinds_present = sorted(set(every.tolist()))
    if block.kind == SPIN and {GAUSSIAN, FIXED} & set(kinds_present):
        # alike: which of them a pure state has depends on N, and the text must not
        kinds_present = sorted({GAUSSIAN, FIXED, *kinds_present})
    for kind in kinds_present:
        out.open(f"if o[{kinds} + m] == {kind}:")
        out.open(LANE_LOOP)
        out.add("n0, n1 = normal_pair(k0, k1, U(t0 + l), pair0)")
        out.add("n2, n3 = normal_pair(k0, k1, U(t0 + l), pair1)")
        if block.kind == AMPLITUDES:
            out.add(*_amplitude_draw(kind, series))
        else:
            out.add(*(_mode_draw(kind) if block.kind == MODE else _spin_draw(kind)))
        if block.kind == ROTOR:
            out.add(*frame_draw())
        out.close()
        out.close()
    out.close()
    if single:
        layout.loops.end_single(out)


def initial_source(layout: Layout) -> Lines:
    """Function ``initial``: draws the initial state of a block of lanes."""
    out = Lines(0)
    out.open("def initial(v, s, w, p, o, k0, k1, t0):")
    for alike in _alike(layout):
        if layout.block(alike[0]).kind == MATRIX:
            matrix_initial(layout, alike[0], out)
            continue
        # a loop over single subsystems would give their variables changing places
        for blocks in [[k] for k in alike] if layout.loops.registers else [alike]:
            _initial_blocks(layout, blocks, out)
    return out


def _alike(layout: Layout) -> list[list[int]]:
    """Blocks in the order of the state; neighbours of one kind are drawn in one loop."""
    out: list[list[int]] = []
    for k in layout.singles + layout.arrays:
        kind = layout.block(k).kind
        if out and kind in (SPIN, MODE) and layout.block(out[-1][0]).kind == kind:
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
