"""Every approximate result states its own error, and warns where that is large."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.result.accuracy import inaccurate, scale
from wignerflow.solving import truncation
from wignerflow.solving.problem import read_problem
from wignerflow.solving.provenance import read_call, write_call


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
    data = wf.sweep(made, {"e": [1.0]}, [0, 20.0], method="cumulant", truncation=True)
    assert data["n_truncation"].values[0, -1] > 2
    assert "beyond its sampling error" in data.attrs["warnings"]


def test_a_smaller_model_has_the_same_classical_equations():
    e, c = wf.Ensemble(200, name="e"), wf.Mode(name="c")
    H = 0.3 * (c.adag * e.Jm + c.a * e.Jp) + 0.02 * e.Jz * e.Jz + 0.5 * (c.a + c.adag) + 0.4 * c.n
    jumps = [wf.Jump(c.a, 1.0), wf.Jump(e.Jm, 0.01), wf.LocalJump(e.sp, 0.7)]
    model = wf.Model(H, jumps, initial={e: wf.bloch(0.5, 0), c: wf.coherent(3.0)})
    call = write_call(model, {"z": e.Jz}, wf.MeanField(), np.array([0.0, 1.0]))
    plain = truncation.shrunk(call, 0.1)
    small, _, _ = read_call(plain)
    sizes = {sub.kind: sub for sub in small.subsystems}
    assert float(np.max(sizes["ensemble"].numbers)) == 20
    assert small.initial[sizes["mode"]][0].value == pytest.approx(3.0 * np.sqrt(0.1))
    before = {tuple(term["factors"]): term["coef"] for term in call["model"]["H"]}
    after = {tuple(term["factors"]): term["coef"] for term in plain["model"]["H"]}
    weights = {"e.Jx": 1, "e.Jy": 1, "e.Jz": 1, "c.a": 0.5, "c.adag": 0.5}
    assert len(after) == len(before) > 5
    for factors, value in after.items():
        w = sum(weights[f] for f in factors)
        assert value == pytest.approx(np.array(before[factors]) * 0.1 ** (1 - w))
    rates = sorted(jump["rate"] for jump in plain["model"]["jumps"])
    assert rates == pytest.approx([0.1, 0.7, 1.0])  # of J^-: ten times as large


def test_spins_alone_cannot_be_made_smaller():
    s = wf.Spin(name="s", count=3)
    model = wf.Model(s.sx.sum(), [wf.Jump(s.sm, 0.1)], initial={s: wf.up})
    call = write_call(model, {"z": s[0].sz}, wf.TWA(), np.array([0.0, 1.0]))
    assert truncation.shrunk(call, 0.5) is None


def test_work_that_takes_too_long_is_not_begun():
    a, model = parametric(0.3)
    problem = read_problem(model, [0, 1.0], {"n": a.n})
    assert truncation._exact(problem, 0.0) is None
    assert truncation._exact(problem, 10.0) is not None


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


def test_clusters_state_their_error_from_larger_ones(monkeypatch):
    from wignerflow.solving import truncation

    chain, near = wf.Spin(name="chain", count=4), wf.NearestNeighbour()
    H = 0.5 * wf.couple(chain.sx, near, chain.sx) + 0.5 * chain.sz.sum()
    model = wf.Model(H, [wf.Jump(chain.sm, 1.0)], initial={chain: wf.down})
    ops, t = {"zz": wf.couple(chain.sz, near, chain.sz) / 6}, np.linspace(0, 3, 7)
    exact = wf.solve(model, t, e_ops=ops, method="exact").expect["zz"]
    monkeypatch.setattr(truncation, "_exact", lambda *_: None)  # as for many spins
    run = wf.solve(
        model, t, e_ops=ops, method=wf.ClusterTWA(size=1), ntraj=3000, seed=1, dt=0.1,
        truncation="full", progress=False,
    )  # fmt: skip
    assert run.stats["truncation"] == "clusters of 2 instead of 1"
    true, stated = np.abs(run.expect["zz"] - exact).max(), run.truncation["zz"].max()
    assert true > 0.05 and 0.5 * true < stated < 1.5 * true
