"""A model's kernel for the browser, and its tables as functions of the sliders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.wasm import WasmModule
from ..model.model import Model
from .sliders import Interpolant, Point, Rough, Slider, interpolate

#: Accepted deviation of a table's entries: rates are then right to this, far below sampling errors.
TABLES = 2e-6
#: Chunks of trajectories that one call of the kernel runs.
CHUNKS = 8

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
        return np.concatenate([_part(module.tables, p).astype(float) for p in parts.values()])

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


def _part(tables: bytes, part: Sequence[Any]) -> NDArray[Any]:
    at, kind, size = part
    return np.frombuffer(tables, kind, size, at)
