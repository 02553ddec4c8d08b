"""Every approximate result states its own error, and warns where that is large."""

from __future__ import annotations

import dataclasses
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

import wignerflow as wf
from wignerflow.analysis import truncations
from wignerflow.analysis.steady_value import asked
from wignerflow.atlas import entries, figures, quick, rows
from wignerflow.atlas.page import summary, text, write
from wignerflow.compiler import build
from wignerflow.compiler.loops import Loop
from wignerflow.estimate import TooLong, check_time, within
from wignerflow.exact import populations, propagate, reach
from wignerflow.result.accuracy import apart, inaccurate, scale
from wignerflow.solving import orders, sizes, truncation
from wignerflow.solving.problem import length, read_problem
from wignerflow.solving.provenance import read_call, write_call
from wignerflow.solving.smaller import Shorter, parted, shrunk

from .few import few


def parametric(e, pairs=0.1):
    a = wf.Mode(name="a")
    H = 0.5j * e * (a.adag * a.adag - a.a * a.a)
    jumps = [wf.Jump(a.a, 1.0), wf.Jump(a.a * a.a, pairs)]
    return a, wf.Model(H, jumps, initial={a: wf.vacuum})


def flat_ladder(S=10):
    e = wf.CollectiveSpin(S, name="e")
    jumps = [wf.Jump(e.Jm, 0.05), wf.Jump(e.Jp, 0.05)]
    return e, wf.Model(jumps=jumps, initial={e: wf.down})


def test_cumulants_above_threshold_warn_and_state_their_error():
    a, model = parametric(1.0)
    with pytest.warns(wf.AccuracyWarning, match="'n' at t = 20"):
        found = wf.solve(model, [0, 10, 20.0], e_ops={"n": a.n}, method="cumulant", truncation=True)
    right = 4.658
    assert abs(found.expect["n"][-1] - 1.911) < 0.01
    assert abs(found.truncation["n"][-1] - (right - found.expect["n"][-1])) < 0.02
    assert "truncation 3" in repr(found)
    assert any("beyond its sampling error" in w for w in found.stats["warnings"])


def test_cumulants_on_a_flat_ladder_warn():
    e, model = flat_ladder()
    ops = {"g2": wf.g2(e.Jm)}
    with pytest.warns(wf.AccuracyWarning, match="'g2'"):
        found = wf.solve(model, [0, 40.0], e_ops=ops, method="cumulant", truncation=True)
    assert abs(found.truncation["g2"][-1] - (1.995 - 1.1918)) < 0.01


def test_good_answers_do_not_warn():
    e = wf.Ensemble(6, name="e")
    model = wf.Model(0.5 * e.Jx, [wf.LocalJump(e.sm, 0.3)], initial={e: wf.up})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = wf.solve(model, [0, 1, 2.0], e_ops={"z": e.Jz}, method="cumulant", truncation=True)
    assert np.all(found.truncation["z"] < 1e-5)


@pytest.mark.parametrize("method", ["exact", "jumps"])
def test_exact_methods_state_zero(method):
    e, model = flat_ladder(2)
    found = wf.solve(
        model, [0, 1.0], e_ops={"z": e.Jz}, method=method, ntraj=64, seed=1, truncation=True
    )
    assert np.all(found.truncation["z"] == 0)


