"""What every figure is: data with errors, a drawing of the data alone, and a table of deviations.

A figure's data is one ``xarray.Dataset``. Every curve is a variable of its own. A sampled curve
names, in its attributes, its method, the variable that holds its standard error (``sem``), the
variable it is judged by (``reference``), and the deviation it must not exceed (``required``), so
that the table can be made from the file alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

import wignerflow as wf

from .. import files
from ..result import aligned, format_value

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure as Drawing

Say = Callable[[str], None]


def silent(message: str) -> None:
    """Say nothing."""


class Make(Protocol):
    """Compute a figure's data; nothing is read from or kept for other runs."""

    def __call__(
        self,
        quick: bool = False,
        *,
        ntraj: int | None = None,
        seed: int | None = None,
        threads: int | None = None,
        say: Say = silent,
    ) -> xarray.Dataset:
        """The data.

        Args:
            quick: a smaller version that takes seconds.
            ntraj: trajectories of every sampled curve; None takes the figure's own numbers.
            seed: of the random numbers; None takes the figure's own.
            threads: worker threads; the data does not depend on it.
            say: called with one line at the start of every long part.
        """


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
        make: computes its data.
        draw: draws the data.
        checks: requirements other than bounds on deviations.
        live: the live page of its model, a name of ``live.PAGES``.
    """

    name: str
    title: str
    source: str
    make: Make
    draw: Callable[[xarray.Dataset], Drawing]
    checks: Callable[[xarray.Dataset], list[Check]] = no_checks
    live: str | None = None


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


# ---------------------------------------------------------------- data


def dataset(
    figure: str, source: str, coordinates: dict[str, Any], **attributes: Any
) -> xarray.Dataset:
    """An empty dataset with the facts that every figure's file holds."""
    import xarray

    facts = {"figure": figure, "source": source, "wignerflow": wf.__version__, "warnings": ""}
    return xarray.Dataset(coords=coordinates, attrs=facts | attributes)


def sampling_of(ntraj: int, seed: int | None, threads: int | None, dt: float) -> dict[str, Any]:
    """Options of ``solve`` for sampled methods; seed 7 where none is given."""
    return {"ntraj": ntraj, "seed": 7 if seed is None else seed, "threads": threads, "dt": dt}


def add_curve(
    data: xarray.Dataset,
    name: str,
    dim: str,
    result: wf.Result,
    observable: str,
    *,
    label: str,
    reference: str | None = None,
    required: float | None = None,
    **attributes: Any,
) -> None:
    """Add an observable of a result as the variable ``name``, sampled ones with ``name_sem``."""
    facts: dict[str, Any] = {"long_name": label, "units": "1", "method": result.method}
    facts |= attributes
    if result.ntraj:
        assert result.dt is not None
        facts |= {"ntraj": result.ntraj, "seed": str(result.seed), "dt": result.dt}
        facts |= {"sem": f"{name}_sem", "ancillary_variables": f"{name}_sem"}
        if np.any(np.isfinite(result.truncation[observable])):
            facts["truncation"] = f"{name}_truncation"
            facts["ancillary_variables"] += f" {name}_truncation"
    for text in result.stats.get("warnings", ()):
        line = f"{', '.join(f'{k} = {v}' for k, v in attributes.items())}: {text}"
        if line not in data.attrs["warnings"]:
            data.attrs["warnings"] += f"{line}\n"
    if reference is not None:
        facts["reference"] = reference
    if required is not None:
        facts["required"] = required
    data[name] = (dim, result.expect[observable], facts)
    if result.ntraj:
        error = {"long_name": f"{label}, standard error", "units": "1"}
        data[f"{name}_sem"] = (dim, result.sem[observable], error)
    if "truncation" in facts:
        own = {"long_name": f"{label}, error of the method as stated", "units": "1"}
        data[facts["truncation"]] = (dim, result.truncation[observable], own)


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


def deviations(data: xarray.Dataset) -> list[Deviation]:
    """The largest deviation of every sampled curve, with its standard error there."""
    out = []
    for name in sampled(data):
        facts = data[name].attrs
        axis = str(data[name].dims[0])
        value = sem = where = stated = math.nan
        if "reference" in facts:
            change, error = difference(data, name)
            k = int(np.nanargmax(np.abs(change)))
            value, sem, where = abs(float(change[k])), float(error[k]), float(data[axis][k])
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
    files.write_atomic(paths[1], lambda path: _bytes(path, buffer.getvalue()))
    return paths


def _bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
