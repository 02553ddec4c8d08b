"""``wf.sweep``: one labelled dataset from a run at every point of a grid of parameters."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check, store
from ..model.model import Model
from ..result import AccuracyWarning, Result
from ..result.accuracy import inaccurate, one_warning
from ..run.cluster import check_client
from ..solving import seed_of, solve

if TYPE_CHECKING:
    import xarray

_TAKEN = ("time", "member", "pair", "momentum", "times")
_NOT_HERE = ("checkpoint", "every", "keep")
#: What of a run's statistics a point of the dataset keeps.
_FACTS = ("ntraj", "seed", "dt", "failed", "wall_time")


def sweep(
    model_fn: Callable[..., Any],
    params: Mapping[str, Iterable[Any]],
    tlist: Any,
    e_ops: Any = None,
    *,
    seed: int | None = None,
    client: Any = None,
    **options: Any,
) -> xarray.Dataset:
    """Solve a model at every point of a grid of parameters.

    Args:
        model_fn: takes the parameters by name and returns a model, or (model, e_ops).
        params: by name, the values to take; the grid is their product.
        tlist: output times, shape (T,), or a function of the parameters that gives as many times at
            every point (the dataset then holds them as ``times``, and ``time`` counts them).
        e_ops: as for :func:`wignerflow.solve`, or a function of the model; None where ``model_fn``
            returns them.
        seed: every point's own seed follows from it and from the point's place in the grid.
        client: a ``dask.distributed.Client``: points run on its workers, with the same bits.
        options: of :func:`wignerflow.solve`.

    Returns:
        A dataset with the dimensions of ``params`` and time: every observable as ``name``,
        ``name_sem``, ``name_std``, and for each point ntraj, seed, dt, failed, wall_time and
        stopped_because.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, or observables differ in
            name or shape from point to point.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> def laser(N, pump):
        ...     atoms = wf.Ensemble(N, name="atoms")
        ...     jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, pump * N)]
        ...     model = wf.Model(jumps=jumps, initial={atoms: wf.up})
        ...     return model, {"inversion": atoms.Jz}
        >>> grid = {"N": [20, 40], "pump": [0.1, 0.2, 0.3]}
        >>> data = wf.sweep(laser, grid, np.linspace(0, 0.1, 3), ntraj=64, seed=1)
        >>> dict(data["inversion"].sizes)
        {'N': 2, 'pump': 3, 'time': 3}
    """
    if not callable(model_fn):
        _check.fail("model_fn", "be a function of the parameters", model_fn, kind=TypeError)
    axes = _axes(params)
    for name in options:
        if name in _NOT_HERE:
            _check.fail("options", f"not hold `{name}`, which belongs to one run", name)
    number = seed_of(seed)
    points = list(itertools.product(*axes.values()))
    seeds = [_point_seed(number, k) for k in range(len(points))]
    named = [dict(zip(axes, point, strict=True)) for point in points]
    work = [(model_fn, p, tlist, e_ops, s, options) for p, s in zip(named, seeds, strict=True)]
    if client is None:
        results = [_point(*arguments) for arguments in work]
    else:
        check_client(client)
        quiet = {"progress": False, "threads": 1}
        futures = [client.submit(_point, *w[:-1], {**w[-1], **quiet}, pure=False) for w in work]
        results = client.gather(futures)
    with one_warning():
        for result in results:
            off = inaccurate(result.expect, result.sem, result.truncation, result.times)
            if off is not None:
                warnings.warn(off, AccuracyWarning, stacklevel=2)
    return _dataset(axes, results, callable(tlist))


def _axes(params: Any) -> dict[str, list[Any]]:
    if not isinstance(params, Mapping) or not params:
        hint = "For example {'N': [10, 100], 'pump': [0.1, 0.2]}."
        _check.fail("params", "map names to the values to take", params, hint, TypeError)
    out = {}
    for name, values in params.items():
        if not isinstance(name, str) or not name.isidentifier() or name in _TAKEN:
            must = f"have names of arguments of `model_fn`, other than {', '.join(_TAKEN)}"
            _check.fail("params", must, name)
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            _check.fail(f"params[{name!r}]", "be a list of values", values, kind=TypeError)
        own = [v.item() if isinstance(v, np.generic) else v for v in values]
        if not own:
            _check.fail(f"params[{name!r}]", "hold at least one value", own)
        if not all(isinstance(v, (bool, int, float, str)) for v in own):
            _check.fail(f"params[{name!r}]", "hold numbers or strings", own, kind=TypeError)
        out[name] = own
    return out


def _point_seed(seed: int, place: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=(place,)).generate_state(1, np.uint64)[0])


def _point(
    model_fn: Callable[..., Any],
    point: dict[str, Any],
    tlist: Any,
    e_ops: Any,
    seed: int,
    options: dict[str, Any],
) -> Result:
    made = model_fn(**point)
    model, own = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, Model):
        _check.fail("model_fn", "return a wf.Model, or (model, e_ops)", made, kind=TypeError)
    if (own is None) == (e_ops is None):
        must = "be given once: here, or by `model_fn` as the second of two"
        _check.fail("e_ops", must, "given twice" if own is not None else None)
    wanted: Any = own if e_ops is None else e_ops(model) if callable(e_ops) else e_ops
    times = tlist(**point) if callable(tlist) else tlist
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they stand in the dataset
        return solve(model, times, e_ops=wanted, seed=seed, **options)


def _dataset(axes: dict[str, list[Any]], results: list[Result], own_times: bool) -> xarray.Dataset:
    import xarray

    shape = tuple(len(v) for v in axes.values())
    first = results[0]
    for result in results:
        for name in first.expect:
            if list(result.expect) != list(first.expect):
                must = f"have the names {list(first.expect)} at every point"
                _check.fail("e_ops", must, list(result.expect))
            if result.expect[name].shape != first.expect[name].shape:
                must = f"have shape {first.expect[name].shape} at every point"
                _check.fail(f"e_ops[{name!r}]", must, result.expect[name].shape)
    dims = store.dimension_names(first.axes)
    coordinates: dict[str, Any] = dict(axes)
    variables: dict[str, Any] = {}
    if own_times:
        coordinates["time"] = np.arange(len(first.times))
        variables["times"] = ([*axes, "time"], _stack([r.times for r in results], shape))
    else:
        coordinates["time"] = first.times
    for name in first.expect:
        own = [*axes, "time", dims[name]] if name in dims else [*axes, "time"]
        if name in dims:
            coordinates[dims[name]] = first.axes[name][1]
        for part, ending in store.PARTS.items():
            values = _stack([getattr(r, part)[name] for r in results], shape)
            variables[name + ending] = (own, values, {"long_name": name + store.LONG[part]})
    for fact in _FACTS:
        found = [
            getattr(r, fact, None) if fact in ("ntraj", "seed", "dt") else None for r in results
        ]
        if fact in ("failed", "wall_time"):
            found = [r.stats.get(fact, 0) for r in results]
        if fact == "seed":
            found = [str(v) for v in found]
        if not any(v is None for v in found) and fact not in variables:
            variables[fact] = (list(axes), np.array(found).reshape(shape))
    stopped = [str(r.stats.get("stopped_because", "")) for r in results]
    variables["stopped_because"] = (list(axes), np.array(stopped).reshape(shape))
    noted = [f"{i}: {w}" for i, r in enumerate(results) for w in r.stats.get("warnings", ())]
    attributes = {"method": first.method, "warnings": "\n".join(noted)}
    if first.provenance.get("wignerflow"):
        attributes["wignerflow"] = first.provenance["wignerflow"]
    return xarray.Dataset(variables, coordinates, attributes)


def _stack(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(values).reshape(*shape, *values[0].shape)
