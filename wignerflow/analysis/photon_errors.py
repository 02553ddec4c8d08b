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

from ..estimate import TooLong, within
from ..exact import counting
from ..exact.engine import Exact
from ..model.model import Model
from ..model.outputs import Output
from ..run.automatic import density_elements
from ..solving.truncation import PER_ELEMENT, REFERENCES, load
from .correlation_result import jackknife
from .truncations import SLOWER

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
        square = np.abs(np.asarray(getattr(one, name)) - np.asarray(getattr(two, name))) ** 2
        if getattr(one, "replicas", None) is not None:
            square = square - np.abs(jackknife((one.replicas - two.replicas)[1:])) ** 2
        return DOUBLED * np.sqrt(np.maximum(square, 0.0))

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
        square = np.abs(np.asarray(value) - right) ** 2 - np.abs(np.asarray(sem)) ** 2
        return np.sqrt(np.maximum(square, 0.0))


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
    seconds: float,
) -> counting.Counts | None:
    """Exact moments of bins, of pairs of them (g1, g2) where they are quick too; None: not quick.

    Args:
        model, outputs, edges, steady: of the run.
        pairs: whether g1 and g2 are wanted.
        seconds: of the processor, that it may take.
    """
    load(*REFERENCES)
    if model.links or density_elements(model, guess=True) * PER_ELEMENT * SLOWER > seconds:
        return None
    if Exact().refuses(model) is not None:
        return None
    begin, out = time.process_time(), None
    try:
        fields = [o.operator() for o in outputs]  # not of white light
        engine = Exact().choose(model)[0]
        with within(begin + seconds, False):
            out = counting.count(model, fields, edges, steady, g1=False, g2=False, engine=engine)
            spent = time.process_time() - begin
            one = 1 if steady else edges.size - 1
            if any(pairs) and spent * (1 + 4 * one * len(outputs)) < seconds:
                wanted: dict[str, Any] = {"g1": pairs[0], "g2": pairs[1], "engine": engine}
                out = counting.count(model, fields, edges, steady, **wanted)
    except (TooLong, ValueError, MemoryError, ArithmeticError):
        pass  # where pairs took too long, moments of single bins are known all the same
    return out
