"""States that repeat with a drive by trajectories, against the exact ones."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import wignerflow as wf

from ..few import few

LIMIT = 4.5
OMEGA = 3.0
T = 2 * np.pi / OMEGA
TIMES = np.linspace(0, T, 5)


def drive(t):
    return 0.6 * np.cos(OMEGA * t)


def gain(t):
    return 0.15 * (1 + np.sin(OMEGA * t))


def mode(kappa=0.8):
    """Linear equations: nothing is truncated."""
    a = wf.Mode(name="a")
    jumps = [wf.Jump(a.a, kappa), wf.Jump(a.adag, wf.coef(gain))]
    return wf.Model(wf.coef(drive) * (a.a + a.adag) + a.n, jumps, initial={a: wf.vacuum}), a


class Moments:
    """<a> and <n> of the mode after thirty periods, from their closed equations."""

    def __init__(self, kappa=0.8):
        def slope(t, y):
            a, n = y
            da = -(1j + (kappa - gain(t)) / 2) * a - 1j * drive(t)
            return [da, -(kappa - gain(t)) * n + gain(t) - 2 * drive(t) * a.imag]

        run = solve_ivp(
            slope, [0, 31 * T], np.zeros(2, complex), t_eval=30 * T + TIMES, rtol=1e-9, atol=1e-11
        )
        self.expect = {"a": run.y[0], "n": run.y[1].real}


def spin(samples=False):
    s = wf.Spin(name="s")
    f = lambda t: 1 + np.sin(OMEGA * t)  # noqa: E731
    grid = np.linspace(0, T, 41)
    drive = wf.coef(np.array([f(t) for t in grid]), grid) if samples else wf.coef(f)
    return wf.Model(drive * s.sx, [wf.Jump(s.sm, 0.7)], initial={s: wf.up}), s


def z(found, exact):
    out = []
    for name, value in exact.expect.items():
        d = found.expect[name] - value
        sem = found.sem[name]
        parts = [(d.real, sem.real)] + ([(d.imag, sem.imag)] if np.iscomplexobj(d) else [])
        out += [np.abs(x / (e + 1e-4 * np.abs(value).max())).max() for x, e in parts]
    return max(out)


def test_a_linear_mode_by_trajectories():
    model, a = mode()
    e_ops = {"a": a.a, "n": a.n}
    ask = {"period": T, "tlist": TIMES}
    exact = Moments()
    found = wf.steady_state(model, e_ops, "twa", **ask, ntraj=2048, seed=1, truncation=False)
    assert found.expect["n"].shape == found.sem["n"].shape == found.step_error["n"].shape == (5,)
    assert found.expect["n"][0] == found.expect["n"][-1]  # t = 0 and t = T are one
    assert np.ptp(exact.expect["n"]) > 10 * found.sem["n"].max()
    assert z(found, exact) < LIMIT
    assert z(found, Moments(1.4)) > 2 * LIMIT


@pytest.mark.parametrize("samples", few([False, True]))
def test_a_driven_spin_by_jumps(samples):
    model, s = spin(samples)
    e_ops = {"z": s.sz, "y": s.sy}
    ask = {"period": T, "tlist": TIMES[1:4]}
    exact = wf.steady_state(model, e_ops, "exact", **ask)
    found = wf.steady_state(model, e_ops, "jumps", **ask, ntraj=128, seed=1, truncation=True)
    assert z(found, exact) < LIMIT and np.all(found.truncation["z"] == 0)
    shifted = wf.steady_state(model, e_ops, "exact", period=T, tlist=TIMES[1:4] - T / 8)
    assert z(found, shifted) > 2 * LIMIT


def test_the_truncation_is_stated():
    s = wf.Ensemble(2, name="s")
    drive = wf.coef(lambda t: 1 + np.sin(OMEGA * t))
    model = wf.Model(drive * s.Jx, [wf.Jump(s.Jm, 1.0)], initial={s: wf.up})
    ask = {"period": T, "tlist": TIMES[:3]}
    with pytest.warns(wf.AccuracyWarning, match="'e' at t"):
        found = wf.steady_state(
            model, {"e": s.Jp * s.Jm}, "twa", **ask, ntraj=512, seed=1, truncation="full"
        )
    exact = wf.steady_state(model, {"e": s.Jp * s.Jm}, "exact", **ask).expect["e"]
    off = np.abs(found.expect["e"] - exact)
    assert np.all(off <= found.truncation["e"] + 2 * found.sem["e"])
    assert "exact state that repeats" in found.stats["truncation"]


def test_what_is_refused():
    model, s = spin()
    for method in ("cumulant", "mean-field"):
        with pytest.raises(ValueError, match="no steady states of periodic drives"):
            wf.steady_state(model, {"z": s.sz}, method, period=T, tlist=TIMES)
    with pytest.raises(ValueError, match="`controls` must be None or False"):
        wf.steady_state(model, {"z": s.sz}, "twa", period=T, tlist=TIMES, controls=True)
