"""Baths as damped modes: the fit, and what a two-level emitter does in it."""

import numpy as np
import pytest

import wignerflow as wf


def test_lorentzians_are_found_again():
    at, g, kappa = np.array([-0.7, 1.1]), np.array([0.4, 0.25]), np.array([0.3, 0.8])

    def density(w):
        return (g**2 * kappa / ((w[:, None] - at) ** 2 + kappa**2 / 4)).sum(axis=1)

    spin = wf.Spin(name="spin")
    found = wf.bath(spin.sm, density, modes=2, range=(-4, 4))
    np.testing.assert_allclose(found.frequencies, at, atol=1e-6)
    np.testing.assert_allclose(found.couplings, g, rtol=1e-6)
    np.testing.assert_allclose(found.rates, kappa, rtol=1e-6)
    assert found.error < 1e-8
    t = np.array([0.0, 1.3])
    known = (g**2 * np.exp(-1j * at * t[:, None] - kappa * t[:, None] / 2)).sum(axis=1)
    np.testing.assert_allclose(found.correlation(t), known, rtol=1e-6)


def test_the_unit_of_time_does_not_matter():
    """Two overlapping lines that are not quite Lorentzian, and how well they are followed."""
    unit = 1e5

    def density(w):
        return np.exp(-((w - 0.5) ** 2)) + 0.3 * np.exp(-4 * (w + 1) ** 2)

    spin = wf.Spin(name="spin")
    found = wf.bath(spin.sm, density, modes=2, range=(-3, 4))
    other = wf.bath(
        spin.sm, lambda w: unit * density(w / unit), modes=2, range=(-3 * unit, 4 * unit)
    )
    assert other.error == pytest.approx(found.error, rel=1e-4)
    for name in ("frequencies", "couplings", "rates"):
        np.testing.assert_allclose(getattr(other, name), unit * getattr(found, name), rtol=1e-4)


def test_an_emitter_decays_by_the_correlation_function():
    """The amplitude of one excitation: c' = -int C(t - s) c(s) ds, C being that of the modes."""
    spin = wf.Spin(name="spin")
    found = wf.bath(spin.sm, lambda w: np.exp(-((w - 0.5) ** 2)), modes=3, range=(-3, 4))
    assert found.error < 0.1
    model = wf.Model(found.H, found.jumps, initial={spin: wf.up, **found.initial})
    end, steps = 6.0, 3000
    out = wf.solve(model, [0, end / 2, end], e_ops={"z": spin.sz}, method="exact").expect["z"]
    t = np.linspace(0, end, steps + 1)
    h, C = t[1], found.correlation(t)
    c = np.ones(steps + 1, complex)
    for n in range(steps):  # implicit trapezoid of the memory
        past = h * (C[n + 1 : 0 : -1] @ c[: n + 1] - C[n + 1] * c[0] / 2)
        now = h * (C[n::-1] @ c[: n + 1] - (C[n] * c[0] + C[0] * c[n]) / 2) if n else 0.0
        c[n + 1] = (c[n] - h / 2 * (past + now)) / (1 + h**2 / 4 * C[0])
    np.testing.assert_allclose((out + 1) / 2, np.abs(c[[0, steps // 2, steps]]) ** 2, atol=2e-5)
    assert out[1] < 0.5


def test_correlation_functions_are_fitted():
    """Exponentials are found again; others are followed the closer the more modes there are."""
    at, g, kappa = np.array([-0.7, 1.1]), np.array([0.4, 0.25]), np.array([0.3, 0.8])

    def two(t):
        return (g**2 * np.exp(-(1j * at + kappa / 2) * t[:, None])).sum(axis=1)

    spin = wf.Spin(name="spin")
    found = wf.bath(spin.sm, correlation=two, modes=2, range=(0, 20))
    np.testing.assert_allclose(found.frequencies, at, atol=1e-6)
    np.testing.assert_allclose(found.couplings, g, rtol=1e-6)
    np.testing.assert_allclose(found.rates, kappa, rtol=1e-6)
    assert found.error < 1e-8 and "of the largest correlation" in repr(found)
    errors = []
    for modes in (1, 3, 4):
        bell = wf.bath(
            spin.sm, correlation=lambda t: np.exp(-t * (t / 2 + 0.5j)), modes=modes, range=(0, 6)
        )
        off = np.abs(bell.correlation(bell.omega) - bell.density)
        assert off.max() == pytest.approx(bell.error * np.abs(bell.density).max())
        errors.append(bell.error)
    assert errors[0] > 2 * errors[1] > 3 * errors[2] and errors[2] < 0.08


def test_bad_baths():
    spin = wf.Spin(name="spin")
    with pytest.raises(ValueError, match="be non-negative, and positive somewhere"):
        wf.bath(spin.sm, lambda w: -1 + 0 * w, modes=1, range=(0, 1))
    with pytest.raises(ValueError, match="`range` must ascend"):
        wf.bath(spin.sm, lambda w: 1 + 0 * w, modes=1, range=(1, 0))
    with pytest.raises(TypeError, match="be a function of frequencies"):
        wf.bath(spin.sm, 1.0, modes=1, range=(0, 1))
    with pytest.raises(TypeError, match="and not both"):
        wf.bath(spin.sm, modes=1, range=(0, 1))
    with pytest.raises(TypeError, match="`correlation` must be a function of times"):
        wf.bath(spin.sm, correlation=1.0, modes=1, range=(0, 1))
    for begin in (-1, 0.5):
        with pytest.raises(ValueError, match="`range` must begin at time 0"):
            wf.bath(spin.sm, correlation=lambda t: np.exp(-t), modes=1, range=(begin, 1))
    with pytest.raises(ValueError, match="not be zero everywhere"):
        wf.bath(spin.sm, correlation=lambda t: 0 * t, modes=1, range=(0, 1))
