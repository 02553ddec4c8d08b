import numpy as np
import pytest
import scipy.linalg

import wignerflow as wf
from wignerflow.exact.engine import Exact
from wignerflow.exact.solution import TooLarge
from wignerflow.exact.steady import NotUnique


def laser(N, initial=wf.up):
    s = wf.Ensemble(N, name="s")
    jumps = [wf.Jump(s.Jm, rate=1.0), wf.LocalJump(s.sp, rate=0.25 * N)]
    return s, wf.Model(jumps=jumps, initial={s: initial})


def test_null_vector_of_brute_force(brute):
    s = wf.Ensemble(3, name="s")
    model = wf.Model(
        1.5 * s.Jx + 0.3 * s.Jz**2,
        [wf.Jump(s.Jm, rate=1.0), wf.LocalJump(s.sp + 0.2 * s.sz, rate=0.7)],
        initial={s: wf.down},
    )
    full = brute(model)
    rho = scipy.linalg.null_space(full.liouvillian(), rcond=1e-10)[:, 0].reshape(8, 8)
    rho = rho / np.trace(rho)
    ops = {"z": s.Jz, "m": s.Jm, "e": s.Jp * s.Jm}
    out = Exact().steady_state(model, ops)
    for name, op in ops.items():
        want = np.trace(full.matrix(op) @ rho)
        np.testing.assert_allclose(out.expect[name], want, atol=1e-9, err_msg=name)
    assert out.stats["unique"]
    assert out.expect["z"].shape == ()


def test_both_engines_and_long_times_agree():
    s, model = laser(15)
    ops = {"e": s.Jp * s.Jm, "z": s.Jz}
    a, b = (Exact(e).steady_state(model, ops) for e in ("populations", "blocks"))
    late = Exact().solve(model, np.array([0, 30.0]), ops).expect
    for name in ops:
        np.testing.assert_allclose(a.expect[name], b.expect[name], rtol=1e-9)
        np.testing.assert_allclose(a.expect[name], late[name][-1], rtol=1e-7)
    # gain equals loss
    gain = 0.25 * 15 * (7.5 - a.expect["z"])
    np.testing.assert_allclose(gain, a.expect["e"], rtol=1e-9)


def test_mode_with_chosen_cutoff():
    a = wf.Mode(name="a")
    model = wf.Model(2.0 * (a.a + a.adag), [wf.Jump(a.a, rate=1.0)], initial={a: wf.vacuum})
    out = Exact().steady_state(model, {"n": a.n, "a": a.a})
    np.testing.assert_allclose(out.expect["a"], -4j, atol=1e-4)
    np.testing.assert_allclose(out.expect["n"], 16, atol=1e-4)
    assert out.stats["edge"]["a"] < 1e-7


def test_several_steady_states_are_said():
    s = wf.Ensemble(4, name="s")
    model = wf.Model(jumps=[wf.Jump(s.Jm, rate=1.0)], initial={s: wf.bloch_vector(0, 0, 0.3)})
    with pytest.raises(NotUnique, match="not unique"):
        Exact().steady_state(model, {"z": s.Jz})
    out = Exact().steady_state(model, {"z": s.Jz}, unique=False)  # every J decays to M = -J
    late = Exact().solve(model, np.array([0, 60.0]), {"z": s.Jz}).expect["z"][-1]
    np.testing.assert_allclose(out.expect["z"], late, atol=1e-6)
    assert not out.stats["unique"]
    pure = wf.Model(jumps=[wf.Jump(s.Jm, rate=1.0)], initial={s: wf.up})
    np.testing.assert_allclose(Exact().steady_state(pure, {"z": s.Jz}).expect["z"], -2, atol=1e-9)


def test_undamped_oscillations_are_said():
    s = wf.CollectiveSpin(2, name="s")
    with pytest.raises(NotUnique):
        Exact().steady_state(wf.Model(s.Jx, initial={s: wf.up}), {"z": s.Jz})


def test_refusals():
    s = wf.Ensemble(2, name="s")
    timed = wf.Model(wf.coef(np.cos) * s.Jx, initial={s: wf.up})
    with pytest.raises(ValueError, match="constant in time"):
        Exact().steady_state(timed, {"z": s.Jz})
    _, model = laser(30)
    with pytest.raises(TooLarge, match="GB"):
        Exact(memory=1e4).steady_state(model, {"z": model.subsystems[0].Jz})
