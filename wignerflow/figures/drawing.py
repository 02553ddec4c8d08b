"""What figures draw in the same way: curves with bands, exact ones, deviations from them."""

from __future__ import annotations

from functools import partial
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
    *,
    off: bool = False,
    **style: Any,
) -> None:
    """A sampled curve with a band of one standard error, from its point ``first`` on.

    ``off``: the curve minus its reference.
    """
    x, y, error = (data[n].values for n in (data[name].dims[0], name, f"{name}_sem"))
    if off:
        y, error = difference(data, name)
    x, y, error = x[first:], scale * y[first:], scale * error[first:]
    ax.plot(x, y, color=colour, **{"linewidth": 1.4 if off else 2.0} | style)
    ax.fill_between(x, y - error, y + error, color=colour, alpha=0.3, linewidth=0)


deviation = partial(band, off=True)


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


def titled(figure: Drawing, data: Data, text: str) -> None:
    """A title, and below it what the sampled curves are."""
    figure.suptitle(f"{text}\nTWA with {trajectories(data)}, bands: one standard error")
