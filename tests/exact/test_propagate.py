"""Integrators of linear equations against matrix exponentials, without any model."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from wignerflow.exact import propagate, steady


def rates(n, rng, scale=1.0):
    """A random matrix of rates: what leaves one number enters others."""
    A = scale * rng.uniform(0, 1, (n, n)) * (rng.random((n, n)) < 0.5)
    np.fill_diagonal(A, 0)
    return A - np.diag(A.sum(axis=0))


@pytest.mark.parametrize(("n", "scale"), [(3, 1.0), (30, 40.0)])
def test_a_constant_matrix_is_its_exponential(n, scale):
    """One step, and several, at uneven times; oscillations beside the rates."""
    rng = np.random.default_rng(n)
    A = rates(n, rng, scale)
    turn = rng.normal(size=(n, n))
    A += scale * (turn - turn.T)
    W, y = rng.normal(size=(4, n)), rng.normal(size=n)
    times = np.array([0.7, 0.71, 1.1, 1.9, 2.0])
    for rtol in (1e-4, 1e-10):
        found, last, facts = propagate.constant(
            sp.csr_matrix(A), propagate.Readings.of([sp.csr_matrix(W)], [], []).W, y, times, rtol
        )
        exact = [expm(A * (t - 0.7)) @ y for t in times]
        want = np.array([W @ x for x in exact])
        limit = rtol * np.abs(y).sum()
        np.testing.assert_allclose(found, want, atol=limit * np.abs(W).max())
        np.testing.assert_allclose(last, exact[-1], atol=limit)
        assert (facts["steps"] > 1) == (n == 30)
        assert facts["products"] > (5 if n == 3 else 100)


def test_the_shift_makes_the_norm_smallest():
    rng = np.random.default_rng(0)
    for A in (rates(6, rng), rng.normal(size=(6, 6)), np.diag([-3.0, -1.0, -2.0])):
        B, sigma, norm = propagate.shifted(sp.csr_matrix(A))
        np.testing.assert_allclose(B.toarray(), A + sigma * np.eye(len(A)))
        assert norm == pytest.approx(np.abs(B.toarray()).sum(axis=0).max())
        for other in (0.0, 0.9 * sigma, 1.1 * sigma):
            shifted = A + other * np.eye(len(A))
            assert norm <= np.abs(shifted).sum(axis=0).max() + 1e-12
    assert propagate.shifted(sp.csr_matrix(np.diag([1.0, 0.5])))[1] == 0  # never negative


@pytest.mark.parametrize("n", [4, propagate.SMALL + 3])
def test_matrices_in_time(n):
    """Full ones and sparse ones; one of the weights is zero for a while."""
    rng = np.random.default_rng(n)
    A, B = (rates(n, rng, 2.0) for _ in range(2))
    W, y, times = rng.normal(size=(3, n)), rng.uniform(0, 1, n), np.array([0.2, 0.3, 1.0, 1.7])

    def weights(t):
        return np.array([1 + np.sin(t), max(t - 0.5, 0.0)])

    found, last, facts = propagate.adaptive(
        [sp.csr_matrix(A), sp.csr_matrix(B)], weights, sp.csr_matrix(W), y, times, 1e-9, 0.2, []
    )
    run = solve_ivp(
        lambda t, x: weights(t)[0] * A @ x + weights(t)[1] * B @ x, (0.2, 1.7), y, "Radau",
        rtol=1e-9, atol=1e-11, t_eval=times,
    )  # fmt: skip
    np.testing.assert_allclose(found, (W @ run.y).T, atol=1e-7)
    np.testing.assert_allclose(last, run.y[:, -1], atol=1e-7)
    assert facts["products"] > facts["steps"] >= 1.5 / 0.2


def test_what_is_lost_stands_for_all_later_times():
    """A number that decays, until it is below a half."""
    A, W, y = sp.csr_matrix([[-1.0]]), sp.csr_matrix([[1.0]]), np.ones(1)
    times = np.array([0, 0.2, 0.4, 0.9, 1.5, 3.0])

    def lost(numbers):
        return bool(numbers[0] < 0.5)

    found, _, _ = propagate.adaptive([A], lambda t: np.ones(1), W, y, times, 1e-9, 0.1, [], lost)
    want = np.exp(-times)
    want[4:] = want[3]
    np.testing.assert_allclose(found[:, 0], want, atol=1e-8)
    fast = sp.csr_matrix([[-1.0, 0, 0], [0, -4000.0, 0], [0, 4000.0, 0]])  # many steps
    found, last, facts = propagate.constant(
        fast, sp.csr_matrix([[1.0, 0, 0]]), np.ones(3), times, 1e-9, lost
    )
    h = 3 / facts["steps"]
    end = h * np.ceil(np.log(2) / h)
    assert times[2] < end < times[3]
    np.testing.assert_allclose(found[:, 0], np.exp(-np.minimum(times, end)), atol=1e-8)
    np.testing.assert_allclose(last, [np.exp(-end), 0, 2], atol=1e-8)


def test_a_null_state_and_how_unique_it_is():
    rng = np.random.default_rng(2)
    A, y = rates(8, rng), rng.uniform(0, 1, 8)
    A[:3, 3:], A[3:, :3] = 0, 0  # two parts of their own
    A -= np.diag(A.sum(axis=0))
    late = expm(1e3 * A) @ y
    x, facts = steady.null_state(sp.csc_matrix(A), np.ones(8), y)
    np.testing.assert_allclose(x, late, atol=1e-9)
    assert not facts["unique"] and facts["residual"] < 1e-12 and facts["spread"] > 1e-2
    first = slice(3, 8)
    one, facts = steady.null_state(sp.csc_matrix(A[first, first]), np.ones(5), y[first])
    np.testing.assert_allclose(one, late[first], atol=1e-9)
    assert facts["unique"] and facts["residual"] < 1e-12 and facts["spread"] < 1e-9
    assert facts["fill"] >= np.count_nonzero(A[first, first])
    for size in (1, 2):
        x, facts = steady.null_state(sp.csc_matrix((size, size)), np.ones(size), np.ones(size))
        assert facts == {"unique": size == 1, "residual": 0.0} and np.all(x == 1)
    steady.null_state(sp.csc_matrix(A), np.ones(8), y, fill=1e5, memory=1.6e6)
    with pytest.raises(steady.TooLarge, match=r"8 coupled numbers needs about 0\.0016 GB"):
        steady.null_state(sp.csc_matrix(A), np.ones(8), y, fill=1e5, memory=1.59e6)
