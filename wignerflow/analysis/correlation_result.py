"""What is asked of a two-time correlation, what comes out, of trajectories and exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..exact import regression
from ..exact.engine import Exact
from ..html import curve, table
from ..model.model import Model
from ..model.operators import Op
from ..result import format_value, stated
from ..run.loop import Request
from ..run.statistics import BATCHES

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes


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
        truncation: estimate of the method's own error, (T,), NaN where there is none, zero if
            exact; None if not asked for.
        step_error: estimate of the error of the step, (T,); zero if exact, NaN where a step was
            given.
        deviation: what ``truncation`` is the size of, sampling errors included, (T,); None where
            there is none.
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
    step_error: NDArray[np.float64] | None = None
    deviation: NDArray[np.complex128] | None = None

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
            f"  τ = {self.taus[k]:<8.4g} {format_value(self.value[k], self.sem[k])}"
            f"{stated(at(self.step_error, k), at(self.truncation, k))}"
            for k in shown
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
        for name, errors in (("truncation", self.truncation), ("step_error", self.step_error)):
            if errors is not None:
                data[f"correlation_{name}"] = ("tau", errors)
        facts = {"formula": self.formula, "method": self.method, "ntraj": self.ntraj}
        return xarray.Dataset(data, {"tau": self.taus}, facts)

    def plot(self, ax: Axes | None = None, label: str | None = None, **options: Any) -> Axes:
        """Real (solid) and imaginary part (dashed) over the delay, with bands of one error.

        ``options`` go to ``ax.plot``.
        """
        from ..plot import band, new_figure

        if ax is None:
            ax = new_figure(1)[1][0, 0]
        colour = None
        for part, error, style in (
            (self.value.real, self.sem.real, "-"),
            (self.value.imag, self.sem.imag, "--"),
        ):
            name = (label or self.method) if colour is None else ""
            colour = band(ax, self.taus, part, error, colour, style, name, options)
        ax.set(xlabel=r"$\tau$", ylabel=self.formula)
        return ax


def at(errors: NDArray[np.float64] | None, k: int) -> float | None:
    """One of the errors, where there are any."""
    return None if errors is None else float(errors[k])


def evenly(taus: NDArray[np.float64]) -> bool:
    """Whether delays begin at 0 and are evenly spaced."""
    return taus.size > 1 and bool(taus[0] == 0 and np.ptp(np.diff(taus)) <= 1e-9 * taus[-1])


@dataclass
class Asked:
    """What is asked.

    Attributes:
        model: the master equation.
        ops: A and B, or A, B, C and D.
        taus: delays.
        start: the earlier time, None in a steady state.
        order: "symmetric", "plain" or "time-ordered".
        connected: whether means are subtracted.
        request: trajectories, seed, precision, threads and step.
    """

    model: Model
    ops: tuple[Op, ...]
    taus: NDArray[np.float64]
    start: float | None
    order: str
    connected: bool
    request: Request

    @property
    def labels(self) -> tuple[str, ...]:
        """The operators as text."""
        return tuple(map(repr, self.ops))

    @property
    def is_power(self) -> bool:
        """Whether the correlation is of an operator with its own adjoint."""
        return len(self.ops) == 2 and self.ops[1] == self.ops[0].dag()


def exact_value(ask: Asked, method: Exact) -> tuple[NDArray[np.complex128], dict[str, Any]]:
    """The correlation by quantum regression, and facts about it."""
    options: dict[str, Any] = {
        "engine": method.choose(ask.model)[0],
        "rtol": method.rtol,
        "memory": method.memory,
    }
    if len(ask.ops) == 4:
        A, B, C, D = ask.ops
        return regression.time_ordered(ask.model, (A, B, C, D), ask.taus, ask.start, **options)
    A, B = ask.ops
    exact = regression.correlation(ask.model, A, B, ask.taus, ask.start, **options)
    value = exact.symmetric if ask.order == "symmetric" else exact.plain
    if ask.connected:
        value = value - exact.mean_a * exact.mean_b
    return value, exact.stats


@dataclass
class CorrelationSums:
    """Sums over trajectories: moments for the errors, and batch by batch for jackknives."""

    size: int
    failed: int = 0

    def __post_init__(self) -> None:
        self.count = np.zeros(BATCHES)
        self.C, self.A = np.zeros((2, BATCHES, self.size), complex)
        self.B = np.zeros(BATCHES, complex)
        self.squares = np.zeros(self.size, complex)
        self.shift: NDArray[np.complex128] | None = None

    def add(self, C: Any, A: Any, B: Any, counts: NDArray[np.bool_], ntraj: int) -> None:
        """One chunk of trajectories, one per batch; ``ntraj`` of them exist."""
        C, A, B = (np.where(counts.reshape(-1, *(1,) * (x.ndim - 1)), x, 0) for x in (C, A, B))
        self.failed += ntraj - int(counts.sum())
        self.count += counts
        self.C, self.A, self.B = self.C + C, self.A + A, self.B + B
        if self.shift is None:
            self.shift = C[counts].mean(axis=0) if counts.any() else np.zeros(self.size, complex)
        d = C[counts] - self.shift
        self.squares += (d.real**2).sum(axis=0) + 1j * (d.imag**2).sum(axis=0)

    def result(self, connected: bool) -> tuple[Any, Any, Any]:
        """Value, standard error, and the value without each batch."""
        n = self.count.sum()

        def value(C: Any, A: Any, B: Any, n: Any) -> Any:
            return C / n - (A / n) * (B / n) if connected else C / n

        C, A, B = self.C.sum(axis=0), self.A.sum(axis=0), self.B.sum()
        mean = value(C, A, B, n)
        used = self.count > 0
        without = value(
            (C - self.C)[used], (A - self.A)[used], (B - self.B)[used, None],
            (n - self.count)[used, None],
        )  # fmt: skip
        if connected:
            return mean, jackknife(without), without
        assert self.shift is not None
        d = mean - self.shift
        spread = self.squares - n * (d.real**2 + 1j * d.imag**2)
        sem = np.sqrt(spread.real.clip(0) / (n - 1) / n)
        return mean, sem + 1j * np.sqrt(spread.imag.clip(0) / (n - 1) / n), without


def jackknife(without: NDArray[Any]) -> NDArray[Any]:
    """Standard error from values that leave out one batch each, along the first axis."""
    n = len(without)
    d = without - without.mean(axis=0)
    if not np.iscomplexobj(d):
        return np.asarray(np.sqrt((n - 1) / n * (d**2).sum(axis=0)))
    both = [np.sqrt((n - 1) / n * (x**2).sum(axis=0)) for x in (d.real, d.imag)]
    return np.asarray(both[0] + 1j * both[1])
