r"""Mean-field flows in the Bloch ball, Fig. 1 of Merkel et al.

The field is B(z - x)/sqrt(2), the collective pump kappa_+ = 0.8 B.

(a) collective channels alone: r stays on the sphere; (b) local decay: the stable fixed point lies
inside; (c) local dephasing: every line ends at r = 0. The paper does not print the local rates;
here gamma_- = 0.6 B in (b), above 0.39 B, below which a limit cycle takes the place of the stable
point, and gamma_z = 0.4 B in (c).
"""

from __future__ import annotations

import numpy as np

import wignerflow as wf

from ..analysis.ball import draw_lines, draw_points, new_ball
from ..plot import COLOURS, new_figure
from .contract import Asked, Check, Data, Drawing
from .data import add_values, dataset, time_axis
from .merkel import PAPER, driven

TITLE = "Mean-field flows in the Bloch ball: collective, local decay, local dephasing"
SOURCE = f"{PAPER}, Fig. 1"
PANELS: dict[str, dict[str, float]] = {"a": {}, "b": {"-": 0.6}, "c": {"z": 0.4}}
TITLES = {
    "a": "(a) collective channels alone",
    "b": r"(b) local decay, $\gamma_- = 0.6\,B$",
    "c": r"(c) local dephasing, $\gamma_z = 0.4\,B$",
}
AZIMUTH = -1.1


def make(asked: Asked) -> Data:
    """Lines and fixed points of the three flows; nothing is sampled."""
    field = (-np.sqrt(0.5), 0.0, np.sqrt(0.5))
    coordinates = time_axis(12, 301 if asked.quick else 1201, "Bt")
    times = coordinates["time"][1]
    starts = wf.mean_field.fibonacci_sphere(16)
    coordinates |= {"line": np.arange(len(starts)), "axis": list("xyz")}
    data = dataset(coordinates, B="(z - x)/sqrt(2)", kappa_plus=0.8)
    for panel, gamma in PANELS.items():
        asked.say(f"panel {panel}")
        _, model = driven(100, field, wf.down, kappa={"+": 0.8}, gamma=gamma)
        (flow,) = wf.mean_field.flows(model)
        lines = wf.mean_field.trajectories(flow, starts, times)
        points = wf.mean_field.fixed_points(model)
        label = f"Bloch vector, panel {panel}"
        dims: tuple[str, ...] = ("line", "time", "axis")
        add_values(data, f"r_{panel}", dims, lines, label=label, method="mean-field")
        label, kinds = f"fixed points, panel {panel}", [p.kind for p in points]
        places, dims = np.array([p.point for p in points]), (f"point_{panel}", "axis")
        add_values(data, f"fixed_{panel}", dims, places, label=label, kinds=kinds)
    return data


def checks(data: Data) -> list[Check]:
    """What the paper says of the panels."""
    length = np.linalg.norm(data["r_a"].values, axis=-1)
    off = float(np.abs(length - 1).max())
    inner = data["fixed_b"].values[data["fixed_b"].attrs["kinds"].index("stable")]
    size = float(np.linalg.norm(inner))
    end = float(np.linalg.norm(data["r_c"].values[:, -1], axis=-1).max())
    return [
        Check("(a) largest distance from the sphere", off, None, "at most 1e-6", off < 1e-6),
        Check("(b) length of the stable fixed point", size, None, "below 1", size < 1 - 1e-6),
        Check("(c) largest length at the end", end, None, "at most 0.2, falling", end < 0.2),
    ]


def draw(data: Data) -> Drawing:
    """Three balls with lines of flow; fixed points filled where stable."""
    figure, axes = new_figure(1, 3)
    figure.set_size_inches(13, 4.9)
    for ax, panel in zip(axes[0], PANELS, strict=True):
        new_ball(ax, AZIMUTH)
        draw_lines(ax, data[f"r_{panel}"].values, AZIMUTH, color=COLOURS[0])
        fixed = data[f"fixed_{panel}"]
        kinds = np.atleast_1d(fixed.attrs["kinds"])
        points = [
            wf.mean_field.FixedPoint("atoms", r, np.zeros(0, complex), str(kind))
            for r, kind in zip(fixed.values, kinds, strict=True)
        ]
        draw_points(ax, points, AZIMUTH)
        ax.set_title(TITLES[panel])
        ax.legend(loc="lower center", ncols=3, bbox_to_anchor=(0.5, -0.06), title="fixed point")
    figure.suptitle(
        r"Mean-field flow in the Bloch ball: $\mathbf{B} = B(\mathbf{e}_z-\mathbf{e}_x)/\sqrt{2}$, "
        r"collective pump $\kappa_+ = 0.8\,B$"
    )
    return figure
