r"""Two-time correlations: averages of products along trajectories, or quantum regression.

In the Wigner representation the average of a product of symbols at two times of one trajectory is
the symmetrised correlation,

.. math:: C(\tau) = \tfrac12\langle\{A(t+\tau), B(t)\}\rangle = \overline{A(t+\tau)\,B(t)} ,

up to second-order terms of the bracket between the two symbols, which vanish at :math:`\tau = 0`
for A and B linear in J, sigma or a. The rest of the plain correlation is half a commutator, that
is a response: with a kick :math:`H \to H + \epsilon\,\delta(t' - t) B` just before t,

.. math:: \langle A(t+\tau) B(t)\rangle = C(\tau) + \tfrac{i}{2}
          \frac{\partial\,\overline{A(t+\tau)}}{\partial\epsilon} .

The derivative is taken between trajectories with equal random numbers and opposite kicks.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .. import _check
from .._check import Times
from ..estimate import check_memory
from ..exact import regression
from ..exact.engine import Exact
from ..html import curve, table
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..method import AnyMethod, Precision
from ..model.coefficients import coef
from ..model.model import Model
from ..model.operators import Op
from ..observables import Plan, flatten
from ..phasespace.twa import TWA
from ..result import format_value
from ..run.bounds import pace
from ..run.delays import even_times
from ..run.driver import Request, prepare
from ..run.record import records
from ..run.statistics import BATCHES
from ..solving import (
    FAILED_LIMIT,
    check_treats,
    resolve_method,
    seed_of,
    threads_of,
    trajectories_of,
)
from ..solving.options import truncation_of
from .correlation_sums import CorrelationSums
from .steady_state import steady_state

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

KICK = 0.02  # strength of a kick, over the largest coefficient of B
KICK_STEPS = 8  # steps that resolve its pulse
KICK_LENGTH = 0.02  # of the pulse, in steps of the run and in delays: it blurs less than they do
KICK_TURN = 2e-4  # and in inverse rates of the model, as an exact step may be as long as the run


@dataclass
class Correlation:
    """A two-time correlation over delays.

    Attributes:
        taus: delays, shape (T,).
        value: complex, shape (T,).
        sem: standard error of the real part + 1j * that of the imaginary part; zero if exact.
        order: "symmetric", "plain" or "time-ordered".
        labels: A and B (and C and D) as text.
        method, ntraj, seed, dt: of the run.
        stats: "start" (time t of B), "origins" (times t averaged over), "failed", "wall_time", …
        leave_one_out: the value without each batch of trajectories, (batches, T); None if exact.
        truncation: estimate of the method's own error, (T,), NaN where there is none; None if exact
            or not asked for.
    """

    taus: NDArray[np.float64]
    value: NDArray[np.complex128]
    sem: NDArray[np.complex128]
    order: str
    labels: tuple[str, ...]
    is_power: bool
    method: str
    ntraj: int = 0
    seed: int | None = None
    dt: float | None = None
    stats: dict[str, Any] = field(default_factory=dict)
    leave_one_out: NDArray[np.complex128] | None = None
    truncation: NDArray[np.float64] | None = None

    @property
    def formula(self) -> str:
        """What was averaged, as text."""
        if len(self.labels) == 4:
            first, second, third, last = self.labels
            return f"<{first}(t) {second}(t+τ) {third}(t+τ) {last}(t)>"
        A, B = self.labels
        return f"<{{{A}(t+τ), {B}(t)}}>/2" if self.order == "symmetric" else f"<{A}(t+τ) {B}(t)>"

    def __repr__(self) -> str:
        head = f"Correlation({self.formula}, method={self.method!r}"
        if self.ntraj:
            head += f", ntraj={self.ntraj}, seed={self.seed}"
        shown = np.unique(np.linspace(0, len(self.taus) - 1, 4).astype(int))
        rows = [
            f"  τ = {self.taus[k]:<8.4g} {format_value(self.value[k], self.sem[k])}" for k in shown
        ]
        return "\n".join([head + ")", *rows])

    def _repr_html_(self) -> str:
        title, *rows = repr(self).split("\n")
        return table(title, ("over τ",), [(curve(self.taus, self.value, "correlation"),)], rows)

    def to_xarray(self) -> xarray.Dataset:
        """``correlation`` and ``correlation_sem`` over ``tau``."""
        import xarray

        data: dict[str, Any] = {
            "correlation": ("tau", self.value),
            "correlation_sem": ("tau", self.sem),
        }
        if self.truncation is not None:
            data["correlation_truncation"] = ("tau", self.truncation)
        facts = {"formula": self.formula, "method": self.method, "ntraj": self.ntraj}
        return xarray.Dataset(data, {"tau": self.taus}, facts)

    def plot(self, ax: Axes | None = None, label: str | None = None, **options: Any) -> Axes:
        """Real (solid) and imaginary part (dashed) over the delay, with bands of one error.

        ``options`` go to ``ax.plot``.
        """
        from ..plot import new_figure

        if ax is None:
            ax = new_figure(1)[1][0, 0]
        lines: list[Any] = []
        for part, error, style in (
            (self.value.real, self.sem.real, "-"),
            (self.value.imag, self.sem.imag, "--"),
        ):
            colour = lines[0].get_color() if lines else None
            name = (label or self.method) if not lines else None
            styled = {"linestyle": style, "label": name, **options}
            lines += ax.plot(self.taus, part, **({"color": colour} if colour else {}) | styled)
            lower, upper = part - error, part + error
            ax.fill_between(self.taus, lower, upper, color=lines[0].get_color(), alpha=0.25, lw=0)
        ax.set(xlabel=r"$\tau$", ylabel=self.formula)
        return ax


def correlation(
    model: Model,
    A: Op | None = None,
    B: Op | None = None,
    taus: Times | None = None,
    *,
    ops: Sequence[Op] | None = None,
    t: float | str = "steady",
    method: AnyMethod = "twa",
    order: str = "symmetric",
    connected: bool = False,
    ntraj: int = 1000,
    seed: int | None = None,
    dt: float | None = None,
    precision: Precision = "single",
    threads: int | None = None,
    relax: float | None = None,
    truncation: bool | str | None = None,
) -> Correlation:
    r"""A two-time correlation, with standard errors.

    ``correlation(model, A, B, taus)`` is that of two operators;
    ``correlation(model, taus=taus, ops=(A, B, C, D))`` the time-ordered one of four,

    .. math:: \langle A(t) B(t+\tau) C(t+\tau) D(t)\rangle ,

    which a detector of photons sees: with (a+, a+, a, a) it is g2(tau) before it is normalised.
    Only "exact" keeps that order of operators.

    Args:
        model: the master equation; its initial state holds at time 0.
        A: operator at the later time.
        B: operator at the earlier time.
        taus: delays, ascending from 0 or later, shape (T,). In a steady state of trajectories they
            must start at 0 and be evenly spaced: every trajectory is then averaged over as many
            times t as there are delays.
        ops: A, B, C and D, in place of A and B.
        t: time of B (of A and D, of four), or "steady" for the steady state that the initial state
            reaches.
        method: "twa" (or ``wf.TWA(...)``), or "exact": quantum regression.
        order: "symmetric" gives :math:`\langle\{A(t+\tau), B(t)\}\rangle/2`, "plain"
            :math:`\langle A(t+\tau)B(t)\rangle`, for which trajectories are also kicked by B.
        connected: subtract :math:`\langle A(t+\tau)\rangle\langle B(t)\rangle`.
        ntraj: trajectories, at least 64; each is one independent number for the errors.
        seed, dt, precision, threads: as in :func:`wignerflow.solve`.
        relax: time after which trajectories count as steady; None detects it by
            :func:`wignerflow.steady_state` on A, B, A^+A and B^+B.
        truncation: as in :func:`wignerflow.solve`; from the exact correlation only, where that is
            quick, else NaN.

    Returns:
        A :class:`Correlation`.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement; the method has neither
            Wigner trajectories nor a density matrix; more than 1 % of the trajectories failed.
        NotUnique, NotRelaxed: no steady state (ValueErrors).
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    if ops is not None:
        plain = A is None and B is None and order == "symmetric" and not connected
        if not plain:
            must = "stand alone: without `A`, `B`, `order` and `connected`"
            _check.fail("ops", must, _check.Note("one beside them"))
        return _time_ordered(model, ops, taus, t, method)
    for name, op in (("A", A), ("B", B)):
        if not isinstance(op, Op):
            _check.fail(name, "be an operator", op, kind=TypeError)
    assert A is not None and B is not None
    _, base, plan = flatten({"A": A, "B": B}, model.subsystems)
    delays, start = _delays(taus), _start(t, model)
    _check.one_of("order", order, ["symmetric", "plain"])
    stated = truncation_of(truncation)
    if model.links and order == "plain":
        _check.fail("order", 'be "symmetric" for a model with delayed links', order)
    count = trajectories_of(ntraj, 2 * BATCHES)
    engine = resolve_method(method)
    check_treats(engine, model)
    begin = time.perf_counter()
    power = B == A.dag()
    labels = repr(A), repr(B)
    if isinstance(engine, Exact):
        exact = regression.correlation(
            model, A, B, delays, start, rtol=engine.rtol, memory=engine.memory
        )
        value = exact.symmetric if order == "symmetric" else exact.plain
        if connected:
            value = value - exact.mean_a * exact.mean_b
        stats = {**exact.stats, "wall_time": time.perf_counter() - begin}
        for message in stats.get("warnings", ()):
            warnings.warn(message, UserWarning, stacklevel=2)
        none = np.zeros(delays.size, complex)
        return Correlation(delays, value, none, order, labels, power, engine.name, stats=stats)
    if not isinstance(engine, TWA):
        raise ValueError(f"Method {engine!r} has no two-time correlations; use 'twa' or 'exact'.")
    number = seed_of(seed)
    single = _check.one_of("precision", precision, ["single", "double"]) == "single"
    workers = threads_of(threads)
    step = None if dt is None else _check.positive("dt", dt)
    request = Request(count, number, single, workers, dt=step)
    steady = start is None
    if start is None:
        _even(delays)
        start = _relaxed(model, A, B, engine, number, relax)
    run = _Run(model, engine, base, plan, request, start, delays, steady)
    sums = run.sums(order == "plain")
    if sums.failed > FAILED_LIMIT * count:
        raise ValueError(
            f"{sums.failed} of {count} trajectories became non-finite; use a smaller `dt`."
        )
    value, sem, without = sums.result(connected)
    stats = {
        "start": start,
        "origins": run.origins,
        "failed": sums.failed,
        "wall_time": time.perf_counter() - begin,
    }
    out = Correlation(
        delays, value, sem, order, labels, power, engine.name, count, number, run.dt, stats, without
    )
    if stated:
        from .correlation_truncation import state

        state(out, model, A, B, None if steady else start, connected, stated == "full")
    return out


