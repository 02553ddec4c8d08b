"""What every figure is: data with errors, a drawing of the data alone, and a table of deviations.

A figure's data is one ``xarray.Dataset``, see :mod:`.data`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import files
from ..result import aligned, format_value
from .data import difference, largest, sampled

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