def test_it_can_be_left_out():
    a, model = parametric(1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = wf.solve(model, [0, 20.0], e_ops={"n": a.n}, method="cumulant", truncation=False)
    assert np.all(np.isnan(found.truncation["n"]))
    assert "truncation" not in repr(found)
    with pytest.raises(ValueError, match="truncation"):
        wf.solve(model, [0, 20.0], e_ops={"n": a.n}, method="cumulant", truncation="some")


def test_it_is_kept_in_files_and_datasets(tmp_path):
    a, model = parametric(1.0)
    found = wf.solve(model, [0, 20.0], e_ops={"n": a.n}, method="cumulant", truncation=True)
    found.save(tmp_path / "a.nc")
    again = wf.load(tmp_path / "a.nc")
    assert np.array_equal(again.truncation["n"], found.truncation["n"])
    assert again.stats["truncation"] == "the exact solution"
    data = found.to_xarray()
    assert np.array_equal(data["n_truncation"], found.truncation["n"])


def made(e):
    a, model = parametric(e)
    return model, {"n": a.n}


def test_sweeps_carry_it():
    with pytest.warns(wf.AccuracyWarning, match="1 more runs are off likewise") as heard:
        data = wf.sweep(made, {"e": [0.9, 1.0]}, [0, 20.0], method="cumulant", truncation=True)
    assert sum(w.category is wf.AccuracyWarning for w in heard) == 1  # one per call
    assert data["n_truncation"].values[1, -1] > 2
    assert "beyond its sampling error" in data.attrs["warnings"]


def test_work_that_takes_too_long_is_not_begun():
    a, model = parametric(0.3)
    problem = read_problem(model, [0, 1.0], {"n": a.n})
    assert sizes.exact_means(problem, time.process_time(), False) is None
    assert sizes.exact_means(problem, time.process_time() + 10.0, False) is not None


def test_work_that_takes_longer_than_announced_is_left():
    with pytest.raises(TooLong), within(time.process_time(), False):
        check_time()
    check_time()  # nobody listens


def test_nothing_is_compiled_for_it():
    text = "def run():\n    pass\n"
    with pytest.raises(TooLong), within(np.inf, False):
        build.load(text)


def test_loops_of_exact_engines_are_there_before_an_estimate_begins():
    """A loop that is compiled within it would take its time: other references would be left."""
    sizes.load(*sizes.REFERENCES)
    loops = [x for m in (populations, propagate, reach) for x in vars(m).values()]
    loops = [x for x in loops if isinstance(x, Loop)]
    assert len(loops) == 7
    assert all(x._made for x in loops)


def test_the_rule_of_the_warning():
    t = np.array([0.0, 1.0])
    value = {"a": np.array([1.0, 2.0])}
    assert scale(value["a"]) == 2.0
    small = {"a": np.array([0.0, 0.09])}, {"a": np.array([0.0, 0.11])}
    none, some = {"a": np.zeros(2)}, {"a": np.full(2, 0.05)}
    assert inaccurate(value, none, small[0], t) is None  # below 5 %
    assert "t = 1" in inaccurate(value, none, small[1], t)
    assert inaccurate(value, some, small[1], t) is None  # below 3 sem
    assert inaccurate(value, none, {"a": np.full(2, np.nan)}, t) is None
    nothing = {"a": np.zeros(2)}  # an answer of zero that should not be
    assert inaccurate(nothing, none, small[1], t) is not None


@pytest.mark.slow
def test_clusters_state_their_error_from_larger_ones(monkeypatch):
    from wignerflow.solving import truncation

    chain, near = wf.Spin(name="chain", count=4), wf.NearestNeighbour()
    H = 0.5 * wf.couple(chain.sx, near, chain.sx) + 0.5 * chain.sz.sum()
    model = wf.Model(H, [wf.Jump(chain.sm, 1.0)], initial={chain: wf.down})
    ops, t = {"zz": wf.couple(chain.sz, near, chain.sz) / 6}, np.linspace(0, 3, 7)
    exact = wf.solve(model, t, e_ops=ops, method="exact").expect["zz"]
    monkeypatch.setattr(truncation, "exact_means", lambda *_: None)  # as for many spins
    run = wf.solve(
        model, t, e_ops=ops, method=wf.ClusterTWA(size=1), ntraj=3000, seed=1, dt=0.1,
        truncation="full", progress=False,
    )  # fmt: skip
    assert run.stats["truncation"] == "clusters of 2 instead of 1"
    true, stated = np.abs(run.expect["zz"] - exact).max(), run.truncation["zz"].max()
    assert true > 0.05 and 0.5 * true < stated < 1.5 * true


# ---------------------------------------------------------------- known failures


def entry(name):
    return next(e for e in entries() if e.name == name)


#: Atlas entry, method, observable, time (a number of the output), right value, and what comes out.
KNOWN = [
    ("dephased ground state 20 (phase 0.3)", "twa", "squeezing", -1, 1.0, 1.2, 1.6),
    ("Kerr, free 3 (loss 0)", "twa", "x", -1, -2 * np.sqrt(3), -1.0, 1.0),
    ("Tavis-Cummings 1 (g 2, loss 0.2)", "twa", "z", 3, None, -0.5, 0.5),
    ("Kerr, driven 2 (U 3)", "twa", "n", -1, 0.1, 0.13, 2.0),
    ("parametric oscillator 1 (e 1)", "cumulant", "n", -1, 4.56, 0.5, 2.5),
    ("weakly driven dark state 12 (drive 0.3)", "twa", "z", -1, -1.857, -5.5, -2.2),
    ("thermal ladder 20 (n 1000)", "cumulant", "g2", -1, None, 1.2, 3.0),
    ("pumped into a cavity 4 (pump 0.5)", "cumulant", "n", -1, None, 0.0, 3.0),
    ("burst 40 (phase 0)", "mean-field", "z", 4, None, 19.0, 20.0),
]


@pytest.mark.parametrize(
    ("name", "method", "key", "k", "right", "low", "high"),
    few(KNOWN, [KNOWN[k] for k in (1, 4, 8)]),
)
def test_known_failures_warn(name, method, key, k, right, low, high):
    """Sampled between ``low`` and ``high``; the error that is stated is the true one."""
    found = entry(name)
    model, ops = found.build()
    exact = wf.solve(model, found.times, e_ops=ops, method="exact").expect[key][k]
    if right is not None:
        assert abs(exact - right) < 0.01 * abs(right) + 0.005
    with pytest.warns(wf.AccuracyWarning) as heard:
        result = wf.solve(
            model, found.times, e_ops=ops, method=method, ntraj=4096, seed=3, progress=False,
            truncation="full",
        )  # fmt: skip
    assert sum(w.category is wf.AccuracyWarning for w in heard) == 1
    value, sem, stated = result.expect[key][k], result.sem[key][k], result.truncation[key][k]
    assert low < value < high and abs(value - exact) > 3 * sem
    assert abs(abs(value - exact) - stated) < 0.1 * stated + 3 * sem
    assert "truncation" in repr(result)


def test_a_steady_state_at_threshold_warns():
    s = wf.CollectiveSpin(6, name="s")
    model = wf.Model(6 * s.Jx, [wf.Jump(s.Jm, 1.0)], initial={s: wf.down})
    with pytest.warns(wf.AccuracyWarning, match="'z'"):
        found = wf.steady_state(
            model, {"z": s.Jz}, ntraj=1024, seed=1, unique=False, truncation="full"
        )
    assert abs(found.expect["z"] + 1.86) < 0.04
    assert abs(found.expect["z"] + found.truncation["z"] + 1.718) < 0.03
    assert "truncation" in repr(found)
    left_out = wf.steady_state(model, {"z": s.Jz}, "cumulant", unique=False, truncation=False)
    assert not left_out.truncation


def test_correlations_carry_it():
    a = wf.Mode(name="a")
    model = wf.Model(1.0 * a.adag**2 * a.a**2, [wf.Jump(a.a, 0.1)], initial={a: wf.coherent(1.4)})
    call = {"t": 0.5, "ntraj": 2048, "seed": 1, "truncation": "full"}
    with pytest.warns(wf.AccuracyWarning):
        found = wf.correlation(model, a.a, a.adag, np.linspace(0, 3, 7), **call)
    assert found.truncation.max() > 0.1 and "correlation_truncation" in found.to_xarray()
    free = wf.Model(1.0 * a.n, [wf.Jump(a.a, 0.1)], initial={a: wf.coherent(1.4)})
    good = wf.correlation(free, a.a, a.adag, np.linspace(0, 3, 7), **call)
    assert good.truncation.max() < 0.1


# ---------------------------------------------------------------- the atlas


@pytest.mark.parametrize(
    ("N", "until", "low", "high", "most"),
    # 16,384 trajectories of 300 give 1.030(6), 2,048 miss that by 0.02
    few([(100, 20.0, 1.12, 1.25, 0.9), (300, 8.0, 0.97, 1.1, 0.5)]),
)
def test_large_models_are_judged_by_smaller_ones(N, until, low, high, most, monkeypatch):
    """No exact solution is quick: the length of J diffuses at every N, where it stays 1."""
    monkeypatch.setattr("wignerflow.solving.truncation.SECONDS", 2.0)  # on any machine
    e = wf.Ensemble(N, name="e")
    jumps = [wf.Jump(e.Jm, 1.0), wf.LocalJump(e.sz, 0.3)]
    model = wf.Model(jumps=jumps, initial={e: wf.down})
    ops, t = {"squeezing": wf.Squeezing(e), "z": e.Jz}, np.linspace(0, until, 3)
    with pytest.warns(wf.AccuracyWarning, match="squeezing"):
        found = wf.solve(model, t, e_ops=ops, ntraj=2048, seed=1, progress=False, truncation=True)
    value, own = found.expect["squeezing"][-1], found.truncation["squeezing"][-1]
    assert found.stats["truncation"].endswith((f"continued to {N}", "the exact solution"))
    assert low < value < high and 0.05 < own < most
    assert abs(value - 1.0) < own + 2 * found.sem["squeezing"][-1]
    assert found.truncation["z"].max() < 0.05 * N / 2


@pytest.mark.parametrize("M", few([3, 5]))
def test_atoms_with_levels_on_a_waveguide_warn(M, monkeypatch):
    """Judged exactly, and by cumulants where that takes too long."""
    monkeypatch.setattr(truncation, "SECONDS", 1.0)  # on any machine
    atoms, K = wf.Levels(1, ["g", "e", "f"], name="atoms", count=M), wf.Waveguide(0.3 * np.pi)
    H = 0.5 * wf.couple(atoms.op("e", "g"), K, atoms.op("g", "e"))
    H = H + H.dag() + 0.2 * (atoms.op("f", "e") + atoms.op("e", "f")).sum()
    phase = np.exp(0.3j * np.pi * np.arange(M))
    out, back = (phase.conj() * atoms.op("g", "e")).sum(), (phase * atoms.op("g", "e")).sum()
    model = wf.Model(H, [wf.Jump(out, 0.5), wf.Jump(back, 0.5)], initial={atoms: wf.level("e")})
    ops, t = {"e": atoms.pop("e"), "out": out.dag() * out}, np.linspace(0, 4, 9)
    with pytest.warns(wf.AccuracyWarning):
        found = wf.solve(model, t, ops, ntraj=2000, seed=1, progress=False, truncation=True)
    exact = wf.solve(model, t, e_ops=ops, method="exact").expect
    for name in ops:
        off = np.abs(found.expect[name] - exact[name])
        assert off.max() > 0.03 and off.max() < found.truncation[name].max() + 0.01


def decays(N):
    """Two collective decays from one level, and functions of means, which no file holds."""
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op("0", "e"), 1.0), wf.Jump(atoms.op("1", "e"), 1.0)]
    zero = atoms.pop("0")
    ops = {
        "variance": wf.function(lambda n, nn: nn - n**2, [zero, zero * zero]),
        "of mean": wf.function(lambda n: n + 0.0, [zero]),
        "g2": wf.function(lambda n, nn: nn / n**2, [zero + 1.0, zero * zero]),
    }
    return wf.Model(jumps=jumps, initial={atoms: wf.level("e")}), ops


