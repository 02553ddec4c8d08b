import re

import numpy as np
import pytest
from scipy.stats import poisson

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


@pytest.mark.parametrize("seed", range(4))
def test_random_diagonal_models_against_brute_force_and_blocks(brute, seed):
    rng = np.random.default_rng(seed)
    s = wf.Ensemble(2 + seed % 3, name="s")
    rate = rng.uniform(0.1, 1, 6)
    c = rng.normal(size=2) + 1j * rng.normal(size=2)
    jumps = [
        wf.Jump(s.Jm + c[0] * s.Jm * s.Jz, rate=rate[0]),
        wf.Jump(s.Jp * s.Jp, rate=rate[1]),
        wf.Jump(s.Jz + 0.3, rate=rate[2]),
        wf.LocalJump(c[1] * s.sp, rate=rate[3]),
        wf.LocalJump(s.sm, rate=rate[4]),
        wf.LocalJump(s.sz + 0.5j, rate=rate[5]),
    ]
    model = wf.Model(0.4 * s.Jz**2 + s.Jz, jumps, initial={s: wf.bloch_vector(0, 0, -0.3)})
    f = wf.coef(np.cos)
    ops = {"z": s.Jz, "zz": s.Jz**2, "e": s.Jp * s.Jm, "c": 1j * s.Jp * s.Jm, "zero": s.Jm}
    t = np.linspace(0, 1, 4)
    assert populations.refuses(model) is None
    out = Exact().solve(model, t, {**ops, "timed": f * s.Jz + s.Jz**2})
    assert out.stats["engine"] == "populations"
    full = brute(model).solve(t, ops)
    other = Exact("blocks", rtol=1e-11).solve(model, t, ops)
    assert other.stats["engine"] == "blocks"
    for name in ops:
        np.testing.assert_allclose(out.expect[name], full[name], atol=1e-9)
        np.testing.assert_allclose(out.expect[name], other.expect[name], atol=1e-9)
    timed = np.cos(t) * out.expect["z"] + out.expect["zz"]
    np.testing.assert_allclose(out.expect["timed"], timed, atol=1e-12)


def test_weights_of_numbers_of_jumps_are_those_of_poisson():
    for x in (0.0, 0.3, 25.0, 4000.0):
        first, weights = populations._poisson(x, 10**6)
        k = first + np.arange(weights.size)
        np.testing.assert_allclose(weights, poisson.pmf(k, x), rtol=1e-9, atol=1e-300)
        assert abs(1 - weights.sum()) < 1e-12 and weights.size < 40 * np.sqrt(x) + 100
    assert populations._poisson(25.0, 20)[1].size == 20  # none behind the last step


def test_windows_hold_all_that_is_not_zero():
    p = np.array([[0, 0, 0.2, 0, 0.1, 0], [0, 0, 0, 0, 0, 0], [0.3, 0, 0, 0, 0, 0.4]])
    lo, hi = populations._windows(p)
    assert lo.tolist() == [2, 0, 0] and hi.tolist() == [5, 0, 6]


def test_long_times_and_many_segments():
    """60,000 sweeps in three segments end in the same state as one sparse solve."""
    atoms, model = laser(40)
    t = np.array([0, 1.0, 60.0, 90.0])
    out = Exact().solve(model, t, {"z": atoms.Jz})
    want = Exact().steady_state(model, {"z": atoms.Jz}).expect["z"]
    np.testing.assert_allclose(out.expect["z"][2:], want, rtol=1e-9)
    slow = wf.Model(
        jumps=[wf.LocalJump(atoms.sm, rate=1.0), wf.Jump(atoms.Jz, rate=1e3)],
        initial={atoms: wf.up},
    )
    fast = Exact().solve(slow, np.linspace(0, 4, 9), {"z": atoms.Jz}).expect["z"]
    np.testing.assert_allclose(fast, 20 * (2 * np.exp(-np.linspace(0, 4, 9)) - 1), atol=1e-7)


@pytest.mark.parametrize("start", [wf.up, wf.down])
def test_what_is_cut_off_is_what_is_missing(start):
    """At either end of the window: emitters that all start up go down, and the other way round."""
    atoms = wf.Ensemble(60, name="atoms")
    op = atoms.sm if start is wf.up else atoms.sp
    r = populations.rates(wf.Model(jumps=[wf.LocalJump(op, 1.0)], initial={atoms: start}))
    _, p, stats = populations.evolve(r, np.array([0, 0.5, 1.0]), np.zeros((0, *r.start.shape)))
    assert 1e-13 < 1 - p.sum() <= stats["lost"] + 1e-14 < 1e-10


def test_estimates_grow_with_all_that_is_asked_for():
    def told(N=100, end=0.2, times=3, count=1):
        atoms, model = laser(N)
        ops = {f"z{k}": atoms.Jz + k for k in range(count)}
        return model.estimate(np.linspace(0, end, times), e_ops=ops, method=wf.Exact("populations"))

    first = told()
    assert first.bytes > 0 and first.seconds < 1
    for more in ({"N": 200}, {"end": 0.8}, {"count": 9}):
        assert told(**more).seconds > 2 * first.seconds
        assert told(**more).bytes > 2 * first.bytes
    assert told(times=3000).seconds > first.seconds and told(times=3000).bytes > first.bytes


def test_memory_is_refused_beforehand():
    atoms, model = laser(20_000)
    with pytest.raises(ValueError, match=r"need at least .* GB.*QuantumJumps"):
        Exact().solve(model, [0, 1], {"z": atoms.Jz})


@pytest.mark.parametrize("ops", [1, 9])
def test_the_memory_told_is_that_of_its_tables(ops):
    """Rates of one collective jump and of two local ones to three J each, twice; one per mean."""
    atoms, _ = laser(400)
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 1.0), wf.LocalJump(atoms.sm, 1.0)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    named, table = {str(k): atoms.Jz for k in range(ops)}, 8 * 201 * 401
    with pytest.raises(ValueError, match="need at least") as told:
        populations.solve(model, np.array([0, 1.0]), named, memory=1e6)
    tables = 1e9 * float(re.search(r"at least (\S+) GB", str(told.value))[1]) / table
    least = 2 * (1 + 2 * 3) + ops
    assert least < tables < 2 * least
