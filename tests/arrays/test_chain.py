"""Pumped chains on a waveguide: signs and numbers against exact density matrices."""

import warnings

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.figures.ruks import chain_model, directions, emissions

PHI = 0.7


def run(model, times, e_ops, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return wf.solve(model, times, e_ops=e_ops, progress=False, **options)


def up_and_down(N, sign=1.0):
    """Ensemble 0 up, 1 down, no pump: light travels, so that the sign of phi shows."""
    chain = wf.Ensemble(N, count=2, name="chain")
    H, jumps = wf.waveguide(chain, PHI, 1.0)
    model = wf.Model(sign * H, jumps, initial={chain: [wf.up, wf.down]})
    forward, backward = directions(chain, PHI)
    e_ops = {
        "F": forward.dag() * forward,
        "B": backward.dag() * backward,
        "g": wf.Coherence(chain.Jm, pairs=[(0, 1)]),
        "z": chain.Jz,
    }
    return model, e_ops


def test_direction_of_the_light_exactly():
    """Two ensembles of two at Gamma t = 1; a wrong sign of phi exchanges both numbers."""
    model, e_ops = up_and_down(2)
    exact = run(model, [0, 1.0], e_ops, method="exact")
    assert exact.expect["F"][-1] == pytest.approx(1.004, abs=1e-3)
    assert exact.expect["B"][-1] == pytest.approx(0.108, abs=1e-3)
    mirrored, other = up_and_down(2, sign=-1.0)
    wrong = run(mirrored, [0, 1.0], other, method="exact")
    assert wrong.expect["F"][-1] == pytest.approx(0.108, abs=1e-3)  # control: they change places


def test_direction_of_the_light_in_the_twa():
    """N = 20: within 4 standard errors and a truncation error of 0.2 % of N_tot^2; -phi is not."""
    times = np.linspace(0, 0.3, 7)
    model, e_ops = up_and_down(20)
    exact = run(model, times, e_ops, method="exact")
    twa = run(model, times, e_ops, ntraj=10_000, seed=5, dt=2e-3)
    mirrored, other = up_and_down(20, sign=-1.0)
    flipped = run(mirrored, times, other, ntraj=10_000, seed=5, dt=2e-3)
    for name in ("F", "B"):
        bound = 4 * twa.sem[name] + 0.002 * 40**2
        assert np.all(np.abs(twa.expect[name] - exact.expect[name]) < bound), name
        bound = 4 * flipped.sem[name] + 0.002 * 40**2
        assert np.any(np.abs(flipped.expect[name] - exact.expect[name]) > bound), name


@pytest.mark.slow
def test_pumped_pair_against_exact():
    """Ruks, Fig. 3(b) at N = 10, a size that takes no time."""
    times = np.linspace(0, 1, 21)
    chain, model = chain_model(2, 10, np.pi / 4, 10.0)
    e_ops = {"F": emissions(chain, np.pi / 4)[0]}
    exact = run(model, times, e_ops, method="exact").expect["F"]
    twa = run(model, times, e_ops, ntraj=20_000, seed=5, dt=2e-3)
    assert np.all(np.abs(twa.expect["F"] - exact) < 0.0015 + 4 * twa.sem["F"])
    weak, weaker = chain_model(2, 10, np.pi / 4, 9.0)
    ops = {"F": emissions(weak, np.pi / 4)[0]}
    other = run(weaker, times, ops, ntraj=20_000, seed=5, dt=2e-3)
    assert np.any(np.abs(other.expect["F"] - exact) > 0.0015 + 4 * other.sem["F"])  # control


def test_a_forward_drive_feeds_the_forward_jump():
    """And the paper's phase feeds the backward one (see ``figures/ruks_4d.py``)."""
    fractions = []
    for sign in (1, -1):
        M, N, phi, pump = 20, 250, np.pi / 2, 50.0
        chain, driven = chain_model(M, N, phi, pump)
        turn = np.exp(-1j * sign * phi * np.arange(M))
        drive = (turn * chain.Jp).sum() + (turn.conj() * chain.Jm).sum()
        model = wf.Model(driven.H + 0.4 * pump * drive, driven.jumps, initial={chain: wf.down})
        forward, backward = emissions(chain, phi)
        e_ops = {"share": wf.Ratio(forward, forward + backward)}
        result = run(model, [0, 1.0], e_ops, ntraj=256, seed=5, dt=1 / (M * N))
        fractions.append((result.expect["share"][-1], result.sem["share"][-1]))
    (forward, one), (backward, two) = fractions
    assert forward - 4 * one > 0.5 > backward + 4 * two
