"""The sign of the phase: a case in which the wrong one exchanges forward and backward emission."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import wignerflow as wf

from .twins import spin_matrices

PHI = 0.7


def exact(S: float, times: np.ndarray, sign: float = 1.0) -> np.ndarray:
    """<L_F^+ L_F>, <L_B^+ L_B>, Im<J_1^+ J_2^->, first spin up and second down; (3, times)."""
    J = spin_matrices(S)
    d = J.shape[-1]
    one = np.eye(d)
    minus = J[0] - 1j * J[1]
    A, B = np.kron(minus, one), np.kron(one, minus)
    forward, backward = A + np.exp(1j * PHI) * B, A + np.exp(-1j * PHI) * B
    H = sign * np.sin(PHI) / 2 * (A.conj().T @ B + B.conj().T @ A)
    gain = [(L, L.conj().T @ L) for L in (forward, backward)]
    effective = H - 0.25j * sum(LL for _, LL in gain)
    rho = np.zeros((d * d, d * d), complex)
    rho[d - 1, d - 1] = 1

    def slope(_, y):
        r = y.reshape(d * d, d * d)
        out = -1j * (effective @ r - r @ effective.conj().T)
        for L, _ in gain:
            out += 0.5 * L @ r @ L.conj().T
        return out.ravel()

    run = solve_ivp(slope, (0, times[-1]), rho.ravel(), t_eval=times, rtol=1e-9, atol=1e-11)
    states = run.y.T.reshape(-1, d * d, d * d)
    values = [np.einsum("tij,ji->t", states, LL) for _, LL in gain]
    values.append(np.einsum("tij,ji->t", states, A.conj().T @ B).imag)
    return np.real(values)


def twa(S: float, times: np.ndarray, phi: float, ntraj: int) -> tuple[np.ndarray, np.ndarray]:
    """The same by trajectories of two ensembles, with standard errors; observables at PHI."""
    pair = wf.Ensemble(round(2 * S), name="pair", count=2)
    H, jumps = wf.waveguide(pair, phi, 1.0)
    phase = np.exp(1j * PHI * np.arange(2))
    F, B = (phase * pair.Jm).sum(), (phase.conj() * pair.Jm).sum()
    e_ops = {"F": F.dag() * F, "B": B.dag() * B, "c": pair[0].Jp * pair[1].Jm}
    model = wf.Model(H, jumps, initial={pair: [wf.up, wf.down]})
    result = wf.solve(model, times, e_ops=e_ops, ntraj=ntraj, seed=8, dt=0.02 / S, progress=False)
    mean = [result.expect["F"], result.expect["B"], result.expect["c"].imag]
    sem = [result.sem["F"], result.sem["B"], result.sem["c"].imag]
    return np.array(mean), np.array(sem)


def test_published_numbers():
    values = exact(1, np.array([0.0, 1.0]))[:, -1]
    assert np.allclose(values, [1.004, 0.108, -0.348], atol=5e-4)
    flipped = exact(1, np.array([0.0, 1.0]), sign=-1)[:, -1]
    assert np.allclose(flipped, [0.108, 1.004, 0.348], atol=5e-4)


@pytest.mark.filterwarnings("ignore:Up to:UserWarning")
def test_two_spins_one_emit_to_the_right_side():
    mean, sem = twa(1, np.array([0.0, 1.0]), PHI, 20_000)
    F, B, c = mean[:, -1]
    assert F > 5 * B and c < -0.2
    # spins this short carry a truncation error of about 0.16: the test is of the sign alone, so
    # every number must lie much closer to its exact value than to that of the flipped phase
    right = np.abs(mean[:, -1] - [1.004, 0.108, -0.348])
    wrong = np.abs(mean[:, -1] - [0.108, 1.004, 0.348])
    assert np.all(right < wrong / 3)
    assert np.all(sem[:, -1] < 0.02)


@pytest.mark.filterwarnings("ignore:Up to:UserWarning")
@pytest.mark.slow
def test_larger_spins_follow_the_exact_solution_and_the_flipped_phase_does_not():
    S = 5.0
    times = np.array([0.0, 0.1, 0.3, 0.6])
    want = exact(S, times)
    mean, sem = twa(S, times, PHI, 20_000)
    # truncation of relative order 1/N, in units of the largest emission
    size = np.abs(want).max()
    assert np.all(np.abs(mean - want) < 4 * sem + 0.03 * size)
    wrong, sem = twa(S, times, -PHI, 20_000)
    assert np.any(np.abs(wrong - want) > 4 * sem + 0.1 * size)
