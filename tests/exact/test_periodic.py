"""States that repeat with a drive: against long runs, closed forms, and what is refused."""

import numpy as np
import pytest

import wignerflow as wf


def driven_mode(omega=2.0, kappa=0.8, eps=0.5):
    """A damped mode with H = eps cos(omega t)(a + a+): <a> follows in closed form."""
    mode = wf.Mode(name="mode", cutoff=7)
    drive = wf.coef(lambda t: eps * np.cos(omega * t))
    H = drive * mode.a + drive * mode.adag
    return wf.Model(H, [wf.Jump(mode.a, kappa)], initial={mode: wf.vacuum}), mode


@pytest.mark.slow
def test_a_driven_mode_in_closed_form():
    """d<a>/dt = -i eps cos(omega t) - kappa/2 <a>."""
    omega, kappa, eps = 2.0, 0.8, 0.5
    model, mode = driven_mode(omega, kappa, eps)
    T = 2 * np.pi / omega
    times = np.linspace(0, T, 9)
    found = wf.steady_state(model, {"a": mode.a}, "exact", period=T, tlist=times)
    up, down = (
        0.5 / (kappa / 2 + s * 1j * omega) * np.exp(s * 1j * omega * times) for s in (1, -1)
    )
    assert found.expect["a"].shape == (9,) and np.all(found.sem["a"] == 0)
    assert np.allclose(found.expect["a"], -1j * eps * (up + down), atol=1e-4)
    assert abs(found.expect["a"][0] - found.expect["a"][-1]) < 1e-6
    assert found.stats["unique"] and found.stats["second"] < 1 and "Eigenvector" in repr(found)


def cases():
    """Models beyond and below the size at which the map is written down."""
    spin = wf.Spin(name="spin")
    H = wf.coef(lambda t: 1 + np.sin(3 * t)) * spin.sx + 0.4 * spin.sz
    yield wf.Model(H, [wf.Jump(spin.sm, 0.7)], initial={spin: wf.up}), {"z": spin.sz, "y": spin.sy}
    atoms = wf.Ensemble(6, name="atoms")
    rate = wf.coef(lambda t: 0.6 + 0.5 * np.cos(3 * t))
    H = wf.coef(lambda t: np.sin(3 * t) ** 2) * atoms.Jx
    jumps = [wf.Jump(atoms.Jm, 0.2), wf.LocalJump(atoms.sm, rate), wf.LocalJump(atoms.sp, 0.2)]
    e_ops = {"z": atoms.Jz, "e": atoms.Jp * atoms.Jm, "xi": wf.g2(atoms.Jm)}
    yield wf.Model(H, jumps, initial={atoms: wf.down}), e_ops


SPIN, ENSEMBLE = cases()


@pytest.mark.parametrize(
    ("model", "e_ops"),
    [
        pytest.param(*SPIN, id="spin"),
        pytest.param(*ENSEMBLE, id="ensemble", marks=pytest.mark.slow),
    ],
)
def test_a_long_run_ends_there(model, e_ops):
    T = 2 * np.pi / 3
    times = np.linspace(0, T, 5)
    found = wf.steady_state(model, e_ops, "exact", period=T, tlist=times)
    there, elsewhere = 14 * T + times, 14.3 * T + times
    run = wf.solve(model, np.sort([0.0, *there, *elsewhere]), e_ops=e_ops, method="exact")
    at, shifted = np.searchsorted(run.times, there), np.searchsorted(run.times, elsewhere)
    for name in e_ops:
        assert np.ptp(found.expect[name]) > 1e-3
        assert np.allclose(found.expect[name], run.expect[name][at], atol=3e-6), name
    assert not np.allclose(found.expect["z"], run.expect["z"][shifted], atol=1e-3)


def test_what_is_refused():
    model, mode = driven_mode()
    T, ask = np.pi, {"e_ops": {"n": mode.n}, "method": "exact"}
    for tlist in (None, [], [0, 4.0], [-0.1, 1], [1, 0.5]):
        with pytest.raises(ValueError, match=r"`tlist` must ascend within one period"):
            wf.steady_state(model, **ask, period=T, tlist=tlist)
    for name, value in (("relax", 1.0), ("ntraj", 100), ("timeout", 5.0), ("controls", False)):
        with pytest.raises(ValueError, match=f"`{name}` must be left out with `period`"):
            wf.steady_state(model, **ask, period=T, tlist=[0.0], **{name: value})
    with pytest.raises(ValueError, match="`period` must be a period of the coefficient"):
        wf.steady_state(model, **ask, period=1.1, tlist=[0.0])
    with pytest.raises(ValueError, match="or a `period` and times"):
        wf.steady_state(model, **ask)
    constant = wf.Model(mode.n, [wf.Jump(mode.a, 1.0)], initial={mode: wf.vacuum})
    with pytest.raises(ValueError, match="`period` must be None for a model that is constant"):
        wf.steady_state(constant, **ask, period=T, tlist=[0.0])
    short = wf.coef([0, 1.0, 0], [0, 1, 2]) * (mode.a + mode.adag)
    sampled = wf.Model(short, [wf.Jump(mode.a, 1.0)], initial={mode: wf.vacuum})
    with pytest.raises(ValueError, match="`period` must lie within the samples"):
        wf.steady_state(sampled, **ask, period=T, tlist=[0.0])


def test_a_state_that_depends_on_its_start():
    """Without any loss nothing is forgotten."""
    spin = wf.Spin(name="spin")
    model = wf.Model(wf.coef(np.sin) * spin.sx + spin.sz, initial={spin: wf.up})
    with pytest.raises(wf.NotUnique, match="depends on the initial"):
        wf.steady_state(model, {"z": spin.sz}, "exact", period=2 * np.pi, tlist=[0.0])
