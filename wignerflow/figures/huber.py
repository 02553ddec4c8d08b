r"""What the figures of Huber, Kirton and Rabl share: a spin, several methods, an exact curve.

The paper's Gamma/(2S) D[S^-] with D[c]rho = 2 c rho c^+ - {c^+c, rho} is the plain
rate Gamma/S, and its Gamma_phi D[S^z] the plain rate 2 Gamma_phi.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import wignerflow as wf

from ..plot import COLOURS
from .contract import Asked, Axes, Data, Drawing
from .data import add_curve
from .drawing import above_and_below, deviation

if TYPE_CHECKING:
    from ..model.states import State

PAPER = (
    "J. Huber, P. Kirton and P. Rabl, Phase-space methods for simulating the dissipative "
    "many-body dynamics of collective spin systems"
)

#: By key: label, method, marker, colour.
METHODS: dict[str, tuple[str, Any, str, str]] = {
    "w": ("Wigner", wf.Schwinger("W"), "o", COLOURS[0]),
    "p": ("P", wf.Schwinger("P"), "x", COLOURS[1]),
    "q": ("Q", wf.Schwinger("Q"), "D", COLOURS[4]),
    "w0": ("Wigner, coherent start", wf.Schwinger("W", sampling="coherent"), "s", COLOURS[5]),
    "c": ("Wigner, correlated noise", wf.Schwinger("W", correlated_noise=True), "^", COLOURS[3]),
    "bloch": ("TWA, Bloch form", wf.TWA(), "v", COLOURS[2]),
}


def spin_model(
    S: float,
    *,
    decay: float = 0.0,
    dephasing: float = 0.0,
    drive: float = 0.0,
    twist: float = 0.0,
    initial: State,
) -> tuple[wf.CollectiveSpin, wf.Model]:
    """H = drive S_x + twist/(2S) S_x^2, decay and dephasing in the paper's rates."""
    spin = wf.CollectiveSpin(S, name="spin")
    H = drive * spin.Jx + twist / (2 * S) * spin.Jx * spin.Jx
    jumps = [wf.Jump(spin.Jm, decay / S), wf.Jump(spin.Jz, 2 * dephasing)]
    return spin, wf.Model(H, jumps, initial={spin: initial})


def add_spin(
    data: Data,
    spin: wf.CollectiveSpin,
    model: wf.Model,
    e_ops: Mapping[str, tuple[str, Any]],
    asked: Asked,
    methods: Sequence[str],
    required: Mapping[str, float] | None = None,
    **sampling: Any,
) -> None:
    """Add the exact curves and those of ``methods``: variables quantity_method_S10 of panel S = 10.

    Args:
        e_ops: by quantity: its label and its observable.
        required: by method: the largest deviation allowed.
    """
    tag, panel = f"S{spin.S:g}", f"S = {spin.S:g}"
    asked.say(f"{panel}: exact, then {sampling['ntraj']} trajectories of {len(methods)} methods")
    options: dict[str, Any] = {"e_ops": {k: op for k, (_, op) in e_ops.items()}, "progress": False}
    for key in ("exact", *methods):
        text, method = METHODS[key][:2] if key != "exact" else ("exact", wf.Exact())
        how = sampling if key != "exact" else {}
        result = wf.solve(model, data["time"].values, method=method, **options, **how)
        facts: dict[str, Any] = {}
        if result.ntraj:
            found = result.stats
            facts = {k: float(found.get(k, 0.0)) for k in ("clipped", "length_drift")}
        for quantity, (label, _) in e_ops.items():
            name = f"{quantity}_{key}_{tag}"
            add_curve(
                data, name, "time", result, quantity, label=f"{label}, {text}, {panel}",
                reference=f"{quantity}_exact_{tag}" if result.ntraj else None,
                required=(required or {}).get(key), panel=panel, quantity=quantity, key=key,
            )  # fmt: skip
            data[name].attrs |= facts


def marked(ax: Axes, x: Any, y: Any, key: str, **style: Any) -> None:
    """A method's curve as markers."""
    _, _, marker, colour = METHODS[key]
    look: dict[str, Any] = {"color": colour, "markersize": 5, "fillstyle": "none"}
    ax.plot(x, y, marker, **look | style)


def draw_spins(
    data: Data,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    quantities: Mapping[str, str] | None = None,
    **axes_options: Any,
) -> Drawing:
    """Curves above, exact as lines and methods as markers; deviations from exact below."""
    panels = list(dict.fromkeys(v.attrs["panel"] for v in data.values() if "panel" in v.attrs))
    figure, axes = above_and_below(5.6 * len(panels) + 0.8, 6.8, len(panels), ratio=2.0)
    for column, panel in enumerate(panels):
        upper, lower = axes[:, column]
        _panel(upper, lower, data, panel, quantities or {})
        upper.set_title(panel)
        upper.set(**axes_options)
        lower.set_xlabel(xlabel)
    axes[0, 0].set_ylabel(ylabel)
    axes[1, 0].set_ylabel("method − exact")
    handles: dict[str, Any] = {}
    for ax in axes[0]:
        handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    figure.suptitle(title)
    return figure


def _panel(upper: Axes, lower: Axes, data: Data, panel: str, quantities: Mapping[str, str]) -> None:
    names = [str(n) for n in data.data_vars if data[n].attrs.get("panel") == panel]
    order = list(dict.fromkeys(data[n].attrs["quantity"] for n in names))
    styles = ("-", "--", ":")
    for name in names:
        curve, facts = data[name], data[name].attrs
        x = data[str(curve.dims[0])].values
        q = order.index(facts["quantity"])
        if facts["key"] == "exact":
            upper.plot(x, curve.values, color="0.15", linestyle=styles[q % 3], linewidth=1.6,
                       label="exact" if q == 0 else None)  # fmt: skip
            text = quantities.get(facts["quantity"])
            if text:
                upper.annotate(text, (x[-1], curve.values[-1]), xytext=(4, 0), color="0.15",
                               textcoords="offset points", va="center")  # fmt: skip
            continue
        key = facts["key"]
        step = max(1, x.size // 16)
        some = slice(list(METHODS).index(key) % step, None, step)
        label = METHODS[key][0] if q == 0 else None
        marked(upper, x[some], curve.values[some], key, label=label)
        deviation(lower, data, name, METHODS[key][3], linewidth=1.3, linestyle=styles[q % 3])
