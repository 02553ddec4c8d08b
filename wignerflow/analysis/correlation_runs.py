r"""Runs of trajectories for correlations at two times, and responses to kicks between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..estimate import check_memory
from ..exact.jump_correlations import Correlated
from ..exact.jumps import QuantumJumps, collected
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..model.coefficients import coef
from ..model.model import Model
from ..model.operators import Op
from ..observables import Plan, flatten
from ..phasespace.twa import TWA
from ..result.accuracy import PlanColumns
from ..run.bounds import pace
from ..run.delays import even_times
from ..run.driver import prepare
from ..run.loop import Request
from ..run.pilot import Wanted
from ..run.pool import available_threads
from ..run.record import UntilCtrlC, records
from ..run.statistics import BATCHES
from .correlation_result import Asked, Correlation, CorrelationSums
from .relaxation import check_failed

AVERAGED = 8  # independent origins of a trajectory in a steady state, about
KICK = 0.02  # strength of a kick, over the largest coefficient of B
KICK_STEPS = 8  # steps that resolve its pulse
KICK_LENGTH = 0.02  # of the pulse, in steps of the run and in delays: it blurs less than they do
KICK_TURN = 2e-4  # and in inverse rates of the model, as an exact step may be as long as the run


class Runs:
    """Trajectories of a model, and of the model with kicks.

    Args:
        model, engine: the master equation, and the form of the TWA.
        base, plan: operators, and how they are read.
        request: trajectories, seed, precision, threads, step.
        start: the earlier time.
        taus: delays.
        steady: average over as many earlier times as there are delays.
    """

    def __init__(
        self,
        model: Model,
        engine: TWA,
        base: Any,
        plan: Plan,
        request: Request,
        start: float,
        taus: NDArray[np.float64],
        steady: bool,
    ):
        # of sums, and of products of a chunk
        need = 16.0 * BATCHES * taus.size * (2 + (8 if steady else 3))
        check_memory(need, f"A correlation at {taus.size} delays", "ask for fewer `taus`")
        self.model, self.engine, self.base, self.plan = model, engine, base, plan
        self.request, self.start, self.taus = request, start, taus
        self.origins = taus.size if steady else 1
        slots = plan.slots
        self.slots = [slots[o.inputs[""]] for o in plan.observables]
        later = np.arange(1, 2 * taus.size - 1) * taus[-1] / (taus.size - 1) if steady else taus
        if model.links:
            self.times, start = even_times(start, later, steady)
            self.start = start
        else:
            self.times = np.unique(np.concatenate([[0.0, start], start + later]))
        half = 0.5 * np.min(np.diff(self.times), initial=1.0)  # times differ by rounding
        self.at = np.searchsorted(self.times, start + taus - half)
        self.first = int(np.searchsorted(self.times, start - half))
        self.text = self._text(model)
        # averages over origins have smaller errors than one
        count = request.ntraj * (AVERAGED if steady else 1)
        request.wanted = Wanted(count, columns=PlanColumns(plan, {}))
        prepared = prepare(self.text, self.times, request)
        self.dt, self.errors = prepared.step, prepared.errors
        rate = pace(self.text.system, self.times)
        short = (
            KICK_LENGTH * min(self.dt, *np.diff(taus)) if taus.size > 1 else KICK_LENGTH * self.dt
        )
        self.kick = min(short, KICK_TURN / rate) if rate > 0 else short

    def _text(self, model: Model) -> KernelText:
        system, symbols = self.engine.lower(model, self.base, self.times)
        readouts = [Readout(symbols[k], self.plan.base[k].is_complex) for k in self.base]
        return KernelText(system, readouts)

    def sizes(self) -> dict[str, float]:
        """By name of operator, the root mean square of its symbol from the first origin on."""
        few = replace(self.request, ntraj=BATCHES)

        def squares(values: Any, counts: Any) -> list[float]:
            read = (slot.read(values)[counts, self.first :] for slot in self.slots)
            return [float(np.mean(np.abs(x) ** 2)) for x in read]

        (found,) = records(self.text, self.times, self.dt, few, squares)
        names = [o.name for o in self.plan.observables]
        return dict(zip(names, np.sqrt(found), strict=True))

    def sums(self, plain: bool) -> CorrelationSums:
        """Run all trajectories."""
        runs = [records(self.text, self.times, self.dt, self.request, self._products)]
        factors: list[complex] = []
        if plain:
            for unit, (strength, part) in _hermitian_parts(list(self.base.values())[-1]):
                factors.append(0.5j * unit / (2 * strength))
                runs += [self._kicked(sign * strength * part) for sign in (1, -1)]

        def one(free: Any, *kicked: Any) -> Any:
            C, A, B, counts = free
            for k, factor in enumerate(factors):
                (plus, alive), (minus, other) = kicked[2 * k : 2 * k + 2]
                C = C + factor * (plus - minus)
                counts = counts & alive & other
            return C, A, B, counts

        return self._added(runs, one)

    def _added(
        self, runs: list[Any], one: Callable[..., tuple[Any, Any, Any, Any]]
    ) -> CorrelationSums:
        """Sums of what ``one`` makes of the same chunk of all runs, up to a Ctrl-C."""
        out, left = CorrelationSums(self.taus.size), self.request.ntraj
        with UntilCtrlC(*runs) as parts:
            for chunk in parts:
                out.add(*one(*chunk), min(left, BATCHES))
                left -= BATCHES
        self.done = min(parts.parts * BATCHES, self.request.ntraj)
        self.stopped = "interrupted" if parts.interrupted else "ntraj"
        return out

    def _products(self, values: Any, counts: Any) -> Any:
        a, b = (slot.read(values) for slot in self.slots)
        n, T = self.origins, self.taus.size
        if n == 1:
            later, now = a[:, self.at], b[:, self.first]
            return later * now[:, None], later, now, counts
        a, b = a[:, self.first :], b[:, self.first : self.first + n]
        size = scipy.fft.next_fast_len(a.shape[1] + n)
        product = scipy.fft.fft(a, size) * scipy.fft.fft(b.conj(), size).conj()
        C = scipy.fft.ifft(product)[:, :T] / n
        sums = np.cumsum(np.concatenate([np.zeros((len(a), 1)), a], axis=1), axis=1)
        return C, (sums[:, n : n + T] - sums[:, :T]) / n, b.mean(axis=1), counts

    def _kicked(self, kick: Op) -> Any:
        """A(t + tau) of trajectories kicked just before the first origin."""
        model, times, _ = self.pulsed([kick])
        at = np.searchsorted(times, self.start + self.taus)

        def later(values: Any, counts: Any) -> Any:
            return self.slots[0].read(values)[:, at], counts

        return records(self._text(model), times, self.dt, self.request, later)

    def pulsed(self, kicks: Sequence[Op]) -> tuple[Model, NDArray[np.float64], list[int]]:
        """The model kicked by exp(-i kick) one after the other just before the first origin.

        Also its output times, and the places among them where the kicks begin, and the last ends.
        """
        length = min(self.kick, 0.5 * self.start / len(kicks)) if self.start else self.kick
        H, inner, starts = self.model.H, [], []
        for k, kick in enumerate(kicks):
            begin = self.start - (len(kicks) - k) * length
            starts.append(begin)
            inner.append(begin + length * np.arange(KICK_STEPS + 1) / KICK_STEPS)
            if not kick.is_zero():
                H = H + coef(_pulse(begin, length)) * kick
        initial = {s: v[0] if s.count is None else v for s, v in self.model.initial.items()}
        model = Model(H, self.model.jumps, initial=initial)
        # two kicks share a time up to rounding
        pulses = np.unique(np.concatenate([x[:-1] for x in inner]))
        origin = min(starts[0], 0.0)
        times = np.unique(np.concatenate([[origin], pulses, self.start + self.taus]))
        return model, times, [int(np.argmin(np.abs(times - x))) for x in (*starts, self.start)]


def _pulse(begin: float, length: float) -> Callable[[float], float]:
    """A smooth pulse of area one."""

    def pulse(t: float) -> float:
        x = (t - begin) / length
        return 2 / length * np.sin(np.pi * x) ** 2 if 0 < x < 1 else 0.0

    return pulse


class OrderedRuns(Runs):
    r"""Trajectories for <A(t) X(t + tau) D(t)>, of the operators A, X, D in this order.

    Multiplied from the left by D, a density matrix is half an anticommutator, in the Wigner
    representation a product with the symbol d, and half a commutator, the response to a kick by D;
    from the right by A, likewise. One after the other that is

    .. math:: \overline{(a - \tfrac i2\partial_A)(d + \tfrac i2\partial_D)\, x(t + \tau)} ,

    a read before both kicks, d between them.
    """

    def sums(self, plain: bool = True) -> CorrelationSums:
        """Run all trajectories."""
        runs = [records(self.text, self.times, self.dt, self.request, self._plain)]
        weights = []
        keys = [o.inputs[""] for o in self.plan.observables]
        first, last = (_hermitian_parts(self.base[keys[k]]) for k in (0, 2))
        for unit_a, p in first:
            for unit_d, q in last:
                weights.append((unit_a, p[0], unit_d, q[0]))
                runs += [
                    self._twice(x * p[0] * p[1], y * q[0] * q[1]) for x in (1, -1) for y in (1, -1)
                ]

        def one(free: Any, *kicked: Any) -> Any:
            C, counts = free
            for k, (unit_a, e, unit_d, f) in enumerate(weights):
                four = kicked[4 * k : 4 * k + 4]
                for *_, alive in four:
                    counts = counts & alive
                (app, dpp, xpp), (apm, dpm, xpm), (amp, dmp, xmp), (amm, dmm, xmm) = (
                    (a[:, None], d[:, None], x) for a, d, x, _ in four
                )
                # each first derivative once: from the first kick on the other side
                if k % len(last) == 0:
                    by_a = (dpp * xpp + dpm * xpm - dmp * xmp - dmm * xmm) / (4 * e)
                    C = C - 0.5j * unit_a * by_a
                if k < len(last):
                    by_d = (app * xpp - apm * xpm + amp * xmp - amm * xmm) / (4 * f)
                    C = C + 0.5j * unit_d * by_d
                both = (xpp - xpm - xmp + xmm) / (4 * e * f)
                C = C + 0.25 * unit_a * unit_d * both
            return C, np.zeros_like(C), np.zeros(len(C), complex), counts

        return self._added(runs, one)

    def _plain(self, values: Any, counts: Any) -> Any:
        a, x, d = (slot.read(values) for slot in self.slots)
        now = (a[:, self.first] * d[:, self.first])[:, None]
        return now * x[:, self.at], counts

    def _twice(self, first: Op, last: Op) -> Any:
        model, times, (before, between, _) = self.pulsed([first, last])
        at = np.searchsorted(times, self.start + self.taus)

        def read(values: Any, counts: Any) -> Any:
            a, x, d = (slot.read(values) for slot in self.slots)
            return a[:, before], d[:, between], x[:, at], counts

        return records(self._text(model), times, self.dt, self.request, read)


def _hermitian_parts(op: Op) -> list[tuple[complex, tuple[float, Op]]]:
    """P and Q of P + iQ that are not zero, each with its unit and a strength for kicks."""
    parts = [(1, (op + op.dag()) / 2), (1j, (op - op.dag()) / 2j)]
    return [(u, (KICK / max(map(abs, p.terms.values())), p)) for u, p in parts if not p.is_zero()]


def check_order(ask: Asked, engine: Any) -> None:
    """Refuse what trajectories cannot keep the order of."""
    if len(ask.ops) == 2 or not isinstance(engine, TWA):
        return
    kept = "'exact' or 'jumps' keep the order of any"
    for sub in ask.model.subsystems:
        if not hasattr(sub, "numbers") and not hasattr(sub, "lengths") and sub.kind != "mode":
            raise ValueError(
                f"Method {engine!r} does not keep the order of four operators for {sub.name!r}: a "
                f"single spin has no such product. Methods {kept}."
            )
    for name, op in (("A", ask.ops[0]), ("D", ask.ops[3])):
        for _, times, factors in op.expand():
            if len(factors) > 1 or any(len(word) > 1 for _, _, word in factors) or times:
                raise ValueError(
                    f"Method {engine!r} does not keep the order of four operators where `{name}` "
                    f"is not linear in a, a^+ and J, but it was {op!r}. Methods {kept}."
                )
    if ask.model.links:
        raise ValueError(
            f"Method {engine!r} does not keep the order of four operators with delayed links."
        )


def by_runs(ask: Asked, engine: TWA | QuantumJumps, start: float) -> Correlation:
    """By trajectories or quantum jumps, with the earlier time at ``start`` or after it."""
    if isinstance(engine, TWA):
        return trajectories(ask, engine, start)
    return jumps(ask, engine, start)


def trajectories(ask: Asked, engine: TWA, start: float) -> Correlation:
    """By trajectories of the TWA."""
    if len(ask.ops) == 4:
        A, B, C, D = ask.ops
        ops = {"A": A, "X": B * C, "D": D}
    else:
        ops = dict(zip("AB", ask.ops, strict=True))
    _, base, plan = flatten(ops, ask.model.subsystems)
    kind = OrderedRuns if len(ask.ops) == 4 else Runs
    steady = ask.start is None and kind is Runs
    run = kind(ask.model, engine, base, plan, ask.request, start, ask.taus, steady)
    sums = run.sums(ask.order == "plain")
    check_failed(sums.failed, run.done)
    value, sem, without = sums.result(ask.connected)
    stats = {
        "start": start,
        "origins": run.origins,
        "failed": sums.failed,
        "stopped_because": run.stopped,
    }
    return Correlation(
        ask.taus, value, sem, ask.order, ask.labels, ask.is_power, engine.name,
        run.done, ask.request.seed, run.dt, stats, without, step_error=_step_error(run, value),
    )  # fmt: skip


def _step_error(run: Runs, value: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The relative errors of the factors, added; NaN where a step was given, or after a Ctrl-C."""
    unknown = np.full(value.shape, np.nan)
    if not run.errors or run.stopped == "interrupted":
        return unknown
    try:
        sizes = run.sizes()
    except KeyboardInterrupt:  # the result is there
        return unknown
    total = 0.0
    for name, size in sizes.items():
        errors = run.errors[name][run.first :]
        total += float(errors.max(initial=0.0)) / size if size > 0 else 0.0
    return np.full(value.shape, total * float(np.abs(value).max(initial=0.0)))


