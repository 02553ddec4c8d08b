import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact import classical, wavefunctions
from wignerflow.exact.engine import Exact
from wignerflow.exact.jumps import QuantumJumps
from wignerflow.exact.ladder import Basis

# One family-wise error rate for this file: about 300 numbers are compared, many of them correlated.
LIMIT = 4.5


def largest_z(model, t, ops, ntraj, engine=None, reference=None, seed=11, floor=1e-9):
    """Largest deviation from the density matrix in units of the standard error."""
    out = QuantumJumps(engine).solve(model, t, ops, ntraj=ntraj, seed=seed)
    exact = Exact("blocks").solve(reference or model, t, ops)
    z = [
        np.abs(out.expect[k] - exact.expect[k])
        / np.maximum(out.sem[k], floor * (1 + abs(exact.expect[k])))
        for k in ops
    ]
    return float(np.max(z)), out


def laser(N):
    s = wf.Ensemble(N, name="s")
    jumps = [wf.Jump(s.Jm, rate=1.0), wf.LocalJump(s.sp, rate=0.25 * N)]
    return s, wf.Model(jumps=jumps, initial={s: wf.up})


@pytest.mark.parametrize("engine", ["classical", "wavefunctions"])
def test_laser(engine):
    s, model = laser(12)
    z, out = largest_z(
        model, np.linspace(0, 1, 6), {"e": s.Jp * s.Jm, "z": s.Jz, "zz": s.Jz**2}, 1500, engine
    )
    assert z < LIMIT
    assert out.stats["runs"] == engine


def test_both_kinds_make_the_same_runs():
    """The wave function of a diagonal model is one basis state, and draws are used alike."""
    s, model = laser(10)
    t = np.linspace(0, 1, 6)
    a, b = (
        QuantumJumps(k, keep=True).solve(model, t, {"z": s.Jz}, ntraj=50, seed=5)
        for k in ("classical", "wavefunctions")
    )
    np.testing.assert_allclose(a.stats["samples"]["z"], b.stats["samples"]["z"], atol=1e-9)
    assert a.stats["jumps"] == b.stats["jumps"] > 50


def driven(rate=0.8):
    s = wf.Ensemble(8, name="s")
    jumps = [
        wf.Jump(s.Jm + 0.2 * s.Jz, rate=1.0),
        wf.LocalJump(s.sm + 0.4j * s.sz + 0.3, rate=rate),
    ]
    return s, wf.Model(3 * s.Jx + 0.4 * s.Jz**2, jumps, initial={s: wf.bloch_vector(0.3, 0.2, 0.6)})


def test_driven_ensemble_with_mixed_start_and_its_negative_control():
    s, model = driven()
    _, wrong = driven(rate=1.2)
    ops = {"z": s.Jz, "m": s.Jm, "e": s.Jp * s.Jm}
    t = np.linspace(0, 1.5, 6)
    z, out = largest_z(model, t, ops, 3000)
    assert z < LIMIT
    assert out.stats["runs"] == "wavefunctions"
    s2 = wrong.subsystems[0]
    exact = Exact("blocks").solve(wrong, t, {"z": s2.Jz}).expect["z"]
    assert np.max(np.abs(out.expect["z"] - exact)[1:] / out.sem["z"][1:]) > 2 * LIMIT


def test_two_ensembles_stay_in_sectors_of_total_m():
    s = wf.Ensemble(4, name="s", count=2)
    phase = np.exp(0.9j * np.arange(2))
    model = wf.Model(
        wf.couple(s.Jp, wf.Waveguide(0.9), s.Jm),
        [
            wf.Jump((phase * s.Jm).sum(), rate=0.5),
            wf.Jump((phase.conj() * s.Jm).sum(), rate=0.5),
            wf.LocalJump(s.sp, rate=1.0),
        ],
        initial={s: [wf.up, wf.bloch_vector(0, 0, 0.2)]},
    )
    ops = {"z0": s[0].Jz, "z1": s[1].Jz, "g": s[0].Jp * s[1].Jm}
    z, out = largest_z(model, np.linspace(0, 1.5, 5), ops, 1500)
    assert z < LIMIT
    assert out.stats["largest_sector"] == 5


def test_spin_and_mode():
    q, a = wf.Spin(name="q"), wf.Mode(name="a")
    model = wf.Model(
        1.0 * (q.sp * a.a + q.sm * a.adag),
        [wf.Jump(a.a, rate=0.5), wf.Jump(q.sp, rate=0.8)],
        initial={q: wf.bloch(0.6), a: wf.coherent(0.7)},
    )
    ops = {"n": a.n, "z": q.sz, "a": a.a}
    z, out = largest_z(model, np.linspace(0, 3, 5), ops, 800)
    assert z < LIMIT
    assert out.stats["edge"]["a"] < 1e-5


def test_modes_need_no_cutoff_in_a_classical_process():
    a = wf.Mode(name="a")
    model = wf.Model(
        jumps=[wf.Jump(a.a, rate=1.0), wf.Jump(a.adag, rate=0.6)], initial={a: wf.thermal(30.0)}
    )
    out = QuantumJumps().solve(model, np.linspace(0, 2, 3), {"n": a.n}, ntraj=4000, seed=3)
    want = 1.5 + 28.5 * np.exp(-0.4 * np.linspace(0, 2, 3))
    assert out.stats["runs"] == "classical"
    assert np.max(np.abs(out.expect["n"] - want) / out.sem["n"]) < LIMIT


