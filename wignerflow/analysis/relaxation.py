r"""Relaxation of trajectories: averages over quarters of a run, and the tests that they pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from .. import _check
from ..estimate import announce, tell
from ..exact.jumps import QuantumJumps
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..model.coefficients import Coef
from ..model.level_states import LevelState, density
from ..model.levels import Levels
from ..model.mode_states import Coherent, ModeState, Thermal
from ..model.model import LocalJump, Model
from ..model.operators import ArrayOp, Op
from ..model.states import BlochState, State
from ..model.subsystems import CollectiveSpin, Subsystem
from ..observables import Plan
from ..phasespace.ensemble import bloch_generator
from ..phasespace.generator import refuses
from ..phasespace.matrices import generator
from ..result import Values
from ..result.accuracy import PlanColumns
from ..run.bounds import LOCAL, damping, guess, pace
from ..run.driver import Prepared, announce_run, place, simulate
from ..run.extrapolated import extrapolated
from ..run.loop import Request
from ..run.pilot import Wanted
from ..run.pool import available_threads, default_device
from ..run.statistics import BATCHES
from ..solving import (
    FAILED_LIMIT,
    gather,
    members,
    runs_trajectories,
    seed_of,
    threads_of,
    trajectories_of,
)
from ..solving.symmetrized import Symmetrized
from .controls import Late, late

TIMES = 64  # outputs of a run, evenly spaced
AVERAGED = 8  # independent ones among those averaged over, about: for the choice of the step
FIRST_STEPS = 64  # length of the first run in steps
VARIABLES = 8  # of a system with controls, at most
LIFETIMES = 3  # of the slowest rate: shortest time before averages are taken
FAMILY = 0.01  # family-wise error rate of the tests at one length
SETTLED = 1e-6  # of the largest value: accepted drift of a deterministic method
LASTING, TURNS = 0.9, 4  # a swing that keeps so much of itself, and turns so often, in half a run

Base = Mapping[str, Op | ArrayOp]


def request_of(ntraj: Any, seed: Any, dt: Any, precision: Any, threads: Any) -> Request:
    """Trajectories, seed, step, precision and threads, checked."""
    count, number = trajectories_of(ntraj, 2 * BATCHES), seed_of(seed)
    single = _check.one_of("precision", precision, ["single", "double"]) == "single"
    step = None if dt is None else _check.positive("dt", dt)
    return Request(count, number, single, threads_of(threads), dt=step)


def check_failed(failed: int, count: int) -> None:
    """Refuse averages that too many trajectories are missing in."""
    if failed > FAILED_LIMIT * count:
        raise ValueError(f"{failed} of {count} trajectories became non-finite; use a smaller `dt`.")


def other_state(sub: Subsystem, state: State, collective: bool) -> State:
    """An initial state far from ``state``: opposite and tilted; ``collective``: of equal length."""
    if isinstance(state, LevelState):
        assert isinstance(sub, Levels)
        turn = np.roll(np.eye(sub.d), 1, axis=0)
        turn[[0, -1]] = np.array([[0.8, 0.6], [-0.6, 0.8]]) @ turn[[0, -1]]
        rho = turn @ state.density(sub, "state") @ turn.T
        return density(rho if collective else 0.7 * rho + 0.3 * np.eye(sub.d) / sub.d)
    if isinstance(state, BlochState):
        r = state.vector
        norm = float(np.linalg.norm(r))
        axis = r / norm if norm > 0.1 else np.array([0.0, 0.0, -1.0])
        side = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
        away = -0.8 * axis + 0.6 * side / np.linalg.norm(side)
        return BlochState(*map(float, (norm if collective else 0.7) * away))
    assert isinstance(state, ModeState)
    if state.kind == "coherent":
        return Coherent(1 - state.value)
    return Coherent(complex(np.sqrt(state.quanta + 1)))


def _restarted(model: Model, change: Callable[[Subsystem, State], State]) -> Model:
    initial: dict[Any, Any] = {}
    for sub, states in model.initial.items():
        new = [change(sub, state) for state in states]
        initial[sub] = new[0] if sub.count is None else new
    return model.restarted(initial)


def elsewhere(model: Model) -> Model:
    """The same master equation from another initial state, with the same J where J is conserved."""
    changing = {jump.op.sub for jump in model.local_jumps}

    def fixed(sub: Subsystem) -> bool:
        return isinstance(sub, CollectiveSpin) or sub not in changing

    return _restarted(model, lambda sub, state: other_state(sub, state, fixed(sub)))


def opposite(model: Model) -> Model:
    """The same master equation from opposite Bloch vectors, other levels and photon numbers.

    Means that vanish by a symmetry of the own initial state vanish here, too.
    """

    def length(sub: Subsystem) -> float:
        return 1.0 if isinstance(sub, CollectiveSpin) else 0.6

    return _restarted(model, lambda sub, state: _opposite(sub, state, length(sub)))


def _opposite(sub: Subsystem, state: State, length: float) -> State:
    if isinstance(state, LevelState):
        assert isinstance(sub, Levels)
        away = (np.eye(sub.d) - state.density(sub, "state")) / (sub.d - 1)
        return density(length * away + (1 - length) * np.eye(sub.d) / sub.d)
    if isinstance(state, BlochState):
        return BlochState(*map(float, -length * state.vector))
    assert isinstance(state, ModeState)
    if state.kind == "coherent" and state.value != 0:
        return Coherent(-state.value)
    return Thermal(complex(state.quanta + 1))


def _decay_rates(jump: LocalJump) -> NDArray[np.float64]:
    """Rates at which one emitter relaxes under a jump of rate one."""
    A = jump.op.matrix()
    if isinstance(jump.op.sub, Levels):
        return np.asarray(-np.linalg.eigvals(generator(A)).real)
    return np.asarray(np.linalg.eigvals(bloch_generator(A)[0]).real)


class Runner:
    """Averages over quarters of [0, T], batch by batch."""

    def __init__(
        self,
        engine: Any,
        model: Model,
        same: Symmetrized,
        plan: Plan,
        request: Request,
        device: str | None = None,
        controls: bool | None = False,
    ):
        #: Times over which rates that depend on time are averaged.
        self.looks = np.zeros(1)
        self.controls = False
        self.uncontrolled: str | None = ""
        self.engine, self.base, self.plan, self.equal = engine, same.base, plan, same.equal
        self.device = default_device() if device is None and runs_trajectories(engine) else device
        self.model = model
        self.seed, self.threads, self.dt = request.seed, request.threads, request.dt
        self.single = request.single and engine.stochastic  # mean field: see ``read_options``
        self.first = request.dt  # of runs whose steps are extrapolated
        self.slots = plan.slots
        self.every = np.arange(plan.channels)
        self.lowered: dict[int, Any] = {}
        self.failed = self.work = 0
        self.seconds = 0.0  # per trajectory and step, of the last run
        self.deadline: float | None = None  # ``time.perf_counter``
        self.step_error: dict[str, NDArray[np.float64]] | None = None
        #: Whether means of a method without noise oscillate for ever, as far as can be seen.
        self.swings = False
        #: The largest of their values, to which errors of steps are relative.
        self.largest = 0.0
        self.stochastic = engine.stochastic
        if controls is not False:
            #: Why there are no controls; None: there are.
            self.uncontrolled = self._uncontrolled()
            self.controls = self.uncontrolled is None

    def slowest(self) -> float:
        """The slowest relaxation rate of one emitter or mode under the model's jumps; 0 if none.

        Collective processes may be faster or, near dark states, slower.
        """
        rates: list[float] = []
        for jump in self.model.jumps:
            rate = jump.rate
            if isinstance(rate, Coef):
                rate = rate.rates(self.looks).mean()
            values = np.atleast_1d(np.asarray(rate, complex)).real
            if isinstance(jump, LocalJump):
                lam = _decay_rates(jump)
                values = np.outer(values, lam[lam > 1e-9 * np.abs(lam).max(initial=0.0)])
            rates += values[values > 0].ravel().tolist()
        return min(rates, default=0.0)

    @property
    def unit(self) -> str:
        """What the tests count in."""
        return "standard errors" if self.stochastic else f"times {SETTLED:g} of the largest value"

    def first_time(self) -> float:
        """Length of the first run."""
        if isinstance(self.engine, QuantumJumps):
            from ..phasespace.twa import TWA

            system, _ = TWA().lower(self.model, {}, np.array([0.0, 1.0]))
        else:
            system = self._text(0, self.model, np.array([0.0, 1.0])).system
        span = np.array([0.0, 1e12])
        step = guess(system, span)
        if step >= span[1]:  # rates that bound no step
            rate = pace(system, span)
            step = LOCAL / rate if rate > 0 else 1.0  # a model without any stands
        first = FIRST_STEPS * step
        rates = [self.slowest(), *(2 * rate for rate in damping(system).values())]
        slowest = min((r for r in rates if r > 0), default=0.0)
        # two lengths in a row must pass, the second twice as long
        return max(first, LIFETIMES / slowest) if slowest > 0 else first

    def _text(self, which: int, model: Model, times: NDArray[np.float64]) -> KernelText:
        if which not in self.lowered:
            system, symbols = self.engine.lower(model, self.base, times)
            readouts = [Readout(symbols[k], self.plan.base[k].is_complex) for k in self.base]
            self.lowered[which] = KernelText(system, readouts)
        return self.lowered[which]

    def length(self, T: float) -> float:
        """The length of a run that is made for one of about T."""
        return T

    def quarters(self, which: int, model: Model, T: float, ntraj: int) -> NDArray[np.float64]:
        """Means over the four quarters of [0, T], (batches, 4, K)."""
        values, n = self.values(which, model, np.linspace(0, T, TIMES + 1), ntraj), TIMES // 4
        if not self.stochastic:
            self.swings = self.swings or swings(values[0])
            self.largest = max(self.largest, float(np.abs(values).max()))
        return np.stack([values[:, 1 + k * n : 1 + (k + 1) * n].mean(axis=1) for k in range(4)], 1)

    def shaped(self, runs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means (batches, K) as values at the times of the result, (batches, times, K)."""
        return runs[:, None]

    def whole(self, values: Mapping[str, NDArray]) -> Values:
        """Values at the times of the result as those of it."""
        return Values({name: value[0] for name, value in values.items()})

    def values(
        self, which: int, model: Model, times: NDArray[np.float64], ntraj: int
    ) -> NDArray[np.float64]:
        """Means of batches of trajectories at times, (batches, T, K)."""
        seed = (self.seed + which) % 2**64
        if isinstance(self.engine, QuantumJumps):
            return self.equal.channels(self._jumps(model, times, ntraj, seed))
        else:
            text = self._text(which, model, times)
            count = ntraj if self.engine.stochastic else 2
            request = Request(count, seed, self.single, self.threads, self._left(), self.dt)
            request.progress = lambda done, samples: tell(done, count)
            place(request, self.device or "cpu", runs_trajectories(self.engine))
            # averages over outputs have smaller errors than one; controls correct the rest
            many = count if self.controls else AVERAGED * count
            request.wanted = Wanted(many, columns=PlanColumns(self.plan, {}, self.equal.channels))
            if self.seconds and self.dt:
                seconds = self.seconds * count * (times[-1] - times[0]) / self.dt
                announce(seconds, 0.0, f"{count} trajectories", "ask for fewer of them")
            if self.stochastic:
                outcome = simulate(text, times, self.every, request)
            else:
                columns, step = PlanColumns(self.plan, {}), guess(text.system, times)
                first = Prepared(self.first or step)
                announce_run(text, times, self.every, request, first.step)
                enough = 0.1 * SETTLED
                outcome = extrapolated(text, times, self.every, request, first, columns, enough)
            self._check_whole(outcome.stats["stopped_because"])
            self.dt = outcome.dt
            self.work += outcome.stats["work"]
            self.seconds = outcome.stats["run_time"] / outcome.stats["work"]
            if self.step_error is None:
                late = outcome.prepared.errors
                self.step_error = {k: v[len(v) // 2 :].max(axis=0) for k, v in late.items()}
            samples = outcome.samples
            self.failed = max(self.failed, samples.failed)
            check_failed(samples.failed, samples.ntraj)
            used = samples.batch_count[0] > 0
            sums = samples.batch_sum[:, used] / samples.batch_count[:, used, None]
            return self.equal.channels(np.moveaxis(sums, 0, 1))

    def _left(self) -> float | None:
        """Seconds until the deadline, or a little more."""
        return None if self.deadline is None else max(1e-3, self.deadline - time.perf_counter())

    def _check_whole(self, stopped: str) -> None:
        """Only whole runs tell whether it has relaxed."""
        if stopped == "interrupted":
            raise KeyboardInterrupt
        if stopped == "timeout":
            raise TimeoutError("No run was finished within the timeout.")

    def _uncontrolled(self) -> str | None:
        if isinstance(self.engine, QuantumJumps) or not self.stochastic:
            return "the method has no equations with noise"
        if (self.device or "cpu") != "cpu":
            return "they are made on the CPU"
        why = refuses(self._text(0, self.model, np.array([0.0, 1.0])).given)
        if why is None and self._text(0, self.model, np.zeros(1)).layout.state_slots > VARIABLES:
            why = f"there are more than {VARIABLES} variables"
        return why

    def late(self, which: int, model: Model, T: float, ntraj: int, longer: float = 1.0) -> Late:
        """Every trajectory's averages over [T/2, T], of channels and controls.

        ``longer``: with so many times longer steps.
        """
        assert self.dt is not None
        dt = self.dt * longer
        request = Request(ntraj, (self.seed + which) % 2**64, self.single, self.threads)
        times = np.linspace(0, T, TIMES + 1)
        text = self._text(which, model, times)
        self.work += ntraj * int(Grid.make(times, dt).nsteps.sum())
        return late(text.given, text.readouts, times, dt, request)

    def _jumps(
        self, model: Model, times: NDArray[np.float64], ntraj: int, seed: int
    ) -> NDArray[np.float64]:
        keeper = QuantumJumps(self.engine.engine, memory=self.engine.memory, keep=True)
        solution = keeper.solve(
            model,
            times,
            members(self.base),
            ntraj=ntraj,
            seed=seed,
            threads=self.threads or available_threads(),
            timeout=self._left(),
        )
        self._check_whole(solution.stats["stopped_because"])
        runs = gather(self.base, solution.stats["samples"])
        out = np.empty((ntraj, times.size, self.plan.channels))
        for key, slot in self.slots.items():
            value = runs[key].reshape(ntraj, times.size, -1)
            parts = [value.real, value.imag] if slot.is_complex else [value.real]
            out[:, :, slot.span] = np.concatenate(parts, axis=-1)
        return out


@dataclass
class Test:
    """Largest t-values of both tests and what they must stay below."""

    drift: float
    difference: float
    limit: float

    @property
    def passed(self) -> bool:
        return max(self.drift, self.difference) < self.limit


def _largest(mean: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    scale = np.where(error > 0, error, 1.0)
    flat = np.where((error > 0) | (np.abs(mean) > 0), np.abs(mean) / scale, 0.0)
    return float(flat.max(initial=0.0))


def swings(values: NDArray[np.float64]) -> bool:
    """Whether means at ``TIMES`` and 0, (times, K), oscillate and do not calm down.

    The largest swing of the second half of a run is about that between a quarter and half of it.
    """
    before, after = values[TIMES // 4 : TIMES // 2], values[TIMES // 2 :]
    sizes = np.ptp(after, axis=0)
    k = int(np.argmax(sizes))
    turns = np.diff(np.sign(np.diff(after[:, k])))
    return bool(
        sizes[k] > SETTLED * np.abs(values).max()
        and sizes[k] > LASTING * np.ptp(before[:, k])
        and np.count_nonzero(turns) >= TURNS
    )


def relaxation(parts: list[NDArray[np.float64]], stochastic: bool, largest: float = 0.0) -> Test:
    """Third against last quarter, and start against start; ``largest``: value at any time."""
    halves = [p[:, 2:].mean(axis=1) for p in parts]
    changes = [p[:, 3] - p[:, 2] for p in parts]
    if not stochastic:
        scale = max(*(float(np.abs(p).max()) for p in parts), 0.1 * largest) or 1.0
        # spread over the second half, so that oscillations do not pass
        drift = max(float(np.abs(c[0]).max()) for c in changes) / (SETTLED * scale)
        difference = float(np.abs(halves[0][0] - halves[-1][0]).max()) / (SETTLED * scale)
        return Test(drift, difference, 1.0)

    def moments(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        error = x.std(axis=0, ddof=1) / np.sqrt(len(x))
        # a constant of the motion that rounding alone changes
        return x.mean(axis=0), np.maximum(error, 1e-6 * np.abs(x).max(axis=0, initial=0.0))

    size = np.maximum.reduce([np.abs(p).max(axis=(0, 1)) for p in parts])
    drift = max(_largest(m, np.maximum(e, 1e-5 * size)) for m, e in map(moments, changes))
    difference = 0.0
    if len(parts) == 2:
        (a, da), (b, db) = map(moments, halves)
        difference = _largest(a - b, np.maximum(np.hypot(da, db), 1e-5 * size))
    number = parts[0].shape[2] * (2 * len(parts) - 1)
    limit = float(stdtrit(min(len(p) for p in parts) - 1, 1 - FAMILY / (2 * number)))
    return Test(drift, difference, limit)