def jumps(ask: Asked, engine: QuantumJumps, start: float) -> Correlation:
    """By quantum jumps."""
    one = Op.scalar(1)
    if len(ask.ops) == 4:
        first, *inner, last = ask.ops
        X, pieces = inner[0] * inner[1], [(1.0 + 0j, first, last)]
    else:
        X, B = ask.ops
        pieces = [(1.0 + 0j, one, B)]
        if ask.order == "symmetric":
            pieces = [(0.5 + 0j, B, one), (0.5 + 0j, one, B)]
    request = ask.request
    run = Correlated(
        ask.model, X, pieces, start, ask.taus, request.seed, engine.memory, ask.connected
    )
    threads = request.threads or available_threads()
    total, kept, stopped = collected(run, request.ntraj, threads, None, 0.0, True)
    sums = CorrelationSums(ask.taus.size)
    for values in kept:
        for part in (values[k : k + BATCHES] for k in range(0, len(values), BATCHES)):
            rows = np.zeros((BATCHES, *part.shape[1:]), complex)
            rows[: len(part)] = part
            there = np.arange(BATCHES) < len(part)
            sums.add(rows[:, 0], rows[:, 1], rows[:, 2, 0], there, len(part))
    value, sem, without = sums.result(ask.connected)
    stats = {
        "start": start,
        "origins": 1,
        "failed": 0,
        "jumps": run.counted(total.n),
        "stopped_because": stopped,
    }
    none = np.zeros(ask.taus.size)
    return Correlation(
        ask.taus, value, sem, ask.order, ask.labels, ask.is_power, engine.name, total.n,
        request.seed, None, stats, without, step_error=none,
    )  # fmt: skip
