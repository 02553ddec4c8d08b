"""``wf.sweep``: one labelled dataset from a run at every point of a grid of parameters."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from .._check import Times
from ..bars import Steps
from ..estimate import check_memory, repeated
from ..model.model import Model
from ..result import AccuracyWarning, Result
from ..result.accuracy import BY_THE_METHOD, one_warning
from ..run.cluster import check_client
from ..solving import (
    quietly,
    resolve_method,
    runs_trajectories,
    seed_of,
    solve,
    watching,
    whole,
)
from .sweep_data import RESERVED, combined, together

if TYPE_CHECKING:
    import xarray

_NOT_HERE = ("checkpoint", "every", "keep", "start")
_WAYS = ("up", "down")
PER_POINT = 1500.0  # bytes, at least


@dataclass(frozen=True)
class _Work:
    """What is done at one point."""

    model_fn: Callable[..., Any]
    point: dict[str, Any]
    tlist: Any
    e_ops: Any
    run: Callable[..., Any] | None
    options: dict[str, Any]


@_check.called("wf.sweep(model_of, {'pump': [1, 2, 4]}, t)")
def sweep(
    model_fn: Callable[..., Any],
    params: Mapping[Any, Iterable[Any]],
    tlist: Times | Callable[..., Any] | None = None,
    e_ops: Any = None,
    *,
    run: Callable[..., Any] | None = None,
    continued: str | None = None,
    seed: int | None = None,
    client: Any = None,
    progress: bool = True,
    **options: Any,
) -> xarray.Dataset:
    """Solve a model, or do anything else with it, at every point of a grid of parameters.

    Args:
        model_fn: takes the parameters by name and returns a model, or (model, e_ops).
        params: by name, the values to take; the grid is their product. Parameters that change
            together share a tuple of names, ``{("N", "pump"): [(10, 1.0), (20, 2.0)]}``: one
            dimension, named after the first.
        tlist: output times, shape (T,), or a function of the parameters that gives as many times at
            every point (the dataset then holds them as ``times``, and ``time`` counts them). None
            with ``run``.
        e_ops: as for :func:`wignerflow.solve`, or a function of the model; None where ``model_fn``
            returns them.
        run: what to do at each point instead of :func:`wignerflow.solve`: a function of the model,
            and of e_ops where there are any, such as ``wf.steady_state`` or
            ``lambda model, ops: wf.spectrum(model, *ops, taus)``. It returns a number, numbers by
            name, or something with ``to_xarray``; it is given ``options``, and each point's seed if
            it has an argument of that name.
        continued: name of a parameter along which every run starts where the run at the value
            before ended: once along its values, once back, with a dimension ``direction`` ("up",
            "down"). Bistable systems show both branches. For methods with trajectories, such as
            "twa".
        seed: every point's own seed follows from it and from the point's place in the grid.
        client: a ``dask.distributed.Client``: points run on its workers, with the same bits.
        progress: show how many points are done, as :func:`wignerflow.solve` shows trajectories.
        options: of :func:`wignerflow.solve`, or of ``run``.

    Returns:
        A dataset with the dimensions of ``params`` and time: every observable as ``name``,
        ``name_sem``, ``name_std``, and for each point ntraj, seed, dt, failed, wall_time and
        stopped_because. With ``run`` whatever it returned, under the dimensions of ``params``.

        Ctrl-C ends it: points that were not done are then NaN, and ``stopped_because`` says so.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, or observables differ in
            name or shape from point to point. Of any error after the first point, the attribute
            ``done`` is the dataset of the points before.

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
        >>> steady = wf.sweep(laser, grid, run=wf.steady_state, method="exact")
        >>> dict(steady["inversion"].sizes)
        {'N': 2, 'pump': 3}
    """
    if not callable(model_fn):
        _check.fail("model_fn", "be a function of the parameters", model_fn, kind=TypeError)
    if run is solve:
        run = None
    if run is not None and not callable(run):
        _check.fail("run", "be a function of a model and its e_ops", run, kind=TypeError)
    if (tlist is None) == (run is None):
        must = "be given to `wf.solve` alone; hand it to `run` in a function of your own"
        _check.fail("tlist", "be given" if run is None else must, tlist)
    axes = _axes(params)
    for name in options:
        if name in _NOT_HERE:
            _check.fail("options", f"not hold `{name}`, which belongs to one run", name)
    count = math.prod(len(values) for values in axes.values())
    check_memory(PER_POINT * float(count), f"A sweep over {count} points", "take fewer values")
    places = list(itertools.product(*axes.values()))
    names = [name for own in axes for name in own]
    named = [dict(zip(names, itertools.chain(*place), strict=True)) for place in places]
    number = seed_of(seed)
    lines = _lines(axes, continued, run, client, options.get("method", "twa"))
    takes = inspect.signature(solve if run is None else run).parameters
    work: list[_Work] = []
    for k, point in enumerate(named * (2 if continued else 1)):
        own: dict[str, Any] = {"seed": _point_seed(number, k)} if "seed" in takes else {}
        if "progress" in takes:
            own["progress"] = False
        work.append(_Work(model_fn, point, tlist, e_ops, run, {**options, **own}))
    found: list[Any] = [None] * len(work)
    grid: dict[tuple[str, ...], list[Any]] = dict(axes)
    if continued:
        grid = {("direction",): [(way,) for way in _WAYS], **axes}

    def data() -> xarray.Dataset:
        if run is not None:
            return combined(grid, found)
        return together(grid, found, callable(tlist))

    try:
        if client is None:
            _one_by_one(work, lines, continued is not None, progress, found)
        else:
            check_client(client)
            if run is None:
                for w in work:
                    w.options["threads"] = 1
            _on_workers(work, client, found)
    except KeyboardInterrupt:
        if all(result is None for result in found):
            raise
        _check.warn("Interrupted: points that were not done hold NaN.")
    except Exception as error:
        if any(result is not None for result in found):
            error.done = data()  # type: ignore[attr-defined]
            error.add_note("The points that were done are in the attribute `done` of this error.")
        raise
    with one_warning():
        for result in found:
            for text in (getattr(result, "stats", None) or {}).get("warnings", ()):
                if BY_THE_METHOD in text:
                    _check.warn(text, AccuracyWarning)
    return data()


def _one_by_one(
    work: list[_Work], lines: list[list[int]], continued: bool, progress: bool, found: list[Any]
) -> None:
    """Do the points here, until Ctrl-C."""
    with Steps("sweep", progress) as bar, watching("sweep", told=False):
        done = 0
        for line in lines:
            before = None
            for k in line:
                bar.show(done, len(work))
                with repeated(len(work) - done):
                    found[k] = _done(work[k], before, continued)
                if isinstance(found[k], Result):
                    whole(found[k])
                before, done = found[k] if continued else None, done + 1


def _on_workers(work: list[_Work], client: Any, found: list[Any]) -> None:
    """Do the points on the workers of a cluster."""
    futures = [client.submit(_done, w, None, False, pure=False) for w in work]
    try:
        found[:] = client.gather(futures)
    except BaseException:
        done = [k for k, future in enumerate(futures) if future.status == "finished"]
        for k, result in zip(done, client.gather([futures[k] for k in done]), strict=True):
            found[k] = result
        client.cancel(futures)
        raise


def _axes(params: Any) -> dict[tuple[str, ...], list[Any]]:
    """By the names that change together, the tuples of values that they take."""
    if not isinstance(params, Mapping) or not params:
        hint = "For example {'N': [10, 100], 'pump': [0.1, 0.2]}."
        _check.fail("params", "map names to the values to take", params, hint, TypeError)
    out: dict[tuple[str, ...], list[Any]] = {}
    seen: set[str] = set()
    for key, values in params.items():
        names = key if isinstance(key, tuple) else (key,)
        for name in names or ("",):
            if not isinstance(name, str) or not name.isidentifier() or name in RESERVED:
                must = f"have names of arguments of `model_fn`, other than {', '.join(RESERVED)}"
                _check.fail("params", must, name)
            if name in seen:
                _check.fail("params", "hold every name once", name)
            seen.add(name)
        where = f"params[{key!r}]"
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            _check.fail(where, "be a list of values", values, kind=TypeError)
        own = [tuple(v) if isinstance(key, tuple) and np.iterable(v) else (v,) for v in values]
        if not own:
            _check.fail(where, "hold at least one value", own)
        if any(len(v) != len(names) for v in own):
            _check.fail(where, f"hold {len(names)} values at every place, one per name", own)
        own = [tuple(x.item() if isinstance(x, np.generic) else x for x in v) for v in own]
        if not all(isinstance(x, (bool, int, float, str)) for v in own for x in v):
            _check.fail(where, "hold numbers or strings", own, kind=TypeError)
        out[tuple(names)] = own
    return out


def _lines(
    axes: dict[tuple[str, ...], list[Any]],
    continued: str | None,
    run: Any,
    client: Any,
    method: Any,
) -> list[list[int]]:
    """Places in the order in which they are done, those that continue each other in one list."""
    shape = [len(v) for v in axes.values()]
    places = np.arange(int(np.prod(shape))).reshape(shape)
    if continued is None:
        return [[int(k)] for k in places.ravel()]
    _check.one_of("continued", continued, [n for names in axes for n in names])
    if run is not None or client is not None:
        _check.fail("continued", "be None with `run` or `client`", continued)
    if method == "auto" or not runs_trajectories(resolve_method(method)):
        must = f"be None for method={method!r}, as trajectories alone go on from where others ended"
        _check.fail("continued", must, continued, "For example `method='twa'`.")
    along = next(k for k, names in enumerate(axes) if continued in names)
    rows = np.moveaxis(places, along, -1).reshape(-1, shape[along])
    return [[*map(int, row), *(places.size + int(k) for k in row[::-1])] for row in rows]


def _point_seed(seed: int, place: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=(place,)).generate_state(1, np.uint64)[0])


def _done(work: _Work, before: Result | None, keep: bool) -> Any:
    made = work.model_fn(**work.point)
    model, own = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, Model):
        _check.fail("model_fn", "return a wf.Model, or (model, e_ops)", made, kind=TypeError)
    if own is not None and work.e_ops is not None:
        must = "be given once: here, or by `model_fn` as the second of two"
        _check.fail("e_ops", must, "given twice")
    wanted = own if work.e_ops is None else work.e_ops
    wanted = wanted(model) if callable(wanted) else wanted
    with quietly():  # warnings stand in the dataset
        if work.run is not None:
            return work.run(model, *(() if wanted is None else (wanted,)), **work.options)
        if wanted is None:
            _check.fail("e_ops", "be given: here, or by `model_fn` as the second of two", None)
        times = work.tlist(**work.point) if callable(work.tlist) else work.tlist
        more: dict[str, Any] = {"keep": "final", "start": before} if keep else {}
        return solve(model, times, e_ops=wanted, **work.options, **more)
