"""Error budgets of cluster runs: the size of the clusters as an axis of convergence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..bars import Steps
from ..model.model import Model
from ..model.subsystems import Spin
from ..phasespace.cluster_twa import MOST, ClusterTWA
from ..result import Result
from ..solving import quietly, solve, trajectories_of, whole
from .budget import Budget, Errors, bound, largest, notes, step_error

#: Of the change before: sizes converge where the next one is less, by two sampling errors.
CONVERGING = 0.5


@dataclass(frozen=True)
class ClusterLine(Errors):
    """The budget of one observable; every error is in units of its largest mean over time.

    Attributes:
        changes: (size, next size, change of the mean, its sampling error); the largest over time,
            with the sampling error taken off in squares.
        truncation: expected error of the clusters at the largest size: the last change; what all
            changes add up to where the last is not less than half of the one before, by two
            sampling errors (sizes do not converge there); two of the last where it is not
            ``resolved``.
        sampling: standard error of the run at the largest size.
        step: bound on the error of the time step of that run; NaN where it was not checked.
    """

    changes: tuple[tuple[int, int, float, float], ...]
    truncation: float
    sampling: float
    step: float

    @property
    def resolved(self) -> bool:
        """Whether the last change is more than two sampling errors of it."""
        _, _, change, error = self.changes[-1]
        return not change <= 2 * error


@dataclass(frozen=True, repr=False)
class ClusterCertificate(Budget):
    """Outcome of :func:`wignerflow.certify` with ``clusters``; printed, it is a table.

    Attributes:
        ntraj: trajectories of every run.
        lines: the budgets by name of observable.
        results: the runs by size of the clusters.
        notes: what the run with the largest had to say, warnings first.
    """

    ntraj: int
    lines: dict[str, ClusterLine]
    results: dict[int, Result]
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, ...]]:
        first = next(iter(self.lines.values()))
        steps = tuple(f"k = {a} to {b}" for a, b, _, _ in first.changes)
        rows: list[tuple[str, ...]] = [
            ("observable", *steps, "truncation", "sampling", "step", "total")
        ]
        for name, line in self.lines.items():
            changes = tuple(f"{c:.2g}({e:.1g})" for _, _, c, e in line.changes)
            own = f"{'' if line.resolved else '< '}{line.truncation:.2g}"
            rest = (own, f"{line.sampling:.2g}", bound(line.step), f"{line.total:.2g}")
            rows.append((name, *changes, *rest))
        return rows

    def _title(self) -> str:
        sizes = ", ".join(map(str, self.results))
        return (
            f"Expected errors of clusters of {max(self.results)} spins with {self.ntraj} "
            f"trajectories, in units of each observable's largest mean; runs with clusters of "
            f"{sizes}"
        )


def certify_clusters(
    model: Any, tlist: Any, e_ops: Any, clusters: Iterable[int], ntraj: int, seed: Any,
    options: dict[str, Any],
) -> ClusterCertificate:  # fmt: skip
    """``wf.certify(model, tlist, e_ops, clusters=sizes)``."""
    if not isinstance(model, Model):
        must = "be a wf.Model, of which runs with larger and larger clusters are compared"
        _check.fail("model", must, model, kind=TypeError)
    if not any(isinstance(sub, Spin) for sub in model.subsystems):
        was = _check.Note("one without")
        _check.fail("model", "have single spins (wf.Spin), which clusters are made of", was)
    sizes = _sizes(clusters)
    methods = {k: ClusterTWA(size=k) for k in sizes}
    seen: dict[str, int] = {}
    for k, method in methods.items():
        partition = repr(method.clusters(model))
        if partition in seen:
            must = "make different clusters, so that something changes"
            was = _check.Note(f"the same with {seen[partition]} and {k}: {partition}")
            _check.fail("clusters", must, was)
        seen[partition] = k
    count = trajectories_of(ntraj, 2)
    ops = e_ops(model) if callable(e_ops) else e_ops
    results: dict[int, Result] = {}
    with quietly(), Steps("certify", options.get("progress", True)) as bar:
        options = {**options, "progress": False}
        for k, method in methods.items():
            bar.show(len(results), len(methods))
            results[k] = whole(
                solve(model, tlist, e_ops=ops, method=method, ntraj=count, seed=seed, **options)
            )
    last = results[sizes[-1]]
    lines = {}
    for name, mean in last.expect.items():
        scale = largest(mean)
        changes = tuple(
            (a, b, *_change(results[a], results[b], name, scale or 1.0))
            for a, b in itertools.pairwise(sizes)
        )
        sampling = largest(np.abs(last.sem[name])) / scale if scale else 0.0
        step = step_error(last, name, scale)
        lines[name] = ClusterLine(changes, expected(changes), sampling, step)
    resolved = {n: line for n, line in lines.items() if line.resolved}
    unclear = [_unresolved(n, line) for n, line in lines.items() if not line.resolved]
    said = notes(last, resolved, f"With clusters of {sizes[-1]}", unclear)
    return ClusterCertificate(last.ntraj, lines, results, said)


def expected(changes: Sequence[tuple[int, int, float, float]]) -> float:
    """The error of the largest size, see ``ClusterLine.truncation``."""
    _, _, last, error = changes[-1]
    if len(changes) > 1 and last > 2 * error:
        _, _, before, its = changes[-2]
        if last + 2 * math.hypot(error, CONVERGING * its) > CONVERGING * before:
            return sum(change for _, _, change, _ in changes)
    return max(last, 2 * error)


def _unresolved(name: str, line: ClusterLine) -> str:
    a, b, _, error = line.changes[-1]
    return (
        f"The change of {name!r} from clusters of {a} to {b} is not resolved by sampling: an error "
        f"of less than {2 * error:.2g} of its largest mean would take more trajectories to see."
    )


def _sizes(clusters: Any) -> list[int]:
    if isinstance(clusters, (str, bytes)) or not isinstance(clusters, Iterable):
        _check.fail("clusters", "be a list of sizes such as (1, 2, 3)", clusters, kind=TypeError)
    sizes = [_check.integer("clusters", k, 1) for k in clusters]
    if max(sizes, default=1) > MOST:
        _check.fail("clusters", f"be sizes of at most {MOST}", sizes)
    if len(sizes) < 2 or sizes != sorted(set(sizes)):
        _check.fail("clusters", "be at least two sizes, in ascending order", sizes)
    return sizes


def _change(one: Result, two: Result, name: str, scale: float) -> tuple[float, float]:
    """Largest change over time without what sampling makes of it, and its sampling error."""
    gap = np.abs(two.expect[name] - one.expect[name])
    error = np.hypot(np.abs(one.sem[name]), np.abs(two.sem[name]))
    usable = np.isfinite(gap) & np.isfinite(error)
    if not usable.any():
        return math.nan, math.nan
    gap, error = gap[usable], error[usable]
    at = int(np.argmax(gap))
    value = math.sqrt(max(float(gap[at]) ** 2 - float(error[at]) ** 2, 0.0))
    return value / scale, float(error[at]) / scale
