"""Makes kernel text for the threads of a GPU from the functions that the CPU runs.

A thread has one lane. The tree of the text is changed in two ways: scratch and single subsystems,
which have constant places, become arrays of the thread, which live in registers; integers known
when the kernel is made become literals. Around ``step``, ``local`` and ``observe`` stands a loop
over a range of steps. A launch may end anywhere; what it needs to go on is kept in memory.
Observables are written out for every trajectory, and ``sums`` adds them up chunk by chunk (see
``cuda``).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler.lower.language import tree_of
from . import rng
from .dense import ROWS
from .module import SCALARS, KernelText
from .team import ALONE, Team, Threads

WARP = 32
BLOCK, TILE = 128, 32  # threads per block without arrays, and trajectories per tile with them
TEAM_MEMBERS = 16  # from so many members on, a team runs a trajectory ...
#: ... but not where a matrix couples so many: it would be read once per trajectory, not per tile.
TILE_MATRIX = 128
MEMBERS_PER_THREAD, LARGEST_TEAM, TEAM_BLOCK = 8, 256, 64
SHARED_BYTES = 40_000  # of state of a block in shared memory (48 KiB need no permission)
SUM_THREADS = 256  # of a block that adds up one observable of a chunk; a multiple of 32

#: Trajectories per chunk, by the number of state variables.
CHUNKS = ((48, 16384), (1024, 2048))
LEAST_CHUNK = 512

TALLY = """
def tally(s, alive, c, i, count, bcount):
    count[i, c] = s[ALIVE]


def reduce(w, at, s, alive, c, i, k, count, mean, m2, bsum, bmap):
    mean[i, k, c] = w[at + LANE]


