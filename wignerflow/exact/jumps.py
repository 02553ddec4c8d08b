r"""Quantum jumps: unravelling of the master equation into runs of pure states.

Every run lies in one block :math:`(J_1, J_2, \dots)` at a time, so memory grows with the length of
a state, not of a density matrix. Where the model is diagonal the runs are a classical jump process.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import Crew, check_memory
from ..method import Operators, Options, Task
from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import pulse_times, stirred
from . import classical, pieces, wave_runs, wavefunctions
from .collect import Moments, Runs, Values, collected
from .cutoffs import Edge, edge_stats, guess_cutoffs, widen
from .engine import MasterEquation, checked_ops
from .ladder import Basis
from .pulsed import Pulses
from .reduction import reduced
from .solution import MEMORY, ExactSolution

ENGINES = ("classical", "wavefunctions")
#: Largest mean population at the edge of a mode that passes without a larger cutoff, runs of the
#: pilot that settles it first, and times at which the pilot looks.
EDGE, PILOT, LOOKS = 1e-6, 8, 101
OVERHEAD = 2e-4  # seconds of a run of wave functions beside its steps
#: Of the time, in the first run that is timed; seconds of timed runs that are enough.
SMALLEST, ENOUGH = 2.0**-20, 5e-3


class QuantumJumps(MasterEquation):
    r"""Monte Carlo wave functions in the :math:`|J, M\rangle` basis, or a classical jump process.

    Between jumps a run obeys, with plain rates r_k and hbar = 1,

    .. math:: \dot\psi = \Big(-iH - \tfrac12\sum_k r_k L_k^\dagger L_k\Big)\psi,

    until its squared norm has fallen to a uniform random number; then L_k psi follows with
    probability proportional to :math:`r_k |L_k\psi|^2`. H, L_k and r_k may depend on time.

    The result is exact up to the sampling error that ``sem`` states. It depends on the seed and the
    number of runs only, not on threads.

    Args:
        engine: None chooses; "classical" (Gillespie: H a function of J_z, jumps of definite change
            of M, diagonal initial state; by thinning where rates depend on time) or
            "wavefunctions" (any model).
        memory: memory in bytes that the matrices of "wavefunctions" may use.
        keep: keep every run's values in ``stats["samples"]``, name -> shape (ntraj, T).

    Raises:
        ValueError: the engine is unknown, or ``memory`` is not positive. In a run: the engine
            cannot treat the model, or the matrices do not fit into memory.

    References:
        Dalibard, Castin and Mølmer, Phys. Rev. Lett. 68, 580 (1992), wave functions; Gillespie, J.
        Phys. Chem. 81, 2340 (1977), classical jumps; Lewis and Shedler, Naval Res.
        Logist. Quart. 26, 403 (1979), thinning.

    Example:
        >>> import wignerflow as wf
        >>> atoms = wf.Ensemble(100)
        >>> model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0)], initial={atoms: wf.up})
        >>> method = wf.QuantumJumps()
        >>> result = wf.solve(model, [0, 1], e_ops=[atoms.Jz], method=method, ntraj=100, seed=1)
        >>> result.ntraj, result.stats["runs"]
        (100, 'classical')
    """

    name = "jumps"
    stochastic = True
    uses = frozenset({"timeout"})

    def __init__(self, engine: str | None = None, *, memory: float = MEMORY, keep: bool = False):
        self.engine = None if engine is None else _check.one_of("engine", engine, ENGINES)
        self.memory = _check.positive("memory", memory)
        self.keep = bool(keep)

    def __repr__(self) -> str:
        return "QuantumJumps()" if self.engine is None else f"QuantumJumps({self.engine!r})"

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        """Why this method cannot treat ``model``; None if it can. Does no work."""
        if model.delayed:
            return model.delayed
        if self.engine == "classical":
            return classical.refuses(model, Basis(model))
        return wavefunctions.refuses(model)

    def run(self, task: Task, options: Options) -> Any:
        """The result of :meth:`solve` for a task of ``wf.solve``.

        Every run's values are kept, so that derived observables have errors too.
        """
        check_memory(
            40.0 * options.ntraj * task.times.size * len(task.operators),
            f"Keeping the values of {options.ntraj} runs at {task.times.size} times",
            "ask for fewer runs, output times or observables",
        )
        keeper = QuantumJumps(self.engine, memory=self.memory, keep=True)
        solution = keeper.solve(
            task.model,
            task.times,
            task.operators,
            ntraj=options.ntraj,
            seed=options.seed,
            threads=options.threads,
            timeout=options.timeout,
        )
        stats = dict(solution.stats)
        return task.runs(stats.pop("samples"), stats)

    def solve(
        self,
        model: Model,
        tlist: Any,
        ops: Mapping[str, Op],
        *,
        ntraj: int = 500,
        seed: int | None = None,
        threads: int = 1,
        timeout: float | None = None,
    ) -> ExactSolution:
        """Means and standard errors of ``ops`` at the times ``tlist``.

        Args:
            model: the master equation.
            tlist: times, strictly increasing, shape (T,); ``initial`` holds at ``tlist[0]``.
            ops: name -> operator.
            ntraj: number of runs, at least 2.
            seed: 64-bit seed; None draws one (kept in ``stats["seed"]``).
            threads: chunks of 64 runs run in this many threads.
            timeout: return what is done after this many seconds, as Ctrl-C does.

        Raises:
            TimeoutError: not even a first chunk was done by then.
            ValueError: the model does not fit into memory.
        """
        times = _check.tlist(tlist)
        named = checked_ops(model, ops)
        _check.integer("ntraj", ntraj, 2)
        _check.integer("threads", threads, 1)
        seed = secrets.randbits(63) if seed is None else _check.integer("seed", seed, 0) % 2**64
        reason = self.refuses(model)
        if reason is not None:
            raise ValueError(f"{self!r} cannot treat this model: {reason}.")
        begin, note = time.perf_counter(), ""
        if self.engine is None:
            model, named, note = reduced(model, named)
        why_not = classical.refuses(model, Basis(model))
        if self.engine == "wavefunctions" or why_not is not None:
            run: WaveFunctions | _Classical = WaveFunctions(model, named, times, seed, self.memory)
            because = "it was asked for" if why_not is None else why_not
            why = f"{because}, so runs are wave functions."
        else:
            run = _Classical(model, named, times, seed)
            why = "nothing couples different M, so runs are a classical jump process."
        total, kept, stopped = collected(run, ntraj, threads, timeout, begin, self.keep)
        stats: dict[str, Any] = {
            "engine": "jumps",
            "runs": run.name,
            "why": (note + why)[0].upper() + (note + why)[1:],
            "ntraj": total.n,
            "seed": seed,
            "stopped_because": stopped,
            "jumps": run.counted(total.n),
            **run.stats(total),
            "wall_time": time.perf_counter() - begin,
        }
        if self.keep:
            everything = np.concatenate(kept)
            stats["samples"] = {
                name: everything[:, k].real if op.is_hermitian() else everything[:, k]
                for k, (name, op) in enumerate(named.items())
            }
        n = len(named)
        return ExactSolution.build(named, total.mean[:n], stats, total.sem[:n])


def spanned(model: Model, functions: list[pieces.Product], times: Any) -> pieces.Pieces:
    """Functions of time over the whole of a run, of which the first is one."""
    begin, end = float(times[0]), float(times[-1])
    if len(functions) == 1 or end == begin:
        return pieces.constant(begin, end, [f(times[:1])[0] for f in functions])
    nodes = np.array([begin, *pieces.breaks(model, begin, end), end])
    return pieces.fit(functions, nodes)


class _Classical(Runs):
    """Chunks of a classical jump process."""

    name = "classical"

    def __init__(self, model: Model, ops: dict[str, Op], times: NDArray[np.float64], seed: int):
        self.basis = Basis(model)
        self.process = classical.process(model, self.basis)
        self.pieces = spanned(model, self.process.functions, times)
        self.ops, self.times, self.seed = list(ops.values()), times, seed
        super().__init__()

    @property
    def wanted(self) -> int:
        """See ``Runs``."""
        return len(self.ops)

    def __call__(self, numbers: range) -> Values:
        found, self.jumps[numbers.start] = self._values(numbers, self.times)
        return found

    def _values(self, numbers: range, times: NDArray[np.float64]) -> tuple[Values, int]:
        states, jumps = classical.trajectories(
            self.basis, self.process, self.pieces, self.seed, numbers, times, self.leave
        )
        found = classical.values(self.basis, self.ops, states, times)
        return np.swapaxes(found, 0, 1), jumps

    def seconds(self) -> float:
        """Of one run: the first ones are timed, once that has been compiled.

        However long a run is, that is soon done: they go over ever larger shares of the time.
        """
        span, share = float(self.times[-1] - self.times[0]), SMALLEST
        some = self.times
        self._values(range(1), some[:1])
        while True:
            if share < 1:
                inside = some[some < some[0] + share * span]
                some = np.append(inside, some[0] + share * span)
            begin = time.thread_time()
            self._values(range(PILOT), some)
            taken = time.thread_time() - begin
            if share >= 1 or taken > ENOUGH:
                return taken / PILOT / share
            some, share = self.times, min(1.0, 16 * share)


class WaveFunctions(Runs):
    """Chunks of Monte Carlo wave functions."""

    name = "wavefunctions"

    def __init__(
        self,
        model: Model,
        ops: dict[str, Op],
        times: NDArray[np.float64],
        seed: int,
        memory: float,
    ):
        self.times, self.seed, self.memory = times, seed, memory
        super().__init__()
        self.model, self.ops = model, list(ops.values())
        self.cutoffs, self.settled = guess_cutoffs(model), False
        self._build()

    def settle(self, crew: Crew) -> bool:
        """The cutoffs of modes, by a pilot of a few runs."""
        if not self.cutoffs or self.settled:
            return False
        times = self.times
        looks = np.linspace(times[0], times[-1], LOOKS)
        self.times = pulse_times(self.model, np.union1d(times, looks))
        (values,) = crew.stream(self, [range(PILOT)], [self])
        widened = self.widen(values.mean(axis=0))
        self.times, self.settled = times, not widened
        self.jumps.clear()
        return widened

    #: Operators that states are multiplied by.
    kicks: tuple[Op, ...] = ()

    @property
    def wanted(self) -> int:
        """Values of a run before the populations at the edges of modes."""
        return len(self.ops)

    def _build(self) -> None:
        model, marks = stirred(self.model) if self.model.pulses else (self.model, [])
        self.basis = Basis(model, self.cutoffs)
        self.system = wavefunctions.System(model, self.ops, self.basis, self.memory, self.kicks)
        self.pulses = Pulses(self.model, self.system, marks, self.seed)
        self.pieces = spanned(self.model, list(self.system.functions), self.times)
        self.arguments = (*self.system.arguments(), *self.pieces.arguments)
        self.last = int(np.diff(self.system.first).max())
        self.modes = [s for s in self.basis.sites if s.kind == "mode"]

    def seconds(self) -> float:
        """Of one run, from the norm of the matrix between jumps and the entries of all."""
        system = self.system
        share = 1 / max(1, system.first.size - 1)  # of the states, in one sector
        edges, bound = self.pieces.edges, self.pieces.bound[system.k_time]
        norm = np.diff(edges) * (system.norm.mean(axis=1) @ bound)
        steps = float(np.maximum(norm / 4, 1.0).sum())
        entries = sum(A.nnz for A in system.K) + 3 * system.space.size
        outputs = self.times.size * (20 * system.space.size + sum(o.nnz for o in system.ops))
        return OVERHEAD + 3e-9 * share * (20 * steps * entries + outputs)

    def _edges(self, mean: Values) -> list[Edge]:
        largest = np.abs(mean[self.wanted :]).max(axis=1, initial=0.0)
        both = zip(self.modes, map(float, largest), strict=True)
        return [Edge(s.place, s.label, s.dim, e) for s, e in both]

    def widen(self, mean: Values) -> bool:
        """Raise the cutoffs that proved too small, from mean values of shape (K, T)."""
        narrow = widen(self._edges(mean), self.cutoffs, EDGE)
        if narrow:
            self.jumps.clear()
            self._build()
        return narrow

    def __call__(self, numbers: range) -> Values:
        out = np.empty((len(numbers), len(self.system.ops), self.times.size), complex)
        total = 0
        for row, trajectory in enumerate(numbers):
            start = self.system.draw(np.random.default_rng([self.seed, trajectory]))
            if self.model.pulses:
                total += self.pulses.run(self.one, trajectory, start, self.times, out[row])
            else:
                total += self.one(trajectory, self.seed, start, self.times, out[row])[0]
        self.jumps[numbers.start] = total
        return self.system.combined(out, self.times)

    def one(
        self, trajectory: int, seed: int, start: tuple[int, Values], times: Any, out: Values
    ) -> tuple[int, tuple[int, Values]]:
        """The jumps of one run from a sector and a state in it, and where it ends."""
        last = np.empty(self.last, complex)
        sector, psi = start
        jumps, sector = wave_runs.run(
            sector, psi, seed, trajectory, times, out, last, self.leave, *self.arguments
        )
        if jumps < 0:
            raise ValueError(f"Run {trajectory} lost norm without any jump being possible.")
        first = self.system.first
        return jumps, (sector, last[: first[sector + 1] - first[sector]])

    def stats(self, total: Moments) -> dict[str, Any]:
        """States, largest sector, and modes' cutoffs with the population at their edge."""
        sizes = np.diff(self.system.first)
        out: dict[str, Any] = {
            "states": self.system.space.size,
            "sectors": int(sizes.size),
            "largest_sector": int(sizes.max()),
        }
        return out | edge_stats(self._edges(total.mean))
