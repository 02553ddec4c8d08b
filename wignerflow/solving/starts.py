r"""The error of mean field at states that it never leaves: a laser that stays dark, an inversion.

Fluctuations of the start are of the size of a few quanta, but where a state is unstable they grow
to the whole. Classical trajectories from 2 D points around the start, displaced in one of D
directions each by :math:`\pm\sqrt D\sigma`, have its mean and its covariance (a cubature of third
degree). Their average, less the answer of mean field, is what this leaves out, and large where
fluctuations grow. Where they are damped, noise would replace them, which these trajectories are
without: differences up to those of the start itself count as none, and what is below the limit of
a warning is for other references to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import TooLong, check_time, within
from ..observables import assemble_exact
from ..phasespace.ensemble import GAUSSIAN
from ..phasespace.generator import Generator, refuses
from ..phasespace.polynomials import Leaf, Poly
from ..phasespace.system import SPIN, InitialSpec
from ..phasespace.twa import TWA
from ..result import Result
from ..result.accuracy import SHARE, Errors, Found, scale
from .problem import Problem

RTOL = 1e-3
Array = NDArray[np.float64]


def from_starts(problem: Problem, result: Result, until: float) -> Found | None:
    """The error of mean field by name; None for other kinds of models, and where it takes long."""
    ops = problem.base
    if TWA().refuses(problem.model, ops) is not None or problem.model.pulses:
        return None
    system, symbols = TWA(sampling="gaussian").lower(problem.model, ops, problem.times)
    if refuses(system) is not None or not all(map(_gaussian, system.initial)):
        return None
    polys = [f for f in symbols.values() if isinstance(f, Poly)]
    if len(polys) < len(symbols):
        return None
    generator = Generator(system)
    variables = generator.variables
    drift = [generator(Poly.leaf(v)) for v in variables]
    flow = _evaluator(drift, variables)
    slopes = _evaluator([f.derivative(v) for f in drift for v in variables], variables)
    kinds = [block.kind for block in system.blocks]
    starts = [_start(x, kind) for x, kind in zip(system.initial, kinds, strict=True)]  # type: ignore[arg-type]
    points = _points(starts)
    try:
        with within(until, False):
            found = _integrated(
                lambda y: flow(y).real, lambda y: slopes(y).real, points, problem.times
            )
    except (TooLong, ArithmeticError):
        return None
    if found is None:
        return None
    values = _evaluator(polys, variables)(found)  # (K, T, points)

    def differ(means: NDArray[Any]) -> Errors:
        with np.errstate(all="ignore"):
            own = assemble_exact(problem.plan, dict(zip(symbols, means, strict=True)))[0]
        return {n: np.abs(own[n] - v) for n, v in result.expect.items()}

    point, average = differ(values[..., 0]), differ(values[..., 1:].mean(axis=-1))
    errors, unsure = {}, set()
    for name, value in result.expect.items():
        errors[name] = np.maximum(average[name] - point[name], 0.0)
        if not np.any(errors[name] > SHARE * scale(np.asarray(value))):
            errors[name] = np.full(value.shape, np.nan)
            unsure.add(name)
    basis = "classical trajectories from the fluctuations of the start"
    return Found(errors, basis, frozenset(unsure)) if len(unsure) < len(errors) else None


def _gaussian(initial: Any) -> bool:
    return isinstance(initial, InitialSpec) and bool(np.all(initial.kind == GAUSSIAN))


def _start(initial: InitialSpec, kind: str) -> tuple[Array, Array]:
    """Mean and deviations in every direction of one subsystem: (n,) and (D, n)."""
    if kind == SPIN:
        mean = initial.mean[0] * initial.e3[0]
        spread = [initial.e1[0], initial.e2[0], initial.sigma[0] * initial.e3[0]]
        return mean, np.array([d for d in spread if np.any(d)])
    mean = np.array([initial.mean[0], initial.e1[0, 0]])
    return mean, np.array([[initial.sigma[0], initial.e1[0, 1]], [0.0, initial.e1[0, 2]]])


def _points(starts: list[tuple[Array, Array]]) -> Array:
    """The mean of all subsystems, and pairs around it: (n, 1 + 2 D)."""
    mean = np.concatenate([m for m, _ in starts])
    rows, offset = [], 0
    for m, spread in starts:
        wide = np.zeros((len(spread), mean.size))
        wide[:, offset : offset + m.size] = spread
        rows.append(wide)
        offset += m.size
    away = np.concatenate(rows)
    away *= np.sqrt(len(away))
    return np.concatenate([mean[None], mean + away, mean - away]).T


def _evaluator(
    polys: list[Poly], variables: list[Any]
) -> Callable[[NDArray[Any]], NDArray[np.complex128]]:
    """Values (K, ...) of polynomials at points (n, ...)."""
    number: dict[Leaf, int] = {v: k for k, v in enumerate(variables)}
    terms = [(k, c, leaves) for k, f in enumerate(polys) for _, leaves, c in f.sorted_terms]
    degree = max((len(leaves) for *_, leaves in terms), default=0)
    where = np.full((degree, len(terms)), len(variables))  # of a one behind the variables
    sums = np.zeros((len(polys), len(terms)), complex)
    for j, (k, c, leaves) in enumerate(terms):
        where[: len(leaves), j] = [number[leaf] for leaf in leaves]
        sums[k, j] = c

    def values(y: NDArray[Any]) -> NDArray[np.complex128]:
        wide = np.concatenate([y, np.ones((1, *y.shape[1:]))])
        products = wide[where].prod(axis=0)
        return np.asarray(sums @ products.reshape(len(terms), -1)).reshape(-1, *y.shape[1:])

    return values


def _integrated(
    flow: Callable[[Array], Array], slopes: Callable[[Array], Array], points: Array, times: Array
) -> Array | None:
    """Trajectories (n, T, points) of points (n, points); None where one runs away.

    ``slopes``: derivatives of ``flow``, (n n, points).
    """
    n, number = points.shape
    block = np.arange(number)

    def slope(_: float, y: Array) -> Array:
        check_time()
        return flow(y.reshape(points.shape)).ravel()

    def jacobian(_: float, y: Array) -> Array:
        out = np.zeros((n, number, n, number))
        each = slopes(y.reshape(points.shape)).reshape(n, n, number)
        out[:, block, :, block] = each.transpose(2, 0, 1)
        return out.reshape(points.size, points.size)

    size = float(np.abs(points).max())
    with np.errstate(all="ignore"):
        run = scipy.integrate.solve_ivp(
            slope, (times[0], times[-1]), points.ravel(), "LSODA", times, jac=jacobian, rtol=RTOL,
            atol=RTOL * min(size, 1.0),
        )  # fmt: skip
    if not run.success or not np.all(np.isfinite(run.y)):
        return None
    return run.y.reshape(*points.shape, times.size).transpose(0, 2, 1)