@pytest.mark.slow
def test_differences_of_large_numbers_are_judged_on_their_own_scale(monkeypatch):
    """The variance of a population that is 50 on average: cumulants are off by more than it is."""
    model, ops = decays(100)
    exact = sizes.exact_means

    def smaller(problem, until, full):  # the model itself is taken for one that is too large
        large = problem.model.subsystems[0].N == 100
        return None if large else exact(problem, until, full)

    monkeypatch.setattr(truncation, "exact_means", smaller)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wf.AccuracyWarning)
        found = wf.solve(
            model, [0, 0.3, 0.6], e_ops=ops, ntraj=4096, seed=5, progress=False, truncation="full"
        )
    assert found.stats["truncation"].endswith("continued to 100")
    value, own, sem = (x["variance"][-1] for x in (found.expect, found.truncation, found.sem))
    assert abs(value - 850) < own + 2 * sem + found.step_error["variance"][-1]
    assert own < 0.1 * 850
    off = apart(found, _cumulants(model, ops))["variance"][-1]
    assert off > 500  # what was stated before
    assert found.truncation["of mean"][-1] < 0.05 * 50


def _cumulants(model, ops):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they are unphysical
        return wf.solve(model, [0, 0.3, 0.6], e_ops=ops, method="cumulant", truncation=False).expect


