"""Fock states of modes: chosen, certified at all times and strides, refused or warned about."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.linalg import expm

import wignerflow as wf
from wignerflow.exact import blocks, cutoffs, runs
from wignerflow.exact.solution import TooLarge

a = wf.Mode(name="a")


def pulse():
    """Driven to alpha = -3i and then left to decay: empty again at the end."""
    drive = wf.coef([3, 3, 0, 0], TIMES)
    return wf.Model(drive * (a.a + a.adag), [wf.Jump(a.a, rate=0.5)], initial={a: wf.vacuum})


TIMES = [0, 1, 1.001, 60]


@pytest.mark.slow
def test_population_between_outputs_counts(monkeypatch):
    """n at the end follows from n at t = 1, which no output shows."""
    t = np.array([0.0, 24.0])
    peak = abs(wf.solve(pulse(), [0, 1.0, 1.001], e_ops=[a.a], method="exact").expect["a.a"][2])
    out = wf.solve(pulse(), t, e_ops={"n": a.n}, method="exact")
    want = peak**2 * np.exp(-0.5 * (24.0 - 1.001))
    np.testing.assert_allclose(out.expect["n"][1], want, rtol=1e-5)
    assert out.stats["cutoffs"]["a"] > 20 and out.stats["edge"]["a"] < cutoffs.EDGE
    monkeypatch.setattr(runs, "LOOKS", 2)  # negative control: the ends alone
    blind = wf.solve(pulse(), t, e_ops={"n": a.n}, method="exact")
    assert blind.stats["cutoffs"]["a"] == 8 and abs(blind.expect["n"][1] / want - 1) > 0.05


def test_no_process_steps_over_the_edge(monkeypatch):
    """a^4 leads from the vacuum to 4, 8, 12, …, and never to the two highest of 8 states."""
    model = wf.Model(0.01 * (a.a**4 + a.adag**4), initial={a: wf.vacuum})
    t, ops = np.array([0.0, 1.0]), {"n": a.n}
    wide = wf.Mode(name="wide", cutoff=60)
    same = wf.Model(0.01 * (wide.a**4 + wide.adag**4), initial={wide: wf.vacuum})
    want = wf.solve(same, t, e_ops={"n": wide.n}, method="exact").expect["n"][1]
    out = wf.solve(model, t, e_ops=ops, method="exact")
    np.testing.assert_allclose(out.expect["n"][1], want, atol=1e-5)
    monkeypatch.setattr(
        blocks, "strides", lambda model, number: dict.fromkeys(cutoffs.strides(model, number), 2)
    )
    narrow = wf.solve(model, t, e_ops=ops, method="exact")
    assert narrow.stats["edge"]["a"] == 0 and abs(narrow.expect["n"][1] / want - 1) > 0.02


@pytest.mark.parametrize("method", ["exact", "jumps"])
def test_a_growing_photon_number_gets_more_states(method):
    model = wf.Model(20 * (a.a + a.adag), [wf.Jump(a.a, rate=1.0)], initial={a: wf.vacuum})
    t = np.linspace(0, 0.4, 3)
    out = wf.solve(model, t, e_ops={"n": a.n}, method=method, ntraj=16, seed=1, progress=False)
    want = (40 * (1 - np.exp(-t / 2))) ** 2
    np.testing.assert_allclose(out.expect["n"], want, rtol=1e-4)
    assert out.stats["cutoffs"]["a"] > want[-1] and out.stats["edge"]["a"] < 1e-6
    assert not out.stats["warnings"]


def test_what_cannot_be_certified_is_refused():
    unstable = wf.Model(a.a**2 + a.adag**2, [wf.Jump(a.adag, rate=1.0)], initial={a: wf.vacuum})
    t = np.array([0.0, 20.0])
    with pytest.raises(TooLarge, match=r"cutoff of mode 'a' cannot be certified: with .* Fock"):
        wf.Exact(memory=1e7).solve(unstable, t, {"n": a.n})
    with pytest.raises(TooLarge, match="cannot be certified"):
        wf.Exact(memory=1e7).steady_state(unstable, {"n": a.n})


@pytest.mark.parametrize("method", ["exact", "jumps"])
def test_a_cutoff_given_too_small_is_warned_about(method):
    small = wf.Mode(name="small", cutoff=4)
    model = wf.Model(small.a + small.adag, initial={small: wf.vacuum})
    with pytest.warns(UserWarning, match="4 Fock states of mode 'small' hold"):
        out = wf.solve(
            model, [0, 1.0], e_ops=[small.n], method=method, ntraj=4, seed=1, progress=False
        )
    assert out.stats["edge"]["small"] > 0.1 and out.stats["warnings"]


def test_rare_runs_with_many_photons_are_run_again():
    """The pilot of eight runs sees the one run in fifty that drives the mode at best by chance."""
    spin = wf.Spin(name="spin")
    z = -0.96
    model = wf.Model(
        3 * (1 + spin.sz) * (a.a + a.adag), initial={spin: wf.bloch_vector(0, 0, z), a: wf.vacuum}
    )
    t = np.array([0.0, 0.5])
    out = wf.solve(
        model, t, e_ops={"n": a.n}, method=wf.QuantumJumps("wavefunctions"), ntraj=400, seed=3,
        progress=False,
    )  # fmt: skip
    up = (1 + z) / 2
    assert abs(out.expect["n"][1] - 9 * up) < 4 * out.sem["n"][1]
    assert abs(out.expect["n"][1] / 9 * 400 - round(out.expect["n"][1] / 9 * 400)) < 1e-3
    assert out.stats["cutoffs"]["a"] > 20


@pytest.mark.parametrize("seed", range(12))
def test_a_small_cutoff_states_what_it_loses(seed):
    """Random Kerr modes with 4 to 11 Fock states: the true error stays below the stated one."""
    rng = np.random.default_rng(seed)
    few = wf.Mode(name="few", cutoff=int(rng.integers(5, 12)))
    p, start, t = rng.uniform(0, 1, 6), wf.coherent(0.6 * rng.normal()), np.linspace(0, 3, 7)
    found = {}
    for m in (a, few):
        H = p[0] * m.n + 0.6 * p[1] * (m.a + m.adag) + 0.3 * p[2] * (m.a**2 + m.adag**2)
        H = H + 0.3 * p[3] * m.n * m.n
        jumps = [wf.Jump(m.a, 0.3 + p[4]), wf.Jump(m.n, 0.3 * p[5])]
        model = wf.Model(H, jumps, initial={m: start})
        ops = {"n": m.n, "x": m.a + m.adag, "nn": m.n * m.n}
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            found[m] = wf.solve(model, t, e_ops=ops, method="exact", truncation=True)
    wide, narrow = found[a], found[few]
    for name in ("n", "x", "nn"):
        error = np.abs(wide.expect[name] - narrow.expect[name]).max()
        stated = narrow.truncation[name].max()
        assert error < 2 * stated + 1e-6
        size = np.abs(wide.expect[name]).max()
        assert wide.truncation[name].max() < 1e-3 * max(size, 1.0)
        if error > 3e-4 * size:
            assert any("raise its `cutoff`" in str(w.message) for w in heard)


@pytest.mark.parametrize("engine", ["blocks", "occupations"])
def test_a_narrow_cutoff_of_the_user_stops_no_run(engine: str) -> None:
    """A mode beside it, whose cutoff is chosen, goes on as alone; the narrow one is warned of."""
    narrow, free = wf.Mode(name="narrow", cutoff=4), wf.Mode(name="free")
    t = np.linspace(0, 6, 7)

    def photons(*modes: wf.Mode) -> wf.Result:
        parts = [0.3 * (m.a + m.adag) for m in modes]
        if narrow in modes:
            parts.append(0.7 * (narrow.a + narrow.adag))
        jumps = [wf.Jump(m.a, 1.0) for m in modes]
        model = wf.Model(sum(parts[1:], parts[0]), jumps, initial=dict.fromkeys(modes, wf.vacuum))
        method = wf.Exact(engine)
        return wf.solve(model, t, e_ops={"n": free.n}, method=method, progress=False)

    with pytest.warns(UserWarning, match="raise its `cutoff`"):
        both = photons(narrow, free)
    assert both.stats["edge"]["narrow"] > 1e-3
    assert np.abs(both.expect["n"] - photons(free).expect["n"]).max() < 1e-6


def closed_pair():
    """Two modes with few states each, under H alone; a^3 is the longest stride of one."""
    one, two = wf.Mode(name="one", cutoff=5), wf.Mode(name="two", cutoff=4)
    H = 0.8 * (one.a + one.adag) + 0.9 * (one.adag * two.a + one.a * two.adag)
    H = H + 0.2 * (one.a**3 + one.adag**3)
    model = wf.Model(H, initial={one: wf.vacuum, two: wf.vacuum})
    return model, {"n": one.n, "timed": wf.coef(np.cos) * two.n + one.n}


@pytest.mark.parametrize("method", ["blocks", "occupations", "jumps"])
def test_the_population_at_an_edge_is_that_of_its_highest_states(brute, method):
    """As many as the longest stride, two at least; the largest at any time that is looked at."""
    model, ops = closed_pair()
    times = np.array([0.1, 0.5, 1.2])
    looks = times if method == "jumps" else np.union1d(times, np.linspace(0.1, 1.2, runs.LOOKS))
    engine = wf.QuantumJumps() if method == "jumps" else wf.Exact(method)
    given = {"ntraj": 2, "seed": 1} if method == "jumps" else {}
    out = engine.solve(model, times, ops, **given)
    full = brute(model)
    states = [expm(-1j * (t - 0.1) * full.matrix(model.H))[:, 0] for t in looks]
    n = np.indices((5, 4)).reshape(2, -1)
    for k, (name, width) in enumerate({"one": 3, "two": 2}.items()):
        top = n[k] >= n[k].max() + 1 - width
        want = max(np.sum(np.abs(psi[top]) ** 2) for psi in states)
        assert out.stats["edge"][name] == pytest.approx(want, abs=1e-7) and want > 1e-3
    assert out.stats["cutoffs"] == {"one": 5, "two": 4} and len(out.stats["warnings"]) == 2
    psi = states[-1]
    both = np.abs(psi) ** 2 @ n.T
    assert out.expect["n"][-1] == pytest.approx(both[0], abs=1e-7)
    assert out.expect["timed"][-1] == pytest.approx(np.cos(1.2) * both[1] + both[0], abs=1e-7)
