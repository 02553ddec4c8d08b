r"""Steady state of a driven collective spin S = 1000 against drive: Huber, Fig. 4.

Exact: with H = Omega S_x and plain rate r on S^-, L = S^- + i Omega/r absorbs the drive, so that

.. math:: \rho_\infty \propto (L^\dagger L)^{-1},

which is triangular; its diagonal and the two next to it follow by recursion, in logarithms.

The paper's forms are averaged over 40 < Gamma t < 50, as there, with the mean standard error over
that time as a bound on their error. Beyond the transition a spin needs times of order S/Gamma to
relax, so that window is not the steady state; the Bloch form and the one with correlated noise go
through ``wf.steady_state``, which waits. The positive-diffusion forms let the length of every
trajectory diffuse, by a tenth until then, so that each has its own critical drive.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wignerflow as wf

from .contract import Asked, Data, Drawing
from .data import add_values, axis, dataset
from .drawing import above_and_below
from .huber import METHODS, PAPER, marked, spin_model

TITLE = "Steady state of S = 1000 against drive"
SOURCE = f"{PAPER}, Fig. 4"
S = 1000
KEYS = ("w", "p", "q", "c", "bloch")
DRIVES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.2, 1.5, 2.0)
LABELS = {a: f"⟨S{a}⟩/S" for a in "zyx"} | {a + a: f"⟨ΔS{a}²⟩/S²" for a in "zyx"}


def exact_steady_state(spin: float, drive: float, rate: float) -> dict[str, float]:
    """Means and second moments of S_x, S_y, S_z in the steady state, by name."""
    M = np.arange(spin, -spin - 1, -1)
    lower = np.sqrt((spin + M[:-1]) * (spin - M[:-1] + 1))
    c = 1j * drive / rate
    # p_i = 1 + (l_{i-1}/|c|)^2 p_{i-1}: populations from the top, in logarithms
    logs = np.zeros(M.size)
    for i in range(1, M.size):
        logs[i] = np.logaddexp(0.0, 2 * np.log(lower[i - 1] / abs(c)) + logs[i - 1])
    p = np.exp(logs - logs.max())
    p /= p.sum()
    step = -lower / c  # rho_{i+1,i} = step_i rho_ii
    minus = np.sum(lower * np.conj(step * p[:-1]))
    square = np.sum(lower[:-1] * lower[1:] * np.conj(step[1:] * step[:-1] * p[:-2]))
    plus_minus = np.sum((spin + M) * (spin - M + 1) * p)
    z, zz = float(np.sum(M * p)), float(np.sum(M**2 * p))
    across = (plus_minus - z) / 2
    return {
        "x": minus.real,
        "y": -minus.imag,
        "z": z,
        "xx": float(across + square.real / 2),
        "yy": float(across - square.real / 2),
        "zz": zz,
    }


def _scaled(values: dict[str, Any]) -> dict[str, Any]:
    """Means over S, variances over S^2."""
    out = {a: values[a] / S for a in "zyx"}
    return out | {a + a: values[a + a] / S**2 - out[a] ** 2 for a in "zyx"}


def make(asked: Asked) -> Data:
    """Means and variances against Omega/Gamma."""
    dt = 0.02
    how = asked.sampling(asked.many(2_000, 500), dt)
    drives = np.array((0.3, 0.8, 1.5) if asked.quick else DRIVES)
    data = dataset(axis("drive", drives, "drive Omega/Gamma", "Ω/Γ"), S=S, Gamma=1.0)
    times = np.concatenate([[0.0], np.linspace(40, 50, 41)])
    table: dict[str, dict[str, list[Any]]] = {}
    for drive in drives:
        asked.say(f"drive {drive:g}")
        spin, model = spin_model(S, decay=1.0, drive=float(drive), initial=wf.down)
        J = {"x": spin.Jx, "y": spin.Jy, "z": spin.Jz}
        ops = J | {a + a: J[a] * J[a] for a in J}
        exact = _scaled(exact_steady_state(S, float(drive), 1 / S))
        for name, value in exact.items():
            table.setdefault("exact", {}).setdefault(name, []).append((value, 0.0))
        for key in KEYS:
            method = METHODS[key][1]
            if key in ("c", "bloch"):
                # double: a million steps of single precision round the length away
                few = how | {"ntraj": min(how["ntraj"], 1000)}
                found = wf.steady_state(model, ops, method, precision="double", **few)
                mean, sem = dict(found.expect), dict(found.sem)
            else:
                result = wf.solve(model, times, e_ops=ops, method=method, progress=False, **how)
                mean = {k: v[1:].mean() for k, v in result.expect.items()}
                sem = {k: v[1:].mean() for k, v in result.sem.items()}
            for name, value in _scaled({k: float(mean[k]) for k in ops}).items():
                own = sem[name] / (S if len(name) == 1 else S**2)
                if len(name) == 2:  # the square of the mean adds to a variance's error
                    own = np.hypot(own, 2 * abs(mean[name[0]]) * sem[name[0]] / S**2)
                table.setdefault(key, {}).setdefault(name, []).append((value, float(own)))
    for key, columns in table.items():
        for name, pairs in columns.items():
            values, errors = np.array(pairs).T
            if key == "exact":
                text, method, errors, facts = "exact", "exact", None, {}
            else:
                text, method = METHODS[key][0], METHODS[key][1].name
                facts = {"ntraj": how["ntraj"], "seed": str(how["seed"]), "dt": dt}
                facts |= {"reference": f"{name}_exact"}
            add_values(
                data, f"{name}_{key}", "drive", values, errors, label=f"{LABELS[name]}, {text}",
                key=key, quantity=name, method=method, **facts,
            )  # fmt: skip
    return data


def draw(data: Data) -> Drawing:
    """Means left, variances right, deviations below."""
    figure, axes = above_and_below(12, 7, columns=2, ratio=2.0)
    x = data["drive"].values
    fine = np.linspace(x[0], x[-1], 200)
    exact = [_scaled(exact_steady_state(S, float(d), 1 / S)) for d in fine]
    styles = {"z": "-", "y": "--", "x": ":"}
    for column, names in enumerate((("z", "y", "x"), ("zz", "yy", "xx"))):
        upper, lower = axes[:, column]
        for name in names:
            style = styles[name[0]]
            upper.plot(fine, [e[name] for e in exact], style, color="0.15", linewidth=1.4,
                       label=f"exact, $S_{name[0]}$" if column == 0 else None)  # fmt: skip
            for key in KEYS:
                y, error = data[f"{name}_{key}"].values, data[f"{name}_{key}_sem"].values
                label, colour = METHODS[key][0], METHODS[key][3]
                marked(upper, x, y, key, label=label if (column, name) == (0, "z") else None)
                change = y - data[f"{name}_exact"].values
                lower.errorbar(x, change, error, color=colour, linewidth=1.1, linestyle=style)
        lower.set_xlabel(r"drive  $\Omega/\Gamma$")
    axes[0, 0].set_ylabel(r"$\langle S_{x,y,z}\rangle/S$")
    axes[0, 1].set_ylabel(r"$\langle \Delta S_{x,y,z}^2\rangle/S^2$")
    axes[1, 0].set_ylabel("method − exact")
    figure.legend(loc="outside lower center", ncols=4)
    figure.suptitle(f"Steady state of a driven, decaying collective spin, $S = {S}$")
    return figure
