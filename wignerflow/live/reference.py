"""The curves behind: exact where that is cheap, else second-order cumulants."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..derived import Derived
from ..exact import populations
from ..exact.engine import Exact
from ..model.model import Model
from ..moments.method import Cumulant
from ..run.automatic import CHEAP_ELEMENTS, density_elements
from ..solving import solve
from .kernel import Maker, values
from .sliders import MOST, Interpolant, Point, Rough, Slider, interpolate

#: Accepted deviation of an interpolated curve, in units of its largest value.
CURVES = 3e-3
#: Emitters up to which populations take well below a second.
FEW = 400


@dataclass
class Reference:
    """Curves of a deterministic method: at every position, or where the sliders stand first alone.

    Attributes:
        method: "exact" or "cumulant".
        curves: (..., T K) as functions of the sliders, observables end to end, complex ones as real
            and imaginary part.
        everywhere: whether they move with the sliders.
    """

    method: str
    curves: Interpolant
    everywhere: bool


def reference(
    model_of: Maker,
    sliders: Sequence[Slider],
    tlist: NDArray[np.float64],
    names: Sequence[str],
    method: str | None,
    seconds: float,
) -> Reference | None:
    """The curves behind, or None where no method treats the model or none is wanted.

    Args:
        model_of: gives (model, e_ops) for values of the sliders.
        sliders, tlist, names: as of the page.
        method: "exact", "cumulant", or "auto".
        seconds: what computing them may take.
    """
    if method is None:
        return None
    home = {s.name: s.value for s in sliders}
    model, e_ops = model_of(**values(sliders, home))
    engines = _engines(model, e_ops, method)

    def curves(point: Point, engine: Any) -> NDArray[np.float64]:
        model, e_ops = model_of(**values(sliders, point))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            chosen = {n: e_ops[n] for n in names}
            result = solve(model, tlist, e_ops=chosen, method=engine, progress=False)
        return columns(result.expect)

    first: Reference | None = None
    for engine in engines:
        begin = time.perf_counter()
        alone = curves(home, engine)
        most = int(min(MOST, seconds / max(time.perf_counter() - begin, 1e-3)))
        try:
            found = interpolate(sliders, partial(curves, engine=engine), CURVES, most)
            return Reference(engine.name, found, True)
        except Rough:
            nodes = [np.array([s.value]) for s in sliders]
            only = Interpolant(sliders, nodes, alone.reshape(*(1 for _ in sliders), -1), 0.0)
            first = first or Reference(engine.name, only, False)
    return first


def columns(expect: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Curves end to end: each (T, size), the real before the imaginary part."""
    out: list[NDArray[Any]] = []
    for value in expect.values():
        parts = (value.real, value.imag) if np.iscomplexobj(value) else (value,)
        out += [part.ravel() for part in parts]
    return np.concatenate(out)


def _engines(model: Model, e_ops: Mapping[str, Any], method: str) -> list[Any]:
    """Methods that treat the model, the preferred one first."""
    wanted: list[Any] = [Exact(), Cumulant()]
    if method != "auto":
        wanted = [engine for engine in wanted if engine.name == method]
    ops = {n: op for n, op in e_ops.items() if not isinstance(op, Derived)}
    out: list[Any] = []
    for engine in wanted:
        if isinstance(engine, Exact) and method == "auto":
            closed = populations.refuses(model) is None and _few(model)
            if not closed and density_elements(model) > CHEAP_ELEMENTS:
                continue
        if engine.refuses(model, ops) is None:
            out.append(engine)
    return out


def _few(model: Model) -> bool:
    return max(float(np.max(getattr(s, "numbers", 1))) for s in model.subsystems) <= FEW
