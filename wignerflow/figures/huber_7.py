r"""Dissipative Heisenberg chain of 100 spins with S = 5000 across its transition: Huber, Fig. 7.

H = sum_n (J_x S^x_n S^x_{n+1} + J_y S^y_n S^y_{n+1})/(2S) on a ring, plain rate Gamma/S on every
S^- (the paper's D at its Gamma/(2S)), from all down. About that state, S^x = sqrt(S/2) x and S^y =
sqrt(S/2) y obey (Holstein and Primakoff) for wave number k

.. math:: \dot x_k = -\Gamma x_k - J_y\cos(k)\,y_k,\quad \dot y_k = -\Gamma y_k + J_x\cos(k)\,x_k,

with diffusion 2 Gamma for both, so it is stable for J_x J_y > -Gamma^2. The paper prints
-Gamma^2/16 and shows the transition at J_x = Gamma/8, J_y = -Gamma/2: its axes are those of a rate
four times smaller. Here J_x = Gamma/2, where the transition lies at J_y = -2 Gamma.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

import wignerflow as wf

from ..plot import new_figure
from .contract import Asked, Check, Data, Drawing, judged
from .data import add_values, axis, dataset, largest
from .huber import METHODS, PAPER, marked

TITLE = "Dissipative Heisenberg chain across its transition"
SOURCE = f"{PAPER}, Fig. 7"
S, N, JX = 5000, 100, 0.5
COUPLINGS = (-3.0, -2.6, -2.3, -2.1, -2.0, -1.95, -1.9, -1.8, -1.6, -1.3, -1.0, -0.5, 0.25, 1.0)
NEAR = -1.9  # where C(s) is shown
KEYS = ("w", "c", "bloch")
LABELS = {"depth": "1 + ⟨Sz⟩/S", "xx": "⟨ΔSx²⟩/S", "yy": "⟨ΔSy²⟩/S", "zz": "⟨ΔSz²⟩/S²"}
#: Largest relative deviation from Holstein and Primakoff where J_y > -1.7 Gamma.
REQUIRED = 0.02


def chain(jy: float, jx: float = JX, spin: float = S, sites: int = N) -> tuple[Any, wf.Model]:
    """The ring and its model, Gamma = 1."""
    ring = wf.CollectiveSpin(spin, name="chain", count=sites)
    bonds = wf.NearestNeighbour(periodic=True)  # every bond twice
    couplings = {"Jx": jx, "Jy": jy}
    pairs = [c * wf.couple(getattr(ring, x), bonds, getattr(ring, x)) for x, c in couplings.items()]
    H = 0.5 / (2 * spin) * (pairs[0] + pairs[1])
    return ring, wf.Model(H, [wf.Jump(ring.Jm, 1 / spin)], initial={ring: wf.down})


def covariances(
    jy: float, jx: float = JX, sites: int = N
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """<x_k x_k>, <y_k y_k> and their product, per wave number, in the polarised phase."""
    c = np.cos(2 * np.pi * np.arange(sites) / sites)
    # A C + C A^T + 2 = 0 with A = [[-1, -jy c], [jx c, -1]]
    xy = (jx - jy) * c / (2 * (1 + jx * jy * c**2))
    return 1 - jy * c * xy, 1 + jx * c * xy, xy


def linearised(jy: float, **chain_: Any) -> dict[str, Any]:
    """The same numbers as the simulation's, by Holstein and Primakoff; NaN where unstable."""
    if JX * jy <= -1:
        return dict.fromkeys(LABELS, np.nan) | {"C": np.full(N // 2, np.nan)}
    xx, yy, _ = covariances(jy, **chain_)
    quanta = (xx + yy - 2) / 4
    s = np.arange(N // 2)
    k = 2 * np.pi * np.arange(N) / N
    correlation = (np.cos(np.outer(s, k)) * quanta).mean(axis=1)
    n, anomalous = quanta.mean(), (xx - yy).mean() / 4
    cross = covariances(jy, **chain_)[2].mean() / 2
    return {
        "depth": n / S,
        "xx": xx.mean() / 2,
        "yy": yy.mean() / 2,
        "zz": (n * (n + 1) + anomalous**2 + cross**2) / S**2,
        "C": correlation / (n if n > 0 else 1.0),
    }


def correlation(final: np.ndarray, amplitudes: bool) -> np.ndarray:
    """C(s) = <S^+_n S^-_{n+s}>/<S^+_n S^-_n> from final samples (trajectories, variables)."""
    v = final.reshape(final.shape[0], N, -1)
    if amplitudes:
        minus = (v[..., 0] + 1j * v[..., 1]) * (v[..., 2] - 1j * v[..., 3])
        z = (v[..., 0] ** 2 + v[..., 1] ** 2 - v[..., 2] ** 2 - v[..., 3] ** 2) / 2
    else:
        minus, z = v[..., 0] - 1j * v[..., 1], v[..., 2]
    power = np.abs(np.fft.fft(minus, axis=1)) ** 2
    out = np.fft.ifft(power.mean(axis=0)).real / N
    out[0] += z.mean()
    return out[: N // 2] / out[0]


def length(C: np.ndarray) -> float:
    """xi of C(s) = exp(-s/xi) through even s, by least squares."""
    s, values = np.arange(0, C.size, 2), C[::2]

    def misfit(log_xi: float) -> float:
        return float(np.sum((values - np.exp(-s / np.exp(log_xi))) ** 2))

    return float(np.exp(minimize_scalar(misfit, bounds=(-2, 5), method="bounded").x))


def make(asked: Asked) -> Data:
    """Steady values against J_y, averaged over the late half of the run and the ring."""
    groups = 8 if asked.quick else 16
    last, dt = (20.0, 0.05) if asked.quick else (100.0, 0.04)
    each = max(2, asked.many(2048, 256) // groups)
    how = asked.sampling(each, dt)
    couplings = np.array((-3.0, -1.9, -1.0) if asked.quick else COUPLINGS)
    times = np.concatenate([[0.0], np.linspace(last / 2, last, 11)])
    coordinates = axis("coupling", couplings, "coupling Jy/Gamma", "Jy/Γ")
    coordinates |= axis("distance", np.arange(N // 2), "s", "s")
    data = dataset(coordinates, S=S, sites=N, Jx=JX, Gamma=1.0)
    columns: dict[str, dict[str, list[Any]]] = {
        k: {n: [] for n in LABELS} for k in ("exact", *KEYS)
    }
    lengths: dict[str, list[float]] = {k: [] for k in columns}
    clips: dict[str, float] = {}
    speed: dict[str, float] = {}
    for jy in couplings:
        asked.say(f"Jy = {jy:g} Gamma")
        known = linearised(float(jy))
        lengths["exact"].append(length(known["C"]) if np.isfinite(known["xx"]) else np.nan)
        for name in LABELS:
            columns["exact"][name].append((known[name], 0.0))
        ring, model = chain(float(jy))
        ops = {"z": ring.Jz.sum() / (S * N)}
        for x, scale in (("x", S), ("y", S), ("z", S**2)):
            J = getattr(ring, f"J{x}")
            ops[x + x] = (J * J).sum() / (scale * N)
        for key in KEYS:
            # times are correlated along a trajectory: errors are those of independent groups
            options: dict[str, Any] = {"method": METHODS[key][1], "precision": "double"}
            options |= {"e_ops": ops, "keep": "final", "progress": False}
            results = [
                wf.solve(model, times, **options, **how | {"seed": how["seed"] + g})
                for g in range(groups)
            ]
            late = {k: np.array([r.expect[k][1:].mean() for r in results]) for k in ops}
            mean = {k: float(v.mean()) for k, v in late.items()}
            error = {k: float(v.std(ddof=1) / np.sqrt(groups)) for k, v in late.items()}
            columns[key]["depth"].append((1 + mean["z"], error["z"]))
            columns[key]["zz"].append((mean["zz"] - mean["z"] ** 2, error["zz"]))
            for name in ("xx", "yy"):
                columns[key][name].append((mean[name], error[name]))
            final = np.concatenate([r.final for r in results if r.final is not None])
            C = correlation(final, key != "bloch")
            lengths[key].append(length(C))
            clipped = np.mean([r.stats.get("clipped", 0.0) for r in results])
            clips[key] = max(clips.get(key, 0.0), float(clipped))
            speed[key] = min(r.stats["ns_per_trajectory_step"] for r in results) / N
            if jy == NEAR:
                label = f"C(s), Jy = {NEAR} Γ, {METHODS[key][0]}"
                add_values(data, f"C_{key}", "distance", C, label=label)
        if jy == NEAR:
            label = f"C(s), Jy = {NEAR} Γ, Holstein-Primakoff"
            add_values(data, "C_exact", "distance", known["C"], label=label)
    for key, table in columns.items():
        label = "Holstein-Primakoff" if key == "exact" else METHODS[key][0]
        for name, pairs in table.items():
            values, errors = np.array(pairs).T
            facts: dict[str, Any] = {}
            if key != "exact":
                facts = {"method": METHODS[key][1].name, "ntraj": groups * each}
                facts |= {"seed": str(how["seed"]), "dt": dt, "clipped": clips[key]}
                facts |= {"ns_per_spin_trajectory_step": speed[key]}
            add_values(
                data, f"{name}_{key}", "coupling", values, errors if facts else None,
                label=f"{LABELS[name]}, {label}", **facts,
            )  # fmt: skip
        about = {"long_name": f"correlation length, {label}", "units": "sites"}
        data[f"length_{key}"] = ("coupling", np.array(lengths[key]), about)
    return data


def checks(data: Data) -> list[Check]:
    """Relative deviations from Holstein and Primakoff away from the transition."""
    out = []
    far = data["coupling"].values > -1.7
    for key in KEYS:
        for name in ("depth", "xx", "yy"):
            exact = data[f"{name}_exact"].values[far].copy()
            if name == "depth":
                exact[exact * S < 0.05] = np.nan  # too few quanta to resolve
            found, errors = (
                data[n].values[far] / exact for n in (f"{name}_{key}", f"{name}_{key}_sem")
            )
            k, value, error = largest(found - 1, errors)
            at = f"(Jy = {float(data['coupling'].values[far][k]):g} Γ)"
            what = f"{LABELS[name]}, {METHODS[key][0]}: relative deviation from HP {at}"
            out.append(judged(what, value, error, at_most=REQUIRED))
    return out


def draw(data: Data) -> Drawing:
    """Magnetisation and variances, correlations, correlation length."""
    figure, axes = new_figure(1, 3)
    figure.set_size_inches(16.5, 5.4)
    x = data["coupling"].values
    fine = np.linspace(-1.98, max(x), 200)
    styles = {"depth": "-", "xx": "--", "yy": ":", "zz": "-."}
    scale = {"depth": 1.0, "xx": 1 / S, "yy": 1 / S, "zz": 1.0}
    texts = {"depth": r"$1+\langle S_z\rangle/S$", "xx": r"$\Delta S_x^2/S^2$",
             "yy": r"$\Delta S_y^2/S^2$", "zz": r"$\Delta S_z^2/S^2$"}  # fmt: skip
    known = [linearised(float(j)) for j in fine]
    for name, style in styles.items():
        axes[0, 0].plot(fine, [scale[name] * h[name] for h in known], style, color="0.2",
                        label=f"HP, {texts[name]}")  # fmt: skip
        for key in KEYS:
            label = METHODS[key][0] if name == "depth" else None
            marked(axes[0, 0], x, scale[name] * data[f"{name}_{key}"], key, label=label)
    axes[0, 0].set(
        yscale="log", ylim=(1e-9, 2), xlabel=r"$J_y/\Gamma$", title="magnetisation and variances"
    )
    axes[0, 0].legend(fontsize=8)
    s = data["distance"].values
    if "C_exact" in data:
        axes[0, 1].plot(s[::2], data["C_exact"][::2], color="0.2", label="HP")
        for key in KEYS:
            y = data[f"C_{key}"].values[::2]
            marked(axes[0, 1], s[::2], y, key, markersize=6, label=METHODS[key][0])
    axes[0, 1].set(
        xlabel="distance $s$ (even)", title=rf"$C(s)$ at $J_y = {NEAR}\,\Gamma$", xlim=(-0.5, 40.5)
    )
    axes[0, 1].legend()
    finite = [length(h["C"]) for h in known]
    axes[0, 2].plot(fine, finite, color="0.2", label="HP")
    for key in KEYS:
        marked(axes[0, 2], x, data[f"length_{key}"], key, markersize=6, label=METHODS[key][0])
    axes[0, 2].set(xlabel=r"$J_y/\Gamma$", title="correlation length", ylim=(0, None))
    axes[0, 2].legend()
    figure.suptitle(
        rf"Ring of {N} spins $S = {S}$, $J_x = \Gamma/2$: transition at $J_xJ_y = -\Gamma^2$"
    )
    return figure
