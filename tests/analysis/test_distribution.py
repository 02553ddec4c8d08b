"""Histograms on the sphere and in the ball: measure, normalisation, drawings."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.analysis.distribution import ball_density, sphere_density


def directions(n, seed=0):
    v = np.random.default_rng(seed).normal(size=(n, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def test_uniform_directions_have_uniform_density():
    """Cells have equal area: at the poles too, no factor sin(theta) is left over."""
    density = sphere_density(directions(200_000), (12, 24))
    assert density.values.sum() * density.cell == pytest.approx(1)
    score = (density.values - 1 / (4 * np.pi)) / density.errors
    assert np.abs(score).max() < 4.5  # of 288 cells
    assert score.std() == pytest.approx(1, abs=0.15)
    # negative control: uniform in theta is not uniform
    theta = np.random.default_rng(1).uniform(0, np.pi, 200_000)
    bad = np.stack([np.sin(theta), 0 * theta, np.cos(theta)], axis=-1)
    rows = sphere_density(bad, (12, 1))
    assert np.abs((rows.values - 1 / (4 * np.pi)) / rows.errors).max() > 20


def test_uniform_ball_has_uniform_density():
    r = directions(200_000) * np.random.default_rng(2).uniform(0, 1, (200_000, 1)) ** (1 / 3)
    density = ball_density(r, (4, 6, 8))
    assert density.outside == 0
    assert (
        np.abs((density.values * 4 * np.pi / 3 - 1) / (density.errors * 4 * np.pi / 3)).max() < 4.5
    )
    flat = density.directions()
    assert flat.values.sum() * flat.cell == pytest.approx(1)
    assert ball_density(1.5 * directions(100)).outside == 1
    assert ball_density(directions(100) * (1 + 1e-6)).outside == 0


def test_from_a_result_and_drawn():
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    atoms = wf.Ensemble(40, name="atoms")
    jumps = [wf.Jump(atoms.Jp, 0.05), wf.Jump(atoms.Jz, 0.05)]
    model = wf.Model(0.7 * atoms.Jx, jumps, initial={atoms: wf.down})
    options = dict(e_ops={"z": atoms.Jz}, ntraj=512, seed=1, dt=0.05)
    result = wf.solve(model, [0, 5], method="generalized-p", keep="final", **options)
    density = wf.sphere_density(result, (16, 32))
    assert density.samples == 512
    top = np.unravel_index(np.argmax(density.values), density.values.shape)
    z = (density.z_edges[top[0]] + density.z_edges[top[0] + 1]) / 2
    assert z > 0.3
    assert density.at(np.array([[0, 0, -1.0]]))[0] == density.values[0, 0]
    for kind in ("sphere", "map"):
        assert density.plot(kind).collections
    plt.close("all")
    with pytest.raises(ValueError, match="keep='final'"):
        wf.sphere_density(wf.solve(model, [0, 5], method="generalized-p", **options))
    twa = wf.solve(model, [0, 5], method="twa", keep="final", **options)
    with pytest.raises(ValueError, match="generalized-p"):
        wf.sphere_density(twa)
