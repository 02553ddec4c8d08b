"""Runs at the edge: too many steps, and what a method cannot know of a model."""

import tracemalloc

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.grid import MAX_STEPS, Grid
from wignerflow.result.accuracy import ROUNDING_STEPS, diagnose
from wignerflow.run.pilot import FIRST_STEPS, PILOT_STEPS, pilot_times


def driven(S=50):
    spin = wf.CollectiveSpin(S, name="spin")
    return wf.Model(spin.Jx, [wf.Jump(spin.Jm, 0.01)], initial={spin: wf.down}), [spin.Jz]


@pytest.mark.parametrize("dt", [1e-12, 1e-300])
def test_too_many_steps_are_refused_before_memory_is_taken(dt):
    model, e_ops = driven()
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"`dt` must be at least 2e-08 .* but was 1e-"):
        wf.solve(model, [0, 1], e_ops=e_ops, dt=dt, ntraj=64, seed=1)
    assert tracemalloc.get_traced_memory()[1] < 1e8
    tracemalloc.stop()


def test_a_time_that_no_step_of_the_model_reaches_is_refused():
    model, e_ops = driven()
    with pytest.raises(ValueError, match=r"`dt` must be at least 2e\+02"):
        wf.solve(model, [0, 1e10], e_ops=e_ops, ntraj=64, seed=1)


def test_pilots_end():
    """However far off the first output is."""
    assert np.array_equal(pilot_times(np.array([0.0, 1.0, 2.0]), 0.1), [0, 1, 2])
    assert np.array_equal(pilot_times(np.arange(11.0), 1e-3), np.arange(4.0))
    far = pilot_times(np.array([1.0, 1e6, 2e6]), 0.1)
    assert np.array_equal(far, [1.0, 1.0 + 0.1 * FIRST_STEPS])
    assert Grid.count(far, 0.1).sum() <= FIRST_STEPS + 1 and PILOT_STEPS < FIRST_STEPS < MAX_STEPS


def test_rounding_of_many_steps_is_said():
    samples = type("Samples", (), {"failed": 0})
    stats = {"precision": "single", "steps": ROUNDING_STEPS + 1}
    assert "rounding adds up" in diagnose(stats, samples, True)[0]
    assert not diagnose({**stats, "steps": ROUNDING_STEPS}, samples, True)
    assert not diagnose({**stats, "precision": "double"}, samples, True)


@pytest.mark.slow
def test_mean_field_is_double_and_says_what_it_leaves_out():
    """A Kerr resonator, whose fixed point single precision does not hold to 1e-6."""
    mode = wf.Mode(name="mode")
    H = -0.5 * mode.n + 0.05 * mode.adag**2 * mode.a**2 + 0.8 * (mode.a + mode.adag)
    jumps = [wf.Jump(mode.a, 1.2), wf.Jump(mode.adag, 0.2)]
    model = wf.Model(H, jumps, initial={mode: wf.vacuum})
    a = wf.steady_state(model, {"a": mode.a}, "mean-field").expect["a"]
    assert abs(-1j * (-0.5 + 0.1 * abs(a) ** 2) * a - 0.5 * a - 0.8j) < 1e-5
    for state in (wf.fock(2), wf.thermal(0.5)):
        model = wf.Model(H, jumps, initial={mode: state})
        with pytest.warns(UserWarning, match=r"Mean field takes the (fock|thermal) state of"):
            result = wf.solve(model, [0, 1], e_ops=[mode.n], method="mean-field")
    assert result.stats["precision"] == "double"


def test_mean_field_of_modes_is_that_of_coherent_states():
    """No frequency of the vacuum is left over: an empty cavity turns no spin, nor itself."""
    mode, spin = wf.Mode(name="mode"), wf.CollectiveSpin(20, name="spin")
    array = wf.Mode(name="array", count=2)
    H = mode.n * spin.Jz + 0.5 * mode.adag**2 * mode.a**2 + 0.3 * (array.n * array.n).sum()
    initial = {mode: wf.vacuum, spin: wf.bloch(np.pi / 2, 0), array: wf.coherent(0.1)}
    e_ops = {"x": spin.Jx, "y": spin.Jy, "a": array[0].a}
    result = wf.solve(wf.Model(H, initial=initial), [0, 3], e_ops=e_ops, method="mean-field")
    assert abs(result.expect["y"][-1]) < 1e-9 and abs(result.expect["x"][-1] - 20) < 1e-9
    # n n = a+ a+ a a + n: da/dt = -0.3 i (2 |a|^2 + 1) a
    assert abs(result.expect["a"][-1] - 0.1 * np.exp(-0.3j * 3 * 1.02)) < 1e-5


def test_mean_field_of_one_spin_is_its_bloch_equation():
    """Decay and dephasing of single spins, and of members of an array."""
    spin, array = wf.Spin(name="spin"), wf.Spin(name="array", count=2)
    H = 0.5 * spin.sx + 0.3 * array.sz.sum()
    jumps = [wf.Jump(spin.sm, 1.0), wf.Jump(array.sz, [0.5, 0.25]), wf.Jump(spin.sp, 0.1)]
    model = wf.Model(H, jumps, initial={spin: wf.up, array: wf.bloch(np.pi / 2, 0)})
    e_ops = {"z": spin.sz, "y": spin.sy, "x": array.sx}
    runs = [wf.solve(model, [0, 1, 2], e_ops=e_ops, method=m) for m in ("mean-field", "exact")]
    for name in e_ops:
        assert np.allclose(runs[0].expect[name], runs[1].expect[name], atol=2e-3), name


def test_what_lies_beyond_the_expansion_is_noted():
    mode, atoms = wf.Mode(name="mode"), wf.Ensemble(30, name="atoms")
    few, spin = wf.Ensemble([4, 30], name="few", count=2), wf.CollectiveSpin(2, name="spin")

    def notes(H, *jumps):
        initial = {s: wf.vacuum if s is mode else wf.up for s in H.subsystems}
        system, _ = wf.TWA().lower(wf.Model(H, jumps, initial=initial), {}, None)
        return "; ".join(system.facts)

    assert notes(atoms.Jx * (mode.a + mode.adag) + mode.n, wf.Jump(mode.a, 1.0)) == ""
    assert notes(mode.a**2 + mode.adag**2) == ""
    for H in (mode.n**2, mode.n * atoms.Jz):
        assert "'mode': third derivatives in the Wigner equation" in notes(H)
    assert "'mode': under nonlinear jumps" in notes(mode.n, wf.Jump(mode.a**2, 1.0))
    assert "'few', 'spin'" in notes(few.Jx.sum() + spin.Jx) or "'spin', 'few'" in notes(
        few.Jx.sum() + spin.Jx
    )
