import re

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact import blocks, cutoffs, ladder, runs
from wignerflow.exact.ladder import Basis
from wignerflow.exact.solution import TooLarge

from ..few import few


def complex_normal(rng, n):
    return rng.normal(size=n) + 1j * rng.normal(size=n)


def random_bloch(rng, pure):
    r = rng.normal(size=3)
    r /= np.linalg.norm(r)
    return wf.bloch_vector(*(r if pure else r * rng.uniform(0.1, 0.95)))


def random_collective(rng, s):
    """A general second-order polynomial in J, not Hermitian."""
    J = [s.Jx, s.Jy, s.Jz]
    c, d = complex_normal(rng, 3), complex_normal(rng, (3, 3))
    linear = sum((c[a] * J[a] for a in range(3)), start=0 * s.Jx)
    return linear + sum(
        (0.3 * d[a, b] * J[a] * J[b] for a in range(3) for b in range(3)), start=0 * s.Jx
    )


def random_local(rng, s):
    c = complex_normal(rng, 4)
    return c[0] + c[1] * s.sx + c[2] * s.sy + c[3] * s.sz


def observables(s):
    return {
        "x": s.Jx, "m": s.Jm, "z": s.Jz, "pm": s.Jp * s.Jm, "mm": s.Jm * s.Jm,
        "xyz": s.Jx * s.Jy * s.Jz, "one": s.Jz * 0 + 1,
    }  # fmt: skip


def assert_same(a, b, atol):
    for name in b:
        np.testing.assert_allclose(a[name], b[name], atol=atol, err_msg=name)


@pytest.mark.parametrize("seed", range(8))
def test_one_random_ensemble_against_brute_force(brute, seed):
    rng = np.random.default_rng(seed)
    s = wf.Ensemble(1 + seed % 4, name="s")
    H = random_collective(rng, s)
    model = wf.Model(
        H + H.dag(),
        [
            wf.Jump(random_collective(rng, s) + 0.4, rate=0.2),
            wf.LocalJump(random_local(rng, s), rate=0.3),
            wf.LocalJump(random_local(rng, s), rate=0.1),
        ],
        initial={s: random_bloch(rng, seed % 2 == 0)},
    )
    t = np.linspace(0, 0.6, 4)
    out = runs.solve("blocks", model, t, observables(s), rtol=1e-10)
    assert_same(out.expect, brute(model).solve(t, observables(s)), 1e-9)
    assert out.stats["trace_error"] < 1e-9


