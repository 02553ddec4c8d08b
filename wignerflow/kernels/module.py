"""Assembles the source of a kernel from a ``PhaseSpaceSystem``, and the tables it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..phasespace.matrices import matrix_names
from ..phasespace.system import (
    AMPLITUDES,
    MATRIX,
    MODE,
    SMALL_NOISE,
    MatrixStep,
    PhaseSpaceSystem,
)
from . import dense, rng
from .array_steps import ArrayStepPrinter
from .explicit import ExplicitPrinter
from .grid import Grid
from .initial import initial_source
from .kicks import Kicks
from .layout import Layout, Loops
from .linear_part import take_linear
from .local import LocalPrinter
from .observe import ObservePrinter, Readout, channel_count
from .rng import DYNAMICS, INITIAL, LOCAL, TRAJECTORIES, from_table, three_point
from .rotor import RotorLocal
from .small_noise import SmallNoisePrinter, suits
from .splitting import StepPrinter
from .text import HIGH, ROW, STRIDE, Values, index_of, source

FAR = 2**62 - 1  # see Layout.member_index

#: Small functions that every kernel has, on any device.
SCALARS = """
def fmax0(x):
    return F(0) if x < F(0) else x


def below(x):
    return F(1) if x < F(0) else F(0)


def pick(c, a, b):
    return a if c > F(0) else b


def finite(x):
    return F(1) if x == x else F(0)


"""

#: Of methods without noise, which multiply every normal by zero.
STILL = """
def normal_pair(k0, k1, trajectory, channel):
    return F(0), F(0)
"""

TALLY = """
def tally(s, alive, c, i, count, bcount):
    live = F(0)
    for l in range(LN):
        live += s[alive + l]
    count[c, i] = int(live)
    for b in range(32):
        bcount[c, i, b] = LN // 32
    if count[c, i] < LN:
        for j in range(LN):
            if s[alive + j] == F(0):
                bcount[c, i, j % 32] -= 1


