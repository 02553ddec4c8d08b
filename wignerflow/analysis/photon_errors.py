"""Errors of photon statistics beside sampling: of the step, and of the method itself.

The step: two shorter runs, one with the step of the run and one with half of it, whose coarse noise
is the sum of the fine one. The method: the exact chain of ``exact.counting``, where that is quick.
Whatever is asked of a run is asked of these too, and what differs is stated.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..exact import counting
from ..exact.engine import Exact
from ..model.model import Model
from ..model.outputs import Output
from ..result.accuracy import distance
from .correlation_result import jackknife
from .truncations import exactly

if TYPE_CHECKING:
    from .photon_values import Photons

#: Twice the difference to half the step bounds the error of a scheme of any order from one on.
DOUBLED = 2.0
#: Part of the trajectories that the two shorter runs take, and what they take at least.
PART, LEAST = 12, 256

Value = TypeVar("Value")


@dataclass
class References:
    """What a run is compared with; None where there is nothing.

    Attributes:
        coarse, fine: of the step, and of half of it.
        exact: by the exact chain.
        certain: the run is exact itself.
    """

    coarse: Photons | None = None
    fine: Photons | None = None
    exact: Photons | None = None
    certain: bool = False

    def step(self, of: Callable[[Photons], Any], name: str, value: Any) -> NDArray[np.float64]:
        """Of field ``name`` of what a function reads off, its sampling error off in squares."""
        if self.certain:
            return np.zeros(np.shape(value))
        if self.coarse is None or self.fine is None:
            return np.full(np.shape(value), np.nan)
        one, two = of(self.coarse), of(self.fine)
        noise = np.zeros(())
        if getattr(one, "replicas", None) is not None:
            noise = np.abs(jackknife((one.replicas - two.replicas)[1:]))
        left, right = (np.asarray(getattr(x, name)) for x in (one, two))
        return DOUBLED * distance(left, right, noise)

    def truncation(
        self, of: Callable[[Photons], Any], name: str, value: Any, sem: Any
    ) -> NDArray[np.float64]:
        """The same of the method: what differs from the exact value, less sampling in squares."""
        if self.certain:
            return np.zeros(np.shape(value))
        if self.exact is None:
            return np.full(np.shape(value), np.nan)
        try:
            right = np.asarray(getattr(of(self.exact), name))
        except ValueError:  # exact bins have no quadratures, or pairs of them took too long
            return np.full(np.shape(value), np.nan)
        return distance(np.asarray(value), right, np.abs(np.asarray(sem)))


def stated(*fields: str) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Let what a method of ``Photons`` returns state the errors of these fields.

    Each field X has its standard error in X_sem (``sem`` if there is no such one), and gets
    X_truncation and X_step_error likewise.
    """

    def decorate(method: Callable[..., Value]) -> Callable[..., Value]:
        @functools.wraps(method)
        def found(self: Photons, *args: Any, **kw: Any) -> Value:
            out = method(self, *args, **kw)

            def of(other: Photons) -> Any:
                return method(other, *args, **kw)

            for name in fields:
                prefix = "" if hasattr(out, "sem") else f"{name}_"
                value, sem = getattr(out, name), getattr(out, f"{prefix}sem")
                own = self.references.truncation(of, name, value, sem)
                setattr(out, f"{prefix}truncation", own)
                setattr(out, f"{prefix}step_error", self.references.step(of, name, value))
            return out

        return found

    return decorate


def exact_counts(
    model: Model,
    outputs: list[Output],
    edges: NDArray[np.float64],
    steady: bool,
    pairs: tuple[bool, bool],
    until: float,
) -> counting.Counts | None:
    """Exact moments of bins, of pairs of them (g1, g2) where they are quick too; None: not quick.

    Args:
        model, outputs, edges, steady: of the run.
        pairs: whether g1 and g2 are wanted.
        until: when it must end (``time.process_time``).
    """

    def counted(g1: bool, g2: bool) -> counting.Counts:
        fields = [o.operator() for o in outputs]  # not of white light
        engine = Exact().choose(model)[0]
        return counting.count(model, fields, edges, steady, g1=g1, g2=g2, engine=engine)

    begin = time.process_time()
    alone = None if model.links else exactly(model, until, lambda: counted(False, False))
    if alone is None or not any(pairs):
        return alone
    each = 1 + 4 * (1 if steady else edges.size - 1) * len(outputs)
    if (time.process_time() - begin) * each >= until - begin:
        return alone
    # where pairs take too long, moments of single bins are known all the same
    return exactly(model, until, lambda: counted(*pairs)) or alone
