r"""``wf.certify``: an error budget — truncation, sampling and step — of a run at the user's N.

The truncated Wigner approximation leaves out terms whose weight falls with the number N of
emitters, as a power :math:`N^{-p}` that depends on model and observable. It is measured: at small N
the same method, with the initial sampling that it takes at the user's N, is compared with the exact
solution, and the deviation

.. math:: \epsilon(N) = \max_t |O_\mathrm{method} - O_\mathrm{exact}| / \max_t |O_\mathrm{exact}|

is fitted by :math:`A N^{-p}` and extended to the N that is asked for.

The step's error is that of ``Result.step_error``, from a pilot run. Of a long run the pilot may
cover the beginning alone; the certificate says where it ends before the run does.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._check import Times
from ..bars import Steps
from ..exact import populations
from ..exact.engine import Exact
from ..method import AnyMethod
from ..model.levels import Levels
from ..model.model import Model
from ..model.subsystems import Ensemble
from ..observables import Observables
from ..phasespace.ensemble import GAUSSIAN_BELOW
from ..phasespace.levels import FIXED_FROM
from ..phasespace.twa import TWA
from ..result import Result
from ..run.automatic import CHEAP_ELEMENTS, CHEAP_POPULATIONS, density_elements
from ..solving import quietly, solve, trajectories_of, whole
from ..solving.problem import resolve_method
from .budget import Budget, Errors, bound, largest, notes, step_error
from .certify_clusters import ClusterCertificate, certify_clusters

SMALL = (6, 8, 12, 16, 24, 32)  # tried in this order, while exact is cheap
SIGNIFICANT = 3.0  # sampling errors that a deviation must exceed to be fitted
SCATTER = 0.15  # relative scatter of deviations about a power law that is allowed for
PILOT = 2048  # trajectories that measure the spread at the user's N


@dataclass(frozen=True)
class Line(Errors):
    """The budget of one observable; every error is in units of its largest mean over time.

    Attributes:
        truncation: expected deviation from the exact solution at N.
        uncertainty: factor by which the fit leaves it open (one standard deviation).
        exponent: p of the fit; None where fewer than two deviations stood out of the sampling
            error, and ``truncation`` is an upper bound.
        sampling: standard error of ``ntraj`` trajectories.
        step: bound on the error of the time step, from halving it on a pilot run; 0 for methods
            without steps; NaN where it was not checked (a given ``dt``).
        deviations: (N, deviation, its sampling error) at small N.
    """

    truncation: float
    uncertainty: float
    exponent: float | None
    sampling: float
    step: float
    deviations: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, repr=False)
class Certificate(Budget):
    """Outcome of :func:`certify`; printed, it is a table.

    Attributes:
        N, ntraj, method: as asked for.
        lines: the budgets by name of observable.
        until: last time at which the step was checked; None: all times.
        notes: what the run at N had to say, warnings first.
    """

    N: int
    ntraj: int
    method: str
    lines: dict[str, Line]
    until: float | None = None
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, ...]]:
        head = ("observable", "truncation", "falls as", "sampling", "step", "total")
        rows: list[tuple[str, ...]] = [head]
        for name, line in self.lines.items():
            truncation = f"{'< ' if line.exponent is None else ''}{line.truncation:.2g}"
            if line.exponent is not None and line.uncertainty > 1.005:
                truncation += f" (x/ {line.uncertainty:.2g})"
            power = "unresolved" if line.exponent is None else f"N^{-line.exponent:.2f}"
            rest = (f"{line.sampling:.2g}", bound(line.step), f"{line.total:.2g}")
            rows.append((name, truncation, power, *rest))
        return rows

    def _title(self) -> str:
        sizes = ", ".join(str(n) for n, _, _ in next(iter(self.lines.values())).deviations)
        title = (
            f"Expected errors of {self.method} at N = {self.N} with {self.ntraj} trajectories, "
            "in units of each observable's largest mean; truncation from exact solutions at "
            f"N = {sizes}"
        )
        if self.until is not None:
            title += f"; step checked up to t = {self.until:g} only"
        return title


@_check.called("wf.certify(model_of, t, N=1000)")
def certify(
    model: Callable[[int], Any] | Model,
    tlist: Times,
    e_ops: Observables | None = None,
    *,
    N: int | None = None,
    clusters: Iterable[int] | None = None,
    small: Iterable[int] | None = None,
    method: AnyMethod = "twa",
    ntraj: int = 1000,
    small_ntraj: int = 100_000,
    seed: int | None = 0,
    **options: Any,
) -> Certificate | ClusterCertificate:
    """Expected errors of a run: truncation, sampling, time step.

    Of a run at N from exact solutions at small N; or, with ``clusters``, of a model of single
    spins from runs of :class:`wignerflow.ClusterTWA` with larger and larger clusters: the change
    from one size to the next shows the error also where no exact answer exists.

    Args:
        model: N -> model, or N -> (model, e_ops): how rates scale with N is physics, which a
            single model does not tell. With ``clusters`` a model.
        tlist: output times, or a function N -> times (for rates that scale with N).
        e_ops: a function of the model, or None where ``model`` returns them. With ``clusters`` as
            for :func:`wignerflow.solve`.
        N: the size to be certified; must be given, but for ``clusters``.
        clusters: ascending sizes of clusters, 1 to 3, such as (1, 2, 3). All run ``ntraj``
            trajectories; ``method``, ``small`` and ``small_ntraj`` mean nothing then.
        small: sizes to compare with the exact solution; None takes 6 to 32, below N and while
            that is cheap.
        method: of the run, as for :func:`wignerflow.solve`.
        ntraj: trajectories of the run at N.
        small_ntraj: trajectories of the comparisons.
        seed: of all runs.
        options: of :func:`wignerflow.solve`.

    Returns:
        A :class:`Certificate`, or a :class:`ClusterCertificate`, which holds the runs as well.

    Raises:
        TypeError: ``model`` is a model and there are no ``clusters``, or N is missing; the message
            says what is needed.
        ValueError: fewer than two small sizes can be solved exactly; links have delays; sizes of
            clusters are not ascending, or make the same clusters.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> def decay(N):
        ...     atoms = wf.Ensemble(N, name="atoms")
        ...     model = wf.Model(jumps=[wf.Jump(atoms.Jm, 1 / N)], initial={atoms: wf.up})
        ...     return model, {"inversion": atoms.Jz}
        >>> print(wf.certify(decay, np.linspace(0, 8, 9), N=1000))  # doctest: +SKIP
    """
    if clusters is not None:
        if N is not None:
            _check.fail("N", "be left out with `clusters`", N)
        if method not in ("twa", "cluster-twa"):
            _check.fail("method", "be left out with `clusters`", method)
        return certify_clusters(model, tlist, e_ops, clusters, ntraj, seed, options)
    if isinstance(model, Model) or not callable(model):
        _check.fail(
            "model",
            "be a function N -> model, because how rates scale with N is not in one model",
            model,
            "Write `def model(N): ...; return wf.Model(...)` with the rates as functions of N, or "
            "compare `clusters` of single spins.",
            TypeError,
        )
    if N is None:
        _check.fail("N", "be the size to be certified, such as N=1000", N, kind=TypeError)
    size = _check.integer("N", N, 2)
    count = trajectories_of(ntraj, 2)
    made = _made(model, e_ops, size)[0]
    if made.links:
        hint = "Certify the same without delays (`line.at_zero_delay()`), or compare smaller steps."
        must = "have no links with delays, for which there is no exact solution"
        _check.fail("model", must, made, hint)
    sizes = _sizes(model, e_ops, size, small)
    points = []
    alike = _sampled_as(made, method)

    def run(n: int, method: Any, ntraj: int) -> Result:
        model_n, own = _made(model, e_ops, n)
        times = tlist(n) if callable(tlist) else tlist
        extra = {} if isinstance(method, Exact) else {"seed": seed, **options}
        # the truncation is what all of this finds, and one bar is shown for all runs
        extra.update(truncation=False, progress=False)
        return whole(solve(model_n, times, e_ops=own, method=method, ntraj=ntraj, **extra))

    with quietly(), Steps("certify", options.get("progress", True)) as bar:
        for k, n in enumerate(sizes):
            bar.show(k, len(sizes) + 1)
            points.append((n, *_deviation(run, n, alike, small_ntraj)))
        bar.show(len(sizes), len(sizes) + 1)
        pilot = run(size, method, min(count, PILOT))
    lines = {}
    for name, mean in pilot.expect.items():
        sem = np.abs(pilot.sem[name])
        scale = largest(mean)
        sampling = largest(sem) / scale * math.sqrt(max(1, pilot.ntraj) / count) if scale else 0.0
        own = tuple((n, deviations[name], errors[name]) for n, deviations, errors in points)
        lines[name] = Line(*extrapolate(own, size), sampling, step_error(pilot, name, scale), own)
    until = pilot.stats.get("step_checked_until")
    partly = until is not None and until < pilot.times[-1]
    said = notes(pilot, lines, f"At N = {size}")
    return Certificate(size, count, pilot.method, lines, until if partly else None, said)


def extrapolate(
    points: Iterable[tuple[int, float, float]], N: int
) -> tuple[float, float, float | None]:
    """Deviation expected at N, its uncertainty as a factor, and the exponent.

    Args:
        points: (size, deviation, sampling error).
        N: the size asked for.
    """
    every = list(points)
    clear = [(n, d, e) for n, d, e in every if d > SIGNIFICANT * e and d > 1e-12]
    if len(clear) < 2:
        _, d, e = every[-1]
        return d + 2 * e, 1.0, None
    x = np.log([n for n, _, _ in clear])
    y = np.log([d for _, d, _ in clear])
    sigma = np.array([math.hypot(e / d, SCATTER) for _, d, e in clear])
    line, covariance = np.polyfit(x, y, 1, w=1 / sigma, cov="unscaled")
    chi = float(np.sum(((np.polyval(line, x) - y) / sigma) ** 2))
    scale = max(1.0, chi / max(1, len(clear) - 2))
    at = np.array([math.log(N), 1.0])
    spread = math.sqrt(float(at @ covariance @ at) * scale)
    value = float(np.exp(np.clip(line @ at, -300, 300)))
    return value, math.exp(min(spread, 50.0)), -float(line[0])


def _sizes(model_fn: Any, e_ops: Any, N: int, small: Iterable[int] | None) -> list[int]:
    if small is not None:
        out = sorted({_check.integer("small", n, 1) for n in small})
        if len(out) < 2:
            _check.fail("small", "hold at least two sizes", out)
        return out
    out = []
    for n in SMALL:
        if n >= N or not _cheap(_made(model_fn, e_ops, n)[0]):
            break
        out.append(n)
    if len(out) < 2:
        _check.fail(
            "N",
            "allow exact solutions at two smaller sizes at least, which it does not",
            N,
            "Give sizes that can be solved exactly as `small`, or cutoffs of modes.",
        )
    return out


def _sampled_as(model: Model, method: Any) -> Any:
    """The method with the sampling that its default stands for in ``model``.

    By default few emitters start otherwise than many, and errors of one kind of sampling do not
    continue those of the other.
    """
    engine = resolve_method(method) if method != "auto" else method
    if not isinstance(engine, TWA) or engine.sampling != "auto":
        return method
    emitters = [s for s in model.subsystems if isinstance(s, (Ensemble, Levels))]
    if not emitters or min(s.numbers.min() for s in emitters) < max(GAUSSIAN_BELOW, FIXED_FROM):
        return method
    engine = copy.copy(engine)
    engine.sampling = "fixed"
    return engine


def _cheap(model: Model) -> bool:
    if populations.refuses(model) is None:
        N = max(float(np.max(getattr(s, "numbers", 1))) for s in model.subsystems)
        return (N / 2 + 1) ** 2 <= CHEAP_POPULATIONS
    return density_elements(model) <= CHEAP_ELEMENTS


def _made(model_fn: Any, e_ops: Any, n: int) -> tuple[Model, Any]:
    made = model_fn(n)
    model, own = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, Model):
        _check.fail("model", "return a wf.Model, or (model, e_ops)", made, kind=TypeError)
    if own is None:
        if not callable(e_ops):
            must = "be a function of the model, or returned by `model` as the second of two"
            hint = "At every N the operators belong to another ensemble."
            _check.fail("e_ops", must, e_ops, hint, TypeError)
        own = e_ops(model)
    return model, own


def _deviation(
    run: Callable[..., Result], n: int, method: Any, ntraj: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Largest deviation from the exact solution by observable, and its sampling error."""
    found, exact = run(n, method, ntraj), run(n, Exact(), 2)
    deviations, errors = {}, {}
    for name, mean in exact.expect.items():
        usable = np.isfinite(mean) & np.isfinite(found.expect[name])
        difference = np.where(usable, np.abs(found.expect[name] - mean), 0.0)
        scale = largest(mean) or 1.0
        where = int(np.argmax(difference))
        deviations[name] = float(difference.ravel()[where]) / scale
        errors[name] = float(np.nan_to_num(np.abs(found.sem[name]).ravel()[where])) / scale
    return deviations, errors
