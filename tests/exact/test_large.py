"""The sizes that the engines are meant for; slow."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact.engine import Exact
from wignerflow.exact.jumps import QuantumJumps

pytestmark = pytest.mark.slow


def test_populations_of_a_thousand_emitters():
    N = 1000
    s = wf.Ensemble(N, name="s")
    model = wf.Model(
        jumps=[wf.Jump(s.Jm, rate=1.0), wf.LocalJump(s.sp, rate=0.25 * N)], initial={s: wf.up}
    )
    t = np.linspace(0, 20 / N, 201)
    ops = {"e": s.Jp * s.Jm, "z": s.Jz, "one": 0 * s.Jz + 1}
    out = Exact().solve(model, t, ops)
    assert np.abs(out.expect["one"] - 1).max() < 1e-9
    jumps = QuantumJumps().solve(model, t, ops, ntraj=2000, seed=2)
    for name in ("e", "z"):
        z = (out.expect[name] - jumps.expect[name])[1:] / jumps.sem[name][1:]
        assert np.abs(z).max() < 5


def test_boundary_time_crystal_of_fifty_emitters():
    N = 50
    s = wf.Ensemble(N, name="s")
    jumps = [wf.Jump(s.Jm, rate=1.0), wf.LocalJump(s.sm, rate=0.2 * N)]
    model = wf.Model(N * (s.Jp + s.Jm), jumps, initial={s: wf.down})
    t = np.linspace(0, 30 / N, 61)
    ops = {"z": s.Jz, "y": s.Jy, "e": s.Jp * s.Jm}
    out, fine = (Exact(rtol=r).solve(model, t, ops) for r in (1e-6, 1e-11))
    runs = QuantumJumps().solve(model, t, ops, ntraj=1000, seed=2)
    for name in ops:
        np.testing.assert_allclose(out.expect[name], fine.expect[name], atol=1e-6 * N**2)
        z = (fine.expect[name] - runs.expect[name])[1:] / runs.sem[name][1:]
        assert np.abs(z).max() < 5


def test_two_ensembles_of_twenty_on_a_waveguide():
    s = wf.Ensemble(20, name="s", count=2)
    phase = np.exp(0.25j * np.pi * np.arange(2))
    forward, backward = (phase * s.Jm).sum(), (phase.conj() * s.Jm).sum()
    model = wf.Model(
        wf.couple(s.Jp, wf.Waveguide(np.pi / 4), s.Jm),
        [
            wf.Jump(forward, rate=0.5),
            wf.Jump(backward, rate=0.5),
            wf.LocalJump(s.sp, rate=10.0),
        ],
        initial={s: wf.up},
    )
    ops = {"f": forward.dag() * forward, "z": s[0].Jz}
    t = np.linspace(0, 0.5, 11)
    out = Exact(rtol=1e-7).solve(model, t, ops)
    runs = QuantumJumps().solve(model, t, ops, ntraj=1000, seed=2)
    assert runs.stats["largest_sector"] == 21
    for name in ops:
        z = (out.expect[name] - runs.expect[name])[1:] / runs.sem[name][1:]
        assert np.abs(z).max() < 4.5