@pytest.mark.parametrize("seed", few(range(4)))
def test_mixed_subsystems_against_brute_force(brute, seed):
    rng = np.random.default_rng(100 + seed)
    s, c = wf.Ensemble(2, name="s"), wf.CollectiveSpin(1, name="c")
    q = wf.Spin(name="q")
    w = complex_normal(rng, 4)
    H = w[0] * s.Jp * c.Jm * q.sz + w[1] * s.Jx * c.Jy**2 + w[2] * q.sp * c.Jz
    L = s.Jm + w[3] * c.Jm + 0.5 * q.sm
    model = wf.Model(
        H + H.dag(),
        [
            wf.Jump(L, rate=0.4),
            wf.Jump(q.sy + 0.2, rate=0.1),
            wf.LocalJump(random_local(rng, s), rate=0.3),
        ],
        initial={
            s: random_bloch(rng, False),
            c: random_bloch(rng, True),
            q: random_bloch(rng, False),
        },
    )
    ops = {"f": L.dag() * L, "c": c.Jx * s.Jy, "q": q.sm, "y": c.Jz * q.sy}
    t = np.linspace(0, 0.5, 3)
    found = runs.solve("blocks", model, t, ops, rtol=1e-10).expect
    assert_same(found, brute(model).solve(t, ops), 1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_ensemble_and_mode_against_brute_force(brute, seed):
    rng = np.random.default_rng(200 + seed)
    s, a = wf.Ensemble(2, name="s"), wf.Mode(name="a", cutoff=4)
    w = complex_normal(rng, 3)
    H = w[0] * s.Jp * a.a + w[1] * s.Jz * a.a + w[2] * a.a + 0.3 * a.n
    model = wf.Model(
        H + H.dag(),
        [wf.Jump(a.a + 0.3 * s.Jm, rate=0.7), wf.LocalJump(random_local(rng, s), rate=0.3)],
        initial={s: random_bloch(rng, False), a: wf.vacuum},
    )
    ops = {"n": a.n, "x": a.adag * s.Jm, "a": a.a, "aa": a.a * a.a, "z": s.Jz}
    t = np.linspace(0, 0.5, 3)
    out = runs.solve("blocks", model, t, ops, rtol=1e-10)
    assert_same(out.expect, brute(model).solve(t, ops), 1e-9)
    assert out.stats["edge"]["a"] > 0


def test_arrays_with_couplings_against_brute_force(brute):
    rng = np.random.default_rng(5)
    chain = wf.Ensemble([1, 2, 1], name="chain", count=3)
    phase = np.exp(0.7j * np.arange(3))
    G = complex_normal(rng, (3, 3))
    model = wf.Model(
        wf.couple(chain.Jp, wf.Waveguide(0.7), chain.Jm) + 0.3 * (phase * chain.Jp).sum()
        + 0.3 * (phase.conj() * chain.Jm).sum(),
        [
            wf.Jump((phase * chain.Jm).sum(), rate=0.5),
            wf.Jump(chain.Jz, rate=G @ G.conj().T / 9),
            wf.LocalJump(chain.sp, rate=[0.2, 0.4, 0.1]),
        ],
        initial={chain: [wf.up, wf.bloch(1.0, 0.4), wf.down]},
    )  # fmt: skip
    ops = {f"z{m}": chain[m].Jz for m in range(3)} | {"g": chain[0].Jp * chain[2].Jm}
    t = np.linspace(0, 1.0, 3)
    out = runs.solve("blocks", model, t, ops, rtol=1e-10)
    assert_same(out.expect, brute(model).solve(t, ops), 1e-9)
    assert out.expect["g"].dtype == np.complex128


def on_waveguide(pair):
    """The first of two up, the phase 0.7 apart: the model, emission to both sides, coherence."""
    phase = np.exp(0.7j * np.arange(2))
    forward, backward = (phase * pair.Jm).sum(), (phase.conj() * pair.Jm).sum()
    model = wf.Model(
        wf.couple(pair.Jp, wf.Waveguide(0.7), pair.Jm),
        [wf.Jump(forward, rate=0.5), wf.Jump(backward, rate=0.5)],
        initial={pair: [wf.up, wf.down]},
    )
    ops = {"f": forward.dag() * forward, "b": backward.dag() * backward}
    return model, ops | {"g": pair[0].Jp * pair[1].Jm}


def test_sign_of_the_phase_of_a_waveguide():
    pair = wf.Ensemble(1, name="pair", count=2)
    model, ops = on_waveguide(pair)
    t = np.linspace(0, 1, 5)
    out = runs.solve("blocks", model, t, ops).expect
    # two independent statements: the excitation's amplitudes obey a 2x2 non-Hermitian equation
    M = -0.5 * np.array([[1, np.exp(0.7j)], [np.exp(0.7j), 1]])
    values, vectors = np.linalg.eig(M)
    amplitude = vectors @ (np.exp(values * 1.0) * np.linalg.solve(vectors, [1, 0]))
    np.testing.assert_allclose(out["g"][-1], amplitude[0].conj() * amplitude[1], atol=1e-8)
    wrong = np.exp(0.7j * np.arange(2)).conj() @ amplitude
    right = np.exp(0.7j * np.arange(2)) @ amplitude
    np.testing.assert_allclose(out["f"][-1], abs(right) ** 2, atol=1e-8)
    assert abs(out["f"][-1] - abs(wrong) ** 2) > 0.1


def test_forward_and_backward_emission_of_two_spins_one():
    pair = wf.CollectiveSpin(1, name="pair", count=2)
    model, ops = on_waveguide(pair)
    out = runs.solve("blocks", model, np.array([0, 1.0]), ops).expect
    assert abs(out["f"][1] - 1.004) < 5e-4
    assert abs(out["b"][1] - 0.108) < 5e-4
    assert abs(out["g"][1].imag + 0.348) < 5e-4


def test_conserved_quantities_are_found():
    s = wf.Ensemble(20, name="s", count=2)
    model = wf.Model(
        wf.couple(s.Jp, wf.AllToAll(), s.Jm),
        [wf.Jump(s.Jm.sum(), rate=1.0), wf.LocalJump(s.sp, rate=5.0)],
        initial={s: wf.up},
    )
    system = blocks.BlockSystem(model, {"z": s[0].Jz})
    total_m = 0  # elements |M1 M2><M1' M2'| with M1 + M2 = M1' + M2', half of them by Hermiticity
    for a in range(0, 21, 2):
        for b in range(0, 21, 2):
            count = np.convolve(np.ones(a + 1), np.ones(b + 1))
            total_m += np.sum(count * (count + 1) / 2)
    assert system.size <= 2 * total_m
    driven = wf.Model(0.3 * (s[0].Jp + s[0].Jm), initial={s: wf.down})
    assert blocks.BlockSystem(driven, {"z": s[0].Jz}).size == 21 * 22 // 2  # one J, fixed phases


def test_only_what_observables_need_is_evolved():
    s = wf.Ensemble(30, name="s")
    model = wf.Model(jumps=[wf.Jump(s.Jm, rate=1.0)], initial={s: wf.bloch(1.0, 0.3)})
    out = runs.solve("blocks", model, np.linspace(0, 0.1, 3), {"z": s.Jz})
    assert out.stats["components"] == 31 < out.stats["reached"]


def test_memory_is_refused_beforehand():
    s = wf.Ensemble(60, name="s", count=2)
    model = wf.Model(s[0].Jx * s[1].Jx + s[0].Jy, initial={s: wf.bloch(0.3, 0.4)})
    with pytest.raises(TooLarge, match=r"needs at least .* GB.*QuantumJumps"):
        runs.solve("blocks", model, np.linspace(0, 1, 3), {"z": s[0].Jz}, memory=1e8)


def test_cutoff_of_a_mode_is_chosen_and_checked():
    a = wf.Mode(name="a")
    model = wf.Model(1.5 * (a.a + a.adag), [wf.Jump(a.a, rate=1.0)], initial={a: wf.vacuum})
    t = np.linspace(0, 4, 5)
    out = runs.solve("blocks", model, t, {"n": a.n, "a": a.a})
    np.testing.assert_allclose(out.expect["a"], -3j * (1 - np.exp(-t / 2)), atol=1e-5)
    np.testing.assert_allclose(out.expect["n"], 9 * (1 - np.exp(-t / 2)) ** 2, atol=1e-5)
    assert out.stats["cutoffs"]["a"] > 15
    assert out.stats["edge"]["a"] < cutoffs.EDGE


def test_fock_and_thermal_states():
    a, b = wf.Mode(name="a"), wf.Mode(name="b")
    model = wf.Model(jumps=[wf.Jump(a.a, rate=1.0)], initial={a: wf.fock(4), b: wf.thermal(0.5)})
    t = np.linspace(0, 1, 3)
    out = runs.solve("blocks", model, t, {"n": a.n, "b": b.n}).expect
    np.testing.assert_allclose(out["n"], 4 * np.exp(-t), atol=1e-7)
    np.testing.assert_allclose(out["b"], 0.5, atol=1e-5)


def test_levels_and_unknown_kinds_have_no_basis(monkeypatch):
    atoms, q = wf.Levels(2, 3, name="atoms"), wf.Spin(name="q")
    with pytest.raises(ValueError, match="'atoms' are emitters with levels"):
        Basis(wf.Model(initial={atoms: wf.level("0"), q: wf.up}))
    model = wf.Model(initial={q: wf.up})
    monkeypatch.setattr(ladder, "KINDS", ("mode",))
    with pytest.raises(ValueError, match="of the kind of 'q'"):
        Basis(model)


def test_very_large_models_are_refused_at_once():
    chain = wf.Ensemble(20, name="chain", count=12)
    model = wf.Model(jumps=[wf.Jump(chain.Jm.sum(), rate=1.0)], initial={chain: wf.up})
    with pytest.raises(TooLarge, match="GB"):
        runs.solve("blocks", model, np.linspace(0, 1, 3), {"z": chain[0].Jz})
    s = wf.Ensemble(20_000, name="s")
    with pytest.raises(TooLarge, match="GB"):
        runs.solve("blocks", wf.Model(s.Jx, initial={s: wf.up}), np.linspace(0, 1, 3), {"z": s.Jz})


@pytest.mark.parametrize("state", [wf.up, wf.bloch(0.3, 0.4), wf.bloch_vector(0.1, 0.2, 0.3)])
def test_the_memory_of_single_sites_is_told_before_it_is_taken(state):
    """Some tables over (J, M); of superpositions some copies of rho_J too, of one J or of all."""
    s, a = wf.Ensemble(400, name="s"), wf.Mode(name="a", cutoff=300)
    alone = state is wf.up
    model = wf.Model(s.Jz, initial={s: state} if alone else {s: state, a: wf.vacuum})
    with pytest.raises(TooLarge, match="GB") as told:
        blocks.check_sites(Basis(model), 1e6)
    found = 1e9 * float(re.search(r"at least (\S+) GB", str(told.value))[1])
    sizes = np.arange(401, 0, -2.0)
    if alone:
        tables, copies = 8 * 201 * 401, 0
    else:
        tables = 8 * (201 * 401 + 300)
        copies = 16 * (300**2 + (sizes[0] ** 2 if state.is_pure else (sizes**2).sum()))
    assert 2 * (tables + copies) < found < 13 * tables + 5 * copies
    blocks.check_sites(Basis(model), 1.01 * found)


def test_rates_must_stay_non_negative():
    s = wf.Ensemble(2, name="s")
    model = wf.Model(jumps=[wf.Jump(s.Jm, rate=wf.coef(np.cos))], initial={s: wf.up})
    with pytest.raises(ValueError, match="non-negative at all times"):
        runs.solve("blocks", model, np.linspace(0, 3, 4), {"z": s.Jz})
