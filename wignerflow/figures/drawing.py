"""What figures draw in the same way: curves with bands, exact ones, deviations from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plot import new_figure
from .contract import Axes, Data, Drawing, in_title
from .data import difference, sampled

ZERO: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": "--"}


def above_and_below(
    width: float, height: float, columns: int = 1, ratio: float = 2.1
) -> tuple[Drawing, Any]:
    """Axes (2, columns) over one abscissa: curves above, deviations and their zero below."""
    figure, axes = new_figure(2, columns, sharex=True, gridspec_kw={"height_ratios": [ratio, 1]})
    figure.set_size_inches(width, height)
    for ax in axes[1]:
        ax.axhline(0, **ZERO)
    return figure, axes


def band(
    ax: Axes,
    data: Data,
    name: str,
    colour: Any,
    scale: float = 1.0,
    first: int = 0,
    **style: Any,
) -> None:
    """A sampled curve with a band of one standard error, from its point ``first`` on."""
    x, y, error = (data[n].values[first:] for n in (data[name].dims[0], name, f"{name}_sem"))
    _with_error(ax, x, scale * y, scale * error, colour, 0.3, {"linewidth": 2.0} | style)


def deviation(
    ax: Axes,
    data: Data,
    name: str,
    colour: Any,
    scale: float = 1.0,
    first: int = 0,
    **style: Any,
) -> None:
    """A sampled curve minus its reference, with a band of one standard error."""
    x = data[data[name].dims[0]].values[first:]
    change, error = (scale * part[first:] for part in difference(data, name))
    _with_error(ax, x, change, error, colour, 0.25, {"linewidth": 1.4} | style)


def _with_error(
    ax: Axes, x: Any, y: Any, error: Any, colour: Any, alpha: float, style: dict[str, Any]
) -> None:
    ax.plot(x, y, color=colour, **style)
    ax.fill_between(x, y - error, y + error, color=colour, alpha=alpha, linewidth=0)


def exact(ax: Axes, data: Data, name: str, first: int = 0, **style: Any) -> None:
    """An exact curve, dashed."""
    x, y = (data[n].values[first:] for n in (data[name].dims[0], name))
    ax.plot(x, y, "k--", linewidth=1.1, **style)


def shades(count: int) -> Any:
    """Colours from dark to light."""
    import matplotlib as mpl

    return mpl.colormaps["viridis"](np.linspace(0, 0.85, count))


def trajectories(data: Data) -> str:
    """Numbers of trajectories of all sampled curves, for a title."""
    counts = sorted({data[name].attrs["ntraj"] for name in sampled(data)})
    return f"{' and '.join(map(in_title, counts))} trajectories"
