"""The data of figures: one dataset each, every curve a variable that says what it is.

A sampled curve names, in its attributes, its method, the variable that holds its standard error
(``sem``), the variable it is judged by (``reference``), and the deviation it must not exceed
(``required``), so that tables can be made from the file alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

if TYPE_CHECKING:
    import xarray


#: Options of ``solve`` for the exact curve.
EXACT: dict[str, Any] = {"method": "exact"}


def dataset(coordinates: dict[str, Any], **attributes: Any) -> xarray.Dataset:
    """An empty dataset with the facts that every figure's file holds."""
    import xarray

    facts = {"wignerflow": wf.__version__, "warnings": ""}
    return xarray.Dataset(coords=coordinates, attrs=facts | attributes)


def axis(name: str, values: Any, what: str, symbol: str) -> dict[str, Any]:
    """A coordinate of a dataset: its name, values, words and symbol."""
    return {name: (name, values, {"long_name": what, "symbol": symbol, "units": "1"})}


def time_axis(last: float, points: int, symbol: str, name: str = "time") -> dict[str, Any]:
    """Times from zero to ``last``."""
    return axis(name, np.linspace(0, last, points), f"time {symbol}", symbol)


def add_values(
    data: xarray.Dataset,
    name: str,
    dims: str | tuple[str, ...],
    values: Any,
    errors: Any = None,
    *,
    label: str,
    role: str = "sem",
    **facts: Any,
) -> None:
    """Add the variable ``name``, and ``name_sem`` where it has standard errors.

    ``role``: the attribute that names them.
    """
    if errors is not None:
        own = {"long_name": f"{label}, standard error", "units": "1"}
        data[f"{name}_sem"] = (dims, errors, own)
        facts = {role: f"{name}_sem", "ancillary_variables": f"{name}_sem"} | facts
    data[name] = (dims, values, {"long_name": label, "units": "1"} | facts)


def add_curve(
    data: xarray.Dataset,
    name: str,
    dim: str | tuple[str, ...],
    result: wf.Result,
    observable: str,
    *,
    label: str,
    reference: str | None = None,
    required: float | None = None,
    **attributes: Any,
) -> None:
    """Add an observable of a result as the variable ``name``, sampled ones with ``name_sem``.

    Quantum jumps are exact, and their error is that of a reference.
    """
    values, error = result.expect[observable], result.sem[observable] if result.ntraj else None
    for text in result.stats.get("warnings", ()):
        line = f"{', '.join(f'{k} = {v}' for k, v in attributes.items())}: {text}"
        if line not in data.attrs["warnings"]:
            data.attrs["warnings"] += f"{line}\n"
    facts: dict[str, Any] = {"method": result.method, "label": label} | attributes
    if result.method == "jumps":
        facts |= {"method": "exact", "engine": "jumps", "runs": result.ntraj}
        add_values(data, name, dim, values, error, role="error", seed=str(result.seed), **facts)
        return
    if result.ntraj:
        facts |= {"ntraj": result.ntraj, "seed": str(result.seed), "dt": result.dt}
    if reference is not None:
        facts["reference"] = reference
    if required is not None:
        facts["required"] = required
    own = result.truncation[observable]
    if result.ntraj and np.any(np.isfinite(own)):
        stated = f"{name}_truncation"
        facts |= {"truncation": stated, "ancillary_variables": f"{name}_sem {stated}"}
        add_values(data, stated, dim, own, label=f"{label}, error of the method as stated")
    add_values(data, name, dim, values, error, **facts)


def add_runs(
    data: xarray.Dataset,
    dim: str,
    times: Any,
    model: wf.Model,
    quantities: Mapping[str, tuple[str, Any]],
    methods: Mapping[str, Mapping[str, Any]],
    required: Mapping[str, float | None] | None = None,
    *,
    texts: Mapping[str, str] | None = None,
    **attributes: Any,
) -> None:
    """Run methods, and add STEM_KEY of every quantity; STEM_exact, if it is there, judges.

    Args:
        times: of the runs, one for each place of ``dim``.
        quantities: by stem, a label and an observable.
        methods: by key, options of ``solve``.
        required: by STEM_KEY, the largest deviation allowed.
        texts: the words of a label for a key, if they are others.
    """
    e_ops = {stem: op for stem, (_, op) in quantities.items()}
    results = {
        key: wf.solve(model, times, e_ops=e_ops, progress=False, **options)
        for key, options in methods.items()
    }
    for stem, (label, _) in quantities.items():
        known = "exact" in results or f"{stem}_exact" in data
        for key, result in results.items():
            judged = known and key != "exact" and result.ntraj
            add_curve(
                data, f"{stem}_{key}", dim, result, stem,
                label=f"{label}, {(texts or {}).get(key, key)}",
                reference=f"{stem}_exact" if judged else None,
                required=(required or {}).get(f"{stem}_{key}"), **attributes,
            )  # fmt: skip


def add_steady(
    data: xarray.Dataset,
    name: str,
    dim: str,
    found: Sequence[wf.SteadyState],
    observable: str,
    *,
    label: str,
    reference: str,
    **facts: Any,
) -> None:
    """Add steady values at all places of ``dim``; sampled ones are judged by ``reference``."""
    values, errors = (
        [float(part[observable]) for part in parts]
        for parts in zip(*((f.expect, f.sem) for f in found), strict=True)
    )
    facts = {"method": found[0].method} | facts
    if not found[0].ntraj:
        add_values(data, name, dim, values, label=label, **facts)
        return
    step = max(f.dt or 0.0 for f in found)
    facts |= {"ntraj": found[0].ntraj, "seed": str(found[0].seed), "dt": step}
    add_values(data, name, dim, values, errors, label=label, reference=reference, **facts)


def sampled(data: xarray.Dataset) -> list[str]:
    """Names of the sampled curves, in order."""
    return [str(name) for name in data.data_vars if "sem" in data[name].attrs]


def difference(data: xarray.Dataset, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A sampled curve minus its reference, and the standard error of that.

    An exact reference that is itself sampled (a jump process) names its error as ``error``.
    """
    curve = data[name]
    reference, error = data[curve.attrs["reference"]], data[curve.attrs["sem"]].values
    if "error" in reference.attrs:
        error = np.hypot(error, data[reference.attrs["error"]].values)
    return curve.values - reference.values, error


def deviation_at(data: xarray.Dataset, name: str, at: int) -> tuple[float, float]:
    """Absolute deviation of a sampled curve at one place, and its standard error."""
    change, error = difference(data, name)
    return abs(float(change[at])), float(error[at])


def largest(change: NDArray[Any], error: NDArray[Any]) -> tuple[int, float, float]:
    """Where a deviation is largest, its absolute value there and its error."""
    k = int(np.nanargmax(np.abs(change)))
    return k, abs(float(change[k])), float(error[k])
