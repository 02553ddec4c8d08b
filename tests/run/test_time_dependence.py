"""Coefficients that vary between two outputs are seen by every method, whatever ``tlist``."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model.timescales import reading_step, visible_step
from wignerflow.run import bounds

from ..few import few

AREA = 0.2 * np.sqrt(np.pi)


def window(start, stop, height=1.0):
    return lambda t: height if start < t < stop else 0.0


def pulses(imaginary=1j):
    """Three subsystems by themselves, each moved by a pulse away from t = 0, 5 and 10."""
    atoms, spin = wf.Ensemble(2, name="atoms"), wf.CollectiveSpin(1, name="spin")
    mode = wf.Mode(name="mode", cutoff=6)
    turn = window(6.1, 6.6, np.pi / 2)
    c = wf.coef(lambda t: imaginary * turn(t))  # zero at every output time
    H = wf.coef(lambda t: np.exp(-(((t - 3.1) / 0.2) ** 2))) * (mode.a + mode.adag)
    H = H + c * spin.Jp + (c * spin.Jp).dag()
    jumps = [wf.LocalJump(atoms.sm, wf.coef(window(3, 4)))]
    model = wf.Model(H, jumps, initial={atoms: wf.up, spin: wf.down, mode: wf.vacuum})
    values = {"z": 2 * (np.exp(-1) - 0.5), "y": np.sin(np.pi / 2), "a": -1j * AREA}
    return model, {"z": atoms.Jz, "x": spin.Jx, "y": spin.Jy, "a": mode.a}, values


@pytest.mark.parametrize(
    "method", [pytest.param("mean-field", marks=pytest.mark.slow), "cumulant", "exact"]
)
@pytest.mark.parametrize("times", few([[0, 10], [0, 5, 10]]))
def test_pulses_between_outputs(method, times):
    model, e_ops, values = pulses()
    result = wf.solve(model, times, e_ops=e_ops, method=method)
    assert abs(result.expect["z"][-1] - values["z"]) < 0.01 * 2
    assert abs(result.expect["a"][-1] - values["a"]) < 0.01 * AREA
    # H = i f (J+ - J-) = -2 f Jy: a turn of 2 f about -y, of pi/2 in all
    assert abs(abs(result.expect["x"][-1]) - values["y"]) < 0.01
    assert abs(result.expect["y"][-1]) < 0.01


def test_visible_steps():
    def step(function, stop=10.0, share=0.05):
        return visible_step([wf.coef(function)], 0.0, stop, share)

    assert step(lambda t: 2.0) == (10.0, None) == step(lambda t: 0.0)
    assert 0.001 < step(window(3, 3.1))[0] < 0.02
    assert 2 * np.pi / 500 / 64 < step(lambda t: np.cos(500 * t))[0] < 2 * np.pi / 500 / 16
    fast, slow = wf.coef(lambda t: np.cos(5e4 * t)), wf.coef(lambda t: np.cos(t))
    assert visible_step([slow, fast], 0.0, 10.0, 0.05)[1] == fast
    # a period as long as the outputs are apart does not hide, nor does a ramp stop everything
    assert step(lambda t: 1 - np.cos(2 * np.pi * t), 1.0)[0] <= 1 / 16
    ramps = wf.coef([0, 0, 1, 1, 0, 0], [0, 2, 2 + 1e-6, 7, 7 + 1e-6, 10])
    assert visible_step([ramps], 0.0, 10.0, 0.5)[0] > 0.5


@pytest.mark.parametrize("method", ["cumulant", "exact"])
@pytest.mark.parametrize("width", few([0.001, 0.01, 0.003]))
def test_a_small_pulse_beside_a_slow_drive_is_not_stepped_over(method, width):
    """A turn by 0.1, of which nothing is seen a thousandth of the time away."""

    def angle(area):
        def drive(t):
            pulse = np.exp(-((t - 0.4137) ** 2) / (2 * width**2)) / (np.sqrt(2 * np.pi) * width)
            return 3 * np.sin(t) + area * pulse

        spin = wf.CollectiveSpin(0.5, name="spin")
        model = wf.Model(wf.coef(drive) * spin.Jx, initial={spin: wf.down})
        found = wf.solve(model, [0, 1.0], e_ops={"z": spin.Jz}, method=method).expect["z"][-1]
        return found - -0.5 * np.cos(3 * (1 - np.cos(1.0)) + area)

    assert abs(angle(0.1)) < 1e-4 and abs(angle(0.0)) < 1e-4


def test_reading_steps():
    def step(function, reads=1):
        return reading_step([wf.coef(function)], 0.0, 1.0, reads)

    assert step(lambda t: 2.0) == 1 / 40 == step(np.sin)
    assert step(lambda t: np.sin(50 * t)) == step(lambda t: np.sin(50 * t), 3) / 3 < 1 / 200
    assert step(lambda t: np.sin(t) + 0.5 * (0.4 < t < 0.41)) < 1 / 200
    assert step(lambda t: float(hash(t) % 1000)) == 1 / 1024


def test_what_varies_too_fast_wants_a_step():
    spin = wf.CollectiveSpin(2, name="spin")
    model = wf.Model(wf.coef(lambda t: np.cos(1e6 * t)) * spin.Jx, initial={spin: wf.down})
    with pytest.raises(ValueError, match="Argument `dt` must be given where a coefficient varies"):
        wf.solve(model, [0, 10], e_ops=[spin.Jz], ntraj=64, seed=1)


def test_rates_that_are_none():
    """Negative between outputs is refused, negative by rounding is zero."""
    atoms = wf.Ensemble(4, name="atoms")

    def ends(rate, method):
        model = wf.Model(jumps=[wf.LocalJump(atoms.sm, wf.coef(rate))], initial={atoms: wf.up})
        return wf.solve(model, [0, 6.5], e_ops={"z": atoms.Jz}, method=method).expect["z"][-1]

    for method in ("twa", "cumulant", "exact"):
        with pytest.raises(ValueError, match=r"`jumps\[0\].rate` must be real and non-negative"):
            ends(np.sin, method)
    none = wf.coef(lambda t: 1.0 if t < 1 else -1e-17)
    mode = wf.Mode(name="mode")
    jumps = [wf.Jump(atoms.Jz, none), wf.LocalJump(atoms.sp, none), wf.Jump(mode.a, none)]
    model = wf.Model(0.3 * atoms.Jx, jumps, initial={atoms: wf.up, mode: wf.coherent(1)})
    result = wf.solve(model, [0, 2], e_ops={"n": mode.n}, ntraj=2000, seed=1)
    assert abs(result.expect["n"][-1] - np.exp(-1)) < 5 * result.sem["n"][-1]


def test_callables_that_fail_say_so():
    atoms = wf.Ensemble(4, name="atoms")

    def run(function, times=(0, 1)):
        model = wf.Model(wf.coef(function) * atoms.Jx, initial={atoms: wf.up})
        return wf.solve(model, list(times), e_ops={"y": atoms.Jy}, method="cumulant")

    with pytest.raises(TypeError, match=r"raised TypeError: .* missing 1 required"):
        run(lambda t, args: 1.0)
    table = np.array([2.0, 1.0])

    def late(t):  # undefined before t = 5
        if t < 5:
            raise ValueError("below the range")
        return table[int(t > 6)]

    assert run(late, (5, 6)).expect["y"][-1] == pytest.approx(-2 * np.sin(2), abs=1e-6)
    with pytest.raises(TypeError, match=r"here at t = 4.* raised ValueError: below the range"):
        run(late, (4, 6))


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_first_steps_and_paces_have_the_unit_of_time(unit):
    def bounds_of(unit):
        atoms, mode = wf.Ensemble(20, name="atoms"), wf.Mode(name="mode")
        times = np.array([0, 1.0]) / unit
        drive = wf.coef(lambda t: 3 * unit * np.cos(unit * t))
        damped = wf.Model(drive * mode.n, [wf.Jump(mode.a, unit)], initial={mode: wf.coherent(1.0)})
        decays = [wf.LocalJump(atoms.sm, 200 * unit)]
        turned = wf.Model(0.5 * unit * atoms.Jx, decays, initial={atoms: wf.up})
        one, two = (wf.TWA().lower(m, {}, times)[0] for m in (damped, turned))
        return bounds.pace(one, times) / unit, bounds.guess(two, times) * unit

    assert bounds_of(unit) == pytest.approx(bounds_of(1.0), rel=1e-3)
