"""Mean field with steps of none: against closed forms, with the error that it states."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model.timescales import SHARP, breaks

from ..few import few


def box(t):
    return 3.0 if 1.01 < t < 1.237 else 0.0


def pulsed(coefficient):
    """One driven, decaying spin: its Bloch equations are exact."""
    s = wf.Spin(name="s")
    model = wf.Model(coefficient * s.sx + 0.3 * s.sz, [wf.Jump(s.sm, 0.2)], initial={s: wf.down})
    return model, {"z": s.sz, "y": s.sy}


@pytest.mark.parametrize("times", few([[0, 10.0], [0, 0.5, 2.0, 10.0]]))
def test_a_box_pulse_costs_no_more_than_its_nodes(times):
    model, ops = pulsed(wf.coef(box))
    result = wf.solve(model, times, e_ops=ops, method="mean-field")
    # the exact integrator steps over the jumps: it is told of them
    ramp = [0, 0, 3, 3, 0, 0]
    edges = wf.coef(ramp, [0, 1.01, 1.01 + 1e-9, 1.237, 1.237 + 1e-9, 10])
    model, ops = pulsed(edges)
    exact = wf.solve(model, times, e_ops=ops, method=wf.Exact(rtol=1e-10))
    for name in ops:
        assert np.abs(result.expect[name] - exact.expect[name]).max() < 1e-5
        assert np.all(result.step_error[name] < 1e-6)
    assert result.stats["work"] < 50_000 and result.stats["step_met"]


def test_smooth_equations_to_eight_digits():
    """A pendulum: the mean field of a collective spin under Jx and Jz^2, and its stated error."""
    s = wf.CollectiveSpin(20, name="s")
    a = wf.Mode(name="a")
    model = wf.Model(
        0.7 * s.Jx + 0.04 * s.Jz * s.Jz + 0.1 * (a.a * s.Jp + a.adag * s.Jm),
        [wf.Jump(a.a, 1.0)],
        initial={s: wf.bloch(0.4, 0.1), a: wf.coherent(0.3)},
    )
    t, ops = np.linspace(0, 4, 5), {"z": s.Jz, "n": a.n}
    result = wf.solve(model, t, e_ops=ops, method="mean-field")
    fine = wf.solve(model, t, e_ops=ops, method="mean-field", dt=result.dt / 3)
    for name in ops:
        error = np.abs(result.expect[name] - fine.expect[name])
        assert error.max() < 1e-6 * np.abs(fine.expect[name]).max()
        assert np.all(error <= result.step_error[name] + fine.step_error[name] + 1e-12)
        assert 0 < result.step_error[name].max() < 1e-6 * np.abs(fine.expect[name]).max()
    again = result.rerun()
    assert again.digest() == result.digest()


def test_jumps_are_found_and_ramps_are_not():
    found = breaks([wf.coef(box)], 0.0, 10.0)
    assert found.size == 4 and np.ptp(found[:2]) < 1e-10
    np.testing.assert_allclose(found[[0, 2]], [1.01, 1.237], atol=1e-9)
    assert not breaks([wf.coef(lambda t: np.exp(-((t - 3) ** 2) / 1e-4))], 0.0, 10.0).size
    assert not breaks([wf.coef(lambda t: np.tanh(300 * (t - 3)))], 0.0, 10.0).size
    assert breaks([wf.coef([0, 1, 0], [0, 3.0, 10])], 0.0, 10.0).tolist() == [3.0]


@pytest.mark.parametrize("begin", [-5.0, 0.0, 90.0])
def test_a_jump_is_found_as_closely_at_all_times(begin):
    found = breaks([wf.coef(lambda t: box(t - begin))], begin, begin + 10)
    assert found.size == 4 and np.ptp(found[:2]) <= SHARP * 10
    np.testing.assert_allclose(found[[0, 2]] - begin, [1.01, 1.237], atol=1e-9)


def test_what_a_pilot_has_not_seen_is_not_known():
    """A pulse long after what a pilot covers: the step's error there is no number of the pilot."""
    s = wf.Spin(name="s")
    model = wf.Model(wf.coef(box) * s.sx + 0.3 * s.sz, initial={s: wf.down})
    result = wf.solve(
        model, [0, 0.5, 2.0], e_ops={"z": s.sz}, method="generalized-p", ntraj=64, seed=1
    )
    late = result.step_error["z"][-1]
    assert np.isnan(late) or abs(result.expect["z"][-1] - np.cos(6 * 0.227)) < late + 1e-3
