"""What a page holds of a model: its kernel and the curves behind, as functions of the sliders."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..derived import Derived
from ..exact import populations
from ..exact.engine import Exact
from ..kernels.wasm import WasmModule
from ..model.model import Model
from ..moments.method import Cumulant
from ..run.automatic import CHEAP_ELEMENTS, density_elements
from ..solving import solve
from .sliders import MOST, Interpolant, Point, Rough, Slider, interpolate

#: Accepted deviation of a table's entries: rates are then right to this, far below sampling errors.
TABLES = 2e-6
#: Chunks of trajectories that one call of the kernel runs.
CHUNKS = 8

#: Accepted deviation of an interpolated curve, in units of its largest value.
CURVES = 3e-3
#: Emitters up to which populations take well below a second.
FEW = 400

Maker = Callable[..., tuple[Model, dict[str, Any]]]


@dataclass
class Kernel:
    """A module, and where its tables' numbers move with the sliders.

    Attributes:
        module: the kernel, with the tables of the first position.
        places: byte offsets in the tables of the numbers that move (V,).
        kind: their type, "float32" or "float64".
        moving: those numbers as functions of the sliders.
    """

    module: WasmModule
    places: NDArray[np.int64]
    kind: str
    moving: Interpolant


def live_kernel(
    model_of: Maker,
    sliders: Sequence[Slider],
    tlist: NDArray[np.float64],
    method: Any,
    names: Sequence[str],
    dt: float | None,
) -> Kernel:
    """The kernel of a model for every position of the sliders.

    Raises:
        Rough: positions differ in more than numbers, or the numbers are no smooth functions.
    """
    home = {s.name: s.value for s in sliders}

    def made(point: Point, step: float | None) -> WasmModule:
        model, e_ops = model_of(**values(sliders, point))
        chosen = {n: e_ops[n] for n in names}
        module: WasmModule = model.compile(
            method, tlist=tlist, e_ops=chosen, dt=step, ntraj=100_000, chunks=CHUNKS
        )
        return module

    if dt is None:
        ends = product(*((s.low, s.high) for s in sliders))
        corners = [dict(zip(home, end, strict=True)) for end in ends][:8]
        steps = max(made(point, None).layout["steps"] for point in [home, *corners])
        dt = float(tlist[-1] - tlist[0]) / steps
    base = made(home, dt)
    parts = {n: p for n, p in base.layout["tables"]["parts"].items() if p[1].startswith("float")}

    def numbers(point: Point) -> NDArray[np.float64]:
        module = made(point, dt)
        if module.layout["code"] != base.layout["code"]:
            raise Rough(f"at {point} the kernel is another one than at {home}")
        found = (np.frombuffer(module.tables, k, size, at) for at, k, size in parts.values())
        return np.concatenate([part.astype(float) for part in found])

    moving = interpolate(sliders, numbers, TABLES)
    flat = moving.values.reshape(-1, moving.values.shape[-1])
    with np.errstate(invalid="ignore"):
        moves = np.nonzero(np.ptp(flat, axis=0) > 0)[0]
    offsets = np.concatenate(
        [at + np.arange(size) * np.dtype(kind).itemsize for at, kind, size in parts.values()]
    ).astype(np.int64)
    kinds = np.concatenate([np.full(size, kind) for _, kind, size in parts.values()])
    found = set(kinds[moves])
    if len(found) > 1:
        raise Rough("numbers of two types move with the sliders")
    moving.values = moving.values[..., moves]
    return Kernel(base, offsets[moves], str(found.pop()) if found else "float32", moving)


def values(sliders: Sequence[Slider], point: Point) -> dict[str, Any]:
    """A point as arguments: integers where a slider goes by those."""
    return {s.name: int(point[s.name]) if s.whole else point[s.name] for s in sliders}


# ---------------------------------------------------------------- the curves behind


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