def reduce(w, at, s, alive, c, i, k, count, mean, m2, bsum, bmap):
    if mean.size > 0:
        moments(w, at, s, alive, c, i, k, count, mean, m2)
    b = bmap[k]
    row = bsum[c, i]
    if b >= 0:
        for j in range(32):
            part = 0.0
            for r in range(LN // 32):
                part += np.float64(pick(s[alive + 32 * r + j], w[at + 32 * r + j], F(0)))
            row[b, j] = part


def moments(w, at, s, alive, c, i, k, count, mean, m2):
    n = count[c, i]
    shift = np.float64(w[at])
    total = 0.0
    square = 0.0
    if n == LN:
        for l in range(LN):
            d = np.float64(w[at + l]) - shift
            total += d
            square += d * d
    else:
        shift = 0.0
        for j in range(LN):
            if s[alive + j] > F(0):
                shift = np.float64(w[at + j])
        for j in range(LN):
            if s[alive + j] > F(0):
                d = np.float64(w[at + j]) - shift
                total += d
                square += d * d
    number = np.float64(max(n, 1))
    mean[c, i, k] = shift + total / number
    m2[c, i, k] = max(square - total * total / number, 0.0)
"""

RUN = """
def keys_of(keys, seed0, seed1, counter, purpose):
    for r in range(keys.size // 3):
        a, b = threefry(seed0, seed1, U(counter + r), U(purpose))
        keys[3 * r] = a
        keys[3 * r + 1] = b
        keys[3 * r + 2] = U((counter + r) % 2)
    return counter + keys.size // 3


def run(first: "i64", chunks: "i64", ntraj: "i64", seed0: "u32", seed1: "u32", v: "F[]",
        q: "F[]", s: "F[]", w: "F[]", p: "F[]", o: "i64[]", ct: "F[][]", nsteps: "i64[]",
        hs: "F[]", rows: "i64[]", kd: "u32[]", kh: "u32[]", kf: "u32[]", noise: "F",
        count: "i64[][]", mean: "f64[][][]", m2: "f64[][][]", bcount: "i64[][][]",
        bsum: "f64[][][][]", bmap: "i64[]", clips: "f64[]", begin: "F[][][]", final: "F[][][]",
        leave: "i64[]"):
    # kd, kh, kf: the keys of a collective, half and full local step, for every normal that is
    # summed (one but in pilots) two words and whether the step's number is odd; leave: set from
    # outside, it ends all that is under way
    for c in range(chunks):
        t0 = (first + c) * LN
        run0, run1 = threefry(seed0, seed1, U(t0 >> 32), U(TRAJECTORIES))
        k0, k1 = threefry(run0, run1, U(0), U(INITIAL))
        initial(v, s, w, p, o, k0, k1, t0)
        if begin.shape[0] > c:
            for j in range(begin.shape[1]):
                for l in range(LN):
                    v[j * LN + l] = begin[c, j, l]
        for l in range(LN):
            s[ALIVE * LN + l] = F(1) if t0 + l < ntraj else F(0)
            s[CLIP * LN + l] = F(0)
        number = 0
        dynamic = 0
        counter = 0
        for i in range(nsteps.size + 1):
            if fresh(leave[0]) != 0:
                break
            if i > 0:
                h = hs[i - 1]
                if STRANG:
                    counter = keys_of(kh, run0, run1, counter, LOCAL)
                if i == 1 or not RESTS:
                    local(v, s, w, p, o, rows[number + i - 1], kh, t0)
                for j in range(nsteps[i - 1]):
                    dynamic = keys_of(kd, run0, run1, dynamic, DYNAMICS)
                    kl = kh if STRANG and j == nsteps[i - 1] - 1 else kf
                    counter = keys_of(kl, run0, run1, counter, LOCAL)
                    row, now = rows[number + i], ct[number % ct.shape[0]]
                    step(v, q, s, w, p, o, now, h, noise, row, kd, kl, t0)
                    number += 1
                    if fresh(leave[0]) != 0:
                        break
            observe(v, s, w, p, o, c, i, count, mean, m2, bcount, bsum, bmap)
        total = 0.0
        for l in range(LN):
            total += np.float64(s[CLIP * LN + l]) if t0 + l < ntraj else 0.0
        clips[c] = total
        if final.shape[0] > c:
            for j in range(final.shape[1]):
                for l in range(LN):
                    final[c, j, l] = v[j * LN + l]
"""


class KernelText:
    """The printed kernel of a system and observables, for any precision, times and trajectories."""

    def __init__(
        self,
        system: PhaseSpaceSystem,
        readouts: list[Readout],
        loops: Loops | None = None,
        given: bool = False,
        diagnostic: bool = True,
    ):
        """``given``: normals stand in a table, see ``given``.

        ``diagnostic``: a channel more than was asked for tells of the lengths of spins.
        """
        self.given = system
        rates: list[Any] = [c.rate for c in system.channels]
        rates += [c.rate for c in system.member_channels]
        rates += [part[0] for step in system.local for part in step.parts]
        self._rates = list(dict.fromkeys(rate for rate in rates if isinstance(rate, Coef)))
        self.strang = not system.explicit
        if system.scheme == SMALL_NOISE and not suits(system):
            raise NotImplementedError(
                "The scheme 'small-noise' takes jumps that are linear in spins and modes, with "
                "constant rates and fields, and no output fields."
            )
        if self.strang and any(block.kind == MODE for block in system.blocks):
            system = take_linear(system)
        self.system, self.readouts = system, readouts
        self.layout = Layout(system, loops)
        self.layout.s("alive")
        self.layout.s("clip")
        local, printer = self._printers()
        observer = ObservePrinter(self.layout, readouts, diagnostic)
        self.local, self.pulses = local, observer.pulses
        #: Nothing moves between collective steps: ``local`` is needed before the first one alone.
        self.rests = self.strang and isinstance(printer, StepPrinter) and not local.steps
        self.rests = self.rests and not system.pulses
        #: Tables of collective steps: of modes, or of all that a block does by itself.
        self.flows = printer.flows if isinstance(printer, SmallNoisePrinter) else None
        self.modes = printer.modes if isinstance(printer, StepPrinter) else None
        self.links = printer.links
        #: Drifts in a step: what it counts.
        self.work = printer.work
        #: Normals per collective, half and full local step in a coarse and a fine pilot run.
        self.pilot_draws = printer.pilot_draws
        parts = [
            initial_source(self.layout),
            printer.step(),
            printer.local_step(),
            observer.source(),
        ]
        self.layout.draws.settle(dense=given)
        #: Slots of the array scratch, before the buffers of links.
        self.wide_slots = max(1, self.layout.wide_slots)
        #: Steps whose noise is made from means over trajectories.
        steps = (s for s in system.local if isinstance(s, MatrixStep))
        self.shared = [s for s in steps if s.shared is not None]
        self.functions = "\n\n\n".join(map(source, parts)) + "\n"
        if system.increments == "three-point":  # in steps; initial states have keys k0, k1
            self.functions = three_point(self.functions)
        if given:
            self._place = self.layout.parameters.integer(0)
            self.functions = from_table(self.functions, self._place)
        self.channels = channel_count(readouts)
        self.diagnostic = bool(observer.ensembles or observer.lengths)
        #: Real channels including the diagnostic one.
        self.channels_total = self.channels + self.diagnostic
        #: The diagnostic channel sums squared lengths (else it is the share of short spins).
        self.measures_length = bool(observer.lengths)
        #: Places per trajectory and step where a negative diffusion would be clipped and counted.
        self.roots = sum(len(e.roots) * system.blocks[e.block].size for e in system.explicit)
        for d in system.diffusions:
            self.roots += len(d.noisy) * system.blocks[d.leaves[0].block].size

    def by(self, scheme: str) -> KernelText:
        """The same by another scheme; "" for its own."""
        if scheme in ("", self.given.scheme):
            return self
        return KernelText(replace(self.given, scheme=scheme), self.readouts)

    def _printers(
        self,
    ) -> tuple[LocalPrinter, StepPrinter | SmallNoisePrinter | ExplicitPrinter]:
        if self.system.explicit:
            return LocalPrinter(self.layout), ExplicitPrinter(self.layout)
        if self.system.scheme == SMALL_NOISE:
            kicks = Kicks(self.layout)
            return kicks, SmallNoisePrinter(self.layout, kicks)
        rotor = any(step.rotor for step in self.system.local)
        local = RotorLocal(self.layout) if rotor else LocalPrinter(self.layout)
        step = ArrayStepPrinter if self.layout.arrays else StepPrinter
        return local, step(self.layout, local)

    @property
    def pairs(self) -> tuple[int, int, int]:
        """Pairs of normals of an initial state, a step, and a local step or kick between steps."""
        sizes = self.layout.draws.totals
        start, step, local = (sizes.get(purpose, 0) for purpose in (INITIAL, DYNAMICS, LOCAL))
        return start, local if self.flows is not None else step, local

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the state variables, in the order in which they are stored."""
        names = []
        for k in self.layout.singles + self.layout.arrays:
            block = self.layout.blocks[k]
            letters: tuple[str, ...] = ("re", "im")
            if block.kind == MATRIX:
                letters = matrix_names(block.labels, "R[{},{}]")
            elif block.kind == AMPLITUDES:
                letters = ("re_alpha", "im_alpha", "re_beta", "im_beta")
            elif block.kind != MODE:
                letters = ("x", "y", "z", "nx", "ny", "nz")[: block.components]
            for m in range(block.size):
                where = block.name if block.count is None else f"{block.name}[{m}]"
                names += [f"{where}.{letter}" for letter in letters]
        return tuple(names)

    def tables(
        self, grid: Grid, dtype: type, started: bool = False
    ) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Parameters p, integers o, step table ct (steps, coefficients), rows of local steps.

        ``started``: pulses at the begin of the run have acted before it.
        """
        self._check_rates(grid)
        own: Values = {}
        steps = np.zeros(1, np.int64)  # rows of collective steps
        # trajectories with such numbers fail, and are counted
        with np.errstate(over="ignore", invalid="ignore"):
            values, rows = self._local_tables(grid)
            if self.modes is not None:
                own, steps = self.modes.tables(grid, self.system.noise)
            if self.flows is not None:
                own, steps = self.flows.tables(grid.lengths)
            values |= own
            if self.links:
                values |= self.links.tables(grid.lengths, self.layout.wide_slots)
            if self.pulses:
                values |= self.pulses.tables(grid.records, started)
            p, o = self.layout.parameters.packed(dtype, values)
        parts = self.layout.parameters.time_parts
        ct: NDArray = np.zeros((1, 1), dtype)
        if any(part is not ROW for part in parts) or np.any(steps):  # else one row of zeros
            ct = np.empty((grid.times.size, len(parts)), dtype)
            for j, part in enumerate(parts):
                if part is None:  # the rows
                    ct[:, j] = steps
                elif isinstance(part, str):
                    number = np.arange(grid.times.size)
                    ct[:, j] = number // STRIDE if part == HIGH else number % STRIDE
                else:
                    ct[:, j] = part.average(grid.times, grid.lengths, grid.panels)
                    if part.coef in self._rates:  # negative by rounding
                        ct[:, j] = np.maximum(ct[:, j], 0)
        return p, o, ct, rows

    def _check_rates(self, grid: Grid) -> None:
        """Raise where a rate is negative or complex at any time the kernel reads it."""
        for rate in self._rates:
            rate.rates(self.coefficient_times(grid, grid.times))

    def coefficient_times(self, grid: Grid, tlist: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every time at which :meth:`tables` reads a coefficient, and output times, ascending."""
        steps = [(grid.times, grid.lengths), self._local_steps(grid)]
        parts = [t + x * h for t, h in steps for x in Coef.places(grid.panels)]
        return np.unique(np.clip(np.concatenate([tlist, *parts]), tlist[0], tlist[-1]))

    def _local_steps(self, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start and length of every local step: half, full ..., half per output interval."""
        lengths, starts = [], []
        position = 0
        for n, h in zip(grid.nsteps, grid.hs, strict=True):
            ends, full = h / 2 if self.strang else h, h
            if self.flows is not None:
                ends, full = h / 6, h / 3
            lengths.append(np.concatenate([[ends], np.full(n - 1, full), [ends]]))
            t = grid.times[position]
            if self.strang:
                starts.append(np.concatenate([[t], t + h * (np.arange(n) + 0.5)]))
            else:  # the first row is not used; row j + 1 belongs to step j
                starts.append(np.concatenate([[t], t + h * np.arange(n)]))
            position += n
        return np.concatenate(starts), np.concatenate(lengths)

    @staticmethod
    def _at_ends(grid: Grid) -> NDArray[np.bool_]:
        """Which local steps stand at an end of an output interval."""
        ends = [np.arange(n + 1) % n == 0 for n in grid.nsteps]
        return np.concatenate(ends)

    def _local_tables(self, grid: Grid) -> tuple[Values, NDArray[np.int64]]:
        """The tables of the local steps; row number of every local step of the run."""
        start, length = self._local_steps(grid)
        if isinstance(self.local, Kicks):
            ends = self._at_ends(grid)
            return self.local.kick_tables(length, ends, grid.lengths, self.system.noise)
        return self.local.tables(start, length, grid.panels, self.system.noise)

    def place_table(self, o: NDArray[np.int64], place: int) -> None:
        """Tell a kernel with given normals where their table begins."""
        o[index_of(self._place)] = place

    def module(
        self, single: bool, lanes: int, run: str = RUN, constants: Mapping[str, int] | None = None
    ) -> str:
        """Source of the kernel, for one precision and number of lanes: see ``lower``.

        ``run`` is the function that is called, ``constants`` are further ones that it needs.
        """
        scratch = self.layout.scratch
        head = [
            "import numpy as np",
            "",
            f"F = np.{'float32' if single else 'float64'}",
            "U = np.uint32",
            f"LN = {lanes}",
            f"ALIVE = {scratch['alive']}",
            f"CLIP = {scratch['clip']}",
            f"FAR = {FAR}",
            f"STRANG = {self.strang}",
            f"RESTS = {self.rests}",
            f"INITIAL = {INITIAL}",
            f"DYNAMICS = {DYNAMICS}",
            f"LOCAL = {LOCAL}",
            f"TRAJECTORIES = {TRAJECTORIES}",
            *(f"{name} = {value}" for name, value in (constants or {}).items()),
        ]
        helpers = rng.TEXT + ("" if self.system.noise else STILL) + SCALARS + TALLY + dense.TEXT
        return "\n".join(head) + "\n" + helpers + self.functions + run

    def plain(self) -> str:
        """Source of the functions alone, to be run with NumPy lanes."""
        return self.functions
