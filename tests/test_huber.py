"""References of the figures huber-4 and huber-7, and a small ring against its linear theory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import wignerflow as wf
from wignerflow.figures import huber_4, huber_7


@pytest.mark.parametrize("drive", [0.4, 1.0, 1.8])
def test_steady_state_of_a_driven_spin(drive: float) -> None:
    spin = wf.CollectiveSpin(6, name="spin")
    model = wf.Model(drive * spin.Jx, [wf.Jump(spin.Jm, 1 / 6)], initial={spin: wf.down})
    J = {"x": spin.Jx, "y": spin.Jy, "z": spin.Jz}
    known = wf.Exact().steady_state(model, J | {a + a: J[a] * J[a] for a in J}).expect
    found = huber_4.exact_steady_state(6, drive, 1 / 6)
    for name, value in found.items():
        assert abs(known[name] - value) < 1e-10, name
    assert np.isfinite(list(huber_4.exact_steady_state(1000, drive, 1e-3).values())).all()


def test_holstein_primakoff_by_the_whole_ring() -> None:
    """Covariances from the Lyapunov equation of all sites instead of one wave number at a time."""
    jx, jy, n = 0.5, -1.4, 10
    ring = np.roll(np.eye(n), 1, axis=0) + np.roll(np.eye(n), -1, axis=0)
    A = np.block([[-np.eye(n), -jy / 2 * ring], [jx / 2 * ring, -np.eye(n)]])
    C = solve_continuous_lyapunov(A, -2 * np.eye(2 * n))
    xx, yy, xy = (c.mean() for c in huber_7.covariances(jy, jx, n))
    assert np.allclose([C[0, 0], C[n, n], C[0, n]], [xx, yy, xy], atol=1e-12)


def test_ring_of_two_large_spins_is_linear() -> None:
    """Variances of a polarised ring as by Holstein and Primakoff."""
    ring, model = huber_7.chain(-1.0, 0.5, spin=500.0, sites=4)
    t = np.concatenate([[0.0], np.linspace(8, 16, 17)])
    ops = {a: (getattr(ring, f"J{a}") * getattr(ring, f"J{a}")).sum() / 2000 for a in "xy"}
    method = wf.Schwinger("W", correlated_noise=True)
    r = wf.solve(model, t, e_ops=ops, method=method, ntraj=2000, seed=4, dt=0.04, progress=False)
    xx, yy, _ = huber_7.covariances(-1.0, 0.5, 4)
    for name, value in (("x", xx.mean() / 2), ("y", yy.mean() / 2)):
        mean, sem = r.expect[name][1:].mean(), r.sem[name][1:].mean()
        assert abs(mean - value) < 0.01 * value + 4 * sem
        assert abs(1.1 * mean - value) > 0.01 * value + 4 * sem  # control


def test_length_of_an_exponential() -> None:
    s = np.arange(50)
    assert abs(huber_7.length(np.exp(-s / 4.2)) - 4.2) < 1e-3
