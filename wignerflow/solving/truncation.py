r"""The error of a method itself, estimated: what ``Result.truncation`` holds.

A method whose ``order`` is a number leaves out a part of the master equation. What that does to an
observable is measured, in this order, by what is quick enough:

1. the exact solution of the model itself: |method - exact|, less its sampling error in squares;
2. the exact solution of the model made smaller by a factor s: N, lengths and quanta times s, a
   coefficient of an operator of weight w times s^{1-w}, a rate of a jump of weight w times
   s^{1-2w} (the weight counts one for every J and a half for every a or a^+; jumps of single
   emitters stay), which leaves the classical equations as they are. The same method is run
   there, at s and at s/2: deviations in units of the observable's scale fall as a power of the
   size, at least 0 and at most 2, which is followed up to the size of the model;
   Runs of clusters of spins are compared with clusters of another size instead, one spin more where
   there is such;
3. second-order cumulants: the difference of both methods, of the size of the larger error.

Costs are announced before work (see ``wignerflow.estimate``), so what takes too long is not begun.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimate import Estimate, Listener, listening
from ..exact import populations
from ..exact.engine import Exact
from ..method import Method
from ..model.model import Model
from ..moments.method import Cumulant
from ..observables import assemble_exact
from ..result import Result
from ..result.accuracy import scale
from ..run.automatic import density_elements
from .edges import edge_errors
from .growing import from_other_size
from .problem import Problem, gather, members, read_problem
from .provenance import NotPlain, read_call, write_call

SECONDS = 0.3  # for an estimate
SHARE = 0.3  # of the time of 10,000 trajectories, if that is more
FULL = 60.0  # with truncation="full"
PILOT = 2000  # trajectories of a smaller model
SIZES = (24, 12, 8, 6, 4)  # largest number of emitters of a smaller one
POPULATIONS = 400  # emitters whose p(J, M) are tabulated in no time
ELEMENTS = 100_000  # of a density matrix, likewise
POWER = 2.0  # with which an error falls with the size at most

Errors = dict[str, NDArray[np.float64]]
Solve = Callable[..., Result]


class _TooLong(BaseException):
    """Ends work that was announced to take too long."""


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    def hear(estimate: Estimate) -> None:
        if estimate.seconds > seconds:
            raise _TooLong

    with listening(Listener(hear)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def budget(result: Result, full: bool) -> float:
    """Seconds that an estimate may take."""
    if full:
        return FULL
    run = float(result.stats.get("run_time", 0.0))
    return max(SECONDS, SHARE * run * 10_000 / max(result.ntraj, 1) if result.ntraj else SECONDS)


def estimate(
    problem: Problem, method: Method, result: Result, seconds: float, solve: Solve
) -> tuple[Errors, str]:
    """The truncation error by name, and what it rests on; ``solve`` runs smaller models."""
    if method.order is None:
        if result.stats.get("edge"):
            return edge_errors(problem, result), "the populations at the edges of modes"
        return {n: np.zeros(v.shape) for n, v in result.expect.items()}, "none: the method is exact"
    exact = _exact(problem, seconds)
    if exact is not None:
        return _apart(result, exact), "the exact solution"
    with _within(seconds), contextlib.suppress(_TooLong):
        grown = from_other_size(problem, method, result, solve)
        if grown is not None:
            return grown
    found = _smaller(problem, method, result, seconds, solve)
    if found is not None:
        return found
    if method.name != "cumulant":
        other = _solved(problem, Cumulant(), seconds)
        if other is not None:
            return _apart(result, other), "the difference to second-order cumulants"
    nothing = {n: np.full(v.shape, np.nan) for n, v in result.expect.items()}
    return nothing, "nothing: no reference is quick enough"


def _apart(result: Result, other: Mapping[str, NDArray]) -> Errors:
    """|method - other| without what sampling makes of it."""
    out = {}
    for name, value in result.expect.items():
        square = np.abs(value - other[name]) ** 2 - np.abs(result.sem[name]) ** 2
        out[name] = np.sqrt(np.maximum(square, 0.0))
    return out


def _exact(problem: Problem, seconds: float) -> dict[str, NDArray] | None:
    if populations.refuses(problem.model) is None:
        if _size(problem.model) > POPULATIONS * np.sqrt(max(seconds, SECONDS) / SECONDS):
            return None
    elif ELEMENTS < density_elements(problem.model) < np.inf:
        return None
    return _solved(problem, Exact(), seconds)


def _solved(problem: Problem, method: Any, seconds: float) -> dict[str, NDArray] | None:
    """Means of a deterministic method, or None where it refuses or takes too long."""
    if method.refuses(problem.model, problem.base) is not None:
        return None
    try:
        with _within(seconds):
            solution = method.solve(problem.model, problem.times, members(problem.base))
    except (_TooLong, ValueError, MemoryError, ArithmeticError):
        return None
    means = {k: np.asarray(v) for k, v in gather(problem.base, solution.expect).items()}
    if not all(np.all(np.isfinite(v)) for v in means.values()):
        return None
    return dict(assemble_exact(problem.plan, means)[0])


# ---------------------------------------------------------------- smaller models


def _weight(factors: list[Any]) -> float:
    """The weight of a product in a plain form; of a name "s.Jx" one, of "s.a" a half."""
    total = 0.0
    for f in factors:
        if isinstance(f, str):
            letter = f.rsplit(".", 1)[-1]
            total += {"a": 0.5, "adag": 0.5}.get(letter, 1.0 if letter[0] == "J" else 0.0)
        elif "sum" in f:
            total += _weight(f["sum"])
        else:
            total += _weight(f["left"]) + _weight(f["right"])
    return total


def _scaled(coefficient: Any, factor: float) -> Any:
    if isinstance(coefficient, list):
        return [_scaled(c, factor) for c in coefficient]
    if isinstance(coefficient, dict):
        return {k: _scaled(v, factor) for k, v in coefficient.items()}
    return coefficient * factor


def shrunk(call: Mapping[str, Any], s: float) -> dict[str, Any] | None:
    """A call (see ``write_call``) at a size smaller by ``s``; None where there is no such model."""
    out = copy.deepcopy(dict(call))
    model = out["model"]
    for sub in model["subsystems"]:
        if sub["kind"] == "spin" or "levels" in sub["kind"]:
            return None
        for key in ("N", "S"):
            if key in sub:
                whole = np.asarray(sub[key], float) * s * (2 if key == "S" else 1)
                number = np.maximum(np.round(whole), 1) / (2 if key == "S" else 1)
                sub[key] = number.tolist() if key == "S" else number.astype(int).tolist()
        states = sub["initial"] if isinstance(sub["initial"], list) else [sub["initial"]]
        for state in states:
            if "fock" in state:
                return None
            if "coherent" in state:
                state["coherent"] = _scaled(state["coherent"], float(np.sqrt(s)))
    for term in model.get("H", []):
        if "coef" not in term:
            return None
        term["coef"] = _scaled(term["coef"], s ** (1 - _weight(term["factors"])))
    for jump in model.get("jumps", []):
        if jump["type"] == "local":
            continue
        weights = {_weight(term["factors"]) for term in jump["op"]}
        if len(weights) != 1 or not isinstance(jump["rate"], (int, float)):
            return None
        jump["rate"] *= s ** (1 - 2 * weights.pop())
    return out


def _size(model: Model) -> float:
    """Emitters of the largest subsystem."""
    sizes = [0.0]
    for sub in model.subsystems:
        for key, unit in (("numbers", 1.0), ("lengths", 2.0)):
            if hasattr(sub, key):
                sizes.append(unit * float(np.max(getattr(sub, key))))
    return max(sizes)


def _smaller(
    problem: Problem, method: Method, result: Result, seconds: float, solve: Solve
) -> tuple[Errors, str] | None:
    """From smaller models, at two sizes."""
    size = _size(problem.model)
    if size <= SIZES[-1] or problem.model.coefficients:
        return None
    try:
        call = write_call(problem.model, problem.named, method, problem.times)
    except NotPlain:
        return None
    found: list[tuple[float, Errors]] = []
    for small in SIZES:
        if small >= size or (found and small > found[0][0] / 1.9):
            continue
        deviations = _deviations(call, small / size, problem, seconds / 3, solve)
        if deviations is not None:
            found.append((float(small), deviations))
        if len(found) == 2:
            break
    if not found:
        return None
    out = {}
    for name, value in result.expect.items():
        first = found[0][1][name]
        power = 1.0
        if len(found) == 2:
            one, two = (float(np.max(d[name], initial=0.0)) for _, d in found)
            if one > 0 and two > 0:
                power = float(np.log(two / one) / np.log(found[0][0] / found[1][0]))
        fall = (found[0][0] / size) ** float(np.clip(power, 0.0, POWER))
        out[name] = first * fall * scale(value)
    sizes = " and ".join(f"{n:.0f}" for n, _ in found)
    return out, f"exact solutions at sizes {sizes}, continued to {size:.0f}"


def _deviations(
    call: Mapping[str, Any], s: float, problem: Problem, seconds: float, solve: Solve
) -> Errors | None:
    """|method - exact| of a smaller model in units of the observable's scale, (T,) or (T, V)."""
    made = shrunk(call, s)
    if made is None:
        return None
    try:
        model, ops, method = read_call(made)
        exact = _exact(read_problem(model, problem.times, ops), seconds)
        if exact is None:
            return None
        with _within(seconds):
            run = solve(
                model, problem.times, e_ops=ops, method=method, ntraj=PILOT, seed=1,
                truncation=False, progress=False,
            )  # fmt: skip
    except (_TooLong, ValueError, RuntimeError, ArithmeticError):
        return None
    out = _apart(run, exact)
    for name, error in out.items():
        size = scale(np.asarray(exact[name]))
        out[name] = error / size if size > 0 else np.zeros(error.shape)
    return out
