"""What every figure is: data with errors, a drawing of the data alone, and a table of deviations.

A figure's data is one ``xarray.Dataset``. Every curve is a variable of its own. A sampled curve
names, in its attributes, its method, the variable that holds its standard error (``sem``), the
variable it is judged by (``reference``), and the deviation it must not exceed (``required``), so
that the table can be made from the file alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

from .. import files
from ..result import aligned, format_value

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure
    import xarray

Axes: TypeAlias = "matplotlib.axes.Axes"
Data: TypeAlias = "xarray.Dataset"
Drawing: TypeAlias = "matplotlib.figure.Figure"
Say = Callable[[str], None]


def silent(message: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Asked:
    """How a figure's data are to be computed.

    Attributes:
        quick: a smaller version that takes seconds.
        ntraj: trajectories of every sampled curve; None takes the figure's own numbers.
        seed: of the random numbers; None takes the figure's own.
        threads: worker threads; the data does not depend on it.
        say: called with one line at the start of every long part.
    """

    quick: bool = False
    ntraj: int | None = None
    seed: int | None = None
    threads: int | None = None
    say: Say = silent

    def many(self, full: int, quick: int | None = None) -> int:
        """Trajectories: those asked for, or the figure's own, fewer where quick."""
        if self.ntraj is not None:
            return self.ntraj
        return full if quick is None or not self.quick else quick

    def sampling(self, ntraj: int, dt: float | None = None, seed: int = 7) -> dict[str, Any]:
        """Options of ``solve`` for sampled methods; ``seed`` where none is asked for."""
        seed = seed if self.seed is None else self.seed
        return {"ntraj": ntraj, "seed": seed, "threads": self.threads, "dt": dt}


@dataclass(frozen=True)
class Check:
    """One number that the figure must reach.

    Attributes:
        what: the number in words.
        value, error: the number and its standard error (None: not a sampled number).
        required: the bound in words, such as "at least 0.8".
        met: whether the number keeps it; None if its error is too large to tell.
    """

    what: str
    value: float
    error: float | None
    required: str
    met: bool | None


def no_checks(data: xarray.Dataset) -> list[Check]:
    """For figures that ask for deviations alone."""
    return []


@dataclass(frozen=True)
class Figure:
    """A published figure that the library can reproduce.

    Attributes:
        name: author and number, such as "ruks-2a".
        title: what it shows, one line.
        source: paper and figure.
        compute: its data; nothing is read from or kept for other runs.
        draw: draws the data.
        checks: requirements other than bounds on deviations.
        live: the live page of its model, a name of ``live.PAGES``.
    """

    name: str
    title: str
    source: str
    compute: Callable[[Asked], xarray.Dataset]
    draw: Callable[[xarray.Dataset], Drawing]
    checks: Callable[[xarray.Dataset], list[Check]] = no_checks
    live: str | None = None

    def make(self, quick: bool = False, **asked: Any) -> xarray.Dataset:
        """The data; see :class:`Asked` for the options."""
        data = self.compute(Asked(quick, **asked))
        data.attrs = {"figure": self.name, "source": self.source} | data.attrs
        return data


@dataclass(frozen=True)
class Deviation:
    """The largest deviation of a curve from its reference.

    Attributes:
        curve: label of the curve.
        value: largest absolute deviation; NaN without a reference.
        sem: standard error of the deviation at that point.
        where: coordinate of that point.
        axis: name of the coordinate.
        required: bound on the deviation, or None.
        stated: what the run itself states there as the error of the method, or NaN; without a
            reference the largest.
    """

    curve: str
    value: float
    sem: float
    where: float
    axis: str
    required: float | None
    stated: float = math.nan

    @property
    def met(self) -> bool | None:
        """Whether the deviation keeps its bound; see :func:`keeps`."""
        return None if self.required is None else keeps(self.value, self.sem, self.required)


def keeps(value: float, sem: float, bound: float) -> bool | None:
    """Whether value <= bound; None if it is above by less than two standard errors.

    By less than four where one of them is larger than the bound: the value is the largest of a
    curve's, of which noise alone makes three.
    """
    if value <= bound:
        return True
    return None if value - (4 if sem > bound else 2) * sem <= bound else False


