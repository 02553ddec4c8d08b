"""Disorder in positions, frequencies, couplings and rates: arrays in place of numbers, no more."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf


def ring(M, rng):
    """Rydberg ring: positions move the 1/d^6 interaction of neighbours, Rabi frequencies vary."""
    s = wf.Spin(name="s", count=M)
    gaps = 1 + 0.1 * rng.uniform(-1, 1, M)
    K = np.zeros((M, M))
    for m in range(M):
        K[m, (m + 1) % M] = K[(m + 1) % M, m] = gaps[m] ** -6.0
    H = (rng.uniform(0.4, 0.6, M) * s.sx).sum() + wf.couple(1 + s.sz, K, 1 + s.sz) / 8
    jumps = [wf.Jump(s.sm, rng.uniform(0.05, 0.1, M)), wf.Jump(s.sz, 0.1)]
    return wf.Model(H, jumps, initial={s: wf.down})


def chain(M, rng):
    """Emitters in free space, with random positions, drives and detunings."""
    s = wf.Spin(name="s", count=M)
    places = 0.2 * np.outer(np.arange(M), [1, 0, 0]) + 0.02 * rng.normal(size=(M, 3))
    J, Gamma = wf.emitters.free_space(places, [0, 0, 1], 1.0)
    H = wf.couple(s.sp, J, s.sm) + (rng.uniform(0.9, 1.1, M) * s.sx).sum()
    H = H + (rng.normal(size=M) * s.sz).sum()
    return wf.Model(H, [wf.Jump(s.sm, rate=Gamma)], initial={s: wf.down})


def central(M, rng, spread=0.5):
    """A central spin with satellites of random splittings, couplings and rates."""
    s, c = wf.Spin(name="s", count=M), wf.Spin(name="c")

    def vary(mean):
        return mean * (1 + spread * rng.uniform(-1, 1, M))

    g, energies = vary(3 / np.sqrt(M)), vary(0.5)
    H = 0.5 * c.sz + (energies * s.sz).sum()
    H = H + c.sp * (g * s.sm).sum() + c.sm * (g * s.sp).sum()
    jumps = [wf.Jump(c.sm, 1.0), wf.Jump(s.sm, vary(0.5)), wf.Jump(s.sp, vary(1.5))]
    return wf.Model(H, jumps, initial={s: wf.up, c: wf.down})


@pytest.mark.parametrize("make", [ring, chain, central])
def test_every_realisation_runs_the_same_kernel(make):
    """No other text, and none that grows with the number of members."""
    first, second = (make(10, np.random.default_rng(k)) for k in (1, 2))
    assert first.H != second.H
    source = first.source()
    assert source == second.source()
    assert len(make(40, np.random.default_rng(3)).source()) - len(source) < 100


def test_ensembles_too():
    def broadened(seed):
        rng = np.random.default_rng(seed)
        atoms = wf.Ensemble(rng.integers(5, 50, 6), name="atoms", count=6)
        H = (rng.normal(size=6) * atoms.Jz).sum()
        jumps = [
            wf.Jump((rng.uniform(0.5, 1, 6) * atoms.Jm).sum(), 1.0),
            wf.LocalJump(atoms.sp, rng.uniform(1, 2, 6)),
        ]
        return wf.Model(H, jumps, initial={atoms: wf.up})

    assert broadened(1).source() == broadened(2).source()


def test_a_disordered_model_is_solved_as_well_as_a_uniform_one():
    """Central spin with four satellites: trajectories follow the exact solution of each model."""
    t = np.linspace(0, 1.5, 7)
    exact = []
    for spread in (0.1, 0.9):
        model = central(4, np.random.default_rng(5), spread)
        c = model.subsystems[1]
        out = wf.compare(
            model, t, e_ops={"z": c.sz}, methods=["exact", "twa"], ntraj=4000, seed=1, dt=0.02,
            progress=False,
        )  # fmt: skip
        exact.append(out["exact"].expect["z"])
        assert out.deviations()["z"]["twa"].value < 0.12
    assert np.abs(exact[0] - exact[1]).max() > 0.2  # disorder matters here
