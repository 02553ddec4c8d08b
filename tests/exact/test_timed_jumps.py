"""Quantum jumps under time-dependent operators and rates, against density matrices."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact import pieces
from wignerflow.exact.engine import Exact

from ..few import few
from . import test_jumps

# One family-wise error rate for this file: about 200 numbers are compared.
LIMIT = 4.5
T = np.linspace(0, 3, 7)


def largest_z(model, ops, engine=None):
    return test_jumps.largest_z(model, T, ops, 1200, engine, seed=5, floor=1e-6)


def box(t):
    return 2.0 if 0.7 <= t < 1.1 else 0.0


def cases(wrong=1.0):
    """Name, model, observables, kind of runs; ``wrong``: a factor of one time dependence."""
    s = wf.Ensemble(3, name="s")
    rate = wf.coef(lambda t: wrong * (0.6 + 0.5 * np.cos(3 * t)))
    H = wf.coef(lambda t: np.sin(2 * t)) * s.Jx + 0.4 * s.Jz**2
    jumps = [wf.Jump(s.Jm, rate), wf.LocalJump(s.sm + 0.3 * s.sz + 0.2, rate)]
    model = wf.Model(H, jumps, initial={s: wf.bloch(0.6, 0.2)})
    yield "driven", model, {"z": s.Jz, "m": s.Jm, "e": s.Jp * s.Jm}, "wavefunctions"

    q = wf.Spin(name="q")
    turn = wf.coef(lambda t: np.exp(1j * wrong * 2 * t))
    model = wf.Model(
        wf.coef(lambda t: wrong * box(t)) * q.sx,
        [wf.Jump(turn * q.sm + 0.7 * q.sp, 0.8), wf.Jump(q.sz, 0.1)],
        initial={q: wf.up},
    )
    ops = {"z": q.sz, "y": q.sy, "timed": wf.coef(np.cos) * q.sx + q.sz}
    yield "pulse and bath", model, ops, "wavefunctions"

    a = wf.Mode(name="a")
    drive = wf.coef([0, 0.8, -0.6, 0.5], [0, 0.9, 2.0, 3.0])
    rate = wf.coef(lambda t: wrong * (1 - np.exp(-t)))
    H = drive * (a.a + a.adag)
    model = wf.Model(H, [wf.Jump(a.a, 0.5), wf.Jump(a.n, rate)], initial={a: wf.coherent(0.5)})
    yield "mode", model, {"n": a.n, "a": a.a}, "wavefunctions"

    s = wf.Ensemble(8, name="s")
    rate = wf.coef(lambda t: wrong * 0.5 * (1 + np.cos(4 * t)))
    jumps = [
        wf.Jump(s.Jm, rate),
        wf.Jump(wf.coef(lambda t: box(t) + 0j) * s.Jp, 0.3),
        wf.LocalJump(s.sp, wf.coef(lambda t: 0.5 * t)),
    ]
    model = wf.Model(wf.coef(np.sin) * s.Jz, jumps, initial={s: wf.up})
    yield "burst", model, {"z": s.Jz, "e": s.Jp * s.Jm, "t": wf.coef(np.cos) * s.Jz}, "classical"


@pytest.mark.parametrize("k", few(range(4)), ids=["driven", "pulse and bath", "mode", "burst"])
def test_against_density_matrices_and_a_negative_control(k):
    _, model, ops, runs = list(cases())[k]
    z, out = largest_z(model, ops)
    assert z < LIMIT
    assert out.stats["runs"] == runs
    _, wrong, named, _ = list(cases(1.5))[k]
    exact = Exact("blocks").solve(wrong, T, named)
    off = [np.abs(out.expect[n] - exact.expect[n])[1:] / (out.sem[n][1:] + 1e-9) for n in ops]
    assert np.max(off) > 2 * LIMIT


@pytest.mark.slow
def test_both_kinds_of_runs_of_one_model():
    _, model, ops, _ = list(cases())[3]
    z, out = largest_z(model, ops, engine="wavefunctions")
    assert z < LIMIT and out.stats["runs"] == "wavefunctions"


def test_functions_of_time_by_pieces():
    """Smooth, with a corner, with a jump, and a pulse a thousandth of the whole wide."""
    functions = [
        lambda t: np.exp(7j * t),
        lambda t: np.abs(t - 1.234567) + 0j,
        lambda t: (t > np.pi / 3) + 0j,
        lambda t: np.exp(-(((t - 2) / 3e-3) ** 2)) + 0j,
    ]
    found = pieces.fit(functions, np.array([0.0, 3.0]))
    at = np.sort(np.random.default_rng(0).uniform(0, 3, 4000))
    p = np.searchsorted(found.edges, at, side="right") - 1
    x = (at - found.edges[p]) / np.diff(found.edges)[p]
    for f, c in zip(functions, found.c, strict=True):
        own = sum(c[p, k] * x**k for k in range(c.shape[1]))
        assert np.abs(own - f(at)).max() < 1e-9
    assert found.edges[0] == 0 and found.edges[-1] == 3 and len(found.edges) < 600
    straight = pieces.fit([lambda t: 2 * t + 0j], np.array([0.0, 3.0]))
    assert straight.edges.tolist() == [0.0, 3.0] and straight.degree.tolist() == [[1]]


def test_a_function_that_is_rough_is_refused_at_the_time_where_that_begins(monkeypatch):
    monkeypatch.setattr(pieces, "MOST", 100)

    def rough(t):
        return np.where(t < 2.1, np.sin(t), np.sin(1e9 * t)) + 0j

    with pytest.raises(ValueError, match=r"smooth on 100 pieces.*near t = 2\.1\."):
        pieces.fit([rough], np.array([0.0, 3.0]))


def test_solve_and_a_rate_that_is_none():
    q = wf.Spin(name="q")
    model = wf.Model(jumps=[wf.Jump(q.sm, wf.coef(np.cos))], initial={q: wf.up})
    with pytest.raises(ValueError, match="real and non-negative"):
        wf.solve(model, [0, 3.0], e_ops={"z": q.sz}, method="jumps", ntraj=10, seed=1)
    out = wf.solve(model, [0, 1.0], e_ops={"z": q.sz}, method="jumps", ntraj=4000, seed=1)
    want = 2 * np.exp(-np.sin(1.0)) - 1
    assert abs(out.expect["z"][1] - want) < LIMIT * out.sem["z"][1]


@pytest.mark.parametrize("engine", ["classical", "wavefunctions"])
def test_a_lone_observable_in_time_is_that(engine):
    """One product of a coefficient and an operator takes no more rows than observables."""
    s = wf.Ensemble(4, name="s")
    model = wf.Model(jumps=[wf.Jump(s.Jm, 0.1)], initial={s: wf.up})
    z, _ = test_jumps.largest_z(model, T, {"z": wf.coef(np.cos) * s.Jz}, 400, engine, floor=1e-6)
    assert z < LIMIT
