"""Small pieces of HTML for notebooks: tables with a title, and little curves."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 140, 28  # of a little curve, in pixels


class Raw(str):
    """Text that is HTML already."""


def text(value: Any) -> str:
    """A cell: text that is not ``Raw`` shows as it is written."""
    return value if isinstance(value, Raw) else html.escape(str(value))


def table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[Any]], notes: Iterable[str] = ()
) -> str:
    """A table with a title above and notes below."""
    cell = 'style="text-align:left"'
    top = "".join(f'<th scope="col" {cell}>{text(h)}</th>' for h in head)
    body = "".join(
        "<tr>" + "".join(f"<td {cell}>{text(c)}</td>" for c in row) + "</tr>" for row in rows
    )
    below = "".join(f"<div>{text(note)}</div>" for note in notes)
    caption = f'<div style="font-weight:bold">{text(title)}</div>'
    inner = f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody>"
    return f"<div>{caption}<table>{inner}</table>{below}</div>"


def curve(x: NDArray[Any], y: NDArray[Any], label: str, log: bool = False) -> Raw:
    """A little picture of y over x; nothing where there is nothing finite to draw."""
    x, y = np.asarray(x, float), np.real(np.asarray(y)).astype(float)
    keep = np.isfinite(y) & ((y > 0) if log else True)
    if keep.sum() < 2:
        return Raw("")
    x, y = x[keep], np.log10(y[keep]) if log else y[keep]
    if len(x) > WIDTH:
        at = np.linspace(0, len(x) - 1, WIDTH).astype(int)
        x, y = x[at], y[at]
    low, high = y.min(), y.max()
    across = 1 + (WIDTH - 2) * (x - x[0]) / (x[-1] - x[0])
    up = HEIGHT - 3 - (HEIGHT - 6) * ((y - low) / (high - low) if high > low else 0.5 + 0 * y)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))
    return Raw(
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{html.escape(label)}">'
        f'<polyline points="{points}" fill="none" stroke="#0072b2" stroke-width="1.5"/></svg>'
    )
