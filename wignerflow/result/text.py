"""Numbers with their errors, and results, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from ..html import curve, table

if TYPE_CHECKING:
    from .result import Result


def _decimals(error: float) -> int:
    """Decimals that show an error to one digit, or two if the first is 1."""
    two = f"{error:.1e}"
    text, more = (two, 1) if two[0] == "1" else (f"{error:.0e}", 0)
    return more - int(text.partition("e")[2])


def _real(mean: float, sem: float) -> str:
    if sem == 0 or not math.isfinite(sem) or not math.isfinite(mean):
        return f"{mean:.6g} ± {sem:.6g}"
    size = max(abs(mean), sem)
    power = math.floor(math.log10(size))
    if not -4 <= power < 6:
        scale = 10.0**power
        return f"({_fixed(mean / scale, sem / scale)})e{power:+03d}"
    return _fixed(mean, sem)


def _fixed(mean: float, sem: float) -> str:
    decimals = _decimals(sem)
    text = [f"{round(v, decimals):.{max(decimals, 0)}f}" for v in (mean, sem)]
    if float(text[0]) == 0:
        text[0] = text[0].lstrip("-")
    return " ± ".join(text)


def format_value(mean: Any, sem: Any) -> str:
    """A mean with its standard error, to the digits that mean something.

    The error is shown to one digit, or two if the first is 1; the mean to the same decimals.

    Args:
        mean: real or complex number.
        sem: its standard error; for a complex mean that of its real part + 1j * imaginary part.

    Example:
        >>> format_value(0.41237, 0.00312)
        '0.412 ± 0.003'
        >>> format_value(1 - 0.2j, 0.02 + 0.011j)
        '(1.00 ± 0.02) + (-0.200 ± 0.011)i'
    """
    mean, sem = complex(mean), complex(sem)
    if mean.imag == 0 and sem.imag == 0:
        return _real(mean.real, sem.real)
    return f"({_real(mean.real, sem.real)}) + ({_real(mean.imag, sem.imag)})i"


def result_text(result: Result) -> str:
    """The ``repr`` of a result: what it is, how it ended, every observable at the last time."""
    lines = _about(result)
    width = max(map(len, result.expect))
    lines.append(f"{'at time':<{width}}   {result.times[-1]:.6g}")
    lines += [
        f"{name:<{width}}   {_final(result, name)}{_errors(result, name)}" for name in result.expect
    ]
    return "\n".join(_check.printable(line) for line in lines)  # names may come from a file


def result_html(result: Result) -> str:
    """The same as a table, with a little curve of every observable."""
    title, *notes = (_check.printable(line) for line in _about(result))
    rows: list[tuple[str, ...]] = []
    for name, value in result.expect.items():
        shown = value if value.ndim == 1 else value.mean(axis=1)
        size = "" if value.ndim == 1 else f"mean over {result.axes[name][0]}"
        drawn = curve(result.times, shown, f"{name} over time")
        errors = _errors(result, name).strip(" ()")
        rows.append((_check.printable(name), _final(result, name), errors, drawn, size))
    if not any(row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    head = ("observable", f"at t = {result.times[-1]:.6g}", "method's own errors", "over time", "")
    return table(title, head[: len(rows[0])] if rows else head, rows, notes)


def _about(result: Result) -> list[str]:
    """What it is and how it ended, line by line."""
    head = [f"Result of {result.method}"]
    if result.ntraj:
        seeds = result.seed if isinstance(result.seed, tuple) else (result.seed,)
        head.append(f"{result.ntraj} trajectories")
        head.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    else:
        head.append("deterministic")
    if result.dt is not None:
        head.append(f"dt {result.dt:.4g}")
    lines = [", ".join(head)]
    run = [f"{len(result.times)} times from {result.times[0]:.6g} to {result.times[-1]:.6g}"]
    if "stopped_because" in result.stats:
        run.append(f"stopped because: {result.stats['stopped_because']}")
    if isinstance(result.stats.get("wall_time"), (int, float)):
        run.append(f"{result.stats['wall_time']:.3g} s")
    lines.append("; ".join(run))
    efficiency = min(result.efficiency.values(), default=1.0)
    if efficiency > 1.5:
        plain = efficiency * result.ntraj
        lines.append(f"sampling error as of {_many(plain)} plain trajectories")
    if result.stats.get("why"):
        lines.append(f"why: {result.stats['why']}")
    lines += [f"note: {text}" for text in result.stats.get("notes") or ()]
    if result.stats.get("failed"):
        lines.append(f"warning: {result.stats['failed']} of {result.ntraj} trajectories failed")
    lines += [f"warning: {text}" for text in result.stats.get("warnings") or ()]
    if result.stats.get("truncation"):
        lines.append(f"truncation estimated from {result.stats['truncation']}")
    return lines


def _many(number: float) -> str:
    """A large number to two digits."""
    rounded = float(f"{number:.1e}")
    return f"{rounded / 1e6:g} million" if rounded >= 1e6 else f"{rounded:,.0f}"


def stated(step: Any, truncation: Any) -> str:
    """The largest errors of step and truncation behind a mean, where there are any; None: none."""
    parts = []
    for what, errors in (("step", step), ("truncation", truncation)):
        known = np.asarray(np.nan if errors is None else errors)
        size = float(np.abs(known[np.isfinite(known)]).max(initial=0.0))
        if size > 0:
            parts.append(f"{what} {size:.1g}")
    return f"   ({', '.join(parts)})" if parts else ""


def _errors(result: Result, name: str) -> str:
    return stated(result.step_error[name][-1], result.truncation[name][-1])


def _final(result: Result, name: str) -> str:
    value, error = result.expect[name][-1], result.sem[name][-1]
    if value.ndim == 0:
        return format_value(value, error)
    dim, coordinates = result.axes[name]
    size = np.where(np.isfinite(value), value.real, np.nan)
    if np.all(np.isnan(size)):
        return f"{format_value(value[0], error[0])} ({len(value)} values)"
    ends = [int(np.nanargmin(size)), int(np.nanargmax(size))]
    low, high = (f"{format_value(value[k], error[k])} ({dim} {coordinates[k]:.4g})" for k in ends)
    return f"from {low} to {high}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
