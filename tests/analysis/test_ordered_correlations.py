"""Correlations by quantum jumps, and of four operators by trajectories, against the exact ones."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact.jump_correlations import Correlated
from wignerflow.exact.jumps import WaveFunctions

from ..few import few

LIMIT = 4.5
TAUS = np.array([0.0, 0.3, 1.0, 2.0])


def fluorescence():
    s = wf.Spin(name="s")
    return s, wf.Model(0.6 * s.sx, [wf.Jump(s.sm, 1.0)], initial={s: wf.bloch(2.0, 0.3)})


def cavity():
    atoms, mode = wf.Ensemble(2, name="atoms"), wf.Mode(name="mode")
    H = 0.4 * (atoms.Jp * mode.a + atoms.Jm * mode.adag) + 0.2 * (mode.a + mode.adag)
    jumps = [wf.Jump(mode.a, 1.0), wf.LocalJump(atoms.sm, 0.3)]
    start = {atoms: wf.bloch(0.8, 0.3), mode: wf.coherent(0.4)}
    return atoms, mode, wf.Model(H, jumps, initial=start)


def z(found, exact):
    d, sem = found.value - exact.value, found.sem
    floor = 1e-6 * np.abs(exact.value).max()
    return max(
        np.max(np.abs(d.real) / (sem.real + floor)), np.max(np.abs(d.imag) / (sem.imag + floor))
    )


def both(model, method, ntraj=1024, **ask):
    found = wf.correlation(
        model, taus=TAUS, method=method, ntraj=ntraj, seed=3, truncation=False, **ask
    )
    return found, wf.correlation(model, taus=TAUS, method="exact", **ask)


def test_fluorescence_by_jumps():
    s, model = fluorescence()
    ops = (s.sp, s.sp, s.sm, s.sm)
    found, exact = both(model, "jumps", ops=ops, t=0.8)
    assert z(found, exact) < LIMIT and found.value[0] == 0  # antibunched
    assert np.all(found.step_error == 0) and found.order == "time-ordered"
    early = wf.correlation(model, taus=TAUS, ops=ops, t=2.0, method="exact")
    assert z(found, early) > 2 * LIMIT


def test_every_run_behind_a_jump_correlation_is_counted_before(monkeypatch):
    """One that goes on from an operator and its adjoint, four from others, one for a mean."""
    s, model = fluorescence()
    pieces = [(1.0, s.sp, s.sm), (1.0, s.sx, s.sm)]
    monkeypatch.setattr(WaveFunctions, "seconds", lambda self: 1.0)
    one, made = WaveFunctions.one, []
    monkeypatch.setattr(WaveFunctions, "one", lambda *a: made.append(1) or one(*a))
    for mean in (False, True):
        made.clear()
        run = Correlated(model, s.sz, pieces, 0.3, np.array([0.0, 0.2]), 1, 1e9, mean)
        run(range(1))
        assert len(made) == run.seconds() == 6 + mean


@pytest.mark.slow
def test_fluorescence_by_jumps_in_the_steady_state():
    s, model = fluorescence()
    ops = (s.sp, s.sp, s.sm, s.sm)
    steady, exact = both(model, "jumps", ops=ops)
    assert z(steady, exact) < LIMIT and steady.stats["start"] > 1


def test_operators_that_are_not_adjoint_by_jumps():
    atoms, mode, model = cavity()
    ops = (atoms.Jp, mode.adag, mode.a, atoms.Jz + 0.2 * mode.a)
    found, exact = both(model, "jumps", ops=ops, t=0.6)
    assert z(found, exact) < LIMIT
    swapped = wf.correlation(
        model, taus=TAUS, ops=(ops[3].dag(), *ops[1:3], ops[0].dag()), t=0.6, method="exact"
    )
    assert z(found, swapped) > 2 * LIMIT


@pytest.mark.parametrize("order", few(["plain", "symmetric"]))
def test_two_operators_by_jumps(order):
    s, model = fluorescence()
    found, exact = both(model, "jumps", A=s.sp, B=s.sm, t=0.5, order=order, connected=True)
    assert z(found, exact) < LIMIT
    other = "plain" if order == "symmetric" else "symmetric"
    wrong = wf.correlation(
        model, s.sp, s.sm, TAUS, t=0.5, order=other, connected=True, method="exact"
    )
    assert z(found, wrong) > 2 * LIMIT


def test_jumps_under_a_drive_that_depends_on_time():
    s = wf.Spin(name="s")
    H = wf.coef(lambda t: 1 + np.sin(2 * t)) * s.sx
    model = wf.Model(H, [wf.Jump(s.sm, 1.0)], initial={s: wf.down})
    found, exact = both(model, "jumps", ops=(s.sp, s.sp, s.sm, s.sm), t=0.7)
    assert z(found, exact) < LIMIT
    still = wf.Model(s.sx, [wf.Jump(s.sm, 1.0)], initial={s: wf.down})
    wrong = wf.correlation(still, taus=TAUS, ops=(s.sp, s.sp, s.sm, s.sm), t=0.7, method="exact")
    assert z(found, wrong) > 2 * LIMIT


def squeezed_mode():
    """Linear equations: nothing is truncated."""
    a = wf.Mode(name="a")
    H = 0.3 * a.n + 0.15j * (a.adag**2 - a.a**2) + 0.2 * (a.a + a.adag)
    start = {a: wf.coherent(1.5)}
    return a, wf.Model(H, [wf.Jump(a.a, 1.0), wf.Jump(a.adag, 0.1)], initial=start)


@pytest.mark.slow
@pytest.mark.parametrize("t", [0.0, 0.7])
def test_a_linear_mode_by_trajectories(t):
    a, model = squeezed_mode()
    ops = (a.adag, a.adag, a.a, a.a)
    found, exact = both(model, "twa", 8192, ops=ops, t=t)
    assert z(found, exact) < LIMIT
    assert np.abs(found.sem / exact.value).max() < 0.05
    symbols = wf.correlation(
        model, a.n + 0.5, a.n, TAUS, t=t, order="symmetric", method="exact"
    )  # what no vacuum is taken off of
    assert z(found, symbols) > 2 * LIMIT
    mixed = (a.adag, a.a, a.adag, a.a + 0.3j * a.adag)
    found, exact = both(model, "twa", 8192, ops=mixed, t=t)
    assert z(found, exact) < LIMIT


@pytest.mark.slow
def test_emission_of_many_emitters_by_trajectories():
    """g2 of a driven ensemble: what is left out is of the order 1/N."""
    off = []
    for N in (10, 40):
        s = wf.Ensemble(N, name="s")
        jumps = [wf.Jump(s.Jm, 4 / N), wf.LocalJump(s.sp, 1.5)]
        model = wf.Model(jumps=jumps, initial={s: wf.up})
        found, exact = both(model, "twa", 4096, ops=(s.Jp, s.Jp, s.Jm, s.Jm), t=0.5)
        off.append(np.abs(found.value - exact.value).max() / np.abs(exact.value).max())
        assert np.abs(found.sem).max() < 0.05 * np.abs(exact.value).max()
    assert off[0] < 0.25 and off[1] < 0.08


def test_what_trajectories_refuse():
    s, model = fluorescence()
    with pytest.raises(ValueError, match="a single spin has no such product"):
        wf.correlation(model, taus=TAUS, ops=(s.sp, s.sp, s.sm, s.sm), method="twa")
    a, model = squeezed_mode()
    with pytest.raises(ValueError, match=r"where `D` is not linear in a, a\^\+ and J"):
        wf.correlation(model, taus=TAUS, ops=(a.adag, a.n, a.n, a.a**2), method="twa")
    for method in ("mean-field", "cumulant"):
        with pytest.raises(ValueError, match="has no correlations of four operators"):
            wf.correlation(model, taus=TAUS, ops=(a.adag, a.n, a.n, a.a), method=method)
