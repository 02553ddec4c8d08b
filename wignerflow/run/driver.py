"""From a kernel's text to the sums of a run: what it needs, where it runs, its step and scheme, its
kernel, its loop.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import LISTENER, announce, check_memory
from ..kernels.cpu import CpuKernel, lanes_for
from ..kernels.grid import Grid, Schedule
from ..kernels.module import KernelText
from .delays import delayed_step
from .loop import Interrupts, Loop, Request
from .pilot import Wanted
from .pool import Gpus, available_threads, choose_device, known_device
from .statistics import Samples
from .stepsize import choose

PILOT_SEED = 0x5EED  # of every pilot: the step follows from what is asked, not from the seed


@dataclass(frozen=True)
class Prepared:
    """The step of a run, and what its pilot found.

    Attributes:
        step: the largest.
        even: number of even steps between which outputs are interpolated; 0: they fall on steps.
        scheme: by which a step is made; "" for that of the text.
        stats: facts on the pilot.
        errors: by name of observable, the error of the step as estimated, (T,) or (T, V).
        exact: a step of any length makes none.
    """

    step: float
    even: int = 0
    scheme: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    exact: bool = False


@dataclass
class Outcome:
    """Sums and facts of a run."""

    samples: Samples
    dt: float
    stats: dict[str, Any] = field(default_factory=dict)
    #: Final states (trajectories, variables), in the order of ``Layout``, if asked for.
    final: NDArray[np.float64] | None = None
    #: What was asked of the step; ``dt`` is the largest taken.
    prepared: Prepared = field(default_factory=lambda: Prepared(0.0))


def place(
    request: Request,
    device: str,
    samples: bool,
    client: Any = None,
    deadline: float | None = None,
) -> str | None:
    """Let a request run on "cpu", "cuda" or "auto"; why "auto" took the CPU, or None.

    Args:
        request: what to run.
        device: where.
        samples: whether the method runs phase-space trajectories.
        client: of the cluster whose workers run it; None: this machine.
        deadline: until when a first worker must have answered (``time.perf_counter``).
    """
    request.pool, request.kernel = None, CpuKernel
    crew = None
    if client is None or device == "cpu" or not samples:
        where, why = choose_device(device, samples)
    else:
        from .cards import crew_of

        crew, why = crew_of(client, known_device(device), deadline)
        where = "cpu" if crew is None else "cuda"
    if where == "cuda" and request.initial is not None:
        if device == "cuda":
            _check.fail("device", "be 'cpu' or 'auto' with `start`", device)
        where, why = "cpu", "a run that starts from kept samples does"
    if where == "cuda":
        from ..kernels.cuda import CudaKernel

        request.pool, request.kernel = Gpus, CudaKernel
        if crew is not None:
            from .cards import Cards

            request.pool = partial(Cards, client, deadline=deadline, crew=crew)
            request.kernel = partial(CudaKernel, ready=False)
    elif client is not None:
        from .cluster import Cluster

        request.pool = partial(Cluster, client, deadline=deadline)
    return why if where == "cpu" else None


def prepare(text: KernelText, tlist: NDArray[np.float64], request: Request) -> Prepared:
    """The step of a run, and what its pilot found."""
    linked, dt = text.links is not None, request.dt
    if linked and (dt is not None or request.initial is not None):
        step, even, where = delayed_step(text, tlist, dt)
        how = "step from the rates and delays of links, not checked"
        if dt is not None:
            how = "as given" if step > 0.999 * dt else f"lowered from {dt:g}"
        return Prepared(step, even, stats={"step_choice": f"{how}; {where}"})
    if dt is not None:
        return Prepared(dt)
    start = time.perf_counter()
    initial = request.initial
    if initial is not None:  # the others failed
        initial = initial[np.isfinite(initial).all(axis=1)]
    threads = request.threads or available_threads()
    wanted = request.wanted or Wanted(request.ntraj)
    what = "preparing it and the pilot of its step"
    watch = partial(request.watch, done=what)
    wanted = replace(wanted, threads=threads, watch=watch)
    choice = choose(text, tlist, PILOT_SEED, request.single, initial, wanted)
    stats: dict[str, Any] = {
        "pilot_time": time.perf_counter() - start - choice.compile_seconds,
        "pilot_work": choice.work,
        "pilot_needed": choice.needed,
        "compile_time": choice.compile_seconds,
        "step_difference": choice.difference,
        "step_difference_sem": choice.sem,
        "step_met": choice.met,
        "step_checked_until": choice.until,
        "step_choice": choice.note,
    }
    step, even = choice.dt, choice.schedule.steps
    if linked:
        step, even, where = delayed_step(text, tlist, step)
        stats["step_choice"] += f"; {where}"
    return Prepared(step, even, choice.scheme, stats, dict(choice.errors), choice.exact)


def simulate(
    text: KernelText,
    tlist: NDArray[np.float64],
    batched: NDArray[np.int64],
    request: Request,
    prepared: Prepared | None = None,
) -> Outcome:
    """Run trajectories until ``ntraj``, the target, the timeout or an interrupt."""
    start = request.start
    stats: dict[str, Any] = {"warnings": []}
    if prepared is None:
        prepared = prepare(text, tlist, request)
    text = text.by(prepared.scheme)
    dt, pilot = prepared.step, prepared.stats
    stats.update(pilot)
    schedule = Schedule.of(tlist, prepared.even)
    grid = Grid.make(schedule.nodes, dt)
    given = {} if request.initial is None else {"start": request.initial}
    kernel = request.kernel(text, grid, single=request.single, batched=batched, **given)
    stats.update(
        steps=int(grid.nsteps.sum()),
        steps_per_trajectory=int(grid.nsteps.sum()),
        compile_time=pilot.get("compile_time", 0.0) + kernel.compile_seconds,
        preparation_time=time.perf_counter() - start,
        precision="single" if request.single else "double",
        lanes=kernel.lanes,
        scheme=text.system.scheme,
    )
    clock = start + stats["compile_time"]  # of ``timeout``
    piloted = (
        f", of that {pilot['pilot_time']:.3g} s into its pilot" if "pilot_time" in pilot else ""
    )
    request.watch(stats["compile_time"], f"preparing it{piloted}")
    with Interrupts(terminate=request.keeper is not None) as interrupts:
        run = Loop(kernel, text, request, interrupts, batched, schedule)
        interrupts.armed = True
        stats["target"], stats["device"] = run.pool.target, run.pool.device
        try:
            state = None
            if request.keeper is not None:
                state = request.keeper.open(kernel, dt, stats, run.pool.target)
            if state is not None:
                stats["resumed"] = state.samples.ntraj
                run.state = state
            run.run(clock)
        finally:
            run.close()
    if run.lost:
        stats["warnings"].append(f"{run.lost} What was finished is here.")
    samples, fresh = run.state.samples, run.state.samples.ntraj - stats.get("resumed", 0)
    stats.update(
        stopped_because=run.stopped,
        failed=samples.failed,
        threads=run.workers,
        run_time=run.seconds,
        wall_time=time.perf_counter() - start,
        chunks=run.state.done,
        digests=run.state.digests,
        work=samples.ntraj * stats["steps"] * text.work + pilot.get("pilot_work", 0),
        ns_per_trajectory_step=1e9 * run.seconds * run.workers / max(1, fresh * stats["steps"]),
    )
    locals_ = (
        samples.ntraj
        * (stats["steps"] * text.work + grid.nsteps.size)
        * sum(text.system.blocks[s.block].size for s in text.system.local)
    )
    locals_ += samples.ntraj * stats["steps"] * text.roots
    if locals_:
        stats["clipped"] = run.state.clips / locals_
    if text.measures_length:
        length = run.state.short / np.maximum(samples.count, 1)
        stats["length_drift"] = float(np.abs(length / length[0] - 1).max())
    elif text.diagnostic:
        stats["short_spins"] = float(np.max(run.state.short / np.maximum(samples.count, 1)))
    final = None
    if request.keep:
        final = np.concatenate(run.final)[: samples.ntraj].astype(float)
    return Outcome(samples.outputs(schedule), float(grid.hs.max()), stats, final, prepared)


LEAST = 1e-9  # seconds per trajectory, step and variable, at least
CRUDE = 1.0  # seconds below which that lower bound will do
LOOK = 2e6  # trajectories times steps times variables that are timed
_REMEDY = "ask for fewer output times, observables or kept samples, or shorter delays of links"


def memory(
    text: KernelText,
    times: int,
    batched: int,
    steps: float,
    request: Request,
    dt: float | None = None,
) -> float:
    """Bytes at least: sums of every task under way, the step grid, what is kept."""
    threads = request.threads or available_threads()
    sums = 8.0 * times * (2 * text.channels_total + 40 + 32 * batched)
    grid = steps * (24.0 + 8 * len(text.layout.parameters.time_parts))
    state = text.layout.state_slots
    rings = 0.0
    if dt is not None and text.links:
        wide = text.links.wide(np.array([dt]))
        state += wide
        rings = float(wide) * lanes_for(text) * (4 if request.single else 8)  # of a task
    kept = 12.0 * state * request.ntraj if request.keep else 0.0
    return sums * (2 * threads + 2) + rings * threads + grid + kept


def check_outputs(text: KernelText, tlist: NDArray[np.float64], request: Request) -> None:
    """Refuse what already the outputs of a run would need.

    Raises:
        Beyond: more memory than this machine has.
    """
    need = memory(text, tlist.size, 0, 0.0, request)
    check_memory(need, f"A run of {request.ntraj} trajectories and {tlist.size} times", _REMEDY)


def announce_run(
    text: KernelText,
    tlist: NDArray[np.float64],
    batched: NDArray[np.int64],
    request: Request,
    dt: float,
) -> float:
    """Say what a run at steps of ``dt`` needs; seconds that compiling took for that.

    Raises:
        Beyond: more memory than this machine has.
    """
    steps = float(np.sum(Grid.checked(tlist, dt)))
    threads = request.threads or available_threads()
    need = memory(text, tlist.size, batched.size, steps, request, dt)
    what = f"{request.ntraj} trajectories of {steps:.0f} steps and {tlist.size} times"
    check_memory(need, what, _REMEDY)  # before any is timed
    seconds = LEAST * request.ntraj * steps * text.layout.state_slots / threads
    listener, compiling = LISTENER.get(), 0.0
    if listener is not None and (listener.precise or listener.number * seconds > CRUDE):
        seconds, compiling = _timed(text, tlist, batched, request, dt, steps)
        seconds /= min(threads, -(-request.ntraj // 32))
    announce(seconds, need, what, _REMEDY)
    return compiling


def _timed(
    text: KernelText,
    tlist: NDArray[np.float64],
    batched: NDArray[np.int64],
    request: Request,
    dt: float,
    steps: float,
) -> tuple[float, float]:
    """Seconds of one thread, and of compiling, from as many of the first steps as are quick."""
    some = max(2.0, LOOK / (128 * text.layout.state_slots))
    counted = np.cumsum(Grid.count(tlist, dt))
    if counted[0] > some:
        times = np.array([tlist[0], tlist[0] + some * dt])
    else:
        times = tlist[: 1 + int(np.searchsorted(counted, some, "right"))]
    grid = Grid.make(times, dt)
    given = {} if request.initial is None else {"start": request.initial}
    kernel = request.kernel(text, grid, single=request.single, batched=batched, **given)
    # of this thread's processor time, since others may be at work; a GPU has none of that
    clock = time.thread_time if isinstance(kernel, CpuKernel) else time.perf_counter
    each = []
    for _ in range(3):
        begin = clock()
        kernel.simulate(0, 1, request.ntraj, request.seed)
        each.append(clock() - begin)
    share = steps / float(grid.nsteps.sum())
    seconds = min(each) * share * -(-request.ntraj // kernel.lanes)
    return seconds, kernel.compile_seconds