def test_functions_of_means_are_put_together_again():
    model, ops = decays(40)
    named, whole = parted({**ops, "n": next(iter(ops["g2"].inputs().values()))})
    assert sorted(named) == sorted(
        ["variance\x000", "variance\x001", "of mean\x000", "g2\x000", "g2\x001", "n"]
    )
    small, parts, _ = read_call(shrunk(model, named, wf.TWA(), np.array([0, 1.0]), 0.1))
    assert int(next(iter(small.subsystems)).numbers[0]) == 4
    assert [jump.rate for jump in small.jumps] == pytest.approx([10.0, 10.0])  # N Gamma stays
    again = whole(parts)
    assert list(again) == [*ops, "n"]
    means = {"0": np.array([2.0]), "1": np.array([5.0])}
    assert again["variance"].evaluate(means) == 1.0 and again["g2"].evaluate(means) == 1.25


@pytest.mark.parametrize("every", few([40, 8]))
def test_quick_atlas(every, tmp_path):
    """Some of the quick models: what is wrong is flagged."""
    slow = ("two coupled modes", "modulated drive", "pulsed")
    some = [e for e in quick() if e.family.name not in slow]
    found = [r for e in some[::every] for r in rows(e, ("cumulant", "mean-field"), seconds=3.0)]
    assert len({e.family.name for e in entries()}) >= 25 and len(entries()) >= 120
    assert sum(e.family.held for e in entries()) >= 40
    own = figures(r for r in found if r.method == "mean-field")
    assert own.entries > 1200 / every and own.covered > 0.9 and own.clear[0] > 0.95
    # negative control: without what is stated, most entries are not covered
    blind = figures(dataclasses.replace(r, truncation=0 * r.truncation) for r in found)
    assert blind.covered < 0.6 and blind.clear[0] == 0
    page, *pictures = write(found, tmp_path)
    assert "| mean-field |" in page.read_text() and len(pictures) == 2
    assert all(p.stat().st_size > 5000 for p in pictures)
    assert "mean-field" in text(summary(found))