def _time_ordered(model: Model, ops: Any, taus: Any, t: Any, method: Any) -> Correlation:
    """<A(t) B(t+tau) C(t+tau) D(t)>."""
    if not isinstance(ops, Sequence) or len(ops) != 4 or not all(isinstance(o, Op) for o in ops):
        _check.fail("ops", "be four operators, (A, B, C, D)", ops, kind=TypeError)
    flatten(dict(zip("ABCD", ops, strict=True)), model.subsystems)
    delays, start = _delays(taus), _start(t, model)
    engine = resolve_method(method)
    if not isinstance(engine, Exact):
        raise ValueError(
            f"Method {engine!r} does not keep the order of four operators at two times; use "
            "method='exact'."
        )
    check_treats(engine, model)
    begin = time.perf_counter()
    A, B, C, D = ops
    value, facts = regression.time_ordered(
        model, (A, B, C, D), delays, start, rtol=engine.rtol, memory=engine.memory
    )
    stats = {**facts, "wall_time": time.perf_counter() - begin}
    for message in stats.get("warnings", ()):
        warnings.warn(message, UserWarning, stacklevel=3)
    labels = (repr(A), repr(B), repr(C), repr(D))
    none = np.zeros(delays.size, complex)
    return Correlation(delays, value, none, "time-ordered", labels, False, engine.name, stats=stats)


