"""Assembles the source of a CUDA module from the same printed functions as the CPU's.

Three substitutions turn the text into device code: a lane loop becomes a block, for a thread has
one lane; scratch and single subsystems, which have constant places, become local arrays of the
thread; integers known when the kernel is made become literals. Around ``step``, ``local`` and
``observe`` stands a loop over a range of steps. A launch may end anywhere; what it needs to go on
is kept in memory. Observables are written out for every trajectory, and ``sums`` adds them up chunk
by chunk (see ``cuda_sums``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dense import ROWS
from .module import SCALARS, KernelText
from .team import Team, Threads
from .text import LANE_LOOP

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

HELPERS = (
    SCALARS
    + """DENSE
def tally(s, alive, c, i, count, bcount):
    count[i, c] = s[ALIVE]


def reduce(w, at, s, alive, c, i, k, count, mean, m2, bsum, bmap):
    LANE
    mean[i, k, c] = w[at + l]
"""
)

#: Products with matrices as ``dense.packed`` stores them, a panel of ROWS rows at a time: its sums
#: stay in registers, and one load of the state serves all of them.
DENSE = f"""
def dense_product(p, a, w, b, c, sign, rows, columns, lanes):
    l = cuda.threadIdx.x
    for panel in range((rows + ROWS - 1) // ROWS):
        at = a + panel * columns * ROWS
        {" = ".join(f"sum{r}" for r in range(ROWS))} = F(0)
        for k in range(columns):
            x = w[(b + k) * lanes + l]
            {"; ".join(f"sum{r} += p[at + {r}] * x" for r in range(ROWS))}
            at += ROWS
        at = (c + panel * ROWS) * lanes + l
        {"; ".join(f"w[at + {r} * lanes] += sign * sum{r}" for r in range(ROWS))}


"""

TEAM_DENSE = """
def dense_product(p, a, w, b, c, sign, rows, columns, lanes):
    BARRIER
    for row in range(cuda.threadIdx.x, rows, TEAM):
        at = a + row // ROWS * columns * ROWS + row % ROWS
        total = F(0)
        for k in range(columns):
            total += p[at + k * ROWS] * w[b + k]
        w[c + row] += sign * total


"""

SHUFFLES = """
def swapped(x, d):
    return cuda.shfl_xor_sync(-1, x, d)


def shifted(x, d):
    return cuda.shfl_up_sync(-1, x, d)


def at_end(x):
    return cuda.shfl_sync(-1, x, (cuda.threadIdx.x + cuda.threadIdx.y * TEAM) % 32 | (SPAN - 1))
"""

#: The same for the simulator, which has no shuffles.
SIMULATED_SHUFFLES = """
def swapped(x, d):
    shared = cuda.shared.array(1024, F)
    place = cuda.threadIdx.x + cuda.threadIdx.y * cuda.blockDim.x
    shared[place] = x
    cuda.syncthreads()
    y = shared[place ^ d]
    cuda.syncthreads()
    return y


def shifted(x, d):
    shared = cuda.shared.array(1024, F)
    place = cuda.threadIdx.x + cuda.threadIdx.y * cuda.blockDim.x
    shared[place] = x
    cuda.syncthreads()
    y = shared[max(place - d, 0)]
    cuda.syncthreads()
    return y


def at_end(x):
    shared = cuda.shared.array(1024, F)
    place = cuda.threadIdx.x + cuda.threadIdx.y * cuda.blockDim.x
    shared[place] = x
    cuda.syncthreads()
    y = shared[place | (SPAN - 1)]
    cuda.syncthreads()
    return y
"""

TEAM_HELPERS = """
def within(x):
    d = 1
    while d < SPAN:
        x += swapped(x, d)
        d *= 2
    return x


def inclusive(x):
    lane = cuda.threadIdx.x % SPAN
    d = 1
    while d < SPAN:
        y = shifted(x, d)
        x += y if lane >= d else F(0)
        d *= 2
    return x


def exclusive(x):
    y = shifted(x, 1)
    return y if cuda.threadIdx.x % SPAN > 0 else F(0)


def whole(part, k, count):
    x = F(0)
    for j in range(WARPS):
        x += part[k * WARPS + j] if j < count else F(0)
    return x
"""

# "& FAR" tells the compiler that an index is not negative, as in ``Layout.member_index``.
RUN = """
def run(start, i0, i1, j0, j1, number, ka, kb, noise, saved, V, Q, W, p, o, ct, nsteps, hs, rows,
        dynamics, locals_, vals, live, clips):
    PLACE
    s = cuda.local.array(SCRATCH, F)
    vs = cuda.local.array(SINGLES, F)
    qs = cuda.local.array(SINGLES, F)
    PART
    ZERO
    if i0 == 0 and j0 == 0:
        EMPTY
        initial(v, s, w, p, o, ka, kb, t0, vs, qs, part)
        s[ALIVE] = F(1)
    else:
        LOAD
    for i in range(i0, i1):
        last = 0
        if i > 0:
            h = hs[i - 1]
            last = min(nsteps[i - 1], j1)
            if j0 == 0:
                at = (2 * (number + i - 1) if STRANG else 2 * number) & FAR
                kl = (locals_[at], locals_[at + 1])
                lr = rows[(number + i - 1) & FAR] & FAR
                local(v, s, w, p, o, lr, kl, t0, vs, qs, part)
            for j in range(j0, last):
                at = (2 * (number + i) if STRANG else 2 * number) & FAR
                kl = (locals_[at], locals_[at + 1])
                at = 2 * number & FAR
                kd = (dynamics[at], dynamics[at + 1])
                now = ct[number & FAR] if TIMED else ct[0]
                lr = rows[(number + i) & FAR] & FAR
                step(v, q, s, w, p, o, now, h, noise, lr, kd, kl, t0, vs, qs, part)
                number += 1
        if i == 0 or last == nsteps[i - 1]:
            observe(v, s, w, p, o, c, i - i0, live, vals, vals, live, vals, live, vs, qs, part)
    SAVE
    CLIPS
"""


@dataclass(frozen=True)
class Shape:
    """How trajectories are laid out over threads."""

    threads: int  # per trajectory
    rows: int  # trajectories per block
    lanes: int  # trajectories per chunk
    warp: int  # threads that can exchange numbers (fewer in the simulator)
    sum_threads: int

    @property
    def spread(self) -> bool:
        """Whether a team of threads runs a trajectory."""
        return self.threads > 1

    @staticmethod
    def of(text: KernelText) -> Shape:
        """The shape for a system: it depends on the layout alone."""
        layout = text.layout
        lanes = next((n for slots, n in CHUNKS if layout.state_slots <= slots), LEAST_CHUNK)
        members = max(layout.groups, default=0)
        large = members >= TILE_MATRIX and "dense_product(" in text.functions
        if members < TEAM_MEMBERS or large:
            return Shape(1, TILE if layout.arrays else BLOCK, lanes, WARP, SUM_THREADS)
        threads = 1 << (-(-members // MEMBERS_PER_THREAD) - 1).bit_length()
        threads = min(threads, LARGEST_TEAM)
        return Shape(threads, max(1, TEAM_BLOCK // threads), lanes, WARP, SUM_THREADS)

    def loops(self, simulated: bool) -> Threads:
        """How members are gone over."""
        if not self.spread:
            return Threads()
        within = self.threads <= self.warp and not simulated
        return Team(self.threads, self.warp, "cuda.syncwarp()" if within else "cuda.syncthreads()")


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
    singles = sum(layout.block(k).components for k in layout.singles)
    state = layout.loops.arrays(layout)[1] if layout.arrays else 1
    shared = shape.spread and 2 * state * shape.rows * itemsize <= SHARED_BYTES
    return Room(state, max(1, layout.wide_slots), singles + len(layout.scratch), shared)


def source(
    text: KernelText, shape: Shape, single: bool, o: NDArray[np.int64], timed: bool, simulated: bool
) -> str:
    """The module's source. ``text`` was printed with the shape's loops, ``o`` are its integers."""
    layout, scratch = text.layout, text.layout.scratch
    space = room(text, shape, 4 if single else 8)
    singles = sum(layout.block(k).components for k in layout.singles)
    loops = layout.loops
    assert isinstance(loops, Threads)
    warps = max(1, shape.threads // shape.warp)
    head = [
        *heading(single, simulated),
        "from wignerflow.kernels.cuda_device import normal_pair, three_point_pair",
        "",
        f"U = {'np' if simulated else 'nb'}.uint32",
        f"LN = {1 if shape.spread else shape.rows}",
        f"ALIVE = {scratch['alive']}",
        f"FAR = {2**31 - 1}",
        f"STRANG = {text.strang}",
        f"TIMED = {timed}",
        f"SCRATCH, SINGLES = {len(scratch)}, {max(1, singles)}",
        f"ROWS = {ROWS}",
    ]
    helpers = HELPERS.replace("DENSE\n", TEAM_DENSE if shape.spread else DENSE)
    if shape.spread:
        assert isinstance(loops, Team)
        helpers = helpers.replace("BARRIER", loops.barrier)
    if shape.spread:
        head.append(f"TEAM = {shape.threads}")
        head.append(f"WARP, WARPS, SPAN = {shape.warp}, {warps}, {min(shape.warp, shape.threads)}")
        helpers += (SIMULATED_SHUFFLES if simulated else SHUFFLES) + TEAM_HELPERS
    lane = "l = 0" if shape.spread else "l = cuda.threadIdx.x"
    functions = _device_code(text.functions, lane, o)
    run = RUN
    parts = _pieces(shape, space, singles, len(scratch), scratch, loops)
    for name, lines in parts.items():
        indent = re.search(rf"(?m)^( +){name}\n", run)
        assert indent is not None
        run = run.replace(indent[0], "".join(f"{indent[1]}{line}\n" for line in lines))
    body = helpers.replace("LANE", lane) + functions + run
    return "\n".join(head) + "\n" + decorated(body, simulated)


def _device_code(functions: str, lane: str, o: NDArray[np.int64]) -> str:
    text = functions.replace(LANE_LOOP, "if True:")
    text = re.sub(r"\bs\[(\d+) \* LN \+ l\]", r"s[\1]", text)
    text = re.sub(r"\b([vq])\[(\d+) \* LN \+ l\]", r"\1s[\2]", text)
    if lane == "l = 0":  # rows of a thread each
        text = re.sub(r"\b([vq]\[[ij]\w*) \+ (?:(\d+) \* )?LN \+ l\]", _component, text)
    text = re.sub(r"\bo\[(\d+)\]", lambda m: str(o[int(m[1])]), text)
    # one draw, with the step's key
    text = re.sub(r"for r in range\(k[dl]\.size // 2\):", "if True:", text)
    text = re.sub(r"\b(k[dl])\[2 \* r\]", r"\1[0]", text)
    text = re.sub(r"\b(k[dl])\[2 \* r \+ 1\]", r"\1[1]", text)
    text = re.sub(r"\n *keep = .*\n *share = .*", "", text)
    text = re.sub(r"= keep \* .* \+ share \* (n\d)\n", r"= \1\n", text)
    text = text.replace("np.sqrt(", "math.sqrt(")
    changing = re.search(r"\bs\[[^\]]*\b(?:LN|at|l)\b[^\]]*\]", text)
    assert changing is None, f"scratch without a constant place: {changing}"
    head = f"\\1, vs, qs, part):\n    {lane}\n"
    if "R" in lane or lane == "l = 0":
        head += "    R = cuda.threadIdx.x\n"
    return re.sub(r"(?m)^(def \w+\(.*)\):\n", head, text)


def _component(found: re.Match[str]) -> str:
    return f"{found[1]} + {found[2] or 1} * TEAM]"


def _pieces(
    shape: Shape, space: Room, singles: int, slots: int, scratch: dict[str, int], loops: Threads
) -> dict[str, list[str]]:
    """What differs between a trajectory per thread and per team."""
    state = [f"vs[{n}]" for n in range(singles)] + [f"s[{n}]" for n in range(slots)]
    out = {
        "ZERO": [f"{x} = F(0)" for x in state],
        "LOAD": [f"{x} = saved[{n}, me]" for n, x in enumerate(state)],
        "SAVE": [f"saved[{n}, me] = {x}" for n, x in enumerate(state)],
        "CLIPS": [f"clips[c] = s[{scratch['clip']}]"],
        "PART": ["part = 0"],
        "EMPTY": [],
    }
    if not shape.spread:
        out["PLACE"] = [
            "l = cuda.threadIdx.x",
            "c = cuda.blockIdx.x * LN + l",
            "me = c",
            "t0 = start + cuda.blockIdx.x * LN",
            *(f"{x} = {x.upper()}[cuda.blockIdx.x]" for x in "vqw"),
        ]
        return out
    assert isinstance(loops, Team)
    out["PLACE"] = [
        "R = cuda.threadIdx.x",
        f"c = cuda.blockIdx.x * {shape.rows} + cuda.threadIdx.y",
        f"me = c * {shape.threads} + R",
        "t0 = start + c",
        *(f"{x} = {x.upper()}[c]" for x in "vqw"),
    ]
    # places without a member are zero
    n = space.state
    out["EMPTY"] = [f"for z in range(R, {n}, {shape.threads}):", "    v[z] = F(0)"]
    if shape.threads > shape.warp:
        size = max(1, loops.parts) * shape.threads // shape.warp
        out["PART"] = [f"part = cuda.shared.array({size}, F)"]
    if space.shared:
        out["PLACE"][-3:-1] = [
            line
            for x in "vq"
            for line in (
                f"{x}a = cuda.shared.array({n * shape.rows}, F)",
                f"{x} = {x}a[cuda.threadIdx.y * {n} : cuda.threadIdx.y * {n} + {n}]",
            )
        ]
        copy = f"for z in range(R, {n}, {shape.threads}):"
        out["LOAD"] += [copy, "    v[z] = V[c, z]"]
        out["SAVE"] += [loops.barrier, copy, "    V[c, z] = v[z]"]
    alone = "clip_single"
    extra = f" + s[{scratch[alone]}]" if alone in scratch else ""
    clip = f"s[{scratch['clip']}]"
    out["CLIPS"] = [f"{clip} = within({clip})"]
    if shape.threads > shape.warp:
        out["CLIPS"] += [
            loops.barrier,
            f"part[R // WARP] = {clip}",
            loops.barrier,
            f"{clip} = whole(part, 0, WARPS)",
        ]
    out["CLIPS"].append(f"clips[c] = {clip}{extra}")
    return out


def heading(single: bool, simulated: bool) -> list[str]:
    """First lines of a module: imports, and the working precision F."""
    return [
        '"""Generated by wignerflow; safe to delete."""',
        "import math",
        "",
        "import numba as nb",
        "import numpy as np",
        "from numba import cuda",
        "",
        f"F = {'np' if simulated else 'nb'}.{'float32' if single else 'float64'}",
    ]


def decorated(text: str, simulated: bool) -> str:
    """Functions made kernels, ``run`` and ``sums``, and device functions, all others."""
    device = "" if simulated else "@cuda.jit(device=True, fastmath=True, forceinline=True)\n"
    kernel = "@cuda.jit(fastmath=True, cache=True, lto=False)\n"
    if simulated:
        kernel = "@cuda.jit\n"
    out = re.sub(r"(?m)^def (?=(?:run|sums)\()", kernel + "#def ", text)
    out = re.sub(r"(?m)^def ", device + "def ", out)
    return out.replace("#def ", "def ")