# ---------------------------------------------------------------- cumulants of higher order


def judged(model, ops, times, method, seconds=truncation.FULL):
    """A result, and its error as stated without the exact solution of the model itself."""
    problem = read_problem(model, times, ops)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = wf.solve(model, times, e_ops=ops, method=method, truncation=False)
        own, basis = truncation.estimate(
            problem, wf.solving.resolve_method(method), run, seconds, wf.solve, direct=False
        )
    return run, own, basis


def test_higher_orders_judge_cumulants():
    """An Ising ring of five spins: cumulants of second order are off by a twentieth."""
    s = wf.Spin(name="s", count=5)
    near = wf.NearestNeighbour(periodic=True)
    H = 0.25 * wf.couple(s.sz, near, s.sz) + 0.5 * s.sx.sum()
    model = wf.Model(H, [wf.Jump(s.sm, 0.5)], initial={s: wf.down})
    t, ops = np.linspace(0, 4, 9), {"x": s.sx.sum() / 5, "z": s.sz}
    run, own, basis = judged(model, ops, t, "cumulant")
    assert basis == "the difference to cumulants of order 3 and 4" or basis.endswith("order 3")
    exact = wf.solve(model, t, e_ops=ops, method="exact").expect
    for name in ops:
        true = np.abs(run.expect[name] - exact[name])
        assert true.max() > 0.04
        assert np.all(true <= own[name] + 1e-6)
        assert own[name].max() < 5 * true.max()


def test_a_laser_that_stays_dark_is_judged_on_the_scale_of_what_it_misses():
    e, c = wf.CollectiveSpin(2, name="e"), wf.Mode(name="c")
    H = 0.5 * (c.a * e.Jp + c.adag * e.Jm)
    jumps = [wf.Jump(c.a, 1.0), wf.Jump(e.Jp, 0.5)]
    model = wf.Model(H, jumps, initial={e: wf.down, c: wf.vacuum})
    run, own, _ = judged(model, {"n": c.n}, np.linspace(0, 6, 9), "mean-field")
    exact = wf.solve(model, run.times, e_ops={"n": c.n}, method="exact").expect["n"]
    assert np.all(run.expect["n"] == 0) and exact[-1] > 0.1
    assert np.all(exact <= own["n"] + 1e-9)


def test_where_orders_diverge_the_error_is_the_scale_of_what_they_part_in():
    """A coherent state under a Kerr term: n is conserved, the field revives."""
    a = wf.Mode(name="a")
    model = wf.Model(0.5 * a.n * a.n, initial={a: wf.coherent(np.sqrt(3))})
    ops = {"n": a.n, "x": a.a + a.adag}
    run, own, basis = judged(model, ops, np.linspace(0, 2 * np.pi, 9), "cumulant")
    assert "cumulants" in basis
    assert own["n"].max() < 1e-6 and own["x"][-1] > 1.0
    assert np.abs(run.expect["x"][-1] + 2 * np.sqrt(3)) < own["x"][-1] + 1.0


# ---------------------------------------------------------------- arrays with fewer members


def ring(M):
    s = wf.Spin(name="s", count=M)
    near = wf.NearestNeighbour(periodic=True)
    H = 0.25 * wf.couple(s.sz, near, s.sz) + 0.5 * s.sx.sum()
    jumps = [wf.Jump(s.sm, 0.5 + 0.01 * np.arange(M)), wf.Jump(s.sm.sum(), 1 / M)]
    model = wf.Model(H, jumps, initial={s: [wf.down] * (M - 1) + [wf.up]})
    return s, model, {"z": s.sz, "zz": wf.couple(s.sz, near, s.sz) / M, "last": s[M - 1].sx}