def _delays(taus: Any) -> NDArray[np.float64]:
    delays = _check.numeric_array("taus", taus, float)
    if delays.ndim != 1 or not delays.size or np.any(np.diff(delays) <= 0) or delays[0] < 0:
        _check.fail("taus", "ascend from 0 or later", taus)
    return delays


def _start(t: Any, model: Model) -> float | None:
    if isinstance(t, str):
        _check.one_of("t", t, ["steady"])
        if model.coefficients:
            raise ValueError(
                "A steady state needs a model that is constant in time; give a time `t`."
            )
        return None
    value = _check.real("t", t)
    if value < 0:
        _check.fail("t", "be at least 0, where the initial state holds, or 'steady'", t)
    return value


def _even(taus: NDArray[np.float64]) -> None:
    gaps = np.diff(taus)
    if taus.size < 2 or taus[0] != 0 or np.ptp(gaps) > 1e-9 * taus[-1]:
        hint = "For example `np.linspace(0, 10, 201)`; or give a time `t`."
        _check.fail("taus", "start at 0 and be evenly spaced in a steady state", taus, hint)


def _relaxed(model: Model, A: Op, B: Op, engine: Any, seed: int, relax: float | None) -> float:
    """Time from which the steady state holds."""
    if relax is not None:
        return _check.positive("relax", relax)
    ops = {"A": A, "B": B, "AA": A.dag() * A, "BB": B.dag() * B}
    found = steady_state(model, ops, engine, ntraj=512, seed=seed, unique=False, truncation=False)
    return float(found.stats["relaxed"])