"""

LANES = "range(LN)"
_R = range(ROWS)
#: Products with matrices as ``dense.packed`` stores them, a panel of ROWS rows at a time: its sums
#: stay in registers, and one load of the state serves all of them.
DENSE = f"""
def dense_product(p, a, w, b, c, sign, rows, columns, lanes):
    l = thread(0)
    for panel in range((rows + {ROWS - 1}) // {ROWS}):
        at = a + panel * columns * {ROWS}
        {"; ".join(f"sum{r} = F(0)" for r in _R)}
        for k in range(columns):
            x = w[(b + k) * lanes + l]
            {"; ".join(f"sum{r} += p[at + {r}] * x" for r in _R)}
            at += {ROWS}
        at = (c + panel * {ROWS}) * lanes + l
        {"; ".join(f"w[at + {r} * lanes] += sign * sum{r}" for r in _R)}


"""

TEAM_DENSE = f"""
def dense_product(p, a, w, b, c, sign, rows, columns, lanes):
    BARRIER()
    for row in range(thread(0), rows, TEAM):
        at = a + row // {ROWS} * columns * {ROWS} + row % {ROWS}
        total = F(0)
        for k in range(columns):
            total += p[at + k * {ROWS}] * w[b + k]
        w[c + row] += sign * total


"""

TEAM_HELPERS = """
def within(x):
    d = 1
    while d < SPAN:
        x += swapped(x, d)
        d *= 2
    return x


def inclusive(x):
    place = thread(0) % SPAN
    d = 1
    while d < SPAN:
        y = shifted(x, d)
        x += y if place >= d else F(0)
        d *= 2
    return x


def exclusive(x):
    y = shifted(x, 1)
    return y if thread(0) % SPAN > 0 else F(0)


def at_end(x):
    return at_lane(x, (thread(0) + thread(1) * TEAM) % 32 | SPAN - 1)


def whole(part, k, count):
    x = F(0)
    for j in range(WARPS):
        x += part[k * WARPS + j] if j < count else F(0)
    return x


"""

HEAD = """
def run(start: "i64", i0: "i64", i1: "i64", j0: "i64", j1: "i64", number: "i64", ka: "u32",
        kb: "u32", noise: "F", saved: "F[][]", V: "F[][]", Q: "F[][]", W: "F[][]", p: "F[]",
        o: "i64[]", ct: "F[][]", nsteps: "i64[]", hs: "F[]", rows: "i64[]", dynamics: "u32[][]",
        locals_: "u32[][]", vals: "F[][][]", live: "F[][]", clips: "F[]"):
"""

# "& FAR" tells the compiler that an index is not negative, as in ``Layout.member_index``.
STEPS = """
    for i in range(i0, i1):
        last = 0
        if i > 0:
            h = hs[i - 1]
            last = min(nsteps[i - 1], j1)
            if j0 == 0:
                kl = locals_[(number + i - 1 if STRANG else number) & FAR]
                local(v, s, w, p, o, rows[(number + i - 1) & FAR] & FAR, kl, t0, vs, qs, part)
            for j in range(j0, last):
                kl = locals_[(number + i if STRANG else number) & FAR]
                kd = dynamics[number & FAR]
                now = ct[number & FAR] if TIMED else ct[0]
                lr = rows[(number + i) & FAR] & FAR
                step(v, q, s, w, p, o, now, h, noise, lr, kd, kl, t0, vs, qs, part)
                number += 1
        if i == 0 or last == nsteps[max(i - 1, 0)]:
            observe(v, s, w, p, o, c, i - i0, live, vals, vals, live, vals, live, vs, qs, part)
"""


@dataclass(frozen=True)
class Shape:
    """How trajectories are laid out over threads."""

    threads: int  # per trajectory
    rows: int  # trajectories per block
    lanes: int  # trajectories per chunk
    sum_threads: int = SUM_THREADS

    @property
    def spread(self) -> bool:
        """Whether a team of threads runs a trajectory."""
        return self.threads > 1

    @property
    def block(self) -> tuple[int, int]:
        """Threads of a block, in two directions."""
        return (self.threads, self.rows) if self.spread else (self.rows, 1)

    @staticmethod
    def of(text: KernelText) -> Shape:
        """The shape for a system: it depends on the layout alone."""
        layout = text.layout
        lanes = next((n for slots, n in CHUNKS if layout.state_slots <= slots), LEAST_CHUNK)
        members = max(layout.groups, default=0)
        large = members >= TILE_MATRIX and "dense_product(" in text.functions
        if members < TEAM_MEMBERS or large:
            return Shape(1, TILE if layout.arrays else BLOCK, lanes)
        threads = 1 << (-(-members // MEMBERS_PER_THREAD) - 1).bit_length()
        threads = min(threads, LARGEST_TEAM)
        return Shape(threads, max(1, TEAM_BLOCK // threads), lanes)

    def loops(self) -> Threads:
        """How members are gone over."""
        if not self.spread:
            return Threads()
        return Team(self.threads, WARP, "warp_barrier()" if self.threads <= WARP else "barrier()")


@dataclass(frozen=True)
class Room:
    """Numbers per trajectory of the arrays in memory, and of what a launch leaves behind."""

    state: int
    wide: int
    saved: int  # per thread
    shared: bool  # whether the state is in shared memory during a launch


def room(text: KernelText, shape: Shape, itemsize: int) -> Room:
    """What a trajectory needs."""
    layout = text.layout
    singles = sum(layout.blocks[k].components for k in layout.singles)
    state = layout.loops.arrays(layout)[1] if layout.arrays else 1
    shared = shape.spread and 2 * state * shape.rows * itemsize <= SHARED_BYTES
    return Room(state, max(1, layout.wide_slots), singles + len(layout.scratch), shared)


class ForThreads(ast.NodeTransformer):
    """Printed functions as those of a thread."""

    def __init__(self, o: NDArray[np.int64], spread: bool):
        self.o, self.spread, self.alone = o, spread, False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.generic_visit(node)
        node.args.args += [ast.arg(name) for name in ("vs", "qs", "part")]
        first = "l = 0\nR = thread(0)" if self.spread else "l = thread(0)"
        node.body = [*ast.parse(first).body, *node.body]
        return node

    def visit_For(self, node: ast.For) -> Any:
        # steps draw with one key
        over = ast.unparse(node.iter)
        once = over in ("range(kd.size // 3)", "range(kl.size // 3)")
        self.generic_visit(node)
        if over == LANES:
            node.iter = ast.parse(LANES, mode="eval").body
        return node.body if once else node

    def visit_If(self, node: ast.If) -> Any:
        alone = ast.unparse(node.test) == ALONE
        self.alone |= alone
        self.generic_visit(node)
        if not alone:
            return node
        self.alone = False
        return node.body

    def visit_Assign(self, node: ast.Assign) -> Any:
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Name) and target.id in ("keep", "share"):
            return None
        if isinstance(value, ast.BinOp) and ast.unparse(value).startswith("keep * "):
            assert isinstance(value.right, ast.BinOp)
            node.value = value.right.right  # the draw of the one key
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.Constant(1) if self.alone and node.id == "LN" else node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        name = node.value.id if isinstance(node.value, ast.Name) else ""
        index = node.slice
        if name == "o" and isinstance(index, ast.Constant):
            return ast.Constant(int(self.o[ast.literal_eval(index)]))
        if name in ("kd", "kl"):
            assert isinstance(index, ast.BinOp)  # 3 * r, or that and 1 or 2
            node.slice = index.right if isinstance(index.op, ast.Add) else ast.Constant(0)
            return node
        terms = _terms(index)
        by_lane = name in ("s", "v", "q") and ast.unparse(terms[-1]) == "l"
        place = _multiple(terms[0]) if len(terms) == 2 else None
        if by_lane and place is not None:
            array = name if name == "s" else f"{name}s"
            return ast.Subscript(ast.Name(array), ast.Constant(place), node.ctx)
        if name == "s" and not isinstance(index, ast.Name):
            raise ValueError(f"scratch without a constant place: {ast.unparse(node)}")
        if by_lane and self.alone:
            self.generic_visit(node)
            assert isinstance(node.slice, ast.BinOp)
            return ast.Subscript(ast.Name(f"{name}s"), node.slice.left, node.ctx)
        rows = _multiple(terms[1]) if by_lane and len(terms) == 3 else None
        self.generic_visit(node)
        if rows is not None and self.spread:  # rows of a thread each
            node.slice = ast.parse(f"{ast.unparse(terms[0])} + {rows} * TEAM", mode="eval").body
        return node


def _terms(index: ast.expr) -> list[ast.expr]:
    """The terms of a sum."""
    if isinstance(index, ast.BinOp) and isinstance(index.op, ast.Add):
        return [*_terms(index.left), index.right]
    return [index]


def _multiple(term: ast.expr) -> int | None:
    """c of a term ``c * LN`` or ``LN``."""
    if isinstance(term, ast.Name) and term.id == "LN":
        return 1
    if isinstance(term, ast.BinOp) and isinstance(term.op, ast.Mult):
        if isinstance(term.left, ast.Constant) and ast.unparse(term.right) == "LN":
            return int(ast.literal_eval(term.left))
    return None


def source(text: KernelText, shape: Shape, single: bool, o: NDArray[np.int64], timed: bool) -> str:
    """The module's text. ``text`` was printed with the shape's loops, ``o`` are its integers."""
    layout, scratch = text.layout, text.layout.scratch
    space = room(text, shape, 4 if single else 8)
    singles = sum(layout.blocks[k].components for k in layout.singles)
    loops = layout.loops
    assert isinstance(loops, Threads)
    head = [
        *heading(single),
        f"LN = {1 if shape.spread else shape.rows}",
        f"ALIVE = {scratch['alive']}",
        f"FAR = {2**31 - 1}",
        f"STRANG = {text.strang}",
        f"TIMED = {timed}",
    ]
    helpers = rng.TEXT + SCALARS + TALLY.replace("LANE", "0" if shape.spread else "thread(0)")
    if shape.spread:
        assert isinstance(loops, Team)
        head.append(f"TEAM = {shape.threads}")
        head.append(f"WARP = {WARP}")
        head.append(f"WARPS = {max(1, shape.threads // WARP)}")
        head.append(f"SPAN = {min(WARP, shape.threads)}")
        helpers += TEAM_DENSE.replace("BARRIER()", loops.barrier) + TEAM_HELPERS
    else:
        helpers += DENSE
    tree = ForThreads(o, shape.spread).visit(tree_of(text.functions))
    functions = ast.unparse(ast.fix_missing_locations(tree))
    run = _run(shape, space, singles, scratch, loops)
    return "\n".join(head) + "\n" + helpers + functions + "\n\n" + run


def _run(shape: Shape, space: Room, singles: int, scratch: dict[str, int], loops: Threads) -> str:
    """The kernel: state from memory or drawn, a range of steps, state to memory."""
    state = [f"vs[{n}]" for n in range(singles)] + [f"s[{n}]" for n in range(len(scratch))]
    place = ["l = thread(0)", "c = block(0) * LN + l", "me = c", "t0 = start + block(0) * LN"]
    views = [f"{x} = {x.upper()}[block(0)]" for x in "vqw"]
    part, empty, save = "part = 0", ["pass"], [f"saved[{n}, me] = {x}" for n, x in enumerate(state)]
    load = [f"{x} = saved[{n}, me]" for n, x in enumerate(state)]
    clip = f"s[{scratch['clip']}]"
    clips = [f"clips[c] = {clip}"]
    if shape.spread:
        assert isinstance(loops, Team)
        team, n = shape.threads, space.state
        place = ["R = thread(0)", f"c = block(0) * {shape.rows} + thread(1)"]
        place += [f"me = c * {team} + R", "t0 = start + c"]
        views = [f"{x} = {x.upper()}[c]" for x in "vqw"]
        copy = f"for z in range(R, {n}, {team}):"
        empty = [copy, "    v[z] = F(0)"]  # places without a member are zero
        if team > WARP:
            part = f"part = shared({max(1, loops.parts) * team // WARP})"
        if space.shared:
            for k, x in enumerate("vq"):
                views[k] = f"{x}a = shared({shape.rows}, {n})\n    {x} = {x}a[thread(1)]"
            load += [copy, "    v[z] = V[c, z]"]
            save += [loops.barrier, copy, "    V[c, z] = v[z]"]
        clips = [f"{clip} = within({clip})"]
        if team > WARP:
            clips += [loops.barrier, f"part[R // WARP] = {clip}", loops.barrier]
            clips.append(f"{clip} = whole(part, 0, WARPS)")
        extra = f" + s[{scratch['clip_single']}]" if "clip_single" in scratch else ""
        clips.append(f"clips[c] = {clip}{extra}")
    arrays = [f"s = memory({len(scratch)})", *(f"{x}s = memory({max(1, singles)})" for x in "vq")]
    zero = [f"{x} = F(0)" for x in state]
    begin = ["initial(v, s, w, p, o, ka, kb, t0, vs, qs, part)", "s[ALIVE] = F(1)"]

    def indented(lines: list[str], depth: int) -> str:
        return "".join("    " * depth + line + "\n" for line in lines)

    return (
        HEAD.lstrip("\n")
        + indented([*place, *views, *arrays, part, *zero], 1)
        + "    if i0 == 0 and j0 == 0:\n"
        + indented([*empty, *begin], 2)
        + "    else:\n"
        + indented(load, 2)
        + STEPS.lstrip("\n")
        + indented([*save, *clips], 1)
    )


def heading(single: bool) -> list[str]:
    """First lines of a module: the working precision F."""
    return ["import numpy as np", f"F = np.{'float32' if single else 'float64'}", "U = np.uint32"]
