"""Figures of results: means with bands of one standard error, maps over arrays, comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _check
from .result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Blue, vermilion, green, purple, orange, sky blue (Okabe and Ito): distinct for every eye.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

STYLE: Any = {
    "axes.grid": False,
    "axes.labelsize": 12,
    "axes.linewidth": 0.9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "figure.titlesize": 12,
    "font.size": 11,
    "image.cmap": "viridis",
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 200,
    "xtick.direction": "in",
    "ytick.direction": "in",
}

#: Observables with more values per time than this are drawn as a map.
LINES = 6


def styled(usual: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of a curve, of which ``options`` may have short names: ``lw``, ``ls``, ``c``."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**usual, **normalize_kwargs(dict(options), Line2D)}


def new_figure(rows: int, columns: int = 1, **options: Any) -> tuple[Figure, NDArray[Any]]:
    """A figure in the house style with rows x columns of axes, shown by ``plt.show()``."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context(STYLE):
        size = (5.2 * columns + 0.8, 2.7 * rows + 0.5)
        return plt.subplots(
            rows, columns, figsize=size, layout="constrained", squeeze=False, **options
        )


def panels(grid: NDArray[Any]) -> Axes | NDArray[Any]:
    """What every plot returns: the axes where there is one panel, else an array of them."""
    only: Axes = grid.flat[0]
    return only if grid.size == 1 else grid


def _chosen(result: Result, names: Iterable[str] | None) -> list[str]:
    if names is None:
        return list(result.expect)
    chosen = [names] if isinstance(names, str) else list(names)
    for name in chosen:
        result.expect[name]  # an unknown name raises with the nearest one
    if not chosen:
        _check.fail("names", "hold at least one observable", names)
    return chosen


def plot_result(
    result: Result,
    names: Iterable[str] | None = None,
    ax: Axes | None = None,
    *,
    xscale: str = "linear",
    xlabel: str = "$t$",
    **options: Any,
) -> Axes | NDArray[Any]:
    """Observables over time with bands of one standard error.

    One panel per observable; with ``ax`` all in that one. An observable with more than six values
    per time becomes a map over time and member, momentum or pair. Real and imaginary parts of
    complex ones are solid and dashed; maps show the absolute value.

    Args:
        result: what to plot.
        names: observables in order; None takes all.
        ax: axes to draw in.
        xscale: "linear" or "log" (times above zero only).
        xlabel: label of the time axis, for example with its unit.
        options: of Matplotlib's ``plot``, or of ``pcolormesh`` for maps.

    Returns:
        The axes where there is one panel, else an array of them, one per observable.

    Raises:
        UnknownObservable: no observable of that name.
        ValueError: a map was asked into axes together with other observables.
    """
    import matplotlib as mpl

    chosen = _chosen(result, names)
    _check.one_of("xscale", xscale, ["linear", "log"])
    maps = [n for n in chosen if _is_map(result, n)]
    if ax is not None and maps and len(chosen) > 1:
        _check.fail("names", f"hold {maps[0]!r} alone when `ax` is given, as it is a map", chosen)
    with mpl.rc_context(STYLE):
        if ax is None:
            figure, grid = new_figure(len(chosen), sharex=True)
            made = grid[:, 0]
            figure.suptitle(_title(result))
        else:
            made = np.array([ax], object)
        axes = dict(zip(chosen, np.broadcast_to(made, len(chosen)), strict=True))
        keep = _kept(result, xscale)
        for k, name in enumerate(chosen):
            own = axes[name]
            if name in maps:
                _map(own, result, name, keep, options)
            else:
                colour = None if ax is None else COLOURS[k % len(COLOURS)]
                _lines(own, result, name, keep, colour, options)
                own.set_ylabel(name if ax is None or len(chosen) == 1 else "")
            _scaled(own, xscale)
            own.set_xlim(result.times[keep][0], result.times[keep][-1])
            if len(own.get_legend_handles_labels()[1]) > 1:
                own.legend()
        axes[chosen[-1]].set_xlabel(xlabel)
    return panels(made)


def _kept(result: Result, xscale: str) -> NDArray[np.bool_]:
    return result.times > 0 if xscale == "log" else np.full(len(result.times), True)


def _scaled(ax: Axes, xscale: str) -> None:
    ax.set_xscale(xscale)
    if xscale == "linear":
        ax.locator_params(axis="x", nbins=6)


def _title(result: Result) -> str:
    return f"{result.method}, {result.ntraj} trajectories" if result.ntraj else result.method


def _is_map(result: Result, name: str) -> bool:
    return result.expect[name].ndim == 2 and result.expect[name].shape[1] > LINES


def _curves(
    result: Result, name: str
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64], str]]:
    """(label, values, errors, line style) of an observable that is drawn as lines."""
    value, error = result.expect[name], result.sem[name]
    columns: list[tuple[str, NDArray, NDArray]] = [(name, value, error)]
    if value.ndim == 2:
        dim, where = result.axes[name]
        columns = [
            (f"{name}, {dim} {w:.4g}", value[:, k], error[:, k]) for k, w in enumerate(where)
        ]
    out = []
    for label, v, e in columns:
        if np.iscomplexobj(v):
            out.append((f"Re {label}", v.real, e.real, "-"))
            out.append((f"Im {label}", v.imag, e.imag, "--"))
        else:
            out.append((label, v, e, "-"))
    return out


def band(
    ax: Axes,
    t: NDArray,
    v: NDArray,
    e: NDArray,
    colour: str | None,
    style: str = "-",
    label: str = "",
    options: Mapping[str, Any] | None = None,
) -> Any:
    """A curve with its band; the colour that it has."""
    shown = styled({"color": colour, "linestyle": style, "label": label or None}, options or {})
    (line,) = ax.plot(t, v, **shown)
    taken = line.get_color()
    if np.any(e > 0):
        ax.fill_between(t, v - e, v + e, color=taken, alpha=0.25, linewidth=0)
    return taken