def test_a_shorter_array_keeps_the_middle_and_the_field_on_a_member():
    _, model, ops = ring(12)
    call = write_call(model, ops, wf.TWA(), np.array([0.0, 1.0]))
    assert length(model) == 12
    made = Shorter(call, 12, 4)
    assert made.wide  # the decay of all together is raised
    small, parts, _ = read_call(made.call)
    assert small.subsystems[0].count == 4
    rates = sorted((np.size(j.rate), float(np.max(j.rate))) for j in small.jumps)
    assert rates == [(1, pytest.approx(0.25)), (4, pytest.approx(0.57))]  # members 4 to 7
    assert parts["z"].size == 4 and str(parts["last"]) == str(small.subsystems[0][3].sx)


def test_sums_coupled_to_a_mode_are_raised_by_the_root():
    s, c = wf.Spin(name="s", count=12), wf.Mode(name="c")
    H = 0.2 * (c.adag * s.sm.sum() + c.a * s.sp.sum()) + 0.7 * c.n
    pulses = [wf.pulse(0.5, s.sx.sum(), 1.0), wf.pulse(0.6, s[0].sx, 1.0)]
    model = wf.Model(H, [wf.Jump(c.a, 1.0)], initial={s: wf.up, c: wf.vacuum}, pulses=pulses)
    call = write_call(model, {"n": c.n}, wf.TWA(), np.array([0.0, 1.0]))
    small, _, _ = read_call(Shorter(call, 12, 3).call)
    values = {round(max(abs(x) for x in (v.real, v.imag)), 6) for v in small.H.terms.values()}
    before = {round(max(abs(x) for x in (v.real, v.imag)), 6) for v in model.H.terms.values()}
    assert values == {round(2 * v, 6) if v < 0.7 else v for v in before}  # sqrt(12 / 3)
    assert [jump.rate for jump in small.jumps] == [1.0]
    assert [pulse.time for pulse in small.pulses] == [0.5]  # the first member is left out


def test_arrays_with_any_coupling_become_shorter():
    M, m = 12, 5
    rng = np.random.default_rng(4)
    K = rng.normal(size=(M, M)) + 1j * rng.normal(size=(M, M))
    K = K + K.conj().T
    near = np.abs(np.subtract.outer(np.arange(M), np.arange(M))) == 1
    for kind in (
        wf.NearestNeighbour(), wf.NearestNeighbour(periodic=True), wf.AllToAll(), wf.PowerLaw(2.0),
        wf.Waveguide(0.3), wf.Waveguide(np.cumsum(rng.uniform(size=M))), K, K.real,
        scipy.sparse.csr_array(K * near), scipy.sparse.csr_array(K.real * near),
    ):  # fmt: skip
        s = wf.Spin(name="s", count=M)
        H = wf.couple(s.sp, kind, s.sm)
        model = wf.Model(H + H.dag(), [wf.Jump(s.sm, np.eye(M) + 0.1)], initial={s: wf.up})
        call = write_call(model, {"z": s.sz}, wf.TWA(), np.array([0.0, 1.0]))
        small, parts, _ = read_call(Shorter(call, M, m).call)
        assert small.subsystems[0].count == m and parts["z"].size == m and small.H.terms


def test_an_estimate_that_fails_costs_no_result(monkeypatch):
    def broken(*_):
        raise AttributeError("a fault")

    monkeypatch.setattr(truncation, "estimate", broken)
    monkeypatch.setattr(truncations, "steady_truncation", broken)
    monkeypatch.setattr(truncations, "_estimate", broken)
    s, model, ops = ring(4)
    c = wf.Ensemble(5)
    damped = wf.Model(0.2 * c.Jx, [wf.LocalJump(c.sm, 1.0)], initial={c: wf.up})
    options = {"ntraj": 100, "seed": 1, "truncation": True}
    said = r"could not be estimated \(AttributeError: a fault"
    with pytest.warns(UserWarning, match=said):
        result = wf.solve(model, [0, 1], ops, progress=False, **options)
    assert np.all(np.isnan(result.truncation["z"])) and np.all(np.isfinite(result.expect["z"]))
    with pytest.warns(UserWarning, match=said):
        steady = wf.steady_state(damped, {"z": c.Jz}, "mean-field", truncation=True)
    assert np.isnan(steady.truncation["z"]) and np.isfinite(steady.expect["z"])
    with pytest.warns(UserWarning, match=said):
        found = wf.correlation(model, s[0].sz, s[1].sz, [0.0, 0.1], t=0.5, **options)
    assert np.all(np.isnan(found.truncation)) and np.all(np.isfinite(found.value))
    for stats in (result.stats, steady.stats, found.stats):
        assert stats["truncation"] == "nothing: its estimate failed" and len(stats["warnings"]) == 1


