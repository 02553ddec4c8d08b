"""Drawings of the Bloch ball: seen from outside in orthographic projection, and as a map.

The viewer looks from longitude ``AZIMUTH`` and latitude ``ELEVATION``; z points up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .distribution import SphereDensity

AZIMUTH, ELEVATION = -0.9, 0.32
MARKS = {"stable": "o", "unstable": "X", "saddle": "P", "neutral": "D"}


def view(azimuth: float = AZIMUTH, elevation: float = ELEVATION) -> NDArray[np.float64]:
    """Rows: the directions right, up and towards the viewer."""
    ca, sa, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    return np.array([[-sa, ca, 0], [-se * ca, -se * sa, ce], [ce * ca, ce * sa, se]])


def new_ball(ax: Axes | None = None, azimuth: float = AZIMUTH) -> Axes:
    """Axes with the outline of the ball, its equator and the directions x, y, z."""
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.figure(figsize=(5, 5)).add_subplot()
    frame = view(azimuth)
    angle = np.linspace(0, 2 * np.pi, 241)
    ax.plot(np.cos(angle), np.sin(angle), color="0.35", linewidth=1.1)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    for circle in (ring, ring[:, [2, 0, 1]], ring[:, [0, 2, 1]]):
        u, v, depth = frame @ circle.T
        for near, style in ((True, "-"), (False, ":")):
            keep = (depth > 0) == near
            ax.plot(
                np.where(keep, u, np.nan),
                np.where(keep, v, np.nan),
                style,
                color="0.72",
                linewidth=0.8,
                zorder=0,
            )
    for k, name in enumerate("xyz"):
        u, v, _ = frame[:, k]
        ax.annotate(
            "",
            (1.22 * u, 1.22 * v),
            (u, v),
            arrowprops={"arrowstyle": "->", "color": "0.35", "linewidth": 0.9},
        )
        ax.text(1.3 * u, 1.3 * v, f"${name}$", ha="center", va="center", color="0.2")
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.25, 1.4), aspect="equal")
    ax.axis("off")
    return ax


def draw_lines(
    ax: Axes, lines: NDArray[np.float64], azimuth: float = AZIMUTH, **options: Any
) -> None:
    """Trajectories (n, T, 3): dark in front of the centre, pale behind it, with an arrow each."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    colour = np.array(to_rgb(options.pop("color", "C0")))
    for line in lines @ view(azimuth).T:
        pieces = np.stack([line[:-1, :2], line[1:, :2]], axis=1)
        shade = np.clip(0.5 + 0.5 * (line[:-1, 2] + line[1:, 2]) / 2, 0, 1)[:, None]
        colours = np.hstack([np.broadcast_to(colour, (len(pieces), 3)), 0.15 + 0.85 * shade])
        ax.add_collection(LineCollection(list(pieces), colors=colours, linewidths=1.1))
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        if length[-1] > 0.15:
            i = int(np.searchsorted(length, min(0.4 * length[-1], 0.5)))
            i = min(max(i, 1), len(line) - 1)
            arrow = {"arrowstyle": "-|>", "color": (*colour, 0.15 + 0.85 * shade[i - 1, 0])}
            ax.annotate("", line[i, :2], line[i - 1, :2], arrowprops={**arrow, "shrinkB": 0})


def draw_points(ax: Axes, points: list[Any], azimuth: float = AZIMUTH) -> None:
    """Fixed points, filled where stable, with a legend of the kinds."""
    frame, seen = view(azimuth), set()
    for p in points:
        u, v, _ = frame @ p.point
        label = None if p.kind in seen else p.kind
        seen.add(p.kind)
        face = "black" if p.kind == "stable" else "white"
        ax.plot(
            u, v, MARKS[p.kind], ms=8, mfc=face, mec="black", mew=1.3, label=label, zorder=5, ls=""
        )


def draw_sphere(ax: Axes, density: SphereDensity, azimuth: float = AZIMUTH, **options: Any) -> Any:
    """A density as seen on the near side of the sphere."""
    frame = view(azimuth)
    side = np.linspace(-1, 1, 401)
    u, v = np.meshgrid(side, side)
    inside = u**2 + v**2 <= 1
    depth = np.sqrt(np.maximum(1 - u**2 - v**2, 0))
    points = np.stack([u, v, depth], axis=-1) @ frame
    values = np.where(inside, density.at(points), np.nan)
    new_ball(ax, azimuth)
    return ax.pcolormesh(
        side, side, values, shading="nearest", rasterized=True, zorder=-1, **options
    )


def draw_map(ax: Any, density: SphereDensity, **options: Any) -> Any:
    """A density over the whole sphere on axes of an equal-area projection such as "mollweide"."""
    longitude = density.phi_edges - np.pi
    latitude = np.arcsin(np.clip(density.z_edges, -1, 1))
    half = density.values.shape[1] // 2
    values = np.roll(density.values, half, axis=1)  # longitude runs from -pi to pi
    mesh = ax.pcolormesh(longitude, latitude, values, shading="flat", rasterized=True, **options)
    ax.grid(True, color="0.5", linewidth=0.4)
    ax.set_xticks(np.pi * np.array([-0.5, 0, 0.5]), ["−90°", "0°", "90°"])
    ax.set_yticks(np.pi * np.array([-1, 0, 1]) / 4, ["−45°", "0°", "45°"])
    return mesh
