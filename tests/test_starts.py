"""Mean field where a symmetric state is unstable: fluctuations of the start judge it."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.solving.problem import read_problem
from wignerflow.solving.starts import from_starts

STATED = "classical trajectories from the fluctuations of the start"


def found(model, ops, times, until=np.inf):
    run = wf.solve(model, times, e_ops=ops, method="mean-field", truncation=False)
    return run, from_starts(read_problem(model, times, ops), run, until)


def test_a_laser_that_stays_dark_warns():
    """Two hundred thousand emitters in a bad cavity: mean field answers n = 0, right is 19.7."""
    N = 200_000
    e, c = wf.Ensemble(N, name="e"), wf.Mode(name="c")
    H = -2500.0 * c.n + 1000.0 * (c.adag * e.Jm + c.a * e.Jp)
    jumps = [wf.Jump(c.a, 5e6), wf.LocalJump(e.sm, 1.0), wf.LocalJump(e.sp, 1000.0)]
    jumps.append(wf.LocalJump(e.sz, 250.0))
    model = wf.Model(H, jumps, initial={e: wf.down, c: wf.vacuum})
    with pytest.warns(wf.AccuracyWarning, match=r"'n' at t = 0\.02 is off by about 19"):
        run = wf.solve(model, [0, 0.02], {"n": c.n}, method="mean-field", truncation=True)
    assert run.expect["n"][-1] == 0 and run.stats["truncation"] == STATED
    assert abs(run.truncation["n"][-1] - 19.7) < 1.5 and run.truncation["n"][0] < 1e-9


def test_an_inverted_ensemble_warns():
    e = wf.Ensemble(5000, name="e")
    model = wf.Model(jumps=[wf.Jump(e.Jm, 1.0)], initial={e: wf.up})
    with pytest.warns(wf.AccuracyWarning):
        run = wf.solve(model, [0, 3e-3], {"z": e.Jz}, method="mean-field", truncation=True)
    right = wf.solve(model, [0, 3e-3], {"z": e.Jz}, method="twa", ntraj=500, seed=1, progress=False)
    off = abs(run.expect["z"][-1] - right.expect["z"][-1])
    assert off > 2000 and abs(run.truncation["z"][-1] - off) < 0.2 * off


def test_what_stays_is_left_to_other_references():
    """Linear modes, and spins in a field: no fluctuation of the start grows."""
    a, e = wf.Mode(name="a"), wf.Ensemble(40, name="e")
    H = a.n + 0.5 * (a.a + a.adag) + 0.3 * e.Jx + 0.2 * e.Jz
    jumps = [wf.Jump(a.a, 0.5), wf.LocalJump(e.sm, 0.4)]
    model = wf.Model(H, jumps, initial={a: wf.coherent(1.0 + 2j), e: wf.bloch(0.7, 0.2)})
    ops = {"x": a.a + a.adag, "z": e.Jz, "jx": e.Jx, "n": a.n}
    assert found(model, ops, np.linspace(0, 5, 6))[1] is None
    up = wf.Model(H, [*jumps, wf.Jump(e.Jm, 1.0)], initial={a: wf.vacuum, e: wf.bloch(0.01, 0)})
    _, own = found(up, {"z": e.Jz, "x": a.a + a.adag}, np.linspace(0, 1, 6))
    assert own.unsure == {"x"} and np.all(np.isnan(own.errors["x"]))
    assert own.errors["z"].max() > 1.0


def test_it_declines_what_it_does_not_know():
    s = wf.Spin(name="s", count=3)
    model = wf.Model(s.sx.sum(), [wf.Jump(s.sm, 0.1)], initial={s: wf.up})
    assert found(model, {"z": s.sz}, [0, 1.0])[1] is None
    e = wf.Ensemble(40, name="e")
    ramp = wf.coef(lambda t: 1.0 + t)
    model = wf.Model(ramp * e.Jx, [wf.Jump(e.Jm, 0.1)], initial={e: wf.up})
    assert found(model, {"z": e.Jz}, [0, 1.0])[1] is None
    model = wf.Model(jumps=[wf.Jump(e.Jm, 1.0)], initial={e: wf.up})
    assert found(model, {"z": e.Jz}, [0, 0.1], until=0.0)[1] is None  # no time
    assert found(model, {"z": e.Jz}, [0, 0.1])[1].basis == STATED