def test_long_chains_are_judged_by_short_ones(monkeypatch):
    """Seven spins, as if they were many: cumulants take too long, short rings do not."""
    monkeypatch.setattr(orders, "PAIRS", 1)
    _, model, ops = ring(7)
    times = np.linspace(0, 3, 7)
    run, own, basis = judged(model, ops, times, "mean-field", seconds=5.0)
    assert basis == "exact solutions at sizes 6 and 3, continued to 7"
    exact = wf.solve(model, times, e_ops=ops, method="exact").expect
    for name in ops:
        true = np.abs(run.expect[name] - exact[name])
        assert true.max() > 0.02 and own[name].shape == true.shape
        assert np.mean(true <= own[name] + 1e-9) > 0.9


def atoms_on_a_waveguide(M):
    """Single atoms of three levels, every other one excited, dipoles and a waveguide between."""
    atoms = wf.Levels(1, ["g", "e", "f"], name="atoms", count=M)
    H, jumps = wf.waveguide(atoms.op("g", "e"), 0.7 * np.arange(M), 1.0)
    far = np.abs(np.subtract.outer(np.arange(M), np.arange(M))) + np.eye(M)
    H = H + wf.couple(atoms.op("e", "g"), 3 / far**3 * (1 - np.eye(M)), atoms.op("g", "e"))
    jumps = [*jumps, wf.LocalJump(atoms.one("f", "e"), 0.3), wf.LocalJump(atoms.one("g", "f"), 0.4)]
    start = [wf.level("ge"[m % 2]) for m in range(M)]
    ops = {"e": atoms.pop("e").sum() / M, "second": atoms.pop("e")[1], "each": atoms.pop("e")}
    return wf.Model(H, jumps, initial={atoms: start}), ops


def test_arrays_of_single_atoms_with_levels_become_shorter():
    model, ops = atoms_on_a_waveguide(10)
    call = write_call(model, ops, wf.TWA(), np.linspace(0, 4, 9))
    assert length(model) == 10
    for N in (1, [1] * 10):  # emitters of all members, or of each
        call["model"]["subsystems"][0]["N"] = N
        small, parts, _ = read_call(Shorter(call, 10, 3).call)
        assert small.subsystems[0].numbers.tolist() == [1, 1, 1] and parts["each"].size == 3


@pytest.mark.slow
def test_single_atoms_with_levels_are_judged_by_shorter_arrays():
    t = np.linspace(0, 4, 9)
    model, ops = atoms_on_a_waveguide(4)
    options = {"ntraj": 2_000, "seed": 1, "dt": 0.05, "progress": False}
    with pytest.warns(wf.AccuracyWarning):
        run = wf.solve(model, t, ops, method="twa", truncation=True, **options)
    exact = wf.solve(model, t, ops, method="exact", progress=False).expect
    off = {name: np.abs(run.expect[name] - exact[name]) for name in ops}
    assert off["each"].max() > 0.05
    for name, true in off.items():
        assert np.all(true <= run.truncation[name] + 5 * run.sem[name])
    model, ops = atoms_on_a_waveguide(10)
    run = wf.solve(model, t, ops, method="twa", truncation=False, **options)
    problem = read_problem(model, t, ops)
    own, basis = truncation.estimate(problem, wf.TWA(), run, 2.0, wf.solve, direct=False)
    assert basis.startswith("exact solutions at size") and basis.endswith("continued to 10")
    assert own["second"].max() > 0.01 and own["each"].shape == (t.size, 10)


def test_arrays_of_ensembles_are_not_made_shorter():
    c = wf.Ensemble(50, name="c", count=20)
    model = wf.Model(jumps=[wf.Jump(c.Jm, 0.1)], initial={c: wf.up})
    assert length(model) == 0


