"""What the points of a sweep found, as one dataset."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check, store
from ..result import Result, Values

if TYPE_CHECKING:
    import xarray

#: Names that the dataset has itself.
RESERVED = ("time", "member", "pair", "momentum", "times", "direction")

Axes = Mapping[tuple[str, ...], list[Any]]


def together(axes: Axes, results: list[Result], own_times: bool) -> xarray.Dataset:
    """One dataset of results of ``wf.solve``, in the order of the grid."""
    import xarray

    shape = tuple(len(v) for v in axes.values())
    first = next(r for r in results if r is not None)
    absent = _absent(first)
    results = [absent if r is None else r for r in results]
    for result in results:
        for name in first.expect:
            if list(result.expect) != list(first.expect):
                must = f"have the names {list(first.expect)} at every point"
                _check.fail("e_ops", must, list(result.expect))
            if result.expect[name].shape != first.expect[name].shape:
                must = f"have shape {first.expect[name].shape} at every point"
                _check.fail(f"e_ops[{name!r}]", must, result.expect[name].shape)
    dims = store.dimension_names(first.axes)
    grid = _dimensions(axes)
    coordinates = _coordinates(axes)
    variables: dict[str, Any] = {}
    if own_times:
        coordinates["time"] = np.arange(len(first.times))
        variables["times"] = ([*grid, "time"], _stack([r.times for r in results], shape))
    else:
        coordinates["time"] = first.times
    for name in first.expect:
        own = [*grid, "time", dims[name]] if name in dims else [*grid, "time"]
        if name in dims:
            coordinates[dims[name]] = first.axes[name][1]
        for part, ending in store.PARTS.items():
            values = _stack([getattr(r, part)[name] for r in results], shape)
            variables[name + ending] = (own, values, {"long_name": name + store.LONG[part]})
    facts: dict[str, list[Any]] = {
        "ntraj": [r.ntraj for r in results],
        "seed": [str(r.seed) for r in results],
        "dt": [r.dt for r in results],
        "failed": [r.stats.get("failed", 0) for r in results],
        "wall_time": [r.stats.get("wall_time", 0) for r in results],
        "stopped_because": [str(r.stats.get("stopped_because", "")) for r in results],
    }
    for fact, found in facts.items():
        if None not in found and fact not in variables:
            variables[fact] = (grid, np.array(found).reshape(shape))
    attributes = {"method": first.method, **said(results)}
    if first.provenance.get("wignerflow"):
        attributes["wignerflow"] = first.provenance["wignerflow"]
    return xarray.Dataset(variables, coordinates, attributes)


def combined(axes: Axes, found: list[Any]) -> xarray.Dataset:
    """One dataset of whatever the points returned, in the order of the grid.

    Coordinates that differ from point to point become variables, and their dimension counts.
    """
    import xarray

    shape = tuple(len(v) for v in axes.values())
    grid = _dimensions(axes)
    first = _dataset(next(value for value in found if value is not None))
    nothing = _nothing(first)
    points = [nothing if value is None else _dataset(value) for value in found]
    for point in points:
        if set(point.variables) != set(first.variables) or point.sizes != first.sizes:
            must = "return the same names and shapes at every point"
            was = _check.Note(f"{dict(first.sizes)} and {dict(point.sizes)}")
            _check.fail("run", must, was)
    coordinates = _coordinates(axes)
    variables: dict[str, Any] = {}
    for name, own in first.variables.items():
        values = [point.variables[name].values for point in points]
        if name in first.coords and all(np.array_equal(v, values[0]) for v in values):
            coordinates[str(name)] = (own.dims, values[0], own.attrs)
            continue
        shown = f"{name}s" if name in first.dims else str(name)
        if shown in coordinates:
            _check.fail("run", "return names other than those of parameters", shown)
        variables[shown] = ([*grid, *own.dims], _stack(values, shape), own.attrs)
    same = {k: v for k, v in first.attrs.items() if all(p.attrs.get(k) == v for p in points)}
    return xarray.Dataset(variables, coordinates, {**same, **said(found)})


def _absent(like: Result) -> Result:
    """The result of a point that was not done: NaN everywhere."""
    out = copy.copy(like)
    parts = {
        part: Values({n: np.full(v.shape, np.nan) for n, v in getattr(like, part).items()})
        for part in store.PARTS
    }
    out.__dict__.update(parts, times=np.full(like.times.shape, np.nan), ntraj=0)
    out.__dict__["stats"] = {"stopped_because": "not run"}
    return out


def _nothing(like: xarray.Dataset) -> xarray.Dataset:
    """Likewise of a point that returned something else."""
    numbers = {n: v for n, v in like.data_vars.items() if v.dtype.kind in "biufc"}
    return like.assign({n: v.astype(np.result_type(v, float)) * np.nan for n, v in numbers.items()})


def said(found: list[Any]) -> dict[str, str]:
    """Warnings, notes and what truncation rests on, of all points with their places."""
    out = {}
    stats = [getattr(value, "stats", None) or {} for value in found]
    for kind in ("warnings", "notes", "truncation"):
        lines = []
        for k, own in enumerate(stats):
            texts = own.get(kind) or ()
            lines += [f"{k}: {x}" for x in ([texts] if isinstance(texts, str) else texts)]
        if lines or kind == "warnings":
            out[kind] = "\n".join(lines)
    return out


def _dataset(value: Any) -> xarray.Dataset:
    """What one point returned."""
    import xarray

    if isinstance(value, xarray.Dataset):
        return value
    if isinstance(value, Result):
        data = value.to_xarray()
        return data.assign_attrs({k: v for k, v in data.attrs.items() if k == "method"})
    if hasattr(value, "to_xarray"):
        return _dataset(value.to_xarray())
    if not isinstance(value, Mapping):
        value = {"value": value}
    variables = {}
    for name, one in value.items():
        array = np.asarray(one)
        if array.dtype.kind not in "biufcU":
            must = "return numbers, numbers by name, or something with `to_xarray`"
            _check.fail("run", must, one, kind=TypeError)
        variables[str(name)] = ([f"{name}_{k}" for k in range(array.ndim)], array)
    return xarray.Dataset(variables)


def _dimensions(axes: Axes) -> list[str]:
    return [names[0] for names in axes]


def _coordinates(axes: Axes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for names, values in axes.items():
        for k, name in enumerate(names):
            out[name] = (names[0], np.array([v[k] for v in values]))
    return out


def _stack(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(values).reshape(*shape, *np.shape(values[0]))
