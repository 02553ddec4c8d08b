"""Binned frequency distributions."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf

SHAPES = ["gaussian", "lorentzian", "uniform"]


@pytest.mark.parametrize("by", ["frequency", "population"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bins", [1, 2, 7, 40])
def test_normalised_and_symmetric(shape, by, bins):
    x, w = wf.spread(shape, 1.5, bins, center=0.25, by=by)
    assert x.shape == w.shape == (bins,)
    assert w.sum() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(w, w[::-1], rtol=1e-13)
    np.testing.assert_allclose((x + x[::-1]) / 2, 0.25, atol=1e-14)
    assert np.all(np.diff(x) > 0)


def test_gaussian_width_and_coherence():
    x, w = wf.spread("gaussian", 2.0, 401, span=6)
    assert np.sqrt(w @ x**2) == pytest.approx(2.0, rel=1e-3)
    t = np.linspace(0, 2, 9)
    np.testing.assert_allclose(np.cos(np.outer(t, x)) @ w, np.exp(-2 * t**2), atol=2e-3)


def test_lorentzian_decays_exponentially():
    x, w = wf.spread("lorentzian", 1.0, 4001, span=2000, by="population")
    t = np.linspace(0, 3, 7)
    np.testing.assert_allclose(np.cos(np.outer(t, x)) @ w, np.exp(-t), atol=2e-3)


def test_uniform_is_uniform():
    x, w = wf.spread("uniform", 3.0, 6)
    np.testing.assert_allclose(x, [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], atol=1e-14)
    np.testing.assert_allclose(w, 1 / 6)
    x, w = wf.spread("uniform", 3.0, 6, by="population", span=0.5)
    np.testing.assert_allclose(x, [-1.25, -0.75, -0.25, 0.25, 0.75, 1.25], atol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("N", [1, 17, 1000, 10**6 + 1, 10**12])
def test_numbers_add_up(shape, N):
    x, n = wf.spread(shape, 1.0, 41, N=N)
    assert n.dtype == np.int64 and n.sum() == N and np.all(n > 0) and x.size == n.size <= 41
    _, w = wf.spread(shape, 1.0, 41)
    if n.size == 41:
        assert np.abs(n - N * w).max() <= 1 + 1e-9 * N


def test_equal_populations_and_use_in_a_model():
    omega, n = wf.spread("gaussian", 1.0, 8, N=804, by="population")
    assert set(n) == {100, 101}
    atoms = wf.Ensemble(n, name="atoms", count=len(n))
    H = (omega * atoms.Jz).sum()
    model = wf.Model(H, [wf.Jump(atoms.Jm.sum(), 1.0)], initial={atoms: wf.up})
    assert model.H.is_hermitian()


def test_frequencies_of_equal_populations_are_their_medians():
    """In quantiles of samples cut at the span, which know no formula of ours."""
    draws = np.random.default_rng(0).standard_normal(400_000)
    draws = np.sort(draws[np.abs(draws) < 3])
    omega, weights = wf.spread("gaussian", 1.0, bins=8, by="population")
    medians = [np.median(part) for part in np.array_split(draws, 8)]
    assert np.allclose(omega, medians, atol=0.01) and np.allclose(weights, 1 / 8)


def test_zero_width_is_the_center():
    x, w = wf.spread("gaussian", 0.0, 5, center=3.0)
    np.testing.assert_array_equal(x, 3.0)
    assert w.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("gauss", 1.0, 5), {}, "Did you mean 'gaussian'"),
        (("gaussian", -1.0, 5), {}, "`width` must be non-negative, but was -1.0"),
        (("gaussian", np.nan, 5), {}, "`width` must be finite"),
        (("gaussian", 1.0, 0), {}, "`bins` must be an integer of at least 1, but was 0"),
        (("gaussian", 1.0, 2.5), {}, "`bins` must be an integer"),
        (("gaussian", 1.0, 10**9), {}, "`bins` must be at most"),
        (("gaussian", 1.0, 5), {"span": 0.0}, "`span` must be positive"),
        (("uniform", 1.0, 5), {"span": 2.0}, "`span` must be at most 1"),
        (("gaussian", 1.0, 5), {"by": "area"}, "`by` must be one of"),
        (
            ("gaussian", 1.0, 5),
            {"N": 4, "by": "population"},
            "`N` must be an integer of at least 5",
        ),
        (("gaussian", 1.0, 5), {"N": 0}, "`N` must be an integer of at least 1"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        wf.spread(*arguments, **options)