class _Run:
    """Trajectories of a model, and of the model with kicks."""

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
        slots = plan.slots()
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
        self.dt = prepare(self.text, self.times, request).step
        rate = pace(self.text.system, self.times)
        short = (
            KICK_LENGTH * min(self.dt, *np.diff(taus)) if taus.size > 1 else KICK_LENGTH * self.dt
        )
        self.kick = min(short, KICK_TURN / rate) if rate > 0 else short

    def _text(self, model: Model) -> KernelText:
        system, symbols = self.engine.lower(model, self.base, self.times)
        readouts = [Readout(symbols[k], self.plan.base[k].is_complex) for k in self.base]
        return KernelText(system, readouts)

    def sums(self, plain: bool) -> CorrelationSums:
        """Run all trajectories."""
        out = CorrelationSums(self.taus.size)
        left = self.request.ntraj
        runs = [records(self.text, self.times, self.dt, self.request, self._products)]
        factors: list[complex] = []
        if plain:
            B = list(self.base.values())[-1]
            for unit, part in ((1, (B + B.dag()) / 2), (1j, (B - B.dag()) / 2j)):
                if not part.is_zero():
                    strength = KICK / max(map(abs, part.terms.values()))
                    factors.append(0.5j * unit / (2 * strength))
                    runs += [self._kicked(sign * strength * part) for sign in (1, -1)]
        for (C, A, B, counts), *kicked in zip(*runs, strict=True):
            for k, factor in enumerate(factors):
                (plus, alive), (minus, other) = kicked[2 * k : 2 * k + 2]
                C = C + factor * (plus - minus)
                counts = counts & alive & other
            out.add(C, A, B, counts, min(left, BATCHES))
            left -= BATCHES
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
        """A(t + tau) of trajectories kicked by exp(-i kick) just before the first origin."""
        length = min(self.kick, 0.5 * self.start) if self.start else self.kick
        begin = self.start - length
        inner = begin + length * np.arange(KICK_STEPS + 1) / KICK_STEPS

        def pulse(t: Any) -> Any:
            x = (np.asarray(t, float) - begin) / length
            return np.where((x > 0) & (x < 1), 2 / length * np.sin(np.pi * x) ** 2, 0.0)

        H = self.model.H + coef(pulse) * kick
        initial = {s: v[0] if s.count is None else v for s, v in self.model.initial.items()}
        model = Model(H, self.model.jumps, initial=initial)
        origin = min(begin, 0.0)
        times = np.unique(np.concatenate([[origin], inner, self.start + self.taus]))
        at = np.searchsorted(times, self.start + self.taus)

        def later(values: Any, counts: Any) -> Any:
            return self.slots[0].read(values)[:, at], counts

        return records(self._text(model), times, self.dt, self.request, later)