def test_steady_cumulants_are_judged_by_higher_orders(monkeypatch):
    e = wf.Ensemble(8, name="e")
    model = wf.Model(jumps=[wf.Jump(e.Jm, 1.0), wf.LocalJump(e.sp, 4.0)], initial={e: wf.up})
    ops = {"g2": wf.g2(e.Jm), "z": e.Jz}
    exact = wf.steady_state(model, ops, "exact").expect
    monkeypatch.setattr(truncations, "_null_vector", lambda *_: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = wf.steady_state(model, ops, "cumulant", unique=False, truncation="full")
    assert found.stats["truncation"] == "steady cumulants of order 3 and 4"
    for name in ops:
        true = abs(found.expect[name] - exact[name])
        assert 1e-3 * abs(exact[name]) < true < found.truncation[name] < 10 * true


def test_steady_states_of_long_arrays_are_judged_by_short_ones(monkeypatch):
    s, near = wf.Spin(name="s", count=8), wf.NearestNeighbour()
    H = 0.3 * s.sx.sum() + 0.2 * wf.couple(s.sz, near, s.sz)
    model = wf.Model(H, [wf.Jump(s.sm, 1.0)], initial={s: wf.down})
    ops = {"z": s.sz, "zz": wf.couple(s.sz, near, s.sz)}
    monkeypatch.setattr(sizes, "MEMBERS", (3, 2))

    def again(own, ops, method, ntraj):
        return wf.steady_state(own, ops, method, unique=False, truncation=False)

    small = truncations._smaller(wf.Cumulant(), asked(model, ops), 0, np.inf, again)
    assert [(d.at.size, d.at.whole, d.at.falls) for d in small] == [(3, 8, False)]
    assert small[0].values["z"].shape == (3,) and 0 < small[0].values["zz"] < 0.1
    found = SimpleNamespace(expect={"z": np.full(8, -0.5), "zz": 2.0})
    own, basis = truncations._continued(found, wf.Cumulant(), small)
    assert basis == "exact steady states at sizes 3, continued to 8"
    assert own["z"] == pytest.approx(np.full(8, 1.5 * small[0].values["z"].max()))


def test_single_emitters_with_levels_cannot_be_made_smaller():
    """Beside many others they stay one, whose coupling is not that of a smaller ensemble."""
    made = []
    for N in (1, 8):
        one, many = wf.Levels(N, 3, name="one"), wf.Ensemble(100, name="many")
        H = one.op("0", "1") * many.Jp
        model = wf.Model(H + H.dag(), initial={one: wf.level("1"), many: wf.down})
        made.append(shrunk(model, {"n": one.pop("1")}, wf.TWA(), np.array([0.0, 1.0]), 0.5))
    assert made[0] is None and made[1] is not None


def test_correlations_of_large_models_are_judged_by_smaller_ones(monkeypatch):
    a = wf.Mode(name="a")
    H = 1.0 * a.adag**2 * a.a**2
    model = wf.Model(H, [wf.Jump(a.a, 0.1)], initial={a: wf.coherent(1.7)})
    ask = a.a, a.adag, np.linspace(0, 3, 7)
    exact = wf.correlation(model, *ask, t=0.5, method="exact").value
    whole = truncations._exact
    large = lambda asked, until: None if asked.model is model else whole(asked, until)  # noqa: E731
    monkeypatch.setattr(truncations, "_exact", large)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wf.AccuracyWarning)
        found = wf.correlation(model, *ask, t=0.5, ntraj=4096, seed=1, truncation="full")
    assert found.stats["truncation"] == "exact correlations at sizes 2, continued to 2.89"
    true = np.abs(found.value - exact).max()
    assert 0.02 * np.abs(exact).max() < true
    assert true < found.truncation.max() < 10 * true


# ---------------------------------------------------------------- whom warnings name


def warned(what):
    """A calculation that is off by its method, or a fit that moves nothing."""
    a = wf.Mode(name="a")
    H = -3.0 * a.n + 0.5 * a.adag * a.adag * a.a * a.a + 2 * (a.a + a.adag)
    model, ops = wf.Model(H, [wf.Jump(a.a, 1.0)], initial={a: wf.vacuum}), {"n": a.n}
    options = {"ntraj": 4096, "seed": 1, "truncation": True}
    t = np.linspace(0, 4, 5)
    if what == "solve":
        wf.solve(model, t, ops, **options)
    elif what == "steady_state":
        s = wf.CollectiveSpin(6, name="s")
        driven = wf.Model(6 * s.Jx, [wf.Jump(s.Jm, 1.0)], initial={s: wf.down})
        wf.steady_state(driven, {"z": s.Jz}, ntraj=1024, seed=1, unique=False, truncation="full")
    elif what == "compare":
        wf.compare(model, t, ops, methods=["twa", "exact"], progress=False, **options)
    elif what == "sweep":
        wf.sweep(lambda k: model, {"k": [1, 2]}, t, ops, **options)
    elif what == "correlation":
        wf.correlation(model, a.adag, a.a, t, relax=5.0, **options)
    else:
        wf.fit(lambda k: (model, ops), {"time": t, "n": t}, {"k": 1.0}, method="cumulant")


@pytest.mark.parametrize(
    "what",
    few(["solve", "steady_state", "compare", "sweep", "correlation", "fit"], ["solve", "sweep"]),
)
def test_warnings_name_the_line_of_who_called(what):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warned(what)
    assert seen and {Path(w.filename).name for w in seen} == {"test_truncation.py"}
