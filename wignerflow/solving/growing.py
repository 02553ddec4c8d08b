"""The error of cluster runs from clusters of another size: larger ones where there are such."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..phasespace.cluster_twa import MOST, ClusterTWA
from ..result import Result
from .comparing import Found, distance
from .problem import Problem

PILOT = 2000  # trajectories of the other size, at most


def from_other_size(
    problem: Problem, method: Any, result: Result, solve: Callable[..., Result]
) -> Found | None:
    """|size k - size k + 1| (k - 1 for the largest) by name, and what it rests on.

    Sampling errors of both are taken off in squares. None for other methods, for a partition of
    the user's, and where the other size makes the same clusters.
    """
    if not isinstance(method, ClusterTWA) or method.partition is not None:
        return None
    size = method.size + 1 if method.size < MOST else method.size - 1
    other = ClusterTWA(size=size)
    if other.clusters(problem.model) == method.clusters(problem.model):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = solve(
                problem.model, problem.times, e_ops=problem.named, method=other,
                ntraj=max(2, min(result.ntraj, PILOT)), seed=1, dt=result.dt, truncation=False,
                progress=False,
            )  # fmt: skip
    except (ValueError, RuntimeError, ArithmeticError):
        return None
    out = {}
    for name, value in result.expect.items():
        noise = np.hypot(np.abs(result.sem[name]), np.abs(run.sem[name]))
        out[name] = distance(value, run.expect[name], noise)
    return Found(out, f"clusters of {size} instead of {method.size}")
