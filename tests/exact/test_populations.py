import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact import populations
from wignerflow.exact.engine import Exact


def laser(N, pump=0.25, initial=wf.up):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=pump * N)]
    return atoms, wf.Model(jumps=jumps, initial={atoms: initial})


def test_free_decay_of_independent_emitters():
    atoms = wf.Ensemble(30, name="atoms")
    model = wf.Model(
        jumps=[wf.LocalJump(atoms.sm, rate=0.7)], initial={atoms: wf.bloch_vector(0, 0, 0.4)}
    )
    t = np.linspace(0, 4, 21)
    e = (
        Exact()
        .solve(model, t, {"z": atoms.Jz, "zz": atoms.Jz**2, "casimir": atoms.Jp * atoms.Jm})
        .expect
    )
    z = -1 + 1.4 * np.exp(-0.7 * t)
    assert e["z"].dtype == np.float64
    np.testing.assert_allclose(e["z"], 15 * z, atol=1e-8)
    np.testing.assert_allclose(e["zz"], (30 + 30 * 29 * z**2) / 4, atol=1e-7)
    np.testing.assert_allclose(e["casimir"], 15 * (1 + z), atol=1e-7)


@pytest.mark.parametrize(("N", "peak"), [(10, 0.210), (25, 0.178), (100, 0.165)])
def test_superradiant_laser_peaks(N, peak):
    atoms, model = laser(N)
    out = Exact().solve(model, np.linspace(0, 20 / N, 201), {"emission": atoms.Jp * atoms.Jm})
    assert abs(out.expect["emission"].max() / N**2 - peak) < 5e-4
    assert out.stats["engine"] == "populations"


def test_two_emitters_decay_collectively():
    pair = wf.CollectiveSpin(1, name="pair")
    model = wf.Model(jumps=[wf.Jump(pair.Jm, rate=1.0)], initial={pair: wf.up})
    t = np.linspace(0, 3, 13)
    out = Exact().solve(model, t, {"n": pair.Jz + 1, "one": pair.Jz * 0 + 1, "m": pair.Jm})
    np.testing.assert_allclose(out.expect["n"], (2 + 2 * t) * np.exp(-2 * t), atol=1e-9)
    np.testing.assert_allclose(out.expect["one"], 1, atol=1e-10)
    assert out.expect["m"].dtype == np.complex128


def test_a_wrong_rate_is_seen():
    _, model = laser(10)
    _, wrong = laser(10, pump=0.2502)
    t = np.linspace(0, 2, 11)
    a, b = (Exact().solve(m, t, {"z": m.subsystems[0].Jz}).expect["z"] for m in (model, wrong))
    assert np.abs(a - b).max() > 1e-5


def test_refusals_name_the_reason():
    atoms = wf.Ensemble(4, name="atoms")
    driven = wf.Model(atoms.Jx, initial={atoms: wf.up})
    assert "Hamiltonian" in populations.refuses(driven)
    mixed = wf.Model(jumps=[wf.LocalJump(atoms.sx, rate=1.0)], initial={atoms: wf.up})
    assert "definite" in populations.refuses(mixed)
    tilted = wf.Model(jumps=[wf.LocalJump(atoms.sm, rate=1.0)], initial={atoms: wf.bloch(1.0)})
    assert "coherences" in populations.refuses(tilted)
    _, model = laser(3)
    with pytest.raises(ValueError, match="increase strictly"):
        Exact().solve(model, [0, 0], {})
    with pytest.raises(TypeError, match="operator"):
        Exact().solve(model, [0, 1], {"a": 3})
