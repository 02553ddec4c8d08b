"""Initial states: the moments of every kind of distribution, member by member."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.ensemble import dawson, fixed_length

from .lanes import LaneRun

COUNT = 60_000
GRID = Grid.make(np.array([0.0, 1.0]), 1.0)


def test_dawson_integral_is_that_of_scipy():
    x = np.concatenate([np.linspace(0.01, 12, 500), np.geomspace(12, 1e6, 100)])
    assert np.allclose([dawson(v) for v in x], special.dawsn(x), rtol=1e-13)


def draw(initial, seed=1, count=COUNT, t0=0, method=None, **options):
    """Initial variables by subsystem, each (members, components, trajectories)."""
    model = wf.Model(initial=initial)
    system, _ = (method or wf.TWA(**options)).lower(model, {}, np.array([0.0, 1.0]))
    text = KernelText(system, [])
    run = LaneRun(text, GRID, count)
    run.initial(seed, t0)
    out = []
    for k, block in enumerate(system.blocks):
        first, n = text.layout.slot[k], block.components
        out.append(run.state[first : first + n * block.size].reshape(block.size, n, count))
    return out


def assert_moments(x, mean, cov, slack=0.0):
    """First and second moments within four standard errors (and ``slack``)."""
    n = x.shape[-1]
    sem = x.std(axis=-1) / np.sqrt(n)
    assert np.all(np.abs(x.mean(axis=-1) - mean) <= 4.5 * sem + 1e-12 + slack)
    d = x - np.reshape(mean, (-1, 1))
    second = d[:, None] * d[None, :]
    sem = second.std(axis=-1) / np.sqrt(n)
    assert np.all(np.abs(second.mean(axis=-1) - cov) <= 4.5 * sem + 1e-12 + slack)


def spin_covariance(N, r):
    return N / 4 * (np.eye(3) - np.outer(r, r))


DIRECTIONS = [(0, 0, 1), (0, 0, -1), (1, 0, 0), (0.48, -0.64, 0.6), (-0.36, -0.48, -0.8)]


@pytest.mark.parametrize("r", DIRECTIONS)
@pytest.mark.parametrize("sampling", ["fixed", "gaussian"])
@pytest.mark.parametrize("kind", ["ensemble", "collective"])
def test_pure_states_of_many_emitters(r, sampling, kind):
    N, r = 400, np.array(r, float)
    sub = wf.Ensemble(N, name="a") if kind == "ensemble" else wf.CollectiveSpin(N / 2, name="a")
    ((x,),) = draw({sub: wf.bloch_vector(*r)}, sampling=sampling)
    # a fixed length leaves a longitudinal variance of order one: Var(|g|^2)/N^2 = 1/4
    assert_moments(x, N * r / 2, spin_covariance(N, r), slack=0.3 if sampling == "fixed" else 0)
    along = r @ x
    if sampling == "fixed":
        assert np.allclose((x**2).sum(axis=0), fixed_length(float(N)) ** 2, rtol=1e-12)
        assert along.mean() == pytest.approx(N / 2, abs=0.01)
    else:
        assert np.allclose(along, N / 2, rtol=1e-12)


@pytest.mark.parametrize("length", [0.0, 0.3, 0.9, 0.999])
def test_mixed_states(length):
    N, r = 250, length * np.array([0.48, -0.64, 0.6])
    ((x,),) = draw({wf.Ensemble(N, name="a"): wf.bloch_vector(*r)})
    assert_moments(x, N * r / 2, spin_covariance(N, r))


@pytest.mark.parametrize("N", [1, 2, 5, 9])
def test_small_ensembles_start_gaussian_by_default(N):
    ((x,),) = draw({wf.Ensemble(N, name="a"): wf.down})
    assert_moments(x, [0, 0, -N / 2], spin_covariance(N, np.array([0, 0, -1.0])))
    assert np.all(x[2] == -N / 2)


def test_fixed_length_is_the_default_from_ten_emitters_on():
    ((x,),) = draw({wf.Ensemble(10, name="a"): wf.up}, count=2000)
    # a draw whose transverse part is longer than the spin is left with no longitudinal one
    square = fixed_length(10.0) ** 2
    inside = x[0] ** 2 + x[1] ** 2 < square
    assert inside.mean() > 0.99
    assert np.allclose((x**2).sum(axis=0)[inside], square)


@pytest.mark.parametrize("r", [*DIRECTIONS, (0.2, 0.3, -0.4), (0, 0, 0.5), (0, 0, 0)])
def test_discrete_spins(r):
    r = np.array(r, float)
    ((x,),) = draw({wf.Spin(name="s"): wf.bloch_vector(*r)})
    assert np.allclose((x**2).sum(axis=0), 0.75)
    assert_moments(x, r / 2, np.eye(3) / 4 - np.outer(r, r) / 4)
    axis = r / np.linalg.norm(r) if np.any(r) else np.array([0, 0, 1.0])
    assert np.allclose(np.abs(axis @ x), 0.5)


def test_discrete_spins_point_along_the_axes():
    ((x,),) = draw({wf.Spin(name="s"): wf.down}, count=4000)
    assert np.all(x[2] == -0.5)
    for s in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        share = np.mean((np.sign(x[0]) == s[0]) & (np.sign(x[1]) == s[1]))
        assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)


def test_gaussian_spins():
    r = np.array([0.48, -0.64, 0.6])
    ((x,),) = draw({wf.Spin(name="s"): wf.bloch_vector(*r)}, spin_sampling="gaussian")
    assert_moments(x, r / 2, spin_covariance(1, r))


@pytest.mark.parametrize("alpha", [0, 2.0, -1 + 3j])
def test_coherent_modes(alpha):
    ((x,),) = draw({wf.Mode(name="m"): wf.coherent(alpha)})
    assert_moments(x, [np.real(alpha), np.imag(alpha)], np.eye(2) / 4)
    assert stats.kstest(2 * (x[0] - np.real(alpha)), "norm").pvalue > 1e-3


def test_vacuum_and_thermal_modes():
    ((x,),) = draw({wf.Mode(name="m"): wf.vacuum})
    assert_moments(x, [0, 0], np.eye(2) / 4)
    ((x,),) = draw({wf.Mode(name="m"): wf.thermal(3.5)})
    assert_moments(x, [0, 0], np.eye(2) * 2)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_fock_modes(n):
    """<n> and <n^2> as in the state: symbols |a|^2 - 1/2 and |a|^4 - |a|^2."""
    ((x,),) = draw({wf.Mode(name="m"): wf.fock(n)})
    square = (x**2).sum(axis=0)
    if n:
        assert set(np.round(square, 9)) == {n, n + 1}
    sem = square.std() / np.sqrt(COUNT)
    assert abs(square.mean() - 0.5 - n) < 4 * sem
    other = square**2 - square
    assert abs(other.mean() - n**2) < 4 * other.std() / np.sqrt(COUNT)
    assert stats.kstest(np.arctan2(x[1], x[0]) / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-3


def test_arrays_have_a_state_per_member_and_are_independent():
    chain = wf.Ensemble([10, 50, 200], name="chain", count=3)
    modes = wf.Mode(name="modes", count=3)
    spin = wf.Spin(name="spin")
    r = [np.array([0, 0, 1.0]), np.array([0, 0, 0.3]), np.array([0, 1.0, 0])]
    initial = {
        chain: [wf.bloch_vector(*x) for x in r],
        modes: [wf.vacuum, wf.coherent(2j), wf.fock(3)],
        spin: wf.up,
    }
    sites, fields, (s,) = draw(initial, sampling="gaussian")
    for N, x, v in zip([10, 50, 200], sites, r, strict=True):
        assert_moments(x, N * v / 2, spin_covariance(N, v))
    assert_moments(fields[0], [0, 0], np.eye(2) / 4)
    assert_moments(fields[1], [0, 2], np.eye(2) / 4)
    assert_moments(s, [0, 0, 0.5], np.diag([0.25, 0.25, 0]))
    rows = np.concatenate([sites.reshape(9, -1), fields.reshape(6, -1), s])
    rows = rows[rows.std(axis=1) > 0]
    c = np.corrcoef(rows) * np.sqrt(COUNT)
    off = np.abs(c[np.triu_indices(len(c), 1)])
    assert off.max() < stats.norm.isf(5e-4 / off.size)


def test_a_trajectory_starts_where_its_number_says():
    initial = {wf.Ensemble(50, name="a"): wf.up, wf.Mode(name="m", count=2): wf.thermal(1)}
    whole = draw(initial, count=300)
    part = draw(initial, count=100, t0=150)
    other = draw(initial, count=300, seed=2)
    for a, b, c in zip(whole, part, other, strict=True):
        assert np.array_equal(a[..., 150:250], b)
        assert not np.any(a[:, 0] == c[:, 0])


def test_mean_field_starts_at_the_mean():
    initial = {
        wf.Ensemble(50, name="a"): wf.bloch_vector(0.1, 0.2, 0.3),
        wf.CollectiveSpin(4, name="b"): wf.down,
        wf.Spin(name="s"): wf.bloch_vector(0.5, 0, 0),
        wf.Mode(name="m", count=2): [wf.coherent(1 - 2j), wf.thermal(4)],
    }
    (a,), (b,), (s,), m = draw(initial, count=5, method=wf.MeanField())
    assert np.allclose(a.T, [2.5, 5, 7.5])
    assert np.allclose(b.T, [0, 0, -4])
    assert np.allclose(s.T, [0.25, 0, 0])
    assert np.allclose(m[0].T, [1, -2]) and np.allclose(m[1], 0)


def test_a_variance_that_is_four_per_cent_off_is_caught():
    ((x,),) = draw({wf.Mode(name="m"): wf.thermal(3.5)})
    with pytest.raises(AssertionError):
        assert_moments(1.02 * x, [0, 0], np.eye(2) * 2)