def _lines(
    ax: Axes,
    result: Result,
    name: str,
    keep: NDArray[np.bool_],
    colour: str | None,
    options: Mapping[str, Any],
) -> None:
    step = 2 if np.iscomplexobj(result.expect[name]) else 1
    method = result.truncation[name].reshape(result.times.size, -1)
    for k, (label, v, e, style) in enumerate(_curves(result, name)):
        own, t = colour or COLOURS[k // step % len(COLOURS)], result.times[keep]
        own = band(ax, t, v[keep], e[keep], own, style, label, options)
        off = method[keep, k // step]
        if np.any(off > 0):  # what the method itself may be off by
            for edge in (v[keep] - off, v[keep] + off):
                ax.plot(t, edge, color=own, linestyle=(0, (4, 3)), linewidth=0.8, alpha=0.7)


def _map(
    ax: Axes, result: Result, name: str, keep: NDArray[np.bool_], given: Mapping[str, Any]
) -> None:
    from matplotlib.ticker import MaxNLocator

    dim, where = result.axes[name]
    values = result.expect[name][keep]
    label = name
    if np.iscomplexobj(values):
        values, label = np.abs(values), f"|{name}|"
    finite = values[np.isfinite(values)]
    options: dict[str, Any] = {}
    if finite.size and finite.min() < 0 < finite.max():
        options = {"cmap": "RdBu_r", "vmax": np.abs(finite).max(), "vmin": -np.abs(finite).max()}
    options = {"shading": "nearest", "rasterized": True, **options, **given}
    image = ax.pcolormesh(result.times[keep], where, values.T, **options)
    errors = np.abs(result.sem[name][keep])
    if np.any(errors > 0):
        label += f" (± {np.nanmax(errors):.1g} at most)"
    ax.figure.colorbar(image, ax=ax, label=label)
    ax.set_ylabel(dim)
    if dim in ("member", "pair"):
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def compare_plot(
    results: Mapping[str, Result],
    reference: str,
    names: Iterable[str] | None = None,
    *,
    xscale: str = "linear",
    xlabel: str = "$t$",
    **options: Any,
) -> Axes | NDArray[Any]:
    """Several methods over each other: curves above, deviations from one of them below.

    Args:
        results: by label, of one simulation.
        reference: label of the result that the others are compared with, drawn dashed in black.
        names: observables with one value per time; None takes all that every result has.
        xscale: "linear" or "log" (times above zero only).
        xlabel: label of the time axis.
        options: of Matplotlib's ``plot``.

    Returns:
        The axes where there is one panel, else an array of them: a column per observable, the
        curves in the first row and, of more than one result, deviations in the second. Deviations
        at times that the reference lacks use its linear interpolation. Bands are one standard
        error, of both results together in the lower panels.

    Raises:
        ValueError: no common observable.
    """
    import matplotlib as mpl

    _check.one_of("xscale", xscale, ["linear", "log"])
    exact = results[reference]
    if names is None:
        common = [n for n in exact.expect if all(n in r.expect for r in results.values())]
        chosen = [n for n in common if exact.expect[n].ndim == 1]
        if not chosen:
            _check.fail("results", "share an observable with one value per time", list(results))
    else:
        chosen = [names] if isinstance(names, str) else list(names)
        for name in chosen:
            if any(r.expect[name].ndim != 1 for r in results.values()):
                _check.fail("names", "hold observables with one value per time", name)
    with mpl.rc_context(STYLE):
        rows = min(len(results), 2)
        ratios = {"height_ratios": [2, 1][:rows]}
        _, grid = new_figure(rows, len(chosen), sharex="col", gridspec_kw=ratios)
        others = [k for k in results if k != reference]
        for c, name in enumerate(chosen):
            upper, lower = grid[0, c], grid[1, c] if rows == 2 else None
            for k, label in enumerate([*others, reference]):
                r, keep = results[label], _kept(results[label], xscale)
                colour, wide = COLOURS[k % len(COLOURS)], styled({"linewidth": 2.4}, options)
                if label == reference:
                    colour, wide = "black", {"linewidth": 1.1, "zorder": 5}
                for tag, v, e, style in _curves(r, name):
                    shown = tag.replace(name, label) if tag != name else label
                    if label == reference:  # lets the other curves shine through
                        style = "--" if style == "-" else ":"
                    band(upper, r.times[keep], v[keep], e[keep], colour, style, shown, wide)
                if lower is not None and label != reference:
                    _deviation(lower, r, exact, name, keep, colour)
            upper.set_ylabel(name)
            _scaled(upper, xscale)
            upper.margins(x=0)
            if c == 0:
                upper.legend()
            if lower is not None:
                lower.axhline(0, color="black", linewidth=0.9)
                lower.set_ylabel(f"minus {reference}")
            grid[-1, c].set_xlabel(xlabel)
    return panels(grid)


def _deviation(
    ax: Axes, result: Result, exact: Result, name: str, keep: NDArray[np.bool_], colour: str
) -> None:
    t = result.times[keep]
    inside = (t >= exact.times[0]) & (t <= exact.times[-1])
    for (_, v, e, style), (_, w, f, _) in zip(
        _curves(result, name), _curves(exact, name), strict=False
    ):
        error = np.hypot(e[keep], np.interp(t, exact.times, f))
        difference = v[keep] - np.interp(t, exact.times, w)
        band(ax, t[inside], difference[inside], error[inside], colour, style)
