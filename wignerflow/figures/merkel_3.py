r"""Steady-state P-function on the sphere, Fig. 3 of Merkel et al., for three numbers of emitters.

Model of Fig. 2(a), |Bx| < kappa_+, where the state is localised about the stable mean-field point
(the text's |Bx| > kappa_+ is a slip). The paper does not print its N; here 10, 40 and 160.
Densities are histograms over cells of equal area, per unit solid angle.
"""

from __future__ import annotations

import itertools

import numpy as np

import wignerflow as wf

from ..analysis.ball import draw_map, draw_sphere, view
from ..analysis.distribution import SphereDensity
from ..plot import STYLE
from .contract import Asked, Check, Data, Drawing
from .data import add_values, dataset, difference
from .merkel import PAPER, driven
from .merkel_2 import FIELDS

TITLE = "Steady-state P-function on the sphere for N = 10, 40, 160"
SOURCE = f"{PAPER}, Fig. 3"
NUMBERS = (10, 40, 160)
BINS = (90, 180)
DURATION = 15.0  # in 1/kappa_+, from the mean-field fixed point: the state has then settled
AZIMUTH = -1.3


def make(asked: Asked) -> Data:
    """Histograms of the final Bloch vectors, and <Jz> next to the exact one."""
    how = asked.sampling(asked.many(400_000, 20_000), seed=3)
    z_edges = np.linspace(-1, 1, BINS[0] + 1)
    phi_edges = np.linspace(0, 2 * np.pi, BINS[1] + 1)
    coordinates = {
        "N": list(NUMBERS),
        "z": (z_edges[1:] + z_edges[:-1]) / 2,
        "phi": (phi_edges[1:] + phi_edges[:-1]) / 2,
        "axis": list("xyz"),
    }
    facts = {"ntraj": how["ntraj"], "seed": str(how["seed"])}
    data = dataset(coordinates, Bx=FIELDS["a"], **facts)
    densities, errors, means, exact = [], [], [], []
    for N in NUMBERS:
        asked.say(f"N = {N}: {how['ntraj']} trajectories")
        build = {"kappa": {"+": 1.0, "z": 1.0}}
        _, model = driven(N, (FIELDS["a"], 0, 0), wf.bloch_vector(0, 0, -1), **build)
        stable = next(p for p in wf.mean_field.fixed_points(model) if p.stable)
        atoms, model = driven(N, (FIELDS["a"], 0, 0), wf.bloch_vector(*stable.point), **build)
        e_ops = {c: 2 / N * getattr(atoms, f"J{c}") for c in "xyz"}
        times = np.array([0, DURATION])
        how |= {"method": "generalized-p", "keep": "final"}
        result = wf.solve(model, times, e_ops=e_ops, progress=False, **how)
        density = wf.sphere_density(result, BINS)
        densities.append(density.values)
        errors.append(density.errors)
        means.append([[result.expect[c][-1], result.sem[c][-1]] for c in "xyz"])
        reference = wf.solve(model, times, e_ops=e_ops, method="exact", progress=False)
        exact.append([reference.expect[c][-1] for c in "xyz"])
    dims, label = ("N", "z", "phi"), "P per unit solid angle"
    add_values(data, "density", dims, np.array(densities), label=label)
    label = "standard error of the density"
    add_values(data, "density_sem", dims, np.array(errors), label=label)
    for k, c in enumerate("xyz"):
        name, label = f"mean_{c}_exact", f"2⟨J{c}⟩/N, exact"
        add_values(data, name, "N", np.array(exact)[:, k], label=label, method="exact")
        add_values(
            data, f"mean_{c}", "N", *np.array(means)[:, k].T, label=f"2⟨J{c}⟩/N, steady state",
            method="generalized-p", reference=name, **facts,
        )  # fmt: skip
    data["stable"] = ("axis", stable.point, {"long_name": "stable mean-field fixed point"})
    return data


def width(data: Data, k: int) -> float:
    """Root mean square distance of the directions from their mean direction."""
    z, phi = np.meshgrid(data["z"].values, data["phi"].values, indexing="ij")
    rho = np.sqrt(1 - z**2)
    points = np.stack([rho * np.cos(phi), rho * np.sin(phi), z], axis=-1)
    weight = data["density"].values[k]
    mean = (weight[..., None] * points).sum(axis=(0, 1)) / weight.sum()
    return float(np.sqrt(max(1 - mean @ mean, 0.0)))


def checks(data: Data) -> list[Check]:
    """Means within sampling error of exact; widths that fall with N."""
    scores = [difference(data, f"mean_{c}") for c in "xyz"]
    largest = max(float(np.abs(change / error).max()) for change, error in scores)
    out = [Check("largest |z| of 2<J>/N, 9 values", largest, None, "at most 3.4", largest < 3.4)]
    widths = [width(data, k) for k in range(len(NUMBERS))]
    ratio = max(b / a for a, b in itertools.pairwise(widths))
    out.append(Check("width at N over width at N/4", ratio, None, "below 0.75", ratio < 0.75))
    return out


def draw(data: Data) -> Drawing:
    """Spheres above, equal-area maps below, each on its own colour scale."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    with mpl.rc_context(STYLE):
        figure = plt.figure(figsize=(12.5, 6), layout="constrained")
    grid = figure.add_gridspec(2, len(NUMBERS), height_ratios=[1.5, 1])
    z_edges = np.linspace(-1, 1, data.sizes["z"] + 1)
    phi_edges = np.linspace(0, 2 * np.pi, data.sizes["phi"] + 1)
    u, v, _ = view(AZIMUTH) @ data["stable"].values
    for k, N in enumerate(data["N"].values):
        values, errors = data["density"].values[k], data["density_sem"].values[k]
        density = SphereDensity(values, errors, z_edges, phi_edges, int(data.attrs["ntraj"]))
        top = figure.add_subplot(grid[0, k])
        options = {"cmap": "magma_r", "vmin": 0, "vmax": float(values.max())}
        mesh = draw_sphere(top, density, AZIMUTH, **options)
        top.plot(u, v, "+", color="#00c8ff", ms=11, mew=1.3)
        top.set_title(f"$N = {N}$")
        figure.colorbar(mesh, ax=top, shrink=0.75, label=r"$P(\theta, \phi)$ per steradian")
        low = figure.add_subplot(grid[1, k], projection="mollweide")
        draw_map(low, density, **options)
    figure.suptitle(
        "Steady-state P-function on the sphere, "
        rf"$B_x = {data.attrs['Bx']}\,\kappa_+$, $\kappa_z = \kappa_+$; "
        "cross: stable mean-field point; below: equal-area maps"
    )
    return figure