@pytest.mark.parametrize("up", [True, False])
def test_pairs_of_photons_are_added_and_lost_at_the_rates_of_their_states(up):
    """a^+2 |0> and a^2 |3> have squared norms 2 and 6; an emitter lets it happen once."""
    a, q = wf.Mode(name="a"), wf.Spin(name="q")
    op, start, rate = (a.adag**2, 0, 2.0) if up else (a.a**2, 3, 6.0)
    model = wf.Model(jumps=[wf.Jump(q.sm * op, 1.0)], initial={a: wf.fock(start), q: wf.up})
    method = QuantumJumps("classical", keep=True)
    n = method.solve(model, [0, 0.1], {"n": a.n}, ntraj=2000, seed=4).stats["samples"]["n"]
    stayed = np.mean(abs(n[:, 1] - start) < 1)
    want = np.exp(-0.1 * rate)
    assert abs(stayed - want) < LIMIT * np.sqrt(want * (1 - want) / 2000)


def test_draws_of_mixed_product_states():
    s = wf.Ensemble(6, name="s")
    model = wf.Model(initial={s: wf.bloch_vector(0, 0, -0.4)})
    site, rng = Basis(model).sites[0], np.random.default_rng(4)
    draws = np.array([classical.draw(site, rng) for _ in range(8000)])
    p = site.diagonal_start()
    for j in range(4):
        for m in range(7):
            share = np.mean((draws[:, 0] == 3 - j) & (draws[:, 1] == m - 3))
            assert abs(share - p[j, m]) < 5 * np.sqrt(p[j, m] / 8000) + 1e-12


def test_seeds_threads_and_chunks():
    s, model = laser(20)
    t = np.linspace(0, 1, 5)
    runs = [
        QuantumJumps().solve(model, t, {"z": s.Jz}, ntraj=200, seed=seed, threads=threads)
        for seed, threads in ((1, 1), (1, 3), (2, 1), (2**64 - 1, 1))
    ]
    np.testing.assert_array_equal(runs[0].expect["z"], runs[1].expect["z"])
    np.testing.assert_array_equal(runs[0].sem["z"], runs[1].sem["z"])
    assert not np.array_equal(runs[0].expect["z"], runs[2].expect["z"])
    kept = (
        QuantumJumps(keep=True)
        .solve(model, t, {"z": s.Jz}, ntraj=200, seed=1)
        .stats["samples"]["z"]
    )
    np.testing.assert_allclose(kept.mean(axis=0), runs[0].expect["z"], atol=1e-12)
    np.testing.assert_allclose(
        kept.std(axis=0, ddof=1) / np.sqrt(200), runs[0].sem["z"], atol=1e-12
    )


def test_thousands_of_emitters_obey_the_equation_of_motion():
    """d<J_z>/dt = w (N/2 - <J_z>) - <J_+ J_->, integrated over every run."""
    N = 10_000
    s, model = laser(N)
    t = np.linspace(0, 20 / N, 401)
    ops = {"e": s.Jp * s.Jm, "z": s.Jz}
    out = QuantumJumps(keep=True).solve(model, t, ops, ntraj=64, seed=1)
    e, z = out.stats["samples"]["e"], out.stats["samples"]["z"]
    assert out.expect["e"].max() > 0.15 * N**2  # the burst
    gain = np.trapezoid(0.25 * N * (N / 2 - z), t, axis=1)
    for factor, passes in ((1.0, True), (1.02, False)):
        rest = (z[:, -1] - z[:, 0] - gain + factor * np.trapezoid(e, t, axis=1)) / N
        score = abs(rest.mean()) / (rest.std(ddof=1) / 8)
        assert (score < LIMIT) == passes


def test_refusals():
    s, model = driven()
    with pytest.raises(ValueError, match="definite amount"):
        QuantumJumps("classical").solve(model, [0, 1], {"z": s.Jz})
    two = wf.Jump(wf.coef(np.cos) * s.Jm + s.Jp * s.Jm**2, 1.0)
    timed = wf.Model(s.Jz, [two], initial={s: wf.up})
    with pytest.raises(ValueError, match="different functions of time"):
        QuantumJumps("classical").solve(timed, [0, 1], {"z": s.Jz})
    with pytest.raises(ValueError, match="basis states"):
        QuantumJumps(memory=1e4).solve(model, [0, 1], {"z": s.Jz})
    huge = wf.Ensemble(10**12, name="huge")
    for jumps in ([], [wf.LocalJump(huge.sm, 1.0)]):  # before memory is taken
        driven_huge = wf.Model(huge.Jx, jumps, initial={huge: wf.up})
        with pytest.raises(ValueError, match=r"needs [0-9.]+e\+\d+ basis states"):
            QuantumJumps().solve(driven_huge, [0, 1], {"z": huge.Jz})
    with pytest.raises(ValueError, match="ntraj"):
        QuantumJumps().solve(model, [0, 1], {"z": s.Jz}, ntraj=1)
    assert wavefunctions.refuses(model) is None
