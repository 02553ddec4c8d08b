"""Wigner functions of modes: measure, exact states, drawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, norm

import wignerflow as wf
from wignerflow.analysis.distribution import mode_samples

NTRAJ = 20_000


def cavity(occupation):
    """A damped mode at t = 1 that began in a coherent state, and its exact mean and variance.

    The mean turns and decays, and |a - <a>|^2 is occupation (1 - e^-1) + 1/2 on average.
    """
    light, idle = wf.Mode(name="light"), wf.Mode(name="idle")
    jumps = [wf.Jump(light.a, occupation + 1), wf.Jump(light.adag, occupation)]
    model = wf.Model(0.7 * light.n, jumps, initial={light: wf.coherent(2), idle: wf.vacuum})
    options = dict(e_ops={"n": light.n}, ntraj=NTRAJ, seed=7, dt=0.5, keep="final")
    result = wf.solve(model, [0, 1], **options)
    return result, 2 * np.exp(-0.5 - 0.7j), occupation * (1 - np.exp(-1)) + 0.5


def misfit(density, mean, variance):
    """p-value of Pearson's chi-square against a Gaussian integrated over the cells."""
    x, y = (
        np.diff(norm.cdf(edges, at, np.sqrt(variance / 2)))
        for edges, at in ((density.x_edges, mean.real), (density.y_edges, mean.imag))
    )
    expected = density.samples * np.outer(x, y)
    found = density.values * density.cell * density.samples
    some = expected > 8
    assert some.sum() > 60
    square = ((found - expected)[some] ** 2 / expected[some]).sum()
    return chi2.sf(square, some.sum())


@pytest.mark.parametrize("occupation", [0.0, 1.5])
def test_coherent_and_thermal_states(occupation):
    result, mean, variance = cavity(occupation)
    density = wf.wigner_density(result, "light", bins=20)
    assert density.values.sum() * density.cell == pytest.approx(1 - density.outside)
    assert density.outside < 1e-3 and density.samples == NTRAJ
    assert misfit(density, mean, variance) > 1e-4
    # the value itself, 1/(pi variance) exp(-|a - mean|^2/variance), in a small cell at the mean
    centre = wf.wigner_density(result, "light", bins=1, centre=mean, width=0.1)
    z = (centre.values[0, 0] - 1 / (np.pi * variance)) / centre.errors[0, 0]
    assert abs(z) < 4
    # negative controls: the Q function, whose variance is larger by a half, too narrow, shifted
    for wrong in (variance + 0.5, 0.8 * variance):
        assert misfit(density, mean, wrong) < 1e-9
    assert misfit(density, mean + 0.1 * np.sqrt(variance), variance) < 1e-9


def test_names_and_drawing():
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    result, _, _ = cavity(0.0)
    with pytest.raises(ValueError, match="`name` must be one of light, idle"):
        wf.wigner_density(result)
    with pytest.raises(ValueError, match="name"):
        wf.wigner_density(result, "dark")
    vacuum = wf.wigner_density(result, "idle", bins=20)
    assert misfit(vacuum, 0j, 0.5) > 1e-4
    ax = vacuum.plot()
    (mesh,) = ax.collections
    assert np.array_equal(mesh.get_array().reshape(20, 20).T, vacuum.values)
    plt.close("all")
    result.final[3, 0] = np.nan
    assert mode_samples(result, result.variables[0][:-3]).size == NTRAJ - 1
    atoms = wf.Ensemble(40, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, 0.1)], initial={atoms: wf.up})
    spins = wf.solve(model, [0, 1], e_ops={"z": atoms.Jz}, ntraj=64, seed=1, dt=0.1)
    with pytest.raises(ValueError, match="keep='final' and a mode"):
        wf.wigner_density(spins)
    with pytest.raises(ValueError, match="`samples` must be of shape"):
        wf.wigner_density(np.zeros((2, 2)))