def judged(
    what: str,
    value: float,
    error: float | None,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Check:
    """A number that may not exceed one bound, or not fall below another."""
    words, sign, bound = ("at most", 1, at_most) if at_least is None else ("at least", -1, at_least)
    assert bound is not None
    met = keeps(sign * value, error or 0.0, sign * bound)
    return Check(what, value, error, f"{words} {bound:g}", met)


def largest(change: NDArray[Any], error: NDArray[Any]) -> tuple[int, float, float]:
    """Where a deviation is largest, its absolute value there and its error."""
    k = int(np.nanargmax(np.abs(change)))
    return k, abs(float(change[k])), float(error[k])


# ---------------------------------------------------------------- data


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
    facts: dict[str, Any] = {"method": result.method} | attributes
    error, values = None, result.expect[observable]
    if result.ntraj:
        facts |= {"ntraj": result.ntraj, "seed": str(result.seed), "dt": result.dt}
        error = result.sem[observable]
    for text in result.stats.get("warnings", ()):
        line = f"{', '.join(f'{k} = {v}' for k, v in attributes.items())}: {text}"
        if line not in data.attrs["warnings"]:
            data.attrs["warnings"] += f"{line}\n"
    if result.method == "jumps":
        facts |= {"method": "exact", "engine": "jumps", "runs": facts.pop("ntraj")}
        del facts["dt"]
        add_values(data, name, dim, values, error, label=label, role="error", **facts)
        return
    if reference is not None:
        facts["reference"] = reference
    if required is not None:
        facts["required"] = required
    own = result.truncation[observable]
    if result.ntraj and np.any(np.isfinite(own)):
        stated = f"{name}_truncation"
        facts |= {"truncation": stated, "ancillary_variables": f"{name}_sem {stated}"}
        add_values(data, stated, dim, own, label=f"{label}, error of the method as stated")
    add_values(data, name, dim, values, error, label=label, **facts)


#: Options of ``solve`` for the exact curve.
EXACT: dict[str, Any] = {"method": "exact"}


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


def deviations(data: xarray.Dataset) -> list[Deviation]:
    """The largest deviation of every sampled curve, with its standard error there."""
    out = []
    for name in sampled(data):
        facts = data[name].attrs
        axis = str(data[name].dims[0])
        value = sem = where = stated = math.nan
        if "reference" in facts:
            k, value, sem = largest(*difference(data, name))
            where = float(data[axis][k])
            if "truncation" in facts:
                stated = float(data[facts["truncation"]].values[k])
        elif "truncation" in facts:
            stated = float(np.nanmax(data[facts["truncation"]].values))
        required = facts.get("required")
        out.append(Deviation(facts["long_name"], value, sem, where, axis, required, stated))
    return out


# ---------------------------------------------------------------- text


def _verdict(met: bool | None) -> str:
    return "open: more trajectories" if met is None else "met" if met else "NOT MET"


def table(figure: Figure, data: xarray.Dataset) -> str:
    """The figure's deviations and requirements, as text."""
    found = deviations(data)
    lines = [f"{figure.name}: {figure.title}", figure.source, ""]
    if found:
        axis = data[found[0].axis].attrs.get("symbol", found[0].axis)
        head = ["curve", "largest deviation from exact", "truncation stated", f"at {axis}"]
        rows = [[*head, "required", ""]]
        for d in found:
            known = math.isfinite(d.value)
            stated = f"{d.stated:.2g}" if math.isfinite(d.stated) else "no estimate"
            rows.append(
                [
                    d.curve,
                    format_value(d.value, d.sem) if known else "no exact curve",
                    stated,
                    f"{d.where:.4g}" if known else "",
                    "" if d.required is None else f"at most {d.required:g}",
                    "" if d.required is None else _verdict(d.met),
                ]
            )
        lines += aligned(rows)
    checks = figure.checks(data)
    if checks:
        rows = [["requirement", "found", "required", ""]]
        for c in checks:
            shown = f"{c.value:.2g}" if c.error is None else format_value(c.value, c.error)
            rows.append([c.what, shown, c.required, _verdict(c.met)])
        lines += ["", *aligned(rows)]
    if data.attrs.get("warnings"):
        lines += ["", "Warnings of the runs:", *data.attrs["warnings"].strip().splitlines()]
    return "\n".join(lines)


def in_title(number: int) -> str:
    """A number for a title: powers of ten as such, else with thin spaces."""
    power = len(str(number)) - 1
    if power >= 2 and number == 10**power:
        return rf"$10^{power}$"
    return f"{number:,}".replace(",", "\u2009")


# ---------------------------------------------------------------- files


def save(figure: Figure, data: xarray.Dataset, folder: Path) -> list[Path]:
    """Write FIGURE.nc and FIGURE.png; the data first, so that no drawing can lose it."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    from ..plot import STYLE

    paths = [folder / f"{figure.name}.nc", folder / f"{figure.name}.png"]
    files.write_atomic(paths[0], lambda path: data.to_netcdf(path, engine="h5netcdf"))
    with mpl.rc_context(STYLE):
        drawing = figure.draw(data)
        buffer = BytesIO()
        drawing.savefig(buffer, format="png")
        plt.close(drawing)
    with files.replacing(paths[1]) as draft:
        draft.write_bytes(buffer.getvalue())
    return paths
