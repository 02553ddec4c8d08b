"""The error of a method from cumulants of second, third and fourth order.

The highest order that is quick, less the method, is what the method is off by, up to the error of
that order itself: its difference to the order below. High orders diverge where the expansion does
not converge. There, and where moments are unphysical, they judge no other method; of cumulants it
says that their error is of the size of the observable, if orders part in it before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import TooLong, within
from ..method import Method
from ..moments.higher import HigherOrder, size
from ..moments.integrate import through
from ..moments.method import Cumulant, largest_step, named
from ..moments.variables import Variables
from ..observables import assemble_exact
from ..result import Result
from ..result.accuracy import SHARE, UNSEEN, Found, distance, scale, widened
from .problem import Problem, gather, members

#: Orders that judge other methods (0), and cumulants of an order: in turn, until there are two.
ORDERS, ENOUGH = {0: (3, 4, 2), 2: (3, 4), 3: (4,), 4: (3,)}, 2
PAIRS = 32  # members of a model that is treated by cumulants, at most
MOST, QUICK = 1000, 250  # moments of a high order, at most; of the fourth, in little time
RTOL = 1e-5
FINE, OUTPUTS = 32, 128  # times at which orders are compared: at least, and of the outputs at most
LOOK, PACE = 100, 1e-3  # steps in which time must advance by this share of the whole
PARTED, SEEN = 1e-3, 1e-5  # of the scale: orders that part, and that differ at all
#: What differences are multiplied by where the error of the reference is added, and where it is not
#: known. Chosen on the families of the atlas that are not held out.
KNOWN, ALONE = 1.5, 2.5
CAP = 2.0  # of the scale: no error is stated above


@dataclass
class Answer:
    """Observables by an order of cumulants, NaN from where it was lost."""

    values: dict[str, NDArray[Any]]
    lost: bool


class _Watch:
    """A right-hand side and its bounds: what slows down for ever diverges."""

    def __init__(self, program: Any, start: float, span: float):
        self.program, self.inner, self.span = program, program.bounds(), span
        self.t, self.mark, self.steps = 0.0, start, 0

    def __call__(self, t: float, y: Any) -> Any:
        self.t = t
        return self.program(t, y)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.program, name)

    def diverged(self, y: Any) -> bool:
        """Whether moments do, or time all but stands still."""
        self.steps += 1
        if self.steps % LOOK == 0:
            if self.t - self.mark < PACE * self.span:
                return True
            self.mark = self.t
        return bool(self.inner.diverged(y))

    def violated(self, y: Any) -> None:
        """Looked at by whom it concerns: it takes long."""


def from_orders(
    problem: Problem, method: Method, result: Result, until: float, full: bool
) -> Found | None:
    """The error by name, and what it rests on; None where no order is quick and good enough.

    Unsure are names of which orders part by more than one warns of: there the expansion does not
    converge. Of cumulants themselves that is their error.
    """
    if sum(sub.size for sub in problem.model.subsystems) > PAIRS and not full:
        return None
    own = method.order if isinstance(method, Cumulant) else 0
    some = np.unique(np.linspace(0, problem.times.size - 1, OUTPUTS).astype(int))
    outputs = problem.times[some]
    times = np.union1d(outputs, np.linspace(outputs[0], outputs[-1], FINE + 1))
    at = np.searchsorted(times, outputs)
    known: dict[int, Answer] = {}
    for order in ORDERS[own]:
        if len(known) == ENOUGH or (order == max(ORDERS) and not full and _slow(problem)):
            continue
        found = _answer(problem, times, order, until, None if own else at)
        if found is not None:
            known[order] = found
    if not known:
        return None
    orders = sorted(known, reverse=True)
    lost = any(known[k].lost for k in orders)
    mine = _answer(problem, times, own, until, None) if lost else None
    if lost and mine is None and len(known) == 1:
        return None  # orders may part before the first output
    out, differ, unsure = {}, False, set()
    for name, value in result.expect.items():
        others = [known[k].values[name] for k in orders]
        unit = scale(np.asarray(value))
        if not own or unit == 0:  # mean field may have none: a laser that stays dark
            unit = max(unit, scale(others[0]))
        noise = UNSEEN * np.abs(result.sem[name])[some]
        error = beyond(np.asarray(value)[some], noise, [x[at] for x in others])
        differ |= bool(np.nanmax(error, initial=0.0) > SEEN * unit)
        parted = np.abs(others[0] - others[1])[at] if len(others) > 1 else error
        if not own and np.nanmax(parted, initial=0.0) > SHARE * unit:
            unsure.add(name)
        seen = [*others, mine.values[name]] if mine else others
        error = _without_gaps(error, _parted(seen), unit)
        out[name] = _at_all(widened(np.minimum(error, CAP * unit)), outputs, problem.times)
    if own and orders[0] == own + 1 and not differ:
        return None  # odd cumulants may vanish by symmetry
    basis = f"the difference to cumulants of order {' and '.join(map(str, sorted(orders)))}"
    return Found(out, basis, frozenset(unsure))


def _slow(problem: Problem) -> bool:
    return size(Variables(problem.model).size, max(ORDERS)) > QUICK


def _answer(
    problem: Problem,
    times: NDArray[np.float64],
    order: int,
    until: float,
    physical: NDArray[np.int64] | None,
) -> Answer | None:
    """Observables by cumulants of an order; None where these cannot be had in time.

    Also None where moments are unphysical at times of the numbers ``physical``.
    """
    engine, model, ops = Cumulant(order), problem.model, members(problem.base)
    if time.process_time() > until or engine.refuses(model, problem.base) is not None:
        return None
    if order > 2 and size(Variables(model).size, order) > MOST:
        return None
    try:
        with within(until, False):
            program = engine.system(model)
            readout = engine.readout(program, ops)
            watch: Any = _Watch(program, float(times[0]), float(times[-1] - times[0]))
            largest = largest_step(model, times)
            run = through(model, watch, times, watch, RTOL, largest)
    except (TooLong, ValueError, MemoryError, ArithmeticError):
        return None
    lost = run.diverged is not None
    if lost and (physical is not None or not isinstance(program, HigherOrder)):
        return None
    if physical is not None and any(watch.inner.violated(run.y[k]) for k in physical):
        return None
    done = int(np.isfinite(run.y).all(axis=1).sum())
    means = gather(problem.base, named(ops, readout(run.y[:done])))
    with np.errstate(all="ignore"):
        values = assemble_exact(problem.plan, means)[0]
    return Answer({n: _padded(np.asarray(v), times.size) for n, v in values.items()}, lost)


def _padded(value: NDArray[Any], length: int) -> NDArray[Any]:
    out = np.full((length, *value.shape[1:]), np.nan, value.dtype)
    out[: len(value)] = value
    return out


def beyond(
    value: NDArray[Any], noise: NDArray[np.float64], others: list[NDArray[Any]]
) -> NDArray[np.float64]:
    """The error of values from other orders, the highest first; NaN where all are lost."""
    error = ALONE * distance(value, others[0], noise)
    if len(others) > 1:
        spread = np.abs(others[0] - others[1])
        below = ALONE * distance(value, others[1], noise)
        both = KNOWN * error / ALONE + spread
        error = np.where(np.isfinite(both), both, np.where(np.isfinite(error), error, below))
    return error


def _parted(values: list[NDArray[Any]]) -> NDArray[np.float64]:
    """By how much orders differ at most before they are lost, of every entry."""
    gaps = [np.zeros(values[0].shape)]
    gaps += [np.abs(a - b) for k, a in enumerate(values) for b in values[:k]]
    return np.nan_to_num(np.array(gaps)).max(axis=(0, 1))


def _without_gaps(
    error: NDArray[np.float64], parted: NDArray[np.float64], unit: float
) -> NDArray[np.float64]:
    """Where all orders are lost: the scale if they part before, else the largest error before."""
    most = np.nan_to_num(error).max(axis=0, initial=0.0)
    lost = np.where(np.maximum(parted, most) > PARTED * unit, np.maximum(unit, most), most)
    return np.where(np.isfinite(error), error, lost)


def _at_all(
    error: NDArray[np.float64], some: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Errors at all outputs, from those at some."""
    if some.size == times.size:
        return error
    flat = error.reshape(some.size, -1)
    out = np.stack([np.interp(times, some, column) for column in flat.T], axis=-1)
    return out.reshape(times.size, *error.shape[1:])
